import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mmreg.nn.ssd_noncausal import (
    ssd_cross,
    ssd_cross_reference,
    ssd_noncausal,
    ssd_noncausal_reference,
)


def inputs(batch, length, heads, channels, state, groups=1, seed=0, queries=None):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    tensors = {
        "x": draw(batch, length, heads, channels),
        "weight": draw(batch, length, heads).exp(),
        "b": draw(batch, length, groups, state),
        "c": draw(batch, queries or length, groups, state),
        "d": draw(heads),
    }
    if queries:
        tensors["skip"] = draw(batch, queries, heads, channels)
    return {name: t.requires_grad_() for name, t in tensors.items()}


def close(ours, exact, tolerance=1e-4):
    error = (ours.double() - exact.double()).abs().max()
    assert error <= tolerance * exact.abs().max().double()


SIZES = {
    "batch": st.integers(1, 3),
    "length": st.integers(1, 40),
    "share": st.integers(1, 3),
    "groups": st.integers(1, 3),
    "channels": st.integers(1, 4),
    "state": st.integers(1, 5),
    "normalise": st.booleans(),
    "seed": st.integers(0, 99),
}


@settings(max_examples=25, deadline=None)
@given(queries=st.none() | st.integers(1, 30), **SIZES)
def test_float32_equals_attention_in_float64(
    batch, length, share, groups, channels, state, normalise, seed, queries
):
    fast, slow = (
        (ssd_cross, ssd_cross_reference) if queries else (ssd_noncausal, ssd_noncausal_reference)
    )
    exact = inputs(batch, length, share * groups, channels, state, groups, seed, queries)
    single = {name: t.detach().float().requires_grad_() for name, t in exact.items()}
    y, expected = fast(**single, normalise=normalise), slow(**exact, normalise=normalise)
    close(y, expected)
    pull = torch.linspace(-1, 2, y.numel(), dtype=torch.float64).reshape(y.shape)
    grads = torch.autograd.grad((y * pull.float()).sum(), list(single.values()))
    expected_grads = torch.autograd.grad((expected * pull).sum(), list(exact.values()))
    scale = max(grad.abs().max() for grad in expected_grads)  # some gradients cancel to zero
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        assert (grad - expected_grad).abs().max() <= 1e-4 * scale


@pytest.mark.parametrize("normalise", [True, False])
def test_gradcheck(normalise):
    t = inputs(1, 5, 2, 2, 2, groups=2, queries=3)
    assert torch.autograd.gradcheck(
        lambda *v: ssd_cross(**dict(zip(t, v, strict=True)), normalise=normalise),
        tuple(t.values()),
    )


def test_order_of_the_tokens_does_not_matter():
    t = inputs(2, 17, 4, 3, 5, groups=2)
    order = torch.randperm(17, generator=torch.Generator().manual_seed(1))
    mixed = {name: v if name == "d" else v[:, order] for name, v in t.items()}
    torch.testing.assert_close(ssd_noncausal(**mixed), ssd_noncausal(**t)[:, order])
    t = inputs(2, 17, 4, 3, 5, groups=2, queries=6)
    read = {name: v[:, order] if name in ("x", "b", "weight") else v for name, v in t.items()}
    torch.testing.assert_close(ssd_cross(**read), ssd_cross(**t))


def test_resolution_does_not_matter_when_normalised():
    t = inputs(2, 9, 4, 3, 5)
    twice = {name: v if name == "d" else v.repeat_interleave(4, 1) for name, v in t.items()}
    expected = ssd_noncausal(**t).repeat_interleave(4, 1)
    torch.testing.assert_close(ssd_noncausal(**twice), expected)
    plain = ssd_noncausal(**t, normalise=False).repeat_interleave(4, 1)
    assert not torch.allclose(ssd_noncausal(**twice, normalise=False), plain)


def test_scale_of_the_weights_cancels():
    t = inputs(1, 9, 2, 3, 5)
    scaled = t | {"weight": 7 * t["weight"]}
    torch.testing.assert_close(ssd_noncausal(**scaled), ssd_noncausal(**t))


def test_weight_zero_hides_a_token():
    t = inputs(1, 9, 2, 3, 5, queries=4)
    hidden = t["weight"].detach().clone()
    hidden[:, 5:] = 0
    shorter = {name: v[:, :5] if name in ("x", "b", "weight") else v for name, v in t.items()}
    torch.testing.assert_close(ssd_cross(**(t | {"weight": hidden})), ssd_cross(**shorter))


def test_everything_hidden_reads_nothing_and_has_finite_gradients():
    t = inputs(1, 9, 2, 3, 5, queries=4)
    nothing = torch.zeros(1, 9, 2, dtype=torch.float64, requires_grad=True)
    y = ssd_cross(**(t | {"weight": nothing}))
    torch.testing.assert_close(y, t["d"][:, None] * t["skip"])
    y.sum().backward()
    assert nothing.grad.isfinite().all()


def test_cross_with_itself_is_the_plain_form():
    t = inputs(2, 9, 4, 3, 5, groups=2)
    torch.testing.assert_close(ssd_cross(**t, skip=t["x"]), ssd_noncausal(**t))


def test_autocast_stays_finite_and_close():
    t = {name: v.detach().bfloat16() for name, v in inputs(2, 500, 2, 4, 8).items()}
    with torch.autocast("cpu", torch.bfloat16):
        y = ssd_noncausal(**t)
    assert y.dtype == torch.bfloat16
    close(y, ssd_noncausal_reference(**{name: v.double() for name, v in t.items()}), 1e-2)


def test_refuses_shapes_that_do_not_fit():
    t = inputs(2, 6, 4, 2, 3, queries=5)
    for name, wrong, message in [
        ("weight", t["weight"][:, :5], "weights"),
        ("b", t["b"][:, :5], "b must be"),
        ("c", t["c"][..., :2], "tokens only"),
        ("skip", t["skip"][:, :4], "skip must be"),
        ("skip", None, "needs both"),
    ]:
        with pytest.raises(ValueError, match=message):
            ssd_cross(**(t | {name: wrong}))
    with pytest.raises(ValueError, match="equal groups"):
        ssd_noncausal(**inputs(2, 6, 4, 2, 3, groups=3))
