"""Benchmark pairs: the truth is exact, and it is the shared harness' truth."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy.protocols import (
    KINDS,
    KnownWarp,
    Protocol,
    make_case,
    pixel_positions,
    pull,
)
from napari_mmreg.errors import InputError

pytest.importorskip("cv2", reason="needs the bench extra (OpenCV)")

HARNESS = Path(os.environ.get("MMREG_DATA", Path(__file__).parents[3] / "shared/data")).parent / (
    "bench/bench_pairs.py"
)


def picture(rows=180, cols=240, seed=0):
    rng = np.random.default_rng(seed)
    noise = rng.random((rows // 6, cols // 6))
    smooth = np.kron(noise, np.ones((6, 6)))
    smooth[20:60, 30:50] += 0.8
    return (255 * smooth / smooth.max()).astype(np.uint8)


@pytest.mark.parametrize("kind", KINDS)
def test_forward_undoes_backward(kind):
    warp = KnownWarp(200, 260, KINDS[kind], seed=3)
    points = pixel_positions(200, 260)
    found = warp.backward(points)
    inside = ((found > 1) & (found < (198, 258))).all(axis=-1)
    assert inside.mean() > 0.3
    assert np.abs(warp.forward(found) - points)[inside].max() < 0.02


@pytest.mark.parametrize("text", ["R256", "Nnat", "H256c", "Rnatc"])
def test_moving_pulled_through_the_truth_is_the_aligned_picture(text):
    image = picture()
    case = make_case("a", "grey", image, image, Protocol.parse(text))
    back = pull(case.moving, case.positions)
    inner = case.mask.copy()
    inner[:8], inner[-8:], inner[:, :8], inner[:, -8:] = False, False, False, False
    before = np.abs(case.moving.astype(float) - case.fixed)[inner].mean()
    after = np.abs(back - case.fixed)[inner].mean()
    assert after < 0.25 * before


def test_zero_protocol_leaves_the_pair_alone():
    image = picture()
    case = make_case("a", "grey", image, image, Protocol.parse("Znat"))
    np.testing.assert_array_equal(case.moving, image)
    np.testing.assert_allclose(case.positions, pixel_positions(*image.shape), atol=1e-9)
    assert case.mask.all()


def test_mask_limits_what_is_scored():
    image = picture()
    mask = np.zeros(image.shape, bool)
    mask[:, :100] = True
    case = make_case("a", "grey", image, image, Protocol.parse("Znat"), mask=mask)
    assert case.mask[:, :99].all()
    assert not case.mask[:, 101:].any()


@pytest.mark.parametrize("text", ["R256", "Nnat", "H256c", "L"])
def test_protocols_write_what_they_read(text):
    assert str(Protocol.parse(text)) == text


@pytest.mark.parametrize("text", ["", "R", "X256", "256", "Rc"])
def test_unknown_protocols_are_named(text):
    with pytest.raises(InputError, match="no protocol"):
        Protocol.parse(text)


@pytest.mark.skipif(not HARNESS.is_file(), reason="the shared harness is not beside the checkout")
@pytest.mark.parametrize("text", ["R256", "N256c", "Hnat", "S256", "Z256"])
def test_agrees_with_the_shared_harness(text):
    spec = importlib.util.spec_from_file_location("shared_bench_pairs", HARNESS)
    harness = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(harness)
    fixed, moving = picture(seed=1), picture(seed=2)
    case = make_case("some pair", "grey", fixed, moving, Protocol.parse(text), seed=4)
    theirs = harness.make_pair("some pair", fixed, moving, text, seed=4)
    np.testing.assert_array_equal(case.fixed, theirs[0])
    assert (case.moving == theirs[1]).mean() > 0.999
    np.testing.assert_allclose(case.positions, theirs[2], atol=1e-3)
    assert (case.mask == theirs[3]).mean() > 0.9999
    np.testing.assert_allclose(case.scale, theirs[4])
