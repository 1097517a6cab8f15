import numpy as np
import pytest

from napari_mmreg.errors import InputError
from napari_mmreg.imaging import to_grey
from napari_mmreg.imaging.grey import find_range

RAMP = np.arange(20 * 24).reshape(20, 24)


@pytest.mark.parametrize(
    "dtype",
    ["uint16", ">u2", "int16", ">i4", "uint32", "int64", "uint64", "float32", ">f8", "longdouble"],
)
def test_every_dtype_gives_the_same_ramp(dtype):
    grey, mask = to_grey(RAMP.astype(dtype))
    assert grey.dtype == np.float32
    assert mask.all()
    np.testing.assert_allclose(grey, RAMP / RAMP.max(), atol=1e-6)


def test_narrow_dtypes():
    np.testing.assert_allclose(to_grey((RAMP // 2).astype("uint8"))[0].max(), 1)
    half = (RAMP / 100).astype("float16")
    expected = half.astype(float) / float(half.max())
    np.testing.assert_allclose(to_grey(half)[0], expected, atol=1e-6)
    checks = RAMP % 2 == 0
    assert np.array_equal(to_grey(checks)[0], checks.astype(np.float32))


@pytest.mark.parametrize(
    "image",
    [
        RAMP.astype("uint64") + np.uint64(2**63),
        RAMP.astype("int64") - 2**62,
        RAMP + 1e12,
        RAMP * 1e-42,
        RAMP * (np.finfo(float).max / RAMP.max()),
        (RAMP / RAMP.max() * 2 - 1) * np.finfo(float).max,
    ],
)
def test_large_offsets_and_tiny_or_huge_values_keep_their_differences(image):
    grey, mask = to_grey(image)
    assert mask.all()
    np.testing.assert_allclose(grey, RAMP / RAMP.max(), atol=1e-4)


def test_signed_extremes_do_not_wrap():
    image = np.zeros((20, 20), np.int64)
    image[0, 0], image[1, 1] = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    grey, _ = to_grey(image)
    assert grey[0, 0] == 0
    assert grey[1, 1] == 1
    assert grey[5, 5] == pytest.approx(0.5)


def test_colour_becomes_luma():
    image = np.zeros((20, 20, 3), np.uint8)
    image[:, :5, 0], image[:, 5:10, 1], image[:, 10:15, 2], image[:, 15:] = 255, 255, 255, 255
    grey, mask = to_grey(image)
    assert mask.all()
    np.testing.assert_allclose(grey[0, [0, 5, 10, 15]], [0.299, 0.587, 0.114, 1.0], atol=1e-6)


def test_alpha_nan_and_inf_are_no_data():
    rgba = np.random.default_rng(0).uniform(size=(20, 20, 4)).astype(np.float32)
    rgba[..., 3] = 1
    rgba[3, 4, 3] = 0
    rgba[5, 6, 1] = np.nan
    rgba[7, 8, 2] = -np.inf
    grey, mask = to_grey(rgba)
    assert sorted(map(tuple, np.argwhere(~mask))) == [(3, 4), (5, 6), (7, 8)]
    assert np.isfinite(grey).all()
    assert grey[3, 4] == grey[5, 6] == grey[7, 8] == 0


def test_alpha_does_not_set_the_contrast():
    rgba = np.full((20, 20, 4), 255, np.uint8)
    rgba[..., :3] = 100
    rgba[0, 0, :3] = 150
    assert find_range(rgba) == (100, 150)


def test_nothing_but_nan_or_alpha_zero():
    with pytest.raises(InputError, match="NaN or infinite"):
        to_grey(np.full((20, 20), np.nan))
    with pytest.raises(InputError, match="transparent"):
        to_grey(np.zeros((20, 20, 4), np.uint8))


def test_a_given_range_is_used():
    grey, _ = to_grey(RAMP.astype("uint16"), (0, 1000))
    np.testing.assert_allclose(grey, RAMP / 1000, atol=1e-6)
