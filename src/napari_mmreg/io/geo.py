"""Where two georeferenced images lie on each other: a start for their registration.

Images in one coordinate reference system need nothing more than their tags; those in different
ones need rasterio (extra ``geo``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError, MissingExtraError, TransformError
from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.io.tiff import Georeference

_SCALE, _TIES, _MATRIX = 33550, 33922, 34264
_KEYS, _NUMBERS, _TEXTS = 34735, 34736, 34737

_RASTER_TYPE, _POINT = 1025, 2
"""The key that says whether positions are those of pixels' corners (1) or centres (2)."""

_CITATIONS = frozenset((_RASTER_TYPE, 1026, 2049, 3073, 4097))
"""Keys that do not make two coordinate reference systems different."""

_GRID = 9
"""Points along each side that are projected from one system to the other."""


def start_on_earth(
    paths: tuple[Path, Path],
    places: tuple[Georeference | None, Georeference | None],
    shape: tuple[int, int],
) -> MatrixTransform | None:
    """Return where two images lie on each other on Earth: fixed pixels to moving pixels.

    Parameters
    ----------
    paths : (Path, Path)
        Of the fixed and the moving image.
    places : (Georeference or None, Georeference or None)
        What their tags say.
    shape : (int, int)
        Rows and columns of the fixed image.

    Returns
    -------
    MatrixTransform or None
        None where one of them has no place. Between different coordinate reference systems it
        is the affine map that fits best over the fixed image.

    Raises
    ------
    MissingExtraError
        If their systems differ and rasterio is not installed.
    InputError
        If a point of one cannot be found in the system of the other.

    Notes
    -----
    *Convention*: ``(row, col)``, pixel centres at integers, fixed to moving.
    """
    fixed, moving = places
    if fixed is None or moving is None:
        return None
    fixed_world, moving_world = world_from_pixels(fixed), world_from_pixels(moving)
    if fixed_world is None or moving_world is None:
        return None
    try:
        pixels_from_world = MatrixTransform(moving_world).inverse()
    except TransformError as error:
        raise InputError(f"The georeference of {paths[1]} has pixels without a size.") from error
    if _system(fixed) == _system(moving):
        return MatrixTransform(pixels_from_world.matrix @ fixed_world)
    return _across_systems(paths, fixed_world, pixels_from_world, shape)


def world_from_pixels(place: Georeference) -> NDArray[np.float64] | None:
    """Return the matrix from ``(row, col, 1)`` to ``(x, y, 1)`` of the system; None if unknown."""
    values = {code: value for code, _, _, value in place.tags}
    if _MATRIX in values:
        full = np.asarray(values[_MATRIX], dtype=np.float64).reshape(4, 4)
        x_col, x_row, x_0 = full[0, 0], full[0, 1], full[0, 3]
        y_col, y_row, y_0 = full[1, 0], full[1, 1], full[1, 3]
    elif _SCALE in values and _TIES in values:
        x_col, y_step = (float(size) for size in values[_SCALE][:2])
        col, row, _, x, y, _ = (float(value) for value in values[_TIES][:6])
        x_row, y_col, y_row = 0.0, 0.0, -y_step
        x_0, y_0 = x - col * x_col, y + row * y_step
    else:
        return None
    matrix = np.array([[x_row, x_col, x_0], [y_row, y_col, y_0], [0.0, 0.0, 1.0]])
    if _keys(values).get(_RASTER_TYPE) != _POINT:  # positions are those of corners
        matrix[:2, 2] += 0.5 * (matrix[:2, 0] + matrix[:2, 1])
    return matrix


def _system(place: Georeference) -> dict[int, Any]:
    values = {code: value for code, _, _, value in place.tags}
    return {key: value for key, value in _keys(values).items() if key not in _CITATIONS}


def _keys(values: dict[int, Any]) -> dict[int, Any]:
    """Return what the keys of GeoTIFF say, by their numbers."""
    directory = np.asarray(values.get(_KEYS, ()), dtype=np.int64)[4:]
    found: dict[int, Any] = {}
    for key, where, count, value in directory[: len(directory) // 4 * 4].reshape(-1, 4).tolist():
        if where == 0:
            found[key] = value
        elif where in values and where in (_NUMBERS, _TEXTS):
            listed = values[where]
            single = isinstance(listed, int | float)
            found[key] = listed if single else tuple(listed[value : value + count])
    return found


def _across_systems(
    paths: tuple[Path, Path],
    fixed_world: NDArray[np.float64],
    pixels_from_world: MatrixTransform,
    shape: tuple[int, int],
) -> MatrixTransform:
    try:
        import rasterio
        from rasterio.warp import transform
    except ImportError as error:
        raise MissingExtraError(
            f"{paths[0]} and {paths[1]} are in different coordinate reference systems, between "
            'which rasterio converts: pip install "napari-mmreg[geo]". Without it, reproject one '
            "of them, or pass --ignore-georeference."
        ) from error
    systems = []
    for path in paths:
        with rasterio.open(path) as opened:
            systems.append(opened.crs)
    if None in systems:
        raise InputError(
            f"The coordinate reference system of {paths[systems.index(None)]} is not known; pass "
            "--ignore-georeference."
        )
    rows, cols = (np.linspace(0, size - 1, _GRID) for size in shape)
    points = np.stack(np.meshgrid(rows, cols, indexing="ij"), axis=-1).reshape(-1, 2)
    world = MatrixTransform(fixed_world).map(points)
    x, y = transform(systems[0], systems[1], world[:, 0].tolist(), world[:, 1].tolist())[:2]
    there = pixels_from_world.map(np.stack([x, y], axis=-1))
    if not np.isfinite(there).all():
        raise InputError(
            f"{paths[0]} lies outside of what the coordinate reference system of {paths[1]} "
            "covers. Check the georeferences, or pass --ignore-georeference."
        )
    known = np.column_stack([points, np.ones(len(points))])
    matrix = np.eye(3)
    matrix[:2] = np.linalg.lstsq(known, there, rcond=None)[0].T
    return MatrixTransform(matrix)
