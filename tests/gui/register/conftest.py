"""What the tests of the Register dock share."""

from __future__ import annotations

import pytest
from napari.components import ViewerModel

from napari_mmreg.gui.register.session import Session
from napari_mmreg.gui.shared.snapshot import RunSettings


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def session(viewer, engine):
    session = Session(viewer, engine)
    yield session
    session.close()


@pytest.fixture
def pair(viewer, pictures):
    return tuple(
        viewer.add_image(data, name=name)
        for data, name in zip(pictures, ("visible", "infrared"), strict=True)
    )


@pytest.fixture
def make_run():
    """Return what registers two layers in a session and adds the run."""

    def run(session, fixed, moving, **settings):
        job = session.job(session.snapshot(fixed, moving, RunSettings(**settings)))
        outcome = job.execute(lambda stage, fraction: None)
        assert outcome.error is None
        list(session.deliver(outcome.value))
        return session.runs.runs[-1]

    return run
