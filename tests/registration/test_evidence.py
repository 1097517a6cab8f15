import numpy as np
import pytest
from skimage import data

from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.imaging import prepare_pair
from napari_mmreg.registration.causes import likely_causes
from napari_mmreg.registration.certify import certify
from napari_mmreg.registration.evidence import better_shift, overlap_share, rival_peak
from napari_mmreg.run import Run

Y, X = np.mgrid[-32:33, -40:41].astype(np.float32)


def hill(row, col, height=1.0, width=2.0):
    return height * np.exp(-((Y - row) ** 2 + (X - col) ** 2) / (2 * width**2))


def test_another_peak_is_a_rival():
    assert rival_peak(hill(0, 0) + hill(20, -10, 0.9)) == pytest.approx(0.9, abs=0.02)
    assert rival_peak(hill(0, 0) + hill(0, 12, 1.2)) == pytest.approx(1.2, abs=0.02)
    assert rival_peak(hill(1, -1)) == 0
    assert rival_peak(-hill(0, 0)) == 0


def test_a_ridge_has_no_rival():
    assert rival_peak(np.exp(-(Y**2) / 8) * (1 - 0.003 * np.abs(X))) < 0.5


def test_how_far_a_better_shift_lies():
    distance, gain = better_shift(hill(3, 4, 0.8, 3.0))
    assert distance == 5
    assert gain == pytest.approx(0.8 * (1 - np.exp(-25 / 18)), rel=1e-3)
    assert better_shift(hill(0, 0)) == (0, 0)


def test_overlap_is_that_of_the_smaller_image():
    everywhere = np.ones((64, 64), bool)
    part = np.zeros_like(everywhere)
    part[20:36, 8:24] = True
    identity = MatrixTransform.identity()
    assert overlap_share(everywhere, part, part, identity, (64, 64)) == 1
    assert overlap_share(part, everywhere, part, identity, (64, 64)) == 1
    half = part & (np.arange(64) < 16)
    assert overlap_share(everywhere, part, half, identity, (64, 64)) == 0.5
    # Twice as many moving as fixed pixels along each axis: the frame covers a quarter.
    finer = MatrixTransform(np.diag([2.0, 2.0, 1.0]))
    quarter = np.zeros_like(everywhere)
    quarter[:32, :32] = True
    assert overlap_share(everywhere, everywhere, quarter, finer, (64, 64)) == pytest.approx(1)


def test_repeating_patterns_are_doubtful_and_named():
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:200, :200]
    dots = ((rows % 25 - 12) ** 2 + (cols % 25 - 12) ** 2 < 40).astype(np.float32)
    fixed, moving = (
        part + rng.normal(0, 0.02, (160, 160))
        for part in (dots[:160, :160], 1 - dots[9:169, 11:171])
    )
    for shift in ((-9, -11), (16, 14)):
        found = certify(prepare_pair(fixed, moving), MatrixTransform.translation(shift), Run())
        assert found.status == "doubtful"
        assert any("repeats" in reason for reason in found.reasons)


ASTRONAUT = data.astronaut()[::2, ::2].astype(np.float32)


def test_one_transform_has_one_map():
    pair = prepare_pair(ASTRONAUT[..., 0], 255 - np.roll(ASTRONAUT[..., 2], 5, axis=1))
    found = certify(pair, MatrixTransform.identity(), Run())
    np.testing.assert_array_equal(found.errors.median, found.errors_before.median)
    np.testing.assert_array_equal(found.errors.spread, found.errors_before.spread)


@pytest.mark.parametrize("shift", [(0, 8), (9, 9)])
def test_the_identity_next_to_the_truth_is_not_ok(shift):
    pair = prepare_pair(ASTRONAUT[..., 0], 255 - np.roll(ASTRONAUT[..., 2], shift, axis=(0, 1)))
    found = certify(pair, MatrixTransform.identity(), Run())
    assert found.status != "ok"


@pytest.mark.parametrize("shift", range(0, 13, 3))
def test_ok_never_contradicts_its_map(shift):
    pair = prepare_pair(ASTRONAUT[..., 0], 255 - np.roll(ASTRONAUT[..., 2], shift, axis=1))
    found = certify(pair, MatrixTransform.identity(), Run())
    inside = found.errors.exceeds()[20:-20, 20:-20]
    if (inside > 0.5).mean() > 0.6:
        assert found.status != "ok"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda image: np.rot90(image), "regnetmamba2"),
        (lambda image: np.rot90(image, 2), "regnetmamba2"),
        (lambda image: image[:, ::-1], "mirror"),
    ],
)
def test_the_likely_cause_is_named(change, word):
    moving = np.ascontiguousarray(change(255 - ASTRONAUT[..., 2]))
    causes = likely_causes(prepare_pair(ASTRONAUT[..., 0], moving), Run())
    assert len(causes) == 1
    assert word in causes[0]


def test_no_cause_is_made_up():
    camera = data.camera()[::2, ::2].astype(np.float32)
    assert likely_causes(prepare_pair(ASTRONAUT[..., 0], camera), Run()) == ()
    assert likely_causes(prepare_pair(ASTRONAUT[..., 0], 255 - ASTRONAUT[..., 2]), Run()) == ()
