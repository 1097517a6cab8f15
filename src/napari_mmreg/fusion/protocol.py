"""What every fusion method is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from numpy.typing import NDArray

if TYPE_CHECKING:
    import numpy as np

    from napari_mmreg.run import Run


@dataclass(frozen=True, slots=True)
class FusionInfo:
    """What can be said about a fusion method without loading it.

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
    """

    name: str
    title: str
    purpose: str
    licence: str
    reference: str = ""
    needs_weights: bool = True


class Fusion(Protocol):
    """One fusion method; it sees luminance only, large images in overlapping tiles.

    Attributes
    ----------
    info : FusionInfo
    reach : int
        How far away a pixel may be, in pixels, to count for the result at another one.
    stride : int
        Tiles begin at multiples of this, so that a method that subsamples meets the same grid.
    """

    info: FusionInfo
    reach: int
    stride: int

    def prepare(self, fixed: NDArray[np.float32], moving: NDArray[np.float32], run: Run) -> None:
        """See one part of the pair, as large as a tile, from its middle before all others.

        What depends on the image as a whole is settled here, so that tiles do not differ in it.
        Most methods look at small surroundings only and need nothing.
        """
        del fixed, moving, run

    def fuse(
        self,
        fixed: NDArray[np.float32],
        moving: NDArray[np.float32],
        valid: NDArray[np.bool_],
        run: Run,
    ) -> NDArray[np.float32]:
        """Fuse two grey images that lie on one grid.

        Parameters
        ----------
        fixed, moving : ndarray of float32, shape (h, w)
            In [0, 1]; the nearest known value where an image has no data.
        valid : ndarray of bool, shape (h, w)
            Where both have data. Elsewhere the answer is not used.
        run : Run
            Says the device, and stops when it is cancelled.

        Returns
        -------
        ndarray of float32, shape (h, w)
            What lies outside [0, 1] is clipped.
        """
        ...
