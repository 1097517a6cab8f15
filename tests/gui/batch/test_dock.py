"""The Batch dock in a real napari window."""

from __future__ import annotations

from pathlib import Path

import pytest

from batch_pairs import make_pair
from napari_mmreg.batch import BatchParameters, run_batch
from napari_mmreg.gui.batch.dock import BatchDock

pytestmark = pytest.mark.gui

WAIT = 60_000


@pytest.fixture
def scans(tmp_path):
    """Two pairs, and one image without a partner."""
    for number, name in enumerate("ab"):
        make_pair(tmp_path, name, number)
    (make_pair(tmp_path, "c", 2).moving).unlink()
    return tmp_path


@pytest.fixture
def dock(make_napari_viewer):
    viewer = make_napari_viewer()
    made = BatchDock(viewer)
    viewer.window.add_dock_widget(made, name="Batch registration")
    yield made
    made.shut_down()


def choose(dock, scans):
    """Choose the files as a user types them."""
    dock.form.patterns["fixed"].value = scans / "*_vis.tif"
    dock.form.patterns["moving"].value = scans / "*_ir.tif"
    dock.form.output.value = scans / "out"
    dock.form.model.value = "classical"
    dock.find_pairs()


def cells(dock, column):
    return [dock.table.item(row, column).text() for row in range(dock.table.rowCount())]


def test_nothing_runs_before_files_are_chosen(dock):
    assert not dock.run_bar.button.isEnabled()
    assert dock.table.rowCount() == 0
    assert not dock.open_button.isEnabled()
    assert not dock.page_button.isEnabled()


def test_pairs_are_listed_while_the_user_chooses(dock, scans, qtbot):
    dock.form.patterns["fixed"].value = scans / "*_vis.tif"
    dock.form.patterns["moving"].value = scans / "*_ir.tif"
    qtbot.waitUntil(lambda: dock.table.rowCount() == 2, timeout=WAIT)
    assert cells(dock, 2) == ["a_vis.tif", "b_vis.tif"]
    assert dock.count.text() == "2 pairs; left out, without a partner: 1 fixed, 0 moving"
    dock.form.patterns["moving"].value = scans / "*_nir.tif"
    qtbot.waitUntil(lambda: "has a partner" in dock.count.text(), timeout=WAIT)
    assert dock.table.rowCount() == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_what_computes_here_can_be_looked_at(dock, scans, qtbot, workers, monkeypatch):
    shown = []
    monkeypatch.setattr(dock.live, "follow", lambda job: shown.append(job.has_looks))
    monkeypatch.setattr(dock, "run_job", lambda *_: None)
    choose(dock, scans)
    dock.form.workers.value = workers
    dock.start()
    assert shown == [workers == 1]


def test_a_table_is_listed(dock, scans):
    (scans / "t.csv").write_text("id,fixed,moving\nx,a_vis.tif,a_ir.tif\n")
    dock.form.source.value = "table"
    dock.form.table.value = scans / "t.csv"
    dock.find_pairs()
    assert cells(dock, 0) == ["x"]


def test_a_batch_runs_is_shown_and_its_pairs_are_opened(dock, scans, qtbot):
    choose(dock, scans)
    assert dock.run_bar.button.isEnabled()
    dock.run_bar.button.click()
    words = dock.live.words
    qtbot.waitUntil(lambda: words.text().startswith("b\nSimilarity"), timeout=WAIT)
    view = dock.area.viewport()
    assert view.rect().contains(dock.live.mapTo(view, dock.live.rect().bottomLeft()))
    qtbot.waitUntil(lambda: not dock.runner.busy, timeout=WAIT)
    assert dock.live.isHidden()
    assert cells(dock, 1) == ["ok", "ok"]
    assert "2 ok, 0 doubtful" in dock.status.text
    assert dock.page_button.isEnabled()
    dock.table.selectRow(1)
    dock.open_button.click()
    viewer = dock._viewer
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=WAIT)
    assert [layer.name for layer in viewer.layers] == ["b", "b registered", "b risk"]
    assert viewer.layers["b registered"].data.shape == (64, 64)


def test_a_pair_without_a_result_says_so_when_opened(dock, scans, qtbot):
    (scans / "b_ir.tif").write_bytes(b"II*\0 damaged")
    choose(dock, scans)
    dock.start()
    qtbot.waitUntil(lambda: not dock.runner.busy, timeout=WAIT)
    assert cells(dock, 1) == ["ok", "error"]
    assert "b_ir.tif" in dock.table.item(1, 1).toolTip()
    dock.table.selectRow(1)
    dock.open_pair()
    qtbot.waitUntil(lambda: "no registered image" in dock.status.text, timeout=WAIT)
    assert "damaged" in dock.status.text
    assert not dock._viewer.layers


def test_cancelling_keeps_the_window_alive(dock, scans, qtbot):
    choose(dock, scans)
    dock.start()
    dock.run_bar.button.click()
    assert not dock.run_bar.running
    assert "cancelled" in dock.status.text.lower()
    qtbot.waitUntil(lambda: (scans / "out" / "summary.csv").is_file(), timeout=WAIT)


def test_a_preset_is_used_and_a_damaged_one_said(dock, scans):
    BatchParameters(model="sasnet", refine=False).save(scans / "p.yaml")
    choose(dock, scans)
    dock.form.preset.value = scans / "p.yaml"
    assert dock.form.model.value == "sasnet"
    assert dock.form.parameters().refine is False
    (scans / "bad.yaml").write_text("modle: x\n")
    dock.form.preset.value = scans / "bad.yaml"
    dock.start()
    assert "names modle" in dock.status.text
    assert not dock.runner.busy


def test_an_earlier_batch_is_found_again(dock, scans, qtbot):
    choose(dock, scans)
    run_batch(dock.table.pairs, Path(scans / "out"), BatchParameters(model="classical"))
    dock.start()
    qtbot.waitUntil(lambda: not dock.runner.busy, timeout=WAIT)
    assert "2 were there already" in dock.status.text


def test_what_was_typed_last_is_what_runs(dock, scans, qtbot):
    choose(dock, scans)
    for side in ("vis", "ir"):
        dock.form.patterns["fixed" if side == "vis" else "moving"].value = scans / f"a*_{side}.tif"
    dock.start()
    assert cells(dock, 2) == ["a_vis.tif"]
    qtbot.waitUntil(lambda: not dock.runner.busy, timeout=WAIT)
    assert cells(dock, 1) == ["ok"]
