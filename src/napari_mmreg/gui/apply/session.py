"""What the *Apply registration* dock does, without Qt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Layer

from napari_mmreg.errors import InputError
from napari_mmreg.gui.apply import strings as texts
from napari_mmreg.gui.apply.carrying import ApplyJob, Made, Way
from napari_mmreg.gui.apply.items import KINDS, take
from napari_mmreg.gui.apply.moving import Moves
from napari_mmreg.gui.apply.registration import Registration
from napari_mmreg.gui.shared import pairing
from napari_mmreg.gui.shared.carried import transform_of
from napari_mmreg.gui.shared.modalities import METADATA_KEY
from napari_mmreg.gui.shared.run_record import RunRecord
from napari_mmreg.gui.shared.runs import RunBook, keeping_selection, made_by_run

if TYPE_CHECKING:
    from napari_mmreg.geometry import Transform
    from napari_mmreg.geometry.applying import Side


class ApplySession:
    """Layers of one viewer, and the registrations that can be applied to them.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self.book = RunBook.of(viewer)
        self.moves = Moves()

    def close(self) -> None:
        """Let go of the viewer; layers stay."""
        self.book.close()

    @property
    def runs(self) -> list[RunRecord]:
        """Finished runs, newest first."""
        return self.book.runs[::-1]

    @property
    def carriers(self) -> list[Any]:
        """Layers that carry a transform of none of `runs`, as napari lists them; one for each."""
        found: dict[int, Any] = {}
        for layer in reversed(self._viewer.layers):
            transform = transform_of(layer.metadata)
            if transform is not None and not made_by_run(layer):
                found.setdefault(id(transform), layer)
        return list(found.values())

    @property
    def layers(self) -> list[Any]:
        """The layers that can be carried, as napari lists them; not what runs have made."""
        return [
            layer
            for layer in reversed(self._viewer.layers)
            if layer._type_string in KINDS  # noqa: SLF001 - napari's name of the layer type
            and layer.ndim >= 2
            and "run" not in layer.metadata.get(METADATA_KEY, {})
        ]

    @property
    def images(self) -> list[Any]:
        """The image layers that a transform file may be between."""
        return [layer for layer in self.layers if type(layer) is Image]

    def guess_sides(self) -> tuple[Any, Any]:
        """Return the fixed and the moving image that are likely meant; None where there is none."""
        return pairing.guess_pair(self._viewer.layers)

    def job(self, registration: Registration, layers: Sequence[Any], way: Way) -> ApplyJob:
        """Return what a worker thread executes to carry layers.

        Raises
        ------
        InputError
            If something is missing, or a layer cannot be carried.
        """
        if not layers:
            raise InputError(texts.NO_LAYERS)
        for layer in layers:
            if self.moves.has_moved(layer, registration, way.to):
                raise InputError(texts.ALREADY_MOVED.format(name=layer.name))
        return ApplyJob(registration, [take(layer) for layer in layers], way)

    def deliver(self, made: Sequence[Made]) -> Iterator[Layer]:
        """Add the layers that an `ApplyJob` made, one by one."""
        return keeping_selection(self._viewer, self._adding(made))

    def _adding(self, made: Sequence[Made]) -> Iterator[Layer]:
        for each in reversed(made):  # the first one in the list comes to lie on top
            layer = Layer.create(each.data, each.kwargs, each.kind)
            self._viewer.layers.append(layer)
            yield layer

    def move(
        self,
        registration: Registration,
        transform: Transform,
        layers: Sequence[Any],
        to: Side,
    ) -> None:
        """Move layers by their affines, see `Moves.move`; those that are gone are left out."""
        there = [layer for layer in layers if layer in self._viewer.layers]
        if not there:
            raise InputError(texts.NO_LAYERS)
        self.moves.move(there, registration, transform, to)
