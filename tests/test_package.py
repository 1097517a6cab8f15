import subprocess
import sys
from graphlib import TopologicalSorter

import grimp
import pytest

import napari_mmreg

LIGHT = """
import sys

import napari_mmreg
from napari_mmreg.cli import build_parser

dir(napari_mmreg)
build_parser().format_help()
slow = {"imageio", "napari", "numpy", "qtpy", "scipy", "skimage", "torch", "tqdm"}
assert not slow & set(sys.modules), slow & set(sys.modules)

import napari_mmreg.evaluation
import napari_mmreg.imaging
import napari_mmreg.io
import napari_mmreg.landmarks.proposals
import napari_mmreg.landmarks.snap
import napari_mmreg.registration
from napari_mmreg.fusion import list_fusions
from napari_mmreg.models import list_models
from napari_mmreg.samples import list_samples
from napari_mmreg.gui.transforms.reader import get_reader

assert get_reader("absent.npz") is None
assert list_models() and list_fusions() and list_samples()
slow = {
    *{"PIL", "mamba_ssm", "napari", "pooch", "qtpy", "torch", "transformers", "skimage.transform"},
    *(f"scipy.{part}" for part in ("interpolate", "optimize", "signal", "spatial", "stats")),
}
assert not slow & set(sys.modules), slow & set(sys.modules)
"""


def test_only_use_imports_what_is_slow_and_only_the_plugin_napari():
    """Ruff keeps such imports out of modules; this also sees those of what they import."""
    done = subprocess.run(
        [sys.executable, "-c", LIGHT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_no_imports_in_a_circle():
    """Those inside functions included; `CycleError` names the modules of a circle."""
    graph = grimp.build_graph("napari_mmreg", exclude_type_checking_imports=True, cache_dir=None)
    imported = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    assert len(imported) > 400
    TopologicalSorter(imported).prepare()


def test_public_names():
    for name in napari_mmreg.__all__:
        assert getattr(napari_mmreg, name)
        assert name in dir(napari_mmreg)
    with pytest.raises(AttributeError, match="nothing_like_that"):
        _ = napari_mmreg.nothing_like_that
