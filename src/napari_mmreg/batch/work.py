"""One pair of a batch: read, register, write. It runs in whatever process has time for it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from napari_mmreg.batch.outcome import Outcome
from napari_mmreg.errors import Cancelled, InputError
from napari_mmreg.io import (
    common_nodata,
    read_mask,
    read_picture,
    whole_folder,
    write_image,
    write_json,
)
from napari_mmreg.models import get_info
from napari_mmreg.models.elastic import NAME as ELASTIC
from napari_mmreg.models.weights import read_config, weights_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_mmreg.batch.parameters import BatchParameters
    from napari_mmreg.batch.table import ImagePair
    from napari_mmreg.io import Picture
    from napari_mmreg.registration import RegistrationResult
    from napari_mmreg.run import CancelCheck, Preview

REPORT, PREVIEW = "report.json", "preview.png"
FILES = ("registered.tif", "transform.npz", "misregistration.tif", PREVIEW, REPORT)
"""What the folder of a pair holds; of a failed registration, the last two."""

PREVIEW_SIDE = 256
"""Longer side of the preview, in pixels."""


def process_pair(
    pair: ImagePair,
    parameters: BatchParameters,
    folder: Path,
    cancel: CancelCheck | None = None,
    preview: Preview | None = None,
) -> Outcome:
    """Register one pair and write its folder, unless it lies there already.

    Parameters
    ----------
    pair : ImagePair
    parameters : BatchParameters
    folder : Path
        Of the batch; the result goes to the one below it that is called as the pair.
    cancel, preview : callable, optional
        As of `register`; looks name the pair.

    Returns
    -------
    Outcome
        Also of a pair that cannot be read or registered: nothing but `Cancelled` is raised.
    """
    start = perf_counter()
    try:
        key = content_key(pair, parameters)
        place = folder / pair.id
        earlier = _earlier(pair.id, place, key)
        if earlier is not None:
            return earlier
        images = [_read(pair, "fixed"), _read(pair, "moving")]
        result = _register(pair, images, parameters, cancel, preview)
        batch = {"key": key, "fixed": str(pair.fixed), "moving": str(pair.moving)}
        report = {**result.report(), "batch": batch}
        _write(place, images[0], result, report)
        return Outcome.of_report(pair.id, report, perf_counter() - start)
    except Cancelled:
        raise
    except Exception as error:  # noqa: BLE001  one pair must not end the others
        return Outcome.of_error(pair.id, error, perf_counter() - start)


def content_key(pair: ImagePair, parameters: BatchParameters) -> str:
    """Return what a result depends on as one hash: files' contents, parameters, weights, version.

    Raises
    ------
    InputError
        If a file is missing.
    """
    digests: dict[str, Any] = {}
    for name, value in asdict(pair).items():
        if isinstance(value, Path):
            digests[name] = _digest(value)
        elif name != "id" and value is not None:
            digests[name] = value
    info = get_info(parameters.model)
    weights = [info.name, ELASTIC] if info.needs_weights else []
    content = {
        "pair": digests,
        "parameters": parameters.plain() | {"model": info.name},
        "weights": [read_config(weights_folder(name)).sha256 for name in weights],
        "version": version("napari-mmreg"),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error


def _earlier(name: str, place: Path, key: str) -> Outcome | None:
    """Return the outcome that lies there, if it is of the same contents."""
    try:
        report = json.loads((place / REPORT).read_text(encoding="utf-8"))
        if report["batch"]["key"] != key:
            return None
        return Outcome.of_report(name, report, reused=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read(pair: ImagePair, side: str) -> Picture:
    page, channel = getattr(pair, f"{side}_page"), getattr(pair, f"{side}_channel")
    return read_picture(getattr(pair, side), page, channel)


def _register(
    pair: ImagePair,
    images: list[Picture],
    parameters: BatchParameters,
    cancel: CancelCheck | None,
    preview: Preview | None,
) -> RegistrationResult:
    from napari_mmreg.io.transforms import load_transform
    from napari_mmreg.registration import register

    fixed, moving = images
    options = parameters.options()
    for name in ("fixed_mask", "moving_mask"):
        if (path := getattr(pair, name)) is not None:
            options[name] = read_mask(path)
    if pair.initial is not None:
        options["initial"] = load_transform(
            pair.initial,
            fixed_shape=fixed.image.shape,
            fixed_spacing=parameters.fixed_spacing,
            moving_spacing=parameters.moving_spacing,
        )
    if preview is not None:
        options["preview"] = lambda look: preview(replace(look, subject=pair.id))
    nodata = (fixed.nodata, common_nodata(fixed, moving))
    return register(fixed.image, moving.image, nodata=nodata, cancel=cancel, **options)


def _write(place: Path, fixed: Picture, result: RegistrationResult, report: dict[str, Any]) -> None:
    """Write a pair's folder as a whole, with a report that also knows its batch."""
    with whole_folder(place, FILES, replace=True) as partial:
        if result.status != "failed":  # an image called "registered" would be taken for one
            result.write_files(partial, fixed.georeference)
        write_image(partial / PREVIEW, picture_of(result, fixed))
        write_json(partial / REPORT, report)


def picture_of(result: RegistrationResult, fixed: Picture) -> NDArray[np.uint8]:
    """Return a small image of a result: fixed in green, registered in magenta.

    Parameters
    ----------
    result : RegistrationResult
    fixed : Picture

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
        No side is longer than `PREVIEW_SIDE`.
    """
    import numpy as np

    from napari_mmreg.evaluation.pictures import as_picture, overlay

    step = -(-max(result.fixed_shape) // PREVIEW_SIDE)
    thin = (slice(step // 2, None, step),) * 2
    known = np.ones(result.fixed_shape, dtype=bool)[thin]
    if fixed.valid is not None:
        known = fixed.valid[thin]
    valid = result.valid[thin]
    sides = as_picture(fixed.image[thin], known), as_picture(result.registered[thin], valid)
    return np.asarray(overlay(*sides, valid), dtype=np.uint8)
