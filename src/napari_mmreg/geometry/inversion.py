"""Inverting transforms that have no closed form, at the points asked for."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.geometry import npz
from napari_mmreg.geometry.packing import pack, unpack
from napari_mmreg.geometry.transform import Transform
from napari_mmreg.geometry.warp import check_shape, for_tiles, pixel_grid

_STEP = 1e-3
"""Distance of the finite differences, in pixels."""

_SIMPLE_STEPS = 8
"""Steps with one Jacobian for all points, before each point gets its own."""


class SmoothTransform(Transform):
    """A transform without a closed inverse, that knows where it can be trusted."""

    @abstractmethod
    def anchors(self) -> NDArray[np.float64]:
        """Return fixed points (n, 2) spread over the domain; the inverse starts from them."""

    @abstractmethod
    def in_domain(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which fixed points (n, 2) the transform really describes."""

    def inverse(self) -> Transform:
        """Return the transform from moving to fixed, evaluated iteratively at every query.

        It maps to NaN where the iteration does not converge and where the answer would lie
        outside the domain.
        """
        return self._swapped(InverseTransform(self))


class InverseTransform(Transform):
    """The inverse of a smooth transform, found by Newton's method at every query.

    Parameters
    ----------
    forward : SmoothTransform
        The transform to invert.
    tolerance : float
        Largest accepted distance between ``forward(answer)`` and the question, in pixels.
    iterations : int
        Newton steps after which a point counts as having no answer.

    Notes
    -----
    *Convention*: ``(row, col)`` pixels, pixel centres at integers; maps in the direction
    opposite to `forward`. A point maps to NaN where the iteration does not converge, or
    where the answer lies outside the domain of `forward`. Where `forward` folds, one of the
    answers is returned.
    """

    kind = "inverse"

    def __init__(
        self, forward: SmoothTransform, *, tolerance: float = 1e-5, iterations: int = 30
    ) -> None:
        from scipy.spatial import KDTree

        self._forward = forward
        self._tolerance = tolerance
        self._iterations = iterations
        anchors = forward.anchors()
        images = forward.map(anchors)
        known = np.isfinite(images).all(axis=1)
        self._anchors, self._images = anchors[known], images[known]
        self._tree = KDTree(self._images) if known.any() else None
        # The affine trend of the inverse, the first guess nearly everywhere.
        design = np.column_stack([self._images, np.ones(len(self._images))])
        self._trend = np.linalg.lstsq(design, self._anchors, rcond=None)[0]

    def to_arrays(self) -> npz.Arrays:
        """Return the arrays of the transform that this one inverts."""
        return pack(self._forward, "forward/")

    @classmethod
    def from_arrays(cls, arrays: npz.Arrays) -> Transform:
        """Make it from what it inverts."""
        return unpack(arrays, "forward/").inverse()

    @property
    def forward(self) -> SmoothTransform:
        """The transform that this one inverts."""
        return self._forward

    def inverse(self) -> Transform:
        """Return the original transform."""
        return self._swapped(self._forward)

    def _map(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        result = np.full(points.shape, np.nan)
        asked = np.flatnonzero(np.isfinite(points[:, 0]) & np.isfinite(points[:, 1]))
        if self._tree is None or not asked.size:
            return result
        guess = points[asked] @ self._trend[:2] + self._trend[2]
        asked = self._answer(result, points, asked, self._approach(points[asked], guess))
        # The few points that the trend does not lead to start again from the nearest anchor.
        nearest = self._tree.query(points[asked])[1]
        near = nearest < len(self._anchors)  # there is none for a point too far to measure
        self._answer(result, points, asked[near], self._anchors[nearest[near]])
        return result

    def _answer(
        self,
        result: NDArray[np.float64],
        points: NDArray[np.float64],
        asked: NDArray[np.intp],
        guess: NDArray[np.float64],
    ) -> NDArray[np.intp]:
        """Write the answers found from `guess` into `result`; return what is still asked."""
        answer, done = self._solve(points[asked], guess)
        done &= self._forward.in_domain(answer)
        result[asked[done]] = answer[done]
        return asked[~done]

    def _approach(
        self, target: NDArray[np.float64], guess: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Improve guesses with the trend's Jacobian, as long as each step halves the error.

        A step needs one evaluation, Newton's five; bends are mild nearly everywhere.
        """
        error = self._forward.map(guess) - target
        distance = _length(error)
        active = np.arange(len(target))
        for _ in range(_SIMPLE_STEPS):
            active = active[distance[active] > self._tolerance]
            if not active.size:
                break
            trial = guess[active] - error[active] @ self._trend[:2]
            trial_error = self._forward.map(trial) - target[active]
            trial_distance = _length(trial_error)
            better = trial_distance < distance[active] / 2
            active = active[better]
            guess[active] = trial[better]
            error[active] = trial_error[better]
            distance[active] = trial_distance[better]
        return guess

    def _solve(
        self, target: NDArray[np.float64], guess: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Solve ``forward(answer) = target`` by Newton steps that are halved until they help."""
        guess = guess.copy()
        error = self._forward.map(guess) - target
        distance = _length(error)
        step_size = np.ones(len(target))
        step = np.zeros_like(guess)
        fresh = np.ones(len(target), dtype=np.bool_)  # needs a new Newton direction
        for _ in range(self._iterations):
            active = np.flatnonzero((distance > self._tolerance) & (step_size > 1e-3))
            if not active.size:
                break
            renew = active[fresh[active]]
            step[renew] = self._newton_step(guess[renew], error[renew])
            trial = guess[active] - step_size[active, None] * step[active]
            trial_error = self._forward.map(trial) - target[active]
            trial_distance = _length(trial_error)
            better = trial_distance < distance[active]
            accepted, rejected = active[better], active[~better]
            guess[accepted] = trial[better]
            error[accepted] = trial_error[better]
            distance[accepted] = trial_distance[better]
            fresh[accepted], step_size[accepted] = True, 1.0
            fresh[rejected] = False
            step_size[rejected] /= 2
        return guess, distance <= self._tolerance

    def _newton_step(
        self, points: NDArray[np.float64], error: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return ``J^-1 error`` with the Jacobian from central differences."""
        along = [
            self._forward.map(points + offset) - self._forward.map(points - offset)
            for offset in _STEP * np.eye(2)
        ]
        (a, c), (b, d) = (side.T / (2 * _STEP) for side in along)
        determinant = a * d - b * c
        determinant[np.abs(determinant) < 1e-6] = np.nan
        step = np.stack([d * error[:, 0] - b * error[:, 1], a * error[:, 1] - c * error[:, 0]])
        # At a fold there is no Newton direction; the plain fixed-point step may pass it.
        return np.where(np.isfinite(step / determinant), step / determinant, error.T).T

    def __repr__(self) -> str:
        return f"InverseTransform({self._forward!r})"


def _length(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return lengths with infinity for unknown vectors, so that comparisons just fail."""
    lengths = np.hypot(vectors[..., 0], vectors[..., 1])
    return np.nan_to_num(lengths, copy=False, nan=np.inf)


def inverse_consistency(
    forward: Transform, backward: Transform, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return how far going there and back again misses the start.

    Parameters
    ----------
    forward, backward : Transform
        Fixed to moving and moving to fixed; `backward` need not come from ``inverse()``.
    shape : tuple of int
        Rows and columns of the fixed grid.

    Returns
    -------
    ndarray of float32, shape (H, W)
        ``|backward(forward(p)) - p|`` in fixed pixels; NaN where either has no answer.

    Notes
    -----
    *Convention*: ``(row, col)`` pixels, pixel centres at integers.
    """
    grid_shape = check_shape(shape)
    distance = np.empty(grid_shape, dtype=np.float32)

    def fill_tile(rows: slice, cols: slice) -> None:
        grid = pixel_grid(rows, cols)
        back = backward.map(forward.map(grid)) - grid
        distance[rows, cols] = np.hypot(back[..., 0], back[..., 1])

    for_tiles(grid_shape, fill_tile)
    return distance
