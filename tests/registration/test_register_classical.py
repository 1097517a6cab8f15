"""The path with the real classical engine, on pictures that scikit-image ships."""

from functools import partial

import numpy as np
import pytest
from skimage import data

from napari_mmreg.errors import Cancelled
from napari_mmreg.evaluation import landmark_error
from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.registration import register as register_with

register = partial(register_with, model="classical")
ASTRONAUT = data.astronaut()
RED = ASTRONAUT[..., 0]
# Another "sensor": another colour, inverted, with another contrast.
OTHER = np.sqrt(255.0 - ASTRONAUT[..., 2]).astype(np.float32)


def error_px(result, truth, shape):
    """Median error in moving pixels over a lattice of the fixed image."""
    rows, cols = np.mgrid[20 : shape[0] - 20 : 25, 20 : shape[1] - 20 : 25]
    points = np.stack([rows.ravel(), cols.ravel()], axis=1).astype(float)
    return landmark_error(result.transform, points, truth.map(points)).median


def test_translation_between_unequal_sizes():
    fixed, moving = RED[60:400, 50:450], OTHER[40:430, 20:460]
    truth = MatrixTransform.translation((20, 30))
    result = register(fixed, moving)
    assert error_px(result, truth, fixed.shape) < 1
    assert result.status == "ok"
    assert result.registered.shape == fixed.shape
    assert result.registered.dtype == moving.dtype
    assert result.metrics["similarity_after"] > result.metrics["similarity_before"]


def test_anisotropic_pixels():
    truth = MatrixTransform.from_params(
        rotation_degrees=6, translation=(9, -14), center=(255.5, 255.5)
    )
    moving = truth.inverse().resample(OTHER, (512, 512))
    fixed = RED[:, ::2]  # pixels twice as wide as high
    tall = MatrixTransform.from_params(scale=(1.0, 2.0))
    result = register(fixed, moving, fixed_spacing=(1, 2), moving_spacing=(1, 1))
    assert error_px(result, truth.compose(tall), fixed.shape) < 2
    assert result.status == "ok"


def test_what_is_masked_does_not_mislead():
    truth = MatrixTransform.translation((12, -9))
    moving = truth.inverse().resample(OTHER, (512, 512))
    mask = np.ones((512, 512), bool)
    mask[:, 330:] = False
    # Under the mask lies the fixed picture itself, unmoved: a strong wrong answer.
    moving[:, 330:] = RED[:, 330:] / 16
    result = register(RED, moving, moving_mask=mask)
    assert error_px(result, truth, RED[:, :330].shape) < 1


def test_larger_images_use_the_finer_grid():
    fixed = np.kron(RED, np.ones((2, 2), np.uint8))
    moving = np.kron(OTHER, np.ones((2, 2), np.float32))
    truth = MatrixTransform.from_params(
        rotation_degrees=-4, translation=(25, 40), center=(511.5, 511.5)
    )
    result = register(fixed, truth.inverse().resample(moving, moving.shape))
    assert result.misregistration.shape == fixed.shape
    assert error_px(result, truth, fixed.shape) < 2


def test_same_input_and_seed_give_the_same_result():
    fixed, moving = RED[60:300, 50:300], OTHER[50:300, 60:310]
    one, two = (register(fixed, moving, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.displacement, two.displacement)
    np.testing.assert_array_equal(one.registered, two.registered)
    np.testing.assert_array_equal(one.misregistration, two.misregistration)
    assert one.metrics == two.metrics
    assert one.provenance["seed"] == 3


def test_nothing_in_common_is_not_called_ok():
    noise = np.random.default_rng(0).integers(0, 255, (240, 260)).astype(np.uint8)
    result = register(RED[:240, :250], noise)
    assert result.status in {"doubtful", "failed"}
    assert result.reasons


@pytest.mark.parametrize(
    "stage", ["Preparing", "Global alignment", "Local refinement", "Checking", "Writing result"]
)
def test_cancel_and_progress(stage):
    heard = []

    with pytest.raises(Cancelled):
        register(
            RED[::2, ::2],
            OTHER[::2, ::2],
            progress=lambda name, fraction: heard.append((name, fraction)),
            cancel=lambda: bool(heard) and heard[-1][0] == stage,
        )
    fractions = [fraction for _, fraction in heard]
    assert fractions == sorted(fractions)
    assert heard[-1][0] == stage
