"""The runs of a viewer, as several docks see them."""

from __future__ import annotations

from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy

from napari_mmreg.gui.register.session import Session
from napari_mmreg.gui.shared.motion import ARROWS
from napari_mmreg.gui.shared.runs import RunBook
from napari_mmreg.gui.shared.snapshot import RunSettings


def test_docks_share_runs_although_napari_gives_each_its_own_proxy():
    viewer = ViewerModel()
    books = [RunBook.of(PublicOnlyProxy(viewer)) for _ in range(2)]
    assert books[0] is books[1]
    books.append(RunBook.of(viewer))
    assert books[2] is books[0]
    other = RunBook.of(ViewerModel())
    assert other is not books[0]
    for book in (other, *books):
        book.close()
    new = RunBook.of(viewer)
    assert new is not books[0]  # the last user let go
    new.close()


def test_the_layers_of_a_run_are_removed_together(pictures, engine, show_all):
    viewer = ViewerModel()
    session = _registered(viewer, pictures, engine, RunSettings())
    count = len(show_all(session.runs).layers)
    assert count > 3
    seen = []
    for name in ("begin_batch", "removed", "end_batch"):
        getattr(viewer.layers.events, name).connect(lambda _event, name=name: seen.append(name))
    session.runs.remove(1)
    assert seen == ["begin_batch", *["removed"] * count, "end_batch"]
    session.close()


def test_arrows_of_a_hidden_layer_can_be_made_fewer(pictures, engine):
    viewer = ViewerModel()
    session = _registered(viewer, pictures, engine, RunSettings(arrows=30))
    session.runs.toggle("arrows", on=True)
    arrows = session.runs.runs[0].layers[ARROWS]
    former = len(arrows.data)
    arrows.visible = False
    session.runs.set_arrows(1, 5)
    assert 0 < len(arrows.data) < former
    assert len(arrows._view_face_color) >= len(arrows.data)  # what the canvas asks for
    session.close()


def _registered(viewer, pictures, engine, settings):
    """A session after one run."""
    fixed, moving = (viewer.add_image(picture) for picture in pictures)
    session = Session(viewer, engine)
    job = session.job(session.snapshot(fixed, moving, settings))
    list(session.deliver(job.execute(lambda stage, fraction: None).value))
    return session
