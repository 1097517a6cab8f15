"""*File > IO Utilities*, and dropping files, in real windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import MatrixTransform, Transform
from napari_mmreg.gui.shared.carried import transform_of
from napari_mmreg.gui.transforms import menu
from napari_mmreg.gui.transforms.questions import Questions
from napari_mmreg.io import file_kinds, load_transform

SHIFT = MatrixTransform.translation((4, -6))


def kind(name):
    return next(each for each in file_kinds() if each.name == name)


@pytest.mark.parametrize(
    ("typed", "name", "written"),
    [
        ("t.npz", "npz", "t.npz"),
        ("t", "npz", "t.npz"),
        ("transform.npz", "itk", "transform.tfm"),
        ("t.h5", "itk", "t.h5"),
        ("t.npz", "itk-field", "t.nii.gz"),
        ("t.npz", "matrix", "t_matrix.txt"),
        ("t.npz", "elastix", "TransformParameters.0.txt"),
        ("t", "ngff", "t.zarr"),
        ("scan.v2", "bigwarp", "scan.v2_landmarks.csv"),
    ],
)
def test_endings(typed, name, written):
    assert menu.with_ending(Path("a") / typed, kind(name)) == Path("a") / written


def test_without_a_viewer():
    with pytest.raises(InputError, match="Open napari first"):
        menu.export_selected()


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer()
    viewer.add_image(np.zeros((30, 40)), name="fixed", scale=(500, 250), units="um")
    viewer.add_image(np.zeros((20, 50)), name="moving", scale=(1000, 500), units="um")
    return viewer


@pytest.fixture
def dialogs(monkeypatch):
    """Answer file dialogs with a path and the kind's filter, and accept all questions."""
    from qtpy.QtWidgets import QFileDialog

    def answer(path, name=None, asked=None):
        def filter_for(filters):
            title = "" if name is None else kind(name).title
            return next((each for each in filters if each.startswith(title)), "")

        def save(parent, title, start, filters, first):
            return str(path), filter_for(filters.split(";;"))

        def open_(parent, title, start, filters):
            return str(path), filter_for(filters.split(";;"))

        def run(self):
            if asked is not None:
                asked(self)
            return True

        monkeypatch.setattr(QFileDialog, "getSaveFileName", save)
        monkeypatch.setattr(QFileDialog, "getOpenFileName", open_)
        monkeypatch.setattr(Questions, "exec", run)

    return answer


@pytest.mark.gui
def test_out_and_in_again(viewer, dialogs, tmp_path):
    pytest.importorskip("SimpleITK")
    SHIFT.save(tmp_path / "t.npz")
    viewer.open(tmp_path / "t.npz", plugin="napari-mmreg")
    assert viewer.layers.selection == {viewer.layers[-1]}
    dialogs(tmp_path / "out.npz", "itk")
    menu.export_selected()
    assert_allclose(load_transform(tmp_path / "out.tfm").map([0, 0]), (4, -6))

    # A file in millimetres, between images in micrometres with other pixels.
    def choose(asking):
        asking.unit.setCurrentText("millimeter")
        assert (asking.fixed.currentText(), asking.moving.currentText()) == ("fixed", "moving")

    SHIFT.save(tmp_path / "mm.tfm", fixed_spacing=(0.5, 0.25), moving_spacing=(1.0, 0.5))
    dialogs(tmp_path / "mm.tfm", asked=choose)
    menu.import_transform()
    layer = viewer.layers[-1]
    assert layer.name == "transform mm.tfm"
    assert_allclose(transform_of(layer.metadata).map([10, 10]), (14, 4))
    assert_allclose(layer.scale, (500, 250))

    dialogs("")
    menu.import_transform()
    menu.export_selected()
    assert len(viewer.layers) == 4


@pytest.mark.gui
def test_matrices_are_asked_for_their_order(viewer, dialogs, tmp_path):
    np.save(tmp_path / "m.npy", SHIFT.matrix_xy)
    dialogs(tmp_path / "m.npy", asked=lambda asking: asking.order.setCurrentIndex(1))
    menu.import_transform()
    assert_allclose(transform_of(viewer.layers[-1].metadata).map([0, 0]), (4, -6))


@pytest.mark.gui
def test_nothing_to_export(viewer):
    viewer.layers.selection = {viewer.layers[0]}
    with pytest.raises(InputError, match="carries a registration"):
        menu.export_selected()


@pytest.mark.gui
def test_napari_saves_through_the_writers(viewer, tmp_path):
    SHIFT.save(tmp_path / "t.npz")
    (layer,) = viewer.open(tmp_path / "t.npz", plugin="napari-mmreg")
    viewer.layers.selection = {layer}
    (path,) = viewer.layers.save(str(tmp_path / "again.npz"), selected=True)
    assert_allclose(Transform.load(path).map([0, 0]), (4, -6))
    (path,) = viewer.layers.save(str(tmp_path / "t.matrix.txt"), selected=True)
    assert_allclose(load_transform(path).map([0, 0]), (4, -6))
    # Other people's images are still napari's own business.
    viewer.layers.selection = {viewer.layers[0]}
    (path,) = viewer.layers.save(str(tmp_path / "image"), selected=True)
    assert path.endswith(".tif")
