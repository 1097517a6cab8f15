"""OME-Zarr (NGFF) coordinate transformations on their own, through ngff-zarr (extra ``ngff``).

Written by version 0.6 of the format (RFC-5): a group whose metadata are the coordinate systems
``fixed`` and ``moving``, with axes ``y`` and ``x`` and their unit, and one transformation between
them: ``affine``, or ``displacements`` with the field beside it.

*Convention*: a transformation maps points of its input system to its output system, so that
``fixed`` to ``moving`` is our own direction; points are physical, ``(y, x)``. A file whose input
is called ``moving`` and whose output is called ``fixed`` is inverted; other names are taken as
they come, input for fixed. The first pixels' centres lie at the origins.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from napari_mmreg.errors import InputError, MissingExtraError, RegistrationError, TransformError
from napari_mmreg.geometry import (
    CompositeTransform,
    DisplacementTransform,
    Frame,
    MatrixTransform,
    Transform,
)
from napari_mmreg.geometry.files import FileKind, FileOptions, register_file_kind
from napari_mmreg.geometry.units import convert_spacing
from napari_mmreg.io.physical import from_physical, to_physical_field, to_physical_matrix
from napari_mmreg.io.whole import whole_folder
from napari_mmreg.limits import check_bytes

FIELD = "displacements"
"""The group beside the metadata that holds a field."""

OWN = "napari-mmreg"
"""The attribute in which the images and the provenance are kept."""

_METADATA = "zarr.json"
_LONGEST = 5_000_000
"""Bytes of metadata that are read."""


def _ngff_zarr() -> Any:
    try:
        import ngff_zarr
    except ImportError as error:
        raise MissingExtraError(
            'OME-Zarr transformations need ngff-zarr; install it with: pip install "napari-mmreg'
            '[ngff]"'
        ) from error
    return ngff_zarr


def _attributes(path: Path) -> dict[str, Any]:
    """Return the attributes of a group; empty for all else."""
    try:
        with (path / _METADATA).open("rb") as stream:
            document = json.loads(stream.read(_LONGEST))
        attributes = document["attributes"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return attributes if isinstance(attributes, dict) else {}


def _recognises(path: Path) -> bool:
    ome = _attributes(path).get("ome")
    return isinstance(ome, dict) and "coordinateTransformations" in ome


def _write(path: Path, transform: Transform, options: FileOptions) -> None:
    library = _ngff_zarr()
    model = library.v06.zarr_metadata
    if path.exists() and not _recognises(path):
        raise TransformError(
            f"{path} is there and holds no transform; choose another name than that of an image."
        )
    ends = {
        "input": model.CoordinateSystemIdentifier(name="fixed"),
        "output": model.CoordinateSystemIdentifier(name="moving"),
    }
    matrix = to_physical_matrix(transform, *options.spacings)
    with whole_folder(path, (_METADATA, FIELD), replace=True) as partial:
        if matrix is not None:
            affine = model.Affine(affine=matrix.matrix[:2].tolist(), **ends)
            library.to_ome_zarr(partial, affine)
        else:
            _write_field(library, partial / FIELD, transform, options)
            field = model.Displacements(path=FIELD, interpolation="linear", **ends)
            library.to_ome_zarr(partial, field, overwrite=False)
        _add_metadata(partial, transform, options)


def _write_field(library: Any, path: Path, transform: Transform, options: FileOptions) -> None:
    field = to_physical_field(transform, options.fixed_shape, *options.spacings)
    axes = dict(zip("yx", zip(field.spacing, field.origin, strict=True), strict=True))
    image = library.to_ngff_image(
        np.ascontiguousarray(np.moveaxis(field.displacement, -1, 0)),
        dims=["c", "y", "x"],
        scale={"c": 1.0, **{axis: spacing for axis, (spacing, _) in axes.items()}},
        translation={"c": 0.0, **{axis: origin for axis, (_, origin) in axes.items()}},
        name=FIELD,
        axes_units=dict.fromkeys("yx", _unit_name(options.unit)) if options.unit else None,
    )
    image.axes_types = {"c": "displacement"}
    library.to_ome_zarr(path, library.to_multiscales(image, scale_factors=[]), version="0.6")


def _add_metadata(path: Path, transform: Transform, options: FileOptions) -> None:
    """Add what ngff-zarr does not write for a transformation on its own: its two systems."""
    metadata = path / _METADATA
    document = json.loads(metadata.read_text(encoding="utf-8"))
    unit = {} if options.unit is None else {"unit": _unit_name(options.unit)}
    axes = [{"name": name, "type": "space", **unit} for name in "yx"]
    attributes = document["attributes"]
    attributes["ome"]["coordinateSystems"] = [
        {"name": name, "axes": axes} for name in ("fixed", "moving")
    ]
    spacings = zip(("fixed", "moving"), options.spacings, strict=True)
    own: dict[str, Any] = {name: {"spacing": list(spacing)} for name, spacing in spacings}
    for name, frame in (("fixed", transform.fixed_frame), ("moving", transform.moving_frame)):
        if frame is not None:
            own[name]["shape"] = list(frame.shape)
    attributes[OWN] = {**own, "provenance": dict(transform.provenance)}
    metadata.write_text(json.dumps(document, indent=2), encoding="utf-8")


def _unit_name(unit: str) -> str:
    """Return a unit as NGFF spells it: ``"micrometer"`` for ``"µm"``."""
    import pint

    try:
        registry = pint.get_application_registry()  # type: ignore[no-untyped-call]
        return str(registry.Unit(unit))
    except (pint.PintError, AttributeError, TypeError, ValueError) as error:
        raise InputError(f"{unit!r} is no unit; use one such as 'micrometer' or 'mm'.") from error


def _read(path: Path, options: FileOptions) -> Transform:
    library = _ngff_zarr()
    if not path.exists():
        raise TransformError(f"There is no folder {path}; check the path.")
    try:
        return _transform(library, path, options)
    except RegistrationError:
        raise
    except Exception as error:  # damaged stores end in whatever the libraries raise
        raise TransformError(
            f"{path} holds no coordinate transformation that can be used ({error}). Write it again."
        ) from error


def _transform(library: Any, path: Path, options: FileOptions) -> Transform:
    stored = library.from_ome_zarr(path, kind="transformation")
    attributes = _attributes(path)
    systems = {s["name"]: s["axes"] for s in attributes["ome"].get("coordinateSystems") or ()}
    names = [getattr(end, "name", None) for end in (stored.input, stored.output)]
    input_axes = systems.get(names[0], [{"name": "y"}, {"name": "x"}])
    output_axes = systems.get(names[1], input_axes)
    order = [axis["name"] for axis in input_axes]
    if sorted(order) != ["x", "y"] or [axis["name"] for axis in output_axes] != order:
        raise TransformError(f"{path}: only transformations between y and x can be used.")
    physical = _part(library, path, stored, order)
    units = [axes[0].get("unit") for axes in (input_axes, output_axes)]
    if names == ["moving", "fixed"]:
        physical, units = physical.inverse(), units[::-1]
    return _in_pixels(physical, units, attributes.get(OWN) or {}, options)


def _part(library: Any, path: Path, stored: Any, order: list[str]) -> Transform:
    """Return a transformation between physical points, ``(row, col)``."""
    if stored.type == "sequence":
        return CompositeTransform(
            _part(library, path, each, order) for each in stored.transformations
        )
    if stored.type == "bijection":
        return _part(library, path, stored.forward, order)
    if stored.type == "displacements":
        return _field(library, path, stored.path, order)
    (linear,) = library.ngff_transform_to_itk_transform(stored, order)  # in (x, y), centre at 0
    matrix = np.eye(3)
    matrix[:2] = np.column_stack(
        [np.reshape(linear.parameters[:4], (2, 2)), linear.parameters[4:6]]
    )
    return MatrixTransform.from_xy(matrix)


def _field(library: Any, path: Path, name: str, order: list[str]) -> DisplacementTransform:
    place = (path / name).resolve()
    if not place.is_relative_to(path.resolve()):
        raise TransformError(f"{path} refers to a field outside of it, {name}.")
    image = library.from_ome_zarr(place).images[0]
    dims = list(image.dims)
    spatial = [dim for dim in dims if dim in order]
    if spatial != order or image.data.shape[dims.index("c")] != 2 or len(dims) != 3:
        raise TransformError(f"{path}: its field has the axes {dims}, not a vector on y and x.")
    check_bytes(image.data.shape, 8, str(path))
    field = np.moveaxis(np.asarray(image.data), dims.index("c"), -1)
    if order == ["x", "y"]:
        field = field.swapaxes(0, 1)[..., ::-1]
    grid = np.diag([image.scale["y"], image.scale["x"], 1.0])
    grid[:2, 2] = image.translation["y"], image.translation["x"]
    return DisplacementTransform(field, MatrixTransform(grid))


def _in_pixels(
    physical: Transform, units: list[str | None], own: dict[str, Any], options: FileOptions
) -> Transform:
    """Return the transform between pixels, with its images where the file knows them."""
    given = (options.fixed_spacing, options.moving_spacing or options.fixed_spacing)
    spacings, frames = [], []
    for name, spacing, unit in zip(("fixed", "moving"), given, units, strict=True):
        known = own.get(name) or {}
        if spacing is None:
            row, col = (float(size) for size in known.get("spacing") or (1.0, 1.0))
        else:
            row, col = convert_spacing(spacing, options.unit, unit)
        spacings.append((row, col))
        shape = known.get("shape")
        frames.append(Frame((int(shape[0]), int(shape[1])), (row, col), unit) if shape else None)
    transform = from_physical(physical, spacings[0], spacings[1]).with_frames(*frames)
    provenance = own.get("provenance")
    return transform.with_provenance(provenance) if provenance else transform


register_file_kind(
    FileKind(
        name="ngff",
        title="OME-Zarr transformation",
        holds="affine maps exactly, all others as a displacement field; pixel sizes, unit and "
        "provenance",
        convention="fixed to moving, (y, x), physical, with unit",
        patterns=("*.zarr",),
        read=_read,
        write=_write,
        recognises=_recognises,
        extra="ngff",
        droppable=(),
        folders=True,
        rank=15,
    )
)
