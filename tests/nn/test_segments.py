import pytest
import torch

from napari_mmreg.nn.segments import run_segments, segment_length


def running_sum(x, y, scale, state):
    """A causal function of two timed tensors, a shared one and a state: (B, L) along axis 1."""
    total = state.unsqueeze(1) + (x * y).cumsum(1)
    return total * scale, total[:, -1]


@pytest.fixture
def tensors():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 2, 13, generator=generator, dtype=torch.float64)
    return [t.requires_grad_() for t in (x, y, torch.tensor(1.7, dtype=torch.float64))]


@pytest.mark.parametrize("segment", [1, 4, 12, 13, 50])
def test_segments_change_neither_values_nor_gradients(tensors, segment):
    *timed, scale = tensors
    start = torch.zeros(2, dtype=torch.float64)
    whole, _ = running_sum(*timed, scale, start)
    parts = run_segments(running_sum, timed, [scale], start, segment, dim=1)
    torch.testing.assert_close(parts, whole)
    pull = torch.linspace(-1, 1, 13, dtype=torch.float64)
    for one, two in zip(
        torch.autograd.grad((parts * pull).sum(), tensors),
        torch.autograd.grad((whole * pull).sum(), tensors),
        strict=True,
    ):
        torch.testing.assert_close(one, two)


def test_state_is_handed_on(tensors):
    *timed, scale = tensors
    start = torch.tensor([3.0, -5.0], dtype=torch.float64)
    parts = run_segments(running_sum, timed, [scale], start, 4, dim=1)
    torch.testing.assert_close(parts, running_sum(*timed, scale, start)[0])


def test_only_one_segment_is_held_at_once(tensors):
    seen = []

    def spy(x, y, scale, state):
        seen.append(x.shape[1])
        return running_sum(x, y, scale, state)

    *timed, scale = tensors
    start = torch.zeros(2, dtype=torch.float64)
    run_segments(spy, timed, [scale], start, 5, dim=1).sum().backward()
    assert seen == [5, 5, 3, 3, 5, 5]  # forward, then again from the end


def test_length_fits_the_budget_and_the_multiple():
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert segment_length(2048, cpu, 64) == 1024
    assert segment_length(3000, cpu, 64) == 640
    assert segment_length(10**9, cpu, 64) == 64
    assert segment_length(2048, gpu) > 10 * segment_length(2048, cpu)


def test_refuses_empty_segments(tensors):
    with pytest.raises(ValueError, match="at least one token"):
        run_segments(running_sum, tensors[:2], tensors[2:], torch.zeros(2), 0, dim=1)
