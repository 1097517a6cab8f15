import numpy as np
import pytest
from scipy import ndimage
from skimage import data
from skimage.draw import polygon2mask

from napari_mmreg.imaging import prepare_pair
from napari_mmreg.imaging.field_of_view import apertures

CAMERA = np.clip(data.camera()[::2, ::2] / 255, 0.12, 0.92).astype(np.float32)
RETINA = data.retina()
Y, X = np.mgrid[:256, :256] - 127.5


def ellipse(a, b, shift=(0, 0), degrees=0):
    angle = np.deg2rad(degrees)
    y, x = Y - shift[0], X - shift[1]
    u, v = y * np.cos(angle) + x * np.sin(angle), x * np.cos(angle) - y * np.sin(angle)
    return (u / a) ** 2 + (v / b) ** 2 < 1


OCTAGON = polygon2mask(
    (256, 256), 127.5 + 122 * np.array([(np.sin(t), np.cos(t)) for t in np.arange(8) * np.pi / 4])
)
SHAPES = {
    "circle": ellipse(120, 120),
    "beyond two sides": ellipse(139, 139, (0, 3)),
    "ellipse": ellipse(123, 90, (2, -5), 20),
    "cut by sides": ellipse(126, 126) & (np.abs(Y) < 104),
    "half": ellipse(125, 125) & (Y < 40),
    "with a notch": ellipse(120, 120) & ~((np.abs(X - 90) < 9) & (np.abs(Y + 80) < 9)),
    "off the centre": ellipse(100, 100, (18, -20)),
}


def seen(inside, level=0.0, noise=0.0, soft=0.0, picture=CAMERA):
    opening = inside.astype(np.float32)
    if soft:
        opening = ndimage.gaussian_filter(opening, soft)
    image = level + opening * (picture - level)
    return (image + np.random.default_rng(0).normal(0, noise, image.shape)).astype(np.float32)


def aperture(grey):
    return next((inside for inside, _ in apertures(grey)), None)


def check(found, inside, rim):
    assert found is not None
    assert not (found & ~inside).any()
    assert found[ndimage.binary_erosion(inside, iterations=rim, border_value=1)].mean() > 0.99


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_any_shape_on_any_level(name, level):
    check(aperture(seen(SHAPES[name], level, 0.004)), SHAPES[name], 9)


@pytest.mark.parametrize("level", [0.35, 1.0])
def test_a_polygon_on_grey_or_white(level):
    check(aperture(seen(OCTAGON, level, 0.004)), OCTAGON, 9)


@pytest.mark.parametrize("noise", [0.02, 0.04])
def test_noise_outside(noise):
    inside = SHAPES["circle"]
    check(aperture(np.clip(seen(inside, 0.02, noise), 0, 1)), inside, 11)


@pytest.mark.parametrize("soft", [2.0, 4.0])
def test_a_soft_edge_goes_with_it(soft):
    inside = ellipse(110, 110)
    found = aperture(seen(inside, 0.0, 0.004, soft))
    assert found is not None
    assert ndimage.gaussian_filter(inside.astype(float), soft)[found].min() > 0.6
    assert found[ellipse(92, 92)].mean() > 0.99


def test_large_images_are_found_as_small_ones():
    inside = np.kron(SHAPES["circle"], np.ones((4, 4), bool))
    picture = np.kron(CAMERA, np.ones((4, 4), np.float32))
    opening = np.where(inside, picture, 0).astype(np.float32)
    check(aperture(opening), inside, 40)


@pytest.mark.parametrize(
    "picture",
    [
        data.camera(),
        data.astronaut()[..., 0],
        data.coffee()[..., 1],
        data.moon(),
        data.coins(),
        data.rocket()[..., 2],
        data.chelsea()[..., 0],
        data.immunohistochemistry()[..., 0],
        data.page(),
    ],
)
def test_ordinary_pictures_have_none(picture):
    assert aperture(picture.astype(np.float32)) is None


def test_a_natural_outline_is_no_aperture():
    # As irregular as a head in a scanner: 3 % of its size.
    angle = np.arctan2(Y, X)
    radius = 92 + 4 * np.cos(3 * angle + 1) + 3 * np.sin(5 * angle) + 2 * np.cos(9 * angle + 2)
    assert aperture(seen(radius > np.hypot(Y / 1.2, X))) is None


def test_a_flat_picture_and_a_tiny_one():
    assert aperture(np.zeros((64, 64), np.float32)) is None
    assert aperture(np.pad(np.ones((4, 4), np.float32), 6)) is None


def test_the_pair_leaves_it_out_and_says_so():
    inside = SHAPES["circle"]
    fixed = (seen(inside) * 255).astype(np.uint8)
    pair = prepare_pair(fixed, 255 - data.camera()[::2, ::2])
    check(pair.fixed_mask, inside, 9)
    np.testing.assert_array_equal(pair.fixed_excluded, ~pair.fixed_mask)
    assert pair.moving_mask.all()
    assert pair.moving_excluded is None
    small = prepare_pair(fixed, 255 - data.camera()[::2, ::2], budget=128 * 128)
    assert small.fixed_excluded.shape == (128, 128)
    assert prepare_pair(fixed, fixed, detect_borders=False).fixed_mask.all()
