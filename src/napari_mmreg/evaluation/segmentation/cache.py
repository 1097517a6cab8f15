"""What a segmenter computed of an image, kept by the image's content."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value")

KEPT = 6
"""Fixed, before, after and fused image of a run, and two of the run before."""


class PictureCache(Generic[Value]):
    """Keeps what the last few images gave; the same content is computed once.

    The key is the content, not the layer: painting on an image makes another key.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._values: OrderedDict[str, Value] = OrderedDict()
        self.misses = 0

    def get(self, picture: NDArray[np.uint8], compute: Callable[[], Value]) -> Value:
        """Return the value of an image, computing it if it is not there."""
        data = np.ascontiguousarray(picture)
        key = f"{data.shape}{hashlib.blake2b(data.data, digest_size=16).hexdigest()}"
        if key not in self._values:
            self.misses += 1
            self._values[key] = compute()
            while len(self._values) > self._kept:
                self._values.popitem(last=False)
        self._values.move_to_end(key)
        return self._values[key]

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()

    def __len__(self) -> int:
        return len(self._values)
