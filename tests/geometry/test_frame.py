"""Transforms know the images that they were made for."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_mmreg.errors import InputError, TransformError
from napari_mmreg.geometry import (
    DisplacementTransform,
    Frame,
    MatrixTransform,
    Transform,
    correct_transform,
)

FIXED = Frame((40, 60), (0.5, 0.25), "mm")
MOVING = Frame((50, 70))
SHIFT = MatrixTransform.translation((4, -6)).with_frames(FIXED, MOVING)


def test_files_keep_the_frames(tmp_path):
    for transform in (SHIFT, DisplacementTransform(np.zeros((40, 60, 2))).with_frames(FIXED, None)):
        transform.save(tmp_path / "t.npz")
        loaded = Transform.load(tmp_path / "t.npz")
        assert (loaded.fixed_frame, loaded.moving_frame) == (
            transform.fixed_frame,
            transform.moving_frame,
        )


@pytest.mark.parametrize("change", [{"shape": np.array([0, 4])}, {"shape": np.array([1, 2, 3])}])
def test_damaged_frames(tmp_path, change):
    SHIFT.save(tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz") as archive:
        arrays = dict(archive)
    arrays |= {f"fixed_frame/{name}": value for name, value in change.items()}
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(TransformError, match="incomplete"):
        Transform.load(tmp_path / "t.npz")


def test_inverses_and_chains_have_the_right_frames():
    inverse = SHIFT.inverse()
    assert (inverse.fixed_frame, inverse.moving_frame) == (MOVING, FIXED)
    other = Frame((9, 9))
    chain = MatrixTransform.identity().with_frames(MOVING, other).compose(SHIFT)
    assert (chain.fixed_frame, chain.moving_frame) == (FIXED, other)
    corrected = correct_transform(SHIFT, [[1, 1], [30, 50]], [[5, -5], [34, 45]])
    assert (corrected.fixed_frame, corrected.moving_frame) == (FIXED, MOVING)


def test_twice_the_size_is_twice_the_shift():
    doubled = SHIFT.for_shapes((80, 120), (100, 140))
    assert_allclose(doubled.map([[10, 20]]), [[18, 8]])
    assert doubled.fixed_frame == Frame((80, 120), (0.25, 0.125), "mm")
    # The moving image alone: fixed pixels stay, moving ones are finer.
    assert_allclose(SHIFT.for_shapes((40, 60), (100, 140)).map([[0, 8]]), [[8.5, 4.5]])


@pytest.mark.parametrize("factor", [3, 4, 7])
@pytest.mark.parametrize("size", [(401, 300), (123, 457)])
def test_thinned_and_averaged_images_have_one_whole_factor(size, factor):
    for rounded in (np.ceil, np.floor):
        small = tuple(int(n) for n in rounded(np.array(size) / factor))
        assert_allclose(Frame(small).scale_to(size, "fixed"), (factor, factor))
        assert_allclose(Frame(size).scale_to(small, "fixed"), (1 / factor, 1 / factor))


def test_a_picture_of_another_shape_is_refused():
    with pytest.raises(InputError, match="fixed image of 40 x 60 pixels; this one has 60 x 40"):
        SHIFT.resample(np.zeros((50, 70)), (60, 40))
    with pytest.raises(InputError, match="moving image of 50 x 70 pixels; this one has 50 x 40"):
        SHIFT.valid((40, 60), (50, 40))


def test_a_small_transform_resamples_large_images():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 255, (50, 70)).astype(np.uint8)
    large = np.kron(small, np.ones((3, 3), np.uint8))
    expected = np.kron(SHIFT.resample(small, (40, 60)), np.ones((3, 3), np.uint8))
    assert_array_equal(SHIFT.resample(large, (120, 180), order=0), expected)
    assert SHIFT.with_frames(None, None).resample(large, (9, 9)).shape == (9, 9)


def test_a_transform_that_fits_is_handed_back_itself():
    told = SHIFT.with_provenance({"seed": 1})
    assert told.for_shapes((40, 60), (50, 70)) is told
    assert told.for_shapes((80, 120), (50, 70)) is not told
