"""A model's rendering of the moving image, brought to the fixed image's pixels (ours)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_mmreg.geometry import Transform
    from napari_mmreg.imaging import Pair
    from napari_mmreg.models.protocol import Rendering

RERENDERED = "rerendered"
"""Key of `RegistrationResult.extras`."""


def lift_rendering(
    pair: Pair, transform: Transform, rendering: Rendering, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Warp a rendering of the moving image as the image itself is warped.

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
        In [0, 1]; 0 where the rendering has no data.

    Notes
    -----
    *Convention*: (row, col), pixel centres at integers, fixed to moving (pull).
    """
    on_fixed = transform.compose(pair.fixed_from_grid.inverse())
    picture_from_fixed = rendering.moving_from_picture.inverse().compose(on_fixed)
    return picture_from_fixed.resample(rendering.picture, shape)
