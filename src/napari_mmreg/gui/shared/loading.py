"""Importing the engine in a worker thread, so that the window is held up as little as possible."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from napari_mmreg.threads import let_threads_sleep


def load_torch() -> None:
    """Import torch, by a job that limits its threads before the engine uses them."""
    let_threads_sleep()
    with uncollected():
        import torch  # noqa: F401


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector from running meanwhile, for imports that make many objects.

    It stops every thread, the window's too, while it goes through all that napari and torch hold,
    several times for 0.1 to 0.3 s. Afterwards the new objects join those that are rarely gone
    through.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if not gc.get_freeze_count():  # nobody's frozen objects are thawed
                gc.freeze()
                gc.unfreeze()
            gc.enable()
