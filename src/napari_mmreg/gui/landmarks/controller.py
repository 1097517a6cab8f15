"""What the *Landmarks* dock does, without Qt: images, pairs, numbers, files, correction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from napari.utils.events import EmitterGroup, Event

from napari_mmreg.errors import InputError, RegistrationError
from napari_mmreg.geometry import Transform
from napari_mmreg.gui.landmarks import files, strings
from napari_mmreg.gui.landmarks.correction import CorrectionJob, history_of
from napari_mmreg.gui.landmarks.entry import PairEntry
from napari_mmreg.gui.landmarks.fit_state import LIMIT, FitState
from napari_mmreg.gui.landmarks.layers import LandmarkLayers
from napari_mmreg.gui.landmarks.marking import Marking
from napari_mmreg.gui.landmarks.preview import Preview
from napari_mmreg.gui.shared.bundle import REGISTERED
from napari_mmreg.gui.shared.compat import look_at, point_in
from napari_mmreg.gui.shared.job import RegistrationJob, start_of
from napari_mmreg.gui.shared.run_record import RunRecord
from napari_mmreg.gui.shared.runs import RunBook
from napari_mmreg.gui.shared.snapshot import Picture, RunSettings, Snapshot, take_picture
from napari_mmreg.landmarks import FitSettings, LandmarkBook, Side
from napari_mmreg.landmarks.proposals import match_pairs, propose_pairs
from napari_mmreg.landmarks.sessions import SavedSession, load_session, save_session, session_path
from napari_mmreg.landmarks.snap import best_match


class LandmarkController:
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
        self.fit_state = FitState()
        self.book = LandmarkBook()
        self.runs = RunBook.of(viewer)
        self.entry = PairEntry(self.book, self._locate)
        self.marking = Marking(self, viewer)
        self.preview = Preview(viewer)
        self.layers = LandmarkLayers(
            viewer,
            self.book,
            self.entry.click,
            {
                "Enter": self.entry.accept,
                "Escape": self.entry.skip,
                "Control-Z": self.book.undo,
                "Control-Shift-Z": self.book.redo,
            },
        )
        self.entry.events.entered.connect(self._on_entered)
        self.entry.events.skipped.connect(self._on_skipped)
        self.entry.events.ghost.connect(self._on_ghost)
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
        self.selected, self.fit_state = set(), FitState()
        self.entry.expect(None)
        self.book.clear()

    def _begin(self, images: dict[Side, Any]) -> None:
        self._images = images
        self._pictures = {
            side: take_picture(layer, point_in(self._viewer, layer))
            for side, layer in images.items()
        }
        self.fit_state = FitState(self._pictures, start_of(self._snapshot(0)))
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
            self.entry.expect(None if pending is None else pending.id)
            self.marking.update()
            self.events.edited()

    def stop_marking(self) -> None:
        """Take no clicks any more."""
        self.marking.stop()
        self.entry.expect(None)
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
        base, matches = self.fit_state.base, self.fit_state.matches
        if matches is not None:
            marked = [pair.fixed for pair in self.book.pairs if pair.fixed is not None]
            pairs = match_pairs(matches, count, marked)
        else:
            pairs = propose_pairs(
                self._pictures["fixed"].data,
                self._pictures["moving"].data,
                self.fit_state.best,
                count,
                None if base is None else base.bundle.result.misregistration,
            )
        if pairs:
            self.book.extend(pairs)
        return len(pairs)

    def _on_entered(self, event: Any) -> None:
        self.select({event.value})
        self.marking.update()

    def _on_skipped(self) -> None:
        self.marking.update()
        self.events.edited()

    def _on_ghost(self, event: Any) -> None:
        self.layers.show_ghost(event.value)

    def _locate(self, fixed_point: Any) -> tuple[Any, bool]:
        """Return where a fixed point should be in the moving image, and whether it was seen."""
        if not (self.ready and self.marking.on):
            return None, False
        transform = self.fit_state.best
        fixed, moving = self._pictures["fixed"], self._pictures["moving"]
        match = best_match(fixed.data, moving.data, fixed_point, transform)
        if match is not None and match.clear:
            return np.array(match.point), True
        expected = transform.map(fixed_point)
        within = (expected >= 0) & (expected <= np.array(moving.shape) - 1)  # False for NaN
        return (expected, False) if within.all() else (None, False)

    def _on_book(self) -> None:
        if self._dragging:
            self.layers.refresh(places_only=True)
            return
        self.selected = {pair_id for pair_id in self.selected if self.book.get(pair_id) is not None}
        self.entry.follow()
        self.layers.refresh()
        self.marking.update()
        self.events.edited()

    # Numbers, preview and correction

    def fitting_runs(self) -> list[RunRecord]:
        """Return the runs whose results belong to the chosen images, oldest first."""
        return [run for run in self.runs.runs if self.fit_state.fits(run)]

    def measure(self, *, leave_out: bool = True) -> None:
        """Compute all numbers anew, show them on the layers and the preview, keep the session.

        Parameters
        ----------
        leave_out : bool
            Without, only what a drag can wait for.
        """
        self.fit_state.measure(self.book.pairs, leave_out=leave_out)
        found = self.fit_state.measurement
        if leave_out:
            self.layers.errors = {pair_id: found.of(pair_id) for pair_id in found.ids}
            self.layers.limit = self.fit_state.threshold
            self.layers.refresh()
            self.save_session()
        self.preview.update(found.transform)
        self.events.measured()

    def set_preview(self, *, on: bool) -> None:
        """Show the corrected moving image while pairs are edited, or not."""
        if not (on and self.ready):
            self.preview.hide()
            return
        base = self.fit_state.base
        registered = None if base is None else base.layers.get(REGISTERED)
        self.preview.show(
            self._pictures["fixed"],
            self._pictures["moving"],
            self.fit_state.judged,
            [layer for layer in (self.image("moving"), registered) if layer is not None],
        )
        self.preview.update(self.fit_state.measurement.transform)

    def correction(self) -> RegistrationJob:
        """Return the job that makes a new result, for a worker thread.

        Raises
        ------
        InputError
            If the pairs make no transform.
        """
        transform = self._transform()
        fit_state = self.fit_state
        history = history_of(
            fit_state.base, self.book.pairs, fit_state.settings, fit_state.measurement
        )
        return CorrectionJob(self._snapshot(self.runs.next_number()), transform, history)

    def _transform(self) -> Transform:
        self._need_images()
        self.measure()
        found = self.fit_state.measurement
        if found.transform is None:
            raise InputError(strings.NO_TRANSFORM.format(problem=found.problem).strip())
        return found.transform

    def _snapshot(self, number: int) -> Snapshot:
        if self.fit_state.base is not None:
            return replace(self.fit_state.base.bundle.snapshot, run=number)
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
        fit_state = self.fit_state
        settings = {
            **asdict(fit_state.settings),
            "reach": fit_state.reach_share,
            "threshold": fit_state.threshold,
            "physical": fit_state.physical,
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
        values, fit_state = saved.settings, self.fit_state
        fit_state.threshold = float(values.get("threshold", LIMIT))
        fit_state.physical = bool(values.get("physical")) and fit_state.physical_unit is not None
        known = {item.name for item in fields(FitSettings)} - {"reach"}
        fit_state.configure(
            FitSettings(**{name: values[name] for name in known & values.keys()}),
            values.get("reach"),
        )
        if saved.state.pairs:
            self.book.restore(saved.state)
            self.events.said(value=strings.RESTORED.format(count=len(saved.state.pairs)))
