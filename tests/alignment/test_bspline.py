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
        torch.testing.assert_close(found, basis.T @ (part.reshape(-1, 1) * basis))
    expected = values.reshape(2, -1) @ basis
    torch.testing.assert_close(GRID.gather(values), expected)


def test_fit_undoes_field():
    control = torch.rand(2, *GRID.shape, 2, dtype=torch.float64)
    torch.testing.assert_close(GRID.fit(GRID.field(control)), control)


def test_roughness_ignores_planes_at_order_two_only():
    ky, kx = GRID.shape
    plane = (torch.arange(kx).double()[None] + 2 * torch.arange(ky).double()[:, None]).flatten()
    assert plane @ GRID.roughness(2) @ plane < 1e-9
    assert plane @ GRID.roughness(1) @ plane > 1
    assert torch.rand(ky * kx).double() @ GRID.roughness(2) @ torch.rand(ky * kx).double() != 0
