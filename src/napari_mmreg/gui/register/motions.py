"""What was done to a layer's place: matrices on the last two world axes, and their words."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.placement import Matrix, unit_factors

FLIP: Matrix = np.diag([1.0, -1.0, 1.0])
TURN: Matrix = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
"""Clockwise on the screen, where rows go down."""

_PLANE = np.ix_([-3, -2, -1], [-3, -2, -1])


def affine_of(layer: Any) -> Matrix:
    """Return a copy of a layer's affine, (ndim + 1, ndim + 1)."""
    return np.array(layer.affine, dtype=np.float64)


def motion_between(before: Matrix, now: Matrix) -> Matrix:
    """Return what brings a layer from one affine to another: 3x3 on (row, col, 1)."""
    done: Matrix = (now @ np.linalg.inv(before))[_PLANE]
    return done


def moved(affine: Matrix, motion: Matrix) -> Matrix:
    """Return an affine after a motion, (3, 3), of its last two world axes."""
    whole = np.eye(len(affine))
    whole[_PLANE] = motion
    return np.asarray(whole @ affine)


def carry_along(layer: Any, moving: Any, before: Matrix) -> None:
    """Move a layer, such as a mask, as another one has moved since its affine was `before`.

    Nothing is done where napari's own links between layers have done it, or where the two are
    measured in units that cannot be compared.
    """
    now = affine_of(moving)
    if np.array_equal(affine_of(layer), now):
        return
    with suppress(InputError):
        source, target = (tuple(str(unit) for unit in each.units[-2:]) for each in (moving, layer))
        units = np.diag([*unit_factors(source, target), 1.0])
        motion = units @ motion_between(before, now) @ np.linalg.inv(units)
        layer.affine = moved(affine_of(layer), motion)


def in_words(plane: Matrix, shift: float, unit: str) -> str:
    """Return what a matrix, (3, 3) on (row, col, 1), does: flipped, turned, scaled, shifted.

    Parameters
    ----------
    plane : ndarray of float64, shape (3, 3)
    shift : float
        How far it moves the image's centre; 0 if it does not.
    unit : str
        Of the shift.
    """
    linear = plane[:2, :2]
    flipped = np.linalg.det(linear) < 0
    if flipped:
        linear = linear @ FLIP[:2, :2]
    # Columns are the images of the row and the column axis; clockwise is positive.
    degrees = float(np.degrees(np.arctan2(linear[0, 1] - linear[1, 0], np.trace(linear))))
    factor = float(np.sqrt(abs(np.linalg.det(linear))))
    words = {
        "flipped": flipped,
        "turned": abs(degrees) >= 0.5,
        "scaled": abs(factor - 1) >= 0.005,
        "shifted": shift > 0,
    }
    said = [
        strings.HAND_WORDS[word].format(degrees=degrees, factor=factor, length=shift, unit=unit)
        for word, true in words.items()
        if true
    ]
    return ", ".join(said)
