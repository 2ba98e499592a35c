import pytest
import torch

from napari_npa.errors import DeviceError
from napari_npa.models.devices import choose_device, device_name, has_fast_bf16, present_devices


def test_the_processor_is_always_there_and_last_choice():
    assert present_devices()[-1] == "cpu"
    assert choose_device("auto").type == present_devices()[0]
    assert choose_device("cpu") == torch.device("cpu")


def test_a_graphics_card_is_told_by_its_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    assert device_name(torch.device("cuda:1")) == "cuda:1 (NVIDIA H200)"
    assert device_name(torch.device("cpu")) == "cpu"


def test_a_processor_has_fast_bf16_only_with_instructions_for_it(monkeypatch):
    for capabilities, fast in (
        ({"avx2": True}, False),
        ({"avx2": True, "avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=capabilities: found)
        assert has_fast_bf16(torch.device("cpu")) is fast


@pytest.mark.parametrize("name", ["", "gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_with_a_way_out(name):
    with pytest.raises(DeviceError, match="Choose"):
        choose_device(name)
