"""Figures and animations of a comparison."""

from __future__ import annotations

import base64
from io import BytesIO
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image
from qtpy.QtGui import QImage, QPainter
from qtpy.QtSvg import QSvgRenderer

from napari_mmreg.errors import InputError
from napari_mmreg.gui.register import figure
from napari_mmreg.gui.register.figure import Figure, Legend, Scale
from napari_mmreg.gui.register.picturing import before_and_after, figure_of, legend_of

pytestmark = pytest.mark.usefixtures("qapp")  # text is drawn by Qt


SVG = "{http://www.w3.org/2000/svg}"


def drawn_pixels(*parts):
    return figure.pixels(figure.render(Figure(*parts)))


@pytest.mark.parametrize(
    ("width", "length", "expected"),
    [(1000, 1.0, 200), (999, 1.0, 100), (640, 0.5, 50), (300, 0.001, 0.05), (2000, 7.3, 2000)],
)
def test_bars_have_round_lengths(width, length, expected):
    assert figure.bar_length(width, Scale(length, "px")) == pytest.approx(expected)


def test_a_bar_is_as_long_as_it_says():
    drawn = drawn_pixels(np.full((600, 1000, 3), 90, np.uint8), Scale(0.5, "µm"), ())
    white = (drawn[:600] == 255).all(axis=-1)
    longest = max(int(row.sum()) for row in white)
    assert longest == pytest.approx(100 / 0.5, abs=2)  # 100 µm of at most a fifth of 500 µm


def test_small_pictures_are_enlarged_without_mixing_pixels_and_get_a_legend():
    picture = np.zeros((100, 128, 3), np.uint8)
    picture[10:20, 30:40] = (9, 8, 7)
    drawn = drawn_pixels(picture, Scale(1, "px"), (Legend((1, 2, 3), "one image"),))
    assert drawn.shape[1] == 640
    assert drawn.shape[0] > 500
    np.testing.assert_array_equal(drawn[50:100, 150:200].reshape(-1, 3), [[9, 8, 7]] * 2500)
    assert (drawn[500:] == (1, 2, 3)).all(axis=-1).any()


def test_long_legends_go_on_more_lines():
    picture = np.zeros((640, 640, 3), np.uint8)
    names = tuple(Legend((0, 0, 9), "a very long name of an image " * 2) for _ in range(2))
    one = drawn_pixels(picture, Scale(1, "px"), names[:1])
    assert drawn_pixels(picture, Scale(1, "px"), names).shape[0] > one.shape[0]


def test_figures_are_of_the_run_and_what_it_is_compared_with(session, viewer, pair, make_run):
    run = make_run(session, *pair)
    after = figure_of(run, "overlay", 0.5, "after")
    before = figure_of(run, "overlay", 0.5, "before")
    assert after.picture.shape == before.picture.shape
    assert not np.array_equal(after.picture, before.picture)
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
    picture = np.zeros((640, 640, 3), np.uint8)
    drawn = {
        drawn_pixels(picture, Scale(1, "px"), (Legend(None, text),)).tobytes()
        for text in ("µ", "ä", "\uffff")
    }
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
    scale = figure_of(make_run(session, *layers), "blend", 0.5, "after").scale
    assert (scale.length, scale.unit) == (2, "µm")


def test_files(session, pair, make_run, tmp_path):
    run = make_run(session, *pair)
    figures = before_and_after(run, "flicker", 600)
    figure.write_gif(tmp_path / "a.gif", figures)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 2
        assert gif.info["loop"] == 0
        assert gif.info["duration"] == figure.FRAME_MS
        first = np.asarray(gif.convert("RGB")).astype(int)
        gif.seek(1)
        assert np.abs(np.asarray(gif.convert("RGB")).astype(int) - first).mean() > 1
    figure.write_png(tmp_path / "a.png", figures[0])
    rendered = figure.pixels(figure.render(figures[0]))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), rendered)
    with pytest.raises(InputError):
        figure.write_png(tmp_path / "none" / "a.png", figures[0])


def test_text_and_bar_of_a_drawing_stay_text_and_shapes(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (100, 160, 3), np.uint8)
    shown = Figure(picture, Scale(0.5, "µm"), (Legend((1, 2, 3), "infrared & <visible>"),))
    figure.write_svg(tmp_path / "a.svg", shown)
    root = ET.parse(tmp_path / "a.svg").getroot()
    texts = [(item.text or "").strip() for item in root.iter(f"{SVG}text")]
    assert texts == ["10 µm", "infrared & <visible>"]
    (image,) = root.iter(f"{SVG}image")
    data = image.attrib["{http://www.w3.org/1999/xlink}href"].partition("base64,")[2]
    embedded = np.asarray(Image.open(BytesIO(base64.b64decode(data))).convert("RGB"))
    np.testing.assert_array_equal(embedded[::4, ::4], picture)

    drawn = QImage(figure.render(shown).size(), QImage.Format.Format_RGB888)
    painter = QPainter(drawn)
    QSvgRenderer(str(tmp_path / "a.svg")).render(painter)
    painter.end()
    difference = figure.pixels(drawn).astype(int) - figure.pixels(figure.render(shown))
    assert np.abs(difference).mean() < 2  # letters may be smoothed in another way
