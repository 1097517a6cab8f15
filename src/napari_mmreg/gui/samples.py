"""*File > Open Sample*: sample pairs as layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.gui.shared.modalities import METADATA_KEY

if TYPE_CHECKING:
    from napari.types import LayerData
    from numpy.typing import NDArray

    from napari_mmreg.samples import Sample

FIXED_COLOUR = "#3ddc62"
MOVING_COLOUR = "#ff4fd8"


def load_ihc() -> list[LayerData]:
    """Open two stains of one section."""
    return _open("ihc_two_stain")


def load_motorcycle() -> list[LayerData]:
    """Open a photograph and its depth."""
    return _open("motorcycle_rgb_depth")


def load_thermal() -> list[LayerData]:
    """Open a photograph and a simulated thermal image of it."""
    return _open("visible_thermal_simulated")


def load_roadscene() -> list[LayerData]:
    """Open a real visible and infrared pair; downloaded the first time.

    Raises
    ------
    SampleError
        If it cannot be downloaded; napari shows the sentence.
    """
    return _open("roadscene_flir_08835")


def load_scan() -> list[LayerData]:
    """Open a simulated scan whose lines run to and fro, as one image.

    *Layers > Register > Split bidirectional scan* makes a pair of it.
    """
    from napari_mmreg.samples.bidirectional import NAME, TITLE, bidirectional_scan

    scan = bidirectional_scan()
    about = {"sample": NAME, "title": TITLE, "notes": scan.notes, "modality": "photoacoustic"}
    kwargs = {"name": TITLE, "metadata": {METADATA_KEY: about}, "colormap": "gray"}
    return [(scan.image, kwargs, "image")]


def _open(name: str) -> list[LayerData]:
    from napari_mmreg.samples import load_sample

    return sample_layers(load_sample(name))


def sample_layers(sample: Sample) -> list[LayerData]:
    """Return a sample's images and its landmarks as layer data tuples, bottom first.

    The landmarks of both images carry the same ids in their feature ``point``; each layer's
    metadata holds what `Sample.metadata` says, its role and its modality.
    """
    about = sample.metadata()
    colour = sample.fixed.ndim == 3
    layers: list[LayerData] = [
        (
            sample.fixed,
            {
                **_shared(sample.fixed_name, about, "fixed", sample.fixed_modality),
                **_look(sample.fixed, "gray" if colour else "green"),
            },
            "image",
        ),
        (
            sample.moving,
            {
                **_shared(sample.moving_name, about, "moving", sample.moving_modality),
                **_look(sample.moving, "inferno" if colour else "magenta"),
                # Light added to a photograph turns white: there the top image is seen through.
                "blending": "translucent" if colour else "additive",
                "opacity": 0.6 if colour else 1.0,
            },
            "image",
        ),
    ]
    size = max(sample.fixed.shape[:2]) / 40
    for role, name, points, edge in (
        ("fixed", sample.fixed_name, sample.fixed_points, FIXED_COLOUR),
        ("moving", sample.moving_name, sample.moving_points, MOVING_COLOUR),
    ):
        kwargs = _shared(f"landmarks {name}", about, f"{role} landmarks")
        kwargs.update(
            features={"point": np.arange(1, len(points) + 1)},
            symbol="ring",
            size=size,
            face_color=edge,
            border_color=edge,
            visible=False,
        )
        layers.append((points, kwargs, "points"))
    return layers


def _shared(
    name: str, about: dict[str, Any], role: str, modality: str | None = None
) -> dict[str, Any]:
    own = {**about, "role": role}
    if modality is not None:
        own["modality"] = modality
    return {"name": name, "metadata": {METADATA_KEY: own}}


def _look(image: NDArray[Any], colormap: str) -> dict[str, Any]:
    if image.ndim == 3:
        return {"rgb": True}
    low, high = np.nanpercentile(image, (0.2, 99.8))
    return {"colormap": colormap, "contrast_limits": (float(low), float(high))}
