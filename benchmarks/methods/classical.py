"""The classical engine, for a harness that wants ``register(fixed, moving) -> field``.

The field is float32 (H, W, 2): the moving (row, col) of every fixed pixel.
"""

from __future__ import annotations

import numpy as np

import napari_mmreg

NAME = "napari-mmreg classical"


def setup() -> None:
    """Load everything once, so that it is not timed."""
    picture = np.random.default_rng(0).random((64, 64))
    register(picture, picture)


def register(fixed: np.ndarray, moving: np.ndarray) -> np.ndarray:
    result = napari_mmreg.register(fixed, moving, model="classical", device="cpu")
    rows, cols = result.fixed_shape
    grid = np.stack(np.meshgrid(np.arange(rows), np.arange(cols), indexing="ij"), axis=-1)
    return np.asarray(result.displacement + grid, dtype=np.float32)
