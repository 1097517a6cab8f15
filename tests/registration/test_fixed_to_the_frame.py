"""What belongs to the camera and not to the scene does not decide: right, or not called ok."""

import numpy as np
import pytest
from scipy import ndimage
from skimage import data

from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.registration import register

SHAPE = (200, 200)
SCENE = data.astronaut().astype(np.float32)
ROWS, COLS = np.mgrid[: SHAPE[0], : SHAPE[1]] - 99.5


def view(scene, scene_from_image):
    return ndimage.affine_transform(
        scene, scene_from_image.matrix[:2, :2], scene_from_image.matrix[:2, 2], SHAPE, order=1
    )


def two_views(degrees, shift, darkest=50):
    """Red, and another band inverted, of one scene; the fixed one begins at (60, 130)."""
    fixed_in_scene = MatrixTransform.translation((60, 130))
    truth = MatrixTransform.from_params(
        rotation_degrees=degrees, scale=1.02, center=(99.5, 99.5), translation=shift
    )
    moving_in_scene = fixed_in_scene.compose(truth.inverse())
    return (
        view(darkest + SCENE[..., 0] * (1 - darkest / 255), fixed_in_scene),
        255 - view(SCENE[..., 2], moving_in_scene),
        truth,
    )


def error_px(result, truth, inside):
    """Median distance in moving pixels where both images show the scene."""
    points = np.argwhere(inside)[::97].astype(float)
    there = truth.map(points)
    seen = (there >= 0).all(axis=1) & (there <= np.array(SHAPE) - 1).all(axis=1)
    places = there[seen].astype(int)
    seen[seen] = inside[places[:, 0], places[:, 1]]
    apart = result.transform.map(points[seen]) - there[seen]
    return float(np.median(np.linalg.norm(apart, axis=1)))


@pytest.mark.parametrize("model", ["classical", "regnetmamba2"])
@pytest.mark.parametrize(("shift", "darkest"), [((30, 24), 50), ((8, -12), 0)])
def test_a_round_aperture_that_both_images_share(model, shift, darkest):
    fixed, moving, truth = two_views(2, shift, darkest)
    inside = np.hypot(ROWS, COLS) < 94
    images = (np.where(inside, image, 0).astype(np.uint8) for image in (fixed, moving))
    result = register(*images, model=model)
    if darkest:  # else the scene is as black as the outside here and there
        assert result.fixed_excluded[~inside].mean() > 0.99
    assert result.moving_excluded[~inside].mean() > 0.99
    assert error_px(result, truth, inside) < 2 or result.status != "ok"


@pytest.mark.parametrize("model", ["classical", "regnetmamba2"])
def test_hot_pixels_that_both_images_share(model):
    fixed, moving, truth = two_views(3, (9, -13))
    images = [(10 * image).astype(np.uint16) for image in (fixed, moving)]
    rows, cols = np.random.default_rng(7).integers(0, SHAPE[0], (2, 500))
    for image in images:
        image[rows, cols] = 20_000
    result = register(*images, model=model)
    everywhere = np.ones(SHAPE, np.bool_)
    assert error_px(result, truth, everywhere) < 2 or result.status != "ok"
    # The pixels themselves are kept in what is handed back.
    assert result.registered.max() > 10_000
