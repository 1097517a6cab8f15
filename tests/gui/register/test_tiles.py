"""Refining a run in tiles: the job, what it says, the code that repeats it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skimage import data

from napari_mmreg import large
from napari_mmreg.errors import Cancelled, InputError
from napari_mmreg.geometry import DisplacementTransform, MatrixTransform
from napari_mmreg.gui.register.script import script_of
from napari_mmreg.gui.register.tiles import choices, describe
from napari_mmreg.gui.shared.bundle import REGISTERED
from napari_mmreg.gui.shared.full_resolution import full_pull, level_pull
from napari_mmreg.large import refine as module

SHAPE = (300, 400)


@pytest.fixture
def small_tiles(monkeypatch):
    """Let small images be worth tiles, and the network give a shift of one tile pixel."""
    monkeypatch.setattr(module, "LEAST", 128)
    monkeypatch.setattr("napari_mmreg.models.elastic.load_elastic", lambda device: None)
    calls = []

    def correct(read, network, run):
        calls.append(read)
        tile = read[0]
        return np.ones((*module.nodes(tile).shape[:2], 2), np.float32)

    monkeypatch.setattr(module, "_correct", correct)
    monkeypatch.setattr(large.windows, "SIDE", 256)
    return calls


@pytest.fixture
def photo():
    """A photograph and its negative, (300, 400)."""
    picture = data.camera()[: SHAPE[0], : SHAPE[1]].astype(np.float32)
    return picture, 255 - picture


@pytest.fixture
def layers(viewer, photo):
    return [viewer.add_image(p, name=n) for p, n in zip(photo, ("a", "b"), strict=True)]


def _execute(session, run, finest=1):
    return session.tiles_job(run, finest).execute(lambda stage, fraction: None)


def test_the_refined_run_is_another_one(session, viewer, layers, make_run, small_tiles):
    run = make_run(session, *layers)
    former = run.bundle.result
    assert choices(run.bundle.snapshot) == [(1, "At full resolution · 6 tiles")]
    outcome = _execute(session, run)
    assert outcome.error is None
    list(session.deliver(outcome.value))
    assert [each.number for each in session.runs.runs] == [1, 2]
    refined = session.runs.shown
    assert refined.number == 2
    assert refined.title == "2 · fake · b → a · tiles"
    assert run.bundle.result is former
    assert not run.layers[REGISTERED].visible
    place = (150.0, 200.0)
    moved = refined.bundle.result.transform.map(place) - former.transform.map(place)
    np.testing.assert_allclose(moved, (1, 1), atol=1e-3)
    expected = refined.bundle.result.transform.resample(layers[1].data, SHAPE, order=1, fill=np.nan)
    np.testing.assert_allclose(refined.layers[REGISTERED].data, expected)
    assert "Full resolution: 6 of 6 tiles refined." in refined.bundle.note
    session.runs.remove(2)
    assert session.runs.shown is run


def test_masks_and_the_former_result_are_used(session, viewer, layers, make_run, small_tiles):
    usable = np.zeros(SHAPE, np.uint8)
    usable[:, :200] = 1
    mask = viewer.add_labels(usable)
    snapshot = session.snapshot(*layers, make_run(session, *layers).bundle.snapshot.settings, mask)
    outcome = session.job(snapshot).execute(lambda stage, fraction: None)
    list(session.deliver(outcome.value))
    assert isinstance(_execute(session, session.runs.shown).value.note, str)
    whole = np.zeros(SHAPE, bool)
    for tile, _, seen, _, _ in small_tiles:
        whole[tile.rows, tile.cols] |= seen
    assert whole[:, :190].mean() > 0.9
    assert not whole[:, 200:].any()


def test_of_a_pyramid_the_full_resolution_is_refined(
    session, viewer, photo, make_run, small_tiles, monkeypatch, tmp_path
):
    monkeypatch.setattr("napari_mmreg.gui.shared.snapshot.LEVEL_BUDGET", 40_000)
    fixed, moving = photo
    layers = [
        viewer.add_image([fixed, fixed[::2, ::2]], name="a", scale=(0.5, 0.5), units="um"),
        viewer.add_image([moving, moving[::2, ::2]], name="b", scale=(0.5, 0.5), units="um"),
    ]
    run = make_run(session, *layers)
    assert run.bundle.snapshot.fixed.shape == (150, 200)
    assert choices(run.bundle.snapshot) == [(1, "At full resolution · 6 tiles")]
    outcome = _execute(session, run)
    assert outcome.error is None
    refined = outcome.value
    tile, *_ = small_tiles[0]
    assert tile.shape == (256, 256)  # of 300 x 400
    moved = refined.result.transform.map((75.0, 100.0)) - run.bundle.result.transform.map((75, 100))
    np.testing.assert_allclose(moved, (0.5, 0.5), atol=1e-3)  # one pixel of the full resolution
    assert refined.result.registered.shape == (150, 200)
    list(session.deliver(refined))
    layer = session.runs.shown.layers[REGISTERED]
    assert layer.multiscale
    pull = full_pull(refined.snapshot, refined.result.transform)
    shown = np.asarray(layer.data[0])
    np.testing.assert_allclose(
        shown, pull.resample(moving, SHAPE, order=1, fill=np.nan), rtol=1e-4, equal_nan=True
    )

    code = script_of(session.runs.shown)
    assert 'np.load("fixed.npy", mmap_mode="r")' in code
    assert "fixed_spacing=(0.5, 0.5)" in code
    assert "finest=1" in code


def test_levels_and_full_resolution_go_both_ways(session, viewer, photo, make_run, monkeypatch):
    monkeypatch.setattr("napari_mmreg.gui.shared.snapshot.LEVEL_BUDGET", 40_000)
    fixed, moving = photo
    layers = [viewer.add_image([fixed, fixed[::2, ::2]]), viewer.add_image(moving)]
    snapshot = make_run(session, *layers).bundle.snapshot
    bend = DisplacementTransform(np.full((150, 200, 2), (3.0, -2.0), np.float32))
    full = full_pull(snapshot, bend)
    np.testing.assert_allclose(full.map((20.5, 40.5)), (13, 18))
    np.testing.assert_allclose(level_pull(snapshot, full).map((10, 20)), (13, 18))


def test_the_code_refines_too(session, layers, make_run, small_tiles, monkeypatch, tmp_path):
    run = make_run(session, *layers, device="cpu")
    list(session.deliver(_execute(session, run).value))
    code = script_of(session.runs.shown)
    monkeypatch.chdir(tmp_path)
    for name, layer in zip(("fixed", "moving"), layers, strict=True):
        np.save(f"{name}.npy", layer.data)
    asked = {}

    def refine(fixed, moving, result, **options):
        asked.update(options, shapes=(fixed.shape, moving.shape), result=result)
        return result

    monkeypatch.setattr("napari_mmreg.register", lambda *_args, **_options: run.bundle.result)
    monkeypatch.setattr("napari_mmreg.refine_tiles", refine)
    exec(compile(code, "script", "exec"), {})
    result = asked.pop("result")
    assert result is run.bundle.result
    assert asked == {"finest": 1, "device": "cpu", "shapes": (SHAPE, SHAPE)}


def test_files_of_pyramids_are_opened_in_the_code(session, viewer, photo, make_run, small_tiles):
    from napari_mmreg.gui.shared.snapshot import Origin

    run = make_run(session, *[viewer.add_image(p) for p in photo])
    outcome = _execute(session, run)
    list(session.deliver(outcome.value))
    refined = session.runs.shown
    coarse = replace(
        refined.bundle.snapshot.fixed,
        origin=Origin(path="slide.ome.tif", step=(2,), coarse=True),
        levels=(photo[0], photo[0][::2, ::2]),
        level_scale=(2.0, 2.0),
    )
    snapshot = replace(refined.bundle.snapshot, fixed=coarse)
    refined.bundle = replace(refined.bundle, snapshot=snapshot)
    code = script_of(refined)
    assert "fixed = files.enter_context(open_pyramid('slide.ome.tif')).choose(page=2)" in code
    assert code.index("files = ExitStack()") < code.index("open_pyramid('slide")
    assert code.index("from contextlib import ExitStack") < code.index("import numpy")
    compile(code, "script", "exec")


def test_where_tiles_are_of_no_use(session, viewer, pair, make_run, layers, small_tiles):
    run = make_run(session, *pair)
    assert choices(run.bundle.snapshot) == []
    with pytest.raises(InputError, match="of no use for this run"):
        session.tiles_job(run, 1)
    refined = make_run(session, *layers)
    list(session.deliver(_execute(session, refined).value))
    with pytest.raises(InputError, match="in tiles already"):
        session.tiles_job(session.runs.shown, 1)


def test_no_tile_refined_is_no_run(session, layers, make_run, small_tiles, monkeypatch):
    monkeypatch.setattr(module, "_correct", lambda *_: None)
    said = _execute(session, make_run(session, *layers)).value
    assert "no run was added" in said
    assert "0 of 6 tiles refined; left alone: 6 as good as they get" in said


def test_a_refinement_can_be_stopped(session, layers, make_run, small_tiles):
    job = session.tiles_job(make_run(session, *layers), 1)

    def stop(_stage, fraction):
        if fraction > 0.4:
            job.cancel()

    outcome = job.execute(stop)
    assert isinstance(outcome.error, Cancelled)
    assert [run.number for run in session.runs.runs] == [1]


def test_every_reason_is_said():
    rounds = [
        {"factor": 2, "tiles": 9, "lost": 1, "tried": 6, "accepted": 4, "contradicted": 1},
        {"factor": 1, "tiles": 36, "lost": 0, "tried": 36, "accepted": 36, "contradicted": 0},
    ]
    assert describe(rounds) == [
        "1/2 of the resolution: 3 of 9 tiles refined; left alone: 2 as good as they get, 2 without "
        "structure or data in both images, 1 too far off for tiles, 1 that neighbours contradict.",
        "Full resolution: 36 of 36 tiles refined.",
    ]


def test_a_transform_by_hand_is_refined_as_well(session, layers, make_run, small_tiles):
    run = make_run(session, *layers)
    turned = MatrixTransform.from_params(rotation_degrees=1, center=(150, 200))
    run.bundle = replace(run.bundle, result=replace(run.bundle.result, transform=turned))
    refined = _execute(session, run).value.result.transform
    np.testing.assert_allclose(refined.map((150.0, 200.0)) - (150, 200), (1, 1), atol=0.03)
