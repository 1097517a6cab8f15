"""Fusion measures against scikit-image, SciPy and the formulas written out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage, stats
from skimage.measure import shannon_entropy
from skimage.metrics import structural_similarity

from napari_mmreg.errors import InputError
from napari_mmreg.evaluation import fusion_quality as quality


@pytest.fixture
def images():
    random = np.random.default_rng(5)
    first, second = (
        np.rint(
            np.clip(
                128 + 300 * ndimage.gaussian_filter(random.standard_normal((60, 80)), 3), 0, 255
            )
        )
        for _ in range(2)
    )
    return first, second, np.rint((first + second) / 2)


def test_entropy_and_contrast(images):
    fused = images[2]
    assert quality.entropy(fused) == pytest.approx(shannon_entropy(fused.astype(np.uint8)))
    assert quality.standard_deviation(fused) == pytest.approx(np.std(fused))


def test_spatial_frequency_and_average_gradient(images):
    fused = images[2]
    rows, cols = np.diff(fused, axis=0), np.diff(fused, axis=1)
    expected = np.sqrt(np.mean(rows**2) + np.mean(cols**2))
    assert quality.spatial_frequency(fused) == pytest.approx(expected)
    gy, gx = np.gradient(fused)
    assert quality.average_gradient(fused) == pytest.approx(np.mean(np.sqrt((gx**2 + gy**2) / 2)))


def test_mutual_information(images):
    def information(one, other):
        joint = np.histogram2d(one.ravel(), other.ravel(), 256, ((0, 256), (0, 256)))[0]
        both = [stats.entropy(joint.sum(axis=a), base=2) for a in (0, 1)]
        return sum(both) - stats.entropy(joint.ravel(), base=2)

    first, second, fused = images
    expected = information(first, fused) + information(second, fused)
    assert quality.mutual_information(*images) == pytest.approx(expected)


def test_scd(images):
    first, second, fused = images
    expected = (
        stats.pearsonr((fused - second).ravel(), first.ravel())[0]
        + stats.pearsonr((fused - first).ravel(), second.ravel())[0]
    )
    assert quality.scd(*images) == pytest.approx(expected)


def test_ssim(images):
    first, second, fused = images
    expected = np.mean(
        [
            structural_similarity(
                source, fused, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
                data_range=255,
            )
            for source in (first, second)
        ]
    )  # fmt: skip
    assert quality.fusion_ssim(*images) == pytest.approx(expected, abs=1e-6)


def test_q_abf_by_its_formula(images):
    edges = []
    for image in images:
        row, col = (ndimage.sobel(image, axis=a, mode="nearest") for a in (0, 1))
        edges.append((np.sqrt(row**2 + col**2), np.arctan2(row, col + 1e-12)))
    weighted = total = 0.0
    for strength, angle in edges[:2]:
        fused_strength, fused_angle = edges[2]
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.where(
                strength > fused_strength, fused_strength / strength, strength / fused_strength
            )
        ratio = np.nan_to_num(ratio, nan=1.0)
        # Angles of lines, not of directions.
        lines = [np.arctan(np.tan(a)) for a in (angle, fused_angle)]
        turned = 1 - np.abs(lines[0] - lines[1]) / (np.pi / 2)
        q = 0.9994 / (1 + np.exp(-15 * (ratio - 0.5))) * 0.9879 / (1 + np.exp(-22 * (turned - 0.8)))
        weighted += (q * strength)[...].sum()
        total += strength.sum()
    assert quality.q_abf(*images) == pytest.approx(weighted / total, abs=1e-3)
    assert quality.q_abf(images[0], images[0], images[0]) > 0.97


def test_psnr(images):
    first, second, fused = images
    error = (np.mean((fused - first) ** 2) + np.mean((fused - second) ** 2)) / 2
    assert quality.fusion_psnr(*images) == pytest.approx(10 * np.log10(255**2 / error))
    assert quality.fusion_psnr(first, first, first) == np.inf


def test_an_edge_shown_twice_counts_twice():
    once = np.zeros((40, 60))
    once[:, 20:22] = 200
    twice = np.maximum(once, np.roll(once, 8, axis=1))
    assert quality.gradient_length(once) == pytest.approx(2 * 200 / 59)
    assert quality.ghosting(twice, once) == pytest.approx(0.5)
    left = np.zeros(once.shape, bool)
    left[:, :25] = True
    assert quality.ghosting(twice, once, left) == pytest.approx(1)
    assert np.isnan(quality.ghosting(np.ones((20, 20)), np.ones((20, 20))))


def test_only_the_mask_counts(images):
    first, second, fused = images
    mask = np.zeros(first.shape, bool)
    mask[10:50, 10:60] = True
    wild = np.where(mask, fused, np.nan)
    part = np.s_[10:50, 10:60]
    assert quality.entropy(wild) == pytest.approx(quality.entropy(fused[part]))
    assert quality.mutual_information(first, second, wild) == pytest.approx(
        quality.mutual_information(first[part], second[part], fused[part])
    )


def test_wrong_inputs(images):
    with pytest.raises(InputError, match="one shape"):
        quality.scd(images[0], images[1], images[2][:-1])
    with pytest.raises(InputError, match="no pixel in common"):
        quality.entropy(np.full((5, 5), np.nan))
