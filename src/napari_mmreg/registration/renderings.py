"""The moving image as the fixed sensor would show it, on the fixed image's pixels (ours).

What one sensor's grey levels mean to the other is known where the images are aligned. So
the image is mixed by least squares of a model's channels and of the moving image, a few factors
for all pixels, after the registration and by what it handed back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_mmreg.geometry import pixel_grid
from napari_mmreg.geometry.warp import warp_image

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_mmreg.geometry import Transform
    from napari_mmreg.imaging import Pair
    from napari_mmreg.models.protocol import Rendering

WINDOW, FLOOR = 1.5, 0.01
"""Sigma in pixels of the surroundings whose variance, above a floor, errors are divided by: what is
off in a plain area is seen there, and similarity of structure counts it so."""


def mix_rendering(
    pair: Pair, transform: Transform, rendering: Rendering, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Render an image from a model's channels and the moving image, warped alike.

    Parameters
    ----------
    pair : Pair
        On whose grid it was rendered.
    transform : Transform
        Fixed to moving pixels of that grid: what is handed back, not what the model said.
    rendering : Rendering
    shape : (int, int)
        Rows and columns of the fixed image.

    Returns
    -------
    ndarray of float32, shape (H, W)
        In [0, 1], as the pair's fixed image; 0 where the moving image has no data.

    Notes
    -----
    *Convention*: (row, col), pixel centres at integers, fixed to moving (pull).
    """
    channels_from_moving = rendering.moving_from_channels.inverse()
    factors, offset = _fit(pair, transform, channels_from_moving, rendering.channels)
    on_fixed = transform.compose(pair.fixed_from_grid.inverse())
    # Mixed first and warped then: one image instead of many.
    painted = channels_from_moving.compose(on_fixed).resample(
        rendering.channels @ factors[:-1] + offset, shape
    )
    own = on_fixed.resample(pair.moving * factors[-1], shape)
    known = on_fixed.resample(pair.moving_mask, shape, order=0)
    picture: NDArray[np.float32] = np.where(known, (painted + own).clip(0, 1), np.float32(0))
    return picture


def _fit(
    pair: Pair,
    transform: Transform,
    channels_from_moving: Transform,
    channels: NDArray[np.float32],
) -> tuple[NDArray[np.float32], np.float32]:
    """Return factors of the channels and of the moving image, and the offset."""
    import torch

    from napari_mmreg.nn.mixing import fit_mixture

    there = transform.map(pixel_grid(*(slice(0, size) for size in pair.shape)))
    known = pair.fixed_mask & warp_image(pair.moving_mask, there, order=0, fill=0)
    mean = ndimage.gaussian_filter(pair.fixed, WINDOW)
    spread = ndimage.gaussian_filter(np.square(pair.fixed - mean), WINDOW)
    # All pixels: networks upsample in patterns, which every second one would not show.
    every = torch.cat(
        [
            _sampled(channels, channels_from_moving.map(there)),
            _sampled(pair.moving[..., None], there),
        ],
        dim=1,
    )
    target, weight = (
        torch.from_numpy(part)[None, None] for part in (pair.fixed, known / (spread + FLOOR))
    )
    factors, offset = fit_mixture(every, target, weight)
    return factors[0, :, 0, 0].numpy(), np.float32(offset.item())


def _sampled(image: NDArray[np.float32], positions: NDArray[np.float64]) -> Tensor:
    """Sample (h, w, K) linearly at (H, W, 2), as (1, K, H, W); many channels at once."""
    import torch

    from napari_mmreg.nn.sampling import sample

    places = torch.from_numpy(np.nan_to_num(positions[None, ..., ::-1]).astype(np.float32))
    return sample(torch.from_numpy(image).permute(2, 0, 1)[None], places)
