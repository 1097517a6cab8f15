"""`Sample`: a pair of images, what separates them, and landmarks that show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.geometry import Transform, inside

LANDMARK_GRID = (5, 5)
"""Rows and columns of the landmark grid; fewer remain where images do not overlap."""

_BORDER = 6
"""Distance that landmarks keep from the borders of both frames, in pixels."""


@dataclass(frozen=True, slots=True)
class SampleInfo:
    """What can be said about a sample without building it.

    Attributes
    ----------
    name, title : str
        For programs, and for people.
    fixed_name, moving_name : str
        What the two images are called in a list.
    fixed_modality, moving_modality : str
        What the two images show, in the words of `register`'s ``modalities``.
    notes : str
        Source, licence and what was done to the images.
    needs_network : bool
        Whether the images are downloaded the first time.
    """

    name: str
    title: str
    fixed_name: str
    moving_name: str
    fixed_modality: str
    moving_modality: str
    notes: str
    needs_network: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Two images with a known misalignment.

    Attributes
    ----------
    name, title : str
        For programs, and for people.
    fixed_name, moving_name : str
        What the two images are called in a list.
    fixed, moving : ndarray of shape (H, W) or (H, W, C)
        The images. NaN means no data.
    fixed_modality, moving_modality : str
        What the images show, e.g. ``"visible"``.
    truth : Transform
        The misalignment, fixed to moving.
    fixed_points, moving_points : ndarray of float64, shape (n, 2)
        Landmarks; row `i` of one belongs to row `i` of the other.
    notes : str
        Where the images come from and what was done to them.

    Notes
    -----
    *Convention*: ``(row, col)`` pixels, pixel centres at integers, fixed to moving:
    ``truth.map(fixed_points) == moving_points``.
    """

    name: str
    title: str
    fixed_name: str
    moving_name: str
    fixed: NDArray[Any]
    moving: NDArray[Any]
    fixed_modality: str
    moving_modality: str
    truth: Transform
    fixed_points: NDArray[np.float64]
    moving_points: NDArray[np.float64]
    notes: str

    def metadata(self) -> dict[str, Any]:
        """Return what a layer should know, as plain values and arrays.

        Returns
        -------
        dict
            ``sample``, ``title``, ``notes``, ``fixed_modality``, ``moving_modality``, ``unit``
            (of displacements and points) and ``truth_displacement``, float32 (H, W, 2) on the
            fixed grid: moving position = fixed position + displacement.
        """
        return {
            "sample": self.name,
            "title": self.title,
            "notes": self.notes,
            "fixed_modality": self.fixed_modality,
            "moving_modality": self.moving_modality,
            "unit": "pixel",
            "truth_displacement": self.truth.displacement(self.fixed.shape),
        }


def spread_landmarks(
    truth: Transform, fixed: NDArray[Any], moving: NDArray[Any], seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return landmarks spread over the overlap of both images.

    Parameters
    ----------
    truth : Transform
        Fixed to moving.
    fixed, moving : ndarray of shape (H, W) or (H, W, C)
        The images; landmarks avoid the moving image's NaN.
    seed : int
        Fixes how points are jittered inside their grid cells.

    Returns
    -------
    fixed_points, moving_points : ndarray of float64, shape (n, 2)
        ``(row, col)`` pixels. They are spread evenly and not put on features, so that an error
        measured there stands for the whole image.
    """
    frame = np.array(fixed.shape[:2]) - 1 - 2 * _BORDER
    random = np.random.default_rng(seed)
    cells = np.stack(np.meshgrid(*map(np.arange, LANDMARK_GRID), indexing="ij"), axis=-1)
    jitter = random.uniform(0.25, 0.75, cells.shape)
    fixed_points = _BORDER + ((cells + jitter) / LANDMARK_GRID * frame).reshape(-1, 2)
    moving_points = truth.map(fixed_points)
    shrunk = tuple(np.array(moving.shape[:2]) - 2 * _BORDER)
    kept = inside(moving_points - _BORDER, shrunk)
    row, col = np.rint(moving_points[kept]).astype(int).T
    kept[kept] = np.isfinite(moving[row, col].reshape(len(row), -1)).all(axis=1)
    return fixed_points[kept], moving_points[kept]
