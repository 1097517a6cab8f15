import pytest
import torch

from napari_mmreg.errors import DeviceError
from napari_mmreg.nn.device import choose_device, device_name, memory_advice


def test_auto_takes_what_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == "cuda"


def test_cpu():
    assert choose_device("cpu") == "cpu"
    assert device_name("cpu") == "cpu"


@pytest.mark.parametrize("device", ["tpu42", "", "meta", None])
def test_unknown_devices(device):
    with pytest.raises(DeviceError, match="'auto'"):
        choose_device(device)


def test_absent_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="0 CUDA devices"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1") == "cuda:1"
    with pytest.raises(DeviceError, match="2 CUDA devices"):
        choose_device("cuda:2")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="not available"):
        choose_device("mps")


@pytest.mark.parametrize(
    ("device", "error", "says"),
    [
        ("cuda", torch.OutOfMemoryError("x"), "device='cpu'"),
        ("cpu", MemoryError(), "smaller images"),
    ],
)
def test_running_out_of_memory_is_explained(device, error, says):
    with pytest.raises(DeviceError, match=says) as caught, memory_advice(device):
        raise error
    assert caught.value.__cause__ is error


def test_other_errors_pass():
    with pytest.raises(KeyError), memory_advice("cpu"):
        raise KeyError
