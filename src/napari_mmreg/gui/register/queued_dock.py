"""A dock whose jobs wait for each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_mmreg.errors import InputError
from napari_mmreg.gui.register import strings as texts
from napari_mmreg.gui.register.queue import Request, RunQueue
from napari_mmreg.gui.register.queue_box import QueueBox
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.scrolling_dock import ScrollingDock

if TYPE_CHECKING:
    import napari

_LAYOUT_MS = 50
"""Until the layouts know the size of a new text."""


class QueuedDock(ScrollingDock):
    """Does one request after the other; whatever becomes of one, the next one follows.

    A subclass calls `ask`, places `queue_box` among its parts, and overrides `on_begin`.

    Attributes
    ----------
    queue : RunQueue
    queue_box : QueueBox
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.queue = RunQueue()
        self.queue_box = QueueBox()
        self._go_on_later = self.when_settled(self._go_on)
        self._reveal_timer = self.timer(_LAYOUT_MS, self._reveal_status)
        self.queue_box.removed.connect(self._on_not_wanted)
        self.queue_box.all_cancelled.connect(self.cancel_all)
        self.follow(self._viewer.layers.events.removed, self._on_layer_removed)

    def ask(self, request: Request) -> bool:
        """Do something at once, or when what was asked for before is done.

        Returns
        -------
        bool
            False if the same is under way or waits already, which is said.
        """
        idle = not self.runner.busy and not self.queue.waiting
        try:
            self.queue.put(request)
        except InputError as error:
            self.status.show_note(str(error), texts.QUEUE)
            self._reveal_timer.start()
            return False
        if idle:
            self.finish_delivery()
            self.status.clear()
            self._go_on()
        self.queue_box.show_queue(self.queue)
        return True

    def on_begin(self, request: Request) -> None:
        """Do what the subclass does when a request's turn has come, before its job starts."""

    def cancel(self) -> None:
        """Stop the run and go on with the next; the button is back at once, the engine follows."""
        if self.runner.busy:
            self.runner.cancel()
            self.on_idle()
            self.status.show_note(strings.CANCELLED)
            self.on_shown()

    def cancel_all(self) -> None:
        """Stop the run, and forget what waits."""
        self.queue.clear()
        self.cancel()
        self.status.show_note(texts.CANCELLED_ALL)
        self.queue_box.show_queue(self.queue)

    def on_shown(self) -> None:
        """Say which of several it was and what did not work before, and go on with the next."""
        for sentence in self.queue.end(self.status.problem):
            self.status.add(sentence)
        self.queue_box.show_queue(self.queue)
        if self.queue.waiting:
            self._go_on_later()

    def on_close(self) -> None:
        """Forget what waits."""
        self.queue.clear()

    def _go_on(self) -> None:
        """Begin with what waits longest, once the layers of the run before have arrived."""
        if self.delivering:
            self._go_on_later()
            return
        request = self.queue.next()
        if request is not None:
            self.on_begin(request)
            self.run_job(request.job, request.done)
            self.queue_box.show_queue(self.queue)

    def _reveal_status(self) -> None:
        """Bring into view why nothing was added: in a small window it lies below."""
        self.area.ensureWidgetVisible(self.status)

    def _on_not_wanted(self, request: Request) -> None:
        self.queue.remove(request)
        self.queue_box.show_queue(self.queue)

    def _on_layer_removed(self, event: Any) -> None:
        for sentence in self.queue.drop(event.value):
            self.status.show_note(sentence, texts.QUEUE)
            self.queue_box.show_queue(self.queue)
