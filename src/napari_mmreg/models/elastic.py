"""The elastic stage's trained network, which stands behind every trained model."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from napari_mmreg.models.weights import load_weights, weights_folder

if TYPE_CHECKING:
    from napari_mmreg.alignment.elastic.network import ElasticNetwork

NAME = "elastic"


def load_elastic(device: str = "cpu") -> ElasticNetwork:
    """Load the elastic stage with its weights.

    Raises
    ------
    ModelError
        If the weights are missing or damaged.
    """
    from napari_mmreg.alignment.elastic.network import ElasticNetwork

    network = load_weights(weights_folder(NAME), ElasticNetwork.from_json, device)
    return cast("ElasticNetwork", network)
