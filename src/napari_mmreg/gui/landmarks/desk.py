"""What the *Landmarks* dock does, without Qt: images, pairs, numbers, files, correction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from napari.utils.events import EmitterGroup, Event

from napari_mmreg.errors import InputError, RegistrationError
from napari_mmreg.geometry import Transform
from napari_mmreg.gui.landmarks import files, strings
from napari_mmreg.gui.landmarks.correction import CorrectionJob, history_of
from napari_mmreg.gui.landmarks.flow import PairFlow
from napari_mmreg.gui.landmarks.judging import LIMIT, Judging
from napari_mmreg.gui.landmarks.layers import LandmarkLayers
from napari_mmreg.gui.landmarks.marking import Marking
from napari_mmreg.gui.landmarks.preview import Preview
from napari_mmreg.gui.shared.bundle import REGISTERED
from napari_mmreg.gui.shared.compat import look_at, point_in
from napari_mmreg.gui.shared.job import Job, start_of
from napari_mmreg.gui.shared.runs import RunBook, RunRecord
from napari_mmreg.gui.shared.snapshot import Picture, RunSettings, Snapshot, take_picture
from napari_mmreg.landmarks import FitSettings, LandmarkBook, Side
from napari_mmreg.landmarks.seeds import match_pairs, seed_pairs
from napari_mmreg.landmarks.sessions import SavedSession, load_session, save_session, session_path


class LandmarkDesk:
    """Landmarks of two images in one viewer.

    Events: ``edited`` (pairs, ghost or selection changed; numbers are old), ``measured``
    (numbers are new), ``said`` (its ``value`` is a sentence for the user).

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._images: dict[Side, Any] = {}
        self._pictures: dict[Side, Picture] = {}
        self._path: Path | None = None
        self._dragging = False
        self.selected: set[int] = set()
        self.events = EmitterGroup(source=self, edited=Event, measured=Event, said=Event)
        self.judging = Judging()
        self.book = LandmarkBook()
        self.runs = RunBook.of(viewer)
        self.flow = PairFlow(self)
        self.marking = Marking(self, viewer)
        self.preview = Preview(viewer)
        self.layers = LandmarkLayers(
            viewer,
            self.book,
            self.flow.click,
            {
                "Enter": self.flow.accept,
                "Escape": self.flow.skip,
                "Control-Z": self.book.undo,
                "Control-Shift-Z": self.book.redo,
            },
        )
        self.book.listen(self._on_book)

    def close(self) -> None:
        """Keep the session, take our layers out, let go of the viewer."""
        self._leave()
        self.book.unlisten(self._on_book)
        self.runs.close()

    # Images

    def set_images(self, fixed: Any, moving: Any) -> None:
        """Work on two image layers, or on none; what was marked on them before comes back."""
        if fixed is self.image("fixed") and moving is self.image("moving"):
            return
        self._leave()
        if fixed is not None and moving is not None:
            self._begin({"fixed": fixed, "moving": moving})
        self.events.edited()

    def _leave(self) -> None:
        self.save_session()
        self.marking.stop()
        self.preview.hide()
        self.layers.detach()
        self._images, self._pictures, self._path = {}, {}, None
        self.selected, self.judging = set(), Judging()
        self.flow.expect(None)
        self.book.clear()

    def _begin(self, images: dict[Side, Any]) -> None:
        self._images = images
        self._pictures = {
            side: take_picture(layer, point_in(self._viewer, layer))
            for side, layer in images.items()
        }
        start = start_of(self._snapshot(0))
        self.judging = Judging(self._pictures, start)
        self.layers.attach(self._pictures["fixed"], self._pictures["moving"])
        about = "|".join(
            f"{self._pictures[side].shape}{layer.source.path or ''}"
            for side, layer in images.items()
        )
        self._path = session_path(images["fixed"].name, images["moving"].name, about)
        self._restore(self._path)

    def image(self, side: Side) -> Any:
        """Return an image layer, None if there is none."""
        return self._images.get(side)

    def picture(self, side: Side) -> Picture | None:
        """Return what is seen of an image layer, None if there is none."""
        return self._pictures.get(side)

    @property
    def ready(self) -> bool:
        """Whether two images are chosen."""
        return len(self._pictures) == 2

    # Editing

    def start_marking(self) -> None:
        """Take clicks; a pair that was left half-finished goes on."""
        if self.ready:
            self.marking.start()
            pending = self.book.pending
            self.flow.expect(None if pending is None else pending.id)
            self.marking.update()
            self.events.edited()

    def stop_marking(self) -> None:
        """Take no clicks any more."""
        self.marking.stop()
        self.flow.expect(None)
        self.events.edited()

    def drag(self, pair_id: int, side: Side, point: Any, gesture: object) -> None:
        """Move a landmark while the mouse is down: quick numbers, live preview."""
        self._dragging = True
        try:
            self.book.place(pair_id, side, point, gesture)
        finally:
            self._dragging = False
        self.measure(leave_out=False)

    def finish_drag(self) -> None:
        """Let the numbers that a drag had left out be computed."""
        self.events.edited()

    def select(self, ids: Iterable[int]) -> None:
        """Select pairs."""
        self.selected = {pair_id for pair_id in ids if self.book.get(pair_id) is not None}
        self.layers.select(self.selected)
        self.events.edited()

    def remove_selected(self) -> None:
        """Delete the selected pairs."""
        if self.selected:
            self.book.remove(self.selected)

    def zoom_to(self, pair_id: int) -> None:
        """Bring the camera to a pair, in the fixed image if it is marked there."""
        pair = self.book.get(pair_id)
        side: Side = "fixed" if pair is not None and pair.fixed is not None else "moving"
        point = None if pair is None else pair.at(side)
        if point is not None and self.ready:
            picture = self._pictures[side]
            look_at(self._viewer, picture.placement, point, max(picture.shape) / 8)

    def propose(self, count: int = 12) -> int:
        """Add pairs and return how many.

        They are the best matches of the chosen result if its model matches, or else clear matches
        near the best known transform.
        """
        self._need_images()
        base, matches = self.judging.base, self.judging.matches
        if matches is not None:
            marked = [pair.fixed for pair in self.book.pairs if pair.fixed is not None]
            pairs = match_pairs(matches, count, marked)
        else:
            pairs = seed_pairs(
                self._pictures["fixed"].data,
                self._pictures["moving"].data,
                self.judging.best,
                count,
                None if base is None else base.bundle.result.misregistration,
            )
        if pairs:
            self.book.extend(pairs)
        return len(pairs)

    def _on_book(self) -> None:
        if self._dragging:
            self.layers.refresh(places_only=True)
            return
        self.selected = {pair_id for pair_id in self.selected if self.book.get(pair_id) is not None}
        self.flow.follow()
        self.layers.refresh()
        self.marking.update()
        self.events.edited()

    # Numbers, preview and correction

    def fitting_runs(self) -> list[RunRecord]:
        """Return the runs whose results belong to the chosen images, oldest first."""
        return [run for run in self.runs.runs if self.judging.fits(run)]

    def measure(self, *, leave_out: bool = True) -> None:
        """Compute all numbers anew, show them on the layers and the preview, keep the session.

        Parameters
        ----------
        leave_out : bool
            Without, only what a drag can wait for.
        """
        self.judging.measure(self.book.pairs, leave_out=leave_out)
        found = self.judging.measurement
        if leave_out:
            self.layers.errors = {pair_id: found.of(pair_id) for pair_id in found.ids}
            self.layers.limit = self.judging.threshold
            self.layers.refresh()
            self.save_session()
        self.preview.update(found.transform)
        self.events.measured()

    def set_preview(self, *, on: bool) -> None:
        """Show the corrected moving image while pairs are edited, or not."""
        if not (on and self.ready):
            self.preview.hide()
            return
        base = self.judging.base
        registered = None if base is None else base.layers.get(REGISTERED)
        self.preview.show(
            self._pictures["fixed"],
            self._pictures["moving"],
            self.judging.judged,
            [layer for layer in (self.image("moving"), registered) if layer is not None],
        )
        self.preview.update(self.judging.measurement.transform)

    def correction(self) -> Job:
        """Return the job that makes a new result, for a worker thread.

        Raises
        ------
        InputError
            If the pairs make no transform.
        """
        transform = self._transform()
        judging = self.judging
        history = history_of(judging.base, self.book.pairs, judging.settings, judging.measurement)
        return CorrectionJob(self._snapshot(self.runs.next_number()), transform, history)

    def _transform(self) -> Transform:
        self._need_images()
        self.measure()
        found = self.judging.measurement
        if found.transform is None:
            raise InputError(strings.NO_TRANSFORM.format(problem=found.problem).strip())
        return found.transform

    def _snapshot(self, number: int) -> Snapshot:
        if self.judging.base is not None:
            return replace(self.judging.base.bundle.snapshot, run=number)
        fixed, moving = self._pictures["fixed"], self._pictures["moving"]
        return Snapshot(number, fixed, moving, None, None, RunSettings())

    def _need_images(self) -> None:
        if not self.ready:
            raise InputError(strings.HINT_NO_IMAGES)

    # Files

    def open(self, path: str | Path) -> int:
        """Replace the table by the pairs of a file; return how many."""
        self._need_images()
        pairs = files.read_pairs(path, self._pictures["fixed"], self._pictures["moving"])
        self.book.replace_all(pairs)
        return len(pairs)

    def save(self, path: str | Path, kind: str = "csv") -> None:
        """Write the table (``"csv"``, ``"bigwarp"``) or its transform (``"transform"``)."""
        if kind == "transform":
            self._transform().save(path)
            return
        self._need_images()
        files.write_pairs(
            path, self.book.pairs, kind, self._pictures["fixed"], self._pictures["moving"]
        )

    def save_session(self) -> None:
        """Keep the pairs and settings for the next time."""
        if self._path is None or (not len(self.book) and not self._path.exists()):
            return
        judging = self.judging
        settings = {
            **asdict(judging.settings),
            "reach": judging.reach_share,
            "threshold": judging.threshold,
            "physical": judging.physical,
        }
        try:
            save_session(self._path, SavedSession(self.book.state, settings))
        except RegistrationError as error:
            self._path = None  # said once is enough
            self.events.said(value=str(error))

    def _restore(self, path: Path) -> None:
        try:
            saved = load_session(path)
        except RegistrationError as error:
            self.events.said(value=str(error))
            return
        if saved is None:
            return
        values, judging = saved.settings, self.judging
        judging.threshold = float(values.get("threshold", LIMIT))
        judging.physical = bool(values.get("physical")) and judging.physical_unit is not None
        known = {item.name for item in fields(FitSettings)} - {"reach"}
        judging.configure(
            FitSettings(**{name: values[name] for name in known & values.keys()}),
            values.get("reach"),
        )
        if saved.state.pairs:
            self.book.restore(saved.state)
            self.events.said(value=strings.RESTORED.format(count=len(saved.state.pairs)))
