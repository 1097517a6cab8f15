"""The elastic stage's trained network, which stands behind every trained model."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from napari_mmreg.models.weights import shared_network, weights_folder

if TYPE_CHECKING:
    from napari_mmreg.alignment.elastic.network import ElasticNetwork

NAME = "elastic"


def load_elastic(device: str = "cpu") -> ElasticNetwork:
    """Return the elastic stage with its weights, which all runs share.

    Raises
    ------
    ModelError
        If the weights are missing or damaged.
    """
    from napari_mmreg.alignment.elastic.network import ElasticNetwork

    network = shared_network(weights_folder(NAME), ElasticNetwork.from_json, device)
    return cast("ElasticNetwork", network)
