"""The transform that a layer carries in its metadata.

Layers of a run and layers of opened files hold it under ``metadata["napari_mmreg"]["transform"]``:
fixed to moving, with the two images' shapes, pixel sizes and units, and its provenance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import Frame, Transform
from napari_mmreg.geometry.units import PIXEL, Spacing, length_factor
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.modalities import METADATA_KEY

if TYPE_CHECKING:
    from napari_mmreg.gui.shared.layer_spec import LayerSpec
    from napari_mmreg.gui.shared.placement import Placement
    from napari_mmreg.gui.shared.snapshot import Snapshot
    from napari_mmreg.registration import RegistrationResult

KEY = "transform"


class Placed(Protocol):
    """An image by its name that lies in the world, such as a `Picture`."""

    @property
    def name(self) -> str:
        """The layer's name."""

    @property
    def placement(self) -> Placement:
        """Where it lies."""


def pixel_of(picture: Placed) -> tuple[Spacing, str | None]:
    """Return the size of a picture's pixels and its unit; None for napari's own, the pixel.

    Raises
    ------
    InputError
        If its axes are measured in different units.
    """
    place = picture.placement
    if place.units[0] != place.units[1]:
        raise InputError(strings.TWO_UNITS.format(name=picture.name))
    return place.spacing, place.units[0] if place.calibrated else None


def pixels_of(fixed: Placed, moving: Placed) -> tuple[Spacing, Spacing, str | None] | None:
    """Return both pixel sizes in the fixed picture's unit; None where nobody measured anything.

    Raises
    ------
    InputError
        If their units do not belong together.
    """
    (spacing, unit), (other, other_unit) = pixel_of(fixed), pixel_of(moving)
    factor = length_factor(other_unit or PIXEL, unit or PIXEL)
    other = (other[0] * factor, other[1] * factor)
    if unit is None and spacing == other == (1.0, 1.0):
        return None
    return spacing, other, unit


def carry(specs: Iterable[LayerSpec], snapshot: Snapshot, result: RegistrationResult) -> None:
    """Let all layers of a run carry its transform, with the pixel sizes of its images."""
    fixed, moving = Frame(snapshot.fixed.shape), Frame(snapshot.moving.shape)
    with suppress(InputError):  # units without a common measure: pixels alone
        known = pixels_of(snapshot.fixed, snapshot.moving)
        if known is not None:
            spacing, other, unit = known
            fixed, moving = Frame(fixed.shape, spacing, unit), Frame(moving.shape, other, unit)
    transform = result.transform.with_frames(fixed, moving).with_provenance(result.provenance)
    for spec in specs:
        spec.kwargs["metadata"][METADATA_KEY][KEY] = transform


def transform_of(metadata: Mapping[str, Any]) -> Transform | None:
    """Return the transform that a layer's metadata hold; None if there is none."""
    own = metadata.get(METADATA_KEY)
    found = own.get(KEY) if isinstance(own, Mapping) else None
    return found if isinstance(found, Transform) else None


def common_transform(metadata: Iterable[Mapping[str, Any]]) -> Transform:
    """Return the one transform of several layers; those without one do not count.

    Raises
    ------
    InputError
        If there is none, or there are different ones.
    """
    found = [transform_of(each) for each in metadata]
    there = {id(transform): transform for transform in found if transform is not None}
    if not there:
        raise InputError(strings.NO_TRANSFORM)
    if len(there) > 1:
        raise InputError(strings.SEVERAL_TRANSFORMS)
    return next(iter(there.values()))
