"""The images that a transform was made for, and the same images at another size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_mmreg.errors import InputError


@dataclass(frozen=True, slots=True)
class Frame:
    """One of the two images that a transform belongs to.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns.
    spacing : (float, float), optional
        Size of a pixel along rows and columns, where it is known.
    unit : str, optional
        Of the spacing, where it is known.
    """

    shape: tuple[int, int]
    spacing: tuple[float, float] | None = None
    unit: str | None = None

    def resized(self, shape: tuple[int, int]) -> Frame:
        """Return the frame of the same image with another number of pixels."""
        if self.spacing is None:
            return Frame(shape)
        rows, cols = (
            size * old / new for size, old, new in zip(self.spacing, self.shape, shape, strict=True)
        )
        return Frame(shape, (rows, cols), self.unit)

    def scale_to(self, shape: tuple[int, ...], name: str) -> tuple[float, float]:
        """Return how many pixels of an image of `shape` one pixel of this frame covers.

        Parameters
        ----------
        shape : tuple of int
            Rows and columns of the same image at another size (further axes are ignored).
        name : str
            What messages call the image: ``"fixed"``.

        Returns
        -------
        (float, float)
            Along rows and columns. If one whole factor explains both sizes but for rounding, it
            is that one, as for images that were thinned or averaged; else the ratios themselves.

        Raises
        ------
        InputError
            If the two sizes are not the same image at another size.
        """
        rows, cols = (int(n) for n in shape[:2])
        ratios = (rows / self.shape[0], cols / self.shape[1])
        if ratios[0] == ratios[1]:
            return ratios
        # Shrinking rounds to whole pixels, up or down: less than one pixel of the smaller image.
        slack = [
            max(1.0, ratio) * (1 - 1e-6) / size
            for ratio, size in zip(ratios, self.shape, strict=True)
        ]
        low = max(ratio - near for ratio, near in zip(ratios, slack, strict=True))
        high = min(ratio + near for ratio, near in zip(ratios, slack, strict=True))
        if low > high:
            raise InputError(
                f"The transform was made for a {name} image of {self.shape[0]} x {self.shape[1]} "
                f"pixels; this one has {rows} x {cols}, which is not the same picture at another "
                "size. Use the image it was made for, or register these two."
            )
        enlarged = ratios[0] + ratios[1] >= 2
        bounds = (low, high) if enlarged else (1 / high, 1 / low)
        factor = float(np.ceil(bounds[0] - 1e-9))
        if factor <= bounds[1]:
            whole = factor if enlarged else 1 / factor
            return whole, whole
        return ratios

    def to_arrays(self) -> dict[str, Any]:
        """Return shape, spacing and unit as arrays, those that are known."""
        arrays: dict[str, Any] = {"shape": np.array(self.shape)}
        if self.spacing is not None:
            arrays["spacing"] = np.array(self.spacing)
        if self.unit is not None:
            arrays["unit"] = np.array(self.unit)
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> Frame:
        """Make the frame that `to_arrays` described; raise `ValueError` if it cannot be one."""
        rows, cols = (int(n) for n in arrays["shape"])
        spacing = None
        if "spacing" in arrays:
            row, col = (float(size) for size in arrays["spacing"])
            spacing = (row, col)
        if min(rows, cols) < 1 or not (
            spacing is None or (np.isfinite(spacing).all() and min(spacing) > 0)
        ):
            raise ValueError("no frame")
        return cls((rows, cols), spacing, str(arrays["unit"]) if "unit" in arrays else None)
