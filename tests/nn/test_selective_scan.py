import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mmreg.nn.kernels import state_space_backend
from napari_mmreg.nn.selective_scan import selective_scan, selective_scan_reference

GPU = state_space_backend("cuda")


def inputs(batch, channels, length, state, groups=1, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    tensors = {
        "x": draw(batch, channels, length),
        "dt": draw(batch, channels, length) - 1,
        "a": -torch.exp(draw(channels, state)),
        "b": draw(batch, groups, state, length),
        "c": draw(batch, groups, state, length),
        "d": draw(channels),
        "z": draw(batch, channels, length),
        "dt_bias": draw(channels),
    }
    return {name: t.to(dtype).requires_grad_() for name, t in tensors.items()}


def close(ours, exact, tolerance=1e-4):
    """Compare relative to the largest value."""
    error = (ours.double() - exact.double()).abs().max()
    assert error <= tolerance * exact.abs().max().double()


def values_and_gradients(function, tensors, **options):
    y = function(**tensors, dt_softplus=True, **options)
    pull = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).reshape(y.shape)
    return y, torch.autograd.grad((y * pull).sum(), list(tensors.values()))


@settings(max_examples=25, deadline=None)
@given(
    batch=st.integers(1, 3),
    share=st.integers(1, 3),
    groups=st.integers(1, 3),
    length=st.integers(1, 80),
    state=st.integers(1, 5),
    chunk=st.integers(1, 20),
    segment=st.none() | st.integers(1, 90),
    seed=st.integers(0, 99),
)
def test_equals_the_loop_in_float64_and_float32(
    batch, share, groups, length, state, chunk, segment, seed
):
    exact = inputs(batch, share * groups, length, state, groups, seed)
    expected, expected_grads = values_and_gradients(selective_scan_reference, exact)
    y, grads = values_and_gradients(selective_scan, exact, chunk=chunk, segment=segment)
    torch.testing.assert_close(y, expected, rtol=1e-9, atol=1e-9)
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        torch.testing.assert_close(grad, expected_grad, rtol=1e-9, atol=1e-9)

    single = {name: t.detach().float().requires_grad_() for name, t in exact.items()}
    y, grads = values_and_gradients(selective_scan, single, chunk=chunk, segment=segment)
    assert y.dtype == torch.float32
    close(y, expected)
    # One scale for all: a gradient summed over all tokens can cancel to nearly nothing.
    scale = max(grad.abs().max() for grad in expected_grads)
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        assert (grad - expected_grad).abs().max() <= 1e-4 * scale


@pytest.mark.parametrize("segment", [5, 100])
def test_gradcheck(segment):
    tensors = inputs(1, 4, 11, 2, groups=2)
    assert torch.autograd.gradcheck(
        lambda *t: selective_scan(
            **dict(zip(tensors, t, strict=True)), dt_softplus=True, chunk=4, segment=segment
        ),
        tuple(tensors.values()),
    )


def test_optional_parts_and_three_axis_weights():
    t = inputs(2, 3, 13, 4)
    plain = selective_scan(t["x"], t["dt"].abs(), t["a"], t["b"], t["c"], chunk=4)
    flat = selective_scan(t["x"], t["dt"].abs(), t["a"], t["b"][:, 0], t["c"][:, 0])
    expected = selective_scan_reference(t["x"], t["dt"].abs(), t["a"], t["b"], t["c"])
    torch.testing.assert_close(plain, expected)
    torch.testing.assert_close(flat, expected)


def test_is_causal():
    t = {name: v.detach() for name, v in inputs(1, 2, 30, 3).items()}
    before = selective_scan(**t, dt_softplus=True, chunk=7, segment=12)
    t["x"] = t["x"].clone()
    t["x"][:, :, 17] += 1
    after = selective_scan(**t, dt_softplus=True, chunk=7, segment=12)
    assert torch.equal(before[:, :, :17], after[:, :, :17])
    assert not torch.allclose(before[:, :, 17:], after[:, :, 17:])


def test_without_gradients_gives_the_same():
    t = inputs(1, 4, 40, 3)
    with torch.no_grad():
        quiet = selective_scan(**t, segment=16)
    assert not quiet.requires_grad
    torch.testing.assert_close(quiet, selective_scan(**t, segment=16))


def test_autocast_stays_finite_and_close():
    t = inputs(2, 4, 300, 3, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        y = selective_scan(**t, dt_softplus=True, segment=128)
        y.float().square().mean().backward()
    assert y.dtype == torch.bfloat16
    assert all(v.grad.isfinite().all() for v in t.values())
    exact = {name: v.detach().double() for name, v in t.items()}
    close(y, selective_scan_reference(**exact, dt_softplus=True), 2e-2)


def test_extreme_decay_stays_finite():
    t = inputs(1, 2, 200, 2, dtype=torch.float32)
    y = selective_scan(t["x"], 50 * t["dt"].abs(), 100 * t["a"], t["b"], t["c"])
    y.sum().backward()
    assert y.isfinite().all()
    assert all(t[name].grad.isfinite().all() for name in ("x", "dt", "a", "b", "c"))


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("dt", (2, 4, 6), "x and dt"),
        ("a", (3, 2), "a must be"),
        ("b", (2, 1, 2, 6), "b and c"),
        ("c", (2, 2, 2, 5), "b and c"),
    ],
)
def test_refuses_shapes_that_do_not_fit(name, shape, message):
    t = inputs(2, 4, 5, 2)
    t[name] = torch.zeros(shape)
    with pytest.raises(ValueError, match=message):
        selective_scan(**t)
    t = inputs(2, 4, 5, 2, groups=3)
    with pytest.raises(ValueError, match="equal groups"):
        selective_scan(**t)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.skipif(GPU.name == "torch", reason=GPU.reason)
@pytest.mark.parametrize("groups", [1, 2])
def test_kernel_equals_pytorch(groups):
    t = {
        name: v.detach().cuda().requires_grad_()
        for name, v in inputs(2, 8, 333, 16, groups, dtype=torch.float32).items()
    }
    kernel = selective_scan(**t, dt_softplus=True, backend="mamba-ssm")
    torch_path = selective_scan(**t, dt_softplus=True, backend="torch")
    close(kernel, torch_path, 1e-4)
    pull = torch.randn_like(kernel)
    ours = torch.autograd.grad((torch_path * pull).sum(), list(t.values()))
    theirs = torch.autograd.grad((kernel * pull).sum(), list(t.values()))
    for one, two in zip(theirs, ours, strict=True):
        close(one, two, 1e-3)
