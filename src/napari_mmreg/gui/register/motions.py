"""What was done to a layer's place: matrices on the last two world axes, and in words."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.job import choose_start
from napari_mmreg.gui.shared.placement import Matrix, unit_factors
from napari_mmreg.gui.shared.snapshot import Snapshot

FLIP: Matrix = np.diag([1.0, -1.0, 1.0])
TURN: Matrix = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
"""Clockwise on the screen, where rows go down."""

_PLANE = np.ix_([-3, -2, -1], [-3, -2, -1])
_FLAT = 1e9
"""Condition of a matrix that leaves a line of an image."""


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


def is_flat(matrix: Matrix) -> bool:
    """Whether a matrix flattens an image to a line, as a handle on the canvas can."""
    return not np.linalg.cond(matrix[-3:-1, -3:-1]) < _FLAT


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

    Returns
    -------
    said : str
        Never empty: what is too little for a word of its own is *moved slightly*.
    """
    linear = plane[:2, :2]
    flipped = np.linalg.det(linear) < 0
    if flipped:
        linear = linear @ FLIP[:2, :2]
    # Columns are the images of the row and the column axis; clockwise is positive.
    degrees = float(np.degrees(np.arctan2(linear[0, 1] - linear[1, 0], np.trace(linear))))
    factor = float(np.sqrt(abs(np.linalg.det(linear))))
    rows, columns = (float(length) for length in np.linalg.norm(linear, axis=0))
    stretched = abs(rows - columns) >= 0.005
    words = {
        "flipped": flipped,
        "turned": abs(degrees) >= 0.5,
        "stretched": stretched,
        "scaled": not stretched and abs(factor - 1) >= 0.005,
        "shifted": shift > 0,
    }
    amounts: dict[str, float | str] = {
        "degrees": degrees,
        "factor": factor,
        "rows": rows,
        "columns": columns,
        "length": shift,
        "unit": unit,
    }
    said = [strings.HAND_WORDS[word].format(**amounts) for word, true in words.items() if true]
    return ", ".join(said) or strings.MOVED_SLIGHTLY


def next_start(snapshot: Snapshot, done: str = "") -> str:
    """Return where a run of a snapshot starts, as a sentence.

    Parameters
    ----------
    snapshot : Snapshot
    done : str
        What was done to the moving layer by hand, if anything.

    Raises
    ------
    InputError
        As `choose_start`.
    """
    settings = snapshot.settings
    mirrored = settings.start == "mirror"
    plain = replace(settings, start="auto") if mirrored else settings
    matrix, _ = choose_start(replace(snapshot, settings=plain))
    sentence = strings.STARTS_CENTRED if matrix is None else strings.STARTS_LAYERS
    if done:
        sentence = (
            strings.HAND_IGNORED if matrix is None else strings.STARTS_BY_HAND.format(what=done)
        )
    return f"{sentence} {strings.STARTS_MIRRORED}" if mirrored else sentence
