"""`apply`: everything that can be carried, with right values, in both directions."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from scipy import ndimage

import napari_mmreg
from napari_mmreg import apply
from napari_mmreg.errors import Cancelled, InputError, TransformError
from napari_mmreg.geometry import DisplacementTransform, Frame, MatrixTransform, ThinPlateTransform
from napari_mmreg.geometry.marks import outline
from results import make_result

FIXED, MOVING = (60, 90), (75, 64)
AFFINE = MatrixTransform.from_params(
    rotation_degrees=7, scale=(1.1, 0.75), translation=(4.5, -3.25), center=(20, 30)
)


@pytest.fixture
def bend():
    rows, cols = np.indices(FIXED, dtype=np.float32)
    field = np.stack([3 + 2 * np.sin(cols / 25), -4 + 1.5 * np.cos(rows / 18)], axis=-1)
    return DisplacementTransform(field).with_frames(Frame(FIXED), Frame(MOVING))


def blobs(shape, places, sigma=1.6):
    """A picture with a bright, round blob at every place, the first one the brightest."""
    grid = np.stack(np.indices(shape), axis=-1)
    picture = np.zeros(shape)
    for number, place in enumerate(places):
        squares = ((grid - place) ** 2).sum(axis=-1)
        picture += (1 - 0.1 * number) * np.exp(-squares / (2 * sigma**2))
    return picture


def centres(picture, near):
    """The centres of mass of blobs, each within 5 px of a place."""
    found = []
    for row, col in np.rint(near).astype(int):
        low = max(row - 5, 0), max(col - 5, 0)
        part = picture[low[0] : row + 6, low[1] : col + 6]
        found.append(np.array(ndimage.center_of_mass(part)) + low)
    return np.array(found)


PLACES = np.array([(22.0, 14.5), (40.25, 33.0), (55.0, 21.0), (31.5, 50.25)])


@pytest.mark.parametrize("name", ["affine", "bend"])
def test_points_come_to_where_the_image_comes(name, bend):
    transform = AFFINE if name == "affine" else bend
    moving = blobs(MOVING, PLACES)
    carried = apply(moving, transform, shape=FIXED, order=3, fill=0)
    points = apply(PLACES, transform, "points")
    assert np.isfinite(points).all()
    np.testing.assert_allclose(centres(carried, points), points, atol=0.15)
    assert carried.shape == FIXED


@pytest.mark.parametrize("name", ["affine", "bend"])
def test_the_other_way_round_too(name, bend):
    transform = AFFINE if name == "affine" else bend
    places = np.array([(20.0, 30.5), (35.25, 41.0), (28.0, 55.0)])
    fixed = blobs(FIXED, places)
    carried = apply(fixed, transform, to="moving", shape=MOVING, order=3, fill=0)
    points = apply(places, transform, "points", to="moving")
    np.testing.assert_allclose(points, transform.map(places))
    np.testing.assert_allclose(centres(carried, points), points, atol=0.15)
    back = apply(points, transform, "points")
    np.testing.assert_allclose(back, places, atol=1e-4)


def test_a_shift_moves_pixels_exactly():
    image = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)
    shift = MatrixTransform.translation((2, 3))
    carried = apply(image, shift, shape=(15, 25), order=1)
    np.testing.assert_array_equal(carried, image[2:17, 3:28])
    np.testing.assert_array_equal(apply([[2, 3], [10, 7]], shift, "points"), [[0, 0], [8, 4]])


def test_the_size_comes_from_the_transform_or_must_be_said(bend):
    assert apply(np.zeros(MOVING), bend).shape == FIXED
    assert apply(np.zeros(FIXED), bend, to="moving").shape == MOVING
    with pytest.raises(InputError, match="pass shape"):
        apply(np.zeros(MOVING), AFFINE)
    with pytest.raises(InputError, match="not the same picture"):
        apply(np.zeros((75, 30)), bend)


def test_an_image_at_twice_the_size_is_followed(bend):
    moving = ndimage.gaussian_filter(np.random.default_rng(0).random(MOVING), 3)
    double = np.kron(moving, np.ones((2, 2)))
    one, two = apply(moving, bend), apply(double, bend)
    known = np.isfinite(one) & np.isfinite(two)
    assert known.mean() > 0.5
    np.testing.assert_allclose(one[known], two[known], atol=0.03)


def test_every_plane_and_channel_is_carried(bend):
    rng = np.random.default_rng(1)
    stack = rng.integers(0, 255, (3, 2, *MOVING), dtype=np.uint8)
    carried = apply(stack, bend, order=1)
    assert carried.shape == (3, 2, *FIXED)
    assert carried.dtype == np.uint8
    np.testing.assert_array_equal(carried[2, 1], apply(stack[2, 1], bend, order=1))
    colours = rng.integers(0, 255, (4, *MOVING, 3), dtype=np.uint8)
    carried = apply(colours, bend, order=1)
    assert carried.shape == (4, *FIXED, 3)
    np.testing.assert_array_equal(carried[3, ..., 1], apply(colours[3, ..., 1], bend, order=1))
    first = np.moveaxis(colours[0], -1, 0)
    np.testing.assert_array_equal(
        apply(first, bend, channel_axis=0, order=1), np.moveaxis(carried[0], -1, 0)
    )


def test_many_channels_are_told_by_the_frame(bend):
    spectral = np.random.default_rng(1).random((*MOVING, 31)).astype(np.float32)
    carried = apply(spectral, bend)
    assert carried.shape == (*FIXED, 31)
    with pytest.raises(InputError, match="cannot hold channels"):
        apply(spectral, bend, channel_axis=1)


def test_lazy_stacks_are_read_plane_by_plane(bend):
    stack = np.random.default_rng(1).random((3, *MOVING)).astype(np.float32)
    lazy = da.from_array(stack, chunks=(1, 40, 40))
    np.testing.assert_array_equal(apply(lazy, bend), apply(stack, bend))


def test_levels_lie_on_each_other():
    places = np.array([(60.0, 40.0), (90.0, 100.0)])
    full = blobs((160, 128), places, sigma=5)
    half = full.reshape(80, 2, 64, 2).mean(axis=(1, 3))
    turn = MatrixTransform.from_params(rotation_degrees=5, translation=(6, -9))
    fine, coarse = apply([full, half], turn, shape=(140, 200), fill=0, order=3)
    assert fine.shape == (140, 200)
    assert coarse.shape == (70, 100)
    pooled = fine.reshape(70, 2, 100, 2).mean(axis=(1, 3))
    assert np.abs(pooled - coarse).max() < 0.02


def test_labels_keep_their_ids(bend):
    labels = np.zeros(MOVING, np.int32)
    labels[20:45, 12:30], labels[50:70, 30:60] = 7, 70_000
    carried = apply(labels, bend, "labels")
    assert carried.dtype == np.int32
    assert set(np.unique(carried)) == {0, 7, 70_000}
    assert set(np.unique(apply(np.stack([labels] * 2), bend))) == {0, 7, 70_000}
    with pytest.raises(InputError, match="integers or booleans"):
        apply(labels.astype(float), bend, "labels")


def test_no_data_is_nan_zero_or_what_it_was(bend):
    image = np.ones(MOVING)
    assert np.isnan(apply(image, bend)).any()
    assert (apply(image.astype(np.int16), bend, order=1) == 0).any()
    assert (apply(image.astype(np.int16), bend, nodata=-9) == -9).any()


def test_what_stands_before_row_and_column_stays(bend):
    points = np.array([(5, 9.5, 40.0, 30.0), (6, 1.5, 30.0, 20.0)])
    carried = apply(points, bend, "points")
    np.testing.assert_array_equal(carried[:, :2], points[:, :2])
    np.testing.assert_allclose(bend.map(carried[:, 2:]), points[:, 2:], atol=1e-4)
    tracks = np.column_stack([[0, 0], points])
    np.testing.assert_array_equal(apply(tracks, bend, "tracks")[:, 1:], carried)


def test_both_ends_of_a_vector_are_carried():
    vectors = np.array([[(0, 20.0, 10.0), (2, 4.0, -3.0)]])
    carried = apply(vectors, AFFINE, "vectors")
    inverse = AFFINE.inverse()
    np.testing.assert_allclose(carried[0, 0, 1:], inverse.map((20, 10)))
    np.testing.assert_allclose(carried[0].sum(axis=0)[1:], inverse.map((24, 7)))
    np.testing.assert_array_equal(carried[0, :, 0], (0, 2))


def test_vertices_of_shapes_and_surfaces():
    triangle = np.array([(10, 10), (30, 12), (20, 40.0)])
    line = np.array([(0, 5), (8, 9.0)])
    carried = apply([triangle, line], AFFINE, "shapes")
    np.testing.assert_allclose(carried[0], AFFINE.inverse().map(triangle))
    np.testing.assert_allclose(carried[1], AFFINE.inverse().map(line))
    faces, values = np.array([[0, 1, 2]]), np.array([1.0, 2, 3])
    vertices, same, kept = apply((triangle, faces, values), AFFINE, "surface")
    np.testing.assert_allclose(vertices, carried[0])
    assert (same == faces).all()
    assert (kept == values).all()


def test_what_has_no_answer_is_marked_or_left_out(bend):
    far = (500.0, 500.0)
    points = np.array([(30.0, 20.0), far, (40.0, 30.0)])
    marked = apply(points, bend, "points")
    assert np.isnan(marked[1]).all()
    assert np.isfinite(marked[[0, 2]]).all()
    np.testing.assert_array_equal(apply(points, bend, "points", missing="drop"), marked[[0, 2]])
    shapes = [points[[0, 2]], points]
    assert len(apply(shapes, bend, "shapes", missing="drop")) == 1
    surface = (np.vstack([points, [(35, 40)]]), np.array([[0, 1, 2], [0, 2, 3]]), np.arange(4.0))
    vertices, faces, values = apply(surface, bend, "surface", missing="drop")
    assert len(vertices) == 3
    np.testing.assert_array_equal(faces, [[0, 1, 2]])
    np.testing.assert_array_equal(values, (0, 2, 3))


def test_there_may_be_nothing(bend):
    assert apply(np.zeros((0, 2)), bend, "points").shape == (0, 2)
    assert apply([], bend, "shapes") == []
    assert apply(np.zeros((0, 2, 3)), bend, "vectors", missing="drop").shape == (0, 2, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": np.zeros((4, 4)), "to": "front"}, "to 'fixed' or to 'moving'"),
        ({"data": np.zeros((4, 4)), "missing": "skip"}, "'nan'"),
        ({"data": np.zeros((4, 4)), "kind": "mesh"}, "one of image"),
        ({"data": np.zeros((4, 1)), "kind": "points"}, "shape"),
        ({"data": np.zeros((4, 3, 2)), "kind": "vectors"}, "n, 2, D"),
        ({"data": "abc", "kind": "points"}, "numbers"),
        ({"data": np.zeros((4, 2)), "kind": "surface"}, "A surface is"),
        ({"data": np.zeros(5), "shape": (4, 4)}, "rows and columns"),
        ({"data": [[1, 2], [3]], "shape": (4, 4)}, "no array"),
    ],
)
def test_what_cannot_be_used_is_said(arguments, message):
    with pytest.raises(InputError, match=message):
        apply(arguments.pop("data"), AFFINE, **arguments)


def test_no_inverse_is_said():
    flat = MatrixTransform([[1, 0, 0], [1, 0, 0], [0, 0, 1]])
    with pytest.raises(TransformError, match="singular"):
        apply([[1, 2]], flat, "points")


def test_cancel_and_progress(bend):
    seen = []
    stack = np.zeros((3, *MOVING))
    apply(stack, bend, progress=lambda stage, fraction: seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == 1
    for data, kind in ((stack, "image"), (PLACES, "points")):
        with pytest.raises(Cancelled):
            apply(data, bend, kind, cancel=lambda: True)


@pytest.mark.parametrize("bent", [False, True])
def test_rectangles_and_ellipses_become_polygons(bent):
    corners = np.array([(10, 5), (10, 25), (30, 25), (30, 5.0)])
    polygon, kind = outline(corners, "rectangle", bent=bent)
    assert kind == "polygon"
    assert len(polygon) == (32 if bent else 4)
    np.testing.assert_array_equal(outline(corners[[0, 2]], "rectangle", bent=False)[0], corners)
    ellipse, kind = outline(corners, "ellipse", bent=bent)
    assert kind == "polygon"
    np.testing.assert_allclose(np.hypot(*(ellipse - (20, 15)).T), 10)
    assert outline(corners, "path", bent=bent)[1] == "path"


def test_a_result_knows_its_images(bend):
    moving = np.random.default_rng(2).random(MOVING)
    result = make_result(np.zeros(FIXED), moving, bend)
    np.testing.assert_array_equal(result.apply(moving, fill=0), result.registered)
    assert result.apply(np.zeros(FIXED), to="moving").shape == MOVING
    np.testing.assert_array_equal(
        result.apply(PLACES, "points"), napari_mmreg.apply(PLACES, bend, "points")
    )


def test_thin_plates_too():
    fixed = np.array([(5, 5), (5, 80), (50, 8), (52, 75), (30, 40.0)])
    moving = np.add(AFFINE.map(fixed), [(0, 1), (1, 0), (-1, 1), (2, 0), (0, 0)])
    plate = ThinPlateTransform(fixed, moving)
    carried = apply(PLACES[:2], plate, "points")
    np.testing.assert_allclose(plate.map(carried), PLACES[:2], atol=1e-4)
