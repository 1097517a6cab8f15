"""Cubic B-spline displacement fields on a coarse control grid, and their normal equations."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class ControlGrid:
    """A tensor-product cubic B-spline over a pixel grid.

    Attributes
    ----------
    along_y : Tensor of shape (h, ky)
        Weight of each control row at each pixel row.
    along_x : Tensor of shape (w, kx)
    """

    along_y: Tensor
    along_x: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """Control points along y and x."""
        return self.along_y.shape[1], self.along_x.shape[1]

    def field(self, control: Tensor) -> Tensor:
        """Evaluate control values (B, ky, kx, 2) at every pixel: (B, h, w, 2)."""
        return torch.einsum("hi,bijc,wj->bhwc", self.along_y, control, self.along_x)

    def fit(self, field: Tensor) -> Tensor:
        """Return the control values (B, ky, kx, 2) whose spline is closest to (B, h, w, 2)."""
        rows, cols = torch.linalg.pinv(self.along_y), torch.linalg.pinv(self.along_x)
        return torch.einsum("ih,bhwc,jw->bijc", rows, field, cols)

    def gather(self, values: Tensor) -> Tensor:
        """Sum pixel values (..., h, w) into the control points: (..., ky * kx)."""
        return (self.along_y.T @ values @ self.along_x).flatten(-2)

    def gram(self, weights: Tensor) -> Tensor:
        """Weighted products of all pairs of basis functions.

        Parameters
        ----------
        weights : Tensor of shape (..., h, w)

        Returns
        -------
        Tensor of shape (..., ky * kx, ky * kx)
        """
        ky, kx = self.shape
        rows = (self.along_y[:, :, None] * self.along_y[:, None, :]).flatten(1)
        cols = (self.along_x[:, :, None] * self.along_x[:, None, :]).flatten(1)
        product = (rows.T @ weights @ cols).view(*weights.shape[:-2], ky, ky, kx, kx)
        gram: Tensor = product.transpose(-3, -2).reshape(*weights.shape[:-2], ky * kx, ky * kx)
        return gram

    def roughness(self, order: int) -> Tensor:
        """Penalty matrix of squared differences of `order` 1 or 2, (ky * kx, ky * kx)."""
        ky, kx = self.shape
        like = self.along_y
        dy, dx = (_differences(n, order, like) for n in (ky, kx))
        eye_y, eye_x = (torch.eye(n, dtype=like.dtype, device=like.device) for n in (ky, kx))
        penalty = torch.kron(dy.T @ dy, eye_x) + torch.kron(eye_y, dx.T @ dx)
        if order == 2:
            ey, ex = (_differences(n, 1, like) for n in (ky, kx))
            penalty = penalty + 2 * torch.kron(ey.T @ ey, ex.T @ ex)
        return penalty


def control_grid(rows: int, cols: int, spacing: float, like: Tensor) -> ControlGrid:
    """Make a grid of control points about `spacing` pixels apart over (rows, cols)."""
    return ControlGrid(_weights(rows, spacing, like), _weights(cols, spacing, like))


def _weights(length: int, spacing: float, like: Tensor) -> Tensor:
    spans = max(1, round((length - 1) / spacing))
    place = torch.linspace(0, spans, length, device=like.device, dtype=like.dtype)
    # Control point k sits at k - 1, so that one lies beyond each end.
    control = torch.arange(spans + 3, device=like.device, dtype=like.dtype) - 1
    distance = (place[:, None] - control[None, :]).abs()
    inner = 2 / 3 - distance**2 + distance**3 / 2
    outer = (2 - distance).clamp(min=0) ** 3 / 6
    return torch.where(distance < 1, inner, outer)


def _differences(count: int, order: int, like: Tensor) -> Tensor:
    matrix = torch.eye(count, dtype=like.dtype, device=like.device)
    for _ in range(order):
        matrix = matrix[1:] - matrix[:-1]
    return matrix
