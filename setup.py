"""Puts the trained weights into the wheel; everything else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithWeights(build_py):
    """Copies ``weights/`` into the package that is built; a checkout uses it where it lies."""

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        weights = Path(__file__).parent / "weights"
        if weights.is_dir() and not self.editable_mode:
            target = Path(self.build_lib) / "napari_mmreg" / "weights"
            shutil.copytree(weights, target, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithWeights})
