import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_mmreg.fusion.laplacian import LaplacianFusion
from napari_mmreg.nn.laplacian import laplacian_fusion
from napari_mmreg.run import Run


def noise(shape, seed):
    picture = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 2.0)
    return ((picture - picture.min()) / np.ptp(picture)).astype(np.float32)


@pytest.mark.parametrize("shape", [(16, 16), (17, 31), (64, 200), (129, 97)], ids=str)
def test_it_is_the_fusion_method_on_tensors(shape):
    fixed, moving = noise(shape, 1), noise(shape, 2)
    wanted = LaplacianFusion().fuse(fixed, moving, np.ones(shape, bool), Run())
    found = laplacian_fusion(*(torch.from_numpy(i)[None, None] for i in (fixed, moving)))
    np.testing.assert_allclose(found[0, 0].numpy(), wanted, atol=2e-5)


def test_samples_of_a_batch_do_not_mix():
    images = torch.from_numpy(np.stack([noise((32, 40), i) for i in range(4)]))[:, None]
    both = laplacian_fusion(images[:2], images[2:])
    torch.testing.assert_close(both[1:], laplacian_fusion(images[1:2], images[3:]))
