import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_mmreg.errors import Cancelled
from napari_mmreg.fusion.laplacian import LaplacianFusion
from napari_mmreg.nn.laplacian import LEVELS, build_pyramid, laplacian_fusion, level_count
from napari_mmreg.run import Run

SHAPES = [(16, 16), (17, 31), (64, 200), (129, 97)]


def noise(shape, seed=0, sigma=2.0):
    picture = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), sigma)
    return ((picture - picture.min()) / np.ptp(picture)).astype(np.float32)


def fuse(fixed, moving, run=None):
    return LaplacianFusion().fuse(fixed, moving, np.ones(fixed.shape, bool), run or Run())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_an_image_fused_with_itself_stays_as_it_is(shape):
    image = noise(shape)
    np.testing.assert_allclose(fuse(image, image), image, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_constant_images_have_no_detail_up_to_the_rim(shape):
    details, rest = build_pyramid(torch.full((1, 1, *shape), 0.3), level_count(shape))
    assert max(float(detail.abs().max()) for detail in details) < 1e-6
    torch.testing.assert_close(rest, torch.full_like(rest, 0.3), rtol=0, atol=1e-6)


def test_level_count():
    assert level_count((16, 500)) == 2
    assert level_count((5000, 5000)) == LEVELS


def test_flat_images_are_mixed_half_and_half():
    fused = fuse(np.full((40, 40), 0.2, np.float32), np.full((40, 40), 0.8, np.float32))
    np.testing.assert_allclose(fused, 0.5, atol=5e-5)


def test_the_detail_of_either_image_is_kept():
    left, right = noise((96, 96), 1, 1.0), noise((96, 96), 2, 1.0)
    fixed, moving = np.full_like(left, 0.5), np.full_like(left, 0.5)
    fixed[:, :48], moving[:, 48:] = left[:, :48], right[:, 48:]
    fused = fuse(fixed, moving)

    def sharp(image):
        return image - ndimage.gaussian_filter(image, 2)

    for source, part in ((fixed, np.s_[8:-8, 8:40]), (moving, np.s_[8:-8, 56:-8])):
        one, other = sharp(source)[part], sharp(fused)[part]
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.99
        assert other.std() == pytest.approx(one.std(), rel=0.05)


def test_the_stronger_edge_wins_whatever_its_sign():
    fixed = np.full((64, 64), 0.5, np.float32)
    moving = fixed.copy()
    fixed[:, 32:] += 0.05
    moving[:, 32:] -= 0.4
    step = np.diff(fuse(fixed, moving)[32])[30:33].min()
    assert step < -0.3


def test_it_can_be_cancelled():
    with pytest.raises(Cancelled):
        fuse(noise((32, 32)), noise((32, 32)), Run(cancel=lambda: True))


def test_the_pyramid_is_that_of_scipy():
    """Burt and Adelson's REDUCE and EXPAND, written down once more with scipy's filters."""
    taps = np.array([1, 4, 6, 4, 1]) / 16

    def blur(image, gain=1):
        for axis in (0, 1):
            image = ndimage.correlate1d(image, gain * taps, axis=axis, mode="mirror")
        return image

    image = noise((33, 46))
    coarse = blur(image)[::2, ::2]
    spread = np.zeros_like(image)
    spread[::2, ::2] = coarse
    details, rest = build_pyramid(torch.from_numpy(image)[None, None], 1)
    np.testing.assert_allclose(rest[0, 0].numpy(), coarse, atol=1e-6)
    np.testing.assert_allclose(details[0][0, 0].numpy(), image - blur(spread, 2), atol=1e-6)


def test_samples_of_a_batch_do_not_mix():
    images = torch.from_numpy(np.stack([noise((32, 40), i) for i in range(4)]))[:, None]
    both = laplacian_fusion(images[:2], images[2:])
    torch.testing.assert_close(both[1:], laplacian_fusion(images[1:2], images[3:]))
