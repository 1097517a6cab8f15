"""Figures and animations of a comparison."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from napari_mmreg.errors import InputError
from napari_mmreg.gui.register import figure
from napari_mmreg.gui.register.figure import Legend, Scale
from napari_mmreg.gui.register.lettering import letters
from napari_mmreg.gui.register.picturing import before_and_after, legend_of, picture_of

pytestmark = pytest.mark.usefixtures("qapp")  # text is drawn by Qt


@pytest.mark.parametrize(
    ("width", "length", "expected"),
    [(1000, 1.0, 200), (999, 1.0, 100), (640, 0.5, 50), (300, 0.001, 0.05), (2000, 7.3, 2000)],
)
def test_bars_have_round_lengths(width, length, expected):
    assert figure.bar_length(width, Scale(length, "px")) == pytest.approx(expected)


def test_a_bar_is_as_long_as_it_says():
    drawn = figure.draw_figure(np.full((600, 1000, 3), 90, np.uint8), Scale(0.5, "µm"), ())
    white = (drawn[:600] == 255).all(axis=-1)
    longest = max(int(row.sum()) for row in white)
    assert longest == pytest.approx(100 / 0.5, abs=2)  # 100 µm of at most a fifth of 500 µm


def test_small_pictures_are_enlarged_without_mixing_pixels_and_get_a_legend():
    picture = np.zeros((100, 128, 3), np.uint8)
    picture[10:20, 30:40] = (9, 8, 7)
    drawn = figure.draw_figure(picture, Scale(1, "px"), (Legend((1, 2, 3), "one image"),))
    assert drawn.shape[1] == 640
    assert drawn.shape[0] > 500
    np.testing.assert_array_equal(drawn[50:100, 150:200].reshape(-1, 3), [[9, 8, 7]] * 2500)
    assert (drawn[500:] == (1, 2, 3)).all(axis=-1).any()


def test_long_legends_go_on_more_lines():
    picture = np.zeros((640, 640, 3), np.uint8)
    names = tuple(Legend((0, 0, 9), "a very long name of an image " * 2) for _ in range(2))
    one = figure.draw_figure(picture, Scale(1, "px"), names[:1])
    assert figure.draw_figure(picture, Scale(1, "px"), names).shape[0] > one.shape[0]


def test_figures_are_of_the_run_and_what_it_is_compared_with(session, viewer, pair, make_run):
    run = make_run(session, *pair)
    after = picture_of(run, "overlay", 0.5, "after")
    before = picture_of(run, "overlay", 0.5, "before")
    assert after.shape == before.shape
    assert not np.array_equal(after, before)
    assert [entry.text for entry in legend_of(run, "overlay", "before")] == [
        "visible (fixed)",
        "infrared (before registration)",
    ]
    other = make_run(session, *pair)
    assert [entry.text for entry in legend_of(run, "overlay", other)] == [
        f"run {run.title}",
        f"run {other.title}",
    ]


def test_every_letter_is_drawn():
    masks = [np.asarray(letters(text, 20)) for text in ("µ", "ä", "\uffff")]
    width = min(mask.shape[1] for mask in masks)
    drawn = {mask[:, :width].tobytes() for mask in masks}
    assert len(drawn) == 3  # neither of the first two is the box of a missing letter


def test_words_tell_the_two_images_apart_where_colours_do_not(session, pair, make_run):
    run = make_run(session, *pair)
    for mode, first in (("curtain", "left: visible (fixed)"), ("blend", "mixed: visible (fixed)")):
        entries = legend_of(run, mode, "after")
        assert entries[0] == Legend(None, first)
    assert [entry.text for entry in legend_of(run, "flicker", "before")] == [
        "infrared (before registration)"
    ]


def test_physical_units_are_written_as_symbols(session, viewer, pictures, make_run):
    layers = [viewer.add_image(data, scale=(2, 2), units="micrometer") for data in pictures]
    run = make_run(session, *layers)
    one = picture_of(run, "blend", 0.5, "after")
    for layer in layers:
        layer.scale = (1, 1)
    assert one.shape == picture_of(make_run(session, *layers), "blend", 0.5, "after").shape


def test_files(session, pair, make_run, tmp_path):
    run = make_run(session, *pair)
    frames = before_and_after(run, "flicker", 600)
    figure.write_gif(tmp_path / "a.gif", frames)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 2
        assert gif.info["loop"] == 0
        assert gif.info["duration"] == figure.FRAME_MS
        first = np.asarray(gif.convert("RGB")).astype(int)
        gif.seek(1)
        assert np.abs(np.asarray(gif.convert("RGB")).astype(int) - first).mean() > 1
    figure.write_png(tmp_path / "a.png", frames[0])
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), frames[0])
    with pytest.raises(InputError):
        figure.write_png(tmp_path / "none" / "a.png", frames[0])
