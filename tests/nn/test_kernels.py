import sys
import types

import pytest
import torch

from napari_mmreg.errors import DeviceError, MissingExtraError
from napari_mmreg.nn import kernels
from napari_mmreg.nn.selective_scan import selective_scan
from napari_mmreg.nn.ssd import ssd


@pytest.fixture
def fresh():
    """Forget what was imported, before and after."""
    kernels._load.cache_clear()
    yield
    kernels._load.cache_clear()


class OnCuda:
    """What the choice looks at, without a GPU."""

    device = torch.device("cuda")
    dtype = torch.float32


def fake_package(monkeypatch, **functions):
    for name in ("mamba_ssm", "mamba_ssm.ops", "mamba_ssm.ops.triton"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    for name, function in (
        ("selective_scan_interface", "selective_scan_fn"),
        ("triton.ssd_combined", "mamba_chunk_scan_combined"),
    ):
        module = types.ModuleType(name)
        if function in functions:
            setattr(module, function, functions[function])
        monkeypatch.setitem(sys.modules, f"mamba_ssm.ops.{name}", module)


def test_cpu_tensors_run_on_pytorch():
    backend = kernels.state_space_backend("cpu")
    assert backend.name == "torch"
    assert "CUDA" in backend.reason
    assert kernels.choose_kernels("auto", torch.zeros(1), 16) is None


def test_asking_by_name_on_a_cpu_says_what_to_do():
    with pytest.raises(DeviceError, match="auto or torch"):
        kernels.choose_kernels("mamba-ssm", torch.zeros(1), 16)
    with pytest.raises(ValueError, match="Choose"):
        kernels.choose_kernels("triton", torch.zeros(1), 16)


def test_failed_import_is_remembered_with_its_reason(fresh, monkeypatch):
    fake_package(monkeypatch)  # modules without the functions
    backend = kernels.state_space_backend("cuda")
    assert backend.name == "torch"
    assert "ImportError" in backend.reason
    assert "napari-mmreg[mamba]" in backend.reason
    assert kernels.choose_kernels("auto", OnCuda, 16) is None
    with pytest.raises(MissingExtraError, match="ImportError"):
        kernels.choose_kernels("mamba-ssm", OnCuda, 16)


def test_import_that_raises_anything_is_no_crash(fresh, monkeypatch):
    class Broken(types.ModuleType):
        def __getattr__(self, name):
            raise RuntimeError("undefined symbol")

    fake_package(monkeypatch)
    monkeypatch.setitem(sys.modules, "mamba_ssm.ops.selective_scan_interface", Broken("broken"))
    assert "RuntimeError: undefined symbol" in kernels.state_space_backend("cuda").reason


def test_kernels_are_taken_where_they_can_run(fresh, monkeypatch):
    fake_package(monkeypatch, selective_scan_fn=min, mamba_chunk_scan_combined=max)
    assert kernels.state_space_backend("cuda").name == "mamba-ssm"
    assert kernels.choose_kernels("auto", OnCuda, 16) == kernels.Kernels(min, max)
    assert kernels.choose_kernels("torch", OnCuda, 16) is None
    assert kernels.state_space_backend("cuda", torch.float64).name == "torch"
    assert kernels.state_space_backend("cuda", state=257).name == "torch"
    assert kernels.state_space_backend("cpu").name == "torch"
    with pytest.raises(DeviceError, match="at most 256"):
        kernels.choose_kernels("mamba-ssm", OnCuda, 257)
    monkeypatch.setenv("MMREG_KERNELS", "off")
    assert kernels.state_space_backend("cuda").reason == "MMREG_KERNELS is set to off."


def test_kernels_get_what_they_expect(monkeypatch):
    """The calls are made as mamba-ssm declares them; its results are handed back."""
    seen = {}

    def selective(u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False):
        seen["selective"] = (u, delta, A, B, C, D, z, delta_bias, delta_softplus)
        return u + 1

    def combined(x, dt, A, B, C, chunk_size, D=None, z=None, dt_bias=None, dt_softplus=False):
        seen["ssd"] = (x, dt, A, B, C, D, z, dt_bias, dt_softplus, chunk_size)
        return x + 1

    offered = kernels.Kernels(selective, combined)
    for module in ("selective_scan", "ssd"):
        monkeypatch.setattr(f"napari_mmreg.nn.{module}.choose_kernels", lambda *unused: offered)
    x = torch.randn(2, 9, 4).transpose(1, 2)
    b = torch.randn(2, 3, 9)
    y = selective_scan(
        x, x, -torch.rand(4, 3), b, b, torch.ones(4), x,
        dt_bias=torch.ones(4), dt_softplus=True,
    )  # fmt: skip
    torch.testing.assert_close(y, x + 1)
    assert seen["selective"][3].shape == (2, 1, 3, 9)
    assert all(t.is_contiguous() for t in seen["selective"][:8])
    assert seen["selective"][8] is True

    x = torch.randn(2, 9, 4, 5, dtype=torch.bfloat16)
    b = torch.randn(2, 9, 2, 3)
    y = ssd(
        x, torch.rand(2, 9, 4), -torch.rand(4), b, b, torch.ones(4), x,
        dt_bias=torch.ones(4), dt_softplus=True, chunk=32,
    )  # fmt: skip
    torch.testing.assert_close(y, x + 1)
    assert seen["ssd"][3].dtype == torch.bfloat16
    assert seen["ssd"][2].dtype == torch.float32
    assert seen["ssd"][8:] == (True, 32)
