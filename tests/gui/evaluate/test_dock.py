"""The Evaluate dock in a real napari window, and its session without one."""

from __future__ import annotations

import json
import threading
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from qtpy.compat import isalive
from qtpy.QtWidgets import QFileDialog, QInputDialog
from scipy import ndimage

from napari_mmreg.errors import Cancelled, ModelError
from napari_mmreg.evaluation import evaluate
from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.gui.evaluate import strings as texts
from napari_mmreg.gui.evaluate.dock import EvaluateDock
from napari_mmreg.gui.evaluate.evaluating import (
    Candidate,
    EvaluationRequest,
    ModelOutcome,
    Truths,
    labels_on,
    run_evaluation,
)
from napari_mmreg.gui.evaluate.models_box import rank
from napari_mmreg.gui.evaluate.object_layers import STATES
from napari_mmreg.gui.evaluate.session import points_in
from napari_mmreg.gui.register.dock import RegisterDock
from napari_mmreg.gui.register.session import Session
from napari_mmreg.gui.shared import fused, strings
from napari_mmreg.gui.shared.bundle import REGISTERED
from napari_mmreg.gui.shared.fused import fused_image
from napari_mmreg.gui.shared.modalities import METADATA_KEY
from napari_mmreg.gui.shared.snapshot import RunSettings, take_picture
from napari_mmreg.models import ModelInfo

pytestmark = pytest.mark.gui

MODELS = [
    ModelInfo("one", "Model One", "For maps.", "BSD-3-Clause"),
    ModelInfo("two", "Model Two", "For charts.", "BSD-3-Clause"),
]
WAIT = 60_000
SHIFT = (4.0, -3.0)


@pytest.fixture
def discs():
    """Fixed and moving picture of the same discs, and the label images of both."""
    rows, cols = np.indices((120, 160))
    images, labels = [], []
    for offset, greys in (((0, 0), [0.2, 0.9, 0.7, 1.0, 0.8]), (SHIFT, [0.8, 0.1, 0.3, 0.2, 0.0])):
        label = np.zeros(rows.shape, np.int32)
        places = ((35, 40, 14), (38, 110, 12), (85, 45, 15), (80, 115, 17))
        for number, (row, col, radius) in enumerate(places, start=1):
            label[np.hypot(rows - row - offset[0], cols - col - offset[1]) <= radius] = number
        images.append(ndimage.gaussian_filter(np.array(greys)[label], 1).astype(np.float32))
        labels.append(label)
    return images, labels


@pytest.fixture
def make(make_napari_viewer, discs):
    docks = []

    def build(register=None, *, place=None):
        viewer = make_napari_viewer()
        for picture, name in zip(discs[0], ("visible", "infrared"), strict=True):
            viewer.add_image(picture, name=name, **(place or {}))
        dock = EvaluateDock(viewer, register, MODELS)
        viewer.window.add_dock_widget(dock, name="Evaluate registration")
        docks.append(dock)
        return viewer, dock

    yield build
    for dock in docks:
        if isalive(dock):
            dock.shut_down()


@pytest.fixture
def right(fake_engine):
    """An engine that finds the true shift."""
    return fake_engine(shift=SHIFT)


def _wait(qtbot, dock):
    qtbot.waitUntil(lambda: not dock.runner.busy, timeout=WAIT)


def _register(qtbot, viewer, engine):
    dock = RegisterDock(viewer, engine, MODELS)
    viewer.window.add_dock_widget(dock, name="Register images")
    dock.run_bar.button.click()
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)
    return dock


def _cells(table, row):
    return [table.item(row, c).text() for c in range(table.columnCount())]


def test_a_run_becomes_layers_tables_and_a_chart(make, right, qtbot, tmp_path, monkeypatch):
    viewer, dock = make(place={"scale": (0.5, 0.5), "translate": (7, 9)})
    other = _register(qtbot, viewer, right)
    run = other.runs.run
    assert dock.what.value is run
    viewer.window.remove_dock_widget(other)
    viewer.add_image(np.zeros((9, 9)), name="later")
    assert dock.what.value is run
    dock.run_bar.button.click()
    assert dock.run_bar.button.text() == strings.CANCEL
    _wait(qtbot, dock)
    assert dock.run_bar.button.text() == texts.EVALUATE
    evaluation = dock.shown
    assert evaluation.after["object_iou"] > evaluation.before["object_iou"]

    states = [state for state in STATES if state != "fused"]
    layers = [viewer.layers[f"[1] {STATES[state]}"] for state in states]
    assert all(isinstance(layer, Labels) for layer in layers)
    for layer in layers:
        np.testing.assert_allclose(layer.scale, viewer.layers["visible"].scale)
        np.testing.assert_allclose(layer.translate, viewer.layers["visible"].translate)
    ids = set(evaluation.objects.masks["fixed"])
    assert set(np.unique(layers[0].data)) - {0} == ids
    assert not layers[1].visible

    table = dock.box.numbers
    row = next(r for r in range(table.rowCount()) if table.item(r, 0).text() == "IoU")
    assert _cells(table, row)[2] == f"{evaluation.after['object_iou']:.3f}"
    assert "Intersection over union" in table.item(row, 0).toolTip()
    assert "does not certify geometry" in dock.box.warning.text()
    worst = [float(_cells(dock.box.objects, r)[2]) for r in range(dock.box.objects.rowCount())]
    assert worst == sorted(worst)
    assert len(dock.box.chart._values) == len(worst) == len(ids)

    zoom = viewer.scene.camera.zoom
    dock.box.objects.selectRow(0)
    chosen = int(_cells(dock.box.objects, 0)[0])
    assert layers[0].selected_label == chosen
    assert viewer.scene.camera.zoom > zoom
    score = next(s for s in evaluation.objects.scores["after"] if s.id == chosen)
    middle = (np.array(score.box[:2]) + score.box[2:] - 1) / 2
    np.testing.assert_allclose(
        viewer.scene.camera.center[-2:], viewer.layers["visible"].data_to_world(middle), atol=0.3
    )

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(tmp_path))
    dock.box.report.click()
    data = json.loads((tmp_path / "evaluation.json").read_text())
    numbers = data["evaluations"][0]["numbers"]
    assert numbers["object_iou"]["after"] == evaluation.after["object_iou"]
    assert "infrared onto visible" in (tmp_path / "evaluation.html").read_text("utf-8")
    assert "Report:" in dock.status.text


def test_the_numbers_are_those_of_the_engine(make, right, qtbot, discs):
    from napari_mmreg import evaluate

    viewer, dock = make()
    _register(qtbot, viewer, right)
    dock.segmenter.combo.select("none")
    dock.run_bar.button.click()
    _wait(qtbot, dock)
    expected = evaluate(
        *discs[0], MatrixTransform.translation(SHIFT), initial=MatrixTransform.identity()
    )
    for key, value in expected.after.items():
        assert dock.shown.after[key] == pytest.approx(value, nan_ok=True)
    assert dock.shown.objects is None
    assert not dock.box.objects.isVisibleTo(dock)


def test_masks_and_landmarks_of_the_user(make, right, qtbot, discs):
    viewer, dock = make()
    _register(qtbot, viewer, right)
    fixed = viewer.add_labels(discs[1][0], name="mine")
    moving = viewer.add_labels(discs[1][1], name="mine, moving")
    points = np.array([[20.0, 30], [60, 90]])
    fixed_points = viewer.add_points(points, name="p")
    moving_points = viewer.add_points(points + SHIFT + (0, 1), name="q")
    dock.segmenter.combo.select("none")
    dock.truth.fixed_labels.select(fixed)
    dock.run_bar.button.click()
    _wait(qtbot, dock)
    assert "need a segmenter" in dock.status.text
    dock.truth.moving_labels.select(moving)
    dock.truth.fixed_points.select(fixed_points)
    dock.truth.moving_points.select(moving_points)
    dock.run_bar.button.click()
    _wait(qtbot, dock)
    assert dock.shown.objects.protocol == "labels on both"
    assert dock.shown.after["object_iou"] == 1.0
    assert dock.shown.after["re_rmse"] == pytest.approx(1.0)
    assert fixed in viewer.layers
    np.testing.assert_array_equal(fixed.data, discs[1][0])


def test_two_layers_as_they_lie(make, qtbot):
    viewer, dock = make()
    viewer.layers["infrared"].translate = (-4, 3)
    dock.run_bar.button.click()
    _wait(qtbot, dock)
    assert dock.shown.before == {}
    assert dock.shown.after["object_iou"] > 0.6
    assert texts.BEFORE_OBJECTS not in "".join(layer.name for layer in viewer.layers)


def test_objects_of_the_last_evaluation_go_unless_painted_or_used(make, qtbot):
    viewer, dock = make()
    dock.run_bar.button.click()
    _wait(qtbot, dock)
    count = len(viewer.layers)
    dock.run_bar.button.click()
    _wait(qtbot, dock)
    assert len(viewer.layers) == count
    layer = viewer.layers[f"[1] {texts.FIXED_OBJECTS}"]
    layer.data[:5, :5] = 77
    dock.run_bar.button.click()
    _wait(qtbot, dock)
    assert layer in viewer.layers
    assert len(viewer.layers) == count + 1


def test_cancel(make, qtbot, monkeypatch):
    entered = threading.Event()

    def endless(request, progress, cancel):
        entered.set()
        while not cancel():
            pass
        raise Cancelled("cancelled")

    monkeypatch.setattr("napari_mmreg.gui.evaluate.evaluating.run_evaluation", endless)
    viewer, dock = make()
    dock.run_bar.button.click()
    qtbot.waitUntil(entered.is_set, timeout=WAIT)
    dock.run_bar.button.click()
    assert dock.run_bar.button.text() == texts.EVALUATE
    assert strings.CANCELLED in dock.status.text
    assert len(viewer.layers) == 2


def test_errors_are_sentences(make, qtbot):
    viewer, dock = make()
    viewer.layers["infrared"].translate = (5000, 0)
    dock.run_bar.button.click()
    _wait(qtbot, dock)
    assert dock.status.word.text() == strings.ERROR_WORD
    assert "finds no object" in dock.status.text or "overlap" in dock.status.text


def test_models_are_compared_and_the_winner_kept(make, fake_engine, qtbot, tmp_path, monkeypatch):
    class Engine(fake_engine):
        def __call__(self, *args, **options):
            self.shift = SHIFT if options["model"] == "two" else (1.0, 1.0)
            if not options["refine"]:
                raise ModelError("No weights.")
            return super().__call__(*args, **options)

    viewer, dock = make(Engine())
    dock.segmenter.combo.select("regions")
    dock.models.choices.item(2).setCheckState(dock.models.choices.item(0).checkState())
    assert [c.title for c in dock.models.ticked] == [
        "one",
        "two",
        "one, not refined",
    ]
    dock.models.bar.button.click()
    _wait(qtbot, dock)
    order = [c.candidate.title for c in dock.models.outcomes]
    assert order == ["two", "one", "one, not refined"]
    table = dock.models.table
    assert _cells(table, 2)[1] == "failed"
    assert "No weights" in table.item(2, 0).toolTip()
    assert dock.models.chart._bars[0][0] == "two"
    assert dock.shown is dock.models.outcomes[0].evaluation
    dock.models.keep.click()
    (run,) = dock.session.kept.runs
    assert run.layers[REGISTERED] in viewer.layers
    assert dock.what.values[0] is run
    table.selectRow(1)
    dock.models.keep.click()
    assert [r.number for r in dock.session.kept.runs] == [1, 2]
    second = dock.session.kept.runs[1].layers[REGISTERED]
    assert second.name.startswith("[2]")
    assert second.metadata[METADATA_KEY]["run"] == 2
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(tmp_path))
    dock.box.report.click()
    names = [
        e["name"] for e in json.loads((tmp_path / "evaluation.json").read_text())["evaluations"]
    ]
    assert names == ["one", "two"]


def test_a_comparison_can_be_cancelled(make, blocking_engine, qtbot):
    engine = blocking_engine()
    viewer, dock = make(engine)
    dock.models.bar.button.click()
    qtbot.waitUntil(engine.entered.is_set, timeout=WAIT)
    assert not dock.run_bar.button.isEnabled()
    dock.models.bar.button.click()
    assert engine.left.wait(10)
    assert dock.run_bar.button.isEnabled()
    assert len(viewer.layers) == 2


def test_the_segmenter_says_where_it_was_measured(make):
    viewer, dock = make()
    assert "Measured on" in dock.segmenter.about.text()
    viewer.layers["visible"].metadata[METADATA_KEY] = {"modality": "mri"}
    viewer.layers["infrared"].metadata[METADATA_KEY] = {"modality": "ct"}
    dock._tell_segmenter()
    assert "does not reveal misalignment" in dock.segmenter.about.text()
    viewer.layers["infrared"].metadata[METADATA_KEY] = {"modality": "sar"}
    dock._tell_segmenter()
    assert dock.segmenter.about.text() == texts.NOT_MEASURED


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_tiny_sam(make, right, qtbot, discs, sam_folders, monkeypatch):
    viewer, dock = make()
    _register(qtbot, viewer, right)
    labels = viewer.add_labels(discs[1][0], name="mine")
    dock.truth.fixed_labels.select(labels)
    dock.segmenter.combo.select("sam")
    dock.run_bar.button.click()
    assert texts.NO_SAM in dock.status.text
    monkeypatch.setattr(
        QFileDialog, "getExistingDirectory", lambda *_, **__: str(sam_folders["sam"])
    )
    dock.segmenter.choose.click()
    dock.run_bar.button.click()
    _wait(qtbot, dock)
    assert dock.shown.objects.segmenter["class"] == "SamModel"
    assert len(dock.shown.objects.segmenter["weights_sha256"]) == 64
    assert dock.box.objects.rowCount() == 4
    segmenter = dock.session.segmenter()
    assert segmenter.encoded == 2  # before and after; the fixed masks are the user's
    dock.segmenter.free.click()
    assert segmenter._model is None
    assert dock.session.segmenter() is not segmenter


def test_a_download_is_asked_for_and_its_hash_shown(make, qtbot, monkeypatch, tmp_path):
    from napari_mmreg.evaluation.segmentation import sam_download

    asked = []

    def fetch(source, progress, cancel):
        asked.append(source)
        progress(0.5)
        return sam_download.Fetched(tmp_path, "ab" * 32)

    monkeypatch.setattr(sam_download, "fetch_sam", fetch)
    _, dock = make()
    dock.segmenter.combo.select("sam")
    monkeypatch.setattr(QInputDialog, "getItem", lambda *_, **__: ("", False))
    dock.segmenter.fetch.click()
    assert not asked
    monkeypatch.setattr(QInputDialog, "getItem", lambda *a, **__: (a[3][1], True))
    dock.segmenter.fetch.click()
    _wait(qtbot, dock)
    assert asked == [sam_download.SOURCES[1]]
    assert "abababababababab" in dock.status.text
    assert dock.session.segmenter_name == str(tmp_path)


def test_closing_the_dock_lets_go(make, qtbot):
    viewer, dock = make()
    viewer.window.remove_dock_widget(dock)
    assert dock._closed
    viewer.add_image(np.zeros((20, 20)))
    assert not dock.runner.busy


# Without a window


def test_labels_are_brought_onto_the_image(make_napari_viewer):
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((20, 30)), scale=(2, 2))
    labels = viewer.add_labels(np.kron([[0, 5], [7, 0]], np.ones((20, 30), int)))
    found = labels_on(take_picture(labels), take_picture(image))
    np.testing.assert_array_equal(found, labels.data[::2, ::2])
    points = viewer.add_points([[10.0, 4.0]], scale=(1, 1))
    np.testing.assert_allclose(points_in(points, take_picture(image).placement), [[5, 2]])


@pytest.mark.parametrize(("status", "expected"), [("ok", 1), ("failed", 0)])
def test_the_fused_image_is_that_of_what_was_handed_back(status, expected):
    roles = (fused.BEFORE, fused.FUSED, fused.CORRECTED)
    layers = {role: SimpleNamespace(data=np.full((6, 8), i)) for i, role in enumerate(roles)}
    assert (fused_image(status, layers) == 2).all()  # the corrected one
    del layers[fused.CORRECTED]
    assert (fused_image(status, layers) == expected).all()
    assert fused_image(status, {}) is None


def test_a_runs_fused_image_is_scored(engine, pictures):
    viewer_model = ViewerModel()
    fixed, moving = (viewer_model.add_image(picture) for picture in pictures)
    session = Session(viewer_model, engine)
    job = session.job(session.snapshot(fixed, moving, RunSettings(fusion="laplacian")))
    list(session.deliver(job.execute(lambda stage, fraction: None).value))
    run = session.runs.runs[-1]
    image = fused_image("ok", run.layers)
    np.testing.assert_array_equal(image, run.layers[fused.FUSED].data)
    shot = run.bundle.snapshot
    request = EvaluationRequest(
        shot.fixed, shot.moving, Truths(), lambda: None, run.bundle, "run", image
    )
    found = run_evaluation(request, lambda stage, fraction: None, lambda: False)
    own = evaluate(*pictures, run.bundle.result.transform, fused=image).after
    names = [name for name in own if name.startswith("fusion_")]
    assert names
    assert {name: found.after[name] for name in names} == {name: own[name] for name in names}
    session.close()


def test_rank():
    def outcome(name, numbers, status="ok"):
        evaluation = SimpleNamespace(after=numbers)
        bundle = SimpleNamespace(result=SimpleNamespace(status=status))
        return ModelOutcome(Candidate(name, name), bundle, evaluation)

    make = partial(outcome)
    ranked = rank(
        [
            ModelOutcome(Candidate("none", "none"), None, None),
            make("far", {"re_rmse": 9.0, "object_iou": 0.9}),
            make("failed", {"re_rmse": 0.1}, "failed"),
            make("near", {"re_rmse": 1.0, "object_iou": 0.1}),
        ]
    )
    assert [c.candidate.title for c in ranked] == ["near", "far", "failed", "none"]
