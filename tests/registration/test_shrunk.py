"""Registration of images that are not in memory."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from napari_mmreg import register
from napari_mmreg.errors import Cancelled, InputError
from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.geometry.thinning import thin_block
from napari_mmreg.imaging import shrink as module


@pytest.fixture(scope="module")
def pair():
    """A picture of 600 x 800 pixels and one turned, as it is and as other code may have it."""
    from skimage import data
    from skimage.transform import resize

    fixed = (255 * resize(data.camera(), (600, 800), anti_aliasing=True)).astype(np.uint8)
    truth = MatrixTransform.from_params(
        rotation_degrees=4, scale=1.03, translation=(12, -9), center=(300, 400)
    )
    return fixed, truth.resample(255 - fixed, (600, 800), order=1), truth


@pytest.fixture
def budget(monkeypatch):
    monkeypatch.setattr(module, "SHRUNK", 300 * 400)
    monkeypatch.setattr(module, "ENOUGH", 200 * 200)


def error(transform, truth, shape=(600, 800)):
    """Mean distance from the place where the moving image shows what the fixed one does."""
    points = np.stack(np.mgrid[40 : shape[0] - 40 : 20, 40 : shape[1] - 40 : 20], axis=-1)
    apart = truth.map(transform.map(points)) - points
    return float(np.linalg.norm(apart, axis=-1).mean())


def test_dask_arrays_give_a_transform_of_the_full_resolution(pair, budget):
    fixed, moving, truth = pair
    chunked = [da.from_array(image, chunks=(256, 256)) for image in (fixed, moving)]
    heard = []
    result = register(
        *chunked, model="classical", device="cpu", progress=lambda _s, f: heard.append(f)
    )
    assert result.status == "ok"
    assert error(result.transform, truth) < 1.5
    assert result.transform.fixed_frame.shape == (600, 800)
    assert (result.fixed_shape, result.moving_shape) == ((600, 800), (600, 800))
    assert result.provenance["estimated_on"]["fixed"]["shape"] == [300, 400]
    assert heard == sorted(heard)
    assert heard[-1] == pytest.approx(1)
    assert isinstance(result.registered, da.Array)
    whole = result.transform.resample(moving, (600, 800), 1, 0)
    np.testing.assert_array_equal(result.registered.compute(), whole)
    assert result.misregistration.shape == (600, 800)
    moved = np.linalg.norm(result.displacement, axis=-1)
    assert result.metrics["displacement_max_px"] == pytest.approx(moved.max(), rel=0.1)


def test_levels_of_different_sizes(pair, budget):
    fixed, moving, truth = pair
    half = thin_block(fixed, 2)
    result = register(
        [half, thin_block(half, 2)],
        [moving, thin_block(moving, 2), thin_block(moving, 4)],
        model="classical",
        device="cpu",
    )
    assert result.fixed_shape == (300, 400)
    into_half = MatrixTransform(np.array([[0.5, 0, -0.25], [0, 0.5, -0.25], [0, 0, 1]]))
    assert error(result.transform.compose(into_half), truth) < 1.5


def test_start_and_masks_are_in_full_pixels(pair, budget):
    fixed, moving, truth = pair
    far = MatrixTransform.translation((150, 220))
    shifted = far.inverse().resample(moving, (900, 1200), order=1)
    mask = np.zeros((600, 800), dtype=bool)
    mask[50:550, 50:750] = True
    result = register(
        da.from_array(fixed, chunks=300),
        shifted,
        model="classical",
        device="cpu",
        initial=far,
        fixed_mask=mask,
        fixed_spacing=0.5,
        moving_spacing=0.5,
        unit="mm",
    )
    assert error(far.inverse().compose(result.transform), truth) < 1.5
    np.testing.assert_allclose(result.initial.map((10, 20)), (160, 240))
    assert result.transform.moving_frame.spacing == (0.5, 0.5)


def test_bad_input_and_cancel(pair):
    fixed, moving, _ = pair
    with pytest.raises(InputError, match="one slice"):
        register(da.zeros((5, 60, 60)), moving, model="classical")
    with pytest.raises(InputError, match="mask has the shape"):
        register(da.from_array(fixed), moving, model="classical", fixed_mask=np.ones((3, 3), bool))
    with pytest.raises(Cancelled):
        register(da.from_array(fixed), moving, model="classical", cancel=lambda: True)
