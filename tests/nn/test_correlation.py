import pytest
import torch

from napari_mmreg.nn.correlation import all_pairs_correlation, dual_softmax, local_correlation


@pytest.mark.parametrize("padding", ["replicate", "zeros"])
@pytest.mark.parametrize("radius", [0, 1, 3])
def test_local_equals_the_double_loop(radius, padding):
    first, second = torch.randn(2, 2, 4, 5, 6)
    volume = local_correlation(first, second, radius, padding=padding)
    assert volume.shape == (2, (2 * radius + 1) ** 2, 5, 6)
    for y, x, dy, dx in [(0, 0, -1, 0), (2, 3, 1, -1), (4, 5, 0, 1), (1, 4, -1, 1), (3, 3, 0, 0)]:
        if max(abs(dy), abs(dx)) > radius:
            continue
        row, column = y + dy, x + dx
        if padding == "replicate":
            other = second[:, :, min(max(row, 0), 4), min(max(column, 0), 5)]
        elif 0 <= row < 5 and 0 <= column < 6:
            other = second[:, :, row, column]
        else:
            other = torch.zeros(2, 4)
        channel = (dy + radius) * (2 * radius + 1) + dx + radius
        expected = (first[:, :, y, x] * other).mean(1)
        torch.testing.assert_close(volume[:, channel, y, x], expected)


def test_local_peak_is_the_flow_that_pulls_second_onto_first():
    generator = torch.Generator().manual_seed(0)
    second = torch.randn(1, 64, 20, 24, generator=generator)
    first = second.roll((-1, 2), (2, 3))  # first(x, y) = second(x - 2, y + 1)
    best = local_correlation(first, second, 3).argmax(1)[0, 4:-4, 4:-4]
    assert (best % 7 - 3 == -2).all()  # dx
    assert (best // 7 - 3 == 1).all()  # dy


def test_local_gradient():
    first, second = torch.randn(2, 1, 2, 3, 4, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: local_correlation(a, b, 2), (first, second))


def test_local_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="one shape"):
        local_correlation(torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 4), 1)
    with pytest.raises(ValueError, match="radius"):
        local_correlation(torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 3), -1)


def test_all_pairs_counts_pixels_row_by_row():
    first, second = torch.randn(2, 6, 3, 4), torch.randn(2, 6, 2, 5)
    similarity = all_pairs_correlation(first, second)
    assert similarity.shape == (2, 12, 10)
    expected = (first[:, :, 2, 1] * second[:, :, 1, 3]).mean(1)
    torch.testing.assert_close(similarity[:, 2 * 4 + 1, 1 * 5 + 3], expected)
    with pytest.raises(ValueError, match="must agree"):
        all_pairs_correlation(first, second[:, :5])


def test_all_pairs_is_float32_under_autocast():
    features = torch.randn(1, 6, 3, 4)
    with torch.autocast("cpu", torch.bfloat16):
        similarity = all_pairs_correlation(features, features)
    assert similarity.dtype == torch.float32
    torch.testing.assert_close(similarity, all_pairs_correlation(features, features))


def test_dual_softmax_finds_a_permutation():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(1, 32, 1, 15, generator=generator)
    order = torch.randperm(15, generator=generator)
    probability = dual_softmax(all_pairs_correlation(features, features[..., order]))
    assert (probability.argmax(1)[0] == order).all()
    assert (probability.sum(1) <= 1 + 1e-6).all()
    assert (probability.sum(2) <= 1 + 1e-6).all()
    assert (probability.amax(1) > 0.5).all()


def test_masked_pixels_do_not_compete():
    similarity = torch.randn(1, 6, 5)
    rows = torch.tensor([[True, True, False, True, True, False]])
    columns = torch.tensor([[True, False, True, True, True]])
    masked = dual_softmax(similarity, first_mask=rows, second_mask=columns)
    kept = dual_softmax(similarity[:, rows[0]][:, :, columns[0]])
    torch.testing.assert_close(masked[:, rows[0]][:, :, columns[0]], kept)
    assert (masked[:, ~rows[0]] == 0).all()
    assert (masked[:, :, ~columns[0]] == 0).all()


def test_nothing_left_is_zero_and_has_finite_gradients():
    similarity = torch.randn(1, 4, 3, requires_grad=True)
    probability = dual_softmax(similarity, second_mask=torch.zeros(1, 3, dtype=torch.bool))
    assert (probability == 0).all()
    probability.sum().backward()
    assert similarity.grad.isfinite().all()
