"""`ResidualTransform`: a smooth bend that brings points nearer to where they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_mmreg.errors import InputError, TransformError
from napari_mmreg.geometry import npz
from napari_mmreg.geometry.inversion import SmoothTransform
from napari_mmreg.geometry.landmarks import check_pairs, pair_names
from napari_mmreg.geometry.numbers import as_numbers
from napari_mmreg.geometry.thinplate import MAX_POINTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_mmreg.geometry.transform import Transform

SMOOTHINGS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""The most likely smoothing is searched among these."""

_WIDE = 7.0
"""Default reach in units of the points' spread: twice the diagonal of a frame they fill."""

_JITTER = 1e-9
"""Smoothing that is always there: points at one place share what they ask for."""

_ANCHORS = 16
"""Anchors along each side of the points' bounding box, for the inverse's first guess."""

_BLOCK = 1 << 22
"""Kernel values computed at once; bounds the memory."""


class ResidualTransform(SmoothTransform):
    """The identity plus a smooth field that follows given offsets at given points.

    Parameters
    ----------
    points, offsets : array_like of float, shape (n, 2)
        Where something is known, and by how much to move there, ``(row, col)`` in pixels.
    reach : float
        Distance in pixels at which a point's influence has faded to nothing.
    smoothing : float
        0 follows the offsets exactly; larger values trust them less. At 1 a lone offset is
        taken for as much noise as truth.
    strength : float
        Part of the correction that is applied, in [0, 1].

    Raises
    ------
    TransformError
        If a parameter cannot be used.

    Notes
    -----
    *Convention*: ``(row, col)`` pixels in and out, pixel centres at integers. Meant to follow
    another transform, so both are pixels of the moving image.

    The field is the mean of a Gaussian process without a trend, with Wendland's C2 function of
    compact support as covariance [1]_ and `smoothing` as the ratio of noise to signal. Far from
    all points nothing moves, and offsets that contradict each other are averaged.

    References
    ----------
    .. [1] Wendland, H. (1995), Piecewise polynomial, positive definite and compactly supported
       radial functions of minimal degree, Advances in Computational Mathematics 4.
    """

    kind = "residual"

    def __init__(
        self,
        points: ArrayLike,
        offsets: ArrayLike,
        reach: float,
        smoothing: float = 0.0,
        strength: float = 1.0,
    ) -> None:
        where = as_numbers(points, "Points", error=TransformError).copy()
        moves = as_numbers(offsets, "Offsets", error=TransformError).copy()
        if where.ndim != 2 or where.shape[1] != 2 or not len(where) or where.shape != moves.shape:
            raise TransformError(
                "A correction needs as many offsets as points, one at least, both of shape "
                f"(n, 2), not {moves.shape} and {where.shape}."
            )
        if not (np.isfinite(where).all() and np.isfinite(moves).all()):
            raise TransformError("Points and offsets must be finite numbers; remove the others.")
        if not (0 < reach < np.inf):
            raise TransformError(f"The reach must be a number of pixels above 0, not {reach}.")
        if not 0 <= smoothing < np.inf:
            raise TransformError(f"The smoothing must be 0 or more, not {smoothing}.")
        if not 0 <= strength <= 1:
            raise TransformError(f"The strength must be between 0 and 1, not {strength}.")
        self.points, self.offsets = where, moves
        for array in (where, moves):
            array.flags.writeable = False
        self.reach, self.smoothing = float(reach), float(smoothing)
        self.strength = float(strength)
        self._precision = np.linalg.inv(_covariance(where, self.reach, self.smoothing))
        self._weights = self._precision @ moves

    def to_arrays(self) -> npz.Arrays:
        """Return points, offsets and parameters."""
        return {
            "points": self.points,
            "offsets": self.offsets,
            "parameters": np.array([self.reach, self.smoothing, self.strength]),
        }

    @classmethod
    def from_arrays(cls, arrays: npz.Arrays) -> ResidualTransform:
        """Make it from points, offsets and parameters."""
        if len(arrays["points"]) > MAX_POINTS:
            raise TransformError(f"A correction in a file may have {MAX_POINTS} points at most.")
        reach, smoothing, strength = (float(value) for value in arrays["parameters"])
        return cls(arrays["points"], arrays["offsets"], reach, smoothing, strength)

    def offsets_left_out(self) -> NDArray[np.float64]:
        """Return what would remain at each point if the others alone decided: (n, 2).

        The smoothing stays as it is. Exact, without a single refit.
        """
        alone = self._weights / np.diag(self._precision)[:, None]
        return np.asarray(self.offsets - self.strength * (self.offsets - alone))

    def _map(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        from scipy.spatial.distance import cdist

        mapped = np.empty_like(points)
        block = max(1, _BLOCK // len(self.points))
        for start in range(0, len(points), block):
            part = points[start : start + block]
            field = _kernel(cdist(part, self.points) / self.reach) @ self._weights
            mapped[start : start + block] = part + self.strength * field
        return mapped

    def anchors(self) -> NDArray[np.float64]:
        """Return points (m, 2): those given, and a grid over their bounding box and reach."""
        low = self.points.min(axis=0) - self.reach
        high = self.points.max(axis=0) + self.reach
        axes = [np.linspace(low[axis], high[axis], _ANCHORS) for axis in range(2)]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
        return np.concatenate([self.points, grid])

    def in_domain(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return True for all finite points: the field is defined everywhere."""
        return np.isfinite(points[:, 0]) & np.isfinite(points[:, 1])

    def __repr__(self) -> str:
        return (
            f"ResidualTransform(<{len(self.points)} points>, reach={self.reach:.4g}, "
            f"smoothing={self.smoothing:g}, strength={self.strength:g})"
        )


def max_likelihood_smoothing(points: ArrayLike, offsets: ArrayLike, reach: float) -> float:
    """Return the smoothing of `SMOOTHINGS` under which the offsets are most probable.

    Residuals that resemble their neighbours are believed, those that do not are taken for
    noise. Needs no more than the offsets; see `ResidualTransform` for the parameters.
    """
    where, moves = np.asarray(points, np.float64), np.asarray(offsets, np.float64)
    best, least = SMOOTHINGS[0], np.inf
    for smoothing in SMOOTHINGS:
        covariance = _covariance(where, reach, smoothing)
        # Log-likelihood of both coordinates with the signal's variance set to its best value.
        signal = np.sum(moves * np.linalg.solve(covariance, moves)) / moves.size
        cost = moves.size * np.log(signal + _JITTER) + 2 * np.linalg.slogdet(covariance)[1]
        if cost < least - 1e-6:
            best, least = smoothing, cost
    return best


def wide_reach(points: ArrayLike) -> float:
    """Return the reach that lets every point act on all the others, in pixels."""
    where = np.asarray(points, dtype=np.float64)
    spread = float(np.sqrt(np.square(where - where.mean(axis=0)).sum(axis=1).mean()))
    return _WIDE * spread if spread > 1 else 1e6  # a single place: the whole image moves


def correct_transform(
    transform: Transform,
    fixed_points: ArrayLike,
    moving_points: ArrayLike,
    *,
    strength: float = 1.0,
    reach: float | None = None,
    smoothing: float | None = None,
    names: Sequence[str] | None = None,
) -> Transform:
    """Bend a transform towards landmark pairs.

    Parameters
    ----------
    transform : Transform
        Fixed to moving, to be corrected; kept as the first part of the new one.
    fixed_points, moving_points : array_like of float, shape (n, 2)
        ``(row, col)`` in pixels of the fixed and of the moving image; row i of both is a pair.
    strength : float
        Part of the correction that is applied, in [0, 1].
    reach : float, optional
        How far a landmark acts, in moving pixels; all over the landmarks by default.
    smoothing : float, optional
        0 meets every pair; larger values follow the pairs less. By default the likeliest.
    names : sequence of str, optional
        What messages call the pairs; counted from 1 by default.

    Returns
    -------
    Transform
        `transform` followed by a `ResidualTransform`.

    Raises
    ------
    InputError
        If the points are no pairs of numbers, or `transform` has no answer at a fixed point.
    TransformError
        If a parameter cannot be used.

    Notes
    -----
    *Convention*: ``(row, col)`` pixels, fixed to moving, pixel centres at integers.
    """
    fixed, moving = check_pairs(fixed_points, moving_points)
    if not len(fixed):
        raise InputError("There is no landmark pair to correct with; add one.")
    reached = transform.map(fixed)
    lost = np.flatnonzero(np.isnan(reached).any(axis=1))
    if lost.size:
        raise InputError(
            "The transform has no answer at the fixed point of pair "
            f"{pair_names(names, len(fixed))[lost[0]]}; remove or disable it."
        )
    bend = rbf_correction(reached, moving, strength, reach, smoothing)
    corrected = bend.compose(transform)
    return corrected.with_frames(transform.fixed_frame, transform.moving_frame)


def rbf_correction(
    reached: NDArray[np.float64],
    moving: NDArray[np.float64],
    strength: float = 1.0,
    reach: float | None = None,
    smoothing: float | None = None,
) -> ResidualTransform:
    """Return what `correct_transform` puts after a transform that takes fixed points to `reached`.

    Parameters
    ----------
    reached, moving : ndarray of float64, shape (n, 2)
        Where the transform takes the fixed points, and where they belong, in moving pixels.
    strength, reach, smoothing
        As in `correct_transform`.
    """
    far = wide_reach(reached) if reach is None else reach
    offsets = moving - reached
    amount = max_likelihood_smoothing(reached, offsets, far) if smoothing is None else smoothing
    return ResidualTransform(reached, offsets, far, amount, strength)


def _covariance(points: NDArray[np.float64], reach: float, smoothing: float) -> NDArray[np.float64]:
    from scipy.spatial.distance import cdist

    kernel = _kernel(cdist(points, points) / reach)
    return kernel + (smoothing + _JITTER) * np.eye(len(points))


def _kernel(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Wendland's C2 function of the distance over the reach: 1 at 0, 0 from 1 on."""
    rest = np.maximum(1.0 - distance, 0.0)
    rest *= rest
    value: NDArray[np.float64] = rest * rest * (4.0 * distance + 1.0)
    return value
