"""Which code runs the state-space scans: mamba-ssm's CUDA kernels or our own PyTorch.

The choice is made here and nowhere else, at the time of a call. mamba-ssm builds against
one PyTorch and one CUDA version, so that its import can fail in many ways; a failed import
is remembered with its reason and PyTorch runs instead. Setting the environment variable
``MMREG_KERNELS`` to ``off`` turns the kernels off.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from napari_mmreg.errors import DeviceError, MissingExtraError

Choice = Literal["auto", "torch", "mamba-ssm"]
Kernel = Callable[..., Tensor]

LARGEST_STATE = 256  # mamba-ssm's selective scan refuses more


@dataclass(frozen=True, slots=True)
class Backend:
    """What runs a state-space scan.

    Attributes
    ----------
    name : {"mamba-ssm", "torch"}
        The code that runs.
    reason : str
        Why, as a sentence.
    """

    name: Literal["mamba-ssm", "torch"]
    reason: str


@dataclass(frozen=True, slots=True)
class Kernels:
    """The functions taken from mamba-ssm, with their own argument order."""

    selective_scan: Kernel
    ssd: Kernel


def state_space_backend(
    device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32, state: int = 16
) -> Backend:
    """Say which code runs scans for tensors of this kind, and why.

    Parameters
    ----------
    device : torch.device or str
        Where the tensors are.
    dtype : torch.dtype
        The type of the input sequence.
    state : int
        State size of the scan.

    Returns
    -------
    Backend
        Its `name` and the `reason` for it.
    """
    device = torch.device(device)
    if device.type != "cuda":
        return Backend("torch", f"mamba-ssm's kernels need CUDA tensors; these are on {device}.")
    if dtype not in (torch.float32, torch.float16, torch.bfloat16):
        return Backend("torch", f"mamba-ssm's kernels do not compute in {dtype}.")
    if state > LARGEST_STATE:
        return Backend("torch", f"mamba-ssm's kernels hold at most {LARGEST_STATE} states.")
    if os.environ.get("MMREG_KERNELS", "").lower() == "off":
        return Backend("torch", "MMREG_KERNELS is set to off.")
    kernels, reason = _load()
    return Backend("torch" if kernels is None else "mamba-ssm", reason)


def choose_kernels(choice: Choice, x: Tensor, state: int) -> Kernels | None:
    """Return mamba-ssm's functions if they are to run on `x`, otherwise None.

    Parameters
    ----------
    choice : {"auto", "torch", "mamba-ssm"}
        ``auto`` takes the kernels where they can run; the others insist.
    x : Tensor
        The input sequence; its device and dtype decide.
    state : int
        State size of the scan.

    Returns
    -------
    Kernels or None
        None means that PyTorch runs.

    Raises
    ------
    MissingExtraError
        If mamba-ssm is asked for by name and cannot be imported.
    DeviceError
        If mamba-ssm is asked for by name and cannot run on such tensors.
    ValueError
        If `choice` is none of the three.
    """
    if choice not in ("auto", "torch", "mamba-ssm"):
        raise ValueError(f"Choose auto, torch or mamba-ssm, not {choice!r}.")
    if choice == "torch":
        return None
    backend = state_space_backend(x.device, x.dtype, state)
    if backend.name == "mamba-ssm":
        return _load()[0]
    if choice == "mamba-ssm":
        if x.device.type == "cuda" and _load()[0] is None:
            raise MissingExtraError(backend.reason)
        raise DeviceError(f"{backend.reason} Choose auto or torch.")
    return None


@functools.cache
def _load() -> tuple[Kernels | None, str]:
    """Import mamba-ssm once; report failure as a sentence instead of raising."""
    try:
        from mamba_ssm.ops.selective_scan_interface import selective_scan_fn
        from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined
    except Exception as error:  # noqa: BLE001 - a binary built for another torch raises anything
        return None, (
            f"mamba-ssm could not be imported ({type(error).__name__}: {error}); install it with: "
            'pip install --no-build-isolation "napari-mmreg[mamba]"'
        )
    kernels = Kernels(selective_scan=selective_scan_fn, ssd=mamba_chunk_scan_combined)
    return kernels, "mamba-ssm's kernels are installed and the tensors are on CUDA."
