"""Images between numpy and Qt."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtGui import QImage


def to_qimage(picture: NDArray[np.uint8]) -> QImage:
    """Return an image, uint8 (h, w, 3), as Qt has it, with its own memory."""
    rows, cols = picture.shape[:2]
    data = np.ascontiguousarray(picture).tobytes()
    return QImage(data, cols, rows, 3 * cols, QImage.Format.Format_RGB888).copy()


def pixels(image: QImage) -> NDArray[np.uint8]:
    """Return what `to_qimage` was made of: uint8 (h, w, 3)."""
    bits: Any = image.constBits()
    if hasattr(bits, "setsize"):  # PyQt does not know how long it is
        bits.setsize(image.sizeInBytes())
    rows = np.frombuffer(bits, np.uint8).reshape(image.height(), image.bytesPerLine())
    return np.array(rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3))
