import numpy as np
import pytest
from scipy import ndimage
from skimage import data
from skimage.metrics import (
    normalized_mutual_information,
    peak_signal_noise_ratio,
    structural_similarity,
)

from napari_mmreg.errors import InputError
from napari_mmreg.evaluation import gradient_ncc, mind_distance, ncc, nmi, psnr, ssim

CAMERA = data.camera()[::2, ::2].astype(float)
NOISY = CAMERA + np.random.default_rng(0).normal(0, 20, CAMERA.shape)
ALL = (ncc, gradient_ncc, nmi, psnr, ssim, mind_distance)


def test_agrees_with_other_implementations():
    assert ncc(CAMERA, NOISY) == pytest.approx(np.corrcoef(CAMERA.ravel(), NOISY.ravel())[0, 1])
    expected = peak_signal_noise_ratio(CAMERA, NOISY, data_range=255)
    assert psnr(CAMERA, NOISY, data_range=255) == pytest.approx(expected)
    expected = structural_similarity(
        CAMERA,
        NOISY,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
    )
    assert ssim(CAMERA, NOISY, data_range=255) == pytest.approx(expected)
    expected = normalized_mutual_information(CAMERA, NOISY, bins=64)
    assert nmi(CAMERA, NOISY) == pytest.approx(expected)


def test_equal_images():
    assert ncc(CAMERA, CAMERA) == pytest.approx(1)
    assert gradient_ncc(CAMERA, CAMERA) == pytest.approx(1)
    assert nmi(CAMERA, CAMERA) == pytest.approx(2)
    assert psnr(CAMERA, CAMERA) == np.inf
    assert ssim(CAMERA, CAMERA) == pytest.approx(1)
    assert mind_distance(CAMERA, CAMERA) == 0


def test_another_sensor():
    inverted = 255 - CAMERA
    assert ncc(CAMERA, inverted) == pytest.approx(-1)
    assert gradient_ncc(CAMERA, inverted) == pytest.approx(1)
    assert nmi(CAMERA, inverted) == pytest.approx(2, abs=0.02)  # bin edges
    assert mind_distance(CAMERA, inverted) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("measure", [ncc, gradient_ncc, nmi, psnr, ssim])
def test_misalignment_is_less_alike(measure):
    near, far = (ndimage.shift(CAMERA, (0, d), mode="nearest") for d in (1, 6))
    mask = np.zeros(CAMERA.shape, bool)
    mask[10:-10, 10:-10] = True
    assert measure(CAMERA, near, mask) > measure(CAMERA, far, mask)


def test_misalignment_is_a_larger_distance():
    near, far = (ndimage.shift(CAMERA, (0, d), mode="nearest") for d in (1, 6))
    assert mind_distance(CAMERA, near) < mind_distance(CAMERA, far)


@pytest.mark.parametrize("measure", ALL)
@pytest.mark.parametrize("junk", [1e3, np.nan])
def test_what_lies_outside_the_mask_does_not_count(measure, junk):
    mask = np.ones(CAMERA.shape, bool)
    mask[:, :60] = False
    mask[40:50, 100:120] = False
    spoilt = NOISY.copy()
    spoilt[~mask] = junk
    # MIND scales by the whole picture's contrast, which the mask cannot take out entirely.
    tolerance = {"abs": 0.01} if measure is mind_distance else {"rel": 1e-9}
    assert measure(CAMERA, spoilt, mask) == pytest.approx(measure(CAMERA, NOISY, mask), **tolerance)


@pytest.mark.parametrize("measure", ALL)
def test_undefined_is_nan(measure):
    assert np.isnan(measure(CAMERA, NOISY, np.zeros(CAMERA.shape, bool)))
    if measure is not mind_distance:
        flat = np.ones(CAMERA.shape)
        assert np.isnan(measure(flat, flat))


@pytest.mark.parametrize("measure", ALL)
def test_bad_input(measure):
    with pytest.raises(InputError, match="one shape"):
        measure(CAMERA, CAMERA[1:])
    with pytest.raises(InputError, match="mask"):
        measure(CAMERA, CAMERA, np.ones((3, 3), bool))


def test_bad_data_range():
    with pytest.raises(InputError, match="positive"):
        psnr(CAMERA, NOISY, data_range=0)
