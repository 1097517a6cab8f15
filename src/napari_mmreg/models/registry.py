"""Which models there are, and how to load one; nothing heavy is imported before `load_model`."""

from __future__ import annotations

from collections.abc import Callable

from napari_mmreg.models.protocol import Model, ModelInfo
from napari_mmreg.registry import Registry

DEFAULT = "rfnet"
"""The engine that ``"auto"`` asks first."""

AUTO = "auto"

_MODELS: Registry[ModelInfo, Model] = Registry("model", {AUTO: DEFAULT})


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
    _MODELS.add(info, factory)


def list_models() -> list[ModelInfo]:
    """Return a description of every model, in the order in which they are offered."""
    return _MODELS.infos()


def get_info(name: str) -> ModelInfo:
    """Return a model's description; ``"auto"`` gives that of the engine it asks first.

    Raises
    ------
    ModelError
        If there is no such model; the message lists those there are.
    """
    return _MODELS.info(name)


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
    return _MODELS.load(name)


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
register_model(
    ModelInfo(
        name="sasnet",
        title="SAS-Net",
        purpose="Fast trained network; also shows the moving image as the fixed sensor would.",
        licence="BSD-3-Clause",
        reference="Qin, SAS-Net, arXiv:2602.09050",
    ),
    "napari_mmreg.models.sasnet.model:SASNetModel",
)
register_model(
    ModelInfo(
        name="fusionregister",
        title="FusionRegister",
        purpose="Last step for pairs that nearly fit; says where they do not, corrects the fusion.",
        licence="BSD-3-Clause",
        reference="Bian et al., FusionRegister, CVPR 2026, arXiv:2603.07667",
    ),
    "napari_mmreg.models.fusionregister.model:FusionRegisterModel",
)
