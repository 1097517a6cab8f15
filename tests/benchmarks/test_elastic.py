"""How much of a known bend an answer contains: right values."""

import numpy as np
import pytest

from benchmarks.accuracy import report
from benchmarks.accuracy.elastic import elastic_score
from benchmarks.accuracy.methods import Answer, Method, do_nothing
from benchmarks.accuracy.protocols import KINDS, Protocol, make_case, pixel_positions
from benchmarks.accuracy.runner import run

pytest.importorskip("cv2", reason="needs the bench extra (OpenCV)")

ROWS, COLS = 120, 160
PIXELS = pixel_positions(ROWS, COLS)
MASK = np.zeros((ROWS, COLS), bool)
MASK[5:110, 8:150] = True


def homography(points, matrix_xy=((1.05, 0.04, 3.0), (-0.03, 0.97, -5.0), (2e-4, -1e-4, 1.0))):
    mapped = np.concatenate([points[..., ::-1], np.ones_like(points[..., :1])], -1)
    mapped = mapped @ np.array(matrix_xy).T
    return (mapped[..., :2] / mapped[..., 2:])[..., ::-1]


def waves(cycles):
    """Return a bend whose waves fit the mask, so that hardly any of it is a homography."""
    row = (PIXELS[..., 0] - 5) / 105 * 2 * np.pi * cycles
    col = (PIXELS[..., 1] - 8) / 142 * 2 * np.pi * cycles
    return 2.0 * np.stack([np.cos(row) * np.cos(col), np.sin(row) * np.cos(col)], axis=-1)


GLOBAL = homography(PIXELS)
BEND = waves(4)
TRUTH = GLOBAL + BEND


def test_a_homography_recovers_nothing_of_the_bend_and_leaves_no_global_error():
    found = elastic_score(GLOBAL, TRUTH, MASK)
    assert found.recovery == pytest.approx(0, abs=1e-6)
    assert found.global_left < 0.1
    assert found.elastic_left == pytest.approx(np.linalg.norm(BEND, axis=-1)[MASK].mean(), rel=0.03)


def test_the_truth_recovers_all_and_leaves_nothing():
    found = elastic_score(TRUTH, TRUTH, MASK)
    assert found.recovery == pytest.approx(1)
    assert found.elastic_left == pytest.approx(0, abs=1e-9)
    assert found.global_left == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("part", [0.5, -0.5, 2.0])
def test_a_part_of_the_bend_is_recovered_as_that_part(part):
    found = elastic_score(GLOBAL + part * BEND, TRUTH, MASK)
    assert found.recovery == pytest.approx(part, abs=0.01)
    assert found.elastic_left == pytest.approx(
        abs(1 - part) * np.linalg.norm(BEND, axis=-1)[MASK].mean(), rel=0.03
    )


def test_an_orthogonal_bend_recovers_nothing_but_counts_as_error():
    found = elastic_score(GLOBAL + waves(5), TRUTH, MASK)
    assert found.recovery == pytest.approx(0, abs=0.02)
    both = np.linalg.norm(waves(5) - BEND, axis=-1)[MASK].mean()
    assert found.elastic_left == pytest.approx(both, rel=0.03)


def test_a_wrong_shift_is_a_global_error_only():
    found = elastic_score(TRUTH + np.array([3.0, 4.0]), TRUTH, MASK)
    assert found.global_left == pytest.approx(5.0, abs=0.01)
    assert found.recovery == pytest.approx(1, abs=1e-3)


def test_scale_counts_rows_and_columns_as_on_a_256_px_image():
    found = elastic_score(TRUTH + np.array([3.0, 2.0]), TRUTH, MASK, (2.0, 4.0))
    assert found.global_left == pytest.approx(10.0, abs=0.02)


def test_pixels_outside_the_mask_do_not_count():
    spoilt = np.where(MASK[..., None], TRUTH, np.nan)
    assert elastic_score(spoilt, spoilt, MASK).recovery == pytest.approx(1)


def test_pixels_without_an_answer_count_as_doing_nothing_there():
    holes = TRUTH.copy()
    holes[40:60, 40:90] = np.nan
    filled = np.where(np.isfinite(holes), holes, PIXELS)
    assert elastic_score(holes, TRUTH, MASK) == elastic_score(filled, TRUTH, MASK)


def test_an_answer_at_one_point_recovers_nothing():
    found = elastic_score(np.full_like(TRUTH, 7.0), TRUTH, MASK)
    assert found.recovery == pytest.approx(0, abs=1e-6)
    assert found.global_left > 10


def test_recovery_of_a_truth_that_does_not_bend_is_undefined():
    assert elastic_score(TRUTH, GLOBAL, MASK) is None
    assert elastic_score(TRUTH, TRUTH, np.zeros_like(MASK)) is None


def image():
    rng = np.random.default_rng(0)
    return (255 * np.kron(rng.random((32, 32)), np.ones((8, 8)))).astype(np.uint8)


@pytest.mark.parametrize(("text", "peak"), [("N256", 8), ("B256", 12), ("F256", 5), ("H256", 8)])
def test_records_of_elastic_protocols_hold_the_score(text, peak):
    case = make_case("a", "grey", image(), image(), Protocol.parse(text))
    records = run(
        [
            Method("truth", lambda fixed, moving: Answer(case.positions)),
            Method("stay", lambda fixed, moving: Answer(do_nothing(fixed, moving))),
        ],
        [case],
        Protocol.parse(text),
        label="val",
        report=lambda line: None,
    )
    (truth,), (stay,) = (record["pairs"] for record in records)
    assert KINDS[text[0]].elastic == peak
    assert truth["elastic_recovery"] == pytest.approx(1)
    assert truth["elastic_left"] == pytest.approx(0, abs=1e-6)
    assert stay["elastic_recovery"] == pytest.approx(0, abs=1e-6)
    assert 0.1 * peak < stay["elastic_left"] < peak
    assert stay["global_left"] > 1


def test_tables_show_recovery_where_records_have_it(tmp_path):
    def pair(group, **bend):
        return {
            "pair": "p", "group": group, "error": 2.0, "error_before": 9.0, "seconds": 1.0,
            "cpu_seconds": 1.0, "status": "", "failure": "", **bend,
        }  # fmt: skip

    def record(method, pairs):
        return {
            "method": method, "protocol": "N256", "data": "val", "seed": 0, "command": "x",
            "environment": {}, "pairs": pairs,
        }  # fmt: skip

    bend = {"elastic_left": 1.5, "global_left": 0.75}
    new = record(
        "new",
        [pair("ir", elastic_recovery=0.25, **bend), pair("sar", elastic_recovery=0.75, **bend)],
    )
    old = record("old", [pair("ir"), pair("sar")])
    plots = report.plot_recovery([new, old], tmp_path)
    text = report.markdown([new, old], None, plots)
    assert "| new | 2 | 0.50 | 1.50 | 0.75 | 0.25 | 0.75 |" in text
    assert "| old | 2 |" not in text
    assert "![Elastic recovery by modality](recovery-val-N256.png)" in text
    assert (tmp_path / "recovery-val-N256.png").stat().st_size > 1000
    alone = report.markdown([old], None, report.plot_recovery([old], tmp_path))
    assert "recovery" not in alone


def test_records_of_rigid_protocols_leave_the_score_out():
    case = make_case("a", "grey", image(), image(), Protocol.parse("R256"))
    (record,) = run(
        [Method("stay", lambda fixed, moving: Answer(do_nothing(fixed, moving)))],
        [case],
        Protocol.parse("R256"),
        label="val",
        report=lambda line: None,
    )
    assert not {"elastic_recovery", "elastic_left", "global_left"} & set(record["pairs"][0])
