import math

import numpy as np
import pytest
import torch

from napari_mmreg.evaluation import grid_error
from napari_mmreg.nn.sampling import warp
from napari_mmreg.training.scores import markdown, summarise, watched, write_scores
from napari_mmreg.training.validation import (
    PairScore,
    ValidationConfig,
    Validator,
    displacement_ratio,
    parse_protocol,
    registration_error,
)


def test_re_is_the_one_the_evaluation_defines():
    """On a 256 px grid the batched RE is `grid_error`; on another one it is scaled to 256."""
    rng = np.random.default_rng(0)
    found, true = rng.normal(size=(2, 256, 256, 2)) * 5
    mask = rng.random((256, 256)) < 0.7
    flows = [torch.from_numpy(d[..., ::-1].copy()).permute(2, 0, 1)[None] for d in (found, true)]
    re = registration_error(*flows, torch.from_numpy(mask)[None, None])
    assert float(re) == pytest.approx(grid_error(found, true, mask), rel=1e-5)
    zero, shift = torch.zeros(1, 2, 128, 512), torch.zeros(1, 2, 128, 512)
    shift[:, 0], shift[:, 1] = 6.0, 2.0
    re = registration_error(zero, shift, torch.ones(1, 1, 128, 512, dtype=torch.bool))
    assert float(re) == pytest.approx(5.0)  # 3 px along x, 4 px along y


def test_re_without_valid_pixels_is_taken_over_all():
    zero, shift = torch.zeros(1, 2, 256, 256), torch.full((1, 2, 256, 256), 3.0)
    re = registration_error(zero, shift, torch.zeros(1, 1, 256, 256, dtype=torch.bool))
    assert float(re) == pytest.approx(math.sqrt(18))


def test_ratio_tells_that_displacements_are_drawn_to_zero():
    truth = torch.randn(2, 2, 32, 32)
    valid = torch.ones(2, 1, 32, 32, dtype=torch.bool)
    assert torch.allclose(displacement_ratio(0.6 * truth, truth, valid), torch.tensor(0.6))
    none = displacement_ratio(truth, torch.zeros_like(truth), valid)
    assert bool(none.isnan().all())


def test_protocol_names():
    assert parse_protocol("R256") == ("R", 256, False)
    assert parse_protocol("N192c") == ("N", 192, True)
    for wrong in ("X256", "R", "Rnat", "R16", "256"):
        with pytest.raises(ValueError, match="Unknown protocol"):
            parse_protocol(wrong)


@pytest.fixture
def validator(pairs):
    config = ValidationConfig(protocols=("R96", "N96c", "Z64"), per_modality=2, worst=3)
    return Validator(pairs, config)


def test_the_truth_scores_zero_and_nothing_scores_identity(validator):
    truth = {}
    for protocol in validator.config.protocols:
        for number in range(4):
            fixed, moving, flow, _ = validator.images(number, protocol)
            truth[fixed.numpy().tobytes() + moving.numpy().tobytes()] = flow

    def perfect(fixed, moving):
        return truth[fixed.numpy().tobytes() + moving.numpy().tobytes()]

    scores = validator.run(perfect)
    assert len(scores) == 12
    assert max(s.re for s in scores) == 0.0
    assert all(s.ratio == pytest.approx(1.0) for s in scores if s.protocol != "Z64")
    lazy = validator.run(lambda fixed, moving: torch.zeros(1, 2, *fixed.shape[2:]))
    assert all(s.re == s.re_identity for s in lazy)
    assert all(s.re > 4 for s in lazy if s.protocol == "R96")
    assert all(s.re < 1e-4 for s in lazy if s.protocol == "Z64")


def test_pairs_are_fixed_and_the_truth_aligns_them(validator, pairs):
    again = Validator(pairs, validator.config)
    for one, two in zip(validator.images(1, "N96c"), again.images(1, "N96c"), strict=True):
        assert torch.equal(one, two)
    fixed, moving, flow, valid = validator.images(1, "R96")
    found = torch.where(valid, warp(moving, flow), torch.nan).flatten()
    known = ~found.isnan()
    both = torch.stack([found[known], fixed.flatten()[known]])
    assert float(torch.corrcoef(both)[0, 1]) < -0.9  # the moving picture is a negative


def test_black_borders_only_without_canvas(validator):
    _, moving, _, _ = validator.images(0, "R96")
    _, real, _, _ = validator.images(0, "N96c")
    assert float((moving == 0).float().mean()) > 3 * float((real == 0).float().mean())


def test_sheet_of_the_worst_pairs(validator, tmp_path):
    import imageio.v3 as iio

    validator.run(lambda f, _: torch.zeros(1, 2, *f.shape[2:]), tmp_path / "worst.png")
    assert iio.imread(tmp_path / "worst.png").shape == (3 * 100, 6 * 100, 3)


def score(re, modality="a", protocol="R256", ratio=1.0):
    return PairScore("p", modality, protocol, re, 20.0, ratio)


def test_summary():
    found = summarise([score(1.0), score(2.0, ratio=math.nan), score(30.0, ratio=0.5)])
    assert (found.count, found.median, found.mean, found.identity) == (3, 2.0, 11.0, 20.0)
    assert found.below_3 == pytest.approx(2 / 3)
    assert found.ratio == pytest.approx(0.75)
    assert summarise([score(math.nan)]).median == math.inf


def test_score_gives_every_modality_one_vote():
    scores = [score(1.0)] * 9 + [score(100.0, "b")]
    numbers = watched(scores)
    assert numbers["score"] == pytest.approx((1.0 + 20.0) / 2)
    assert numbers["R256_median"] == 1.0
    assert numbers["R256_below3"] == pytest.approx(0.9)


def test_tables(tmp_path):
    scores = [score(1.0), score(2.0, "b", "Z256", math.nan)]
    assert "| Z256 | 1 | 2.00 | 2.00 | 100 | 20.00 | - |" in markdown(scores)
    write_scores(scores, tmp_path / "scores.csv")
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 3
