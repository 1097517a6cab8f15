"""`CompositeTransform`: transforms applied one after the other."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.geometry import npz
from napari_mmreg.geometry.matrix import MatrixTransform
from napari_mmreg.geometry.packing import pack, unpack
from napari_mmreg.geometry.transform import ALGEBRA, Transform


class CompositeTransform(Transform):
    """Transforms applied one after the other.

    Parameters
    ----------
    transforms : iterable of Transform
        In the order in which they are applied: the first one sees the fixed points.

    Notes
    -----
    *Convention*: ``(row, col)`` pixels, fixed to moving. Nested chains are flattened,
    neighbouring matrices multiplied and identities dropped.
    """

    kind = "composite"

    def __init__(self, transforms: Iterable[Transform]) -> None:
        self._transforms = tuple(_flatten(transforms))

    def to_arrays(self) -> npz.Arrays:
        """Return the parts' arrays, each behind its number."""
        arrays: npz.Arrays = {"count": np.array(len(self._transforms))}
        for number, part in enumerate(self._transforms):
            arrays.update(pack(part, f"{number}/"))
        return arrays

    @classmethod
    def from_arrays(cls, arrays: npz.Arrays) -> CompositeTransform:
        """Make it from its parts."""
        return cls(unpack(arrays, f"{number}/") for number in range(int(arrays["count"])))

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """The parts, first applied first."""
        return self._transforms

    @property
    def is_affine(self) -> bool:
        """Whether all that is left is one affine matrix."""
        return len(self._transforms) == 1 and self._transforms[0].is_affine

    def _map(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        for transform in self._transforms:
            points = transform.map(points)
        return points

    def inverse(self) -> Transform:
        """Return the inverses of the parts in reverse order."""
        parts = CompositeTransform(part.inverse() for part in reversed(self._transforms))
        return self._swapped(parts)

    def __repr__(self) -> str:
        return f"CompositeTransform([{', '.join(map(repr, self._transforms))}])"


def chained(transforms: Iterable[Transform]) -> Transform:
    """Return the chain of transforms, the first applied first; a chain of one is that one."""
    parts = _flatten(transforms)
    return parts[0] if len(parts) == 1 else CompositeTransform(parts)


def _flatten(transforms: Iterable[Transform]) -> list[Transform]:
    """Flatten chains, multiply neighbouring matrices, drop identities; at least one is left."""
    parts: list[Transform] = []
    for transform in transforms:
        nested = transform.transforms if isinstance(transform, CompositeTransform) else [transform]
        for part in nested:
            last = parts[-1] if parts else None
            if isinstance(part, MatrixTransform) and isinstance(last, MatrixTransform):
                parts[-1] = MatrixTransform(part.matrix @ last.matrix)
            else:
                parts.append(part)
    kept = [p for p in parts if not (isinstance(p, MatrixTransform) and p.is_identity)]
    return kept or [MatrixTransform.identity()]


ALGEBRA.chained = chained
