import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import (
    MatrixTransform,
    displacement_to_flow,
    flow_to_displacement,
    resize_displacement,
)

torch = pytest.importorskip("torch")

displacements = arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.integers(1, 7), st.just(2)),
    elements=st.floats(-50, 50, width=32),
)


def test_flow_has_x_first_and_y_second():
    displacement = np.zeros((3, 4, 2))
    displacement[1, 2] = (5, -7)
    flow = displacement_to_flow(displacement)
    assert flow.shape == (1, 2, 3, 4)
    assert flow.dtype == torch.float32
    assert flow[0, :, 1, 2].tolist() == [-7, 5]


@given(displacements)
def test_there_and_back(displacement):
    flow = displacement_to_flow(displacement)
    assert_array_equal(flow_to_displacement(flow), displacement)
    assert_array_equal(flow_to_displacement(flow[0].double().requires_grad_()), displacement)


def test_conversions_copy():
    displacement = np.zeros((3, 4, 2), dtype=np.float32)
    flow = displacement_to_flow(displacement)
    back = flow_to_displacement(flow)
    flow += 1
    assert not displacement.any()
    assert not back.any()


def test_sampling_by_the_flow_is_resampling_by_the_displacement(pattern):
    transform = MatrixTransform.from_params(rotation_degrees=7, translation=(2.5, -4.25))
    height, width = pattern.shape
    displacement = transform.displacement(pattern.shape)
    flow = displacement_to_flow(displacement)
    rows, cols = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    x = (cols + flow[0, 0]) * 2 / (width - 1) - 1
    y = (rows + flow[0, 1]) * 2 / (height - 1) - 1
    warped = torch.nn.functional.grid_sample(
        torch.from_numpy(pattern)[None, None], torch.stack([x, y], -1)[None], align_corners=True
    )
    valid = transform.valid(pattern.shape, (height, width))
    positions = transform.map(np.indices(pattern.shape).transpose(1, 2, 0))
    core = valid & (positions >= 0).all(axis=-1) & (positions <= (height - 1, width - 1)).all(-1)
    assert core.mean() > 0.5
    expected = transform.resample(pattern, pattern.shape)
    assert_allclose(warped[0, 0].numpy()[core], expected[core], atol=1e-5)


@given(displacements, st.integers(1, 12), st.integers(1, 12))
def test_resizing_a_constant_scales_it_per_axis(displacement, height, width):
    constant = np.broadcast_to(displacement[0, 0], displacement.shape)
    resized = resize_displacement(constant, (height, width))
    scale = np.array([height, width]) / np.array(displacement.shape[:2])
    assert resized.shape == (height, width, 2)
    assert resized.dtype == np.float32
    assert_allclose(
        resized, np.broadcast_to(displacement[0, 0] * scale, resized.shape), rtol=1e-5, atol=1e-30
    )


@given(displacements)
def test_resizing_to_the_same_shape_changes_nothing(displacement):
    assert_allclose(resize_displacement(displacement, displacement.shape), displacement, atol=1e-5)


@pytest.mark.parametrize("shape", [(80, 150), (20, 25)])
def test_resizing_an_affine_displacement_is_resizing_both_images(shape):
    """Pixel centres move to (p + 0.5) * s - 0.5 in both images."""
    transform = MatrixTransform.from_params(rotation_degrees=8, scale=(1.1, 0.9), center=(9, 30))
    scale = np.array(shape) / (40, 50)
    resize = MatrixTransform.from_params(scale=tuple(scale), translation=tuple(0.5 * scale - 0.5))
    expected = resize.compose(transform.compose(resize.inverse())).displacement(shape)
    resized = resize_displacement(transform.displacement((40, 50)), shape)
    core = (slice(3, -3), slice(3, -3))
    assert_allclose(resized[core], expected[core], atol=1e-4)


@pytest.mark.parametrize("shape", [(2, 2, 3, 4), (1, 3, 3, 4), (3, 4)])
def test_flows_of_other_shapes(shape):
    with pytest.raises(InputError, match="flow"):
        flow_to_displacement(torch.zeros(shape))


@pytest.mark.parametrize(
    "convert", [displacement_to_flow, lambda d: resize_displacement(d, (3, 3))]
)
def test_displacements_of_other_shapes(convert):
    with pytest.raises(InputError, match="H, W, 2"):
        convert(np.zeros((2, 4, 4)))
