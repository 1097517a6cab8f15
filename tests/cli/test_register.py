"""mmreg register."""

from __future__ import annotations

import json
import signal

import numpy as np
import pytest

from napari_mmreg.cli import main
from napari_mmreg.cli.outputs import OUTPUTS
from napari_mmreg.errors import DeviceError
from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.io import load_transform, read_image, write_image

COMMAND = ["register", "fixed.tif", "moving.tif", "-o", "out"]


def written(folder):
    return sorted(path.name for path in folder.iterdir())


def test_writes_all_results_and_says_the_numbers(pair, engine, capsys):
    assert main(COMMAND) == 0
    assert written(pair / "out") == sorted(OUTPUTS)
    fixed = read_image("fixed.tif")
    np.testing.assert_array_equal(read_image("out/registered.tif")[8:-8, 8:-8], fixed[8:-8, 8:-8])
    assert load_transform("out/transform.npz").map([0, 0]).tolist() == [4, -6]
    assert json.loads((pair / "out/report.json").read_text())["status"] == "ok"
    out, err = capsys.readouterr()
    for words in ("ok", "0.250 before", "0.500 after", "7.21 px", "91.5 %", "registered.tif"):
        assert words in out
    assert err == ""
    assert "Matches" not in out
    engine.matches = 342.0
    assert main([*COMMAND, "--force"]) == 0
    assert "Matches       342" in capsys.readouterr().out


def test_hands_every_option_to_the_engine(pair, engine):
    mask = np.zeros((96, 112), np.uint8)
    mask[10:] = 255
    write_image("mask.png", mask)
    MatrixTransform.translation((1, 2)).save("start.npz")
    options = (
        "--model classical --device cpu --no-refine --seed 7 --fixed-mask mask.png "
        "--moving-mask mask.png --fixed-spacing 1 2 --moving-spacing 3 4 --initial start.npz "
        "--fixed-modality visible --moving-modality thermal --order 0"
    )
    assert main([*COMMAND, *options.split()]) == 0
    (call,) = engine.calls
    assert call["model"] == "classical"
    assert call["device"] == "cpu"
    assert call["refine"] is False
    assert call["seed"] == 7
    assert call["fixed_spacing"] == (1, 2)
    assert call["moving_spacing"] == (3, 4)
    assert call["modalities"] == ("visible", "thermal")
    assert call["order"] == 0
    assert call["initial"].map([0, 0]).tolist() == [1, 2]
    np.testing.assert_array_equal(call["fixed_mask"], mask > 0)
    np.testing.assert_array_equal(call["moving_mask"], mask > 0)


def test_defaults_are_those_of_the_engine(pair, engine):
    assert main(COMMAND) == 0
    (call,) = engine.calls
    assert (call["model"], call["device"], call["refine"], call["seed"]) == (
        "auto",
        "auto",
        True,
        0,
    )
    assert not {"fixed_mask", "moving_mask", "initial", "fixed_spacing"} & set(call)


def test_pages_of_stacks(pair, engine):
    stack = np.stack([read_image("fixed.tif"), read_image("moving.tif")])
    np.save("stack.npy", stack)
    assert main(["register", "stack.npy", "stack.npy", "-o", "out"]) == 2
    pages = ["--fixed-page", "0", "--moving-page", "1"]
    assert main(["register", "stack.npy", "stack.npy", "-o", "out", *pages]) == 0
    np.testing.assert_array_equal(engine.calls[0]["moving"], stack[1])


def test_doubtful_is_said_and_written(pair, engine, capsys):
    engine.status, engine.reasons = "doubtful", ("The overlap is small.",)
    assert main(COMMAND) == 0
    assert written(pair / "out") == sorted(OUTPUTS)
    assert (
        "doubtful, look at it before you use it. The overlap is small." in capsys.readouterr().err
    )


def test_failed_leaves_a_report_but_no_image(pair, engine, capsys):
    engine.status, engine.reasons = "failed", ("Nothing matched.",)
    assert main(COMMAND) == 3
    assert written(pair / "out") == ["report.json"]
    assert json.loads((pair / "out/report.json").read_text())["reasons"] == ["Nothing matched."]
    assert "the registration failed. Nothing matched." in capsys.readouterr().err


def test_itk_transforms_on_request(pair, engine):
    pytest.importorskip("SimpleITK")
    assert main([*COMMAND, "--transform-format", "npz,tfm,.H5"]) == 0
    assert written(pair / "out") == sorted([*OUTPUTS, "transform.tfm", "transform.h5"])
    for name in ("transform.tfm", "transform.h5"):
        np.testing.assert_allclose(load_transform(f"out/{name}").map([3, 5]), [7, -1], atol=1e-6)


def test_itk_without_simpleitk_is_said_before_the_run(pair, engine, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main([*COMMAND, "--transform-format", "tfm"]) == 2
    assert "napari-mmreg[itk]" in capsys.readouterr().err
    assert not engine.calls


def test_unknown_transform_format(pair, engine, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*COMMAND, "--transform-format", "npz,xml"])
    assert stop.value.code == 2
    assert "unknown format 'xml'; choose from npz, tfm, h5" in capsys.readouterr().err


def test_earlier_results_are_only_replaced_by_force(pair, engine, capsys):
    (pair / "out").mkdir()
    (pair / "out/transform.npz").write_text("mine")
    assert main(COMMAND) == 2
    assert "already holds transform.npz" in capsys.readouterr().err
    assert not engine.calls  # refused before time was spent
    assert (pair / "out/transform.npz").read_text() == "mine"
    assert main([*COMMAND, "--force"]) == 0
    assert load_transform("out/transform.npz").map([0, 0]).tolist() == [4, -6]


def test_other_files_in_the_folder_do_not_matter(pair, engine):
    (pair / "out").mkdir()
    (pair / "out/notes.txt").write_text("mine")
    assert main(COMMAND) == 0


def test_output_that_is_a_file(pair, engine, capsys):
    (pair / "out").write_text("")
    assert main(COMMAND) == 2
    assert "out is a file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["register", "absent.tif", "moving.tif", "-o", "out"], "There is no file absent.tif"),
        (["register", ".", "moving.tif", "-o", "out"], "is a folder"),
        ([*COMMAND, "--fixed-mask", "absent.png"], "There is no file absent.png"),
        ([*COMMAND, "--initial", "absent.npz"], "There is no file absent.npz"),
        ([*COMMAND, "--moving-spacing", "1", "1"], "needs --fixed-spacing"),
    ],
)
def test_bad_input_is_one_sentence_and_no_traceback(pair, engine, capsys, arguments, message):
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("mmreg: error: ")
    assert message in err
    assert err.count("\n") == 1
    assert not engine.calls
    assert not (pair / "out").exists()


def test_errors_of_the_engine_are_sentences_too(pair, engine, capsys):
    def refuse(options):
        raise DeviceError("The device 'cuda' is absent. Choose 'cpu'.")

    engine.during = refuse
    assert main(COMMAND) == 2
    assert capsys.readouterr().err == "mmreg: error: The device 'cuda' is absent. Choose 'cpu'.\n"


def test_memory_errors_are_sentences_too(pair, engine, capsys):
    def swallow(options):
        raise MemoryError

    engine.during = swallow
    assert main(COMMAND) == 2
    assert "memory does not suffice" in capsys.readouterr().err


def test_bugs_are_not_hidden(pair, engine):
    def break_down(options):
        raise ZeroDivisionError

    engine.during = break_down
    with pytest.raises(ZeroDivisionError):
        main(COMMAND)


def test_ctrl_c_cancels_and_writes_nothing(pair, engine, capsys):
    from napari_mmreg.run import Run

    def press(options):
        assert not options["cancel"]()
        signal.raise_signal(signal.SIGINT)
        Run(cancel=options["cancel"]).check()

    engine.during = press
    handler = signal.getsignal(signal.SIGINT)
    assert main(COMMAND) == 130
    assert capsys.readouterr().err == "mmreg: cancelled\n"
    assert not (pair / "out").exists()
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_second_ctrl_c_does_not_wait(pair, engine):
    def press_twice(options):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("the second Ctrl-C should have interrupted")

    engine.during = press_twice
    assert main(COMMAND) == 130


def test_quiet_says_nothing(pair, engine, capsys):
    assert main([*COMMAND, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_folder_that_cannot_be_made(pair, engine, capsys):
    (pair / "a file").write_text("")
    assert main(["register", "fixed.tif", "moving.tif", "-o", "a file/out"]) == 2
    assert "Cannot write a file/out" in capsys.readouterr().err


def test_the_real_engine_finds_the_shift(pair):
    assert main([*COMMAND, "--device", "cpu"]) == 0
    found = load_transform("out/transform.npz").map([[30, 40], [60, 70]])
    np.testing.assert_allclose(found, [[34, 34], [64, 64]], atol=0.5)
