"""What the dock does, without Qt: snapshot, job, result layers, comparison, hover."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels, Shapes
from napari.layers.base import ActionType

from napari_mmreg.errors import InputError
from napari_mmreg.gui.register.comparison import Comparison
from napari_mmreg.gui.register.fusing import FuseJob
from napari_mmreg.gui.register.hover import Hover
from napari_mmreg.gui.register.opening import OpenJob, images_of
from napari_mmreg.gui.register.swipe import Swipe
from napari_mmreg.gui.register.tiles import TilesJob, check_refinable
from napari_mmreg.gui.register.worst import Place, worst_places
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.bundle import Bundle
from napari_mmreg.gui.shared.compat import look_at, point_in
from napari_mmreg.gui.shared.fused import FILES
from napari_mmreg.gui.shared.job import Register, RegistrationJob
from napari_mmreg.gui.shared.placement import part_of
from napari_mmreg.gui.shared.region import cut_region
from napari_mmreg.gui.shared.run_record import RunRecord
from napari_mmreg.gui.shared.runs import RunBook, keeping_selection
from napari_mmreg.gui.shared.snapshot import Picture, RunSettings, Snapshot, take_picture

if TYPE_CHECKING:
    from napari.layers import Layer


_AROUND = 12
"""A worst place is shown with this part of the longer side around it."""


class Session:
    """Registration in one viewer.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    register : callable, optional
        Stands for `napari_mmreg.register`.
    """

    def __init__(self, viewer: Any, register: Register | None = None) -> None:
        self._viewer = viewer
        self._register = register
        self.runs = RunBook.of(viewer)
        self.comparison = Comparison(viewer)
        self.hover = Hover(viewer)
        self.swipe = Swipe(viewer, self.comparison)
        self._places: list[Place] | None = None
        self._place = -1

    def close(self) -> None:
        """Let go of the viewer; result layers stay, the compare layer goes."""
        self.comparison.hide()
        self.swipe.close()
        self.hover.close()
        self.runs.close()

    def snapshot(
        self,
        fixed: Any,
        moving: Any,
        settings: RunSettings,
        fixed_mask: Any = None,
        moving_mask: Any = None,
        region: Any = None,
    ) -> Snapshot:
        """Freeze layers and settings for a run.

        Parameters
        ----------
        fixed, moving : napari Image layers
        settings : RunSettings
        fixed_mask, moving_mask : napari Labels layer, optional
        region : napari Shapes layer, optional
            Only the part of the fixed image within what is drawn there is registered.

        Raises
        ------
        InputError
            If there are not two different images, or the region is none.
        """
        if fixed is None or moving is None or fixed is moving:
            raise InputError(strings.NEED_TWO)

        def picture(layer: Any) -> Picture:
            return take_picture(layer, point_in(self._viewer, layer))

        whole = picture(fixed)
        return Snapshot(
            run=self.runs.next_number(),
            fixed=whole if region is None else cut_region(whole, region),
            moving=picture(moving),
            fixed_mask=None if fixed_mask is None else picture(fixed_mask),
            moving_mask=None if moving_mask is None else picture(moving_mask),
            settings=settings,
            whole=None if region is None else whole,
        )

    def job(self, snapshot: Snapshot) -> RegistrationJob:
        """Return what a worker thread executes."""
        return RegistrationJob(snapshot, self._register)

    def number(self, job: Any) -> None:
        """Give a job that makes a run a number that is free by now: others may have come first."""
        job.snapshot = replace(job.snapshot, run=self.runs.next_number())

    def fuse_job(self, run: RunRecord, method: str, *, correct: bool = False) -> FuseJob:
        """Return what a worker thread executes to fuse a finished run's images."""
        return FuseJob(run.bundle, method, correct=correct)

    def tiles_job(self, run: RunRecord, finest: int) -> TilesJob:
        """Return what a worker thread executes to refine a finished run in tiles.

        Raises
        ------
        InputError
            If tiles cannot make it better.
        """
        check_refinable(run.bundle)
        return TilesJob(run.bundle, self.runs.next_number(), finest)

    def open_job(self, folder: str, chosen: tuple[Any, Any]) -> OpenJob:
        """Return what a worker thread executes to open a saved result.

        Parameters
        ----------
        folder : str
        chosen : (layer, layer)
            Fixed and moving; others are taken if a saved result is not of these.

        Raises
        ------
        InputError
            If the folder holds no result, or its two images are not open.
        """
        fixed, moving = images_of(folder, self._viewer.layers, chosen)
        return OpenJob(folder, self.snapshot(fixed, moving, RunSettings()))

    def new_mask(self, image: Any) -> Labels:
        """Add an empty Labels layer on an image, with the brush in hand."""
        picture = take_picture(image, point_in(self._viewer, image))
        mask = Labels(
            np.zeros(picture.shape, np.uint8),
            name=strings.MASK_NAME.format(name=image.name),
            **part_of(picture.placement, (0, 0), 1),
        )
        self._viewer.layers.append(mask)
        mask.brush_size = max(picture.shape) / 15
        self.paint_on(mask)
        return mask

    def paint_on(self, mask: Any) -> None:
        """Take the brush for a mask."""
        mask.visible = True
        self._viewer.layers.selection.active = mask
        mask.mode = "paint"

    def new_region(self, image: Any) -> Shapes:
        """Add an empty Shapes layer on an image, ready for a rectangle."""
        picture = take_picture(image, point_in(self._viewer, image))
        region = Shapes(
            ndim=2,
            name=strings.REGION_NAME.format(name=image.name),
            edge_color="#ffd23f",
            face_color="transparent",
            edge_width=max(picture.shape) / 250,
            **part_of(picture.placement, (0, 0), 1),
        )
        self._viewer.layers.append(region)
        # One rectangle; what is dragged afterwards is the rectangle or its corners.
        region.events.data.connect(_stop_drawing)
        self.draw_on(region)
        return region

    def draw_on(self, region: Any) -> None:
        """Draw a rectangle, or change those that there are."""
        region.visible = True
        self._viewer.layers.selection.active = region
        region.mode = "select" if len(region.data) else "add_rectangle"

    def look_at(self, run: RunRecord | None) -> None:
        """Read under the cursor from this run from now on, and start with its worst place."""
        self.hover.follow(run)
        self._places = None
        self._place = -1

    def look_at_next(self) -> str:
        """Centre the canvas on the shown run's next worst place; return what to say of it."""
        run = self.runs.shown
        if run is None:
            return ""
        bundle = run.bundle
        if self._places is None:
            self._places = worst_places(np.asarray(bundle.result.misregistration), bundle.valid)
        if not self._places:
            return strings.NO_WORST
        self._place = (self._place + 1) % len(self._places)
        place = self._places[self._place]
        picture = bundle.snapshot.fixed
        around = max(picture.shape) / _AROUND
        look_at(self._viewer, picture.placement, (place.row, place.col), around)
        return strings.WORST_SAID.format(
            index=self._place + 1, count=len(self._places), risk=place.risk
        )

    def deliver(self, bundle: Bundle, name: str = "") -> Iterator[Layer]:
        """Add a finished run, under a name if it has one; its layers come one by one."""
        yield from keeping_selection(self._viewer, self.runs.add(bundle, name))

    def deliver_fused(self, bundle: Bundle) -> Iterator[Layer]:
        """Add the layers that a `FuseJob` made to their run one by one, instead of former ones."""
        added = self.runs.add_layers(bundle.snapshot.run, bundle.layers, FILES)
        yield from keeping_selection(self._viewer, added)


def _stop_drawing(event: Any) -> None:
    region = event.source
    if event.action == ActionType.ADDED and region.mode == "add_rectangle":
        region.mode = "select"
