"""What a promptable segmenter is, and how a prompt is made from an object.

*Convention*: points are ``(row, col)`` in pixels, pixel centres at integers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from napari_mmreg.errors import InputError
from napari_mmreg.run import Run

Mask = NDArray[np.bool_]
Picture = NDArray[np.uint8]
"""Grey (H, W) or colour (H, W, 3), without holes: what segmenters look at."""

OBJECT_POINTS, BACKGROUND_POINTS = 5, 16
_DEPTH = 0.5
_MARGIN, _LEAST_MARGIN = 0.35, 4.0


@dataclass(frozen=True, eq=False)
class Prompt:
    """Points on an object and, for segmenters that need them, around it.

    Attributes
    ----------
    points : ndarray of float64, shape (n, 2)
        ``(row, col)`` on the object, the innermost first.
    background : ndarray of float64, shape (m, 2)
        Points that are not on it; may be empty.
    """

    points: NDArray[np.float64]
    background: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))

    def moved(self, offset: tuple[float, float]) -> Prompt:
        """Return the prompt shifted by ``(row, col)`` pixels."""
        return Prompt(self.points + offset, self.background + offset)


@dataclass(frozen=True, eq=False)
class Segment:
    """A segmenter's answer: a mask, bool (H, W), and how sure it is of it, in [0, 1]."""

    mask: Mask
    score: float


class Segmenter(Protocol):
    """Finds the object that a prompt means.

    Attributes
    ----------
    name : str
        What people read; nothing but SAM is called SAM.
    needs_background : bool
        Whether prompts should have background points. They tell where the object may be, and
        so make the score less sensitive; segmenters that can do without are not given any.
    costly : bool
        Whether every prompt costs noticeable time.
    """

    name: str
    needs_background: bool
    costly: bool

    @property
    def provenance(self) -> Mapping[str, Any]:
        """What it is and where it comes from, ready for JSON."""

    def segment(self, picture: Picture, prompts: Sequence[Prompt], run: Run) -> list[Segment]:
        """Answer each prompt; the same image, prompts and seed give the same answers."""

    def propose(self, picture: Picture, run: Run) -> list[Segment]:
        """Return objects of the image, not asked for, the best first; they may overlap."""

    def release(self) -> None:
        """Free what is kept between calls: images' embeddings and the network."""


def prompt_from_mask(mask: ArrayLike, *, background: bool = True) -> Prompt:
    """Return points on an object: the innermost one, and others spread over its inner part.

    Parameters
    ----------
    mask : array_like of bool, shape (H, W)
        The object.
    background : bool
        Whether to add points around it, at about a third of its inner radius, at least
        4 pixels.

    Raises
    ------
    InputError
        If the mask is empty.

    Notes
    -----
    Deterministic: farthest-point sampling. The spread and the ring are ours.
    """
    inside = np.asarray(mask, dtype=np.bool_)
    if inside.ndim != 2 or not inside.any():
        raise InputError("A prompt needs an object: the mask has no pixel.")
    box, offset = _window(inside)
    depth = ndimage.distance_transform_edt(np.pad(box, 1))[1:-1, 1:-1]
    radius = float(depth.max())
    first = np.argwhere(depth == radius)[0]
    points = _spread(np.argwhere(depth >= _DEPTH * radius), first, OBJECT_POINTS) + offset
    if not background:
        return Prompt(points)
    margin = max(_LEAST_MARGIN, _MARGIN * radius)
    wide, offset = _window(inside, int(margin) + 4)
    away = ndimage.distance_transform_edt(~wide)
    ring = np.argwhere((away >= margin) & (away < margin + 1.5))
    if not len(ring):
        return Prompt(points)
    return Prompt(points, _spread(ring, ring[0], BACKGROUND_POINTS) + offset)


def _window(mask: Mask, reach: int = 0) -> tuple[Mask, NDArray[np.int64]]:
    """Cut out the object with a margin, and return where the cut begins."""
    place = ndimage.find_objects(mask.astype(np.int8))[0]
    low = [max(s.start - reach, 0) for s in place]
    cut = mask[low[0] : place[0].stop + reach, low[1] : place[1].stop + reach]
    return cut, np.array(low)


def _spread(
    candidates: NDArray[np.int64], first: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """Pick up to `count` candidates, each the farthest from those before."""
    chosen = [np.asarray(first)]
    distance = np.square(candidates - chosen[0]).sum(axis=1)
    while len(chosen) < count and distance.max() > 0:
        chosen.append(candidates[int(distance.argmax())])
        distance = np.minimum(distance, np.square(candidates - chosen[-1]).sum(axis=1))
    return np.array(chosen, dtype=np.float64)
