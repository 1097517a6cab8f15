"""Scores, summaries and tables of the benchmark, on pictures with a known misalignment."""

import argparse

import imageio.v3 as iio
import numpy as np
import pytest
from skimage import data

from benchmarks.accuracy import command, report
from benchmarks.accuracy.__main__ import main
from benchmarks.accuracy.methods import PEERS, Answer, Method, do_nothing, load_method
from benchmarks.accuracy.protocols import LandmarkCase, Protocol, make_case
from benchmarks.accuracy.records import load, save
from benchmarks.accuracy.runner import evenly, read_landmark_cases, run, score
from napari_mmreg.errors import InputError
from napari_mmreg.training.data import PairRecord

pytest.importorskip("cv2", reason="needs the bench extra (OpenCV)")


@pytest.fixture(scope="module")
def case():
    image = data.camera()[::2, ::2]
    return make_case("camera", "grey", image, image, Protocol.parse("S256"))


def test_the_truth_scores_nothing_and_doing_nothing_scores_its_displacement(case):
    truth = Method("truth", lambda fixed, moving: Answer(case.positions, "ok"))
    scored = score(truth, case)
    assert scored.error == 0
    assert scored.status == "ok"
    length = np.linalg.norm((case.positions - do_nothing(case.fixed, case.moving)), axis=-1)
    assert scored.error_before == pytest.approx(length[case.mask].mean())
    assert scored.error_before > 1


def test_a_method_that_raises_or_answers_nonsense_counts_as_doing_nothing(case):
    def broken(fixed, moving):
        raise RuntimeError("no matches")

    raised = score(Method("broken", broken), case)
    assert raised.error == raised.error_before
    assert "no matches" in raised.failure
    nonsense = score(Method("nan", lambda f, m: Answer(np.full((9, 9, 2), np.nan))), case)
    assert nonsense.error == nonsense.error_before
    assert "shape" in nonsense.failure


@pytest.mark.parametrize(
    "name", [name for name in PEERS if name not in ("identity", "phase correlation")]
)
def test_peers_align_a_picture_with_itself(name, case):
    scored = score(load_method(name), case)
    assert not scored.failure
    assert scored.error < 0.35 * scored.error_before


def test_phase_correlation_finds_a_translation():
    image = data.camera()[::2, ::2]
    positions = PEERS["phase correlation"](image[10:210, 10:210], image[14:214, 3:203])
    grid = do_nothing(image[:200, :200], image[:200, :200])
    np.testing.assert_allclose(positions - grid, np.broadcast_to([-4, 7], grid.shape), atol=0.3)


def test_external_methods_load_from_a_file(tmp_path, case):
    file = tmp_path / "mine.py"
    file.write_text(
        "import numpy as np\n"
        "def shifted(fixed, moving):\n"
        "    grid = np.moveaxis(np.mgrid[:fixed.shape[0], :fixed.shape[1]], 0, -1)\n"
        "    return grid + 1.0\n"
    )
    method = load_method(f"{file}::shifted")
    assert method.name == "shifted"
    np.testing.assert_array_equal(method.register(case.fixed, case.moving).positions[2, 3], [3, 4])


@pytest.mark.parametrize("text", ["no such method", "missing.py"])
def test_unknown_methods_are_named(text):
    with pytest.raises(InputError, match=text):
        load_method(text)


def test_landmark_pairs_are_read_and_scored(tmp_path):
    fixed, moving = data.camera()[:64, :96], data.camera()[:128, :96]
    iio.imwrite(tmp_path / "fixed.png", fixed)
    iio.imwrite(tmp_path / "moving.png", moving)
    (tmp_path / "marks.csv").write_text(
        "point,fixed_row,fixed_col,moving_row,moving_col\n0,10,20,22,20\n1,30,40,60,46\n"
    )
    (tmp_path / "index.csv").write_text(
        "id,modality,fixed,moving,landmarks,landmark_type\n"
        "pair,retina,fixed.png,moving.png,marks.csv,manual\n"
        "made,retina,fixed.png,moving.png,marks.csv,from_transform\n"
        "aligned,retina,fixed.png,moving.png,,\n"
    )
    (case,) = read_landmark_cases(tmp_path)
    assert (case.name, case.group) == ("pair", "retina")
    grid = do_nothing(fixed, fixed)
    # Off by (12, 0) and (30, 6) moving px; the moving image counts as 256 x 256.
    expected = (12 * 2 + np.hypot(30 * 2, 6 * 256 / 96)) / 2
    scored = score(Method("stay", lambda f, m: Answer(grid)), case)
    assert scored.error == pytest.approx(expected, rel=1e-5)
    # Doing nothing is the full frame on the full frame: rows double.
    assert scored.error_before < expected


def test_a_correction_is_judged_by_unused_landmarks(tmp_path):
    rng = np.random.default_rng(2)
    image = data.camera()[:128, :160]
    fixed = rng.uniform(5, 120, (16, 2))
    case = LandmarkCase("pair", "retina", image, image, fixed, fixed + np.array([6, -3]))
    shift = np.hypot(6 * 256 / 128, 3 * 256 / 160)
    (record,) = run(
        [load_method("identity")],
        [case],
        Protocol.parse("LC"),
        label="landmarks",
        command="python -m benchmarks.accuracy",
        report=lambda line: None,
    )
    (pair,) = record["pairs"]
    assert pair["error_before"] == pytest.approx(shift, rel=1e-4)
    assert pair["error"] < 0.5
    save([record], tmp_path / "records.jsonl")
    text = report.markdown(load(tmp_path / "records.jsonl"))
    assert "landmarks, LC: 1 pairs, error at the unused half" in text
    assert "| identity | 12.92 | 12.92 | 0." in text


def test_evenly_spaced_pairs_of_every_modality(tmp_path):
    records = [
        PairRecord(f"{m}{i}", "val", m, "s", "scene", tmp_path, tmp_path)
        for m, n in (("ir", 10), ("sar", 2))
        for i in range(n)
    ]
    chosen = [r.id for r in evenly(records, 4)]
    assert chosen == ["ir0", "ir3", "ir6", "ir9", "sar0", "sar1"]
    assert len(evenly(records, 0)) == 12


def test_records_become_tables(tmp_path, case):
    truth = Method("truth", lambda fixed, moving: Answer(case.positions, "ok"))
    records = run(
        [truth, load_method("identity")],
        [case],
        Protocol.parse("S256"),
        label="val",
        command="python -m benchmarks.accuracy",
        report=lambda line: None,
    )
    save(records, tmp_path / "records.jsonl")
    options = argparse.ArgumentParser()
    command.add_arguments(options)
    tables = tmp_path / "tables" / "RESULTS.md"
    done = command.run(
        options.parse_args(
            ["--tables-only", "--results", str(tmp_path / "records.jsonl"), "--tables", str(tables)]
        )
    )
    text = tables.read_text()
    assert done == 0
    assert "### val, S256: 1 pairs" in text
    assert "(recall-val-S256.png)" in text
    assert (tables.parent / "recall-val-S256.png").is_file()
    assert "| truth | 0.00 | 0.00 | 100 |" in text
    assert text.index("| truth |") < text.index("| identity |")
    assert "| truth | 1 (0.00 px) | 0 | 0 | 0.00 px |" in text
    summary = report.summarise(records[1]["pairs"])
    assert summary.worse == 1
    assert summary.median == pytest.approx(records[1]["pairs"][0]["error_before"])


def test_the_command_says_what_is_wrong_with_a_protocol(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["accuracy", "identity", "--protocols", "X256"])
    assert main() == 2
    assert "no protocol 'X256'" in capsys.readouterr().err
