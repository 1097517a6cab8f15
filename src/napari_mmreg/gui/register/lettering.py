"""Text as a picture, in the screen's own font: Pillow's has neither µ nor any other script."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from qtpy.QtGui import QColor, QFont, QFontMetrics, QImage, QPainter


def letters(text: str, size: int) -> Image.Image:
    """Return a line of text as a mask of grey values, `size` pixels high without its margins.

    Needs Qt's application object, which napari has.
    """
    font = QFont()
    font.setPixelSize(size)
    metrics = QFontMetrics(font)
    width, height = max(metrics.horizontalAdvance(text), 1) + 2, metrics.height()
    image = QImage(width, height, QImage.Format.Format_Grayscale8)
    image.fill(QColor("black"))
    painter = QPainter(image)
    painter.setFont(font)
    painter.setPen(QColor("white"))
    painter.drawText(1, metrics.ascent(), text)
    painter.end()
    return Image.fromarray(_pixels(image))


def _pixels(image: QImage) -> NDArray[np.uint8]:
    bits: Any = image.constBits()
    if hasattr(bits, "setsize"):  # PyQt does not know how long it is
        bits.setsize(image.sizeInBytes())
    rows = np.frombuffer(bits, np.uint8).reshape(image.height(), image.bytesPerLine())
    return np.array(rows[:, : image.width()])
