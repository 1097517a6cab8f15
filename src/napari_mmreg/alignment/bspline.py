"""Cubic B-spline displacement fields on a coarse control grid, and their normal equations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

OVERLAP = 3
"""Control points further apart than this have no pixel in common, along each axis."""


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
        rows, cols = self._inverse
        return torch.einsum("ih,bhwc,jw->bijc", rows, field, cols)

    @cached_property
    def _inverse(self) -> tuple[Tensor, Tensor]:
        with _plain_tensors():
            return torch.linalg.pinv(self.along_y), torch.linalg.pinv(self.along_x)

    def gather(self, values: Tensor) -> Tensor:
        """Sum pixel values (..., h, w) into the control points: (..., ky * kx)."""
        return (self.along_y.T @ values @ self.along_x).flatten(-2)

    @property
    def groups(self) -> int:
        """Groups of `OVERLAP` control rows each; only neighbouring groups share pixels."""
        return -(-self.shape[0] // OVERLAP)

    def gram(self, weights: Tensor) -> Tensor:
        """Weighted products of all pairs of basis functions that share pixels.

        Parameters
        ----------
        weights : Tensor of shape (..., h, w)

        Returns
        -------
        Tensor of shape (..., 2 * groups - 1, 3 * kx, 3 * kx)
            The blocks of a block-tridiagonal matrix over groups of three control rows, see
            `blocks`: those on the diagonal, then those to the right of it.
        """
        kx = self.shape[1]
        rows, cols, places = self._products
        narrow = rows @ weights @ cols
        wide = narrow.new_zeros(*narrow.shape[:-1], kx * kx).index_copy(-1, places, narrow)
        parts = wide.view(*weights.shape[:-2], -1, OVERLAP, OVERLAP, kx, kx)
        size = OVERLAP * kx
        blocks: Tensor = parts.transpose(-3, -2).reshape(*weights.shape[:-2], -1, size, size)
        return blocks

    @cached_property
    def _products(self) -> tuple[Tensor, Tensor, Tensor]:
        """Products of control rows (pairs, h) and columns (w, pairs), and places of the latter."""
        with _plain_tensors():
            kx = self.shape[1]
            grouped = F.pad(self.along_y, (0, self.groups * OVERLAP - self.shape[0]))
            grouped = grouped.T.reshape(self.groups, OVERLAP, -1)
            one = torch.cat([grouped, grouped[:-1]])[:, :, None]
            two = torch.cat([grouped, grouped[1:]])[:, None]
            index = torch.arange(kx, device=self.along_x.device)
            left, right = torch.nonzero((index[:, None] - index).abs() <= OVERLAP, as_tuple=True)
            return (
                (one * two).flatten(0, 2),
                self.along_x[:, left] * self.along_x[:, right],
                left * kx + right,
            )

    def blocks(self, matrix: Tensor) -> Tensor:
        """Cut a matrix (..., ky * kx, ky * kx) into the blocks that `gram` returns."""
        size, missing = OVERLAP * self.shape[1], self.groups * OVERLAP - self.shape[0]
        padded = F.pad(matrix, (0, missing * self.shape[1]) * 2)
        shape = (*matrix.shape[:-2], self.groups, size, self.groups, size)
        cut = padded.reshape(shape).transpose(-3, -2)
        pairs = [cut.diagonal(offset, -4, -3).movedim(-1, -3) for offset in (0, 1)]
        return torch.cat(pairs, -3)

    def solve(self, blocks: Tensor, right: Tensor) -> Tensor:
        """Solve for control points by a Cholesky factorisation block by block.

        Parameters
        ----------
        blocks : Tensor of shape (B, 2 * groups - 1, 2 * size, 2 * size)
            As of `gram`, for x before y in each group of ``size = 3 * kx`` control points.
        right : Tensor of shape (B, 2, ky * kx)
            x and y.

        Returns
        -------
        Tensor of shape (B, ky, kx, 2)
        """
        (ky, kx), groups = self.shape, self.groups
        size = OVERLAP * kx
        padded = F.pad(right, (0, groups * size - ky * kx))
        sides = padded.reshape(-1, 2, groups, size).movedim(2, 1).flatten(2)[..., None]
        factors, carried = [], []
        here, side = blocks[:, 0], sides[:, 0]
        for group in range(groups):
            factor = torch.linalg.cholesky(here)
            factors.append(factor)
            if group == groups - 1:
                carried.append(torch.linalg.solve_triangular(factor, side, upper=False))
                break
            both = torch.cat([blocks[:, groups + group], side], -1)
            both = torch.linalg.solve_triangular(factor, both, upper=False)
            carried.append(both)
            less = both[..., :-1].mT @ both
            here = blocks[:, group + 1] - less[..., :-1]
            side = sides[:, group + 1] - less[..., -1:]
        found = [torch.linalg.solve_triangular(factors[-1].mT, carried[-1], upper=True)]
        for factor, both in zip(factors[-2::-1], carried[-2::-1], strict=True):
            side = both[..., -1:] - both[..., :-1] @ found[-1]
            found.append(torch.linalg.solve_triangular(factor.mT, side, upper=True))
        whole = torch.stack(found[::-1], 1).view(-1, groups, 2, OVERLAP, kx)
        return whole.movedim(2, -1).flatten(1, 2)[:, :ky]

    @cached_property
    def _unused(self) -> Tensor:
        """1 for control rows that only fill up the last group, (groups, size)."""
        with _plain_tensors():
            missing = self.groups * OVERLAP - self.shape[0]
            used = F.pad(torch.zeros_like(self.along_y[0]), (0, missing), value=1.0)
            return used.view(self.groups, OVERLAP, 1).expand(-1, -1, self.shape[1]).flatten(1)

    def normal_equations(self, gram: Tensor, penalty: Tensor, ridge: float | Tensor) -> Tensor:
        """Put together what `solve` takes.

        Parameters
        ----------
        gram : Tensor of shape (B, 3, 2 * groups - 1, size, size)
            Of the weights xx, xy, yy.
        penalty : Tensor of shape (B, 2 * groups - 1, size, size)
            Blocks of what is added for x and y alike.
        ridge : float or Tensor of shape ()
            Added to the diagonal.
        """
        xx, xy, yy = gram.unbind(1)
        upper = torch.cat([xx + penalty, xy], -1)
        blocks = torch.cat([upper, torch.cat([xy, yy + penalty], -1)], -2)
        diagonal = blocks[:, : self.groups].diagonal(0, -2, -1)
        diagonal += self._unused.repeat(1, 2) + ridge
        return blocks

    def roughness(self, order: int) -> Tensor:
        """Penalty matrix of squared differences of `order` 1 or 2, (ky * kx, ky * kx)."""
        return self._roughness[order - 1]

    @cached_property
    def _roughness(self) -> tuple[Tensor, Tensor]:
        with _plain_tensors():
            return self._penalty(1), self._penalty(2)

    def _penalty(self, order: int) -> Tensor:
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
    """Return a grid of control points about `spacing` pixels apart over (rows, cols)."""
    return _kept_grid(rows, cols, spacing, like.dtype, like.device)


@lru_cache(maxsize=32)
def _kept_grid(
    rows: int, cols: int, spacing: float, dtype: torch.dtype, device: torch.device
) -> ControlGrid:
    with _plain_tensors():
        like = torch.empty(0, dtype=dtype, device=device)
        return ControlGrid(_weights(rows, spacing, like), _weights(cols, spacing, like))


@contextmanager
def _plain_tensors() -> Iterator[None]:
    """Make what is kept usable everywhere: tensors of inference mode cannot be trained with."""
    with torch.inference_mode(mode=False), torch.no_grad():
        yield


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
