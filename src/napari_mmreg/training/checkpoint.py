"""Checkpoints: weights as safetensors, the rest in one file that holds no code.

A checkpoint is a folder. It is written under another name and then renamed, so that a folder
with a checkpoint's name is always complete.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from napari_mmreg.errors import ModelError

_PREFIX = "step-"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a run needs to go on.

    Attributes
    ----------
    model, average : dict of str to Tensor
        The weights and their moving average.
    state : dict
        Step, seconds, optimiser, random generators, batch index, log; tensors and plain types.
    """

    model: dict[str, Tensor]
    average: dict[str, Tensor]
    state: dict[str, Any]


def plain_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return the state dict on the CPU, contiguous and without shared memory."""
    return {k: v.detach().cpu().contiguous().clone() for k, v in model.state_dict().items()}


def save_checkpoint(
    folder: Path, step: int, model: nn.Module, average: nn.Module, state: Mapping[str, Any]
) -> Path:
    """Write checkpoint number `step` below `folder` and return its path."""
    from safetensors.torch import save_file

    target = folder / f"{_PREFIX}{step:09d}"
    partial = folder / f".partial-{target.name}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save_file(plain_weights(model), partial / "model.safetensors")
    save_file(plain_weights(average), partial / "average.safetensors")
    torch.save(dict(state), partial / "state.pt")
    if target.exists():
        shutil.rmtree(target)
    partial.replace(target)
    return target


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the complete checkpoints below `folder`, oldest first."""
    return sorted(p for p in folder.glob(f"{_PREFIX}*") if p.is_dir())


def prune_checkpoints(folder: Path, keep: int) -> None:
    """Delete all but the newest `keep` checkpoints, and unfinished ones."""
    for old in list_checkpoints(folder)[:-keep]:
        shutil.rmtree(old)
    for partial in folder.glob(".partial-*"):
        shutil.rmtree(partial)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; nothing in it is executed.

    Raises
    ------
    ModelError
        If a file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return Checkpoint(
            load_file(path / "model.safetensors"),
            load_file(path / "average.safetensors"),
            torch.load(path / "state.pt", map_location="cpu", weights_only=True),
        )
    except (OSError, SafetensorError, RuntimeError, ValueError, UnpicklingError) as error:
        raise ModelError(
            f"The checkpoint {path} cannot be read ({error}); delete it to go on from the one "
            f"before, or start without --resume."
        ) from error
