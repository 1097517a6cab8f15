"""Fused images as layers of a run: with it, and afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QFileDialog

from napari_mmreg.fusion import fuse, list_fusions
from napari_mmreg.gui.register.session import Session
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.bundle import REGISTERED
from napari_mmreg.gui.shared.fused import (
    BEFORE,
    CORRECTED,
    FILES,
    FOUND,
    FUSED,
    NO_FUSION,
    save_fused,
)
from napari_mmreg.gui.shared.modalities import METADATA_KEY
from napari_mmreg.gui.shared.snapshot import RunSettings
from napari_mmreg.io.images import read_image
from napari_mmreg.registration import CorrectedFusion, RegistrationResult


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def sessions(viewer):
    made = []

    def make(engine):
        made.append(Session(viewer, engine))
        return made[-1]

    yield make
    for session in made:
        session.close()


def run(session, fixed, moving, progress=None, **settings):
    job = session.job(session.snapshot(fixed, moving, RunSettings(**settings)))
    outcome = job.execute(progress or (lambda stage, fraction: None))
    assert outcome.error is None
    list(session.deliver(outcome.value))
    return session.runs.runs[-1]


def fuse_now(session, record, method="laplacian", **options):
    outcome = session.fuse_job(record, method, **options).execute(lambda stage, fraction: None)
    assert outcome.error is None
    list(session.deliver_fused(outcome.value))


def test_nothing_is_fused_unless_asked_for(viewer, sessions, pictures, engine):
    fixed, moving = (viewer.add_image(picture) for picture in pictures)
    record = run(sessions(engine), fixed, moving)
    assert not {FUSED, BEFORE} & set(record.layers)


def test_after_and_before(viewer, sessions, pictures, engine):
    place = {"scale": (0.5, 0.25), "translate": (3, -2), "units": "um"}
    fixed, moving = (viewer.add_image(picture, **place) for picture in pictures)
    record = run(sessions(engine), fixed, moving, fusion="laplacian")
    fused, before = record.layers[FUSED], record.layers[BEFORE]
    result = record.bundle.result
    np.testing.assert_array_equal(
        fused.data, fuse(pictures[0], result.registered, valid=result.valid)
    )
    np.testing.assert_array_equal(before.data, fuse(pictures[0], pictures[1]))
    assert (fused.visible, before.visible) == (True, False)
    assert fused.name == "[1] fused"
    assert before.name == "[1] fused before"
    for layer in (fused, before):
        np.testing.assert_array_equal(layer.scale, fixed.scale)
        np.testing.assert_array_equal(layer.translate, fixed.translate)
        assert layer.contrast_limits == [0, 1]
        assert layer.metadata[METADATA_KEY]["fusion"] == "laplacian"
    registered = viewer.layers.index(record.layers[REGISTERED])
    assert viewer.layers.index(before) == registered + 1
    assert viewer.layers.index(fused) == registered + 2


@pytest.fixture
def corrector(monkeypatch):
    """Stands in for the network: the corrected image is the fused one upside down."""

    def correct(fixed, moving, fused, method, valid, device, progress, cancel):
        assert fused is None
        progress("Correcting", 1.0)
        fused = fuse(fixed, moving, method, valid)
        likely = np.full(fixed.shape[:2], 0.25, np.float32)
        nothing = np.zeros((*likely.shape, 2), np.float32)
        return CorrectedFusion(fused[::-1], nothing, likely, "ok", ())

    monkeypatch.setattr("napari_mmreg.registration.correct_fusion", correct)


def test_the_corrected_image_lies_above_and_is_shown(viewer, sessions, pictures, engine, corrector):
    fixed, moving = (viewer.add_image(picture) for picture in pictures)
    session = sessions(engine)
    heard = []
    record = run(
        session,
        fixed,
        moving,
        lambda stage, fraction: heard.append(fraction),
        fusion="laplacian",
        correct_fusion=True,
    )
    shown = {role: record.layers[role].visible for role in FILES}
    assert shown == {FUSED: False, BEFORE: False, CORRECTED: True, FOUND: False}
    np.testing.assert_array_equal(record.layers[CORRECTED].data, record.layers[FUSED].data[::-1])
    assert record.layers[FOUND].contrast_limits == [0, 1]
    places = [viewer.layers.index(record.layers[role]) for role in (FUSED, FOUND, CORRECTED)]
    assert places == sorted(places)
    assert heard == sorted(heard)
    # Another fusion without a correction leaves none of the former behind.
    fuse_now(session, record)
    assert CORRECTED not in record.layers
    assert "[1] fused corrected" not in viewer.layers
    fuse_now(session, record, correct=True)
    assert record.layers[CORRECTED].visible
    assert not record.layers[FUSED].visible


def test_after_a_failed_run_the_images_as_they_lay_are_corrected(
    viewer, sessions, pictures, fake_engine, corrector
):
    fixed, moving = (viewer.add_image(picture) for picture in pictures)
    session = sessions(fake_engine(status="failed"))
    record = run(session, fixed, moving)
    fuse_now(session, record, correct=True)
    assert FUSED not in record.layers
    np.testing.assert_array_equal(record.layers[CORRECTED].data, record.layers[BEFORE].data[::-1])


@pytest.mark.gui
def test_there_is_something_to_correct_only_where_something_is_fused(qtbot, dock, corrector):
    method = dock.method
    assert not method.correct.isEnabled()
    method.fusion.select("laplacian")
    assert method.correct.isEnabled()
    method.correct.setChecked(True)
    dock.run_bar.button.click()
    wait(qtbot, dock)
    assert CORRECTED in dock.runs.run.layers
    method.fusion.select(NO_FUSION)
    assert not method.correct.isEnabled()
    dock.run_bar.button.click()
    wait(qtbot, dock)
    assert CORRECTED not in dock.runs.run.layers


def test_colour_is_shown_as_colour(viewer, sessions, pictures, engine):
    photo = np.stack([255 * pictures[0], 90 * pictures[1], 120 * pictures[0]], -1).astype(np.uint8)
    fixed, moving = viewer.add_image(photo, rgb=True), viewer.add_image(pictures[1])
    record = run(sessions(engine), fixed, moving, fusion="laplacian")
    assert record.layers[FUSED].rgb
    assert record.layers[FUSED].data.shape == photo.shape


def test_a_failed_run_is_not_fused_unless_asked_for(viewer, sessions, pictures, fake_engine):
    fixed, moving = (viewer.add_image(picture) for picture in pictures)
    session = sessions(fake_engine(status="failed"))
    record = run(session, fixed, moving, fusion="laplacian")
    assert not {FUSED, BEFORE} & set(record.order)
    assert not record.bundle.motions  # nothing was moved
    outcome = session.fuse_job(record, "laplacian").execute(lambda *_: None)
    assert [spec.role for spec in outcome.value.layers] == [BEFORE]
    assert strings.FUSED_AS_BEFORE in outcome.value.note


def test_a_finished_run_is_fused_without_the_model(viewer, sessions, pictures, engine):
    fixed, moving = (viewer.add_image(picture) for picture in pictures)
    session = sessions(engine)
    record = run(session, fixed, moving)
    count, selected = len(viewer.layers), set(viewer.layers.selection)
    fuse_now(session, record)
    fuse_now(session, record)  # in place of the first ones
    assert len(engine.calls) == 1
    assert len(viewer.layers) == count + 2
    assert set(viewer.layers.selection) == selected
    registered = viewer.layers.index(record.layers[REGISTERED])
    assert [layer.name for layer in viewer.layers[registered : registered + 3]] == [
        "[1] registered",
        "[1] fused before",
        "[1] fused",
    ]
    session.runs.remove(record.number)
    assert list(viewer.layers) == [fixed, moving]


def test_fused_layers_of_a_run_removed_meanwhile_are_dropped(viewer, sessions, pictures, engine):
    fixed, moving = (viewer.add_image(picture) for picture in pictures)
    session = sessions(engine)
    record = run(session, fixed, moving)
    outcome = session.fuse_job(record, "laplacian").execute(lambda stage, fraction: None)
    session.runs.remove(record.number)
    list(session.deliver_fused(outcome.value))
    assert list(viewer.layers) == [fixed, moving]


def test_progress_goes_on_while_fusing(viewer, sessions, pictures, engine):
    fixed, moving = (viewer.add_image(picture) for picture in pictures)
    seen = []
    run(sessions(engine), fixed, moving, lambda *report: seen.append(report), fusion="laplacian")
    stages, fractions = zip(*seen, strict=True)
    assert list(fractions) == sorted(fractions)
    assert seen[-1] == (strings.STAGE_FUSING, 1.0)
    assert strings.STAGE_LAYERS in stages


def test_cancel_reaches_the_fusion(viewer, sessions, pictures, engine):
    fixed, moving = (viewer.add_image(picture) for picture in pictures)
    session = sessions(engine)
    job = session.job(session.snapshot(fixed, moving, RunSettings(fusion="laplacian")))

    def cancel_when_fusing(stage, fraction):
        if stage == strings.STAGE_FUSING:
            job.cancel()

    assert job.execute(cancel_when_fusing).cancelled
    later = session.fuse_job(run(session, fixed, moving), "laplacian")
    later.cancel()
    assert later.execute(lambda stage, fraction: None).cancelled


def test_fused_images_are_saved_with_their_run(viewer, sessions, pictures, engine, tmp_path):
    fixed, moving = (viewer.add_image(picture) for picture in pictures)
    session = sessions(engine)
    record = run(session, fixed, moving)
    assert save_fused(record.layers, tmp_path) == ([], [])
    fuse_now(session, record)
    assert save_fused(record.layers, tmp_path) == (["fused.tif", "fused-before.tif"], [])
    for role, name in ((FUSED, "fused.tif"), (BEFORE, "fused-before.tif")):
        np.testing.assert_array_equal(read_image(tmp_path / name), record.layers[role].data)
    # A layer that the user deleted is not there to be saved.
    viewer.layers.remove(record.layers[BEFORE])
    assert save_fused(record.layers, tmp_path) == (["fused.tif"], ["fused-before.tif"])


def test_colour_is_saved_as_colour(viewer, sessions, pictures, engine, tmp_path):
    photo = np.stack([255 * pictures[0], 90 * pictures[1], 120 * pictures[0]], -1).astype(np.uint8)
    fixed, moving = viewer.add_image(photo, rgb=True), viewer.add_image(pictures[1])
    record = run(sessions(engine), fixed, moving, fusion="laplacian")
    save_fused(record.layers, tmp_path)
    assert read_image(tmp_path / "fused.tif").shape == photo.shape


# In a window


@pytest.fixture
def dock(make_napari_viewer, pictures, engine):
    from napari_mmreg.gui.register.dock import RegisterDock

    viewer = make_napari_viewer()
    for picture, name in zip(pictures, ("visible", "infrared"), strict=True):
        viewer.add_image(picture, name=name)
    dock = RegisterDock(viewer, engine, [])
    viewer.window.add_dock_widget(dock, name="Register images")
    yield dock
    dock.shut_down()


def wait(qtbot, dock):
    qtbot.waitUntil(lambda: not dock.busy, timeout=20_000)


@pytest.mark.gui
def test_the_dock_offers_every_method_and_fuses_with_the_run(qtbot, dock):
    assert dock.method.fusion.values == [NO_FUSION, *(info.name for info in list_fusions())]
    assert dock.method.fusion.value == NO_FUSION
    dock.method.fusion.select("laplacian")
    dock.run_bar.button.click()
    wait(qtbot, dock)
    assert {FUSED, BEFORE} <= set(dock.runs.run.layers)


@pytest.mark.gui
def test_a_model_with_a_fusion_of_its_own_proposes_it(qtbot):
    from napari_mmreg.gui.register.method import MethodBox
    from napari_mmreg.gui.shared.settings import Defaults
    from napari_mmreg.models import list_models

    method = MethodBox(list_models(), Defaults())
    qtbot.addWidget(method)
    method.model.select("rfnet")
    assert method.fusion.value == "f2m"
    method.model.select("classical")
    assert method.fusion.value == NO_FUSION
    method.fusion.select("laplacian")
    method.model.select("rfnet")
    assert method.fusion.value == "laplacian"  # the user's choice stays


@pytest.mark.gui
def test_the_button_fuses_the_chosen_run(qtbot, dock, engine):
    dock.run_bar.button.click()
    wait(qtbot, dock)
    assert FUSED not in dock.runs.run.layers
    dock.runs.fuse.click()
    assert dock.run_bar.running  # the big button cancels
    assert not dock.runs.fuse.isEnabled()
    wait(qtbot, dock)
    assert dock.runs.fuse.isEnabled()
    assert {FUSED, BEFORE} <= set(dock.runs.run.layers)
    assert dock.runs.run.layers[FUSED].metadata[METADATA_KEY]["fusion"] == "laplacian"
    assert strings.FUSED_DONE.format(run=1, method="Laplacian pyramid") in dock.status.text
    assert strings.FUSED_HIDDEN in dock.status.text
    # It lies over the comparison, and turning to that uncovers it.
    names = [layer.name for layer in dock._viewer.layers]
    assert names.index("[1] compare") < names.index("[1] fused before") < names.index("[1] fused")
    assert len(engine.calls) == 1
    assert len(dock.session.runs.runs) == 1
    assert dock.runs.run.layers[FUSED].visible
    dock.compare.mode.select("blend")
    dock.compare.mode.activated.emit(dock.compare.mode.currentIndex())
    assert not dock.runs.run.layers[FUSED].visible


@pytest.mark.gui
def test_save_says_which_fused_images_it_wrote(qtbot, dock, tmp_path, monkeypatch):
    dock.run_bar.button.click()
    wait(qtbot, dock)
    monkeypatch.setattr(RegistrationResult, "save", lambda self, folder: None)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(tmp_path))
    dock.runs.save.click()
    assert strings.SAVED.format(folder=tmp_path) in dock.status.text
    dock.runs.fuse.click()
    wait(qtbot, dock)
    dock.runs.save.click()
    assert "fused.tif and fused-before.tif" in dock.status.text
    assert {path.name for path in tmp_path.iterdir()} == {"fused.tif", "fused-before.tif"}
    # Another run's files must not be taken for this one's.
    dock.run_bar.button.click()
    wait(qtbot, dock)
    monkeypatch.setattr(RegistrationResult, "save", lambda self, folder: None)
    dock.runs.save.click()
    assert strings.LEFT_FUSED.format(left="fused.tif and fused-before.tif") in dock.status.text


@pytest.mark.gui
def test_a_place_for_fused_images_that_cannot_be_written_is_a_sentence(
    qtbot, dock, tmp_path, monkeypatch
):
    dock.method.fusion.select("laplacian")
    dock.run_bar.button.click()
    wait(qtbot, dock)
    monkeypatch.setattr(RegistrationResult, "save", lambda self, folder: None)
    (tmp_path / "fused.tif").mkdir()  # a file cannot replace it
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(tmp_path))
    dock.runs.save.click()
    assert "Could not save" in dock.status.text
