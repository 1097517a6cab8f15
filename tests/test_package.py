import subprocess
import sys

import pytest

import napari_mmreg


def test_importing_is_cheap():
    code = (
        "import sys, napari_mmreg; dir(napari_mmreg);"
        "heavy = {'torch', 'napari', 'scipy', 'skimage', 'qtpy', 'numpy'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("module", ["imaging", "evaluation", "fusion", "models", "registration"])
def test_rooms_do_not_import_torch_by_themselves(module):
    code = (
        f"import sys, napari_mmreg.{module};"
        "assert not {'torch', 'napari', 'qtpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_public_names():
    for name in napari_mmreg.__all__:
        assert getattr(napari_mmreg, name)
        assert name in dir(napari_mmreg)
    with pytest.raises(AttributeError, match="nothing_like_that"):
        _ = napari_mmreg.nothing_like_that
