"""The speed benchmark's arithmetic: medians of ratios pair by pair, and how far flows moved."""

import numpy as np
import pytest

from benchmarks.accuracy.methods import Answer, Method
from benchmarks.accuracy.protocols import Protocol, make_case, pixel_positions
from benchmarks.speed import Timed, measure, summary, table

pytest.importorskip("cv2", reason="needs the bench extra (OpenCV)")


def test_ratios_are_taken_pair_by_pair():
    peer = Timed("peer", cpu=[1.0, 2.0, 4.0], wall=[1.0] * 3, error=[3.0] * 3)
    ours = Timed("ours", cpu=[2.0, 2.0, 40.0], wall=[1.0] * 3, error=[1.0, 2.0, 6.0])
    ours.status, ours.apart = ["ok", "failed", "ok"], [(0.5, 0.1), (0.01, 0.0), (0.0, 0.0)]
    first, second = summary([peer, ours])
    assert (first["ratio"], second["ratio"], second["mean_error"], second["ok"]) == (1, 2, 3, 2)
    assert (second["apart_most"], second["apart_over"]) == (0.5, 1)
    record = {"label": "Now", "pairs": 3, "protocol": "N256", "threads": 1, "command": "c"}
    record |= {"rows": [first, second], "environment": {"commit": "a", "torch": "2"}}
    assert "| ours | 2.000 | 2.00 | 1.000 | 2.00 | 3.00 | 2 | 0.50000 | 1 |" in table([record])


def test_displacements_are_compared_with_those_that_were_kept(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    cases = [make_case("noise/a", "grey", picture, picture, Protocol.parse("S64"))]

    def fails(fixed, moving):
        raise RuntimeError("too few matches")

    idle = Method("idle", lambda fixed, moving: Answer(pixel_positions(64, 64)))
    before = measure(["classical"], idle, cases, tmp_path, None)
    after = measure(["classical"], Method("broken", fails), cases, None, tmp_path)
    assert after[1].apart == [(0.0, 0.0)]
    assert after[0].error == before[0].error
    assert after[1].stages.keys() >= {"Preparing", "Checking"}
