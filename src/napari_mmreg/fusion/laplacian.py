"""Fusion by Laplacian pyramids: of every detail, the stronger one of the two images.

The pyramid is Burt and Adelson's (1983, The Laplacian pyramid as a compact image code, IEEE
Trans. Communications 31(4)), with their 5-tap binomial kernel. The choice of the detail by its
energy in a small window follows Burt and Kolczynski (1993, Enhanced image capture through
fusion, ICCV), without their match measure.

Ours: what is left of each image at the coarsest scale is mixed by how much detail lies there. On
27 pairs of the validation split, three of each modality combination, this kept more than their
mean did (Q_abf 0.644 against 0.634, EN 7.11 against 6.99, MI 2.79 against 2.73, SSIM 0.612 against
0.602; SCD fell from 1.51 to 1.49), and energy chose better than the largest coefficient (Q_abf
0.634 against 0.594).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mmreg.fusion.protocol import Fusion
from napari_mmreg.fusion.registry import get_fusion_info

if TYPE_CHECKING:
    from napari_mmreg.run import Run

Image = NDArray[np.float32]

LEVELS = 5
"""At most so many; the coarsest scale keeps four pixels along the shorter side."""

_KERNEL = (np.array([1, 4, 6, 4, 1]) / 16).astype(np.float32)
_WINDOW = 3
"""Side of the window in which the energy of a detail is measured, in its own pixels."""

_FLAT = 1e-3
"""Least amount of detail, in [0, 1]: two images without any are mixed half and half."""


class LaplacianFusion(Fusion):
    """Chooses details by their energy, and mixes the rest by the amount of detail."""

    info = get_fusion_info("laplacian")
    reach = 4 * 2**LEVELS
    stride = 2**LEVELS

    def fuse(
        self,
        fixed: Image,
        moving: Image,
        valid: NDArray[np.bool_],  # noqa: ARG002 - filled images need no mask here
        run: Run,
    ) -> Image:
        """Fuse two grey images; see `napari_mmreg.fusion.Fusion`."""
        levels = level_count(fixed.shape)
        (details, rest), (others, other_rest) = (
            build_pyramid(image, levels) for image in (fixed, moving)
        )
        run.check()
        amount, other_amount = (_detail_amount(each) for each in (details, others))
        share = other_amount / (amount + other_amount)
        fused: Image = rest + share * (other_rest - rest)
        for one, other in zip(reversed(details), reversed(others), strict=True):
            run.check()
            chosen = np.where(_energy(other) > _energy(one), other, one)
            fused = _expand(fused, chosen.shape) + chosen
        return fused


def level_count(shape: tuple[int, ...]) -> int:
    """Return how many levels of detail an image of this shape is divided into."""
    return max(1, min(LEVELS, int(np.log2(min(shape) / 4))))


def build_pyramid(image: Image, levels: int) -> tuple[list[Image], Image]:
    """Return the details of an image, finest first, and what is left at the coarsest scale.

    Parameters
    ----------
    image : ndarray of float32, shape (h, w)
    levels : int
        Each halves the number of rows and columns, rounded up.

    Notes
    -----
    *Convention*: pixel ``i`` of a level lies on pixel ``2 i`` of the finer one.
    """
    details = []
    for _ in range(levels):
        coarse = _reduce(image)
        details.append(image - _expand(coarse, image.shape))
        image = coarse
    return details, image


def _reduce(image: Image) -> Image:
    return _blur(image)[::2, ::2]


def _expand(image: Image, shape: tuple[int, ...]) -> Image:
    """Interpolate onto the finer grid, which may have an odd number of rows or columns."""
    spread = np.zeros(shape, np.float32)
    spread[::2, ::2] = image
    return _blur(spread, 2)


def _blur(image: Image, gain: int = 1) -> Image:
    # Mirrored at the outermost pixels, even ones stay even: `_expand` keeps constants at the rim.
    for axis in range(2):
        image = ndimage.correlate1d(image, gain * _KERNEL, axis=axis, mode="mirror")
    return image


def _energy(detail: Image) -> Image:
    squared: Image = ndimage.uniform_filter(np.square(detail), _WINDOW, mode="mirror")
    return squared


def _detail_amount(details: list[Image]) -> Image:
    """Return how much detail lies around each pixel of the coarsest scale, over all scales."""
    total = np.zeros_like(details[0])
    for detail in details:
        total = _reduce(total + np.abs(detail))
    return _blur(total) + np.float32(_FLAT)
