"""How a run moved the image, as layers: arrows, colour, amount, the whole of it or what bends.

Called in the worker thread; only where the registered image has data, see `fields.only_where`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.gui.shared import fields
from napari_mmreg.gui.shared.layer_spec import LayerSpec, layer_name, shared_kwargs
from napari_mmreg.gui.shared.snapshot import Snapshot

Part = Literal["whole", "beyond"]
"""The whole motion, or what is left of it beyond the affine map that fits it best."""

MAGNITUDE = "displacement"
FLOW = "flow colour"
GRID = "deformed grid"
ARROWS = "flow arrows"

MOVING_ROLES = (MAGNITUDE, FLOW, ARROWS)
"""Layers that show one part of the motion; the grid always shows the whole."""

ARROW_COLOURS = ("#5ec8ff", "#ffe94a", "#ff7a1a")
"""From short to long; all of them bright, to be seen on any picture."""

STILL = 0.1
"""Length in fixed pixels below which nothing moves that could be seen."""

_OWN = {"whole": "", "beyond": " beyond affine"}
"""What the layers' names say of the part that they show."""

_ARROW_SCALES = (50, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05)


@dataclass(frozen=True, eq=False)
class Motion:
    """One part of a run's motion, ready to be shown.

    Attributes
    ----------
    part : {"whole", "beyond"}
    field : ndarray of float32, shape (h, w, 2)
        (row, col) in fixed pixels on every `stride`-th one; NaN where the image has no data.
    stride : int
    full : float
        Length in fixed pixels that is drawn in full colour, `STILL` at least.
    layers : dict of str to LayerSpec
        By role, for `MOVING_ROLES`.
    """

    part: Part
    field: NDArray[np.float32]
    stride: int
    full: float
    layers: dict[str, LayerSpec]


def build_motion(
    snapshot: Snapshot,
    part: Part,
    field: NDArray[np.float32],
    stride: int,
    check: Callable[[], None],
) -> Motion:
    """Build the layers of one part of the motion; `check` raises when the user cancelled."""
    length = fields.magnitude(field)
    known = length[np.isfinite(length)]
    full = max(float(np.percentile(known[::7], 99)), STILL) if known.size else 1.0
    check()
    unit_length, unit = physical_length(snapshot)
    amount = shared_kwargs(snapshot, MAGNITUDE, stride)
    amount.update(
        name=f"{layer_name(snapshot.run, MAGNITUDE)}{_OWN[part]} ({unit})",
        colormap="viridis",
        blending="translucent",
        contrast_limits=(0.0, full * unit_length),
    )
    colour = shared_kwargs(snapshot, FLOW, stride)
    colour.update(
        name=layer_name(snapshot.run, FLOW) + _OWN[part], blending="translucent", rgb=True
    )
    specs = (
        LayerSpec(MAGNITUDE, "image", length * np.float32(unit_length), amount),
        LayerSpec(FLOW, "image", fields.flow_colour_where_known(field, full), colour),
    )
    check()
    motion = Motion(part, field, stride, full, {spec.role: spec for spec in specs})
    motion.layers[ARROWS] = arrows(snapshot, motion, snapshot.settings.arrows)
    return motion


def arrows(snapshot: Snapshot, motion: Motion, across: int) -> LayerSpec:
    """Return arrows of a motion, about `across` of them along the longer side."""
    size = max(snapshot.fixed.shape)
    vectors, lengths = fields.arrow_vectors(motion.field, across, motion.stride)
    scale = arrow_scale(motion.full, size / across)
    drawn = "" if scale == 1 else f" (×{scale:g})"
    kwargs = shared_kwargs(snapshot, ARROWS)
    kwargs.update(
        name=layer_name(snapshot.run, ARROWS) + _OWN[motion.part] + drawn,
        vector_style="arrow",
        length=scale,
        features={"length": lengths},
        edge_color="length",
        edge_colormap=ARROW_COLOURS,
        edge_contrast_limits=(0.0, motion.full),
        edge_width=max(size / 280, 1.0),
    )
    return LayerSpec(ARROWS, "vectors", vectors, kwargs)


def grid(snapshot: Snapshot, field: NDArray[np.float32], stride: int) -> LayerSpec:
    """Return the grid bent by the whole motion, outside the moving image too."""
    kwargs: dict[str, Any] = {
        **shared_kwargs(snapshot, GRID),
        "vector_style": "line",
        "edge_color": "#29d3c4",
        "edge_width": max(max(snapshot.fixed.shape) / 400, 1.0),
    }
    return LayerSpec(GRID, "vectors", fields.grid_lines(field, stride=stride), kwargs)


def arrow_scale(longest: float, spacing: float) -> float:
    """Return how much longer arrows are drawn than they are.

    So that short ones can be seen, and long ones do not cover their neighbours.
    """
    fitting = (scale for scale in _ARROW_SCALES if scale * longest <= 1.3 * spacing)
    return float(next(fitting, _ARROW_SCALES[-1]))


def physical_length(snapshot: Snapshot) -> tuple[float, str]:
    """Return what one fixed pixel measures, and in which unit; pixels where nobody said."""
    place = snapshot.fixed.placement
    row, col = place.spacing
    if place.calibrated and place.units[0] == place.units[1] and np.isclose(row, col, rtol=1e-3):
        return (row + col) / 2, place.units[0]
    return 1.0, "px"
