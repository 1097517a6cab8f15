"""What a registration hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mmreg.geometry import MatrixTransform, Transform, apply
from napari_mmreg.geometry.applying import Kind, Side
from napari_mmreg.io.tiff import Georeference, write_tiff
from napari_mmreg.io.whole import whole_folder, write_json
from napari_mmreg.registration.error_estimate import PROBABLY, SCALE, TOLERANCE, ErrorEstimate
from napari_mmreg.registration.errors_file import SavedErrors, write_errors
from napari_mmreg.registration.report import report_of

Status = Literal["ok", "doubtful", "failed"]

FILES = ("registered.tif", "transform.npz", "misregistration.tif", "errors.npz", "report.json")
"""What a result is saved as."""


def map_to_fixed(
    grid_map: NDArray[np.float32], fixed_from_grid: MatrixTransform, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Interpolate a map of a working grid linearly at the fixed pixels."""
    if fixed_from_grid.is_identity and grid_map.shape == shape:
        return grid_map
    matrix = fixed_from_grid.inverse().matrix
    on_fixed: NDArray[np.float32] = ndimage.affine_transform(
        grid_map,
        np.diag(matrix)[:2],
        matrix[:2, 2],
        shape,
        output=np.float32,
        order=1,
        mode="nearest",
    )
    return on_fixed


@dataclass(frozen=True, eq=False)
class RegistrationResult:
    """A transform, the images it makes, and how far to trust it.

    Arrays that can be large (`displacement`, `valid`, `misregistration`,
    `misregistration_before`, `fixed_excluded`, `moving_excluded`) are computed when first asked
    for, and kept.

    Attributes
    ----------
    transform : Transform
        Fixed pixels to moving pixels. The initial one if `status` is ``"failed"``: what was
        found instead is `attempted`.
    initial : Transform
        Fixed pixels to moving pixels: where the run started.
    registered : ndarray of shape (H, W) or (H, W, C)
        The moving image on the fixed grid, in its own dtype and channels. Outside `valid` it is
        `nodata` where the moving image has such a value, else NaN in floating point, else 0.
        A dask array of it, computed when it is looked at, if one of the images was not in memory.
    status : {"ok", "doubtful", "failed"}
        How far to trust it.
    reasons : tuple of str
        Sentences that say why.
    model : str
        Name of the model that was asked.
    answer_of : str
        Name of the model whose answer it is: `model`, or the second opinion's.
    fixed_shape, moving_shape : (int, int)
        Rows and columns of the two images.
    metrics : dict of str to float
        ``similarity_before``, ``similarity_after`` (of grey structure, the larger the more
        alike), ``folding_percent``, ``overlap_percent`` (of the smaller image), and
        ``displacement_median_px``, ``displacement_max_px``: how far pixels moved against the
        initial transform, in fixed pixels. They describe `transform`. ``matches``, the number
        of `matches`, where there are any.
    fixed_from_grid : MatrixTransform
        Pixels of the grid it was computed on, to fixed pixels.
    grid_errors, grid_errors_before : ErrorEstimate
        How large the error probably is on that grid, (h, w): of the result, and of the input.
    whole_error : ErrorEstimate or None
        How large the mean error of the result probably is, () arrays; None if `status` is
        ``"failed"``.
    fixed_from_model_grid : MatrixTransform
        Pixels of the grid on which the model predicted, to fixed pixels.
    grid_fixed_excluded, grid_moving_excluded : ndarray of bool, shape (h, w), or None
        What detection left out of the images, on the grid of `fixed_from_grid`.
    attempted : Transform or None
        Fixed pixels to moving pixels: what was found, if `status` is ``"failed"``.
    matches : ndarray of float32, shape (N, 5), or None
        The single matches that the model's answer was made from: fixed row and column, moving
        row and column, in pixels of the images, and the probability, in [0, 1]. They are there
        if the model matches and the answer is its own: not after a failed run or a second
        opinion, nor if refinement turned it down.
    localisation : ndarray of float32, shape (H, W), or None
        On the fixed pixels, if the model localises: its own probability that the pair, as it
        came, was off by more than 2 px at 256-px scale.
    rerendered : ndarray of float32, shape (H, W), or None
        On the fixed pixels, in [0, 1], if the model renders: the moving image as the fixed
        sensor would show it, warped by `transform`. It is mixed of a network's channels by what
        the fixed image shows there: how alike it is to that says nothing about the registration.
    timings : dict of str to float
        Seconds per stage.
    provenance : dict
        Versions, model, weights' sha256 (None without weights), parameters, device, seed and
        the inputs' shapes and dtypes; serialisable as JSON.
    nodata : number or None
        What means no data in `registered`, where the moving image has such a value.

    Notes
    -----
    *Convention*: (row, col), pixel centres at integers, fixed to moving (pull).
    """

    transform: Transform
    initial: Transform
    registered: NDArray[Any]
    status: Status
    reasons: tuple[str, ...]
    model: str
    answer_of: str
    fixed_shape: tuple[int, int]
    moving_shape: tuple[int, int]
    metrics: dict[str, float]
    fixed_from_grid: MatrixTransform
    fixed_from_model_grid: MatrixTransform
    grid_errors: ErrorEstimate
    grid_errors_before: ErrorEstimate
    whole_error: ErrorEstimate | None = None
    grid_fixed_excluded: NDArray[np.bool_] | None = None
    grid_moving_excluded: NDArray[np.bool_] | None = None
    attempted: Transform | None = None
    matches: NDArray[np.float32] | None = None
    localisation: NDArray[np.float32] | None = None
    rerendered: NDArray[np.float32] | None = None
    timings: dict[str, float] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    nodata: float | None = None

    @property
    def extras(self) -> Mapping[str, Any]:
        """What depends on the model and the run, by name; read-only, without what is None.

        ``"answer_of"``, ``"fixed_from_model_grid"``, ``"attempted_transform"``, ``"matches"``,
        ``"localisation"`` and ``"rerendered"``: the attributes `answer_of`,
        `fixed_from_model_grid`, `attempted`, `matches`, `localisation` and `rerendered`.
        """
        offered = {
            "answer_of": self.answer_of,
            "fixed_from_model_grid": self.fixed_from_model_grid,
            "attempted_transform": self.attempted,
            "matches": self.matches,
            "localisation": self.localisation,
            "rerendered": self.rerendered,
        }
        return MappingProxyType({name: it for name, it in offered.items() if it is not None})

    @cached_property
    def displacement(self) -> NDArray[np.float32]:
        """Moving minus fixed position: float32 (H, W, 2), ``(row, col)`` in pixels."""
        return self.transform.displacement(self.fixed_shape)

    @cached_property
    def valid(self) -> NDArray[np.bool_]:
        """Where the moving image reaches: bool (H, W)."""
        return self.transform.valid(self.fixed_shape, self.moving_shape)

    @cached_property
    def grid_misregistration(self) -> NDArray[np.float32]:
        """`misregistration` on the grid of `fixed_from_grid`: float32 (h, w)."""
        return self.grid_errors.exceeds()

    @cached_property
    def misregistration(self) -> NDArray[np.float32]:
        """How likely the result is off by more than 2 px at 256-px scale: float32 (H, W)."""
        return self._on_fixed(self.grid_misregistration)

    @cached_property
    def misregistration_before(self) -> NDArray[np.float32]:
        """The same for the input, under the initial transform: float32 (H, W)."""
        return self._on_fixed(self.grid_errors_before.exceeds())

    @property
    def default_tolerance(self) -> float:
        """The tolerance of `misregistration` in fixed pixels: 2 px at 256-px scale."""
        return TOLERANCE / self._scale

    def chance_off(self, tolerance: float) -> NDArray[np.float32]:
        """Return how likely the result is off by more than a tolerance: float32 (H, W).

        Parameters
        ----------
        tolerance : float
            In fixed pixels, positive.

        Raises
        ------
        InputError
            If the tolerance is not a positive number.
        """
        return self._on_fixed(self.grid_errors.exceeds(tolerance * self._scale))

    def likely_error(self, share: float = 0.5) -> NDArray[np.float32]:
        """Return the error, in fixed pixels, that stays smaller with this probability: (H, W).

        Parameters
        ----------
        share : float
            Between 0 and 1; 0.5 is the error that is exceeded as often as not.

        Raises
        ------
        InputError
            If the share is not between 0 and 1.
        """
        return self._on_fixed(self.grid_errors.quantile(share)) / np.float32(self._scale)

    def error_at(self, pixel: tuple[float, float]) -> float:
        """Return what the error probably stays under at a fixed pixel, (row, col), in fixed pixels.

        It is `likely_error` of `PROBABLY` there, without making the whole map.
        """
        places = np.rint(self.fixed_from_grid.inverse().map(pixel))
        errors = self.grid_errors
        row, col = (int(i) for i in np.clip(places, 0, np.array(errors.median.shape) - 1))
        here = ErrorEstimate(errors.median[row, col], errors.spread[row, col])
        return float(here.quantile(PROBABLY)) / self._scale

    def mean_error(self, share: float = 0.5) -> float:
        """Return what the mean error, in fixed pixels, stays under with this probability.

        NaN if `status` is ``"failed"``.
        """
        if self.whole_error is None:
            return float("nan")
        return float(self.whole_error.quantile(share)) / self._scale

    @property
    def probable_error(self) -> float:
        """What the mean error probably stays under, in fixed pixels: `mean_error` of `PROBABLY`."""
        return self.mean_error(PROBABLY)

    @property
    def _scale(self) -> float:
        """Pixels at 256-px scale per fixed pixel."""
        return SCALE / max(self.fixed_shape)

    @cached_property
    def fixed_excluded(self) -> NDArray[np.bool_] | None:
        """What `detect_borders` left out of the fixed image: bool (H, W), None if nothing.

        Outside an aperture or a warped frame, and what is drawn into both images.
        """
        if self.grid_fixed_excluded is None:
            return None
        return self._on_fixed(self.grid_fixed_excluded.astype(np.float32)) >= 0.5

    @cached_property
    def moving_excluded(self) -> NDArray[np.bool_] | None:
        """What `detect_borders` left out of the moving image: bool (h, w) on its own pixels.

        None if nothing. What the working grid did not hold counts as not left out.
        """
        if self.grid_moving_excluded is None:
            return None
        moving_from_grid = self.initial.compose(self.fixed_from_grid)
        return moving_from_grid.inverse().resample(
            self.grid_moving_excluded, self.moving_shape, order=0
        )

    def _on_fixed(self, grid_map: NDArray[np.float32]) -> NDArray[np.float32]:
        """Interpolate a map of the working grid linearly at the fixed pixels."""
        return map_to_fixed(grid_map, self.fixed_from_grid, self.fixed_shape)

    def apply(
        self,
        data: Any,
        kind: Kind = "image",
        *,
        to: Side = "fixed",
        shape: tuple[int, ...] | None = None,
        **options: Any,
    ) -> Any:
        """Carry other data of one of the two images to the other one.

        Parameters
        ----------
        data : array_like, or list or tuple of arrays
            In pixels of the moving image; with ``to="moving"`` of the fixed one. Images and
            stacks ``(..., H, W)`` or ``(..., H, W, C)``, labels, points ``(n, D)``, shapes,
            vectors, tracks, surfaces: as `kind` says, see `napari_mmreg.apply`.
        kind : {"image", "labels", "points", "shapes", "vectors", "tracks", "surface"}
        to : {"fixed", "moving"}
            Which image the data shall lie on.
        shape : tuple of int, optional
            For images: rows and columns of the grid; by default the size of the image named by
            `to`.
        **options
            ``channel_axis``, ``order``, ``fill``, ``nodata``, ``missing``, ``progress`` and
            ``cancel`` of `napari_mmreg.apply`.

        Returns
        -------
        ndarray, list or tuple
            As `data`: images in their dtype, coordinates as float64 ``(..., row, col)``.

        Raises
        ------
        InputError, TransformError, Cancelled
            As `napari_mmreg.apply`.

        Notes
        -----
        *Convention*: ``(row, col)`` pixels, centres at integers. Where `status` is ``"failed"``,
        `transform` is the initial one, and so is what is applied.
        """
        if shape is None:
            shape = self.fixed_shape if to == "fixed" else self.moving_shape
        return apply(data, self.transform, kind, to=to, shape=shape, **options)

    def report(self) -> dict[str, Any]:
        """Return all numbers with their units, and where they come from, ready for JSON.

        Numbers that are not finite become None.
        """
        return report_of(self)

    def save(self, folder: str | Path, georeference: Georeference | None = None) -> Path:
        """Write the result to a folder, which is made if needed.

        ``registered.tif`` is the moving image on the fixed grid, lossless, in its own dtype
        and channels (booleans as 0 and 255); ``transform.npz`` is what `Transform.load` reads;
        ``misregistration.tif`` is float32; ``errors.npz`` holds what that follows from, the
        medians and spreads of the errors; ``report.json`` is `report`. Files of these names are
        replaced. The folder appears when all is written, or not at all.

        Parameters
        ----------
        folder : str or Path
        georeference : Georeference, optional
            Of the fixed image, see `napari_mmreg.io.read_picture`: the images get it.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        InputError
            If the folder cannot be written to.
        """
        with whole_folder(folder, FILES, replace=True) as partial:
            self.write_files(partial, georeference)
        return Path(folder)

    def write_files(self, folder: Path, georeference: Georeference | None = None) -> None:
        """Write what `save` writes to a folder that exists, one file after the other."""
        write_tiff(folder / "registered.tif", self.registered, georeference, self.nodata)
        write_tiff(folder / "misregistration.tif", self.misregistration, georeference)
        self.write_errors(folder)
        self.transform.with_provenance(self.provenance).save(folder / "transform.npz")
        write_json(folder / "report.json", self.report())

    def write_errors(self, folder: Path) -> None:
        """Write ``errors.npz`` to a folder that exists."""
        errors = SavedErrors(
            self.grid_errors, self.grid_errors_before, self.whole_error, self.fixed_from_grid
        )
        write_errors(folder / "errors.npz", errors)
