"""NumPy's ``.npy`` files, their size checked before anything is allocated."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.limits import check_bytes

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_npy(source: Path) -> NDArray[Any]:
    """Read an array; nothing is unpickled.

    Raises
    ------
    InputError
        If the file is missing, damaged, an archive, or larger than the limit.
    """
    if not source.is_file():
        raise InputError(f"There is no file {source}; check the path.")
    if zipfile.is_zipfile(source):
        raise InputError(f"{source} is an archive of arrays; save the image with numpy.save.")
    try:
        with source.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            if version in _HEADERS:
                shape, _, dtype = _HEADERS[version](stream)
                check_bytes(shape, dtype.itemsize, str(source))
            stream.seek(0)
            array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    except InputError:
        raise
    except Exception as error:  # damaged headers end in whatever Python raises
        raise InputError(
            f"{source} cannot be read as an array ({error or type(error).__name__}). It may be "
            "damaged or something else; save it again with numpy.save, or save it as TIFF or PNG."
        ) from error
    return array
