"""Fused images of a run as layers: after it, and of the images as they lay before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.bundle import PROBABILITY, REGISTERED, Bundle
from napari_mmreg.gui.shared.carried import carry
from napari_mmreg.gui.shared.layer_spec import LayerSpec, shared_kwargs
from napari_mmreg.gui.shared.modalities import METADATA_KEY
from napari_mmreg.gui.shared.slices import flat
from napari_mmreg.run import Run

FUSED = "fused"
BEFORE = "fused before"

CORRECTED = "fused corrected"
FOUND = "misregistration in the fusion"

FILES = {
    FUSED: "fused.tif",
    BEFORE: "fused-before.tif",
    CORRECTED: "fused-corrected.tif",
    FOUND: "fused-misregistration.tif",
}
"""What each is saved as."""

NO_FUSION = "none"
"""The setting that leaves fused images out."""


def fused_image(status: str, layers: Mapping[str, Any]) -> NDArray[Any] | None:
    """Return the fused image of a run's result, the corrected one if there is one, else None.

    Parameters
    ----------
    status : str
        Of the result. A failed run hands back its start: its fused image is that from before.
    layers : mapping of str to napari layer or LayerSpec
        The run's, by role.
    """
    for role in (CORRECTED, BEFORE if status == "failed" else FUSED):
        if role in layers:
            return flat(layers[role])
    return None


def with_fused(bundle: Bundle, method: str, correct: bool, run: Run) -> Bundle:
    """Return the bundle with its fused images right above the registered one."""
    return with_layers(bundle, fused_layers(bundle, method, correct, run))


def with_layers(bundle: Bundle, added: Sequence[LayerSpec]) -> Bundle:
    """Return the bundle with fused images, instead of former ones."""
    others = [spec for spec in bundle.layers if spec.role not in FILES]
    place = next(i for i, spec in enumerate(others) if spec.role == REGISTERED) + 1
    return replace(bundle, layers=(*others[:place], *added, *others[place:]))


def fused_layers(bundle: Bundle, method: str, correct: bool, run: Run) -> list[LayerSpec]:
    """Fuse a run's images; called in the worker thread.

    Parameters
    ----------
    bundle : Bundle
        The run.
    method : str
        A name that `napari_mmreg.fusion.list_fusions` knows.
    correct : bool
        Whether the last fused image is corrected by FusionRegister.
    run : Run
        Progress and cancel.

    Returns
    -------
    list of LayerSpec
        The images before, hidden, then those after. A failed run hands back its start, so
        both would be the same: there is only the former, shown. If it is corrected, the corrected
        image is shown instead, above a hidden map of where the network saw it misregistered.
    """
    from napari_mmreg.fusion import fuse
    from napari_mmreg.registration import correct_fusion

    failed = bundle.result.status == "failed"
    sources = [(BEFORE, bundle.before, bundle.valid_before)]
    if not failed:
        sources.append((FUSED, bundle.result.registered, bundle.valid))
    specs = []
    device, steps = bundle.snapshot.settings.device, len(sources) + correct
    for number, (role, moving, valid) in enumerate(sources):
        with run.part(number / steps, (number + 1) / steps):
            image = fuse(bundle.fixed, moving, method, valid, device, run.report, run.cancel)
        last = number == len(sources) - 1
        specs.append(_spec(bundle, role, image, method, visible=last and not correct))
        if last and correct:
            with run.part((steps - 1) / steps, 1.0):
                found = correct_fusion(
                    bundle.fixed, moving, None, method, valid, device, run.report, run.cancel
                )
            kwargs = shared_kwargs(bundle.snapshot, FOUND) | PROBABILITY | {"visible": False}
            specs.append(LayerSpec(FOUND, "image", found.misregistered, kwargs))
            specs.append(_spec(bundle, CORRECTED, found.fused, method, visible=True))
    carry(specs, bundle.snapshot, bundle.result)
    return specs


def _spec(
    bundle: Bundle, role: str, image: NDArray[Any], method: str, *, visible: bool
) -> LayerSpec:
    kwargs = shared_kwargs(bundle.snapshot, role)
    kwargs["metadata"][METADATA_KEY]["fusion"] = method
    # Opaque: light added to it would no longer be the fused image.
    kwargs.update(visible=visible, blending="translucent")
    if image.ndim == 3:
        kwargs["rgb"] = True
    else:
        limits = (0.0, 255.0) if image.dtype == np.uint8 else (0.0, 1.0)
        kwargs.update(colormap="gray", contrast_limits=limits)
    return LayerSpec(role, "image", image, kwargs)


def fusing(stage: str) -> str:  # noqa: ARG001
    """Return the dock's own word for all that happens meanwhile."""
    return strings.STAGE_FUSING


def save_fused(layers: Mapping[str, Any], folder: str | Path) -> tuple[list[str], list[str]]:
    """Write the fused images that a run has as layers.

    Parameters
    ----------
    layers : mapping of str to napari layer
        A run's, by role.
    folder : str or Path
        Where the run is saved; files of the same names are replaced.

    Returns
    -------
    written, left : list of str
        Names of the files, and of those that lie there from an earlier save: the run has no such
        image now.

    Raises
    ------
    InputError
        If the folder cannot be written to.
    """
    from napari_mmreg.io.images import write_image

    written = []
    for role, name in FILES.items():
        if role in layers:
            write_image(Path(folder) / name, flat(layers[role]))
            written.append(name)
    left = [n for n in FILES.values() if n not in written and (Path(folder) / n).exists()]
    return written, left


def saved_layers(bundle: Bundle, folder: str | Path) -> list[LayerSpec]:
    """Return the fused images that `save_fused` wrote to a folder, as layers of an opened run.

    Raises
    ------
    InputError
        If a file is damaged, or of another size than the fixed image.
    """
    from napari_mmreg.io.images import read_image

    specs = []
    there = [role for role, name in FILES.items() if (Path(folder) / name).is_file()]
    for role in there:
        image = read_image(Path(folder) / FILES[role])
        if image.shape[:2] != bundle.snapshot.fixed.shape:
            raise InputError(strings.OTHER_SIZE.format(name=FILES[role]))
        if role == FOUND:
            kwargs = shared_kwargs(bundle.snapshot, FOUND) | PROBABILITY | {"visible": False}
            specs.append(LayerSpec(FOUND, "image", image, kwargs))
            continue
        top = CORRECTED if CORRECTED in there else FUSED
        specs.append(_spec(bundle, role, image, "", visible=role == top))
    order = (BEFORE, FUSED, FOUND, CORRECTED)
    specs.sort(key=lambda spec: order.index(spec.role))
    carry(specs, bundle.snapshot, bundle.result)
    return specs
