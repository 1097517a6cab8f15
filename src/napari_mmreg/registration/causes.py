"""The likely cause of a registration that did not hold, where it can be checked cheaply."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_mmreg.alignment.levels import build_level, pair_tensors
from napari_mmreg.models.classical.search import search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_mmreg.alignment.levels import Level
    from napari_mmreg.imaging import Pair
    from napari_mmreg.run import Run

SIZE = 64
"""Longer side of the grid."""

NEAR = (-20, -10, 0, 10, 20)
"""Degrees about each quarter turn that are looked at."""

SCALES = (0.85, 1.0, 1.18)
FAR_SCALES = (0.4, 0.5, 0.65, 1.5)
"""Moving pixels per fixed pixel."""

CLEARLY = 0.08
"""Correlation by which another position must beat all that were looked at, to be mentioned."""

_TURNED = (
    "After a {} turn the images fit clearly better: choose the model regnetmamba2, which finds any "
    "rotation, or turn the moving image first."
)
_TURNS = {90: "quarter", 180: "half", 270: "three-quarter"}
_MIRRORED = (
    "One image seems to be a mirror image of the other, and no model here mirrors: flip the moving "
    "image left to right and run again."
)
_SCALE = (
    "The images seem to differ in scale by a factor of about {:.1f}: give the pixel sizes of both, "
    "or crop the larger field of view."
)


def likely_causes(pair: Pair, run: Run) -> tuple[str, ...]:
    """Look for what the models do not look for: quarter turns, mirror images, other scales.

    Parameters
    ----------
    pair : Pair
    run : Run

    Returns
    -------
    tuple of str
        One sentence that says what to do, or none.
    """
    import torch

    with torch.inference_mode():
        level = build_level(pair_tensors(pair, run.device), SIZE)
        mirrored = replace(
            level, moving=level.moving.flip(-1), moving_mask=level.moving_mask.flip(-1)
        )
        usual = _best(level, NEAR, SCALES, run)
        found = {
            _TURNED.format(name): _best(level, [turn + near for near in NEAR], SCALES, run)
            for turn, name in _TURNS.items()
        }
        found[_MIRRORED] = max(
            _best(mirrored, [turn + near for near in NEAR], SCALES, run) for turn in (0, *_TURNS)
        )
        for scale in FAR_SCALES:
            found[_SCALE.format(max(scale, 1 / scale))] = _best(level, NEAR, (scale,), run)
    sentence = max(found, key=lambda text: found[text])
    return (sentence,) if found[sentence] > usual + CLEARLY else ()


def _best(level: Level, rotations: Sequence[int], scales: Sequence[float], run: Run) -> float:
    _, scores = search(level, rotations, scales, run, keep=1)
    return float(scores[0]) if len(scores) else 0.0
