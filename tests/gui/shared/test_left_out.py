"""What detection left out, as layers of a run, in a viewer model without a window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_mmreg.gui.register.session import Session
from napari_mmreg.gui.shared import bundle as roles
from napari_mmreg.gui.shared.snapshot import RunSettings


@pytest.fixture
def run_with(fake_engine, show_all):
    """Return what runs with areas that were left out of a picture and one of other size."""
    sessions = []

    def run(**areas):
        class LeavingOut(fake_engine):
            def __call__(self, *args, **options):
                return replace(super().__call__(*args, **options), **areas)

        viewer = ViewerModel()
        session = Session(viewer, LeavingOut())
        sessions.append(session)
        image = np.random.default_rng(0).random((96, 128))
        fixed = viewer.add_image(image, scale=(2, 2))
        moving = viewer.add_image(image[:70, :90], translate=(10, 20))
        job = session.job(session.snapshot(fixed, moving, RunSettings(start="layers")))
        list(session.deliver(job.execute(lambda stage, fraction: None).value))
        return viewer, show_all(session.runs).layers, fixed, moving

    yield run
    for session in sessions:
        session.close()


def test_layers_on_both_images(run_with):
    area = np.zeros((96, 128), np.bool_)
    area[:30] = True
    _viewer, layers, fixed, moving = run_with(grid_fixed_excluded=area, grid_moving_excluded=area)
    one, other = layers[roles.FIXED_EXCLUDED], layers[roles.MOVING_EXCLUDED]
    assert [one.name, other.name] == ["[1] left out of fixed", "[1] left out of moving"]
    assert one.visible
    assert other.visible
    np.testing.assert_array_equal(one.data, area)
    np.testing.assert_array_equal(one.scale, fixed.scale)
    # The edge, at row 29.5 of the grid, lies in world row 59: row 49 of the moving image.
    np.testing.assert_array_equal(other.data[:, 45], np.arange(70) < 49)
    np.testing.assert_array_equal(other.translate, moving.translate)


def test_no_layer_where_nothing_was_left_out(run_with):
    _viewer, layers, *_ = run_with()
    assert roles.FIXED_EXCLUDED not in layers
    assert roles.MOVING_EXCLUDED not in layers
