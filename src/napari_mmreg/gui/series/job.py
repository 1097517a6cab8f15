"""What the worker thread does: a series from its planes to the layer that is shown, and saving."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import Frame
from napari_mmreg.gui.apply.items import placed_on
from napari_mmreg.gui.series import strings as texts
from napari_mmreg.gui.series.request import Request
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.bundle import COMPLEMENTS, REGISTERED
from napari_mmreg.gui.shared.carried import KEY, pixels_of
from napari_mmreg.gui.shared.job import choose_start, spacings_of
from napari_mmreg.gui.shared.layer_spec import LayerSpec, layer_name
from napari_mmreg.gui.shared.loading import load_torch
from napari_mmreg.gui.shared.modalities import METADATA_KEY, engine_modality
from napari_mmreg.gui.shared.task import Job, limited_threads
from napari_mmreg.run import Run

if TYPE_CHECKING:
    from napari_mmreg.geometry import Transform
    from napari_mmreg.series import PlaneResult, SeriesResult

EAGER_BYTES = 1 << 30
"""Registered stacks up to this size are computed at once; others where they are looked at."""

_ENGINE_SHARE = 0.9


@dataclass(frozen=True, eq=False)
class Made:
    """A finished series and the layer to be made of it; None if nothing could be registered."""

    request: Request
    result: SeriesResult
    layer: LayerSpec | None
    note: str


class SeriesJob(Job[Made]):
    """Registers a series.

    Parameters
    ----------
    request : Request
    finished : sequence of PlaneResult
        Planes that an earlier run of the same request has done.

    Attributes
    ----------
    done : list of PlaneResult
        Planes that are registered; grows while the job runs.
    """

    has_looks = True

    def __init__(self, request: Request, finished: Sequence[PlaneResult] = ()) -> None:
        super().__init__()
        self.request = request
        self.done: list[PlaneResult] = list(finished)

    def __repr__(self) -> str:
        return f"the registration of {self.request.number} planes"

    def _run(self, run: Run) -> Made:
        run.report(strings.STAGE_LOADING, 0.0)
        load_torch()
        from napari_mmreg.series import register_series

        request, settings = self.request, self.request.settings
        fixed, moving = request.fixed, request.moving
        initial, note = choose_start(request.snapshot)
        options: dict[str, Any] = {"initial": initial, **spacings_of(request.snapshot)}
        with limited_threads(settings.threads), run.part(0.0, _ENGINE_SHARE):
            result = register_series(
                fixed.data,
                moving.data,
                settings.way,  # type: ignore[arg-type]  # the form offers these only
                estimate_on=settings.estimate_on,  # type: ignore[arg-type]
                smoothing=settings.smoothing,
                axis=(fixed.axis, moving.axis),
                at=(fixed.at, moving.at),
                rgb=(fixed.picture.rgb, moving.picture.rgb),
                model=settings.model,
                device=settings.device,
                refine=settings.refine,
                progress=run.report,
                cancel=run.cancel,
                preview=run.preview,
                on_plane=self.done.append,
                finished=list(self.done),
                modalities=(
                    engine_modality(fixed.picture.modality),
                    engine_modality(moving.picture.modality),
                ),
                **options,
            )
        if result.status == "failed":
            return Made(request, result, None, note)
        with run.part(_ENGINE_SHARE, 1.0, lambda _stage: texts.STAGE_LAYER):
            stack = result.registered
            lazy = stack.size * stack.dtype.itemsize > EAGER_BYTES
            data: Any = stack if lazy else stack.to_array(run)
        if lazy:
            note = f"{note}\n{texts.LAZY}"
        return Made(request, result, _layer(request, result, data), note)


class SaveJob(Job[Path]):
    """Writes a series to a folder."""

    exclusive = False

    def __init__(self, result: SeriesResult, folder: Path) -> None:
        super().__init__()
        self._result, self._folder = result, folder

    def __repr__(self) -> str:
        return f"saving {len(self._result)} planes"

    def _run(self, run: Run) -> Path:
        with run.part(0.0, 1.0, lambda _stage: texts.STAGE_SAVE):
            return self._result.save(self._folder, progress=run.report, cancel=run.cancel)


def _layer(request: Request, result: SeriesResult, data: Any) -> LayerSpec:
    """Return the registered stack as a layer: the fixed grid, and the leading axes of a stack."""
    fixed, moving, run = request.snapshot.fixed, request.snapshot.moving, request.snapshot.run
    about: dict[str, Any] = {
        "run": run,
        "role": REGISTERED,
        "fixed": fixed.name,
        "moving": moving.name,
        "modality": moving.modality,
        "status": result.status,
        "series": {"way": result.way, "planes": len(result)},
        "provenance": dict(result.provenance),
    }
    if result.way == "once":
        about[KEY] = _with_pixels(request, result.planes[0].transform, result.provenance)
    kwargs: dict[str, Any] = {
        **placed_on(request.lead, fixed.placement),
        "name": layer_name(run, texts.LAYER),
        "metadata": {METADATA_KEY: about},
    }
    if moving.rgb or fixed.rgb:
        kwargs.update(blending="translucent", opacity=0.6)
    else:
        kwargs.update(blending="additive")
    if moving.rgb:
        kwargs.update(rgb=True)
    else:
        colour = "gray" if fixed.rgb else COMPLEMENTS.get(fixed.colormap, "magenta")
        kwargs.update(colormap=colour, contrast_limits=moving.contrast_limits)
    return LayerSpec(REGISTERED, "image", data, kwargs)


def _with_pixels(request: Request, transform: Transform, provenance: dict[str, Any]) -> Transform:
    """Return the transform with the sizes of the layers' pixels, where these are known."""
    fixed, moving = request.snapshot.fixed, request.snapshot.moving
    frames = Frame(fixed.shape), Frame(moving.shape)
    with suppress(InputError):  # units without a common measure: pixels alone
        known = pixels_of(fixed, moving)
        if known is not None:
            spacing, other, unit = known
            frames = Frame(fixed.shape, spacing, unit), Frame(moving.shape, other, unit)
    return transform.with_frames(*frames).with_provenance(provenance)
