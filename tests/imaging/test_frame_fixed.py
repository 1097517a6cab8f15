import numpy as np
import pytest
from scipy import ndimage
from skimage import data

from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.imaging import prepare_pair
from napari_mmreg.imaging.frame_fixed import find_frame_fixed, without_defects

ASTRONAUT = data.astronaut()[::2, ::2]
VISIBLE = ASTRONAUT[..., 0]
TRUTH = MatrixTransform.from_params(rotation_degrees=4, translation=(9, -12), center=(127.5, 127.5))
# Another band, moved: nothing of the scene is at the same place.
OTHER = ndimage.gaussian_filter(255 - 0.8 * ASTRONAUT[..., 2], 0.7).astype(np.uint8)
OTHER = TRUTH.inverse().resample(OTHER, OTHER.shape, fill=0)


def bar(image):
    image[40:200, 236:250] = 255
    image[41:199, 237:249] = np.linspace(255, 0, 158)[:, None].astype(np.uint8)


def cross(image):
    image[127, 110:146] = image[110:146, 127] = 255


def logo(image):
    image[5:21, 5:61] = 0
    image[9:17:2, 10:56] = 255


@pytest.mark.parametrize("draw", [bar, cross, logo])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_is_drawn_into_both_is_found(draw, dtype):
    fixed, moving, drawn = VISIBLE.copy(), OTHER.copy(), np.full_like(VISIBLE, 7)
    for image in (fixed, moving, drawn):
        draw(image)
    drawn = drawn != 7
    scale = 257 if dtype == np.uint16 else 1
    found = find_frame_fixed(fixed, moving.astype(dtype) * dtype(scale)).overlay
    assert found[drawn].mean() > 0.98
    assert found[~ndimage.binary_dilation(drawn, iterations=6)].mean() < 0.01


def test_the_pair_does_not_show_it():
    fixed, moving = VISIBLE.copy(), OTHER.copy()
    for image in (fixed, moving):
        bar(image)
    pair = prepare_pair(fixed, moving)
    assert not pair.fixed_mask[40:200, 236:250].any()
    assert not pair.moving_mask[40:200, 236:250].any()
    assert pair.fixed_excluded[40:200, 236:250].all()
    assert pair.fixed_mask[:, :200].all()
    whole = prepare_pair(fixed, moving, detect_borders=False)
    assert whole.fixed_mask.all()


@pytest.mark.parametrize(
    ("fixed", "moving"),
    [
        (VISIBLE, OTHER),
        (VISIBLE, VISIBLE),
        (VISIBLE, 255 - VISIBLE),
        (ASTRONAUT, ASTRONAUT[..., 1]),
        (data.page(), np.roll(data.page(), 9, axis=1)),
        (data.page(), data.page()),
        (VISIBLE, OTHER[:-1]),
    ],
)
def test_ordinary_pairs_have_nothing_in_common(fixed, moving):
    found = find_frame_fixed(fixed, moving)
    assert not found.overlay.any()
    assert not found.defects.any()


def defective(seed, value, both=True):
    fixed, moving = VISIBLE.astype(np.uint16), OTHER.astype(np.uint16)
    rng = np.random.default_rng(seed)
    places = rng.integers(0, 256, (600, 2))
    fixed[tuple(places.T)] = value
    if not both:
        places = rng.integers(0, 256, (600, 2))
    moving[tuple(places.T)] = value
    return fixed, moving, np.isin(np.arange(256 * 256), places @ [256, 1]).reshape(256, 256)


def test_hot_pixels_at_the_same_places_are_replaced():
    fixed, moving, hot = defective(0, 20000)
    found = find_frame_fixed(fixed, moving)
    assert (found.defects == hot).mean() > 0.999
    mended = without_defects(fixed, found.defects)
    assert mended.dtype == fixed.dtype
    assert mended.max() < 300
    np.testing.assert_array_equal(mended[~found.defects], fixed[~found.defects])
    assert np.abs(mended.astype(float) - VISIBLE).mean() < 0.2
    assert fixed.max() == 20000  # the input is not changed
    pair = prepare_pair(fixed, moving)
    assert pair.fixed.std() > 0.15  # they did not set the contrast


def test_hot_pixels_at_other_places_are_not_of_the_frame():
    fixed, moving, _ = defective(0, 20000, both=False)
    assert not find_frame_fixed(fixed, moving).defects.any()


def test_colours_keep_their_channels():
    image = np.zeros((20, 20, 3), np.uint8)
    image[..., 1] = 50
    defects = np.zeros((20, 20), bool)
    defects[0, 0] = defects[7, 8] = True
    image[defects] = 255
    mended = without_defects(image, defects)
    assert (mended == (0, 50, 0)).all()


def test_large_images_are_thinned():
    large = np.kron(VISIBLE, np.ones((5, 5), np.uint8))
    other = np.kron(OTHER, np.ones((5, 5), np.uint8))
    for image in (large, other):
        image[300:420, 300:900] = 0
        image[330:390, 330:870:40] = 255
        image[330:390, 332:870:40] = 255
    found = find_frame_fixed(large, other).overlay
    assert found.shape == large.shape
    assert found[330:390, 330:870].mean() > 0.98
    assert found.mean() < 0.06
