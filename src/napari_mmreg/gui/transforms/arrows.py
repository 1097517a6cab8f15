"""A transform as a layer: arrows over the fixed image, from fixed to moving places."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_mmreg.geometry import Transform
from napari_mmreg.gui.shared.carried import KEY
from napari_mmreg.gui.shared.modalities import METADATA_KEY
from napari_mmreg.gui.transforms import strings

ACROSS = 32
"""Arrows along the longer side."""

NOMINAL = (512, 512)
"""Rows and columns where no image is known."""


def layer_data(
    transform: Transform,
    name: str,
    shape: tuple[int, int] | None = None,
    place: dict[str, Any] | None = None,
) -> tuple[Any, dict[str, Any], str]:
    """Return a transform as napari's layer data tuple: vectors that carry it.

    Parameters
    ----------
    transform : Transform
        Fixed to moving pixels.
    name : str
        Of the file.
    shape : (int, int), optional
        Rows and columns of the fixed image, if the transform does not know them.
    place : dict, optional
        Where the fixed image lies in the world: ``scale``, ``translate``, ``units`` and so on. By
        default the pixel size that the transform knows.

    Notes
    -----
    *Convention*: ``(row, col)``, fixed pixels. An arrow points to where the moving point lies if
    the first pixels of both images coincide, with the moving image's own pixel size where it is
    known.
    """
    fixed, moving = transform.fixed_frame, transform.moving_frame
    rows, cols = fixed.shape if fixed is not None else (shape or NOMINAL)
    step = max(rows, cols) / ACROSS
    at = [np.arange(min(step, n) / 2 - 0.5, n - 0.5, step) for n in (rows, cols)]
    start = np.stack(np.meshgrid(*at, indexing="ij"), axis=-1).reshape(-1, 2)
    end = transform.map(start)
    if fixed is not None and moving is not None and fixed.spacing and moving.spacing:
        end = end * np.divide(moving.spacing, fixed.spacing)
    known = np.isfinite(end).all(axis=1)
    vectors = np.stack([start[known], (end - start)[known]], axis=1).astype(np.float32)
    lengths = np.hypot(*vectors[:, 1].T)
    if place is None:
        place = {}
        if fixed is not None and fixed.spacing is not None:
            place["scale"] = fixed.spacing
            if fixed.unit is not None:
                place["units"] = (fixed.unit, fixed.unit)
    kwargs: dict[str, Any] = {
        **place,
        "name": strings.LAYER_NAME.format(name=name),
        "vector_style": "arrow",
        "edge_width": max(max(rows, cols) / 280, 1.0),
        "metadata": {METADATA_KEY: {"role": "transform", "file": name, KEY: transform}},
    }
    if len(vectors):
        from napari.utils import Colormap

        from napari_mmreg.gui.shared.motion import ARROW_COLOURS

        kwargs.update(
            features={"length": lengths},
            edge_color="length",
            edge_colormap=Colormap(ARROW_COLOURS, name="mmreg arrows"),
            edge_contrast_limits=(0.0, max(float(lengths.max()), 1e-3)),
        )
    return vectors, kwargs, "vectors"
