import pytest
import torch

from napari_mmreg.nn.recurrence import linear_recurrence


def loop(decay, update, initial):
    state, states = initial, []
    for keep, add in zip(decay, update, strict=True):
        state = keep * state + add
        states.append(state)
    return torch.stack(states)


def inputs(length, *shape):
    generator = torch.Generator().manual_seed(length)
    draw = [torch.rand(length, *shape, generator=generator, dtype=torch.float64)]
    draw.append(torch.randn(length, *shape, generator=generator, dtype=torch.float64))
    draw.append(torch.randn(*shape, generator=generator, dtype=torch.float64))
    return [t.requires_grad_() for t in draw]


@pytest.mark.parametrize("chunk", [1, 3, 8, 100])
@pytest.mark.parametrize("length", [1, 7, 8, 9, 24, 25])
def test_equals_the_loop_in_value_and_gradient(length, chunk):
    tensors = inputs(length, 2, 3)
    weights = torch.randn(length, 2, 3, dtype=torch.float64)
    ours = linear_recurrence(*tensors, chunk=chunk)
    expected = loop(*tensors)
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)
    grads = torch.autograd.grad((ours * weights).sum(), tensors)
    for one, two in zip(
        grads, torch.autograd.grad((expected * weights).sum(), tensors), strict=True
    ):
        torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)


def test_gradcheck():
    assert torch.autograd.gradcheck(lambda *t: linear_recurrence(*t, chunk=4), inputs(11, 2))


def test_broadcast_decay_collects_its_gradient():
    decay, update, initial = inputs(9, 3)
    scalar = decay[:, :1].detach().clone().requires_grad_()
    linear_recurrence(scalar.expand(9, 3), update, initial, chunk=4).sum().backward()
    (expected,) = torch.autograd.grad(loop(scalar.expand(9, 3), update, initial).sum(), [scalar])
    torch.testing.assert_close(scalar.grad, expected)


def test_starts_from_zero_and_takes_no_steps():
    decay, update, _ = inputs(5, 2)
    torch.testing.assert_close(linear_recurrence(decay, update)[0], update[0])
    nothing = linear_recurrence(decay[:0], update[:0])
    assert nothing.shape == (0, 2)
    nothing.sum().backward()


def test_refuses_what_does_not_fit():
    decay, update, initial = inputs(5, 2)
    with pytest.raises(ValueError, match="one shape"):
        linear_recurrence(decay[:4], update)
    with pytest.raises(ValueError, match="initial state"):
        linear_recurrence(decay, update, initial[:1])
    with pytest.raises(ValueError, match="at least one step"):
        linear_recurrence(decay, update, chunk=0)
