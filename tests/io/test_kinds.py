"""The registry of transform files."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from numpy.testing import assert_allclose

import napari_mmreg
from napari_mmreg.errors import InputError, TransformError
from napari_mmreg.geometry import Frame, MatrixTransform, Transform, files
from napari_mmreg.io import FileKind, file_kinds, load_transform, register_file_kind, save_transform

SHIFT = MatrixTransform.translation((2, -3))


@pytest.fixture
def registered(monkeypatch):
    file_kinds()
    monkeypatch.setattr(files, "_KINDS", dict(files._KINDS))


def numbers(name, **changes):
    def read(path, options):
        return MatrixTransform.translation([float(cell) for cell in path.read_text().split()])

    def write(path, transform, options):
        path.write_text(" ".join(map(str, transform.matrix[:2, 2])))

    about = {
        "name": name,
        "title": "Two numbers",
        "holds": "shifts",
        "convention": "fixed to moving, (row, col), pixels",
        "patterns": ("*.shift",),
        "read": read,
        "write": write,
    }
    return FileKind(**{**about, **changes})


def test_a_new_kind_is_one_registration(registered, tmp_path):
    register_file_kind(numbers("shift"))
    SHIFT.save(tmp_path / "t.SHIFT")
    assert (tmp_path / "t.SHIFT").read_text() == "2.0 -3.0"
    assert_allclose(Transform.load(tmp_path / "t.SHIFT").map([1, 1]), [3, -2])
    assert_allclose(load_transform(tmp_path / "t.SHIFT").map([1, 1]), [3, -2])
    with pytest.raises(InputError, match=r"\.shift"):
        SHIFT.save(tmp_path / "t.png")
    with pytest.raises(InputError, match="already a kind of file called 'shift'"):
        register_file_kind(numbers("shift"))


def test_kinds_that_go_one_way(registered, tmp_path):
    register_file_kind(numbers("in", patterns=("*.in",), write=None))
    register_file_kind(numbers("out", patterns=("*.out",), read=None))
    SHIFT.save(tmp_path / "t.out")
    with pytest.raises(InputError, match="no kind of file that transforms are read from"):
        Transform.load(tmp_path / "t.out")
    with pytest.raises(InputError, match="cannot be stored"):
        SHIFT.save(tmp_path / "t.in")
    with pytest.raises(InputError, match="can be read, but not written"):
        SHIFT.save(tmp_path / "t.in", kind="in")
    with pytest.raises(InputError, match="can be written, but not read"):
        Transform.load(tmp_path / "t.out", kind="out")


def test_a_kind_by_its_name(tmp_path):
    save_transform(tmp_path / "anything", SHIFT, kind="matrix")
    assert_allclose(load_transform(tmp_path / "anything", kind="matrix").matrix, SHIFT.matrix)
    with pytest.raises(InputError, match="no kind of file called 'spiral'"):
        save_transform(tmp_path / "anything", SHIFT, kind="spiral")


def test_all_kinds_say_what_they_are():
    kinds = file_kinds()
    assert kinds[0].name == "npz"
    for kind in kinds:
        assert kind.can_read or kind.can_write
        assert kind.holds
        assert "moving" in kind.convention
        assert all(p == p.lower() for p in (*kind.patterns, *kind.save_patterns))


def test_napari_takes_the_same_names():
    manifest = Path(napari_mmreg.__file__).with_name("napari.yaml").read_text()
    contributions = yaml.safe_load(manifest)["contributions"]
    (reader,) = contributions["readers"]
    kinds = file_kinds()
    dropped = [k.patterns if k.droppable is None else k.droppable for k in kinds]
    assert set(reader["filename_patterns"]) == {name for names in dropped for name in names}
    for writer in contributions["writers"]:
        for ending in writer["filename_extensions"]:
            assert files.find_writer(Path(f"transform.{ending.removeprefix('.')}"))


def test_the_name_that_says_most_decides(tmp_path):
    names = {
        "t.txt": "itk",
        "TransformParameters.0.txt": "elastix",
        "my_matrix.txt": "matrix",
        "landmarks.csv": "bigwarp",
        "t.ome.zarr": "ngff",
        "1Warp.nii.gz": "itk-field",
        "0GenericAffine.mat": "itk",
        "field.tif": "bigwarp-field",
    }
    assert {n: files.find_writer(tmp_path / n).name for n in names} == names


def test_folders_and_files_without_a_transform(tmp_path):
    for name in ("t.npz", "t.txt", "t"):
        folder = tmp_path / "a" / name
        folder.mkdir(parents=True)
        with pytest.raises(TransformError, match="is a folder"):
            load_transform(folder)
        assert files.recognised_kind(folder) is None
    for name, content in {
        "a.npz": b"nothing",
        "b.txt": b"once upon a time",
        "c.tfm": b"",
        "d.nii.gz": b"nothing",
        "e.mha": b"nothing",
        "f.csv": b"1 0 0 0 1 0 0 0 1",  # napari's own tables: never taken by dropping
    }.items():
        (tmp_path / name).write_bytes(content)
        assert files.recognised_kind(tmp_path / name) is None
    np.savez(tmp_path / "array.npz", a=np.eye(3))
    assert files.recognised_kind(tmp_path / "array.npz") is None
    SHIFT.save(tmp_path / "array.npz")
    assert files.recognised_kind(tmp_path / "array.npz").name == "npz"


def test_archives_of_a_future_kind(tmp_path):
    path = tmp_path / "t.npz"
    SHIFT.save(path)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 6] = 255  # the version needed to unpack it
    path.write_bytes(content)
    assert files.recognised_kind(path) is None
    with pytest.raises(TransformError, match="is damaged or no transform file"):
        load_transform(path)


def test_what_is_not_given_comes_from_the_images():
    framed = SHIFT.with_frames(Frame((40, 60), (500, 250), "µm"), Frame((8, 9), (2, 3), "mm"))
    options = files.FileOptions().completed(framed)
    assert options == files.FileOptions((40, 60), (500, 250), (2000, 3000), "µm")
    options = files.FileOptions(unit="mm").completed(framed)
    assert options == files.FileOptions((40, 60), (0.5, 0.25), (2, 3), "mm")
    given = files.FileOptions((5, 6), (1, 2))
    assert given.completed(framed) == given
    assert given.spacings == ((1, 2), (1, 2))
    with pytest.raises(InputError, match="cannot be given in 'kg'"):
        files.FileOptions(unit="kg").completed(framed)
