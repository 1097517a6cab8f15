import pytest
import torch

from napari_mmreg.nn.ssd_mixer import SSDMixer2d


def image(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def net():
    torch.manual_seed(0)
    return SSDMixer2d(6, state=5)


@pytest.mark.parametrize("shape", [(5, 7), (1, 1), (1, 6), (12, 3)])
def test_any_size_and_all_weights_learn(net, shape):
    y = net(image(2, 6, *shape))
    assert y.shape == (2, 6, *shape)
    y.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_reads_another_image_of_another_size(net):
    x, context = image(1, 6, 5, 7), image(1, 6, 4, 9, seed=1).requires_grad_()
    y = net(x, context)
    assert y.shape == x.shape
    y[0, :, 2, 2].sum().backward()
    assert (context.grad.abs().sum(1) > 0).all()
    assert not torch.allclose(y, net(x))


def test_itself_as_context_is_the_plain_form(net):
    x = image(2, 6, 5, 7)
    torch.testing.assert_close(net(x, x), net(x))


def test_mask_hides_the_context(net):
    x, context = image(1, 6, 5, 7), image(1, 6, 4, 9, seed=1)
    mask = torch.ones(1, 1, 4, 9, dtype=torch.bool)
    mask[..., 5:] = False
    changed = context.clone()
    changed[..., 6:] += 3  # beyond the reach of the depth-wise convolution at column 4
    torch.testing.assert_close(net(x, changed, mask), net(x, context, mask))
    assert not torch.allclose(net(x, changed), net(x, context))


def test_repeated_content_gives_the_same_at_any_size(net):
    """The summary is a mean: tiling an image changes nothing away from the seams."""
    x = image(1, 6, 6, 6)
    context = image(1, 6, 4, 4, seed=1)[:, :, :1, :1].expand(-1, -1, 4, 4)
    larger = context[:, :, :1, :1].expand(-1, -1, 32, 32)
    torch.testing.assert_close(net(x, larger), net(x, context), rtol=1e-4, atol=1e-5)


def test_autocast_stays_finite(net):
    with torch.autocast("cpu", torch.bfloat16):
        y = net(image(1, 6, 20, 20), image(1, 6, 18, 20))
        y.float().square().mean().backward()
    assert y.isfinite().all()
    assert all(p.grad.isfinite().all() for p in net.parameters())


def test_refuses_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="heads of 5"):
        SSDMixer2d(6, head_dim=5)
