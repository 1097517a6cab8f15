"""Samples as layers."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Points

from napari_mmreg.gui import samples
from napari_mmreg.gui.shared.modalities import METADATA_KEY, MODALITIES, guess_modality
from napari_mmreg.samples import SampleError, list_samples, load_sample

COMMANDS = {
    samples.load_ihc: "ihc_two_stain",
    samples.load_motorcycle: "motorcycle_rgb_depth",
    samples.load_thermal: "visible_thermal_simulated",
}


@pytest.mark.parametrize(("command", "name"), COMMANDS.items())
def test_every_sample_opens_as_two_images_and_their_landmarks(command, name):
    viewer = ViewerModel()
    for data, kwargs, kind in command():
        getattr(viewer, f"add_{kind}")(data, **kwargs)
    fixed, moving, fixed_points, moving_points = viewer.layers
    assert [type(layer) for layer in viewer.layers] == [Image, Image, Points, Points]
    sample = load_sample(name)
    assert [layer.name for layer in viewer.layers] == [
        sample.fixed_name,
        sample.moving_name,
        f"landmarks {sample.fixed_name}",
        f"landmarks {sample.moving_name}",
    ]
    np.testing.assert_array_equal(fixed.data, sample.fixed)
    np.testing.assert_array_equal(moving.data, sample.moving)
    assert fixed.rgb == (sample.fixed.ndim == 3)
    for low, high in (layer.contrast_limits for layer in (fixed, moving)):
        assert np.isfinite([low, high]).all()
        assert low < high
    assert fixed_points.features["point"].tolist() == moving_points.features["point"].tolist()
    np.testing.assert_allclose(sample.truth.map(fixed_points.data), moving_points.data)


def test_layers_know_their_truth_and_their_modality():
    layers = samples.load_motorcycle()
    roles = [kwargs["metadata"][METADATA_KEY]["role"] for _, kwargs, _ in layers]
    assert roles == ["fixed", "moving", "fixed landmarks", "moving landmarks"]
    fixed, moving = (kwargs for _, kwargs, kind in layers if kind == "image")
    assert fixed["metadata"][METADATA_KEY]["truth_displacement"].shape == (420, 621, 2)
    assert guess_modality(fixed["name"], metadata=fixed["metadata"]) == "visible"
    assert guess_modality(moving["name"], metadata=moving["metadata"]) == "depth"


def test_the_dock_knows_all_modalities_of_the_samples():
    for info in list_samples():
        assert {info.fixed_modality, info.moving_modality} <= set(MODALITIES)


def test_a_failed_download_is_a_typed_error(monkeypatch, tmp_path):
    from napari_mmreg.samples import roadscene

    monkeypatch.setenv("MMREG_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(roadscene, "BASE_URL", "http://127.0.0.1:9")  # the discard port
    with pytest.raises(SampleError, match="Connect to the internet"):
        samples.load_roadscene()
