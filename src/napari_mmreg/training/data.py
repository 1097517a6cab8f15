"""Aligned pairs on disk: the indexed data set, a user's own folder, sources and licences."""

from __future__ import annotations

import csv
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.training.sources import SOURCES, source_name

DATA_VARIABLE = "MMREG_DATA"
_PICTURES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"}


@dataclass(frozen=True, slots=True)
class PairRecord:
    """One aligned pair on disk.

    Attributes
    ----------
    id, split, modality, source, scene : str
        Pairs of one scene show the same place and are never divided between splits.
        `source` is a key of `SOURCES`, or the folder's name for a user's own pairs.
    fixed, moving : Path
        Images of equal size.
    mask : Path or None
        Where `moving` has data (non-zero); None: everywhere.
    commercial : bool
        False where the source's terms forbid commercial use.
    """

    id: str
    split: str
    modality: str
    source: str
    scene: str
    fixed: Path
    moving: Path
    mask: Path | None = None
    commercial: bool = True


def find_data(path: str | Path | None = None) -> Path:
    """Return the data folder: `path`, or what the environment variable MMREG_DATA names.

    Raises
    ------
    InputError
        If neither is given, or the folder is absent.
    """
    given = path or os.environ.get(DATA_VARIABLE)
    if not given:
        raise InputError(
            f"No training data given: pass --data FOLDER (or a pack made of it), or set "
            f"{DATA_VARIABLE}."
        )
    folder = Path(given).expanduser()
    if not folder.exists():
        raise InputError(f"The training data {folder} does not exist; check the path.")
    return folder


def read_records(
    folder: str | Path,
    splits: Sequence[str] = ("train", "val"),
    *,
    commercial_only: bool = True,
) -> list[PairRecord]:
    """List the aligned pairs below a folder.

    A folder with ``index.csv`` is read through it; any other one must hold ``fixed/`` and
    ``moving/`` with images of equal names, and may hold ``mask/``.

    Parameters
    ----------
    folder : path
        The data set.
    splits : sequence of str
        Which splits to list.
    commercial_only : bool
        Leave out sources whose terms forbid commercial use (see `SOURCES`).

    Raises
    ------
    InputError
        If there is nothing to read.
    """
    folder = Path(folder)
    index = folder / "index.csv"
    records = _read_index(index) if index.is_file() else _read_pairs_folder(folder)
    chosen = [r for r in records if r.split in splits and (r.commercial or not commercial_only)]
    if not chosen:
        raise InputError(f"{folder} holds no aligned pairs of the splits {', '.join(splits)}.")
    return chosen


def _read_index(index: Path) -> list[PairRecord]:
    root = index.parent
    with index.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    missing = {"split", "modality", "id", "source", "scene", "fixed", "moving"} - set(
        rows[0] if rows else ()
    )
    if missing:
        raise InputError(f"{index} lacks the columns {', '.join(sorted(missing))}.")
    records = []
    for row in rows:
        if row.get("landmarks"):
            continue  # an unaligned pair with landmarks: for evaluation only
        name = source_name(row["source"], row["id"])
        if name not in SOURCES:
            raise InputError(
                f"{index} has pairs of the unknown source {name!r}; add it, with its licence, "
                f"to SOURCES in napari_mmreg/training/data.py."
            )
        records.append(
            PairRecord(
                id=row["id"],
                split=row["split"],
                modality=row["modality"],
                source=name,
                scene=f"{row['source']}/{row['scene']}",
                fixed=root / row["fixed"],
                moving=root / row["moving"],
                mask=root / row["mask"] if row.get("mask") else None,
                commercial=SOURCES[name].commercial,
            )
        )
    return records


def _read_pairs_folder(folder: Path) -> list[PairRecord]:
    """Pairs of equal names; one scene in ten, chosen by its name, is kept for validation.

    A scene is the part of the name before a double underscore, or the whole name.
    """
    if not (folder / "fixed").is_dir() or not (folder / "moving").is_dir():
        raise InputError(
            f"{folder} has neither index.csv nor the folders fixed/ and moving/; put aligned "
            f"pictures of equal names into the two folders."
        )
    moving = _by_stem(folder / "moving")
    masks = _by_stem(folder / "mask") if (folder / "mask").is_dir() else {}
    fixed = _by_stem(folder / "fixed")
    lonely = sorted(set(fixed) ^ set(moving))
    if lonely:
        raise InputError(
            f"{len(lonely)} pictures in {folder} have no partner of the same name, for example "
            f"{lonely[0]!r}."
        )
    records = []
    for stem, path in sorted(fixed.items()):
        scene = stem.split("__")[0]
        held_out = zlib.crc32(scene.encode()) % 10 == 0
        records.append(
            PairRecord(
                id=stem,
                split="val" if held_out else "train",
                modality="own",
                source=folder.resolve().name,
                scene=scene,
                fixed=path,
                moving=moving[stem],
                mask=masks.get(stem),
            )
        )
    return records


def _by_stem(folder: Path) -> dict[str, Path]:
    return {p.stem: p for p in sorted(folder.iterdir()) if p.suffix.lower() in _PICTURES}


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read an image as uint8, (H, W) or (H, W, 3); other dtypes are scaled to their range."""
    import imageio.v3 as iio

    image = np.asarray(iio.imread(path))
    if image.ndim == 3 and image.shape[2] in (2, 4):
        image = image[..., : image.shape[2] - 1]
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise InputError(f"{path} is not a grey or RGB picture (its shape is {image.shape}).")
    if image.dtype != np.uint8:
        values = image.astype(np.float64)
        low, high = np.nanmin(values), np.nanmax(values)
        scaled = (np.nan_to_num(values, nan=low) - low) / max(high - low, 1e-12)
        image = np.rint(scaled * 255.0).astype(np.uint8)
    return np.ascontiguousarray(image)


def read_pair(
    record: PairRecord,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_] | None]:
    """Read fixed, moving and the moving image's mask (None: valid everywhere).

    Raises
    ------
    InputError
        If the sizes differ: training pairs are aligned.
    """
    fixed, moving = read_picture(record.fixed), read_picture(record.moving)
    mask = None if record.mask is None else _as_mask(read_picture(record.mask))
    shapes = {image.shape[:2] for image in (fixed, moving, mask) if image is not None}
    if len(shapes) != 1:
        raise InputError(
            f"The pair {record.id} is not aligned: its pictures have the shapes "
            f"{sorted(shapes)}. Register it first or leave it out."
        )
    return fixed, moving, mask


def _as_mask(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    plane = image if image.ndim == 2 else image[..., 0]
    return np.asarray(plane > 0)
