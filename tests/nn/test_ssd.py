import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mmreg.nn.kernels import state_space_backend
from napari_mmreg.nn.selective_scan import selective_scan
from napari_mmreg.nn.ssd import ssd, ssd_reference

GPU = state_space_backend("cuda")


def inputs(batch, length, heads, channels, state, groups=1, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    tensors = {
        "x": draw(batch, length, heads, channels),
        "dt": draw(batch, length, heads) - 1,
        "a": -torch.exp(draw(heads)),
        "b": draw(batch, length, groups, state),
        "c": draw(batch, length, groups, state),
        "d": draw(heads),
        "z": draw(batch, length, heads, channels),
        "dt_bias": draw(heads),
    }
    return {name: t.to(dtype).requires_grad_() for name, t in tensors.items()}


def close(ours, exact, tolerance=1e-4):
    error = (ours.double() - exact.double()).abs().max()
    assert error <= tolerance * exact.abs().max().double()


def values_and_gradients(function, tensors, **options):
    y = function(**tensors, dt_softplus=True, **options)
    pull = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).reshape(y.shape)
    return y, torch.autograd.grad((y * pull).sum(), list(tensors.values()))


@settings(max_examples=25, deadline=None)
@given(
    batch=st.integers(1, 3),
    length=st.integers(1, 90),
    share=st.integers(1, 3),
    groups=st.integers(1, 3),
    channels=st.integers(1, 5),
    state=st.integers(1, 5),
    chunk=st.integers(1, 70),
    segment=st.none() | st.integers(1, 90),
    seed=st.integers(0, 99),
)
def test_equals_the_loop_in_float64_and_float32(
    batch, length, share, groups, channels, state, chunk, segment, seed
):
    exact = inputs(batch, length, share * groups, channels, state, groups, seed)
    expected, expected_grads = values_and_gradients(ssd_reference, exact)
    y, grads = values_and_gradients(ssd, exact, chunk=chunk, segment=segment)
    torch.testing.assert_close(y, expected, rtol=1e-9, atol=1e-9)
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        torch.testing.assert_close(grad, expected_grad, rtol=1e-9, atol=1e-9)

    single = {name: t.detach().float().requires_grad_() for name, t in exact.items()}
    y, grads = values_and_gradients(ssd, single, chunk=chunk, segment=segment)
    assert y.dtype == torch.float32
    close(y, expected)
    # One scale for all: a gradient summed over all tokens can cancel to nearly nothing.
    scale = max(grad.abs().max() for grad in expected_grads)
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        assert (grad - expected_grad).abs().max() <= 1e-4 * scale


@pytest.mark.parametrize(("chunk", "segment"), [(4, None), (64, None), (2, 4), (4, 3)])
def test_gradcheck(chunk, segment):
    tensors = inputs(1, 10, 2, 2, 2, groups=2)
    assert torch.autograd.gradcheck(
        lambda *t: ssd(
            **dict(zip(tensors, t, strict=True)), dt_softplus=True, chunk=chunk, segment=segment
        ),
        tuple(tensors.values()),
    )


def test_is_the_selective_scan_with_one_decay_for_a_head():
    t = inputs(2, 37, 3, 4, 5)
    ours = ssd(t["x"], t["dt"], t["a"], t["b"], t["c"], t["d"], dt_softplus=True, chunk=8)
    scan = selective_scan(
        t["x"].flatten(2).transpose(1, 2),
        t["dt"].repeat_interleave(4, 2).transpose(1, 2),
        t["a"].repeat_interleave(4)[:, None].expand(-1, 5),
        t["b"].permute(0, 2, 3, 1),
        t["c"].permute(0, 2, 3, 1),
        t["d"].repeat_interleave(4),
        dt_softplus=True,
    )
    torch.testing.assert_close(ours.flatten(2).transpose(1, 2), scan)


def test_is_causal():
    t = {name: v.detach() for name, v in inputs(1, 30, 2, 3, 3).items()}
    t["dt"] = t["dt"].abs() + 0.1
    before = ssd(**t, dt_softplus=True, chunk=7, segment=12)
    t["x"] = t["x"].clone()
    t["x"][:, 17] += 1
    after = ssd(**t, dt_softplus=True, chunk=7, segment=12)
    assert torch.equal(before[:, :17], after[:, :17])
    assert not torch.allclose(before[:, 17:], after[:, 17:])


def test_autocast_stays_finite_and_close():
    t = inputs(2, 300, 2, 4, 3, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        y = ssd(**t, dt_softplus=True)
        y.float().square().mean().backward()
    assert y.dtype == torch.bfloat16
    assert all(v.grad.isfinite().all() for v in t.values())
    exact = {name: v.detach().double() for name, v in t.items()}
    close(y, ssd_reference(**exact, dt_softplus=True), 2e-2)


def test_extreme_decay_stays_finite():
    t = inputs(1, 200, 2, 3, 2, dtype=torch.float32)
    y = ssd(t["x"], 50 * t["dt"].abs(), 100 * t["a"], t["b"], t["c"])
    y.sum().backward()
    assert y.isfinite().all()
    assert all(t[name].grad.isfinite().all() for name in ("x", "dt", "a", "b", "c"))


def test_refuses_shapes_that_do_not_fit():
    t = inputs(2, 5, 4, 2, 3)
    with pytest.raises(ValueError, match="x must be"):
        ssd(**(t | {"x": t["x"][0]}))
    with pytest.raises(ValueError, match="dt must be"):
        ssd(**(t | {"dt": t["dt"][:, :4]}))
    with pytest.raises(ValueError, match="b and c"):
        ssd(**(t | {"c": t["c"][..., :2]}))
    with pytest.raises(ValueError, match="equal groups"):
        ssd(**inputs(2, 5, 4, 2, 3, groups=3))
    with pytest.raises(ValueError, match="at least one token"):
        ssd(**t, chunk=0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.skipif(GPU.name == "torch", reason=GPU.reason)
@pytest.mark.parametrize("groups", [1, 2])
def test_kernel_equals_pytorch(groups):
    t = {
        name: v.detach().cuda().requires_grad_()
        for name, v in inputs(2, 333, 4, 32, 16, groups, dtype=torch.float32).items()
    }
    kernel = ssd(**t, dt_softplus=True, backend="mamba-ssm")
    torch_path = ssd(**t, dt_softplus=True, backend="torch")
    close(kernel, torch_path, 1e-2)  # the kernels multiply in TF32
    pull = torch.randn_like(kernel)
    ours = torch.autograd.grad((torch_path * pull).sum(), list(t.values()))
    theirs = torch.autograd.grad((kernel * pull).sum(), list(t.values()))
    for one, two in zip(theirs, ours, strict=True):
        close(one, two, 2e-2)
