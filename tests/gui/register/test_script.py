"""The code that repeats a run, executed."""

from __future__ import annotations

from dataclasses import replace

import imageio.v3 as iio
import numpy as np
import pytest
from napari.layers import Image
from napari.layers._source import layer_source

from napari_mmreg.errors import InputError
from napari_mmreg.gui.register.script import script_of


@pytest.fixture
def execute(monkeypatch, tmp_path):
    """Return what executes code in an empty folder and tells what `register` was given."""
    monkeypatch.chdir(tmp_path)

    def run(code, result):
        calls = []

        def register(fixed, moving, **options):
            calls.append((fixed, moving, options))
            return result

        monkeypatch.setattr("napari_mmreg.register", register)
        exec(compile(code, "script", "exec"), {})
        return calls[0]

    return run


def _same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_equal(value, other[name])


def test_the_code_gives_the_engine_what_the_dock_gave_it(
    session, viewer, pictures, make_run, engine, execute, tmp_path
):
    layers = []
    for data, name in zip(pictures, ("visible", 'infra"red\\'), strict=True):
        path = tmp_path / f"{len(layers)}.png"
        iio.imwrite(path, (data * 255).astype(np.uint8))
        with layer_source(path=str(path)):  # as napari's readers do
            layers.append(viewer.add_image(iio.imread(path), name=name))
    layers[1].translate = (3, 4)
    run = make_run(session, *layers, seed=7, refine=False, device="cpu")
    fixed, moving, options = execute(script_of(run), run.bundle.result)
    given = {k: v for k, v in engine.calls[0][2].items() if v is not None}
    for key in ("progress", "cancel"):
        del given[key]
    _same(options, given)
    np.testing.assert_array_equal(fixed, layers[0].data)
    np.testing.assert_array_equal(moving, layers[1].data)
    assert (tmp_path / "result" / "report.json").is_file()


def test_samples_are_loaded_as_samples(session, viewer, make_run, execute):
    from napari_mmreg.gui.samples import load_thermal

    layers = [viewer.add_layer(Image(d, **k)) for d, k, kind in load_thermal() if kind == "image"]
    run = make_run(session, *layers)
    fixed, moving, _ = execute(script_of(run), run.bundle.result)
    np.testing.assert_array_equal(fixed, layers[0].data)
    np.testing.assert_array_equal(moving, layers[1].data)


def test_layers_from_nowhere_are_to_be_saved_first(session, viewer, pair, make_run, execute):
    mask = viewer.add_labels(np.ones((96, 128), np.uint8), name="tissue")
    run = make_run(session, *pair)
    masked = replace(run.bundle.snapshot, fixed_mask=session.snapshot(*pair, None, mask).fixed_mask)
    run.bundle = replace(run.bundle, snapshot=masked)
    code = script_of(run)
    assert "Save the array of the layer “visible” first" in code
    for name, layer in (("fixed", pair[0]), ("moving", pair[1]), ("fixed_mask", mask)):
        np.save(f"{name}.npy", layer.data)
    _, _, options = execute(code, run.bundle.result)
    assert options["fixed_mask"].all()


def test_what_was_marked_by_hand_is_not_repeated(session, pair, make_run):
    run = make_run(session, *pair)
    run.bundle.result.provenance["parent"] = None
    with pytest.raises(InputError, match="landmarks"):
        script_of(run)
