"""Moving layers by their own affine instead of resampling them, and putting them back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.gui.apply import strings as texts
from napari_mmreg.gui.apply.registration import Registration
from napari_mmreg.gui.shared.placement import Matrix, unit_factors

if TYPE_CHECKING:
    from napari_mmreg.geometry import Transform
    from napari_mmreg.geometry.applying import Side


@dataclass(frozen=True, eq=False)
class _Move:
    """One layer's affine before and after."""

    layer: Any  # a weak reference
    before: NDArray[np.float64]
    after: NDArray[np.float64]


class Moves:
    """Moves of layers, the last one undone first."""

    def __init__(self) -> None:
        self._done: list[tuple[Any, list[_Move]]] = []

    def __bool__(self) -> bool:
        return bool(self._done)

    def move(
        self, layers: Sequence[Any], registration: Registration, transform: Transform, to: Side
    ) -> None:
        """Write a registration into the layers' affines; all of them or none.

        Raises
        ------
        InputError
            If the registration bends, a layer was moved by it already, or units do not fit.
        """
        motion = registration.motion(transform, to)
        source = registration.sides(to)[0].placement
        moves = []
        for layer in layers:
            if self.has_moved(layer, registration, to):
                raise InputError(texts.ALREADY_MOVED.format(name=layer.name))
            if layer.ndim < 2:
                raise InputError(texts.ONE_AXIS.format(name=layer.name))
            units = tuple(str(unit) for unit in layer.units[-2:])
            into = np.diag([*unit_factors(units, source.units), 1.0])
            in_units = np.linalg.inv(into) @ motion @ into
            before = np.array(layer.affine.affine_matrix, dtype=np.float64)
            after = _embedded(in_units, layer.ndim) @ before
            moves.append(_Move(ref(layer), before, after))
        for move in moves:
            move.layer().affine = move.after
        self._done.append((registration.key(to), moves))

    def has_moved(self, layer: Any, registration: Registration, to: Side) -> bool:
        """Return whether a layer lies where a registration has moved it."""
        return any(
            move.layer() is layer and np.allclose(layer.affine.affine_matrix, move.after)
            for key, moves in self._done
            if key == registration.key(to)
            for move in moves
        )

    def undo(self) -> tuple[int, list[str]]:
        """Put the layers of the last move back.

        Returns
        -------
        count : int
            How many were put back; layers that are gone are not counted.
        notes : list of str
            About layers that were moved by someone else since, and stay.
        """
        count, notes = 0, []
        for move in self._done.pop()[1]:
            layer = move.layer()
            if layer is None:
                continue
            if not np.allclose(layer.affine.affine_matrix, move.after):
                notes.append(texts.NOT_PUT_BACK.format(name=layer.name))
                continue
            layer.affine = move.before
            count += 1
        return count, notes


def _embedded(matrix: Matrix, ndim: int) -> NDArray[np.float64]:
    """Return a map of the last two of several axes."""
    embedded = np.eye(ndim + 1)
    embedded[-3:-1, -3:-1] = matrix[:2, :2]
    embedded[-3:-1, -1] = matrix[:2, 2]
    return embedded
