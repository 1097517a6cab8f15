"""How much of a known bend an answer contains, apart from its global part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FITTED = 20_000
"""About how many masked pixels a homography is fitted to; they are spaced evenly."""

LEAST_BEND = 0.1
"""Mean length in px of a true elastic part below which recovery is undefined."""


@dataclass(frozen=True, slots=True)
class ElasticScore:
    """An answer's elastic and global part against the truth's, over the scored pixels.

    A field's global part is its best homography, its elastic part the rest.

    Attributes
    ----------
    recovery : float
        Projection of the answer's elastic part a on the true one t, <a, t> / <t, t>: 0 for any
        homography, 1 for the truth.
    elastic_left : float
        Mean length of a - t, in px.
    global_left : float
        Mean distance between the answer's best homography and the truth's, in px.
    """

    recovery: float
    elastic_left: float
    global_left: float


def elastic_score(
    found: NDArray[np.floating],
    truth: NDArray[np.floating],
    mask: NDArray[np.bool_],
    scale: NDArray[np.floating] | tuple[float, float] = (1.0, 1.0),
) -> ElasticScore | None:
    """Compare the elastic and the global part of an answer with the truth's.

    Parameters
    ----------
    found, truth : ndarray of float, (H, W, 2)
        Where each fixed pixel lies in the moving image, (row, col), pixel centres at integers.
        Where `found` is not finite it counts as doing nothing, the pixel's own position.
    mask : ndarray of bool, (H, W)
        The scored pixels.
    scale : (float, float)
        Multiplies (row, col) first, so that errors count as on a 256 x 256 image.

    Returns
    -------
    ElasticScore or None
        None where recovery is undefined: the truth has no elastic part, or fewer than four
        pixels are scored.
    """
    pixels = np.argwhere(mask).astype(np.float64)
    if len(pixels) < 4:
        return None
    answer = np.asarray(found, np.float64)[mask]
    answer = np.where(np.isfinite(answer).all(axis=1, keepdims=True), answer, pixels) * scale
    true = np.asarray(truth, np.float64)[mask] * scale
    true_global, answer_global = (_best_homography(pixels, field) for field in (true, answer))
    bend, answer_bend = true - true_global, answer - answer_global
    if np.linalg.norm(bend, axis=1).mean() < LEAST_BEND:
        return None
    return ElasticScore(
        float((answer_bend * bend).sum() / (bend * bend).sum()),
        float(np.linalg.norm(answer_bend - bend, axis=1).mean()),
        float(np.linalg.norm(answer_global - true_global, axis=1).mean()),
    )


def _best_homography(
    pixels: NDArray[np.float64], field: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the homography of the pixels nearest to a field (least squares), at every pixel."""
    import cv2

    every = slice(None, None, max(1, len(pixels) // FITTED))
    matrix_xy, _ = cv2.findHomography(pixels[every, ::-1], field[every, ::-1], 0)
    ones = np.ones((len(pixels), 1))
    if matrix_xy is not None:
        mapped = np.hstack([pixels[:, ::-1], ones]) @ matrix_xy.T
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = (mapped[:, :2] / mapped[:, 2:])[:, ::-1]
        if np.isfinite(moved).all():
            return np.asarray(moved)
    # A field that sends everything to one point or line has no homography, but an affine fit.
    points = np.hstack([pixels, ones])
    return np.asarray(points @ np.linalg.lstsq(points, field)[0])
