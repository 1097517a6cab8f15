"""Cutting out the region that a user drew."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image, Shapes

from napari_mmreg.errors import InputError
from napari_mmreg.gui.shared import snapshot as snapshots
from napari_mmreg.gui.shared.job import choose_start, start_of
from napari_mmreg.gui.shared.region import cut_region, whole_from_region
from napari_mmreg.gui.shared.snapshot import RunSettings, Snapshot, read, take_picture


def rectangle(low, high):
    return np.array([low, (low[0], high[1]), high, (high[0], low[1])], dtype=float)


def same_place(region, whole, pixel):
    """A region's pixel is the whole image's pixel at the same world point."""
    return (whole_from_region(whole, region) @ (*pixel, 1.0))[:2]


def test_a_region_has_the_pixels_that_lie_in_the_rectangle():
    data = np.arange(60 * 80).reshape(60, 80)
    layer = Image(data, scale=(2, 3), translate=(10, 20), rotate=30)
    # Drawn in the world: from pixel (10, 20) to (39, 69).
    corners = [layer.data_to_world(point)[-2:] for point in rectangle((10, 20), (39, 69))]
    whole = take_picture(layer)
    part = cut_region(whole, Shapes([np.array(corners)], shape_type="polygon"))
    np.testing.assert_array_equal(read(part), data[10:40, 20:70])
    assert part.shape == (30, 50)
    assert part.origin.crop == (10, 20, 40, 70)
    np.testing.assert_allclose(same_place(part, whole, (5, 7)), (15, 27), atol=1e-9)
    again = Image(read(part), **part.placement.layer_kwargs)
    np.testing.assert_allclose(again.data_to_world((5, 7)), layer.data_to_world((15, 27)))


def test_a_region_reaches_no_further_than_the_image():
    whole = take_picture(Image(np.zeros((60, 80, 3), np.uint8), rgb=True))
    part = cut_region(whole, Shapes([rectangle((-50, 40), (30, 400))]))
    assert read(part).shape == (31, 40, 3)


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ([], "Nothing is drawn"),
        ([rectangle((100, 100), (150, 150))], "outside"),
        ([rectangle((10, 10), (20, 40))], "11 × 31"),
    ],
)
def test_what_is_no_region_is_said(shapes, said):
    whole = take_picture(Image(np.zeros((60, 80)), name="section"))
    with pytest.raises(InputError, match=said):
        cut_region(whole, Shapes(shapes, ndim=2, name="here"))


def test_a_region_in_other_units_is_found_where_it_lies():
    layer = Image(np.zeros((60, 80)), scale=(0.5, 0.25), units="um", name="section")
    drawn = rectangle((5e-3, 5e-3), (14.5e-3, 14.75e-3))
    part = cut_region(take_picture(layer), Shapes([drawn], units="mm"))
    assert part.origin.crop == (10, 20, 30, 60)
    with pytest.raises(InputError, match="in pixel and the fixed image “section” in micrometer"):
        cut_region(take_picture(layer), Shapes([drawn], name="here"))


def test_a_region_of_a_pyramid_is_read_at_the_finest_level_that_fits(monkeypatch):
    full = np.arange(256 * 256).reshape(256, 256)
    levels = [full, full[::2, ::2], full[::4, ::4]]
    layer = Image(levels, multiscale=True)
    monkeypatch.setattr(snapshots, "LEVEL_BUDGET", 64 * 64)
    monkeypatch.setattr("napari_mmreg.gui.shared.region.LEVEL_BUDGET", 64 * 64)
    whole = take_picture(layer)
    assert whole.shape == (64, 64)
    small = cut_region(whole, Shapes([rectangle((80, 40), (120, 90))]))
    np.testing.assert_array_equal(read(small), full[80:121, 40:91])
    np.testing.assert_allclose(small.placement.world_from_pixels[:2, 2], (80, 40))
    large = cut_region(whole, Shapes([rectangle((80, 40), (180, 160))]))
    np.testing.assert_array_equal(read(large), levels[1][40:91, 20:81])
    np.testing.assert_allclose(large.placement.spacing, (2, 2))


def test_a_region_starts_where_the_whole_image_would(pictures):
    fixed, moving = Image(pictures[0]), Image(pictures[1][::2, ::2])
    whole, other = take_picture(fixed), take_picture(moving)
    part = cut_region(whole, Shapes([rectangle((40, 60), (90, 110))]))
    around = Snapshot(1, whole, other, None, None, RunSettings())
    inside = Snapshot(1, part, other, None, None, RunSettings(), whole=whole)
    matrix, note = choose_start(inside)
    assert note == choose_start(around)[1]
    expected = start_of(around).map(np.array([(45.0, 70.0)]))[0]
    np.testing.assert_allclose((matrix @ (5, 10, 1))[:2], expected)
