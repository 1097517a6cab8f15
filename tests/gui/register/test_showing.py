"""One run shows at a time: choosing, keeping, naming, toggling, coming back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.gui.register.comparison import comparable
from napari_mmreg.gui.register.session import Session
from napari_mmreg.gui.shared.bundle import LIMIT, REGISTERED, RISK, renumbered
from napari_mmreg.gui.shared.modalities import METADATA_KEY
from napari_mmreg.gui.shared.motion import ARROWS, FLOW, GRID, MAGNITUDE
from napari_mmreg.gui.shared.runs import RunBook
from results import off


def visible(viewer):
    return [layer.name for layer in viewer.layers if layer.visible and layer.name[0] == "["]


def test_choosing_a_run_hides_the_others_and_shows_what_is_wanted(session, viewer, pair, make_run):
    make_run(session, *pair)
    session.runs.toggle("grid", on=True)
    make_run(session, *pair)
    assert visible(viewer) == ["[2] registered", "[2] deformed grid"]
    session.runs.toggle("grid", on=False)
    session.runs.show(1)
    assert visible(viewer) == ["[1] registered"]
    assert session.runs.seen == {"registered"}
    assert "[1] deformed grid" in viewer.layers  # hidden, not gone
    session.runs.toggle("risk", on=True)
    session.runs.show(2)
    assert visible(viewer) == [
        "[2] registered",
        "[2] misregistration",
        "[2] limit of tolerance",
    ]


def test_a_kept_run_stays_next_to_the_others(session, viewer, pair, make_run):
    make_run(session, *pair)
    session.runs.keep(1, kept=True)
    make_run(session, *pair)
    assert visible(viewer) == ["[1] registered", "[2] registered"]
    session.runs.keep(1, kept=False)
    assert visible(viewer) == ["[2] registered"]
    session.runs.keep(1, kept=True)
    assert visible(viewer) == ["[1] registered", "[2] registered"]


def test_layers_lie_in_the_same_order_whenever_they_are_made(session, viewer, pair, make_run):
    run = make_run(session, *pair)
    top = viewer.add_points([[1, 2]], name="mine")
    session.comparison.show(run, "overlay", 0.5)
    for kind in ("arrows", "risk", "amount", "grid", "colour"):
        session.runs.toggle(kind, on=True)
    roles = [layer.metadata[METADATA_KEY]["role"] for layer in viewer.layers[2:-1]]
    assert roles == [REGISTERED, "compare", RISK, LIMIT, MAGNITUDE, FLOW, ARROWS, GRID]
    assert viewer.layers[-1] is top


def test_the_selection_stays_when_layers_are_made(session, viewer, pair, make_run):
    make_run(session, *pair)
    viewer.layers.selection = {pair[0]}
    session.runs.toggle("arrows", on=True)
    make_run(session, *pair)
    session.runs.show(1)
    assert viewer.layers.selection == {pair[0]}


def test_eyes_in_the_layer_list_are_followed(session, viewer, pair, make_run):
    run = make_run(session, *pair)
    session.runs.toggle("arrows", on=True)
    told = []
    session.runs.events.shown.connect(told.append)
    run.layers[ARROWS].visible = False
    assert told
    assert session.runs.wanted == {"registered"}
    run.layers[ARROWS].visible = True
    assert session.runs.wanted == {"registered", "arrows"}
    viewer.layers.remove(run.layers[ARROWS])
    assert session.runs.wanted == {"registered"}
    session.runs.toggle("arrows", on=True)  # made anew
    assert run.layers[ARROWS] in viewer.layers


def test_what_was_shown_last_is_remembered(session, viewer, pair, make_run, engine):
    make_run(session, *pair)
    session.runs.toggle("grid", on=True)
    session.runs.set_part("beyond")
    session.runs.remove(1)
    session.close()
    later = Session(viewer, engine)
    run = make_run(later, *pair)
    assert set(run.layers) == {REGISTERED, GRID}
    assert later.runs.part == "beyond"
    later.close()


def test_runs_come_back_when_the_last_dock_was_closed(viewer, pair, make_run, engine):
    first = Session(viewer, engine)
    make_run(first, *pair)
    first.runs.rename(1, "good one")
    make_run(first, *pair)
    first.runs.keep(1, kept=True)
    first.runs.toggle("arrows", on=True)
    bundles = [run.bundle for run in first.runs.runs]
    first.close()
    assert not first.runs.runs

    again = Session(viewer, engine)
    assert [run.bundle for run in again.runs.runs] == bundles
    assert again.runs.runs[0].title == "1 · good one"
    assert [run.kept for run in again.runs.runs] == [True, False]
    assert again.runs.shown.number == 2
    assert again.runs.seen == {"registered", "arrows"}
    again.runs.toggle("risk", on=True)
    assert "[2] misregistration" in viewer.layers
    again.runs.remove(1)
    assert not any(layer.name.startswith("[1]") for layer in viewer.layers)
    again.close()


def test_a_copy_of_a_layer_is_no_part_of_a_run(viewer, pair, make_run, engine):
    session = Session(viewer, engine)
    run = make_run(session, *pair)
    data, kwargs, _ = run.layers[REGISTERED].as_layer_data_tuple()
    copy = viewer.add_image(data, **{**kwargs, "name": "copy"})
    session.close()
    again = RunBook.of(viewer)
    assert copy not in again.runs[0].layers.values()
    again.close()


def test_removing_the_shown_run_shows_the_newest_other_one(session, viewer, pair, make_run):
    for _ in range(3):
        make_run(session, *pair)
    session.runs.remove(3)
    assert session.runs.shown.number == 2
    viewer.layers.remove("[2] registered")  # by hand
    assert session.runs.shown.number == 1
    assert visible(viewer) == ["[1] registered"]
    viewer.layers.clear()
    assert session.runs.shown is None


def test_nothing_is_drawn_where_the_moving_image_has_no_data(viewer, pictures, make_run, engine):
    """The moving image covers the left half only."""
    session = Session(viewer, engine)
    fixed, moving = viewer.add_image(pictures[0]), viewer.add_image(pictures[1][:, :64])
    run = make_run(session, fixed, moving, start="layers")
    for kind in ("arrows", "colour", "amount", "grid"):
        session.runs.toggle(kind, on=True)
    valid = run.bundle.valid
    assert valid[:, :60].mean() > 0.9
    assert not valid[:, 70:].any()
    assert run.layers[ARROWS].data[:, 0, 1].max() < 70
    np.testing.assert_array_equal(run.layers[FLOW].data[..., 3] > 0, valid)
    np.testing.assert_array_equal(np.isfinite(run.layers[MAGNITUDE].data), valid)
    assert run.layers[GRID].data[:, 0, 1].max() > 100  # the grid stays whole
    session.close()


def test_a_shift_hides_the_bend_unless_the_affine_part_is_left_out(
    viewer, pair, make_run, bent, fake_engine
):
    field = bent.displacement((96, 128)) + np.float32((20, -30))

    class Bent(fake_engine):
        def __call__(self, fixed, moving, **options):
            result = super().__call__(fixed, moving, **options)
            result.__dict__["displacement"] = field  # what the cached property holds
            return result

    session = Session(viewer, Bent())
    run = make_run(session, *pair)
    for kind in ("arrows", "colour", "amount", "grid"):
        session.runs.toggle(kind, on=True)
    amount, arrows, grid = (run.layers[role] for role in (MAGNITUDE, ARROWS, GRID))
    whole, bold = float(np.nanmean(amount.data)), run.layers[FLOW].data.copy()
    lines = grid.data.copy()
    assert whole > 30
    session.runs.set_part("beyond")
    assert float(np.nanmean(amount.data)) < 4
    assert amount.contrast_limits[1] < 5
    assert not np.array_equal(run.layers[FLOW].data, bold)
    assert arrows.features["length"].max() < 5
    assert all("beyond affine" in layer.name for layer in (amount, arrows, run.layers[FLOW]))
    np.testing.assert_array_equal(grid.data, lines)
    session.runs.set_part("whole")
    assert float(np.nanmean(amount.data)) == pytest.approx(whole)
    assert "beyond" not in amount.name
    # Arrows that are made later are of the part that is shown.
    session.runs.set_part("beyond")
    viewer.layers.remove(arrows)
    session.runs.toggle("arrows", on=True)
    assert "beyond affine" in run.layers[ARROWS].name
    session.close()


def test_runs_on_one_grid_are_compared_with_each_other(session, viewer, pictures, pair, make_run):
    first, second = make_run(session, *pair), make_run(session, *pair)
    other = viewer.add_image(pictures[0], scale=(2, 2))
    third = make_run(session, other, pair[1])
    assert comparable(first, session.runs.runs) == [second]
    assert comparable(third, session.runs.runs) == []
    second.bundle.shown["after"][:] = 0
    session.comparison.show(first, "overlay", 0.5, second)
    data = session.comparison.layer.data
    assert not data[..., 0].any()  # the other run's image is magenta
    assert data[..., 1].any()


def test_a_renumbered_bundle_names_all_its_layers_anew(session, pair, make_run):
    bundle = renumbered(make_run(session, *pair).bundle, 7)
    parts = [spec for motion in bundle.motions.values() for spec in motion.layers.values()]
    for spec in (*bundle.layers, *parts):
        assert spec.kwargs["name"].startswith("[7] ")
        assert spec.kwargs["metadata"][METADATA_KEY]["run"] == 7


def test_worst_places_are_looked_at_in_turn(session, viewer, pair, make_run):
    run = make_run(session, *pair)
    assert "no place" in session.look_at_next()  # the same risk everywhere
    risk = np.full((96, 128), 0.1, np.float32)
    risk[15:25, 15:25], risk[60:70, 90:100] = 0.9, 0.6
    run.bundle = replace(
        run.bundle,
        result=replace(
            run.bundle.result,
            grid_errors=off(risk),
            transform=MatrixTransform.identity(),
        ),
    )
    session.look_at(run)
    seen = []
    for _ in range(3):
        said = session.look_at_next()
        seen.append(tuple(np.round(viewer.scene.camera.center[-2:])))
        assert " of 2" in said
    np.testing.assert_allclose(seen[0], (19.5, 19.5), atol=2)
    np.testing.assert_allclose(seen[1], (64.5, 94.5), atol=2)
    assert seen[2] == seen[0]
