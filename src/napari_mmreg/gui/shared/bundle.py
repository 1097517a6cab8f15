"""From a finished run to everything that is shown of it, built in the worker thread.

A `Bundle` holds arrays and layer arguments only, so that the GUI thread has nothing left
to do but to make the layers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.geometry.affine_fit import beyond_affine
from napari_mmreg.gui.shared import fields
from napari_mmreg.gui.shared.carried import carry
from napari_mmreg.gui.shared.full_resolution import full_registered
from napari_mmreg.gui.shared.layer_spec import LayerSpec, shared_kwargs
from napari_mmreg.gui.shared.matches import match_layers
from napari_mmreg.gui.shared.modalities import METADATA_KEY
from napari_mmreg.gui.shared.motion import Motion, build_motion, grid
from napari_mmreg.gui.shared.placement import part_of
from napari_mmreg.gui.shared.snapshot import Snapshot
from napari_mmreg.imaging.compose import Shown, to_shown

if TYPE_CHECKING:
    from napari_mmreg.geometry import MatrixTransform
    from napari_mmreg.registration import RegistrationResult

REGISTERED = "registered"
RERENDERED = "moving as seen by the fixed sensor"
RISK = "misregistration"
LIMIT = "limit of tolerance"
RISK_BEFORE = "misregistration before"
LOCALISATION = "misregistration found by the model"
FIXED_EXCLUDED, MOVING_EXCLUDED = "left out of fixed", "left out of moving"
COMPARE = "compare"

RISKS = (RISK, LIMIT)
"""What depends on the tolerance."""

PROBABILITIES = (RISK, RISK_BEFORE, LOCALISATION)
"""Maps of probability, which come with a colour bar."""

LIMIT_COLOURS = {None: "transparent", 0: "transparent", 1: "white"}

PROBABILITY = {
    "contrast_limits": (0.0, 1.0),
    "colormap": "inferno",
    "blending": "translucent",
    "opacity": 0.6,
}
"""How maps of probability are shown."""

SCREEN_PIXELS = 1_600_000
"""More of an image could not be seen at once."""

COMPLEMENTS = {
    "magenta": "green",
    "red": "cyan",
    "cyan": "red",
    "blue": "yellow",
    "yellow": "blue",
}
"""A layer's colour to the one that makes grey or white with it; magenta for all others."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """A finished run, ready to be shown.

    Attributes
    ----------
    snapshot : Snapshot
    result : RegistrationResult
    layers : tuple of LayerSpec
        All that can be shown, bottom first; the motion as a whole.
    motions : dict of str to Motion
        The motion as a whole, and beyond the best affine map; empty for a failed run.
    note : str
        For the user: how the start was chosen, and what was fused.
    fixed, before : ndarray
        The fixed image, and the moving one where it lay before, on the fixed grid.
    valid, valid_before : ndarray of bool, shape (H, W)
        Where the registered and the former moving image have data.
    shown : dict of str to ndarray of uint8
        The whole of ``"fixed"``, ``"after"`` and ``"before"`` as compared on the screen, on
        every `shown_stride`-th pixel.
    """

    snapshot: Snapshot
    result: RegistrationResult
    layers: tuple[LayerSpec, ...]
    motions: dict[str, Motion]
    note: str
    fixed: NDArray[Any]
    before: NDArray[Any]
    valid: NDArray[np.bool_]
    valid_before: NDArray[np.bool_]
    shown: dict[str, Shown]
    shown_stride: int

    @property
    def start(self) -> MatrixTransform:
        """Fixed to moving pixels before the run: a matrix, since docks start from no other."""
        return cast("MatrixTransform", self.result.initial)

    def show(self, source: str, part: tuple[slice, slice]) -> Shown:
        """Return a part of ``"fixed"``, ``"after"`` or ``"before"`` as shown on the screen."""
        return _shown(self.snapshot, *self._source(source), source, part)

    def _source(self, source: str) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
        if source == "fixed":
            return self.fixed, None
        if source == "after":
            return self.result.registered, self.valid
        return self.before, self.valid_before


def _shown(
    snapshot: Snapshot,
    image: NDArray[Any],
    valid: NDArray[np.bool_] | None,
    source: str,
    part: tuple[slice, slice],
) -> Shown:
    picture = snapshot.fixed if source == "fixed" else snapshot.moving
    return to_shown(image[part], picture.contrast_limits, None if valid is None else valid[part])


def screen_stride(rows: int, cols: int) -> int:
    """Return the stride that leaves about a screen's pixels of an image."""
    return max(1, int(np.ceil(np.sqrt(rows * cols / SCREEN_PIXELS))))


def build(
    snapshot: Snapshot,
    fixed: NDArray[Any],
    moving: NDArray[Any],
    result: RegistrationResult,
    note: str,
    check: Callable[[], None],
) -> Bundle:
    """Build all that is shown; `check` raises when the user cancelled."""
    shape, start = snapshot.fixed.shape, cast("MatrixTransform", result.initial)
    before = start.resample(moving, shape)
    check()
    valid_before = start.valid(shape, moving.shape)
    check()
    valid = np.asarray(result.valid)
    check()
    risks = risk_layers(snapshot, result, result.default_tolerance)
    layers = [_registered(snapshot, result), *risks.values()]
    check()
    motions: dict[str, Motion] = {}
    if result.status != "failed":  # nothing was moved: there would be nothing to see
        motions, bent = _motions(snapshot, result, valid, check)
        layers += [*motions["whole"].layers.values(), bent]
    layers += [_risk_before(snapshot, result)]
    layers += _rerendered(snapshot, result) + _localised(snapshot, result)
    layers += match_layers(snapshot, result) + _excluded(snapshot, result)
    parts = [spec for motion in motions.values() for spec in motion.layers.values()]
    carry([*layers, *parts], snapshot, result)
    check()
    look = screen_stride(*shape)
    whole = np.s_[::look, ::look]
    return Bundle(
        snapshot=snapshot,
        result=result,
        layers=tuple(layers),
        motions=motions,
        note=note,
        fixed=fixed,
        before=before,
        valid=valid,
        valid_before=valid_before,
        shown={
            "fixed": _shown(snapshot, fixed, None, "fixed", whole),
            "after": _shown(snapshot, result.registered, valid, "after", whole),
            "before": _shown(snapshot, before, valid_before, "before", whole),
        },
        shown_stride=look,
    )


def _motions(
    snapshot: Snapshot,
    result: RegistrationResult,
    valid: NDArray[np.bool_],
    check: Callable[[], None],
) -> tuple[dict[str, Motion], LayerSpec]:
    """Return both parts of the motion, and the grid that it bends."""
    stride = fields.field_stride(snapshot.fixed.shape)
    displacement = np.asarray(result.displacement)  # computed here, on first use
    check()
    moved = fields.correction(displacement, cast("MatrixTransform", result.initial), stride)
    check()
    bent = grid(snapshot, moved, stride)
    known = fields.only_where(moved, valid, stride)
    check()
    whole = build_motion(snapshot, "whole", known, stride, check)
    beyond = build_motion(snapshot, "beyond", beyond_affine(known), stride, check)
    return {"whole": whole, "beyond": beyond}, bent


def _registered(snapshot: Snapshot, result: RegistrationResult) -> LayerSpec:
    kwargs = shared_kwargs(snapshot, REGISTERED)
    own = kwargs["metadata"][METADATA_KEY]
    own.update(
        modality=snapshot.moving.modality,
        model=result.model,
        status=result.status,
        metrics=dict(result.metrics),
        provenance=dict(result.provenance),
    )
    if snapshot.moving.rgb or snapshot.fixed.rgb:
        # Adding light to a bright-field picture gives white: these are seen through instead.
        kwargs.update(blending="translucent", opacity=0.6)
    else:
        kwargs.update(blending="additive")
    if snapshot.moving.rgb:
        kwargs.update(rgb=True)
    else:
        kwargs.update(
            colormap="gray"
            if snapshot.fixed.rgb
            else COMPLEMENTS.get(snapshot.fixed.colormap, "magenta"),
            contrast_limits=_limits(snapshot.moving.contrast_limits, result.registered),
        )
    full = full_registered(snapshot, result)
    if full is None:
        return LayerSpec(REGISTERED, "image", result.registered, kwargs)
    levels, place = full
    data = levels if len(levels) > 1 else levels[0]
    return LayerSpec(REGISTERED, "image", data, {**kwargs, **place, "multiscale": len(levels) > 1})


def _rerendered(snapshot: Snapshot, result: RegistrationResult) -> list[LayerSpec]:
    """Return the layer of a model's rendering, none where there is none."""
    picture = result.rerendered
    if picture is None:
        return []
    kwargs = shared_kwargs(snapshot, RERENDERED)
    kwargs["metadata"][METADATA_KEY].update(
        modality=snapshot.fixed.modality, model=result.model, rendered=True
    )
    kwargs.update(colormap="gray", contrast_limits=(0.0, 1.0), blending="translucent")
    return [LayerSpec(RERENDERED, "image", picture, kwargs)]


def _localised(snapshot: Snapshot, result: RegistrationResult) -> list[LayerSpec]:
    """Return the layer of where a model found the pair misregistered, if it says so."""
    likely = result.localisation
    if likely is None:
        return []
    kwargs = shared_kwargs(snapshot, LOCALISATION)
    kwargs["metadata"][METADATA_KEY]["model"] = result.model
    return [LayerSpec(LOCALISATION, "image", likely, kwargs | PROBABILITY)]


def _excluded(snapshot: Snapshot, result: RegistrationResult) -> list[LayerSpec]:
    """Return the layers of what detection left out of the two images, where these lie."""
    return [
        LayerSpec(
            role,
            "labels",
            area.astype(np.uint8),
            {
                **shared_kwargs(snapshot, role),
                **part_of(picture.placement, (0, 0), 1),
                "opacity": 0.5,
            },
        )
        for role, picture, area in (
            (FIXED_EXCLUDED, snapshot.fixed, result.fixed_excluded),
            (MOVING_EXCLUDED, snapshot.moving, result.moving_excluded),
        )
        if area is not None
    ]


def _limits(own: tuple[float, float] | None, data: NDArray[Any]) -> tuple[float, float]:
    """Return the user's contrast limits, or the data's range where they are empty."""
    if own is not None and own[1] > own[0]:
        return own
    finite = data[np.isfinite(data)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return (low, high) if high > low else (low, low + 1.0)


def risk_layers(
    snapshot: Snapshot, result: RegistrationResult, tolerance: float
) -> dict[str, LayerSpec]:
    """Return how likely the result is off by more than a tolerance in fixed pixels, by role.

    `LIMIT` holds 1 where that is more likely than not; it is drawn as a line around that.
    """
    likely = (
        result.misregistration
        if tolerance == result.default_tolerance
        else result.chance_off(tolerance)
    )
    above = (np.nan_to_num(likely) > 0.5).astype(np.uint8)
    kwargs = {role: shared_kwargs(snapshot, role) for role in RISKS}
    return {
        RISK: LayerSpec(RISK, "image", likely, kwargs[RISK] | PROBABILITY),
        LIMIT: LayerSpec(LIMIT, "labels", above, {**kwargs[LIMIT], "colormap": LIMIT_COLOURS}),
    }


def _risk_before(snapshot: Snapshot, result: RegistrationResult) -> LayerSpec:
    likely = result.misregistration_before
    kwargs = shared_kwargs(snapshot, RISK_BEFORE)
    return LayerSpec(RISK_BEFORE, "image", likely, kwargs | PROBABILITY)


def renumbered(bundle: Bundle, number: int) -> Bundle:
    """Return the bundle as that of another run, with the names and metadata of its layers."""
    former = bundle.snapshot.run

    def new(spec: LayerSpec) -> LayerSpec:
        kwargs = dict(spec.kwargs)
        kwargs["name"] = kwargs["name"].replace(f"[{former}]", f"[{number}]", 1)
        own = {**kwargs["metadata"][METADATA_KEY], "run": number}
        kwargs["metadata"] = {**kwargs["metadata"], METADATA_KEY: own}
        return replace(spec, kwargs=kwargs)

    return replace(
        bundle,
        snapshot=replace(bundle.snapshot, run=number),
        layers=tuple(new(spec) for spec in bundle.layers),
        motions={
            part: replace(motion, layers={role: new(s) for role, s in motion.layers.items()})
            for part, motion in bundle.motions.items()
        },
    )
