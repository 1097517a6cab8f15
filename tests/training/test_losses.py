import pytest
import torch

from napari_mmreg.training.losses import (
    bending,
    endpoint_loss,
    masked_mean,
    masked_ncc,
    matching_loss,
    matching_targets,
    resize_truth,
)


def ramp(rows, cols, ax=0.1, ay=-0.05, bx=2.0, by=1.0):
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
    return torch.stack([ax * x + bx, ay * y + by])[None].float()


def ones(rows, cols):
    return torch.ones(1, 1, rows, cols, dtype=torch.bool)


def test_masked_mean():
    values = torch.tensor([[[[1.0, 2.0, 30.0]]]])
    mask = torch.tensor([[[[True, True, False]]]])
    assert float(masked_mean(values, mask)) == 1.5
    assert float(masked_mean(values, torch.zeros_like(mask))) == 0.0


def test_endpoint_loss_is_a_length_in_px():
    truth = ramp(20, 30)
    flow = truth + torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)
    assert float(endpoint_loss(flow, truth)) == pytest.approx(5.0, abs=0.06)
    assert float(endpoint_loss(truth, truth)) == pytest.approx(0.0, abs=1e-6)
    wrong = truth.clone()
    wrong[..., :10] += 100
    valid = ones(20, 30)
    valid[..., :10] = False
    assert float(endpoint_loss(wrong, truth, valid)) == pytest.approx(0.0, abs=1e-6)


def test_truth_on_a_coarser_grid():
    """An affine flow stays affine; its values shrink with the grid, per axis."""
    truth = ramp(33, 65)
    small, valid = resize_truth(truth, ones(33, 65), (17, 17))
    y, x = torch.meshgrid(torch.arange(17) * 2.0, torch.arange(17) * 4.0, indexing="ij")
    expected = torch.stack([(0.1 * x + 2) / 4, (-0.05 * y + 1) / 2])[None]
    assert torch.allclose(small, expected, atol=1e-4)
    assert bool(valid.all())
    hole = ones(33, 65)
    hole[..., 20:24, 40] = False
    assert not bool(resize_truth(truth, hole, (17, 17))[1][0, 0, 10:12, 10].any())


def test_only_what_bends_is_bent():
    assert float(bending(ramp(20, 20))) == pytest.approx(0.0, abs=1e-6)
    step = torch.zeros(1, 2, 20, 20)
    step[..., 10:] = 1
    assert float(bending(step)) > 0.01


def test_matching_targets_are_the_four_neighbours_of_the_true_place():
    """Stride 4, cells at 4 i + 1.5; a shift by (+6, +4) px is (+1.5, +1) cells."""
    flow = torch.tensor([6.0, 4.0]).view(1, 2, 1, 1).expand(1, 2, 32, 40).contiguous()
    index, weight = matching_targets(flow, ones(32, 40), (8, 10), 4, 1.5)
    cell = 2 * 10 + 3  # row 2, column 3 -> row 3, columns 4 and 5
    found = {
        int(i): float(w) for i, w in zip(index[0, cell], weight[0, cell], strict=True) if w > 1e-3
    }
    assert found == {3 * 10 + 4: pytest.approx(0.5), 3 * 10 + 5: pytest.approx(0.5)}
    last = 7 * 10 + 9
    assert float(weight[0, last].sum()) == 0.0
    valid = ones(32, 40)
    valid[..., 8:12, 12:16] = False
    assert float(matching_targets(flow, valid, (8, 10), 4, 1.5)[1][0, cell].sum()) == 0.0


def test_matching_loss_knows_the_direction():
    """Moving features are the fixed ones, shifted by two cells to the right."""
    generator = torch.Generator().manual_seed(0)
    fixed = torch.nn.functional.normalize(torch.randn(1, 32, 8, 10, generator=generator), dim=1)
    moving = fixed.roll(2, dims=3)
    shift = torch.tensor([8.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 32, 40).contiguous()

    def loss(flow):
        return float(matching_loss(fixed, moving, flow, ones(32, 40), stride=4))

    assert loss(shift) < 0.1
    assert loss(-shift) > 3.0
    assert loss(torch.zeros_like(shift)) > 3.0


def test_matching_loss_is_the_cross_entropy_of_rows_and_columns():
    generator = torch.Generator().manual_seed(1)
    fixed = torch.nn.functional.normalize(torch.randn(1, 6, 4, 5, generator=generator), dim=1)
    moving = torch.nn.functional.normalize(torch.randn(1, 6, 4, 5, generator=generator), dim=1)
    flow = torch.tensor([3.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, 16, 20).contiguous()
    index, weight = matching_targets(flow, ones(16, 20), (4, 5), 4, 1.5)
    target = torch.zeros(20, 20).scatter_add(1, index[0], weight[0])
    similarity = fixed[0].flatten(1).T @ moving[0].flatten(1) / 0.1
    rows = -(target * similarity.log_softmax(1)).sum()
    columns = -(target * similarity.log_softmax(0)).sum()
    expected = 0.5 * (rows + columns) / target.sum()
    found = matching_loss(fixed, moving, flow, ones(16, 20), stride=4)
    assert float(found) == pytest.approx(float(expected), rel=1e-4)


def test_matching_loss_has_finite_gradients_without_valid_cells():
    features = torch.randn(1, 4, 4, 4, requires_grad=True)
    flow = torch.zeros(1, 2, 16, 16)
    loss = matching_loss(features, features, flow, ~ones(16, 16), stride=4)
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert bool(features.grad.isfinite().all())


def test_ncc_ignores_gain_and_offset_and_what_is_masked():
    one = torch.rand(2, 1, 20, 20)
    two = 3 * one + 1
    two[..., :5] = 100
    mask = torch.ones(2, 1, 20, 20, dtype=torch.bool)
    mask[..., :5] = False
    assert torch.allclose(masked_ncc(one, two, mask), torch.ones(2), atol=1e-4)
    assert torch.allclose(masked_ncc(one, -two, mask), -torch.ones(2), atol=1e-4)
    assert float(masked_ncc(one, torch.zeros_like(one)).abs().max()) < 1e-3
