import pytest
import torch
import torch.nn.functional as F
from torch import nn

from napari_mmreg.nn.norm import LayerNorm2d, ModalityBatchNorm2d, unit_channels


def test_unit_channels_are_normalised_ones_and_nothing_stays_nothing():
    x = torch.randn(2, 5, 4, 7)
    x[0, :, 1, 2] = 0
    x.requires_grad_()
    weight = torch.randn(2, 5, 4, 7)
    found, expected = unit_channels(x), F.normalize(x, dim=1)
    torch.testing.assert_close(found, expected)
    known = (x != 0).all(1, keepdim=True)  # at zero the slope is that of the small number
    slopes = [torch.autograd.grad((y * weight * known).sum(), x)[0] for y in (found, expected)]
    torch.testing.assert_close(*slopes)
    assert slopes[0].isfinite().all()


def test_layer_norm_is_over_the_channels_of_each_pixel():
    x = 3 + 2 * torch.randn(2, 5, 4, 7)
    y = LayerNorm2d(5)(x)
    torch.testing.assert_close(y.mean(1), torch.zeros(2, 4, 7), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.var(1, correction=0), torch.ones(2, 4, 7), atol=1e-3, rtol=0)


def test_each_modality_keeps_its_own_statistics():
    norm = ModalityBatchNorm2d(3)
    for _ in range(200):
        norm(5 + torch.randn(4, 3, 6, 6), 0)
        norm(-2 + 0.1 * torch.randn(4, 3, 6, 6), 1)
    means = [child.running_mean.mean().item() for child in norm.norms]
    assert means == pytest.approx([5, -2], abs=0.1)
    norm.eval()
    flat = torch.full((1, 3, 2, 2), 5.0)
    assert norm(flat, 0).abs().max() < 0.2
    assert norm(flat, 1).abs().min() > 10


def test_equals_batch_norm_and_leaves_the_other_alone():
    x = torch.randn(4, 3, 5, 5)
    norm, plain = ModalityBatchNorm2d(3, modalities=3), nn.BatchNorm2d(3)
    before = {name: v.clone() for name, v in norm.norms[2].state_dict().items()}
    torch.testing.assert_close(norm(x, 1), plain(x))
    for name, value in norm.norms[2].state_dict().items():
        torch.testing.assert_close(value, before[name])


def test_one_index_per_sample():
    x = torch.randn(5, 3, 4, 4)
    which = torch.tensor([1, 0, 1, 1, 0])
    mixed, apart = ModalityBatchNorm2d(3), ModalityBatchNorm2d(3)
    y = mixed(x, which)
    for index in (0, 1):
        torch.testing.assert_close(y[which == index], apart(x[which == index], index))


def test_unknown_modality():
    with pytest.raises(IndexError, match="no modality 2"):
        ModalityBatchNorm2d(3)(torch.zeros(1, 3, 2, 2), 2)
