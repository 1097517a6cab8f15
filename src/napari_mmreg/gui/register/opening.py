"""Opening a saved result: its folder is read and shown as a run, away from the GUI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.bundle import Bundle, build
from napari_mmreg.gui.shared.fused import saved_layers, with_layers
from napari_mmreg.gui.shared.job import start_of
from napari_mmreg.gui.shared.pairing import images
from napari_mmreg.gui.shared.snapshot import RunSettings, Snapshot, read
from napari_mmreg.gui.shared.task import Job
from napari_mmreg.run import Run

if TYPE_CHECKING:
    from napari_mmreg.geometry import MatrixTransform
    from napari_mmreg.registration.saved import SavedResult

_ALIKE = 0.1
"""Part of the image's range by which the saved and the warped image may differ, at the median."""


class OpenJob(Job[Bundle]):
    """Reads a saved result and builds its layers; nothing is registered again.

    Parameters
    ----------
    folder : str or Path
    snapshot : Snapshot
        Of the images that it belongs to, with the number that the run gets.
    """

    exclusive = False

    def __init__(self, folder: str | Path, snapshot: Snapshot) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.snapshot = snapshot

    def __repr__(self) -> str:
        return f"the opening of “{self.folder.name}”"

    def _run(self, run: Run) -> Bundle:
        from napari_mmreg.registration.saved import read_saved

        run.report(strings.STAGE_LOADING, 0.0)
        saved = read_saved(self.folder)
        if saved.report["status"] == "failed":
            raise InputError(strings.SAVED_FAILED.format(folder=self.folder.name))
        self._check()
        snapshot = replace(self.snapshot, settings=_settings(self.snapshot.settings, saved))
        fixed, moving = read(snapshot.fixed), read(snapshot.moving)
        check_shapes(saved, fixed, moving)
        run.report(strings.STAGE_LAYERS, 0.5)
        start = saved.initial or cast("MatrixTransform", start_of(snapshot))
        note = strings.OPENED.format(folder=self.folder)
        bundle = build(snapshot, fixed, moving, saved.result(start), note, self._check)
        if not _alike(bundle, moving):
            bundle = replace(bundle, note=f"{note} {strings.OTHER_IMAGES}")
        fused = saved_layers(bundle, self.folder)
        return with_layers(bundle, fused) if fused else bundle


def check_shapes(saved: SavedResult, fixed: Any, moving: Any) -> None:
    """Raise `InputError` where images are not of the sizes that a saved result is of."""
    wanted, there = (saved.fixed_shape, saved.moving_shape), (fixed.shape[:2], moving.shape[:2])
    if wanted != there:
        raise _other_sizes(wanted)


def images_of(
    folder: str | Path, layers: Sequence[Any], chosen: tuple[Any, Any]
) -> tuple[Any, Any]:
    """Return the fixed and moving layer that a saved result belongs to, by their sizes.

    The chosen two if they fit, else the newest that do.

    Raises
    ------
    InputError
        If there are none, or the folder holds no result.
    """
    from napari_mmreg.registration.saved import read_report_sizes

    wanted = read_report_sizes(folder)
    candidates = [[layer for layer in images(layers) if _shape(layer) == size] for size in wanted]
    if all(layer in those for layer, those in zip(chosen, candidates, strict=True)):
        return chosen
    for moving in reversed(candidates[1]):
        for fixed in reversed(candidates[0]):
            if fixed is not moving:
                return fixed, moving
    raise _other_sizes(wanted)


def _settings(settings: RunSettings, saved: SavedResult) -> RunSettings:
    """Return the settings that the saved run was made with, as far as its report tells."""
    provenance = saved.provenance
    return replace(
        settings,
        model=str(provenance.get("model", saved.report["model"])),
        budget=str(provenance.get("parameters", {}).get("budget") or settings.budget),
        refine=bool(provenance.get("parameters", {}).get("refine", True)),
        seed=int(provenance.get("seed") or 0),
        fusion="none",
    )


def _alike(bundle: Bundle, moving: Any) -> bool:
    """Whether the saved registered image is what the transform makes of this moving image."""
    step = bundle.shown_stride
    look = np.s_[::step, ::step]
    transform, shape = bundle.result.transform, bundle.snapshot.fixed.shape
    made = np.asarray(transform.resample(moving, shape))[look].astype(np.float64)
    saved = bundle.result.registered[look].astype(np.float64)
    known = bundle.valid[look] & np.isfinite(made).reshape(*made.shape[:2], -1).all(axis=-1)
    if made.shape != saved.shape or not known.any():
        return made.shape == saved.shape
    apart = np.abs(made[known] - saved[known])
    return bool(np.nanmedian(apart) <= _ALIKE * max(float(np.ptp(made[known])), 1e-12))


def _shape(layer: Any) -> tuple[int, int]:
    data = layer.data[0] if layer.multiscale else layer.data
    shape = data.shape[:-1] if layer.rgb else data.shape
    return int(shape[-2]), int(shape[-1])


def _other_sizes(wanted: tuple[tuple[int, int], tuple[int, int]]) -> InputError:
    fixed, moving = (f"{rows} × {cols}" for rows, cols in wanted)
    return InputError(strings.WRONG_SIZES.format(fixed=fixed, moving=moving))
