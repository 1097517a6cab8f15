"""What every registration model is, and what it hands back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_mmreg.geometry import MatrixTransform, Transform
    from napari_mmreg.imaging import Pair
    from napari_mmreg.run import Run


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What can be said about a model without loading it.

    Attributes
    ----------
    name : str
        The name used in the API, the command line and the dock.
    title : str
        The name people read.
    purpose : str
        One sentence: what to use it for.
    licence : str
        Licence of the code and of the weights, if any.
    reference : str
        The paper, with arXiv number or DOI; empty for our own.
    needs_weights : bool
        False for methods that work without trained weights.
    fusion : str
        The fusion method that belongs to it, if one does; the dock proposes it.
    """

    name: str
    title: str
    purpose: str
    licence: str
    reference: str = ""
    needs_weights: bool = True
    fusion: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """What the moving image as the fixed sensor would show it is mixed of, in addition to itself.

    Attributes
    ----------
    channels : ndarray of float32, shape (h, w, K)
        Of any range.
    moving_from_channels : MatrixTransform
        Their pixels to those of the pair's moving image.
    """

    channels: NDArray[np.float32]
    moving_from_channels: MatrixTransform


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """A model's answer on the working grid of a `Pair`.

    Attributes
    ----------
    transform : Transform
        Working-grid pixels, fixed to moving (pull).
    error_scale : ndarray of float32, shape (h, w), or None
        The model's own estimate of its error in working-grid pixels.
    global_part : MatrixTransform or None
        The answer without what bends, if the model separates them: refinement may start
        from it.
    matches : ndarray of float32, shape (N, 5), or None
        Single matches that agree with the answer: fixed row and column, moving row and column,
        in working-grid pixels, and the probability.
    localisation : ndarray of float32, shape (h, w), or None
        On the working grid: the model's own probability that the pair, as it came, was displaced
        by more than 2 px at 256-px scale.
    rendering : Rendering or None
        What the moving image, as the fixed sensor would show it, is mixed of.
    """

    transform: Transform
    error_scale: NDArray[np.float32] | None = None
    global_part: MatrixTransform | None = None
    matches: NDArray[np.float32] | None = None
    localisation: NDArray[np.float32] | None = None
    rendering: Rendering | None = None


class Model(Protocol):
    """One registration model behind the one path."""

    info: ModelInfo

    def predict(self, pair: Pair, run: Run) -> Prediction:
        """Estimate the transform of `pair`; report and cancel through `run`."""
        ...
