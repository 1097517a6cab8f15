"""A training pack: all pairs, small, in one file that loads in seconds and travels well."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.training.data import PairRecord, find_data, read_pair, read_records
from napari_mmreg.training.sources import SOURCES, Source

FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False)
class PackedPair:
    """One aligned pair in memory.

    Attributes
    ----------
    fixed, moving : ndarray of uint8, shape (H, W) or (H, W, 3)
        Where `mask` is False, `moving` repeats the nearest valid pixel.
    mask : ndarray of bool, shape (H, W), or None
        Where the moving image has data; None: everywhere.
    """

    id: str
    split: str
    modality: str
    source: str
    scene: str
    fixed: NDArray[np.uint8]
    moving: NDArray[np.uint8]
    mask: NDArray[np.bool_] | None = None


def shrink(image: NDArray[np.uint8], long_side: int) -> NDArray[np.uint8]:
    """Area-average an image so that its long side is at most `long_side` pixels."""
    from PIL import Image

    rows, cols = image.shape[:2]
    factor = long_side / max(rows, cols)
    if factor >= 1:
        return image
    size = (max(2, round(cols * factor)), max(2, round(rows * factor)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def fill_outside(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Give pixels outside the mask the value of the nearest one inside."""
    from scipy.ndimage import distance_transform_edt

    if mask.all() or not mask.any():
        return image
    nearest = distance_transform_edt(~mask, return_distances=False, return_indices=True)
    return np.ascontiguousarray(image[tuple(nearest)])


def prepare(record: PairRecord, long_side: int) -> PackedPair:
    """Read, shrink and fill one pair."""
    fixed, moving, mask = read_pair(record)
    if mask is not None:
        moving = fill_outside(moving, _shrunk_mask(mask))
        mask = shrink(mask.astype(np.uint8) * np.uint8(255), long_side) == 255
    return PackedPair(
        record.id,
        record.split,
        record.modality,
        record.source,
        record.scene,
        shrink(fixed, long_side),
        shrink(moving, long_side),
        mask,
    )


def _shrunk_mask(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Two pixels less at the edge of the data: resampled edges there are half black."""
    from scipy.ndimage import binary_erosion

    eroded = np.asarray(binary_erosion(mask, iterations=2, border_value=1), dtype=bool)
    return eroded if eroded.any() else mask


def _encode(image: NDArray[np.uint8], quality: int) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()


def _encode_mask(mask: NDArray[np.bool_]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _decode(blob: bytes) -> NDArray[np.uint8]:
    from PIL import Image

    with Image.open(io.BytesIO(blob)) as image:
        return np.asarray(image)


def write_pack(
    records: Iterable[PairRecord], path: str | Path, *, long_side: int = 400, quality: int = 85
) -> int:
    """Write a pack and return its size in bytes.

    Parameters
    ----------
    records : iterable of PairRecord
        The pairs, of all splits.
    path : path
        An ``.npz`` file; JPEG (images) and PNG (masks) blobs and a JSON index, no pickle.
    long_side : int
        Images are shrunk to this many pixels, never enlarged.
    quality : int
        JPEG quality.
    """
    blobs: list[bytes] = []
    index = []
    for record in records:
        pair = prepare(record, long_side)
        entry: dict[str, object] = {
            name: getattr(pair, name) for name in ("id", "split", "modality", "source", "scene")
        }
        entry["commercial"] = record.commercial
        for name, blob in (
            ("fixed", _encode(pair.fixed, quality)),
            ("moving", _encode(pair.moving, quality)),
            ("mask", None if pair.mask is None else _encode_mask(pair.mask)),
        ):
            entry[name] = None if blob is None else len(blobs)
            if blob is not None:
                blobs.append(blob)
        index.append(entry)
    head = json.dumps({"format": FORMAT, "long_side": long_side, "pairs": index}).encode()
    offsets = np.cumsum([0, *map(len, blobs)], dtype=np.int64)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    np.savez(
        partial,
        index=np.frombuffer(head, np.uint8),
        offsets=offsets,
        blobs=np.frombuffer(b"".join(blobs), np.uint8),
    )
    partial.replace(path)
    return path.stat().st_size


def read_pack(
    path: str | Path,
    splits: Sequence[str] = ("train", "val"),
    *,
    commercial_only: bool = True,
) -> list[PackedPair]:
    """Load the pairs of a pack.

    Raises
    ------
    InputError
        If the file is no pack of this format.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            head = json.loads(file["index"].tobytes())
            offsets, blobs = file["offsets"], file["blobs"].tobytes()
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path} is not a training pack; write one with 'python -m napari_mmreg.training pack'."
        ) from error
    if head["format"] != FORMAT:
        raise InputError(f"{path} has the pack format {head['format']}; write it again.")

    def picture(number: int) -> NDArray[np.uint8]:
        return _decode(blobs[offsets[number] : offsets[number + 1]])

    return [
        PackedPair(
            entry["id"],
            entry["split"],
            entry["modality"],
            entry["source"],
            entry["scene"],
            picture(entry["fixed"]),
            picture(entry["moving"]),
            None if entry["mask"] is None else np.asarray(picture(entry["mask"]) > 0),
        )
        for entry in head["pairs"]
        if entry["split"] in splits and (entry["commercial"] or not commercial_only)
    ]


def load_pairs(
    data: str | Path | None = None,
    splits: Sequence[str] = ("train", "val"),
    *,
    commercial_only: bool = True,
    long_side: int = 400,
) -> list[PackedPair]:
    """Load pairs from a pack (``.npz``), a data set with ``index.csv`` or a user's folder.

    Parameters
    ----------
    data : path, optional
        What to load; by default what the environment variable MMREG_DATA names.
    splits : sequence of str
        ``"train"``, ``"val"``.
    commercial_only : bool
        Leave out sources whose terms forbid commercial use.
    long_side : int
        For folders: images are shrunk to this many pixels.
    """
    path = find_data(data)
    if path.is_file():
        return read_pack(path, splits, commercial_only=commercial_only)
    records = read_records(path, splits, commercial_only=commercial_only)
    return [prepare(record, long_side) for record in records]


def sources_used(pairs: Iterable[PackedPair]) -> list[tuple[Source, int]]:
    """Return the sources among `pairs` with their numbers of pairs, for model cards."""
    counts: dict[str, int] = {}
    for pair in pairs:
        counts[pair.source] = counts.get(pair.source, 0) + 1
    own = "the user's own"
    return [
        (SOURCES.get(name, Source(name, own, "-", own)), count)
        for name, count in sorted(counts.items())
    ]
