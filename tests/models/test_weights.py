import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from napari_npa.errors import WeightsError
from napari_npa.imaging.contrast import input_channels, logarithmic, normalise_contrast
from napari_npa.imaging.field_of_view import CAMERA_55, ULTRA_WIDEFIELD
from napari_npa.models import weights
from napari_npa.models.names import RETINA
from napari_npa.models.networks import UNetConfig, VGGUNet
from napari_npa.models.weights import load_checkpoint, load_model, save_model, store


class UnetUp(nn.Module):
    """Decoder stage of the foreign program, as its checkpoints imply it."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.up = nn.UpsamplingBilinear2d(scale_factor=2)

    def forward(self, skip, below):
        joined = torch.cat([skip, self.up(below)], 1)
        return torch.relu(self.conv2(torch.relu(self.conv1(joined))))


class UnetPytorch(nn.Module):
    """The foreign VGG U-Net, written from its key names and torchvision's VGG-16."""

    def __init__(self, classes=2):
        from torchvision.models import vgg16

        super().__init__()
        self.vgg = nn.Module()
        self.vgg.features = vgg16(weights=None).features
        self.up_concat4 = UnetUp(1024, 512)
        self.up_concat3 = UnetUp(768, 256)
        self.up_concat2 = UnetUp(384, 128)
        self.up_concat1 = UnetUp(192, 64)
        self.final = nn.Conv2d(64, classes, 1)

    def forward(self, images):
        layers = self.vgg.features
        one = layers[:4](images)
        two = layers[4:9](one)
        three = layers[9:16](two)
        four = layers[16:23](three)
        five = layers[23:-1](four)
        values = self.up_concat4(four, five)
        values = self.up_concat3(three, values)
        values = self.up_concat2(two, values)
        return self.final(self.up_concat1(one, values))


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    torch.manual_seed(0)
    network = UnetPytorch().eval()
    path = tmp_path_factory.mktemp("foreign") / "best_epoch_weights.pth"
    torch.save(network.state_dict(), path)
    return network, path


def test_foreign_checkpoint_gives_the_original_logits(foreign):
    original, path = foreign
    loaded = load_checkpoint(path)
    images = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        assert not loaded.training
        assert torch.allclose(loaded(images), original(images), atol=1e-4)


def test_foreign_checkpoint_with_a_classifier_left_in_is_read(foreign, tmp_path):
    original, _ = foreign
    state = {**original.state_dict(), "vgg.classifier.0.weight": torch.zeros(2, 2)}
    torch.save(state, tmp_path / "with_classifier.pth")
    assert load_checkpoint(tmp_path / "with_classifier.pth").config.outputs == 2


def test_pickle_with_code_is_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"final.weight": Bomb()}, tmp_path / "bomb.pth")
    with pytest.raises(WeightsError, match=r"bomb\.pth"):
        load_checkpoint(tmp_path / "bomb.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 truncated"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_damaged_file_is_named(tmp_path, content, suffix):
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=f"damaged{suffix}"):
        load_checkpoint(path)


def test_state_dict_of_another_network_is_refused(tmp_path):
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "linear.pth")
    with pytest.raises(WeightsError, match="not a state dict of a 'unet-pytorch'"):
        load_checkpoint(tmp_path / "linear.pth")


def test_missing_file_and_unknown_name_say_what_to_do(tmp_path):
    with pytest.raises(WeightsError, match="Check the path"):
        load_checkpoint(tmp_path / "absent.safetensors")
    with pytest.raises(WeightsError, match="Choose one of"):
        load_model("nonsense")


def test_saved_network_comes_back_with_its_settings(tmp_path):
    torch.manual_seed(2)
    network = VGGUNet(UNetConfig(decoder=(8, 8, 8, 4))).eval()
    path = tmp_path / "mine.safetensors"
    sha256 = save_model(
        path,
        network,
        canvases={"55": 96, "uwfa": 128},
        threshold=0.4,
        thresholds={"uwfa": 0.6},
    )
    model = load_model(path)
    assert (model.threshold_for(CAMERA_55), model.threshold_for(ULTRA_WIDEFIELD)) == (0.4, 0.6)
    assert model.sha256 == sha256
    assert (model.canvases, model.threshold) == ({"55": 96, "uwfa": 128}, 0.4)
    images = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        # Stored in half precision: three decimal digits.
        assert torch.allclose(model.network(images), network(images), rtol=1e-2, atol=1e-2)


def test_damaged_embedded_weights_are_named_and_not_used(tiny_model, tmp_path, monkeypatch):
    damaged = bytearray(tiny_model.read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "whole.safetensors").write_bytes(damaged)
    card = {"sha256": store.file_sha256(tiny_model)}
    (tmp_path / "whole.json").write_text(json.dumps(card))
    monkeypatch.setattr(store, "EMBEDDED", tmp_path)
    with pytest.raises(WeightsError, match=r"whole\.safetensors.* is damaged"):
        load_model("whole")


def test_every_embedded_model_loads_and_its_card_says_how_it_scored():
    names = weights.embedded_models()
    assert "whole" in names
    assert RETINA not in names, "it finds no non-perfusion"
    for name in (*names, RETINA):
        model = load_model(name)
        card = json.loads((store.EMBEDDED / f"{name}.json").read_text())
        assert card["sha256"] == model.sha256
        assert card["held_out"]["summary"]
        assert {"training", "limits", "licence"} <= set(card)


def test_a_model_is_fed_by_what_it_was_trained_on(tiny_model):
    gray = np.random.default_rng(0).random((64, 64), np.float32)
    gradable = gray > 0.2
    ours = load_model(tiny_model)
    np.testing.assert_array_equal(
        ours.channels(gray, gradable), input_channels(normalise_contrast(gray, gradable))
    )
    retina = replace(ours, input="levels")
    np.testing.assert_array_equal(
        retina.channels(gray, gradable), input_channels(logarithmic(gray))
    )
    foreign = replace(ours, input="rgb")
    np.testing.assert_array_equal(foreign.channels(gray, gradable), np.stack([gray] * 3))


def test_networks_from_elsewhere_give_what_they_gave_there(tiny_model):
    ours = load_model(tiny_model)
    foreign = replace(ours, input="rgb")
    for model, wants in ((ours, True), (foreign, False)):
        assert (model.wants_field, model.wants_mirrors, model.wants_sifting) == (wants,) * 3
