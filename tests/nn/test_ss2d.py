import pytest
import torch

from napari_mmreg.nn.ss2d import SS2D, divisor, from_sequences, initial_steps, to_sequences

CORES = ["ssd", "selective_scan"]


def block(core, channels=6, **options):
    torch.manual_seed(0)
    return SS2D(channels, core=core, state=4, **options).double()


def image(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_four_orders():
    numbers = torch.arange(6.0).reshape(1, 1, 2, 3)
    expected = [[0, 1, 2, 3, 4, 5], [0, 3, 1, 4, 2, 5], [5, 4, 3, 2, 1, 0], [5, 2, 4, 1, 3, 0]]
    assert to_sequences(numbers)[0, :, 0].tolist() == expected


@pytest.mark.parametrize("shape", [(5, 7), (1, 9), (8, 1), (4, 4)])
def test_orders_come_back_to_their_places(shape):
    x = image(2, 3, *shape)
    torch.testing.assert_close(from_sequences(to_sequences(x), shape), 4 * x)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("shape", [(5, 7), (1, 1), (1, 9), (8, 1), (13, 11)])
def test_any_size(core, shape):
    net = block(core)
    y = net(image(2, 6, *shape))
    assert y.shape == (2, 6, *shape)
    y.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("core", CORES)
def test_every_pixel_reaches_every_pixel(core):
    net = block(core)
    x = image(1, 6, 6, 7).requires_grad_()
    net(x)[0, :, 2, 3].sum().backward()
    assert (x.grad.abs().sum(1) > 0).all()


@pytest.mark.parametrize("core", CORES)
def test_shared_weights_commute_with_transposing_and_half_turns(core):
    net = block(core, shared=True)
    with torch.no_grad():  # a depth-wise kernel that looks the same after both
        kernel = net.local.weight
        kernel.copy_(kernel + kernel.flip(2, 3))
        kernel.copy_(kernel + kernel.transpose(2, 3))
    x = image(1, 6, 5, 8)
    y = net(x)
    torch.testing.assert_close(net(x.transpose(2, 3)), y.transpose(2, 3))
    torch.testing.assert_close(net(x.rot90(2, (2, 3))), y.rot90(2, (2, 3)))
    assert not torch.allclose(net(x.rot90(1, (2, 3))), y.rot90(1, (2, 3)))


@pytest.mark.parametrize("core", CORES)
def test_own_weights_do_not_commute(core):
    x = image(1, 6, 5, 5)
    net = block(core)
    assert not torch.allclose(net(x.rot90(2, (2, 3))), net(x).rot90(2, (2, 3)))
    assert sum(p.numel() for p in block(core, shared=True).parameters()) < sum(
        p.numel() for p in net.parameters()
    )


@pytest.mark.parametrize("core", CORES)
def test_chunk_changes_nothing_but_rounding(core):
    x = image(1, 6, 7, 9)
    torch.testing.assert_close(block(core, chunk=5)(x), block(core, chunk=64)(x))


@pytest.mark.parametrize("core", CORES)
def test_autocast_stays_finite(core):
    net = block(core).float()
    with torch.autocast("cpu", torch.bfloat16):
        y = net(image(1, 6, 9, 10).float())
        y.float().square().mean().backward()
    assert y.isfinite().all()
    assert all(p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("core", CORES)
def test_constant_image_stays_constant_inside_replicated_borders_of_the_convolution(core):
    """The depth-wise convolution shows no border; zero padding would."""
    flat = torch.ones(1, 6, 6, 6, dtype=torch.float64)
    replicated, zeros = block(core), block(core, padding_mode="zeros")
    values = replicated.local(replicated.enter(flat).chunk(2, 1)[0])
    torch.testing.assert_close(values, values[:, :, 3:4, 3:4].expand_as(values))
    values = zeros.local(zeros.enter(flat).chunk(2, 1)[0])
    assert not torch.allclose(values, values[:, :, 3:4, 3:4].expand_as(values))


def test_heads_and_cores_that_cannot_be():
    assert [divisor(n) for n in (48, 64, 7, 74)] == [24, 32, 7, 2]
    with pytest.raises(ValueError, match="heads of 5"):
        SS2D(6, head_dim=5)
    with pytest.raises(ValueError, match="ssd or selective_scan"):
        SS2D(6, core="lstm")


def test_first_steps_lie_in_their_range():
    steps = torch.nn.functional.softplus(initial_steps(2000))
    assert 0.00099 < steps.min() < 0.0015
    assert 0.07 < steps.max() < 0.101
    assert abs(steps.log().median() - torch.tensor(0.01).log()) < 0.3
