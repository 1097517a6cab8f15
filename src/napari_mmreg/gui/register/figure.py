"""Pictures of a comparison for slides and papers: with scale bar and legend, still or moving."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from napari_mmreg.io.whole import whole_file

Colour = tuple[int, int, int]
Font = ImageFont.ImageFont | ImageFont.FreeTypeFont

FIXED_COLOUR: Colour = (60, 200, 90)
OTHER_COLOUR: Colour = (214, 80, 214)
NEUTRAL: Colour = (120, 126, 134)

LEAST_WIDTH = 640
"""Smaller pictures are enlarged to this, in pixels, so that the text fits."""

FRAME_MS = 900
"""How long each picture of an animation stands."""

_INK, _PAPER = (24, 26, 30), (255, 255, 255)
_NICE = (1, 2, 5, 10)


@dataclass(frozen=True)
class Scale:
    """How long a pixel is.

    Attributes
    ----------
    length : float
        Of one pixel of the picture along columns.
    unit : str
        As it is written, such as µm or px.
    """

    length: float
    unit: str


@dataclass(frozen=True)
class Legend:
    """One entry: a coloured square and what it stands for."""

    colour: Colour
    text: str


def draw_figure(
    picture: NDArray[np.uint8], scale: Scale, legend: tuple[Legend, ...]
) -> NDArray[np.uint8]:
    """Put a scale bar on a picture and a legend below it.

    Parameters
    ----------
    picture : ndarray of uint8, shape (h, w, 3)
    scale : Scale
    legend : tuple of Legend

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        The picture, enlarged by a whole number if it is small, on top of the legend.
    """
    factor = max(1, -(-LEAST_WIDTH // picture.shape[1]))
    large = np.repeat(np.repeat(picture, factor, axis=0), factor, axis=1)
    size = max(14, round(min(large.shape[:2]) / 28))
    font = ImageFont.load_default(size)
    image = Image.fromarray(large)
    _draw_bar(image, Scale(scale.length / factor, scale.unit), font, size)
    below = _legend_lines(image.width, legend, font, size)
    sheet = Image.new("RGB", (image.width, image.height + below.height), _PAPER)
    sheet.paste(image, (0, 0))
    sheet.paste(below, (0, image.height))
    return np.asarray(sheet, dtype=np.uint8)


def bar_length(width: int, scale: Scale) -> float:
    """Return a round length, in the scale's unit, of a fifth of a picture's width at most."""
    most = width * scale.length / 5
    power = 10.0 ** np.floor(np.log10(most))
    return float(max(step * power for step in _NICE if step * power <= most * (1 + 1e-9)))


def write_png(path: str | Path, figure: NDArray[np.uint8]) -> None:
    """Write a figure; raises `InputError` if it cannot be written."""
    with whole_file(path) as partial:
        Image.fromarray(figure).save(partial, format="PNG", optimize=True)


def write_gif(path: str | Path, frames: list[NDArray[np.uint8]]) -> None:
    """Write frames of one size as an endless animation; raises `InputError` if it cannot be."""
    pictures = [Image.fromarray(frame) for frame in frames]
    with whole_file(path) as partial:
        pictures[0].save(
            partial,
            format="GIF",
            save_all=True,
            append_images=pictures[1:],
            duration=FRAME_MS,
            loop=0,
        )


def _draw_bar(image: Image.Image, scale: Scale, font: Font, size: int) -> None:
    length = bar_length(image.width, scale)
    pixels = round(length / scale.length)
    text = f"{length:g} {scale.unit}"
    draw = ImageDraw.Draw(image)
    wide = max(pixels, round(draw.textlength(text, font=font)))
    gap, thick = size // 2, max(size // 4, 3)
    right, bottom = image.width - gap, image.height - gap
    box = (right - wide - 2 * gap, bottom - size - thick - 3 * gap // 2 - gap // 2, right, bottom)
    draw.rectangle(box, fill=_INK)
    start = right - gap - (wide + pixels) // 2
    draw.rectangle((start, bottom - gap - thick, start + pixels, bottom - gap), fill=_PAPER)
    middle = (start + pixels / 2, bottom - gap - thick - gap / 2)
    draw.text(middle, text, font=font, fill=_PAPER, anchor="ms")


def _legend_lines(width: int, legend: tuple[Legend, ...], font: Font, size: int) -> Image.Image:
    """Return the entries one after the other, on as many lines as they need."""
    gap, line = size // 2, size + size // 2
    probe = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    places: list[tuple[int, int, Legend]] = []
    x, y = gap, gap
    for entry in legend:
        wide = round(size + gap + probe.textlength(entry.text, font=font))
        if x > gap and x + wide > width - gap:
            x, y = gap, y + line
        places.append((x, y, entry))
        x += wide + 2 * gap
    sheet = Image.new("RGB", (width, y + line + gap // 2), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for left, top, entry in places:
        draw.rectangle((left, top, left + size, top + size), fill=entry.colour)
        draw.text(
            (left + size + gap, top + size / 2), entry.text, font=font, fill=_INK, anchor="lm"
        )
    return sheet
