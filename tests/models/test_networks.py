import subprocess
import sys
from dataclasses import replace
from urllib.error import URLError

import pytest
import torch
from torch import nn

from napari_npa.errors import WeightsError
from napari_npa.models.networks import UNetConfig, VGGUNet, build, fold_batch_norm

SMALL = UNetConfig(decoder=(8, 8, 8, 8))


@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        UNetConfig(decoder=(8, 8, 8, 8), input_stride=1, batch_norm=False, outputs=2),
        UNetConfig(decoder=(16, 8, 8, 4), align_corners=True),
    ],
)
def test_logits_have_the_size_of_the_image(config):
    network = VGGUNet(config).eval()
    rows, columns = 2 * config.multiple, 3 * config.multiple
    with torch.inference_mode():
        logits = network(torch.rand(2, 3, rows, columns))
    assert logits.shape == (2, config.outputs, rows, columns)


@pytest.mark.parametrize("encoder", ["plain", "resnet34"])
def test_baselines_differ_in_their_encoder_only(encoder):
    network = build(UNetConfig(encoder=encoder, decoder=(8, 8, 8, 8))).eval()
    with torch.inference_mode():
        assert network(torch.rand(1, 3, 64, 96)).shape == (1, 2, 64, 96)
        folded = fold_batch_norm(network)
        image = torch.rand(1, 3, 64, 64)
        assert torch.allclose(network(image), folded(image), atol=1e-4)
    assert [type(stage) for stage in network.decoder] == [
        type(stage) for stage in VGGUNet(SMALL).decoder
    ]


def test_baselines_say_what_they_cannot_do():
    with pytest.raises(WeightsError, match="no ImageNet weights"):
        build(UNetConfig(encoder="plain"), imagenet=True)
    with pytest.raises(WeightsError, match="input stride of 2 only"):
        build(UNetConfig(encoder="resnet34", input_stride=1))


def test_published_network_has_the_published_decoder():
    network = VGGUNet(UNetConfig.published())
    widths = [stage.conv2[0].out_channels for stage in network.decoder]
    assert widths == [512, 256, 128, 64]
    # VGG-16's thirteen convolutions, two in each decoder stage, and the head.
    assert sum(isinstance(module, nn.Conv2d) for module in network.modules()) == 13 + 8 + 1


def test_encoder_is_vgg16_layer_by_layer():
    from torchvision.models import vgg16_bn

    torch.manual_seed(0)
    reference = vgg16_bn(weights=None).features.eval()
    network = VGGUNet(UNetConfig(input_stride=1)).eval()
    own = [m for m in network.stages.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    theirs = [m for m in reference.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    for mine, his in zip(own, theirs, strict=True):
        his.load_state_dict(mine.state_dict())
    image = torch.rand(1, 3, 32, 32)
    values = image
    with torch.inference_mode():
        for stage in network.stages:
            values = stage(values)
        assert torch.allclose(reference[:-1](image), values, atol=1e-5)


def test_xavier_initialisation_keeps_the_signal_alive():
    torch.manual_seed(0)
    network = VGGUNet(UNetConfig(decoder=(32, 16, 8, 8), batch_norm=False)).eval()
    with torch.inference_mode():
        spread = network(torch.rand(1, 3, 64, 64)).std()
    assert 1e-3 < float(spread) < 1e3


def test_freezing_the_encoder_leaves_only_the_decoder_to_learn():
    network = VGGUNet(SMALL)
    network.freeze_encoder()
    learning = {name.split(".")[0] for name, p in network.named_parameters() if p.requires_grad}
    assert learning == {"decoder", "head"}
    network.freeze_encoder(False)
    assert all(p.requires_grad for p in network.parameters())


def test_folded_network_gives_the_same_logits():
    torch.manual_seed(1)
    network = VGGUNet(SMALL)
    images = torch.rand(2, 3, 64, 64)
    network.train()(images)  # moves the running statistics off their initial values
    folded = fold_batch_norm(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    with torch.inference_mode():
        assert torch.allclose(network.eval()(images), folded(images), atol=1e-4)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_imagenet_weights_are_those_of_vgg16(monkeypatch, batch_norm):
    from torchvision.models import WeightsEnum, vgg16, vgg16_bn

    theirs = (vgg16_bn if batch_norm else vgg16)().eval()
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda *_, **__: theirs.state_dict())
    config = replace(SMALL, input_stride=1, batch_norm=batch_norm)
    values = image = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        for stage in VGGUNet(config, imagenet=True).eval().stages:
            values = stage(values)
        assert torch.equal(theirs.features[:-1](image), values)


def test_imagenet_weights_are_those_of_resnet34(monkeypatch):
    from torchvision.models import WeightsEnum, resnet34

    theirs = resnet34()
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda *_, **__: theirs.state_dict())
    ours = build(UNetConfig(encoder="resnet34", decoder=(8, 8, 8, 8)), imagenet=True)
    assert torch.equal(ours.stages[4][0].conv1.weight, theirs.layer4[0].conv1.weight)


def test_no_network_for_imagenet_weights_is_said_plainly(monkeypatch):
    from torchvision.models import WeightsEnum

    def offline(weights, **settings):
        raise URLError("Name or service not known")

    monkeypatch.setattr(WeightsEnum, "get_state_dict", offline)
    with pytest.raises(WeightsError, match="could not be fetched"):
        VGGUNet(SMALL, imagenet=True)


def test_weights_are_loaded_without_what_only_training_needs():
    code = (
        "import sys; from napari_npa.models.weights import load_model; load_model('tile');"
        "sys.exit(' '.join({'torchvision', 'sympy', 'lightning'} & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, f"slow to import: {done.stderr}"
