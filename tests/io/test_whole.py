"""Results are there as a whole, or not at all."""

import os
import signal
import subprocess
import sys
import time

import pytest

from napari_mmreg.errors import InputError
from napari_mmreg.io import check_folder, whole_folder, write_json, write_text

NAMES = ("a.tif", "b.npz", "report.json")


def fill(folder, text):
    for name in NAMES:
        (folder / name).write_text(text)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_folder_appears_at_the_end(tmp_path):
    target = tmp_path / "deep" / "result"
    with whole_folder(target, NAMES) as partial:
        fill(partial, "new")
        assert not target.exists()
        assert partial.parent == target.parent
    assert contents(target) == dict.fromkeys(NAMES, "new")
    assert names_in(target.parent) == ["result"]
    assert target.stat().st_mode & 0o777 == 0o755


def test_an_error_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), whole_folder(tmp_path / "r", NAMES) as partial:
        fill(partial, str(1 // len(contents(partial))))
    assert names_in(tmp_path) == []


def test_an_earlier_result_is_replaced_as_a_whole(tmp_path):
    target = tmp_path / "r"
    target.mkdir()
    fill(target, "old")
    with pytest.raises(InputError, match=r"already holds a.tif, b.npz, report.json.*--force"):
        check_folder(target, NAMES, replace=False)
    with pytest.raises(InputError, match="already holds"), whole_folder(target, NAMES):
        pytest.fail("not entered")
    with whole_folder(target, NAMES, replace=True) as partial:
        (partial / "report.json").write_text("new")
    assert contents(target) == {"report.json": "new"}
    assert names_in(tmp_path) == ["r"]


def test_files_of_others_stay(tmp_path):
    (tmp_path / "mine.tif").write_text("mine")
    (tmp_path / "a.tif").write_text("old")
    (tmp_path / "b.npz").write_text("old")
    with whole_folder(tmp_path, NAMES, replace=True) as partial:
        (partial / "a.tif").write_text("new")
    assert contents(tmp_path) == {"mine.tif": "mine", "a.tif": "new"}


def test_links_out_of_the_folder_are_not_followed(tmp_path):
    outside, target = tmp_path / "outside.tif", tmp_path / "r"
    outside.write_text("precious")
    target.mkdir()
    (target / "a.tif").symlink_to(outside)
    (target / "b.npz").symlink_to(tmp_path / "nowhere")
    for others in ([], ["mine.txt"]):
        for name in others:
            (target / name).write_text("mine")
        with whole_folder(target, NAMES, replace=True) as partial:
            fill(partial, "new")
        assert outside.read_text() == "precious"
        assert not (tmp_path / "nowhere").exists()
        assert not (target / "a.tif").is_symlink()


def test_a_link_to_a_folder_stays_one(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "r").symlink_to(tmp_path / "disk" / "result")
    with whole_folder(tmp_path / "r", NAMES) as partial:
        fill(partial, "new")
    assert (tmp_path / "r").is_symlink()
    assert contents(tmp_path / "disk" / "result") == dict.fromkeys(NAMES, "new")


def test_files_in_the_way(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"), whole_folder(tmp_path / "file", NAMES):
        pytest.fail("not entered")
    with pytest.raises(InputError, match="Cannot write"), whole_folder(tmp_path / "file/r", NAMES):
        pytest.fail("not entered")


def test_texts_and_json_are_whole_too(tmp_path):
    write_text(tmp_path / "t.txt", "old\n")
    (tmp_path / "link").symlink_to(tmp_path / "t.txt")
    write_text(tmp_path / "link", "new\n")
    assert (tmp_path / "t.txt").read_text() == "old\n"
    with pytest.raises(InputError, match="cannot be written as JSON"):
        write_json(tmp_path / "t.txt", {"a": float("nan")})
    assert names_in(tmp_path) == ["link", "t.txt"]


WRITER = """
import sys, time
from napari_mmreg.io import whole_folder
print("ready", flush=True)
while True:
    with whole_folder(sys.argv[1], ("a.tif", "b.npz", "report.json"), replace=True) as folder:
        for name in ("a.tif", "b.npz", "report.json"):
            with (folder / name).open("w") as stream:
                for _ in range(20):
                    stream.write("x" * 5000)
                    stream.flush()
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.parametrize("moment", range(10))
def test_a_killed_process_leaves_nothing_or_all(tmp_path, moment):
    target = tmp_path / "r"
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(target)], stdout=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    time.sleep(0.003 * moment**2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    if target.exists():
        assert {name: len(text) for name, text in contents(target).items()} == dict.fromkeys(
            NAMES, 100_000
        )
    with whole_folder(target, NAMES, replace=True) as partial:
        fill(partial, "next")
    assert names_in(tmp_path) == ["r"]  # and the next one tidies up
    assert contents(target) == dict.fromkeys(NAMES, "next")
