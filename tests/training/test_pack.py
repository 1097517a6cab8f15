import numpy as np
import pytest

from napari_mmreg.errors import InputError
from napari_mmreg.training.data import read_records
from napari_mmreg.training.pack import (
    fill_outside,
    load_pairs,
    read_pack,
    shrink,
    sources_used,
    write_pack,
)


def test_round_trip(own_folder, tmp_path, pictures):
    records = read_records(own_folder)
    size = write_pack(records, tmp_path / "pack.npz", long_side=120)
    assert size == (tmp_path / "pack.npz").stat().st_size
    pairs = read_pack(tmp_path / "pack.npz")
    assert [p.id for p in pairs] == [r.id for r in records]
    assert [p.split for p in pairs] == [r.split for r in records]
    first = pairs[0]
    assert first.fixed.shape == (96, 120)
    expected = shrink(pictures[0], 120).astype(float)
    assert np.abs(first.fixed - expected).mean() < 4  # JPEG
    assert np.abs(first.moving - (255 - expected)).mean() < 8
    assert first.mask.shape == (96, 120)
    assert not first.mask[:, :14].any()
    assert first.mask[:, 16:].all()
    assert pairs[1].mask is None
    assert {p.split for p in read_pack(tmp_path / "pack.npz", ("val",))} == {"val"}


def test_the_same_from_folder_and_pack(own_folder, tmp_path):
    write_pack(read_records(own_folder), tmp_path / "pack.npz", quality=98)
    one, two = load_pairs(own_folder), load_pairs(tmp_path / "pack.npz")
    assert [p.id for p in one] == [p.id for p in two]
    assert np.abs(one[3].fixed.astype(float) - two[3].fixed).mean() < 1.5


def test_filled_with_the_nearest_valid_pixel():
    image = np.arange(5 * 8, dtype=np.uint8).reshape(5, 8)
    mask = np.zeros((5, 8), bool)
    mask[1:4, 2:6] = True
    filled = fill_outside(image, mask)
    assert np.array_equal(filled[mask], image[mask])
    assert filled[0, 3] == image[1, 3]
    assert filled[2, 7] == image[2, 5]


def test_non_commercial_pairs_stay_out_of_a_pack_unless_asked_for(dataset, tmp_path):
    chosen = {}
    for record in read_records(dataset, commercial_only=False):
        chosen.setdefault(record.source, record)
    write_pack(chosen.values(), tmp_path / "pack.npz", long_side=64)
    everything = read_pack(tmp_path / "pack.npz", commercial_only=False)
    free = read_pack(tmp_path / "pack.npz")
    assert {p.source for p in everything} - {p.source for p in free} == {
        "LLVIP",
        "SRIF-Nighttime",
        "TNO",
    }
    assert {source.name: n for source, n in sources_used(free)}["RoadScene"] == 1


def test_not_a_pack(tmp_path):
    (tmp_path / "pack.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a training pack"):
        read_pack(tmp_path / "pack.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(InputError, match="not a training pack"):
        read_pack(tmp_path / "other.npz")
