"""Transform files as layers, and layers as transform files; in viewer models without a window."""

from __future__ import annotations

import napari
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from numpy.testing import assert_allclose

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import DisplacementTransform, Frame, MatrixTransform, Transform
from napari_mmreg.gui.shared import bundle as bundles
from napari_mmreg.gui.shared.carried import pixels_of, transform_of
from napari_mmreg.gui.shared.snapshot import RunSettings, Snapshot, take_picture
from napari_mmreg.gui.transforms import reader, writer
from napari_mmreg.gui.transforms.arrows import NOMINAL, layer_data
from napari_mmreg.io import load_transform

SHIFT = MatrixTransform.translation((4, -6))
FRAMES = Frame((40, 60), (0.5, 0.25), "mm"), Frame((50, 70), (1.0, 0.25), "mm")


@pytest.fixture
def said(monkeypatch):
    texts = []
    monkeypatch.setattr("napari.utils.notifications.show_info", texts.append)
    return texts


@pytest.fixture
def viewer(monkeypatch):
    viewer = ViewerModel()
    monkeypatch.setattr(napari, "current_viewer", lambda: viewer)
    return viewer


def opened(path):
    found = reader.get_reader(str(path))
    (data,) = found(str(path))
    return Layer.create(*data)


def test_a_file_becomes_arrows_that_carry_it(tmp_path, viewer, said):
    SHIFT.with_frames(*FRAMES).save(tmp_path / "t.npz")
    layer = opened(tmp_path / "t.npz")
    assert layer.name == "transform t.npz"
    assert_allclose(layer.scale, (0.5, 0.25))
    assert [str(unit) for unit in layer.units] == ["millimeter"] * 2
    start, step = layer.data[:, 0], layer.data[:, 1]
    assert start.min() > 0
    assert (start.max(axis=0) < (40, 60)).all()
    # In millimetres: twice the rows' size of a pixel.
    assert_allclose(start + step, np.add(start, (4, -6)) * (2, 1), atol=1e-4)
    assert_allclose(layer.features["length"], np.hypot(*step.T), rtol=1e-5)
    carried = transform_of(layer.metadata)
    assert carried.fixed_frame == FRAMES[0]
    apply = "Layers > Transform > Apply registration carries other layers along."
    assert said == [f"Opened t.npz. The arrows point from fixed to moving places. {apply}"]


def test_without_an_image_the_frame_is_nominal(tmp_path, viewer, said):
    SHIFT.save(tmp_path / "t.matrix.txt")
    layer = opened(tmp_path / "t.matrix.txt")
    assert layer.data[:, 0].max() > max(NOMINAL) - 32
    assert_allclose(layer.data[:, 1], np.broadcast_to((4, -6), layer.data[:, 1].shape), atol=1e-4)


def test_files_in_physical_units_take_the_images_pixels(tmp_path, viewer, said):
    pytest.importorskip("SimpleITK")
    SHIFT.save(tmp_path / "t.tfm", fixed_spacing=(0.5, 0.25))
    layer = opened(tmp_path / "t.tfm")
    assert_allclose(transform_of(layer.metadata).map([0, 0]), (2, -1.5))
    assert "for pixels of 1 x 1 pixel" in said[-1]
    assert "IO Utilities" in said[-1]
    viewer.add_image(
        np.zeros((30, 44)), scale=(0.5, 0.25), translate=(7, 8), units="um", name="fixed"
    )
    viewer.layers.selection.clear()
    layer = opened(tmp_path / "t.tfm")
    assert_allclose(transform_of(layer.metadata).map([0, 0]), (4, -6))
    assert "for pixels of 0.5 x 0.25 micrometer" in said[-1]
    assert_allclose(layer.translate, (7, 8))
    assert layer.data[:, 0].max() < 44


def test_b_splines_are_sampled_on_the_image(tmp_path, viewer, said):
    sitk = pytest.importorskip("SimpleITK")
    spline = sitk.BSplineTransformInitializer(sitk.Image(44, 30, sitk.sitkFloat32), [4, 3])
    sitk.WriteTransform(spline, str(tmp_path / "t.tfm"))
    with pytest.raises(InputError, match="fixed image's shape"):
        opened(tmp_path / "t.tfm")
    viewer.add_image(np.zeros((30, 44)))
    assert opened(tmp_path / "t.tfm").data.shape[0] > 100


def test_the_finest_level_counts(tmp_path, viewer, said):
    SHIFT.save(tmp_path / "t.matrix.txt")
    levels = [np.zeros((60, 88)), np.zeros((30, 44))]
    viewer.add_image(levels, multiscale=True, scale=(0.5, 0.5), translate=(3, 0))
    layer = opened(tmp_path / "t.matrix.txt")
    assert 80 < layer.data[:, 0].max() < 88
    assert_allclose(layer.scale, (0.5, 0.5))
    assert_allclose(layer.translate, (3, 0))


def test_what_is_no_transform_is_left_to_others(tmp_path):
    (tmp_path / "a.txt").write_text("a story")
    np.savez(tmp_path / "b.npz", a=np.eye(3))
    SHIFT.save(tmp_path / "c.npz")
    for name in ("a.txt", "b.npz", "absent.npz"):
        assert reader.get_reader(str(tmp_path / name)) is None
    names = [str(tmp_path / name) for name in ("c.npz", "b.npz")]
    assert reader.get_reader(names) is None
    assert reader.get_reader(names[:1]) is reader.read


def test_places_without_an_answer_have_no_arrow():
    field = np.full((40, 60, 2), np.nan, np.float32)
    data, kwargs, kind = layer_data(DisplacementTransform(field), "t", (40, 60))
    assert data.shape == (0, 2, 2)
    assert Layer.create(data, kwargs, kind).data.shape[0] == 0


@pytest.fixture
def run(fake_engine):
    """A run's layers: the fixed image in millimetres, the moving one in micrometres."""
    viewer = ViewerModel()
    fixed = viewer.add_image(
        np.random.default_rng(0).random((40, 60)), scale=(0.5, 0.25), units="mm"
    )
    moving = viewer.add_image(np.zeros((50, 70)), scale=(1000, 250), units="um")
    snapshot = Snapshot(1, take_picture(fixed), take_picture(moving), None, None, RunSettings())
    result = fake_engine()(fixed.data, moving.data, initial=SHIFT.matrix, progress=lambda *_: None)
    bundle = bundles.build(snapshot, fixed.data, moving.data, result, "", lambda: None)
    return [Layer.create(np.asarray(s.data), dict(s.kwargs), s.kind) for s in bundle.layers[:2]]


def test_layers_of_a_run_carry_its_transform(run, tmp_path):
    transform = transform_of(run[0].metadata)
    assert transform is transform_of(run[1].metadata)
    assert transform.fixed_frame == Frame((40, 60), (0.5, 0.25), "millimeter")
    assert transform.moving_frame == Frame((50, 70), (1.0, 0.25), "millimeter")
    assert transform.provenance
    assert writer.write_layer(str(tmp_path / "t.npz"), *run[0].as_layer_data_tuple()[:2])
    loaded = Transform.load(tmp_path / "t.npz")
    assert_allclose(loaded.map([3, 4]), (7, -2))
    assert loaded.provenance == transform.provenance
    pytest.importorskip("SimpleITK")
    writer.write_layers(str(tmp_path / "t.tfm"), [layer.as_layer_data_tuple() for layer in run])
    loaded = load_transform(
        tmp_path / "t.tfm", fixed_spacing=(0.5, 0.25), moving_spacing=(1.0, 0.25)
    )
    assert_allclose(loaded.map([3, 4]), (7, -2))


def test_layers_without_or_with_several_registrations(run, tmp_path):
    plain = ViewerModel().add_image(np.zeros((9, 9)))
    path = str(tmp_path / "t.npz")
    with pytest.raises(InputError, match="None of the selected layers"):
        writer.write_layer(path, *plain.as_layer_data_tuple()[:2])
    other = Layer.create(*layer_data(SHIFT, "other"))
    layers = [layer.as_layer_data_tuple() for layer in (run[0], plain)]
    assert writer.write_layers(path, layers) == [path]
    with pytest.raises(InputError, match="different registrations"):
        writer.write_layers(path, [*layers, other.as_layer_data_tuple()])


def picture(scale, units=None):
    viewer = ViewerModel()
    return take_picture(viewer.add_image(np.zeros((9, 8)), name="it", scale=scale, units=units))


def test_pixel_sizes_of_two_images():
    nobody, scaled = picture((1, 1)), picture((0.5, 2))
    assert pixels_of(nobody, nobody) is None
    assert pixels_of(nobody, scaled) == ((1, 1), (0.5, 2), None)
    small, large = picture((3, 4), "um"), picture((0.5, 2), "mm")
    assert pixels_of(small, large) == ((3, 4), (500, 2000), "micrometer")
    assert reader.options_for(small, None).spacings == ((3, 4), (3, 4))
    assert reader.options_for(nobody, nobody).fixed_spacing is None
    with pytest.raises(InputError, match="cannot be given in 'pixel'"):
        pixels_of(nobody, small)
    with pytest.raises(InputError, match="“it” are measured in different units"):
        pixels_of(picture((1, 1), ("um", "mm")), small)
