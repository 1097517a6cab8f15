"""The *compare* layer: one composed image of fixed and moving, or both side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image

from napari_mmreg.gui.register.beside import SideBySide
from napari_mmreg.gui.shared import bundle as bundles
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.compat import visible_corners
from napari_mmreg.gui.shared.layer_spec import layer_name, shared_kwargs
from napari_mmreg.gui.shared.placement import part_of
from napari_mmreg.gui.shared.run_record import RunRecord
from napari_mmreg.gui.shared.slices import deepened, placed
from napari_mmreg.imaging.compose import Mode, Shown, compose, to_rgb

Source = str | RunRecord
"""What is compared with the fixed image, ``"after"`` or ``"before"`` registration; or another run,
whose registered image is compared with this one's."""

Cut = tuple[int, int, int, int, int]
"""First row and column, last ones (exclusive), and stride."""

_NOTHING: Cut = (0, 0, 0, 0, 1)


class Comparison:
    """Shows one run's fixed image together with the registered or the former moving one.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._run: RunRecord | None = None
        self._layers: list[Image] = []
        self._beside = SideBySide(viewer)
        self._cut: Cut = _NOTHING
        self._pictures: tuple[Shown, Shown] | None = None
        self._source: Source = "after"
        self._mode: Mode = "overlay"
        self._amount = 0.5
        self._second = False

    @property
    def active(self) -> bool:
        """Whether it is to be seen in the viewer."""
        return bool(self._layers) and all(layer in self._viewer.layers for layer in self._layers)

    @property
    def lost(self) -> bool:
        """Whether somebody else removed a layer of it."""
        return bool(self._layers) and not self.active

    @property
    def layer(self) -> Image | None:
        """The composed layer, if there is one; the left one of two."""
        return self._layers[0] if self.active else None

    @property
    def run(self) -> RunRecord | None:
        """The run that is compared."""
        return self._run if self.active else None

    @property
    def pictures(self) -> tuple[Shown, Shown] | None:
        """The two images that are compared, as far as they are seen."""
        return self._pictures if self.active else None

    @property
    def mode(self) -> Mode:
        """How the images are combined."""
        return self._mode

    @property
    def amount(self) -> float:
        """Mix, place of the curtain or tile size, as `compose` takes it."""
        return self._amount

    def show(self, run: RunRecord, mode: Mode, amount: float, source: Source = "after") -> None:
        """Compose and show."""
        if self._run is not run:
            self.hide()
            self._run = run
        if source != self._source:
            self._source, self._pictures = source, None
        self._mode, self._amount = mode, amount
        self._draw(self._wanted_cut())

    def set_amount(self, amount: float) -> None:
        """Move the slider."""
        self._amount = amount
        if self.active:
            self._draw(self._cut)

    def flip(self) -> None:
        """Show the other image of a flicker."""
        self._second = not self._second
        if self.active:
            self._draw(self._cut)

    def refresh(self) -> None:
        """Follow the camera: a zoomed-in large image is composed anew where it is looked at."""
        if self.active:
            wanted = self._wanted_cut()
            if wanted != self._cut:
                self._draw(wanted)

    def hide(self) -> None:
        """Remove what is shown."""
        self._run, self._pictures, self._cut = None, None, _NOTHING
        self._remove_layers()

    def _draw(self, cut: Cut) -> None:
        run = self._run
        if run is None:
            return
        if self._pictures is None or cut != self._cut:
            self._pictures, self._cut = self._read(run, cut), cut
        composed = self._composed(*self._pictures, cut[4])
        place = part_of(run.bundle.snapshot.fixed.placement, (cut[0], cut[1]), cut[4])
        if not self.active or len(composed) != len(self._layers):
            self._remove_layers()
            self._add(run, composed, place)
            return
        at = run.bundle.snapshot.slice
        place = placed(place, at)
        for layer, data in zip(self._layers, composed, strict=True):
            layer.data = deepened(data, "image", at)
            if not np.allclose(layer.translate, place["translate"]) or not np.allclose(
                layer.scale, place["scale"]
            ):
                layer.scale, layer.translate = place["scale"], place["translate"]

    def _composed(self, fixed: Shown, other: Shown, stride: int) -> list[Shown]:
        """Return one picture, or the two that are shown side by side."""
        if self._mode == "beside":
            return [to_rgb(fixed), to_rgb(other)]
        amount = self._amount / stride if self._mode == "checkerboard" else self._amount
        return [compose(fixed, other, self._mode, amount, second=self._second)]

    def _add(self, run: RunRecord, composed: list[Shown], place: dict[str, Any]) -> None:
        snapshot = run.bundle.snapshot
        look = placed({**shared_kwargs(snapshot, bundles.COMPARE), **place}, snapshot.slice)
        self._layers = [
            Image(deepened(data, "image", snapshot.slice), rgb=True, **look) for data in composed
        ]
        layers = self._viewer.layers
        below = run.layers.get(bundles.REGISTERED)
        # Above the registered image and below maps and arrows, which stay readable on top.
        index = layers.index(below) + 1 if below in layers else len(layers)
        selected = set(layers.selection)
        for layer in self._layers:
            layers.insert(index, layer)
        layers.selection = selected
        if self._mode == "beside":
            for layer, name in zip(self._layers, strings.BESIDE, strict=True):
                layer.name = layer_name(snapshot.run, name)
            self._beside.enter(snapshot, *self._layers)

    def _remove_layers(self) -> None:
        layers, self._layers = self._layers, []
        self._beside.leave()
        for layer in layers:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    def _read(self, run: RunRecord, cut: Cut) -> tuple[Shown, Shown]:
        pairs = [(run.bundle, "fixed"), (run.bundle, str(self._source))]
        if isinstance(self._source, RunRecord):
            pairs = [(run.bundle, "after"), (self._source.bundle, "after")]
        if cut == self._whole(run):
            one, other = (bundle.shown[which] for bundle, which in pairs)
            return one, other
        part = np.s_[cut[0] : cut[2] : cut[4], cut[1] : cut[3] : cut[4]]
        one, other = (bundle.show(which, part) for bundle, which in pairs)
        return one, other

    @staticmethod
    def _whole(run: RunRecord) -> Cut:
        rows, cols = run.bundle.snapshot.fixed.shape
        return 0, 0, rows, cols, run.bundle.shown_stride

    def _wanted_cut(self) -> Cut:
        """Return (row, col, row stop, col stop, stride) of what is worth composing."""
        run = self._run
        if run is None:
            return _NOTHING
        rows, cols = run.bundle.snapshot.fixed.shape
        whole = self._whole(run)
        if whole[4] == 1 or self._mode == "curtain":
            return whole
        corners = visible_corners(self._viewer, run.bundle.snapshot.fixed.placement)
        if corners is None:
            return whole
        # Whole blocks, so that small movements of the camera compose nothing new.
        block = 256
        low = np.clip(np.floor(corners.min(axis=0) / block) * block, 0, (rows, cols)).astype(int)
        high = np.clip(np.ceil(corners.max(axis=0) / block) * block, 0, (rows, cols)).astype(int)
        if (high - low < 1).any():
            return whole
        stride = bundles.screen_stride(*(high - low))
        return int(low[0]), int(low[1]), int(high[0]), int(high[1]), stride


def comparable(run: RunRecord, others: list[RunRecord]) -> list[RunRecord]:
    """Return those of other runs whose registered images lie on the same grid as a run's."""
    here = run.bundle.snapshot.fixed
    found = []
    for other in others:
        there = other.bundle.snapshot.fixed
        same = here.shape == there.shape and here.placement.units == there.placement.units
        if other is not run and same:
            places = (here.placement.world_from_pixels, there.placement.world_from_pixels)
            if np.allclose(*places):
                found.append(other)
    return found
