"""Layers through a registration: where they lie, what they keep, what is left out."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from napari.layers import Image, Labels, Layer, Points, Shapes, Surface, Tracks, Vectors
from scipy import ndimage

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import DisplacementTransform, MatrixTransform, is_lazy
from napari_mmreg.gui.apply.carrying import ApplyJob, Way
from napari_mmreg.gui.apply.items import take
from napari_mmreg.gui.apply.moving import Moves
from napari_mmreg.gui.apply.registration import Registration, ground_of

FIXED = {
    "scale": (0.5, 0.8),
    "translate": (3, -2),
    "rotate": 10,
    "affine": np.array([[1.0, 0.1, 2], [0, 0.95, 1], [0, 0, 1]]),
    "units": "micrometer",
}
MOVING = {"scale": (0.7, 0.6), "translate": (-1, 4), "units": "micrometer"}
AFFINE = MatrixTransform.from_params(rotation_degrees=-6, scale=(0.8, 1.2), translation=(2, -3))


def bend():
    rows, cols = np.indices((60, 80), dtype=np.float32)
    field = np.stack([3 + 2 * np.sin(cols / 20), -3 + 2 * np.cos(rows / 15)], axis=-1)
    return DisplacementTransform(field)


def registration(transform):
    """Between an anisotropic, rotated fixed layer and a moving one of another size."""
    fixed = Image(np.zeros((60, 80)), name="fixed", **FIXED)
    moving = Image(np.zeros((70, 90)), name="moving", **MOVING)
    return Registration("a test", ground_of(fixed), ground_of(moving), known=transform), moving


def carry(layer, known, way):
    outcome = ApplyJob(known, [take(layer)], way).execute(lambda *_: None)
    if outcome.error is not None:
        raise outcome.error
    (made,) = outcome.value
    return Layer.create(made.data, made.kwargs, made.kind), made.note


def world(layer, points):
    return np.array([layer.data_to_world(point) for point in points])


def expected_world(known, points, to):
    """Carry world points by hand: world, pixels, through the transform, pixels, world."""
    source, target = (side.placement.world_from_pixels for side in known.sides(to))
    pixels = np.column_stack([points, np.ones(len(points))]) @ np.linalg.inv(source).T
    transform = known.known.inverse() if to == "fixed" else known.known
    mapped = transform.map(pixels[:, :2])
    return (np.column_stack([mapped, np.ones(len(points))]) @ target.T)[:, :2]


PLACES = np.array([(20.0, 18.5), (30.25, 41.0), (41.5, 30.0)])


@pytest.mark.parametrize("to", ["fixed", "moving"])
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("transform", [AFFINE, bend()], ids=["affine", "bend"])
def test_points_lie_where_the_registration_says(transform, own, to):
    known, _ = registration(transform)
    # Neither of the two images: another scale, somewhere in their world.
    layer = Points(
        PLACES * (0.7, 0.6) / 0.25 + (0, 3),
        scale=(0.25, 0.25),
        translate=(-1, 4),
        units="micrometer",
        features={"kind": ["a", "b", "c"]},
        face_color=["red", "lime", "blue"],
        size=[4, 8, 12],
        name="cells",
    )
    result, note = carry(layer, known, Way(to, own))
    assert not note
    np.testing.assert_allclose(
        world(result, result.data),
        expected_world(known, world(layer, layer.data), to),
        atol=1e-3,
    )
    assert list(result.features["kind"]) == ["a", "b", "c"]
    np.testing.assert_array_equal(result.face_color, layer.face_color)
    target = layer if own else {"fixed": Image(np.zeros((60, 80)), **FIXED)}.get(to)
    if target is not None:
        np.testing.assert_allclose(result.scale, target.scale)
        np.testing.assert_allclose(result.affine, target.affine)
    factor = 1.0 if own else 0.25 / np.sqrt(np.prod(known.sides(to)[1].placement.spacing))
    np.testing.assert_allclose(result.size, layer.size * factor)
    assert "cells" in result.name


@pytest.mark.parametrize("to", ["fixed", "moving"])
@pytest.mark.parametrize("own", [False, True])
def test_images_come_to_where_points_come(own, to):
    known, _ = registration(bend())
    layer_kwargs = {"scale": (0.7, 0.6), "translate": (-1, 4), "units": "micrometer"}
    picture = np.zeros((70, 90))
    for row, col in PLACES:
        picture += np.exp(-((np.indices((70, 90)) - [[[row]], [[col]]]) ** 2).sum(0) / 8)
    image = Image(picture, colormap="magma", contrast_limits=(0, 0.9), **layer_kwargs)
    points, _ = carry(Points(PLACES, **layer_kwargs), known, Way(to, own))
    result, _ = carry(image, known, Way(to, own, 3))
    assert result.data.shape == (picture.shape if own else known.sides(to)[1].shape)
    assert result.colormap.name == "magma"
    assert tuple(result.contrast_limits) == (0, 0.9)
    at = np.array([result.world_to_data(place) for place in world(points, points.data)])
    for row, col in at:
        low = np.rint((row, col)).astype(int) - 4
        part = np.nan_to_num(result.data[low[0] : low[0] + 9, low[1] : low[1] + 9])
        found = np.array(ndimage.center_of_mass(part)) + low
        np.testing.assert_allclose(found, (row, col), atol=0.2)


def test_labels_keep_ids_features_and_colours():
    known, _ = registration(bend())
    labels = np.zeros((70, 90), np.int32)
    labels[20:40, 15:30], labels[45:60, 50:70] = 5, 40_000
    layer = Labels(labels, features={"index": [0, 5, 40_000]}, name="nuclei", **MOVING)
    result, _ = carry(layer, known, Way(order=1))
    assert set(np.unique(result.data)) == {0, 5, 40_000}
    np.testing.assert_array_equal(result.get_color(5), layer.get_color(5))
    pd.testing.assert_frame_equal(result.features, layer.features)


def test_every_plane_of_a_stack_is_carried_and_stays_at_its_time():
    known, _ = registration(bend())
    stack = np.random.default_rng(0).random((2, 3, 70, 90)).astype(np.float32)
    layer = Image(
        stack,
        scale=(2, 5, 0.7, 0.6),
        translate=(10, -3, -1, 4),
        units=("s", "micrometer", "micrometer", "micrometer"),
    )
    result, _ = carry(layer, known, Way())
    assert result.data.shape == (2, 3, 60, 80)
    plane, _ = carry(Image(stack[1, 2], **MOVING), known, Way())
    np.testing.assert_array_equal(result.data[1, 2], plane.data)
    at = result.data_to_world((1, 2, 7, 9))
    np.testing.assert_allclose(at[:2], layer.data_to_world((1, 2, 0, 0))[:2])
    np.testing.assert_allclose(at[2:], plane.data_to_world((7, 9)))
    assert [str(unit) for unit in result.units] == ["second", *["micrometer"] * 3]
    points = Points([(1, 2, 20, 30.0)], **{k: getattr(layer, k) for k in ("scale", "translate")})
    points.units = layer.units
    moved, _ = carry(points, known, Way())
    np.testing.assert_allclose(moved.data[0, :2], (1, 2))
    flat, _ = carry(Points([(20, 30.0)], **MOVING), known, Way())
    np.testing.assert_allclose(moved.data[0, 2:], flat.data[0])
    np.testing.assert_allclose(moved.data_to_world((1, 2, 7, 9)), at)


def test_tilted_stacks_are_refused():
    tilt = np.eye(4)
    tilt[1, 0] = 0.5
    with pytest.warns(UserWarning, match="Non-orthogonal"):
        layer = Image(np.zeros((3, 70, 90)), affine=tilt)
    with pytest.raises(InputError, match="stack axis"):
        take(layer)


def test_multiscale_layers():
    known, _ = registration(AFFINE)
    rows, cols = np.indices((280, 360))
    full = np.exp(-((rows - 120) ** 2 + 2 * (cols - 170) ** 2) / (2 * 25**2))
    levels = [full]
    for _ in range(2):
        rows, cols = levels[-1].shape
        levels.append(levels[-1].reshape(rows // 2, 2, cols // 2, 2).mean(axis=(1, 3)))
    kwargs = {"scale": (0.7 / 4, 0.6 / 4), "translate": (-1 - 0.2625, 4 - 0.225)}
    layer = Image(levels, multiscale=True, units="micrometer", **kwargs)
    onto, _ = carry(layer, known, Way())
    # A step of the fixed grid covers 3.8 pixels: the second level is read, then the third.
    assert [level.shape for level in onto.data] == [(60, 80), (30, 40)]
    plain, _ = carry(Image(levels[2], **MOVING), known, Way())
    found = np.asarray(onto.data[0])
    both = np.isfinite(found) & np.isfinite(plain.data)
    assert both.mean() > 0.5
    np.testing.assert_allclose(found[both], plain.data[both], atol=0.02)
    own, _ = carry(layer, known, Way(own_grid=True))
    assert own.multiscale
    assert [level.shape for level in own.data] == [level.shape for level in levels]
    assert all(is_lazy(level) for level in own.data)


def test_dask_layers_are_carried_tile_by_tile():
    known, _ = registration(AFFINE)
    plane = np.random.default_rng(0).random((60, 80)).astype(np.float32)
    stack = np.stack([plane, plane + 1, plane + 2])
    place = {"scale": (5, 0.7, 0.6), "translate": (0, -1, 4), "units": ("s", *["micrometer"] * 2)}
    lazy, _ = carry(Image(da.from_array(stack, chunks=(1, 32, 32)), **place), known, Way())
    eager, _ = carry(Image(stack, **place), known, Way())
    assert is_lazy(lazy.data)
    np.testing.assert_array_equal(np.asarray(lazy.data), eager.data)
    np.testing.assert_array_equal(lazy.scale, eager.scale)


def test_shapes_become_polygons_where_they_must_and_keep_features():
    known, _ = registration(bend())
    rectangle = np.array([(15, 15), (15, 40), (30, 40), (30, 15.0)])
    path = np.array([(20, 20), (40, 30), (35, 50.0)])
    layer = Shapes(
        [rectangle, rectangle, path],
        shape_type=["rectangle", "ellipse", "path"],
        features={"name": ["r", "e", "p"]},
        edge_color=["red", "lime", "blue"],
        edge_width=[1, 2, 3],
        **MOVING,
    )
    result, _ = carry(layer, known, Way())
    assert list(result.shape_type) == ["polygon", "polygon", "path"]
    assert list(result.features["name"]) == ["r", "e", "p"]
    np.testing.assert_array_equal(result.edge_color, layer.edge_color)
    np.testing.assert_allclose(
        world(result, result.data[2]), expected_world(known, world(layer, path), "fixed"), atol=1e-3
    )


def test_vectors_tracks_and_surfaces():
    known, _ = registration(AFFINE)
    vectors = Vectors(np.stack([PLACES, np.full((3, 2), 4.0)], axis=1), **MOVING)
    result, _ = carry(vectors, known, Way())
    ends = vectors.data.sum(axis=1)
    np.testing.assert_allclose(
        world(result, result.data.sum(axis=1)), expected_world(known, world(vectors, ends), "fixed")
    )
    rows = np.array([(1, 0, 20, 30), (1, 1, 21, 33), (2, 0, 40, 20), (2, 1, 42, 21.0)])
    tracks = Tracks(rows, graph={2: [1]}, scale=(1, 0.7, 0.6), translate=(0, -1, 4))
    tracks.units = ("s", "micrometer", "micrometer")
    result, _ = carry(tracks, known, Way())
    np.testing.assert_array_equal(result.data[:, :2], rows[:, :2])
    flat, _ = carry(Points(rows[:, 2:], **MOVING), known, Way())
    np.testing.assert_allclose(result.data[:, 2:], flat.data)
    assert {k: list(v) for k, v in result.graph.items()} == {2: [1]}
    surface = Surface((PLACES, np.array([[0, 1, 2]]), np.arange(3.0)), **MOVING)
    result, _ = carry(surface, known, Way())
    flat, _ = carry(Points(PLACES, **MOVING), known, Way())
    np.testing.assert_allclose(result.vertices, flat.data)


def test_what_has_no_place_is_left_out_with_all_that_belongs_to_it():
    known, _ = registration(bend())
    far = (500.0, 500.0)
    layer = Points(
        [PLACES[0], far, PLACES[1]],
        features={"kind": ["a", "b", "c"]},
        face_color=["red", "lime", "blue"],
        symbol=["disc", "square", "cross"],
        size=[4, 8, 12],
        name="cells",
        **MOVING,
    )
    result, note = carry(layer, known, Way())
    assert note == "1 of 3 points of “cells” have no place there and were left out."
    assert list(result.features["kind"]) == ["a", "c"]
    np.testing.assert_array_equal(result.face_color, layer.face_color[[0, 2]])
    assert [str(s) for s in result.symbol] == [str(s) for s in layer.symbol[[0, 2]]]
    triangle = np.array([PLACES[0], PLACES[1], PLACES[2]])
    shapes = Shapes(
        [triangle, triangle + 500], shape_type="polygon", features={"n": [1, 2]}, **MOVING
    )
    result, note = carry(shapes, known, Way())
    assert len(result.data) == 1
    assert list(result.features["n"]) == [1]
    rows = np.array([(1, 0, 20, 30), (1, 1, 21, 33), (2, 0, 500, 500), (3, 0, 42, 21.0)])
    tracks = Tracks(rows, graph={2: [1], 3: [2]}, scale=(1, 0.7, 0.6), translate=(0, -1, 4))
    tracks.units = ("s", "micrometer", "micrometer")
    result, note = carry(tracks, known, Way())
    assert len(result.data) == 3
    assert not result.graph
    surface = Surface(
        (np.vstack([PLACES, [far]]), np.array([[0, 1, 2], [1, 2, 3]]), np.arange(4.0)),
        vertex_colors=np.random.default_rng(0).random((4, 3)),
        **MOVING,
    )
    result, note = carry(surface, known, Way())
    assert (len(result.vertices), len(result.faces), len(result.vertex_colors)) == (3, 1, 3)
    with pytest.raises(InputError, match="Nothing of"):
        carry(Points([far], name="stray", **MOVING), known, Way())


def test_layers_in_other_units():
    known, _ = registration(AFFINE)
    here = Points(PLACES, **MOVING)
    there = Points(PLACES, scale=(0.7e-3, 0.6e-3), translate=(-1e-3, 4e-3), units="mm")
    one, other = (carry(layer, known, Way())[0] for layer in (here, there))
    np.testing.assert_allclose(one.data, other.data)
    np.testing.assert_allclose(one.size, other.size)


@pytest.mark.parametrize("to", ["fixed", "moving"])
def test_a_moved_layer_lies_where_its_points_would(to):
    known, _ = registration(AFFINE)
    layer = Image(
        np.zeros((3, 70, 90)),
        scale=(4, 0.7e-3, 0.6e-3),
        rotate=(0, 0, 0),
        translate=(0, -1e-3, 4e-3),
        units=("s", "mm", "mm"),
    )
    flat = Points(PLACES, scale=(0.7e-3, 0.6e-3), translate=(-1e-3, 4e-3), units="mm")
    moved, _ = carry(flat, known, Way(to, own_grid=True))
    before = np.array(layer.affine.affine_matrix)
    moves = Moves()
    moves.move([layer, flat], known, AFFINE, to)
    np.testing.assert_allclose(world(flat, PLACES), world(moved, moved.data), atol=1e-9)
    stacked = world(layer, np.column_stack([[1, 2, 0], PLACES]))
    np.testing.assert_allclose(stacked[:, 1:], world(flat, PLACES), atol=1e-9)
    np.testing.assert_allclose(stacked[:, 0], (4, 8, 0))
    with pytest.raises(InputError, match="already been moved"):
        moves.move([flat], known, AFFINE, to)
    assert moves.undo() == (2, [])
    np.testing.assert_allclose(layer.affine.affine_matrix, before)
    assert not moves


def test_only_affines_move_and_what_others_moved_stays():
    known, moving = registration(bend())
    moves = Moves()
    with pytest.raises(InputError, match="bends"):
        moves.move([moving], known, known.known, "fixed")
    assert not moves
    known, moving = registration(AFFINE)
    moves.move([moving], known, AFFINE, "fixed")
    moving.affine = np.eye(3)
    count, notes = moves.undo()
    assert count == 0
    assert "stays where it is" in notes[0]


def test_a_file_of_lengths_fits_images_in_different_units(tmp_path):
    pytest.importorskip("SimpleITK")
    fixed = Image(np.zeros((60, 80)), name="fixed", scale=(0.5, 0.8), units="mm")
    moving = Image(np.zeros((70, 90)), name="moving", scale=(700, 600), units="micrometer")
    AFFINE.save(tmp_path / "t.tfm", fixed_spacing=(0.5, 0.8), moving_spacing=(0.7, 0.6), unit="mm")
    known = Registration("t", ground_of(fixed), ground_of(moving), path=tmp_path / "t.tfm")
    np.testing.assert_allclose(known.load().map([(10.0, 20.0)]), AFFINE.map([(10.0, 20.0)]))
