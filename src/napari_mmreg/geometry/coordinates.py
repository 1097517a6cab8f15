"""The only place where axes are swapped and displacements rescaled for networks.

*Convention*: outside (numpy) a displacement is ``(H, W, 2)``, ``(row, col)``; inside (torch) a
flow is ``(B, 2, H, W)`` with channel 0 = x (columns) and channel 1 = y (rows). Both are in
pixels of their own grid, fixed to moving, pixel centres at integers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_mmreg.errors import InputError
from napari_mmreg.geometry.numbers import as_numbers
from napari_mmreg.geometry.warp import check_shape

if TYPE_CHECKING:
    import torch
    from numpy.typing import ArrayLike, NDArray


def displacement_to_flow(
    displacement: ArrayLike, device: str | torch.device = "cpu"
) -> torch.Tensor:
    """Turn a displacement into a flow.

    Parameters
    ----------
    displacement : array_like of float, shape (H, W, 2)
        ``(row, col)`` in pixels.
    device : str or torch.device
        Where the flow is wanted.

    Returns
    -------
    torch.Tensor of float32, shape (1, 2, H, W)
        ``(x, y)`` in pixels; a copy.

    Notes
    -----
    *Convention*: see the module; the direction, fixed to moving, stays.
    """
    import torch

    field = _check_field(displacement)
    flow = np.ascontiguousarray(field[..., ::-1].transpose(2, 0, 1))
    return torch.from_numpy(flow.copy())[None].to(device)


def flow_to_displacement(flow: torch.Tensor) -> NDArray[np.float32]:
    """Turn one flow into a displacement.

    Parameters
    ----------
    flow : torch.Tensor of float, shape (1, 2, H, W) or (2, H, W)
        ``(x, y)`` in pixels, on any device.

    Returns
    -------
    ndarray of float32, shape (H, W, 2)
        ``(row, col)`` in pixels; a copy.

    Notes
    -----
    *Convention*: see the module; the direction, fixed to moving, stays.
    """
    single = flow[0] if flow.ndim == 4 and flow.shape[0] == 1 else flow
    if single.ndim != 3 or single.shape[0] != 2:
        raise InputError(
            f"A flow needs the shape (1, 2, H, W) or (2, H, W), not {tuple(flow.shape)}; "
            "convert the flows of a batch one by one."
        )
    array = single.detach().float().cpu().numpy()
    return np.ascontiguousarray(array[::-1].transpose(1, 2, 0), dtype=np.float32)


def resize_displacement(displacement: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Sample a displacement on a finer or coarser grid over the same frames.

    Parameters
    ----------
    displacement : array_like of float, shape (h, w, 2)
        In pixels of its own grid.
    shape : tuple of int
        Rows and columns of the new grid.

    Returns
    -------
    ndarray of float32, shape (H, W, 2)
        In pixels of the new grid: values are multiplied by the ratio of the sizes along each
        axis, ``s``, as if both images were resized by it.

    Notes
    -----
    *Convention*: the borders of the frames coincide, so that pixel centres move to
    ``(p + 0.5) * s - 0.5``. Linear in between; in the outer half pixel the border's values
    repeat. Going to a much coarser grid, smooth the field first.
    """
    field = _check_field(displacement)
    scale = np.array(check_shape(shape)) / np.array(check_shape(field.shape))
    # ndimage.zoom would divide by n - 1 on axes of one pixel; explicit positions always work.
    rows, cols = (
        (np.arange(n) + 0.5) / s - 0.5 for n, s in zip(check_shape(shape), scale, strict=True)
    )
    where = np.meshgrid(rows, cols, indexing="ij")
    resized = np.empty((*check_shape(shape), 2), dtype=np.float32)
    for axis in range(2):
        sampled = ndimage.map_coordinates(field[..., axis], where, order=1, mode="nearest")
        resized[..., axis] = sampled * scale[axis]
    return resized


def _check_field(displacement: ArrayLike) -> NDArray[np.float32]:
    field = as_numbers(displacement, "Displacements", dtype=np.float32)
    if field.ndim != 3 or field.shape[-1] != 2:
        raise InputError(f"A displacement needs the shape (H, W, 2), not {field.shape}.")
    return field
