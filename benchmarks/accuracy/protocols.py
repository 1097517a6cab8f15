"""Benchmark pairs with exact truth: what the misalignments are and how a pair is made.

The transform of a pair depends only on its name, the protocol and the seed, so that figures
of different methods, machines and dates compare. OpenCV resamples (extra ``bench``).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.elastic import ElasticScore, elastic_score
from napari_mmreg.errors import InputError
from napari_mmreg.evaluation import grid_error

LANDMARKS = "L"
CORRECTION = "LC"
CANVAS = 1.45


@dataclass(frozen=True, slots=True)
class Strength:
    """Ranges of one kind of misalignment; every parameter is drawn uniformly.

    Attributes
    ----------
    rotation : float
        Degrees, plus or minus.
    scale, translation, shear, perspective : float
        Plus or minus: factor minus one, part of the width and height, factor, and homogeneous
        coefficient in coordinates of [-1, 1].
    elastic : float
        Length of the longest vector of added Gaussian-smoothed noise, in px at 256 px; 0: none.
    sigma : float
        Of the Gaussian that smooths it, in px at 256 px.
    """

    rotation: float = 0.0
    scale: float = 0.0
    translation: float = 0.0
    shear: float = 0.0
    perspective: float = 0.0
    elastic: float = 0.0
    sigma: float = 16.0


KINDS = {
    "R": Strength(10.0, 0.10, 0.10, 0.05, 0.04),
    "N": Strength(5.0, 0.05, 0.05, 0.025, 0.02, elastic=8.0),
    "B": Strength(5.0, 0.05, 0.05, 0.025, 0.02, elastic=12.0, sigma=24.0),
    "F": Strength(5.0, 0.05, 0.05, 0.025, 0.02, elastic=5.0, sigma=10.0),
    "H": Strength(20.0, 0.13, 0.15, 0.05, 0.04, elastic=8.0),
    "S": Strength(2.0, 0.06, 0.008),
    "W": Strength(30.0, 0.30, 0.30),
    "T": Strength(45.0, 0.10, 0.10),
    "Z": Strength(),
}


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way of making benchmark pairs.

    Attributes
    ----------
    kind : str
        A key of `KINDS`, or ``"L"``: real misalignment with landmarks by hand, native size, or
        ``"LC"``: the same, each result corrected with half of the landmarks.
    size : int or None
        Both images are resized to this many pixels a side first; None: native size.
    borderless : bool
        The scene is warped on a larger canvas and cropped, so that almost no black border
        tells where the moving frame ended.
    """

    kind: str
    size: int | None = 256
    borderless: bool = False

    @classmethod
    def parse(cls, text: str) -> Protocol:
        """Read ``R256``, ``Nnat``, ``H256c``, ``L`` ...

        Raises
        ------
        InputError
            If the text names no protocol.
        """
        if text in (LANDMARKS, CORRECTION):
            return cls(text, None)
        body = text.removesuffix("c")
        kind, size = body[:1], body[1:]
        if kind not in KINDS or not (size == "nat" or size.isdigit()):
            raise InputError(
                f"There is no protocol {text!r}; write a kind ({', '.join(KINDS)}), a size or "
                f"'nat', and 'c' for no black borders, for example R256, Nnat, H256c; or L, LC."
            )
        return cls(kind, None if size == "nat" else int(size), text.endswith("c"))

    @property
    def by_hand(self) -> bool:
        """Whether pairs come unaligned, with landmarks set by hand."""
        return self.kind in (LANDMARKS, CORRECTION)

    @property
    def seed_name(self) -> str:
        """The protocol's part of the seed: the borderless variant has the same transforms."""
        return f"{self.kind}{'nat' if self.size is None else self.size}"

    def __str__(self) -> str:
        if self.by_hand:
            return self.kind
        return self.seed_name + ("c" if self.borderless else "")


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One benchmark pair.

    Attributes
    ----------
    name, group : str
        The pair, and its modality.
    fixed, moving : ndarray of uint8, (H, W) or (H, W, 3)
        What a method sees.
    positions : ndarray of float64, (H, W, 2)
        Truth. *Convention*: (row, col) in the moving image that shows what the fixed pixel
        shows.
    mask : ndarray of bool, (H, W)
        Where the truth lies inside the moving image and both images have data.
    scale : ndarray of float64, (2,)
        Multiplies (row, col) errors so that they count as on a 256 x 256 image.
    """

    name: str
    group: str
    fixed: NDArray[np.uint8]
    moving: NDArray[np.uint8]
    positions: NDArray[np.float64]
    mask: NDArray[np.bool_]
    scale: NDArray[np.float64]

    def error(self, positions: NDArray[np.floating]) -> float:
        """Return RE in px at 256-px scale; NaN if a scored pixel has no position."""
        return grid_error(positions * self.scale, self.positions * self.scale, self.mask)

    def elastic(self, positions: NDArray[np.floating]) -> ElasticScore | None:
        """Return how much of the true bend an answer contains; None if there is none."""
        return elastic_score(positions, self.positions, self.mask, self.scale)


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkCase:
    """One pair that is misaligned as it was taken, with landmarks by hand.

    Attributes
    ----------
    name, group : str
        The pair, and its modality.
    fixed, moving : ndarray of uint8, (H, W) or (H, W, 3)
        What a method sees; their sizes may differ.
    fixed_points, moving_points : ndarray of float64, (n, 2)
        (row, col) of the same places in both.
    """

    name: str
    group: str
    fixed: NDArray[np.uint8]
    moving: NDArray[np.uint8]
    fixed_points: NDArray[np.float64]
    moving_points: NDArray[np.float64]

    def error(self, positions: NDArray[np.floating]) -> float:
        """Return the landmarks' mean RE in px, the moving image counted as 256 x 256."""
        places = self.fixed_points[None]
        found = np.stack(
            [pull(positions[..., i], places, linear=True, edge=True)[0] for i in (0, 1)], axis=-1
        )
        scale = 256 / np.array(self.moving.shape[:2])
        return float(np.linalg.norm((found - self.moving_points) * scale, axis=-1).mean())

    def elastic(self, positions: NDArray[np.floating]) -> ElasticScore | None:  # noqa: ARG002
        """Return None: a few landmarks do not tell the bend from the rest."""
        return None


class KnownWarp:
    """A homography after a smooth displacement: fixed pixel to moving pixel, (row, col)."""

    def __init__(self, rows: int, cols: int, strength: Strength, seed: int) -> None:
        rng = np.random.default_rng(seed)
        angle = np.deg2rad(rng.uniform(-1, 1) * strength.rotation)
        scale = 1 + rng.uniform(-1, 1) * strength.scale
        shift = rng.uniform(-1, 1, 2) * strength.translation * (cols, rows)
        shear = rng.uniform(-1, 1) * strength.shear
        tilt = rng.uniform(-1, 1, 2) * strength.perspective
        cos, sin = np.cos(angle), np.sin(angle)
        linear = np.array([[cos, -sin], [sin, cos]]) @ [[scale, scale * shear], [0, scale]]
        affine = np.eye(3)
        affine[:2, :2], affine[:2, 2] = linear, shift
        centre = np.array([[1, 0, (cols - 1) / 2], [0, 1, (rows - 1) / 2], [0, 0, 1]])
        unit = np.array([[2 / (cols - 1), 0, -1], [0, 2 / (rows - 1), -1], [0, 0, 1]])
        projective = np.array([[1, 0, 0], [0, 1, 0], [*tilt, 1]])
        self._matrix_xy = (
            centre @ affine @ np.linalg.inv(centre) @ np.linalg.inv(unit) @ projective @ unit
        )
        self._shape = rows, cols
        self._elastic = _elastic(rows, cols, strength, rng) if strength.elastic else None

    def forward(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map fixed points to moving points."""
        return _project(self._matrix_xy, points + self._offset(points))

    def backward(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map moving points to fixed points; `forward` undoes it to well below 0.01 px."""
        target = _project(np.linalg.inv(self._matrix_xy), points)
        found = target
        if self._elastic is not None:
            for _ in range(60):
                found = target - self._offset(found)
        return found

    def _offset(self, points: NDArray[np.float64]) -> NDArray[np.float64] | float:
        if self._elastic is None:
            return 0.0
        rows, cols = self._shape
        inside = np.stack(
            [points[..., 0].clip(0, rows - 1), points[..., 1].clip(0, cols - 1)], axis=-1
        )
        parts = [pull(self._elastic[..., i], inside, linear=True, edge=True) for i in (0, 1)]
        return np.stack(parts, axis=-1).astype(np.float64)


def _elastic(
    rows: int, cols: int, strength: Strength, rng: np.random.Generator
) -> NDArray[np.float64]:
    import cv2

    to_pixels = np.array([rows, cols]) / 256
    noise = rng.standard_normal((rows, cols, 2))
    sigma_rows, sigma_cols = strength.sigma * to_pixels
    blur = {"sigmaX": sigma_cols, "sigmaY": sigma_rows, "borderType": cv2.BORDER_REFLECT}
    smooth = [np.asarray(cv2.GaussianBlur(noise[..., i], (0, 0), **blur)) for i in (0, 1)]
    field = np.stack(smooth, axis=-1) * to_pixels
    longest = np.linalg.norm(field / to_pixels, axis=-1).max()
    return np.asarray(field * (strength.elastic / longest))


def _project(matrix_xy: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    xy1 = np.concatenate([points[..., ::-1], np.ones_like(points[..., :1])], axis=-1)
    mapped = xy1 @ matrix_xy.T
    return np.asarray((mapped[..., :2] / mapped[..., 2:])[..., ::-1])


def pixel_positions(rows: int, cols: int) -> NDArray[np.float64]:
    """Return the (row, col) of every pixel, shape (rows, cols, 2)."""
    return np.moveaxis(np.mgrid[:rows, :cols].astype(np.float64), 0, -1)


def pull(
    image: NDArray[np.generic],
    positions: NDArray[np.floating],
    *,
    linear: bool = False,
    edge: bool = False,
) -> NDArray[np.float32]:
    """Sample an image at (row, col) positions: cubic, black outside, unless told otherwise."""
    import cv2

    return np.asarray(
        cv2.remap(
            np.asarray(image, np.float32),
            np.ascontiguousarray(positions[..., 1], np.float32),
            np.ascontiguousarray(positions[..., 0], np.float32),
            cv2.INTER_LINEAR if linear else cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE if edge else cv2.BORDER_CONSTANT,
        )
    )


def make_case(
    name: str,
    group: str,
    fixed: NDArray[np.uint8],
    moving: NDArray[np.uint8],
    protocol: Protocol,
    *,
    mask: NDArray[np.bool_] | None = None,
    seed: int = 0,
) -> Case:
    """Misalign one aligned pair.

    Parameters
    ----------
    name, group : str
        The pair's name, which seeds the transform, and its modality.
    fixed, moving : ndarray of uint8, (H, W) or (H, W, 3)
        Aligned pictures of equal size.
    protocol : Protocol
        What to do.
    mask : ndarray of bool, (H, W), optional
        Where `moving` has data.
    seed : int
        Other numbers draw other transforms.
    """
    rows, cols = (protocol.size,) * 2 if protocol.size else fixed.shape[:2]
    if protocol.borderless and protocol.size is None:
        rows, cols = int(rows / CANVAS), int(cols / CANVAS)
    grow = CANVAS if protocol.borderless else 1.0
    canvas = (round(rows * grow), round(cols * grow)) if protocol.borderless else (rows, cols)
    origin = (np.array(canvas) - (rows, cols)) // 2
    window = slice(origin[0], origin[0] + rows), slice(origin[1], origin[1] + cols)

    digest = hashlib.sha256(f"{name}|{protocol.seed_name}|{seed}".encode()).digest()
    warp = KnownWarp(rows, cols, KINDS[protocol.kind], int.from_bytes(digest[:8], "little"))
    grid = pixel_positions(rows, cols)
    moved = pull(_resize(moving, canvas), warp.backward(grid) + origin)
    positions = warp.forward(grid)
    valid = np.all((positions >= 0) & (positions <= (rows - 1, cols - 1)), axis=-1)
    if mask is not None:
        valid &= _resize(mask * np.uint8(255), canvas)[window] > 250
    return Case(
        name,
        group,
        _as_uint8(_resize(fixed, canvas)[window]),
        _as_uint8(moved),
        positions,
        valid,
        np.array([256 / rows, 256 / cols]),
    )


def _resize(image: NDArray[np.generic], shape: tuple[int, int]) -> NDArray[np.float32]:
    import cv2

    values = np.asarray(image, np.float32)
    if values.shape[:2] == shape:
        return values
    shrinks = values.shape[0] >= shape[0] and values.shape[1] >= shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(values, shape[::-1], interpolation=method))


def _as_uint8(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(values).clip(0, 255).astype(np.uint8)
