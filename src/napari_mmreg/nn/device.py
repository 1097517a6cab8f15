"""Where a run computes, and what to say when it does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from napari_mmreg.errors import DeviceError


def choose_device(device: str = "auto") -> str:
    """Return the torch device to compute on.

    Parameters
    ----------
    device : str
        ``"auto"`` takes CUDA if it is there and otherwise the CPU. ``"cpu"``, ``"cuda"``,
        ``"cuda:1"`` and ``"mps"`` are taken as they are; Apple's GPU is never chosen by
        itself, since it lacks double precision and some operations.

    Raises
    ------
    DeviceError
        If the device is unknown or absent.
    """
    import torch

    if not isinstance(device, str):
        raise DeviceError(
            f"The device is a {type(device).__name__}; pass 'auto', 'cpu', 'cuda' or 'mps'."
        )
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        wanted = torch.device(device)
    except (RuntimeError, TypeError):
        raise DeviceError(
            f"There is no device called {device!r}. Choose 'auto', 'cpu', 'cuda' or 'mps'."
        ) from None
    if wanted.type == "cpu":
        return "cpu"
    if wanted.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (wanted.index or 0) >= count:
            raise DeviceError(
                f"The device {device!r} is absent: torch sees {count} CUDA devices. Choose "
                "'auto' or 'cpu', or install a torch with CUDA and its driver."
            )
        return str(wanted)
    if wanted.type == "mps" and torch.backends.mps.is_available():
        return "mps"
    raise DeviceError(f"The device {device!r} is not available here. Choose 'auto' or 'cpu'.")


def device_name(device: str) -> str:
    """Return what the hardware calls itself, for provenance."""
    import torch

    if device.startswith("cuda"):
        return str(torch.cuda.get_device_name(device))
    return device


@contextmanager
def memory_advice(device: str) -> Iterator[None]:
    """Turn running out of memory into a `DeviceError` that says what to do.

    Parameters
    ----------
    device : str
        As `choose_device` returned it. A GPU's cached memory is given back first.

    Raises
    ------
    DeviceError
        If the device's or the computer's memory does not suffice.
    """
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        if device.startswith("cuda"):
            torch.cuda.empty_cache()
        raise DeviceError(
            f"The memory of {device} does not suffice. Close other programs that use it, or "
            "register with device='cpu'."
        ) from error
    except MemoryError as error:
        raise DeviceError(
            "The computer's memory does not suffice. Close other programs, or register smaller "
            "images and apply the transform to the large ones."
        ) from error
