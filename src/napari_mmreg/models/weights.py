"""Weights on disk: a folder per model, read strictly, checked, never executed.

A folder holds ``model.safetensors``, ``config.json`` (the constructor's arguments and the
weights' sha256) and ``card.md`` (data, recipe, metrics).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mmreg.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor, nn

WEIGHTS_VARIABLE = "MMREG_WEIGHTS"
FORMAT = 1
PACKAGED = Path(__file__).resolve().parents[1] / "weights"
"""The weights that come with the package."""
_WEIGHTS, _CONFIG = "model.safetensors", "config.json"


@dataclass(frozen=True, slots=True)
class WeightsConfig:
    """What ``config.json`` says.

    Attributes
    ----------
    model : str
        The model's name.
    constructor : mapping
        Arguments of the network's constructor, JSON types only.
    sha256 : str
        Of ``model.safetensors``.
    extra : mapping
        Anything else worth keeping, such as versions and metrics.
    """

    model: str
    constructor: Mapping[str, Any]
    sha256: str
    extra: Mapping[str, Any] = field(default_factory=dict)


def weights_folder(model: str) -> Path:
    """Return the folder with a model's weights.

    Looked for below the folder that the environment variable MMREG_WEIGHTS names, then among
    the weights that come with the package.

    Raises
    ------
    ModelError
        If there is none.
    """
    own = os.environ.get(WEIGHTS_VARIABLE)
    places = [Path(own).expanduser(), PACKAGED] if own else [PACKAGED]
    for place in places:
        if (place / model / _CONFIG).is_file():
            return place / model
    raise ModelError(
        f"The weights of the model {model!r} are not installed. Put their folder in one that the "
        f"environment variable {WEIGHTS_VARIABLE} names, or train them: mmreg train {model}. "
        f"The model 'classical' needs no weights."
    )


def read_config(folder: str | Path) -> WeightsConfig:
    """Read ``config.json``.

    Raises
    ------
    ModelError
        If it is missing, damaged, or of a newer format.
    """
    path = Path(folder) / _CONFIG
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        if entries["format"] != FORMAT:
            raise ModelError(
                f"{path} has the format {entries['format']}, this version of napari-mmreg reads "
                f"{FORMAT}; update napari-mmreg or take the weights that belong to it."
            )
        return WeightsConfig(
            str(entries["model"]),
            dict(entries["constructor"]),
            str(entries["sha256"]),
            dict(entries.get("extra", {})),
        )
    except FileNotFoundError as error:
        raise ModelError(
            f"{path} is missing: {folder} is not a folder of weights. Install it again."
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is damaged ({error}). Install the weights again.") from error


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_weights(
    folder: str | Path, build: Callable[[Mapping[str, Any]], nn.Module], device: str = "cpu"
) -> nn.Module:
    """Build a network and load its weights; nothing in the files is executed.

    The random numbers that the network is built with are drawn on the side: torch's generator
    of the CPU goes on as if there had been none.

    Parameters
    ----------
    folder : path
        See `weights_folder`.
    build : callable
        Makes the network from the constructor's arguments in ``config.json``.
    device : str
        Where the network goes.

    Returns
    -------
    torch.nn.Module
        In evaluation mode, its parameters frozen.

    Raises
    ------
    ModelError
        If a file is missing or damaged, the sha256 differs, or the weights do not fit the
        network exactly.
    """
    import torch

    config = read_config(folder)
    state = _read_state(Path(folder) / _WEIGHTS, config.sha256)
    try:
        with torch.random.fork_rng(devices=[]):
            network = build(config.constructor)
        network.load_state_dict(state, strict=True)
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"The weights in {folder} do not fit the model {config.model!r} of this version of "
            f"napari-mmreg: {error}. Install the weights that belong to it."
        ) from error
    return network.to(device).eval().requires_grad_(False)


def shared_network(
    folder: str | Path, build: Callable[[Mapping[str, Any]], nn.Module], device: str = "cpu"
) -> nn.Module:
    """Return a network with its weights that everybody shares: read it, never change or move it.

    What `load_weights` does, once as long as the files stay as they are; of a series, or in a
    window, loading and checking would cost a tenth of every run.

    Parameters
    ----------
    folder, build, device
        As of `load_weights`.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    ModelError
        As `load_weights`.
    """
    found = [
        (status.st_mtime_ns, status.st_size)
        for name in (_CONFIG, _WEIGHTS)
        if (path := Path(folder) / name).is_file() and (status := path.stat())
    ]
    return _kept_network(str(Path(folder).resolve()), tuple(found), build, device)


@lru_cache(maxsize=12)
def _kept_network(
    folder: str,
    stamp: tuple[tuple[int, int], ...],  # noqa: ARG001  other files are another network
    build: Callable[[Mapping[str, Any]], nn.Module],
    device: str,
) -> nn.Module:
    return load_weights(folder, build, device)


def _read_state(path: Path, sha256: str) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    if not path.is_file():
        raise ModelError(f"{path} is missing. Install the weights again.")
    content = path.read_bytes()  # once: what is checked is what is loaded
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelError(
            f"{path} is not the file that {_CONFIG} describes (its sha256 differs): the download "
            f"broke off or the file was changed. Install the weights again."
        )
    try:
        return dict(load(content))
    except SafetensorError as error:
        raise ModelError(f"{path} is damaged ({error}). Install the weights again.") from error


def save_weights(
    folder: str | Path,
    model: str,
    state: Mapping[str, Tensor],
    constructor: Mapping[str, Any],
    extra: Mapping[str, Any] | None = None,
) -> WeightsConfig:
    """Write ``model.safetensors`` and ``config.json``; the card is written by the training.

    Parameters
    ----------
    folder : path
        Made if needed.
    model : str
        The model's name.
    state : mapping of str to Tensor
        The network's state dict.
    constructor, extra : mapping
        See `WeightsConfig`.
    """
    from safetensors.torch import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.detach().cpu().contiguous() for k, v in state.items()}, folder / _WEIGHTS)
    config = WeightsConfig(
        model, dict(constructor), file_sha256(folder / _WEIGHTS), dict(extra or {})
    )
    entries = {
        "format": FORMAT,
        "model": config.model,
        "constructor": config.constructor,
        "sha256": config.sha256,
        "extra": config.extra,
    }
    (folder / _CONFIG).write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    return config
