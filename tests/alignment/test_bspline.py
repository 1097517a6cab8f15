import pytest
import torch

from napari_mmreg.alignment.bspline import control_grid

LIKE = torch.zeros(1, dtype=torch.float64)
GRID = control_grid(21, 33, 8, LIKE)


def dense():
    """All basis functions at all pixels: (h * w, ky * kx)."""
    both = torch.einsum("hi,wj->hwij", GRID.along_y, GRID.along_x)
    return both.reshape(21 * 33, -1)


def test_a_constant_and_a_plane_are_exact():
    ky, kx = GRID.shape
    ones = torch.ones(1, ky, kx, 2, dtype=torch.float64)
    torch.testing.assert_close(GRID.field(ones), torch.ones(1, 21, 33, 2, dtype=torch.float64))
    plane = (torch.arange(kx) - 1.0).double()[None, None, :, None].expand(1, ky, kx, 2)
    expected = torch.linspace(0, kx - 3, 33, dtype=torch.float64)
    torch.testing.assert_close(GRID.field(plane)[0, 5, :, 0], expected)


def test_gram_and_gather_equal_the_dense_products():
    values = torch.rand(2, 21, 33, dtype=torch.float64)
    basis = dense()
    for found, part in zip(GRID.gram(values), values, strict=True):
        expected = basis.T @ (part.reshape(-1, 1) * basis)
        torch.testing.assert_close(found, GRID.blocks(expected))
    expected = values.reshape(2, -1) @ basis
    torch.testing.assert_close(GRID.gather(values), expected)


@pytest.mark.parametrize("shape", [(21, 33), (9, 40), (40, 9), (52, 20)], ids=str)
def test_blockwise_solution_equals_the_dense_one(shape):
    """From one group of control rows to several, the last one full and not."""
    grid = control_grid(*shape, 8, LIKE)
    count = grid.shape[0] * grid.shape[1]
    basis = torch.einsum("hi,wj->hwij", grid.along_y, grid.along_x).reshape(-1, count)
    weights = torch.rand(2, 3, *shape, dtype=torch.float64)
    weights[:, 1] = 0.5 * (weights[:, 0] * weights[:, 2]).sqrt()
    penalty = torch.stack([grid.roughness(1), grid.roughness(2)])
    right = torch.rand(2, 2, count, dtype=torch.float64)
    blocks = grid.normal_equations(grid.gram(weights), grid.blocks(penalty), 1e-3)
    found = grid.solve(blocks, right)
    xx, xy, yy = (basis.T @ (part.reshape(2, -1, 1) * basis) for part in weights.unbind(1))
    upper, lower = torch.cat([xx + penalty, xy], 2), torch.cat([xy, yy + penalty], 2)
    dense = torch.cat([upper, lower], 1) + 1e-3 * torch.eye(2 * count, dtype=torch.float64)
    expected = torch.linalg.solve(dense, right.flatten(1))
    torch.testing.assert_close(found.permute(0, 3, 1, 2).flatten(1), expected)


def test_a_grid_made_while_inferring_can_be_trained_with():
    with torch.inference_mode():
        grid = control_grid(13, 15, 5, LIKE)
        grid.roughness(2), grid.fit(torch.zeros(1, 13, 15, 2, dtype=torch.float64))
    control = torch.zeros(1, *grid.shape, 2, dtype=torch.float64, requires_grad=True)
    grid.fit(grid.field(control)).sum().backward()
    assert control.grad.abs().sum() > 0


def test_fit_undoes_field():
    control = torch.rand(2, *GRID.shape, 2, dtype=torch.float64)
    torch.testing.assert_close(GRID.fit(GRID.field(control)), control)


def test_roughness_ignores_planes_at_order_two_only():
    ky, kx = GRID.shape
    plane = (torch.arange(kx).double()[None] + 2 * torch.arange(ky).double()[:, None]).flatten()
    assert plane @ GRID.roughness(2) @ plane < 1e-9
    assert plane @ GRID.roughness(1) @ plane > 1
    assert torch.rand(ky * kx).double() @ GRID.roughness(2) @ torch.rand(ky * kx).double() != 0
