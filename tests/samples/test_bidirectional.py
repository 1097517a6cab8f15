"""The simulated bidirectional scan and its truth."""

import numpy as np
import pytest

from napari_mmreg.imaging.interlaced import merge_scan, split_scan
from napari_mmreg.samples.bidirectional import bidirectional_scan


@pytest.fixture(scope="module")
def scan():
    return bidirectional_scan()


def likeness(one, two):
    return np.corrcoef(one[1::2, 20:-20].ravel(), two[1::2, 20:-20].ravel())[0, 1]


def test_it_is_an_image_and_the_same_each_time(scan):
    assert scan.image.dtype == np.float32
    assert scan.image.min() >= 0
    assert scan.image.max() <= 1
    np.testing.assert_array_equal(scan.image, bidirectional_scan().image)
    assert "SIMULATED" in scan.notes


def test_the_truth_puts_the_lines_back(scan):
    assert likeness(scan.image, scan.aligned) < 0.6
    corrected = merge_scan(*split_scan(scan.image), scan.truth)
    assert likeness(corrected, scan.aligned) > 0.9


def test_backward_lines_have_other_tones(scan):
    forward, backward = split_scan(scan.image)
    assert np.percentile(backward, 10) > np.percentile(forward, 10) + 0.04
    assert np.percentile(backward, 99.9) < np.percentile(forward, 99.9) - 0.1
