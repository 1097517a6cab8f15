"""Files that are downloaded when the user asks for them, and kept in the user's cache."""

from __future__ import annotations

import os
from pathlib import Path

from napari_mmreg.errors import RegistrationError

CACHE_VARIABLE = "MMREG_CACHE_DIR"
"""Environment variable that moves the cache."""

TIMEOUT = 20.0
"""Seconds to wait for the server before giving up."""


class SampleError(RegistrationError):
    """A sample is unknown, or its files cannot be had."""


def cache_folder() -> Path:
    """Return the folder that downloads are kept in: MMREG_CACHE_DIR or the user's own cache."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    import pooch

    return Path(pooch.os_cache("napari-mmreg"))


def fetch(url: str, name: str, sha256: str, folder: Path | None = None) -> Path:
    """Return a file of the cache, downloading it first where it is missing.

    Parameters
    ----------
    url : str
        Where the file lies.
    name : str
        Its name in the cache.
    sha256 : str
        Its expected hash. A file that differs is not kept.
    folder : Path, optional
        The cache; `cache_folder` by default.

    Raises
    ------
    SampleError
        Without a connection, where the server has no such file, if its content is not the
        expected one, or if the cache cannot be written to.
    """
    import pooch
    import requests

    folder = cache_folder() if folder is None else folder
    try:
        path = pooch.retrieve(
            url,
            known_hash=f"sha256:{sha256}",
            fname=name,
            path=folder,
            downloader=pooch.HTTPDownloader(timeout=TIMEOUT),
        )
    except requests.exceptions.HTTPError as error:
        status = error.response.status_code if error.response is not None else "an error"
        raise SampleError(
            f"The server answered {status} for {url}. The file may have moved; open another sample."
        ) from error
    except requests.exceptions.RequestException as error:
        raise SampleError(
            f"Cannot download {url}. Connect to the internet and try again, or open another "
            "sample; the others need no connection."
        ) from error
    except ValueError as error:  # pooch's word for a wrong hash
        raise SampleError(
            f"The file at {url} is not the expected one (its SHA-256 differs), so it was not kept. "
            "Try again; if it happens again the file was changed at its source."
        ) from error
    except OSError as error:
        raise SampleError(
            f"Cannot write to the cache {folder}: {error.strerror or error}. Set {CACHE_VARIABLE} "
            "to a folder you may write to."
        ) from error
    return Path(path)
