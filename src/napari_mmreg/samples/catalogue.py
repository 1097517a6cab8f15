"""Which samples there are, and how to get one by its name."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from napari_mmreg.samples.download import SampleError
from napari_mmreg.samples.sample import Sample, SampleInfo

_SAMPLES: dict[str, tuple[str, SampleInfo]] = {
    info.name: (module, info)
    for module, info in (
        (
            "napari_mmreg.samples.pictures",
            SampleInfo(
                "ihc_two_stain",
                "Two stains of one section (haematoxylin, DAB)",
                "haematoxylin",
                "DAB",
                "ihc",
                "ihc",
                "Colon section, FHL2 antibody (DAB) with haematoxylin counterstain, CMMI; no known "
                "copyright restrictions; from scikit-image. Split into stains by colour "
                "deconvolution; the DAB image was then warped by a known transform.",
            ),
        ),
        (
            "napari_mmreg.samples.pictures",
            SampleInfo(
                "motorcycle_rgb_depth",
                "Motorcycle, colour and depth",
                "motorcycle RGB",
                "motorcycle depth",
                "visible",
                "depth",
                "Middlebury 2014 stereo benchmark (Nesic, Westling, Wang, Kitajima, Krathwohl, "
                "Scharstein), left image and its disparity; from scikit-image. NaN where the "
                "benchmark has no disparity; the disparity was warped by a known transform.",
            ),
        ),
        (
            "napari_mmreg.samples.pictures",
            SampleInfo(
                "visible_thermal_simulated",
                "Coffee, visible and SIMULATED thermal",
                "coffee visible",
                "coffee thermal (simulated)",
                "visible",
                "thermal",
                "Photograph by Rachel Michetti, courtesy of Pikolo Espresso Bar, CC0; from "
                "scikit-image. The thermal image is simulated from the photograph and is no "
                "measurement; it was warped by a known transform.",
            ),
        ),
        (
            "napari_mmreg.samples.roadscene",
            SampleInfo(
                "roadscene_flir_08835",
                "RoadScene FLIR_08835, visible and infrared (download)",
                "road visible",
                "road infrared",
                "visible",
                "thermal",
                "Real pair from https://github.com/hanna-xu/RoadScene (Xu et al., U2Fusion, TPAMI "
                "2020), downloaded on request; the repository states no licence. Aligned by its "
                "authors to about a pixel; the infrared image was warped by a known transform.",
                needs_network=True,
            ),
        ),
    )
}


def list_samples() -> list[SampleInfo]:
    """Return what samples there are; builds and downloads nothing."""
    return [info for _, info in _SAMPLES.values()]


def load_sample(name: str) -> Sample:
    """Build a sample.

    Parameters
    ----------
    name : str
        One of the names that `list_samples` gives.

    Raises
    ------
    SampleError
        If there is no such sample, or its images cannot be downloaded.
    """
    if name not in _SAMPLES:
        raise SampleError(f"There is no sample {name!r}; choose one of: {', '.join(_SAMPLES)}.")
    module, info = _SAMPLES[name]
    build: Callable[[SampleInfo], Sample] = getattr(importlib.import_module(module), name)
    return build(info)
