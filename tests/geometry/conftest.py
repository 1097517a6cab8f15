"""Patterns and fields that show mistakes in order, direction and scale."""

from __future__ import annotations

import numpy as np
import pytest


def wavy_field(shape, amplitude=3.0, offset=(0.0, 0.0)):
    """Smooth, different along rows and columns, well away from folding."""
    row, col = np.meshgrid(*(np.arange(n, dtype=float) for n in shape), indexing="ij")
    down = amplitude * np.sin(2 * np.pi * col / 47 + 0.3) + offset[0]
    right = 0.6 * amplitude * np.cos(2 * np.pi * (row + 0.5 * col) / 61) + offset[1]
    return np.stack([down, right], axis=-1).astype(np.float32)


@pytest.fixture
def wavy():
    return wavy_field


@pytest.fixture
def pattern():
    """An off-centre, asymmetric picture of unequal sides."""
    row, col = np.meshgrid(np.arange(64.0), np.arange(90.0), indexing="ij")
    picture = np.exp(-((row - 20) ** 2 / 40 + (col - 61) ** 2 / 150))
    picture += 0.5 * np.exp(-((row - 45) ** 2 / 90 + (col - 30) ** 2 / 20))
    return (picture + 0.002 * row + 0.001 * col).astype(np.float32)
