"""Series with an engine that knows the truth: what is asked, kept, filled, carried and said."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mmreg import register_series
from napari_mmreg.errors import Cancelled, InputError, ModelError
from napari_mmreg.series import SeriesCancelled, engine

OPTIONS = {"model": "classical", "device": "cpu"}


def shifts(result):
    return np.array([plane.transform.map((0.0, 0.0)) for plane in result])


def test_each_plane_on_its_own(oracle):
    moving = oracle.stack([(0, 0, "ok"), (2, 1, "ok"), (9, 9, "doubtful"), (1, 1, "failed")])
    fixed = np.stack([oracle.plane(n) for n in range(4)])
    result = register_series(fixed, moving, "each", **OPTIONS)
    assert [plane.status for plane in result] == ["ok", "ok", "doubtful", "failed"]
    assert [plane.source for plane in result] == ["registered"] * 3 + ["start"]
    np.testing.assert_allclose(shifts(result), [[0, 0], [2, 1], [9, 9], [0, 0]])
    assert oracle.starts == [None] * 4
    assert result.status == "doubtful"
    assert result.reasons == (
        "2 of 4 planes are registered and hold.",
        "Doubtful, to be looked at before use: plane 2.",
        "Failed and left as they were: plane 3.",
    )
    np.testing.assert_allclose(result.drift[:3], [[0, 0], [2, 1], [9, 9]])
    assert np.isnan(result.drift[3]).all()
    assert result.count("ok") == 2


def test_followed_planes_start_where_the_one_before_ended(oracle):
    moving = oracle.stack([(n, -n, "ok") for n in range(4)])
    result = register_series(oracle.plane(0), moving, "follow", **OPTIONS)
    assert oracle.starts[0] is None
    np.testing.assert_allclose([s.map((0.0, 0.0)) for s in oracle.starts[1:]], shifts(result)[:3])
    assert result.status == "ok"


def test_a_plane_that_does_not_hold_is_tried_from_the_start_too(oracle, monkeypatch):
    def lost(model, images, options, run, *, refine):
        if options.initial is None:
            oracle.answers[1] = (3, 3, "ok")
        result = oracle(model, images, options, run, refine=refine)
        oracle.answers[1] = (8, 8, "doubtful")
        return result

    moving = oracle.stack([(0, 0, "ok"), (8, 8, "doubtful")])
    monkeypatch.setattr(engine, "register_pair", lost)
    result = register_series(oracle.plane(0), moving, "follow", **OPTIONS)
    assert oracle.asked == [0, 1, 1]
    assert result.planes[1].status == "ok"
    np.testing.assert_allclose(shifts(result)[1], (3, 3))


def test_failed_and_outlying_planes_are_filled_between_their_neighbours(oracle):
    answers = [(2.0 * n, -1.0 * n, "ok") for n in range(8)]
    answers[3] = (40, 40, "ok")  # sure of itself, and wrong
    answers[5] = (0, 0, "failed")
    result = register_series(oracle.plane(0), oracle.stack(answers), "follow", **OPTIONS)
    np.testing.assert_allclose(shifts(result), [(2.0 * n, -1.0 * n) for n in range(8)], atol=1e-6)
    sources = [plane.source for plane in result]
    assert sources == [
        *("registered", "registered", "registered", "interpolated", "registered"),
        *("interpolated", "registered", "registered"),
    ]
    assert "px (fixed pixels) from what its neighbours say" in result.planes[3].reasons[0]
    assert result.planes[3].metrics["surprise_px"] > 30
    assert result.planes[5].status == "doubtful"
    assert "Filled in between their neighbours: planes 3, 5." in result.reasons
    np.testing.assert_allclose(result.drift, [(2.0 * n, -1.0 * n) for n in range(8)], atol=1e-6)


def test_a_fixed_rig_takes_what_the_good_planes_agree_on(oracle):
    answers = [(4, 2, "ok")] * 20
    answers[2] = (4.4, 2, "ok")
    answers[6] = (30, -30, "ok")
    answers[10] = (3.8, 2.2, "ok")
    answers[14] = (9, 9, "doubtful")
    moving = oracle.stack(answers)
    result = register_series(oracle.plane(0), moving, "once", **OPTIONS)
    assert oracle.asked == [2, 6, 10, 14, 18]
    # The median of 4.4, 30, 3.8 and 4; and of 2, -30, 2.2 and 2.
    np.testing.assert_allclose(shifts(result), [(4.2, 2.0)] * 20, atol=1e-6)
    assert len({id(plane.transform) for plane in result}) == 1
    assert {plane.source for plane in result} == {"carried"}
    assert result.planes[6].metrics["surprise_px"] > 35
    assert (result.drift == 0).all()


def test_a_rig_that_moves_is_said(oracle):
    moving = oracle.stack([(3.0 * n, 0, "ok") for n in range(10)])
    result = register_series(oracle.plane(0), moving, "once", **OPTIONS)
    assert result.status == "doubtful"
    assert "do not agree on one transform" in result.reasons[0]


@pytest.mark.parametrize(("estimate_on", "asked"), [("first", [0]), (2, [2]), ("best", [0, 1, 2])])
def test_a_fixed_rig_is_estimated_on_what_was_asked_for(oracle, estimate_on, asked):
    moving = oracle.stack([(1, 1, "ok")] * 3)
    result = register_series(oracle.plane(0), moving, "once", estimate_on=estimate_on, **OPTIONS)
    assert oracle.asked == asked
    assert result.status == "ok"


@pytest.mark.parametrize("how", ["mean", "median", "max"])
def test_projections(oracle, monkeypatch, how):
    moving = oracle.stack([(5, 6, "ok")] * 3)
    seen = []
    oracle.answers = dict.fromkeys(range(3), (5, 6, "ok"))

    def look(model, images, options, run, *, refine):
        seen.append(images[1])
        return oracle(model, images, options, run, refine=refine)

    monkeypatch.setattr(engine, "register_pair", look)
    result = register_series(oracle.plane(0), moving, "once", estimate_on=how, **OPTIONS)
    np.testing.assert_allclose(seen[0], getattr(np, how)(moving, axis=0), rtol=1e-6)
    np.testing.assert_allclose(shifts(result), [(5, 6)] * 3)
    assert "projection" in result.reasons[0]


def test_a_series_of_which_nothing_holds_has_failed(oracle):
    moving = oracle.stack([(1, 1, "failed")] * 3)
    for way in ("once", "each", "follow"):
        result = register_series(oracle.plane(0), moving, way, **OPTIONS)
        assert result.status == "failed"
        assert "None of the planes" in result.reasons[0]
        np.testing.assert_allclose(shifts(result), 0)


def test_a_plane_without_structure_is_a_failed_member():
    moving = np.full((2, 40, 48), 0.5)
    result = register_series(np.random.default_rng(0).random((40, 48)), moving, "each", **OPTIONS)
    assert result.status == "failed"
    assert "same value everywhere" in result.planes[1].reasons[0]


def test_different_numbers_of_planes_are_refused(oracle):
    five, seven = oracle.stack([(0, 0, "ok")] * 5), oracle.stack([(0, 0, "ok")] * 7)
    with pytest.raises(InputError, match=r"fixed stack has 5 planes and the moving one 7"):
        register_series(five, seven, **OPTIONS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"way": "twice"}, "not 'twice'"),
        ({"axis": 3}, "has no axis 3"),
        ({"way": "once", "estimate_on": 9}, "no plane 9"),
        ({"way": "once", "estimate_on": "middle"}, "not on 'middle'"),
        ({"at": (None, (0, 0))}, "one index"),
        ({"order": 2}, "order 2"),
    ],
)
def test_wrong_arguments_say_what_is_right(oracle, arguments, message):
    moving = oracle.stack([(0, 0, "ok")] * 2)
    with pytest.raises(InputError, match=message):
        register_series(oracle.plane(0), moving, **{**OPTIONS, **arguments})
    with pytest.raises(ModelError):
        register_series(oracle.plane(0), moving, model="no such model")
    with pytest.raises(InputError, match=r"napari_mmreg\.register"):
        register_series(moving[0], moving[1], **OPTIONS)


def test_one_moving_image_on_a_stack(oracle):
    oracle.answers = {7: (1, 2, "ok")}
    fixed = np.stack([oracle.plane(n) for n in range(3)])
    result = register_series(fixed, oracle.plane(7), "each", **OPTIONS)
    assert result.registered.shape == (3, 40, 48)
    np.testing.assert_allclose(shifts(result), [(1, 2)] * 3)


def test_what_is_looked_at_of_the_other_axes(oracle):
    """Time is the second axis of one, and the moving stack has depth, too."""
    oracle.answers = {n: (n, 0, "ok") for n in range(3)}
    planes = np.stack([oracle.plane(n) for n in range(3)])
    deep = np.zeros((4, *planes.shape), np.float32)
    deep[2] = planes
    result = register_series(
        planes, deep, "each", axis=(0, 1), at=(None, (2, 0)), rgb=(False, False), **OPTIONS
    )
    assert oracle.asked == [0, 1, 2]
    registered = result.registered
    assert registered.shape == (4, 3, 40, 48)
    assert (np.nan_to_num(registered[0]) == 0).all()
    np.testing.assert_allclose(registered[2, 1, :-1], planes[1, 1:], rtol=1e-6)


def test_colour_planes_and_sizes_that_differ(oracle):
    moving = oracle.stack([(1, 0, "ok"), (0, 1, "ok")], shape=(50, 60), channels=(3,))
    result = register_series(oracle.plane(0), moving, "each", **OPTIONS)
    assert result.registered.shape == (2, 40, 48, 3)
    assert result.moving_shape == (50, 60)


def test_a_cancelled_series_keeps_what_is_done_and_goes_on(oracle):
    moving = oracle.stack([(n, 0, "ok") for n in range(5)])
    kept = []
    with pytest.raises(SeriesCancelled, match="2 of 5 planes are done") as caught:
        register_series(
            oracle.plane(0),
            moving,
            "follow",
            cancel=lambda: len(kept) == 2,
            on_plane=kept.append,
            **OPTIONS,
        )
    assert isinstance(caught.value, Cancelled)
    assert [plane.index for plane in caught.value.finished] == [0, 1]
    oracle.asked.clear()
    result = register_series(
        oracle.plane(0), moving, "follow", finished=caught.value.finished, **OPTIONS
    )
    assert oracle.asked == [2, 3, 4]
    np.testing.assert_allclose(shifts(result), [(n, 0) for n in range(5)], atol=1e-9)


def test_progress_names_the_planes_and_never_falls(oracle):
    heard = []
    moving = oracle.stack([(0, 0, "ok")] * 3)
    register_series(
        oracle.plane(0), moving, "each", progress=lambda s, f: heard.append((s, f)), **OPTIONS
    )
    fractions = [fraction for _, fraction in heard]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_lazy_planes_are_read_one_at_a_time(oracle):
    planes = oracle.stack([(0, 0, "ok")] * 4)

    class Lazy:
        shape, dtype, read = planes.shape, planes.dtype, []

        def __getitem__(self, index):
            self.read.append(index)
            return planes[index]

    result = register_series(oracle.plane(0), Lazy(), "each", **OPTIONS)
    assert Lazy.read == [(0,), (1,), (2,), (3,)]
    np.testing.assert_allclose(result.registered[2], planes[2], rtol=1e-6)
