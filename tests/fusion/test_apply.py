"""`napari_mmreg.fuse` with images of any kind, every method."""

import numpy as np
import pytest
from skimage import data

import napari_mmreg
from napari_mmreg.errors import Cancelled, DeviceError, InputError, ModelError
from napari_mmreg.fusion import apply, fuse, list_fusions

COFFEE = data.coffee()[40:200, 100:300]
GREY, OTHER = COFFEE[..., 0], 255 - COFFEE[..., 2]
METHODS = [info.name for info in list_fusions()]


@pytest.fixture(params=METHODS)
def method(request):
    return request.param


def test_it_is_public():
    assert napari_mmreg.fuse is fuse


@pytest.mark.parametrize("shape", [(16, 16), (17, 31), (160, 47)], ids=str)
def test_any_size(method, shape):
    fused = fuse(GREY[: shape[0], : shape[1]], OTHER[: shape[0], : shape[1]], method)
    assert fused.shape == shape
    assert fused.dtype == np.uint8
    assert fused.std() > 5


def test_the_same_twice(method):
    np.testing.assert_array_equal(fuse(GREY, OTHER, method), fuse(GREY, OTHER, method))


def test_inputs_stay_as_they_are(method):
    one, other = GREY.copy(), OTHER.copy()
    fuse(one, other, method)
    np.testing.assert_array_equal(one, GREY)
    np.testing.assert_array_equal(other, OTHER)


def test_identical_images_fuse_to_their_scaled_selves():
    fused = fuse(COFFEE, COFFEE, "laplacian")
    grey = COFFEE @ [0.299, 0.587, 0.114]
    low, high = np.percentile(grey, (0.5, 99.5))
    expected = 255 * (COFFEE - low) / (high - low)
    inside = (grey > low) & (grey < high)
    np.testing.assert_allclose(fused[inside], np.clip(expected, 0, 255)[inside], atol=1.5)


@pytest.mark.parametrize("dtype", [np.bool_, np.int16, np.uint16, np.int64, np.float16, np.float64])
def test_dtypes_other_than_uint8_give_float(dtype):
    image = GREY > 128 if dtype is np.bool_ else GREY.astype(dtype)
    fused = fuse(image, OTHER)
    assert fused.dtype == np.float32
    assert 0 <= fused.min() < fused.max() <= 1
    if dtype is not np.bool_:
        assert np.abs(255 * fused - fuse(GREY, OTHER)).max() < 1.0


def test_large_offsets_keep_their_contrast():
    fused = fuse(GREY.astype(np.float64) + 1e9, OTHER.astype(np.uint64) + 2**60)
    assert np.abs(255 * fused - fuse(GREY, OTHER)).max() < 1.0


@pytest.mark.parametrize("flat", [0, 7, 255])
def test_a_constant_image_adds_nothing(flat):
    fused = fuse(GREY, np.full_like(GREY, flat)).astype(float)
    assert np.corrcoef(fused.ravel(), GREY.ravel())[0, 1] > 0.95
    assert np.ptp(fuse(np.full_like(GREY, 9), np.full_like(GREY, flat))) == 0


def test_colour_is_that_of_the_fixed_image_if_it_has_any():
    grey_as_rgb = np.repeat(OTHER[..., None], 3, -1)
    opaque = np.dstack([COFFEE, np.full(GREY.shape, 255, np.uint8)])
    first = fuse(COFFEE, OTHER)
    assert first.shape == COFFEE.shape
    np.testing.assert_allclose(fuse(opaque, grey_as_rgb), first, atol=1)
    second = fuse(OTHER, COFFEE)
    assert second.shape == COFFEE.shape
    for fused in (first, second):
        reddish = fused[..., 0].astype(int) - fused[..., 2]
        own = COFFEE[..., 0].astype(int) - COFFEE[..., 2]
        assert np.corrcoef(reddish.ravel(), own.ravel())[0, 1] > 0.8
    assert fuse(grey_as_rgb, grey_as_rgb).ndim == 2


def test_outside_valid_the_fixed_image_stands_alone(method):
    valid = np.zeros(GREY.shape, bool)
    valid[30:, 50:] = True
    nothing = fuse(GREY, OTHER, method, np.zeros_like(valid))
    wild = np.where(valid, OTHER, 255).astype(np.uint8)
    fused = fuse(GREY, wild, method, valid)
    np.testing.assert_array_equal(fused[~valid], nothing[~valid])
    inner = np.s_[60:, 80:]
    assert np.abs(fused[inner].astype(int) - nothing[inner]).mean() > 5
    # What lies outside does not count at all.
    np.testing.assert_array_equal(fused, fuse(GREY, np.where(valid, OTHER, 0), method, valid))


def test_there_is_no_seam():
    ramp = np.tile(np.linspace(0, 255, 160).astype(np.uint8), (160, 1))
    valid = np.zeros(ramp.shape, bool)
    valid[:, 80:] = True
    fused = fuse(ramp, 255 - ramp, valid=valid).astype(int)
    assert np.abs(np.diff(fused[:, 70:90], axis=1)).max() <= 12


def test_missing_values(method):
    fixed, moving = GREY.astype(np.float32), OTHER.astype(np.float32)
    fixed[:20, :20] = np.nan
    moving[60:80, 60:80] = np.inf
    moving[:5, :5] = np.nan
    fused = fuse(fixed, moving, method)
    assert np.isfinite(fused).all()
    assert (fused[:5, :5] == 0).all()
    assert np.corrcoef(fused[6:20, 6:20].ravel(), OTHER[6:20, 6:20].ravel())[0, 1] > 0.999
    alone = fuse(fixed, moving, method, np.zeros(fixed.shape, bool))
    np.testing.assert_array_equal(fused[60:80, 60:80], alone[60:80, 60:80])


@pytest.mark.parametrize("colour", [False, True])
def test_tiles_do_not_show(method, colour, monkeypatch):
    fixed = np.tile(COFFEE if colour else GREY, (4, 4, 1) if colour else (4, 4))
    moving = np.tile(OTHER, (4, 4))
    valid = np.hypot(*np.mgrid[-200:440, -300:500]) < 420
    whole = fuse(fixed, moving, method, valid)
    monkeypatch.setattr(apply, "TILE", 256)
    seen = []
    tiled = fuse(fixed, moving, method, valid, progress=lambda *report: seen.append(report))
    # F2M weighs its channels by the middle alone once an image is larger than a tile.
    assert np.abs(whole.astype(int) - tiled).max() <= (5 if method == "f2m" else 1)
    assert len({fraction for _, fraction in seen}) >= 12
    assert [f for _, f in seen] == sorted(f for _, f in seen)
    assert seen[-1] == ("Fusing", 1.0)


def test_it_can_be_cancelled(method):
    with pytest.raises(Cancelled):
        fuse(GREY, OTHER, method, cancel=lambda: True)


def test_wrong_inputs():
    with pytest.raises(InputError, match=r"160 x 200.*160 x 199.*result\.registered"):
        fuse(GREY, OTHER[:, :-1])
    with pytest.raises(InputError, match=r"`valid`.*float64"):
        fuse(GREY, OTHER, valid=np.ones(GREY.shape))
    with pytest.raises(InputError, match="dimensions"):
        fuse(GREY, OTHER[None, None])
    with pytest.raises(ModelError, match="magic"):
        fuse(GREY, OTHER, "magic")
    with pytest.raises(DeviceError, match="quantum"):
        fuse(GREY, OTHER, "cnn", device="quantum")
