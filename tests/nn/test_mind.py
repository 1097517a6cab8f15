import torch

from napari_mmreg.nn.mind import mind_ssc

IMAGE = torch.rand(1, 1, 40, 50, generator=torch.Generator().manual_seed(0))


def test_blind_to_linear_contrast_and_its_sign():
    torch.testing.assert_close(mind_ssc(IMAGE), mind_ssc(5 - 3 * IMAGE), atol=1e-4, rtol=1e-3)


def test_moves_with_the_image():
    shifted = IMAGE.roll((3, 4), (2, 3))
    inner = (..., slice(10, 30), slice(10, 40))
    moved = mind_ssc(shifted).roll((-3, -4), (2, 3))
    # The variance's bounds look at the whole picture, hence not exactly equal.
    assert (mind_ssc(IMAGE)[inner] - moved[inner]).abs().mean() < 1e-3
    assert (mind_ssc(IMAGE)[inner] - mind_ssc(shifted)[inner]).abs().mean() > 0.05


def test_shape_and_range():
    found = mind_ssc(IMAGE)
    assert found.shape == (1, 12, 40, 50)
    assert found.min() > 0
    assert found.max() <= 1
    assert torch.isfinite(mind_ssc(torch.zeros(1, 1, 16, 16))).all()
