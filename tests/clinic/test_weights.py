"""Weights that somebody sent: used as they say, or refused with a reason before they are read."""

import os
import zipfile

import pytest
import torch
from typer.testing import CliRunner

from batch_folders import write_eye
from clinic.weights import UNFIT, changed, parts, write
from napari_npa.cli.main import app
from napari_npa.errors import WeightsError
from napari_npa.models.names import RETINA
from napari_npa.models.weights import embedded_models, load_checkpoint, load_model, store
from napari_npa.segmentation.segmenter import Segmenter


def refusal(path):
    with pytest.raises(WeightsError, match=path.name) as caught:
        load_model(path)
    assert caught.value.remedy.endswith(".")
    return str(caught.value)


@pytest.mark.parametrize(("where", "value"), UNFIT)
def test_a_header_that_cannot_be_is_refused(tmp_path, tiny_model, where, value):
    header, tensors = parts(tiny_model)
    path = write(tmp_path / "sent.safetensors", changed(header, where, value), tensors)
    said = refusal(path)
    assert ("newer version" in said) == (value == 99)
    image = write_eye(tmp_path / "a.tif")
    words = ["segment", image, "--output", tmp_path / "out", "--model", path, "--device", "cpu"]
    result = CliRunner().invoke(app, list(map(str, words)))
    assert isinstance(result.exception, WeightsError)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "[" * 100_000, '{"format": 1e400}', "\0"])
def test_a_header_that_is_none_is_refused(tmp_path, tiny_model, text):
    refusal(write(tmp_path / "sent.safetensors", text, parts(tiny_model)[1]))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_tensors_that_cannot_be_computed_with_are_refused(tmp_path, tiny_model, value):
    header, tensors = parts(tiny_model)
    for name in ("head.bias", "stages.0.0.weight"):
        broken = {**tensors, name: tensors[name].clone()}
        broken[name].view(-1)[0] = value
        said = refusal(write(tmp_path / "sent.safetensors", header, broken))
        assert f"{name} holds values that are not finite" in said


def test_tensors_that_are_others_are_refused(tmp_path, tiny_model):
    header, tensors = parts(tiny_model)
    bias = tensors["head.bias"]
    variance = "stages.0.1.running_var"
    for other in (
        {"head.bias": bias.long()},
        {"head.bias": bias.to(torch.bool)},
        {"head.bias": torch.zeros(3).half()},
        {"head.bias": bias[None]},
        {variance: -tensors[variance]},
        {"another": bias.clone()},
    ):
        refusal(write(tmp_path / "sent.safetensors", header, tensors | other))
    del tensors["head.bias"]
    assert "head.bias is missing" in refusal(write(tmp_path / "s.safetensors", header, tensors))


def test_weights_that_give_no_number_give_no_index(tmp_path, tiny_model):
    header, tensors = parts(tiny_model)
    header["network"]["batch_norm"] = True
    huge = {
        name: torch.full_like(value, 60_000) if name.endswith("weight") else value
        for name, value in tensors.items()
    }
    path = write(tmp_path / "huge.safetensors", header, huge)
    with pytest.raises(WeightsError, match="computes values that are not numbers"):
        Segmenter("cpu", path).segment(write_eye(tmp_path / "a.tif"))


def test_a_compressed_checkpoint_is_not_unpacked(tmp_path):
    plain, packed = tmp_path / "plain.pth", tmp_path / "packed.pth"
    torch.save({"final.weight": torch.zeros(10**6)}, plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with pytest.raises(WeightsError) as caught:
        load_checkpoint(packed)
    assert "compressed" in str(caught.value.__cause__)


@pytest.mark.parametrize(
    "state",
    [
        5,
        [],
        {"final.bias": 5},
        {5: torch.zeros(1)},
        {f"up_concat{at}.conv2.bias": torch.zeros(1).expand(10**12) for at in range(1, 5)}
        | {"final.bias": torch.zeros(1).expand(10**12)},
    ],
    ids=["number", "list", "no tensor", "no name", "larger than the file"],
)
def test_a_checkpoint_of_anything_else_is_refused(tmp_path, state):
    torch.save(state, tmp_path / "sent.pth")
    assert "is not a state dict of a 'unet-pytorch' VGG U-Net" in refusal(tmp_path / "sent.pth")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes among files")
def test_a_pipe_or_a_folder_is_no_weights_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    assert "not an ordinary file" in refusal(tmp_path / "pipe.safetensors")
    assert "not an ordinary file" in refusal(tmp_path / "folder.safetensors")


@pytest.mark.parametrize("card", [None, b"", b"{", b"[]", b'{"sha256": 5}', b"\xff"])
def test_embedded_weights_without_their_card_are_not_used(tmp_path, tiny_model, monkeypatch, card):
    (tmp_path / "whole.safetensors").write_bytes(tiny_model.read_bytes())
    if card is not None:
        (tmp_path / "whole.json").write_bytes(card)
    monkeypatch.setattr(store, "EMBEDDED", tmp_path)
    with pytest.raises(WeightsError, match=r"'whole\.json' cannot be read.*Install the package"):
        load_model("whole")


def test_our_own_weights_fit():
    for name in (*embedded_models(), RETINA):
        assert load_model(name).canvases.keys() == {"55", "uwfa"}
