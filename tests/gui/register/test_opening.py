"""Saved results shown as runs again."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mmreg.errors import InputError
from napari_mmreg.gui.shared.bundle import REGISTERED
from napari_mmreg.gui.shared.fused import BEFORE, FUSED, save_fused
from napari_mmreg.gui.shared.motion import ARROWS


class Documented:
    """An engine whose results say what they were made of, as the real one's do."""

    def __init__(self, engine):
        self.engine = engine

    def __call__(self, fixed, moving, **options):
        result = self.engine(fixed, moving, **options)
        result.provenance.update(
            model="fake",
            inputs={
                name: {"shape": list(image.shape)}
                for name, image in (("fixed", fixed), ("moving", moving))
            },
            parameters={"refine": False, "initial": None},
        )
        return result


@pytest.fixture
def saved(session, pair, make_run, engine, tmp_path):
    """The folder of a saved run, which is removed from the viewer."""
    session._register = Documented(engine)
    run = make_run(session, *pair, fusion="laplacian")
    folder = run.bundle.result.save(tmp_path / "kidney 3")
    save_fused(run.layers, folder)
    session.runs.remove(run.number)
    return folder


def _open(session, folder, chosen):
    outcome = session.open_job(str(folder), chosen).execute(lambda *_: None)
    if outcome.error is not None:
        raise outcome.error
    list(session.deliver(outcome.value, folder.name))
    return session.runs.shown


def test_a_saved_result_is_a_run_again(session, viewer, pair, saved, engine):
    run = _open(session, saved, pair)
    assert run.title == "1 · kidney 3"
    assert len(engine.calls) == 1  # nothing was registered again
    assert {REGISTERED, FUSED, BEFORE} <= set(run.layers)
    assert [run.layers[role].visible for role in (FUSED, BEFORE)] == [True, False]
    np.testing.assert_allclose(run.bundle.result.displacement[5, 5], (2, -1.5))
    session.runs.toggle("arrows", on=True)
    np.testing.assert_allclose(run.layers[ARROWS].features["length"], 2.5, rtol=1e-5)
    assert "other images" not in run.bundle.note
    assert "does not look like" not in run.bundle.note


def test_the_images_are_found_by_their_sizes(session, viewer, pair, saved):
    viewer.add_image(np.zeros((30, 30)))
    other = viewer.add_image(np.zeros((20, 30)))
    run = _open(session, saved, (other, None))
    assert (run.bundle.snapshot.fixed.shape, run.bundle.snapshot.moving.shape) == ((96, 128),) * 2


def test_without_its_images_a_result_says_which_it_needs(session, viewer, pair, saved):
    viewer.layers.clear()
    with pytest.raises(InputError, match="96 × 128"):
        session.open_job(str(saved), (None, None))


def test_another_image_of_the_same_size_is_noticed(session, viewer, pair, saved):
    noise = viewer.add_image(np.random.default_rng(9).random((96, 128)).astype(np.float32))
    run = _open(session, saved, (pair[0], noise))
    assert "does not look like" in run.bundle.note


def test_a_failed_result_is_not_shown(session, pair, saved):
    report = saved / "report.json"
    report.write_text(report.read_text().replace('"status": "ok"', '"status": "failed"'))
    with pytest.raises(InputError, match="failed"):
        _open(session, saved, pair)


def test_a_fused_image_of_another_size_is_refused(session, pair, saved):
    from napari_mmreg.io import write_image

    write_image(saved / "fused.tif", np.zeros((9, 9), np.uint8))
    with pytest.raises(InputError, match=r"fused\.tif"):
        _open(session, saved, pair)
