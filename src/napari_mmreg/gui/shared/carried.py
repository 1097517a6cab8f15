"""The transform that a layer carries in its metadata.

Layers of a run and layers of opened files hold it under ``metadata["napari_mmreg"]["transform"]``:
fixed to moving, with the two images' shapes, pixel sizes and units, and its provenance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import Frame, Transform
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.modalities import METADATA_KEY

if TYPE_CHECKING:
    from napari_mmreg.gui.shared.layer_spec import LayerSpec
    from napari_mmreg.gui.shared.snapshot import Picture, Snapshot
    from napari_mmreg.registration import RegistrationResult

KEY = "transform"


def frame_of(picture: Picture) -> Frame:
    """Return a picture as a transform remembers it: its size and, if calibrated, its pixels'."""
    rows, cols = picture.shape
    place = picture.placement
    if not place.calibrated or place.units[0] != place.units[1]:
        return Frame((rows, cols))
    return Frame((rows, cols), place.spacing, place.units[0])


def carry(specs: Iterable[LayerSpec], snapshot: Snapshot, result: RegistrationResult) -> None:
    """Let all layers of a run carry its transform."""
    fixed, moving = frame_of(snapshot.fixed), frame_of(snapshot.moving)
    if fixed.spacing is None or moving.spacing is None:
        fixed, moving = Frame(fixed.shape), Frame(moving.shape)
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
