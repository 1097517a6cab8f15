"""Displacement fields as TIFF with two channels, as BigWarp exports them in ImageJ.

*Convention*: on the target's (fixed) pixels, target to moving, channel 0 along x and channel 1
along y, in physical units; the pixel size and its unit are those of ImageJ's calibration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.errors import InputError, RegistrationError, TransformError
from napari_mmreg.geometry import DisplacementTransform, Frame, Transform
from napari_mmreg.geometry.files import FileKind, FileOptions, register_file_kind
from napari_mmreg.io.physical import from_physical, spacing_matrix, to_physical_field
from napari_mmreg.limits import check_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_mmreg.geometry.units import Spacing

_NO_UNIT = ("", "pixel", "pixels")


def _recognises(path: Path) -> bool:
    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            return _is_field(tiff)
    except Exception:  # damaged files end in whatever Python raises  # noqa: BLE001
        return False


def _is_field(tiff: Any) -> bool:
    series = tiff.series[0]
    return series.dtype.kind == "f" and len(series.shape) == 3 and series.shape[0] == 2


def _read(path: Path, options: FileOptions) -> Transform:
    try:
        channels, stated, unit = _channels(path)
    except FileNotFoundError as error:
        raise TransformError(f"There is no file {path}; check the path.") from error
    except RegistrationError:
        raise
    except Exception as error:  # damaged files end in whatever Python raises
        raise TransformError(f"{path} cannot be read as TIFF; export it again.") from error
    options = options.in_unit(unit)
    spacing = stated if options.fixed_spacing is None else options.fixed_spacing
    moving = options.moving_spacing or spacing
    field = np.moveaxis(channels[::-1], 0, -1)
    physical = DisplacementTransform(field, spacing_matrix(stated))
    transform = from_physical(physical, spacing, moving)
    shape = (field.shape[0], field.shape[1])
    if unit is None or spacing != stated:
        return transform
    return transform.with_frames(Frame(shape, spacing, unit), None)


def _channels(path: Path) -> tuple[NDArray[np.floating[Any]], Spacing, str | None]:
    """Return the two channels, the size of a pixel and its unit."""
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        if not _is_field(tiff):
            raise TransformError(
                f"{path} holds no displacement field, which is two channels in floating "
                "point, x and y; for other transforms use one of .npz, .tfm, .nii.gz."
            )
        check_bytes(tiff.series[0].shape, 8, str(path))
        return tiff.series[0].asarray(), *_calibration(tiff)


def _calibration(tiff: Any) -> tuple[Spacing, str | None]:
    """Return the size of a pixel, ``(row, col)``, and its unit, as ImageJ wrote them."""
    about = tiff.imagej_metadata
    if about is None:  # resolutions are those of a print
        return (1.0, 1.0), None
    unit = str(about.get("unit", "")).replace("\\u00B5", "µ")
    tags = tiff.pages[0].tags
    row, col = (
        length / pixels if pixels > 0 < length else 1.0
        for pixels, length in (
            tags[name].value if name in tags else (1, 1) for name in ("YResolution", "XResolution")
        )
    )
    return (row, col), None if unit.lower() in _NO_UNIT else unit


def _write(path: Path, transform: Transform, options: FileOptions) -> None:
    import tifffile

    field = to_physical_field(transform, options.fixed_shape, *options.spacings)
    if any(field.origin):
        raise InputError(
            "ImageJ's calibration has no origin here; give the fixed image's shape (fixed_shape), "
            "so that the field is sampled on its pixels."
        )
    channels = np.ascontiguousarray(np.moveaxis(field.displacement[..., ::-1], -1, 0))
    try:
        tifffile.imwrite(
            path,
            channels,
            imagej=True,
            resolution=(1 / field.spacing[1], 1 / field.spacing[0]),
            metadata={"axes": "CYX", "unit": _ascii(options.unit or "pixel")},
        )
    except OSError as error:
        raise TransformError(
            f"Cannot write {path}: {error.strerror or error}. Choose another folder."
        ) from error


def _ascii(unit: str) -> str:
    """Return a unit as ImageJ's tags can hold it: both signs for micro are ``u``."""
    return unit.replace("\N{MICRO SIGN}", "u").replace("\N{GREEK SMALL LETTER MU}", "u")


register_file_kind(
    FileKind(
        name="bigwarp-field",
        title="BigWarp displacement field",
        holds="a displacement field on the fixed image's pixels, with pixel size and unit",
        convention="fixed (target) to moving, channels (x, y), physical",
        patterns=("*.tif", "*.tiff"),
        read=_read,
        write=_write,
        recognises=_recognises,
        droppable=(),
        rank=31,
    )
)
