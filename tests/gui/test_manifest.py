"""What napari sees of the plugin."""

from __future__ import annotations

import importlib
from dataclasses import asdict

import pytest
from npe2 import PluginManifest

from napari_mmreg.fusion import list_fusions
from napari_mmreg.gui.register.layers_box import MAX_ARROWS, MIN_ARROWS
from napari_mmreg.gui.shared.fused import NO_FUSION
from napari_mmreg.gui.shared.settings import Defaults, read_defaults
from napari_mmreg.gui.shared.strings import BUDGETS, DEVICES, MODES
from napari_mmreg.models import list_models


@pytest.fixture(scope="module")
def manifest():
    return PluginManifest.from_distribution("napari-mmreg")


def test_every_command_exists(manifest):
    commands = manifest.contributions.commands
    assert commands
    for command in commands:
        module, _, name = command.python_name.partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_the_docks_are_in_the_menus(manifest):
    entries = manifest.contributions.menus["napari/layers/register"]
    names = ("register", "series", "landmarks", "evaluate", "batch")
    docks = [f"napari-mmreg.{name}" for name in names]
    assert [entry.command for entry in entries] == [*docks, "napari-mmreg.split_scan"]
    apply = "napari-mmreg.apply"
    entries = manifest.contributions.menus["napari/layers/transform"]
    assert [entry.command for entry in entries] == [apply]
    assert [w.command for w in manifest.contributions.widgets] == [*docks, apply]


def test_the_samples_are_those_that_there_are(manifest):
    from napari_mmreg.samples import list_samples
    from napari_mmreg.samples.bidirectional import NAME

    pairs = {sample.name for sample in list_samples()}
    assert {s.key for s in manifest.contributions.sample_data} == pairs | {NAME}


def test_no_keys_are_bound(manifest):
    assert not manifest.contributions.keybindings


def test_preferences_fit_the_dock(manifest):
    run = manifest.contributions.configurations["run"].properties
    assert run["device"].enum == list(DEVICES)
    assert (run["arrows"].minimum, run["arrows"].maximum) == (MIN_ARROWS, MAX_ARROWS)
    assert run["fusion"].enum == [NO_FUSION, *(info.name for info in list_fusions())]
    assert run["model"].enum == ["auto", *(info.name for info in list_models())]
    assert run["budget"].enum == list(BUDGETS)
    assert run["comparison"].enum == list(MODES)
    assert Defaults(**{name: run[name].default for name in run}) == Defaults()


@pytest.mark.gui
def test_a_dock_starts_with_the_preferences(
    plugin_settings, npe2pm, manifest, make_napari_viewer, engine
):
    from napari.settings import get_plugin_settings

    from napari_mmreg.gui.register.dock import RegisterDock

    assert read_defaults() == Defaults()  # not registered here yet
    if "napari-mmreg" not in npe2pm:
        npe2pm.register(manifest)
    run = get_plugin_settings("napari-mmreg").run
    chosen = Defaults("auto", "best", "cpu", False, 2, "curtain", 50, "laplacian", False)
    for name, value in asdict(chosen).items():
        setattr(run, name, value)
    assert read_defaults() == chosen
    viewer = make_napari_viewer()
    dock = RegisterDock(viewer, engine, [])
    viewer.window.add_dock_widget(dock, name="Register images")
    assert dock.method.device.value == "cpu"
    assert dock.advanced.threads.value() == 2
    assert dock.layers.arrows.value() == 50
    assert dock.method.fusion.value == "laplacian"
    assert dock.method.budget.value == "best"
    assert not dock.method.refine.isChecked()
    assert dock.compare.mode.value == "curtain"
    dock.shut_down()
