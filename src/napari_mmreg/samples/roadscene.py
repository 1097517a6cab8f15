"""A real visible and infrared pair, downloaded when asked for.

Xu et al., "U2Fusion: A Unified Unsupervised Image Fusion Network", TPAMI 2020, published the
RoadScene pairs, cut from FLIR's thermal data set, at https://github.com/hanna-xu/RoadScene.
The repository states **no licence**: the images are neither shipped nor redistributed here;
look at the authors' page before you publish them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_mmreg.samples.download import SampleError, fetch
from napari_mmreg.samples.misalignment import Misalignment
from napari_mmreg.samples.pictures import aligned_to_sample

if TYPE_CHECKING:
    from napari_mmreg.samples.sample import Sample, SampleInfo

COMMIT = "ab71420f8fc96396eeb97eecf3694909b3feb656"
BASE_URL = f"https://raw.githubusercontent.com/hanna-xu/RoadScene/{COMMIT}"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of the repository: its path there and its SHA-256."""

    path: str
    sha256: str

    @property
    def name(self) -> str:
        """Its name in the cache."""
        return "roadscene_" + self.path.replace("/", "_")


VISIBLE = RemoteFile(
    "crop_LR_visible/FLIR_08835.jpg",
    "09b11ddee8bb702e4b75a8d2d03b6f54fefe0f2b6cf6dd222d1f099dc3ad91fa",
)
INFRARED = RemoteFile(
    "cropinfrared/FLIR_08835.jpg",
    "acf2fe229ff094dc40871d86f8435c96b7fb0f61400a17434fac463e4264a0e9",
)


def download(base_url: str | None = None, folder: Path | None = None) -> tuple[Path, Path]:
    """Return the visible and the infrared file, from the cache or from `base_url`."""
    base = BASE_URL if base_url is None else base_url
    visible, infrared = (
        fetch(f"{base}/{file.path}", file.name, file.sha256, folder) for file in (VISIBLE, INFRARED)
    )
    return visible, infrared


def roadscene_flir_08835(info: SampleInfo) -> Sample:
    """Build the real pair FLIR_08835 with a known misalignment on top.

    The authors aligned the two cameras to about a pixel, so the truth is not better than that.
    """
    import imageio.v3 as iio

    visible, infrared = (np.asarray(iio.imread(path)) for path in download())
    grey = infrared if infrared.ndim == 2 else infrared[..., 0]
    if visible.shape[:2] != grey.shape or min(grey.shape) < 128:
        raise SampleError(
            f"The RoadScene images have the sizes {visible.shape[:2]} and {grey.shape}, which do "
            "not belong together; delete them from the cache and open the sample again."
        )
    return aligned_to_sample(
        info,
        visible,
        grey,
        (36, 40),
        Misalignment(
            rotation_degrees=4.0,
            scale=0.97,
            translation=(11.0, -15.0),
            perspective=(0.01, 0.01),
            elastic=3.0,
            wavelength=100.0,
            seed=2,
        ),
    )
