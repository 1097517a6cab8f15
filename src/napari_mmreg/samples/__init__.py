"""Sample pairs with a known misalignment, built at run time.

No image is stored here: the samples come from images inside scikit-image's wheel, and
one real pair is downloaded when asked for. Every sample knows the truth, so a first run can
show its own error.
"""

from __future__ import annotations

from napari_mmreg.samples.catalogue import list_samples, load_sample
from napari_mmreg.samples.download import SampleError
from napari_mmreg.samples.misalignment import Misalignment
from napari_mmreg.samples.sample import Sample, SampleInfo

__all__ = [
    "Misalignment",
    "Sample",
    "SampleError",
    "SampleInfo",
    "list_samples",
    "load_sample",
]
