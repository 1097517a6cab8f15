"""The corrected moving image at screen resolution, fast enough to follow a dragged landmark."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray
from scipy import ndimage

from napari_mmreg.gui.landmarks import strings
from napari_mmreg.gui.shared.bundle import COMPLEMENTS
from napari_mmreg.gui.shared.modalities import METADATA_KEY
from napari_mmreg.gui.shared.placement import part_of
from napari_mmreg.imaging.compose import to_shown

if TYPE_CHECKING:
    from napari_mmreg.geometry import Transform
    from napari_mmreg.gui.shared.snapshot import Picture

PIXELS = 512 * 512
"""Pixels of the preview; more could not follow the mouse."""

NODES = 33
"""Nodes per side of the lattice on which the correction is computed: it is smooth."""

ROLE = "landmark preview"


class Preview:
    """One Image layer that shows the moving image under a transform.

    What the judged transform does is computed once, on every `stride`-th fixed pixel. Each
    update computes only by how much the new transform differs from it, on a coarse lattice.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._layer: Image | None = None
        self._hidden: list[Any] = []
        self._every = 1
        self._judged: Transform | None = None
        self._moving: NDArray[Any] = np.empty((0, 0))
        self._positions: NDArray[np.float32] = np.empty((0, 0, 2), np.float32)
        self._lattice: NDArray[np.float64] = np.empty((0, 0, 2))
        self._on_lattice: NDArray[np.float64] = np.empty((0, 0, 2))

    @property
    def on(self) -> bool:
        """Whether the layer is in the viewer."""
        return self._layer is not None and self._layer in self._viewer.layers

    @property
    def layer(self) -> Image | None:
        """The layer, if it is in the viewer."""
        return self._layer if self.on else None

    def show(
        self, fixed: Picture, moving: Picture, judged: Transform, instead_of: Iterable[Any] = ()
    ) -> None:
        """Make the layer for a pair of images, on the fixed image's place in the world.

        Parameters
        ----------
        fixed, moving : Picture
        judged : Transform
            Fixed to moving; what transforms will differ from smoothly.
        instead_of : iterable of layers
            Hidden while the preview is there.
        """
        self.hide()
        stride = _stride(fixed.shape, PIXELS)
        self._every = _stride(moving.shape, 4 * PIXELS)
        part = np.asarray(moving.data[:: self._every, :: self._every])
        self._moving = to_shown(part, moving.contrast_limits)
        self._lattice = _lattice(fixed.shape)
        self._judged = judged
        rows, cols = (np.arange(0, size, stride, dtype=np.float64) for size in fixed.shape)
        grid = np.stack(np.meshgrid(rows, cols, indexing="ij"), axis=-1)
        self._positions = judged.map(grid).astype(np.float32)
        self._on_lattice = judged.map(self._lattice)
        kwargs: dict[str, Any] = {
            **part_of(fixed.placement, (0, 0), stride),
            "name": strings.PREVIEW_NAME,
            "metadata": {METADATA_KEY: {"run": 0, "role": ROLE}},
        }
        if moving.rgb or fixed.rgb:
            kwargs.update(blending="translucent", opacity=0.6)
        else:
            kwargs.update(blending="additive")
        if moving.rgb:
            kwargs.update(rgb=True)
        else:
            colour = "gray" if fixed.rgb else COMPLEMENTS.get(fixed.colormap, "magenta")
            kwargs.update(colormap=colour, contrast_limits=(0, 255))
        self._layer = Image(self._pull(self._positions), **kwargs)
        selected = set(self._viewer.layers.selection)
        self._viewer.layers.insert(self._place(), self._layer)
        self._viewer.layers.selection = selected
        self._hidden = [layer for layer in instead_of if layer.visible]
        for layer in self._hidden:
            layer.visible = False

    def update(self, transform: Transform | None) -> None:
        """Show the moving image under `transform`; under the judged one if None."""
        layer = self.layer
        if layer is None:
            return
        layer.data = self._pull(self.positions(transform))

    def hide(self) -> None:
        """Remove the layer."""
        layer, self._layer = self._layer, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)
        for former in self._hidden:
            former.visible = True
        self._hidden = []
        self._positions = np.empty((0, 0, 2), np.float32)

    def positions(self, transform: Transform | None) -> NDArray[np.float32]:
        """Return where the preview's pixels lie in the moving image, float32 (h, w, 2)."""
        if transform is None:
            return self._positions
        step = np.nan_to_num(transform.map(self._lattice) - self._on_lattice)
        return self._positions + _upsample(step.astype(np.float32), self._positions.shape[:2])

    def _pull(self, positions: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Sample the moving image at positions; black outside."""
        where = np.moveaxis(np.nan_to_num(positions, nan=-1e6), -1, 0) / np.float32(self._every)
        if self._moving.ndim == 2:
            return np.asarray(ndimage.map_coordinates(self._moving, where, order=1))
        return np.stack(
            [
                ndimage.map_coordinates(self._moving[..., channel], where, order=1)
                for channel in range(self._moving.shape[2])
            ],
            axis=-1,
        )

    def _place(self) -> int:
        """Return the index in the layer list: above all images, below points and vectors."""
        images = [i for i, layer in enumerate(self._viewer.layers) if isinstance(layer, Image)]
        return images[-1] + 1 if images else 0


def _stride(shape: tuple[int, int], budget: int) -> int:
    return max(1, int(np.ceil(np.sqrt(shape[0] * shape[1] / budget))))


def _lattice(shape: tuple[int, int]) -> NDArray[np.float64]:
    axes = [np.linspace(0, size - 1, NODES) for size in shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def _upsample(step: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Interpolate a lattice of vectors linearly; two small matrix products."""
    down, right = (_weights(size) for size in shape)
    return np.asarray(
        np.stack([down @ step[..., axis] @ right.T for axis in (0, 1)], axis=-1), dtype=np.float32
    )


def _weights(size: int) -> NDArray[np.float32]:
    """Return (size, NODES) weights of linear interpolation."""
    place = np.linspace(0, NODES - 1, size)
    weights = np.maximum(1 - np.abs(place[:, None] - np.arange(NODES)), 0)
    return np.asarray(weights, dtype=np.float32)
