"""Between our transforms and those of ITK, through SimpleITK (extra ``itk``).

*Convention*: an ITK transform maps fixed to moving as ours does, but between physical points
``(x, y)``. The images are taken to have their first pixel's centre at the physical origin and
no rotation, so that physical = spacing * index. ITK leaves points outside a displacement
field where they are; ours repeat the field's border.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.errors import (
    InputError,
    MissingExtraError,
    RegistrationError,
    TransformError,
)
from napari_mmreg.geometry import (
    CompositeTransform,
    DisplacementTransform,
    MatrixTransform,
    Transform,
)
from napari_mmreg.geometry.units import Spacing
from napari_mmreg.io.nifti import check_whole
from napari_mmreg.io.physical import (
    from_physical,
    to_physical_field,
    to_physical_matrix,
)
from napari_mmreg.limits import byte_limit, check_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRIAL_SECONDS = 20.0
TRIAL_BYTES_PER_SECOND = 5e6
"""How long a trial reading may take, and by how much longer for large files."""

_TRIAL = """
import math, sys
path, as_field, limit = sys.argv[1], sys.argv[2] == "True", float(sys.argv[3])
try:
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (int(2 * limit + 4e9),) * 2)
except (ImportError, ValueError, OSError):
    pass
import SimpleITK
if as_field:
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(path)
    reader.ReadImageInformation()
    if 8 * math.prod((*reader.GetSize(), reader.GetNumberOfComponents())) <= limit:
        reader.Execute()
else:
    SimpleITK.ReadTransform(path)
"""


def _simpleitk() -> Any:
    try:
        import SimpleITK
    except ImportError as error:
        raise MissingExtraError(
            'ITK files need SimpleITK; install it with: pip install "napari-mmreg[itk]"'
        ) from error
    return SimpleITK


def to_itk(
    transform: Transform,
    fixed_shape: tuple[int, ...] | None = None,
    fixed_spacing: Spacing = (1.0, 1.0),
    moving_spacing: Spacing | None = None,
) -> Any:
    """Return a ``SimpleITK.Transform``: affine where possible, otherwise a displacement field.

    Parameters
    ----------
    transform : Transform
        Fixed to moving pixels.
    fixed_shape : tuple of int, optional
        Rows and columns of the grid on which a field is sampled. Not needed for affine
        transforms and for displacement fields, which bring their own grid.
    fixed_spacing, moving_spacing : (float, float)
        Physical size of a pixel, ``(row, col)``; the moving one defaults to the fixed one.

    Raises
    ------
    InputError
        If a grid is needed and not given.
    TransformError
        If the transform has no answer somewhere on the grid, which ITK cannot express.
    MissingExtraError
        If SimpleITK is not installed.
    """
    sitk = _simpleitk()
    moving_spacing = moving_spacing or fixed_spacing
    matrix = to_physical_matrix(transform, fixed_spacing, moving_spacing)
    if matrix is not None:
        affine = sitk.AffineTransform(2)
        affine.SetMatrix(matrix.matrix_xy[:2, :2].ravel().tolist())
        affine.SetTranslation(matrix.matrix_xy[:2, 2].tolist())
        return affine
    simple = transform.compose(MatrixTransform.identity())
    image = to_itk_field(simple, fixed_shape, fixed_spacing, moving_spacing)
    return sitk.DisplacementFieldTransform(sitk.Cast(image, sitk.sitkVectorFloat64))


def to_itk_field(
    transform: Transform,
    fixed_shape: tuple[int, ...] | None = None,
    fixed_spacing: Spacing = (1.0, 1.0),
    moving_spacing: Spacing | None = None,
) -> Any:
    """Return a ``SimpleITK.Image`` of physical ``(x, y)`` displacements; see `to_itk`."""
    sitk = _simpleitk()
    field = to_physical_field(
        transform, fixed_shape, fixed_spacing, moving_spacing or fixed_spacing
    )
    vectors = np.ascontiguousarray(field.displacement[..., ::-1])
    image = sitk.GetImageFromArray(vectors, isVector=True)
    image.SetSpacing(field.spacing[::-1])
    image.SetOrigin(field.origin[::-1])
    return image


def from_itk(
    itk_transform: Any,
    fixed_shape: tuple[int, ...] | None = None,
    fixed_spacing: Spacing = (1.0, 1.0),
    moving_spacing: Spacing | None = None,
) -> Transform:
    """Return our transform for a 2-D ``SimpleITK.Transform``; parameters as in `to_itk`.

    Linear transforms, displacement fields and chains of them keep their own form; others,
    such as B-splines, are sampled on the fixed grid and need `fixed_shape`.
    """
    if itk_transform.GetDimension() != 2:
        raise TransformError(
            f"This is a transform in {itk_transform.GetDimension()}-D; only 2-D can be used."
        )
    physical = _physical(itk_transform, fixed_shape, fixed_spacing)
    return from_physical(physical, fixed_spacing, moving_spacing or fixed_spacing)


def from_itk_field(
    image: Any, fixed_spacing: Spacing = (1.0, 1.0), moving_spacing: Spacing | None = None
) -> Transform:
    """Return our transform for a ``SimpleITK.Image`` of displacements; see `from_itk`."""
    if image.GetDimension() != 2 or image.GetNumberOfComponentsPerPixel() != 2:
        raise TransformError(
            "A displacement field image needs two dimensions and two components per pixel, not "
            f"{image.GetDimension()} and {image.GetNumberOfComponentsPerPixel()}."
        )
    return from_physical(_physical_field(image), fixed_spacing, moving_spacing or fixed_spacing)


def read_itk(path: Path, *, as_field: bool) -> Any:
    """Read a transform or a field image; raise `TransformError` if ITK cannot."""
    sitk = _simpleitk()
    if not path.is_file():
        raise TransformError(f"There is no file {path}; check the path.")
    try:
        if path.name.lower().endswith(".nii.gz") and path.with_suffix("").exists():
            with tempfile.TemporaryDirectory() as folder:  # ITK would read the values from .nii
                return read_itk(Path(shutil.copy(path, folder)), as_field=as_field)
        if path.name.lower().endswith((".nii", ".nii.gz")):
            check_whole(path)
        if not path.name.lower().endswith((".tfm", ".txt")):
            _try_reading(path, as_field=as_field)
        if not as_field:
            check_bytes((path.stat().st_size,), 1, str(path))
            return sitk.ReadTransform(str(path))
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        check_bytes((*reader.GetSize(), reader.GetNumberOfComponents()), 8, str(path))
        return reader.Execute()
    except RegistrationError:
        raise
    except Exception as error:  # SimpleITK's are of several kinds
        raise _unreadable(path, as_field=as_field) from error


def _unreadable(path: Path, *, as_field: bool) -> TransformError:
    return TransformError(
        f"ITK cannot read {path}: it is damaged, or no ITK "
        f"{'displacement field' if as_field else 'transform'}. Write it again."
    )


def _try_reading(path: Path, *, as_field: bool) -> None:
    """Read a file in a process of its own first, and raise whatever if that does not end well.

    Damaged HDF5 can abort the process that reads it, damaged MATLAB files keep it busy for
    minutes, and most kinds fill stderr, where some failures to decompress are all that is said.
    Texts do none of this.
    """
    if not sys.executable:  # Python inside another program
        return
    trial = subprocess.run(  # noqa: S603  Python itself, on a file named by the user
        [sys.executable, "-P", "-c", _TRIAL, str(path), str(as_field), str(byte_limit())],
        check=True,
        timeout=TRIAL_SECONDS + path.stat().st_size / TRIAL_BYTES_PER_SECOND,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # on Windows
    )
    if b"failed" in trial.stderr:
        raise ValueError(trial.stderr.decode(errors="replace"))


def holds_field(path: Path) -> bool:
    """Whether an image is two-dimensional with two components; its header alone is read."""
    reader = _simpleitk().ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return False
    return bool(reader.GetDimension() == 2 and reader.GetNumberOfComponents() == 2)


def write_itk(path: Path, written: Any, *, as_field: bool) -> None:
    """Write a transform or a field image; raise `TransformError` if ITK cannot."""
    sitk = _simpleitk()
    try:
        if not path.parent.is_dir():  # HDF5 would say more on stderr
            raise FileNotFoundError(path.parent)
        if as_field:
            sitk.WriteImage(written, str(path), useCompression=True)
        else:
            sitk.WriteTransform(written, str(path))
    except (OSError, RuntimeError) as error:
        raise TransformError(
            f"ITK cannot write {path}; check that the folder exists and may be written to."
        ) from error


def bspline(
    coefficients: NDArray[np.float64],
    origin: tuple[float, ...],
    grid_spacing: tuple[float, ...],
    order: int,
    fixed_shape: tuple[int, ...],
    fixed_spacing: Spacing,
) -> DisplacementTransform:
    """Sample a B-spline on a fixed grid, as a transform between physical points.

    Parameters
    ----------
    coefficients : ndarray of float64, shape (2, rows, columns)
        Along x and y, on the control grid.
    origin, grid_spacing : (float, float)
        Of the control grid, ``(x, y)`` in physical units.
    order : int
        Of the spline.
    fixed_shape : tuple of int
        Rows and columns.
    fixed_spacing : (float, float)
        Physical size of a pixel, ``(row, col)``.
    """
    sitk = _simpleitk()
    images = []
    for values in coefficients:
        image = sitk.GetImageFromArray(np.ascontiguousarray(values))
        image.SetOrigin(origin)
        image.SetSpacing(grid_spacing)
        images.append(image)
    try:
        spline = sitk.BSplineTransform(images, order)
    except RuntimeError as error:
        raise TransformError("ITK cannot make this B-spline; its grid is damaged.") from error
    return _sampled(spline, fixed_shape, fixed_spacing)


def _physical(
    itk_transform: Any, fixed_shape: tuple[int, ...] | None, fixed_spacing: Spacing
) -> Transform:
    """Convert to a transform of physical points in ``(row, col)`` order."""
    sitk = _simpleitk()
    if itk_transform.IsLinear():
        origin, x, y = (
            np.array(itk_transform.TransformPoint(point)) for point in ((0, 0), (1, 0), (0, 1))
        )
        matrix = np.eye(3)
        matrix[:2] = np.stack([x - origin, y - origin, origin], axis=1)
        return MatrixTransform.from_xy(matrix)
    if isinstance(itk_transform, sitk.DisplacementFieldTransform):
        return _physical_field(itk_transform.GetDisplacementField())
    if isinstance(itk_transform, sitk.CompositeTransform):
        # ITK applies the transform that was added last first.
        count = itk_transform.GetNumberOfTransforms()
        parts = [itk_transform.GetNthTransform(n) for n in reversed(range(count))]
        return CompositeTransform(_physical(p, fixed_shape, fixed_spacing) for p in parts)
    if fixed_shape is None:
        raise InputError(
            f"An ITK {itk_transform.GetName()} has to be sampled; give the fixed image's shape "
            "(fixed_shape)."
        )
    return _sampled(itk_transform, fixed_shape, fixed_spacing)


def _sampled(
    itk_transform: Any, fixed_shape: tuple[int, ...], fixed_spacing: Spacing
) -> DisplacementTransform:
    height, width = fixed_shape[:2]
    return _physical_field(
        _simpleitk().TransformToDisplacementField(
            itk_transform,
            _simpleitk().sitkVectorFloat64,
            (width, height),
            (0.0, 0.0),
            fixed_spacing[::-1],
        )
    )


def _physical_field(image: Any) -> DisplacementTransform:
    grid = np.eye(3)
    grid[:2, :2] = np.reshape(image.GetDirection(), (2, 2)) * image.GetSpacing()
    grid[:2, 2] = image.GetOrigin()
    field = np.ascontiguousarray(_simpleitk().GetArrayFromImage(image)[..., ::-1])
    return DisplacementTransform(field, MatrixTransform.from_xy(grid))
