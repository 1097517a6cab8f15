"""Figures of a comparison for slides and papers: with scale bar and legend, still or moving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QBuffer, QIODevice, QRect, QSize
from qtpy.QtGui import QColor, QFont, QFontMetrics, QImage, QPaintDevice, QPainter
from qtpy.QtSvg import QSvgGenerator

from napari_mmreg.gui.shared.qimage import pixels, to_qimage
from napari_mmreg.io.whole import whole_file

Colour = tuple[int, int, int]

FIXED_COLOUR: Colour = (60, 200, 90)
OTHER_COLOUR: Colour = (214, 80, 214)

LEAST_WIDTH = 640
"""Smaller images are enlarged to this, in pixels, so that the text fits."""

FRAME_MS = 900
"""How long each figure of an animation stands."""

_INK, _PAPER = QColor(24, 26, 30), QColor(255, 255, 255)
_NICE = (1, 2, 5, 10)


@dataclass(frozen=True)
class Scale:
    """How long a pixel is.

    Attributes
    ----------
    length : float
        Of one pixel of the image along columns.
    unit : str
        As it is written, such as µm or px.
    """

    length: float
    unit: str


@dataclass(frozen=True)
class Legend:
    """One entry: what a colour stands for; without one, words alone."""

    colour: Colour | None
    text: str


@dataclass(frozen=True, eq=False)
class Figure:
    """An image with a scale bar on it and a legend below it.

    Attributes
    ----------
    picture : ndarray of uint8, shape (h, w, 3)
        Drawn enlarged by a whole number if it is small.
    scale : Scale
    legend : tuple of Legend
    """

    picture: NDArray[np.uint8]
    scale: Scale
    legend: tuple[Legend, ...]


def bar_length(width: int, scale: Scale) -> float:
    """Return a round length, in the scale's unit, of a fifth of an image's width at most."""
    most = width * scale.length / 5
    power = 10.0 ** np.floor(np.log10(most))
    return float(max(step * power for step in _NICE if step * power <= most * (1 + 1e-9)))


def render(figure: Figure) -> QImage:
    """Return a figure as pixels. Needs Qt's application object, which napari has."""
    sheet = _Sheet(figure)
    image = QImage(sheet.size, QImage.Format.Format_RGB888)
    sheet.paint(image)
    return image


def write_png(path: str | Path, figure: Figure) -> None:
    """Write a figure; raises `InputError` if it cannot be written."""
    from PIL import Image

    with whole_file(path) as partial:
        Image.fromarray(pixels(render(figure))).save(partial, format="PNG", optimize=True)


def write_svg(path: str | Path, figure: Figure) -> None:
    """Write a figure whose text and lines can be edited; raises `InputError` if it cannot be."""
    sheet, buffer = _Sheet(figure), QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    generator = QSvgGenerator()
    generator.setOutputDevice(buffer)
    generator.setTitle("Comparison of two registered images")
    generator.setDescription("Made by napari-mmreg")
    generator.setSize(sheet.size)
    generator.setViewBox(QRect(0, 0, sheet.size.width(), sheet.size.height()))
    sheet.paint(generator)
    with whole_file(path) as partial:
        Path(partial).write_bytes(bytes(buffer.data().data()))


def write_gif(path: str | Path, figures: Sequence[Figure]) -> None:
    """Write figures of one size as an endless animation; raises `InputError` if it cannot be."""
    from PIL import Image

    first, *others = (Image.fromarray(pixels(render(figure))) for figure in figures)
    with whole_file(path) as partial:
        first.save(
            partial,
            format="GIF",
            save_all=True,
            append_images=others,
            duration=FRAME_MS,
            loop=0,
        )


class _Sheet:
    """Where everything of a figure lies, and how it is painted on pixels or into a file."""

    def __init__(self, figure: Figure) -> None:
        self._figure = figure
        factor = max(1, -(-LEAST_WIDTH // figure.picture.shape[1]))
        self._large = np.repeat(np.repeat(figure.picture, factor, axis=0), factor, axis=1)
        self._scale = Scale(figure.scale.length / factor, figure.scale.unit)
        rows, self._width = self._large.shape[:2]
        self._text = max(14, round(min(rows, self._width) / 28))
        self._gap = self._text // 2
        self._font = QFont()
        self._font.setPixelSize(self._text)
        self._metrics = QFontMetrics(self._font)
        self._places, height = self._place_legend(rows)
        self.size = QSize(self._width, height)

    def paint(self, device: QPaintDevice) -> None:
        """Paint all of it."""
        painter = QPainter(device)
        painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
        painter.setFont(self._font)
        painter.fillRect(QRect(0, 0, self.size.width(), self.size.height()), _PAPER)
        painter.drawImage(0, 0, to_qimage(self._large))
        self._paint_bar(painter)
        for entry, (x, y) in zip(self._figure.legend, self._places, strict=True):
            self._paint_entry(painter, entry, x, y)
        painter.end()

    def _paint_bar(self, painter: QPainter) -> None:
        """Draw a bar with its length above it on a dark box, in the lower right corner."""
        length = bar_length(self._width, self._scale)
        long, thick, gap = round(length / self._scale.length), max(self._text // 4, 3), self._gap
        text = f"{length:g} {self._scale.unit}"
        words = self._metrics.horizontalAdvance(text)
        wide, high = max(long, words) + 2 * gap, self._metrics.height() + thick + 2 * gap
        right, bottom = self._width - gap, len(self._large) - gap
        painter.fillRect(QRect(right - wide, bottom - high, wide, high), _INK)
        middle = right - wide // 2
        painter.fillRect(QRect(middle - long // 2, bottom - gap - thick, long, thick), _PAPER)
        painter.setPen(_PAPER)
        top = bottom - high + gap // 2
        painter.drawText(middle - words // 2, top + self._metrics.ascent(), text)

    def _paint_entry(self, painter: QPainter, entry: Legend, x: int, y: int) -> None:
        if entry.colour is not None:
            top = y + (self._metrics.height() - self._text) // 2
            painter.fillRect(QRect(x, top, self._text, self._text), QColor(*entry.colour))
            x += self._text + self._gap
        painter.setPen(_INK)
        painter.drawText(x, y + self._metrics.ascent(), entry.text)

    def _place_legend(self, top: int) -> tuple[list[tuple[int, int]], int]:
        """Return the entries' upper left corners, on as many lines as they need, and the end."""
        gap, line = self._gap, self._metrics.height() + self._gap
        x, y = gap, top + gap
        places = []
        for entry in self._figure.legend:
            wide = self._metrics.horizontalAdvance(entry.text)
            if entry.colour is not None:
                wide += self._text + gap
            if x > gap and x + wide > self._width - gap:
                x, y = gap, y + line
            places.append((x, y))
            x += wide + 2 * gap
        return places, y + line if places else top
