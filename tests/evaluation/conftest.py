"""A pair with objects."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

SHIFT = (5.0, -4.0)  # moving = fixed + shift


def discs(shape, offset=(0.0, 0.0)):
    """Label image of six discs; the object at p in the fixed image lies at p + offset."""
    rows, cols = np.indices(shape)
    labels = np.zeros(shape, np.int32)
    for number, (row, col, radius) in enumerate(
        [(40, 45, 16), (42, 110, 12), (100, 40, 14), (95, 100, 20), (50, 160, 10), (110, 155, 15)],
        start=1,
    ):
        inside = np.hypot(rows - row - offset[0], cols - col - offset[1]) <= radius
        labels[inside] = number
    return labels


@pytest.fixture
def pair():
    """Fixed and moving picture of the same discs, other grey values, and both label images."""
    shape = (150, 200)
    random = np.random.default_rng(0)
    fixed_labels, moving_labels = discs(shape), discs(shape, SHIFT)
    pictures = []
    for labels, greys in (
        (fixed_labels, [0.2, 0.9, 0.7, 1.0, 0.8, 0.75, 0.95]),
        (moving_labels, [0.8, 0.1, 0.3, 0.2, 0.15, 0.25, 0.0]),
    ):
        picture = ndimage.gaussian_filter(np.array(greys)[labels], 1.0)
        noisy = picture + 0.02 * random.standard_normal(shape)
        pictures.append((255 * noisy).clip(0, 255).astype(np.uint8))
    return pictures[0], pictures[1], fixed_labels, moving_labels
