"""Refinement in tiles, with images that tell where their pixels belong.

The channels of both images are the row and the column of the fixed image, so that what is left to
be corrected can be read off a tile: the network is replaced, and nothing else.
"""

from __future__ import annotations

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest

from napari_mmreg.errors import Cancelled, InputError
from napari_mmreg.geometry import (
    CompositeTransform,
    DisplacementTransform,
    MatrixTransform,
    is_lazy,
)
from napari_mmreg.large import planned_rounds, refine_tiles
from napari_mmreg.large import refine as module
from napari_mmreg.large.blend import nodes
from results import make_result, off

SHAPE = (1000, 1300)


def truth():
    rng = np.random.default_rng(2)
    bend = DisplacementTransform.coarse(rng.normal(size=(5, 6, 2)) * 5, SHAPE)
    turn = MatrixTransform.from_params(rotation_degrees=1, translation=(5, -8))
    return CompositeTransform([bend, turn]), turn


@pytest.fixture(scope="module")
def scene():
    """Images, the truth, and a result that knows all but what bends."""
    whole, turn = truth()
    fixed = np.zeros((*SHAPE, 3), np.float32)
    fixed[..., :2] = np.stack(np.mgrid[: SHAPE[0], : SHAPE[1]], axis=-1)
    moving = np.zeros_like(fixed)
    back = whole.inverse()
    moving[..., :2] = back.displacement(SHAPE) + fixed[..., :2]
    moving = np.nan_to_num(moving, nan=-1e4)
    result = make_result(
        fixed,
        moving,
        turn,
        fixed_from_grid=MatrixTransform(np.diag([10.0, 10.0, 1.0])),
        grid_errors=off(np.full((100, 130), 0.2)),
    )
    return fixed, moving, whole, result


def looking(wrong=()):
    """Return what stands in for the network: it reads what is left off the images."""

    def correct(read, network, run):
        tile, fixed, _, moving, _ = read
        where = (nodes(tile) - (tile.rows.start, tile.cols.start)).astype(int)
        at = tuple(np.moveaxis(where, -1, 0))
        factor = fixed[1, 0, 0] - fixed[0, 0, 0]
        left = (fixed[at] - moving[at])[..., :2] / factor
        left = np.where(np.abs(left) > 40, 0, left)  # outside of the moving image
        return (left + (9 if tile.place in wrong else 0)).astype(np.float32)

    return correct


@pytest.fixture
def rigged(monkeypatch):
    monkeypatch.setattr("napari_mmreg.models.elastic.load_elastic", lambda device: None)
    monkeypatch.setattr(module, "_correct", looking())
    monkeypatch.setattr(module, "FIRST", 300)
    return monkeypatch


def error(transform, whole):
    places = np.stack(np.mgrid[60:940:15, 60:1240:15], axis=-1)
    return np.linalg.norm(transform.map(places) - whole.map(places), axis=-1)


def test_rounds_go_from_coarse_to_fine(scene, rigged):
    fixed, moving, whole, result = scene
    heard = []
    better = refine_tiles(
        fixed, moving, result, device="cpu", progress=lambda _s, f: heard.append(f)
    )
    assert error(result.transform, whole).mean() > 4
    assert error(better.transform, whole).max() < 0.3
    rounds = better.provenance["refined_tiles"]
    assert [each["factor"] for each in rounds] == [4, 2, 1]
    assert all(each["accepted"] == each["tiles"] for each in rounds)
    assert heard == sorted(heard)
    assert heard[-1] == pytest.approx(1)
    expected = better.transform.resample(moving, SHAPE, 1, fill=np.nan)
    np.testing.assert_array_equal(better.registered, expected)
    assert better.metrics["displacement_max_px"] > 8


def test_lazy_images_stay_lazy(scene, rigged):
    fixed, moving, whole, result = scene
    chunked = [da.from_array(image, chunks=(300, 300, 3)) for image in (fixed, moving)]
    lazily = replace(result, registered=chunked[0])
    better = refine_tiles(*chunked, lazily, finest=2, device="cpu")
    assert is_lazy(better.registered)
    assert [each["factor"] for each in better.provenance["refined_tiles"]] == [4, 2]
    assert error(better.transform, whole).max() < 0.5


def test_one_wrong_tile_does_no_harm(scene, rigged):
    fixed, moving, whole, result = scene
    rigged.setattr(module, "FIRST", 1000)
    rigged.setattr(module, "_correct", looking(wrong=((1, 1),)))
    better = refine_tiles(fixed, moving, result, device="cpu")
    (only,) = better.provenance["refined_tiles"]
    assert only["contradicted"] == 1
    found = error(better.transform, whole)
    assert found.max() < 1.1 * error(result.transform, whole).max()
    assert np.median(found) < 0.5


def test_what_is_lost_or_flat_is_left_alone(scene, rigged):
    fixed, moving, _, result = scene
    rigged.setattr(module, "FIRST", 1000)
    risk = np.full((100, 130), 0.2, np.float32)
    risk[:, 65:] = 1
    better = refine_tiles(fixed, moving, replace(result, grid_errors=off(risk)), device="cpu")
    (only,) = better.provenance["refined_tiles"]
    assert 0 < only["tried"] < only["tiles"]
    rigged.setattr(module, "FLAT", 10.0)
    same = refine_tiles(fixed, moving, result, device="cpu")
    assert same.provenance["refined_tiles"][0]["tried"] == 0
    assert error(same.transform, result.transform).max() == 0


def test_masks_are_kept_to(scene, rigged):
    fixed, moving, _, result = scene
    rigged.setattr(module, "FIRST", 1000)
    seen = np.zeros(SHAPE, bool)

    def note(read, network, run):
        tile, _, fixed_mask, _, moving_mask = read
        seen[tile.rows, tile.cols] |= fixed_mask & moving_mask

    rigged.setattr(module, "_correct", note)
    usable = np.zeros((500, 650), np.uint8)  # half the resolution will do
    usable[:, :400] = 3
    same = refine_tiles(fixed, moving, result, device="cpu", fixed_mask=usable)
    assert seen[100:-100, 100:790].all()
    assert not seen[:, 800:].any()
    (only,) = same.provenance["refined_tiles"]
    assert only["accepted"] == 0
    seen[:] = False
    refine_tiles(fixed, moving, result, device="cpu", moving_mask=usable)
    turned = result.transform.map(np.stack(np.nonzero(seen), axis=-1))
    assert 780 < turned[:, 1].max() < 801
    with pytest.raises(InputError, match="moving mask has 3 axes"):
        refine_tiles(fixed, moving, result, moving_mask=fixed)


def test_the_rounds_are_known_before():
    assert planned_rounds((900, 1024)) == []
    assert planned_rounds((900, 1025)) == [(1, 9)]
    assert planned_rounds((900, 1025), finest=2) == []
    assert planned_rounds((1000, 4096)) == [(2, 5), (1, 33)]


def test_small_failed_and_wrong_input(scene, rigged):
    fixed, moving, _, result = scene
    assert refine_tiles(fixed, moving, replace(result, status="failed")).status == "failed"
    rigged.setattr(module, "FIRST", 2048)
    small = fixed[:600, :700]
    same = replace(result, fixed_shape=(600, 700))
    assert refine_tiles(small, moving, same) is same
    with pytest.raises(InputError, match="fixed image of 1000 x 1300"):
        refine_tiles(small, moving, result)
    with pytest.raises(InputError, match="1, 2, 4"):
        refine_tiles(fixed, moving, result, finest=3)
    with pytest.raises(Cancelled):
        refine_tiles(fixed, moving, result, device="cpu", cancel=lambda: True)


@pytest.mark.slow
def test_the_network_mends_what_bends_within_a_tile():
    from skimage import data
    from skimage.transform import resize

    fixed = (255 * resize(data.camera(), (600, 1100), anti_aliasing=True)).astype(np.uint8)
    rng = np.random.default_rng(0)
    bend = DisplacementTransform.coarse(rng.normal(size=(5, 8, 2)) * 5, fixed.shape)
    moving = bend.inverse().resample(255 - fixed, fixed.shape, 1, fill=0)
    result = make_result(fixed, moving, MatrixTransform.identity())
    looks = []
    better = refine_tiles(fixed, moving, result, device="cpu", preview=looks.append)
    places = np.stack(np.mgrid[40:560:20, 40:1060:20], axis=-1)

    def off(transform):
        return np.median(np.linalg.norm(transform.map(places) - bend.map(places), axis=-1))

    (about,) = better.provenance["refined_tiles"]
    assert about["accepted"] > 0
    assert [look.subject for look in looks[:3]] == ["Tile 1 of 6", "Tile 1 of 6", "Tile 2 of 6"]
    pairs = zip(looks[::2], looks[1::2], strict=True)
    gained = [after.similarity - before.similarity for before, after in pairs]
    assert sum(gain > 0.01 for gain in gained) == about["accepted"]
    assert off(better.transform) < 0.6 * off(result.transform)
