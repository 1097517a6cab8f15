import pytest
import torch

from napari_mmreg.errors import ModelError
from napari_mmreg.fusion import list_fusions
from napari_mmreg.training.backbones import BACKBONES, frozen_backbone


def test_they_are_fusion_methods():
    assert set(BACKBONES) <= {info.name for info in list_fusions()}
    assert len(BACKBONES) >= 3


@pytest.mark.parametrize("name", BACKBONES)
def test_they_fuse_as_the_methods_do_and_are_frozen(name):
    import numpy as np

    from napari_mmreg.fusion import load_fusion
    from napari_mmreg.run import Run

    generator = torch.Generator().manual_seed(0)
    fixed, moving = torch.rand(2, 1, 1, 40, 56, generator=generator).requires_grad_()
    fused = frozen_backbone(name)(fixed, moving)
    assert not fused.requires_grad
    images = [image.detach()[0, 0].numpy() for image in (fixed, moving)]
    wanted = load_fusion(name).fuse(*images, np.ones((40, 56), bool), Run())
    np.testing.assert_allclose(fused[0, 0].numpy(), wanted, atol=1e-4)


def test_there_is_one_of_each():
    assert frozen_backbone("cnn") is frozen_backbone("cnn")
    with pytest.raises(ModelError, match="laplacian"):
        frozen_backbone("no-such")
