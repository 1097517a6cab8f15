import csv

import imageio.v3 as iio
import numpy as np
import pytest

from napari_mmreg.errors import InputError
from napari_mmreg.training.data import find_data, read_pair, read_picture, read_records
from napari_mmreg.training.sources import SOURCES, source_name

COLUMNS = ["split", "modality", "id", "source", "scene", "fixed", "moving", "mask", "landmarks"]


def write_index(folder, rows):
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows({"mask": "", "landmarks": "", **row} for row in rows)


def row(identifier, source, split="train", **more):
    return {
        "split": split,
        "modality": "vis_ir",
        "id": identifier,
        "source": source,
        "scene": "x1",
        "fixed": "f.png",
        "moving": "m.png",
        **more,
    }


def test_non_commercial_sources_are_left_out_unless_asked_for(tmp_path):
    rows = [
        row("roadscene_1", "RoadScene"),
        row("llvip_1", "LLVIP"),
        row("srif_nighttime_7", "SRIF"),
        row("srif_depth_7", "SRIF"),
        row("tno_2", "TNO"),
    ]
    write_index(tmp_path, rows)
    assert [r.id for r in read_records(tmp_path)] == ["roadscene_1", "srif_depth_7"]
    assert len(read_records(tmp_path, commercial_only=False)) == 5


def test_unaligned_rows_and_other_splits_are_left_out(tmp_path):
    rows = [
        row("a", "MSRS"),
        row("b", "MSRS", split="val"),
        row("c", "MSRS", landmarks="points.csv"),
    ]
    write_index(tmp_path, rows)
    assert [r.id for r in read_records(tmp_path, ("train",))] == ["a"]


def test_unknown_source_is_refused(tmp_path):
    write_index(tmp_path, [row("a", "Somewhere")])
    with pytest.raises(InputError, match="Somewhere"):
        read_records(tmp_path)


def test_night_time_pairs_keep_the_terms_of_their_source():
    assert source_name("SRIF", "srif_nighttime_003") == "SRIF-Nighttime"
    assert source_name("SRIF", "srif_opticalmap_003") == "SRIF"
    assert not SOURCES["SRIF-Nighttime"].commercial


def test_real_index(dataset):
    records = read_records(dataset, commercial_only=False)
    free = read_records(dataset)
    assert 0 < len(free) < len(records)
    assert all(SOURCES[r.source].commercial for r in free)
    assert not any("llvip" in r.scene.lower() for r in free)
    scenes = {split: {r.scene for r in records if r.split == split} for split in ("train", "val")}
    assert not scenes["train"] & scenes["val"]
    fixed, moving, mask = read_pair(next(r for r in free if r.mask))
    assert fixed.shape[:2] == moving.shape[:2] == mask.shape
    assert 0 < mask.mean() < 1


def test_own_folder_keeps_scenes_together(own_folder):
    records = read_records(own_folder)
    assert len(records) == 40
    splits = {}
    for record in records:
        splits.setdefault(record.scene, set()).add(record.split)
    assert all(len(s) == 1 for s in splits.values())
    assert {s for found in splits.values() for s in found} == {"train", "val"}
    assert [r.id for r in records if r.mask] == ["scene0__0"]


def test_own_folder_without_partner(own_folder):
    (own_folder / "moving" / "scene3__0.png").unlink()
    with pytest.raises(InputError, match="scene3__0"):
        read_records(own_folder)


def test_folder_of_another_kind(tmp_path):
    with pytest.raises(InputError, match="fixed/ and moving/"):
        read_records(tmp_path)


def test_pictures_of_other_kinds(tmp_path):
    iio.imwrite(tmp_path / "a.png", np.arange(20 * 30, dtype=np.uint16).reshape(20, 30) * 100)
    image = read_picture(tmp_path / "a.png")
    assert image.dtype == np.uint8
    assert (image.min(), image.max()) == (0, 255)
    iio.imwrite(tmp_path / "b.png", np.zeros((20, 30, 4), np.uint8))
    assert read_picture(tmp_path / "b.png").shape == (20, 30, 3)


def test_unequal_sizes_are_not_aligned(own_folder):
    iio.imwrite(own_folder / "moving" / "scene0__0.png", np.zeros((50, 60), np.uint8))
    with pytest.raises(InputError, match="not aligned"):
        read_pair(next(r for r in read_records(own_folder) if r.id == "scene0__0"))


def test_no_data_given(monkeypatch, tmp_path):
    monkeypatch.delenv("MMREG_DATA", raising=False)
    with pytest.raises(InputError, match="MMREG_DATA"):
        find_data()
    with pytest.raises(InputError, match="does not exist"):
        find_data(tmp_path / "no")
    monkeypatch.setenv("MMREG_DATA", str(tmp_path))
    assert find_data() == tmp_path
