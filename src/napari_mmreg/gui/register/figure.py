"""Pictures of a comparison for slides and papers: with scale bar and legend, still or moving."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from napari_mmreg.gui.register.lettering import letters
from napari_mmreg.io.whole import whole_file

Colour = tuple[int, int, int]

FIXED_COLOUR: Colour = (60, 200, 90)
OTHER_COLOUR: Colour = (214, 80, 214)

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
    """One entry: what a colour stands for; without one, words alone."""

    colour: Colour | None
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
    image = Image.fromarray(large)
    _draw_bar(image, Scale(scale.length / factor, scale.unit), size)
    below = _legend_lines(image.width, legend, size)
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


def _draw_bar(image: Image.Image, scale: Scale, size: int) -> None:
    """Draw a bar with its length above it on a dark box, in the lower right corner."""
    length = bar_length(image.width, scale)
    pixels = round(length / scale.length)
    text = letters(f"{length:g} {scale.unit}", size)
    gap, thick = size // 2, max(size // 4, 3)
    wide = max(pixels, text.width)
    right, bottom = image.width - gap, image.height - gap
    left, top = right - wide - 2 * gap, bottom - text.height - thick - 2 * gap
    draw = ImageDraw.Draw(image)
    draw.rectangle((left, top, right, bottom), fill=_INK)
    middle = (left + right) // 2
    start = middle - pixels // 2
    draw.rectangle((start, bottom - gap - thick, start + pixels, bottom - gap), fill=_PAPER)
    image.paste(_PAPER, (middle - text.width // 2, top + gap // 2), text)


def _legend_lines(width: int, legend: tuple[Legend, ...], size: int) -> Image.Image:
    """Return the entries one after the other, on as many lines as they need."""
    gap, x = size // 2, size // 2
    drawn = [letters(entry.text, size) for entry in legend]
    line = max((text.height for text in drawn), default=size) + gap
    y = gap
    places: list[tuple[int, int, Legend, Image.Image]] = []
    for entry, text in zip(legend, drawn, strict=True):
        wide = text.width + (0 if entry.colour is None else size + gap)
        if x > gap and x + wide > width - gap:
            x, y = gap, y + line
        places.append((x, y, entry, text))
        x += wide + 2 * gap
    sheet = Image.new("RGB", (width, y + line), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for left, top, entry, text in places:
        at = left
        if entry.colour is not None:
            middle = top + text.height // 2
            box = (left, middle - size // 2, left + size, middle - size // 2 + size)
            draw.rectangle(box, fill=entry.colour)
            at += size + gap
        sheet.paste(_INK, (at, top), text)
    return sheet
