"""Which models there are, and how to load one; nothing heavy is imported before `load_model`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from napari_mmreg.errors import InputError, ModelError
from napari_mmreg.models.protocol import Model, ModelInfo

DEFAULT = "hrnet"
"""What ``"auto"`` stands for."""

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class _Entry:
    info: ModelInfo
    factory: str | Callable[[], Model]


_MODELS: dict[str, _Entry] = {}


def register_model(info: ModelInfo, factory: str | Callable[[], Model]) -> None:
    """Add a model to the registry.

    Parameters
    ----------
    info : ModelInfo
        Its description; ``info.name`` must be new.
    factory : str or callable
        What makes the model, called without arguments. A string ``"module:name"`` is only
        imported when the model is loaded.

    Raises
    ------
    InputError
        If the name is taken, or is ``"auto"``.
    """
    if info.name == AUTO or info.name in _MODELS:
        raise InputError(f"There is already a model called {info.name!r}. Choose another name.")
    _MODELS[info.name] = _Entry(info, factory)


def list_models() -> list[ModelInfo]:
    """Return a description of every model, in the order in which they are offered."""
    return [entry.info for entry in _MODELS.values()]


def get_info(name: str) -> ModelInfo:
    """Return a model's description; ``"auto"`` gives that of the default model.

    Raises
    ------
    ModelError
        If there is no such model; the message lists those there are.
    """
    return _entry(name).info


def load_model(name: str) -> Model:
    """Make a model ready to predict.

    Parameters
    ----------
    name : str
        One of `list_models`, or ``"auto"``.

    Raises
    ------
    ModelError
        If there is no such model, or its weights are missing or damaged.
    """
    factory = _entry(name).factory
    if isinstance(factory, str):
        module, _, attribute = factory.partition(":")
        factory = getattr(importlib.import_module(module), attribute)
    model: Model = factory()
    return model


def _entry(name: str) -> _Entry:
    wanted = DEFAULT if name == AUTO else name
    if wanted not in _MODELS:
        raise ModelError(
            f"There is no model called {name!r}. Choose one of: {', '.join([AUTO, *_MODELS])}."
        )
    return _MODELS[wanted]


register_model(
    ModelInfo(
        name="classical",
        title="Classical (no training)",
        purpose="A solid first choice for any pair of sensors.",
        licence="BSD-3-Clause",
        needs_weights=False,
    ),
    "napari_mmreg.models.classical:ClassicalModel",
)
register_model(
    ModelInfo(
        name="hrnet",
        title="HRNet",
        purpose="Trained network; best where images bend: visible/infrared, RGB/NIR, optical/SAR.",
        licence="BSD-3-Clause",
        reference="Zhang et al., Disentangle-then-Align, CVPR 2026, arXiv:2603.19623",
    ),
    "napari_mmreg.models.hrnet.model:HRNetModel",
)
register_model(
    ModelInfo(
        name="regnetmamba2",
        title="RegNetMamba-2",
        purpose="Trained matching; best for hard starts: large rotations, scales and shifts.",
        licence="BSD-3-Clause",
        reference="Li et al., arXiv:2606.03341",
    ),
    "napari_mmreg.models.regnetmamba2.model:RegNetMamba2Model",
)
register_model(
    ModelInfo(
        name="rfnet",
        title="RFNet",
        purpose="Trained network with a fusion of its own (F2M); for pairs to become one image.",
        licence="BSD-3-Clause",
        reference="Xu et al., RFNet, CVPR 2022",
        fusion="f2m",
    ),
    "napari_mmreg.models.rfnet.model:RFNetModel",
)
