"""Fetching a SAM, only when the user asks for it: safetensors and their config, nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from napari_mmreg.errors import ModelError
from napari_mmreg.evaluation.segmentation.sam import CONFIG, WEIGHTS

HOST = "https://huggingface.co"

FOLDER_VARIABLE = "MMREG_SAM"


@dataclass(frozen=True, slots=True)
class SamSource:
    """A published SAM: repository on Hugging Face, licence, and about how large it is."""

    repository: str
    title: str
    licence: str
    megabytes: int


SOURCES = (
    SamSource("facebook/sam-vit-base", "SAM ViT-B", "Apache-2.0", 375),
    SamSource("facebook/sam2.1-hiera-tiny", "SAM 2.1 tiny", "Apache-2.0", 156),
)


@dataclass(frozen=True, slots=True)
class Fetched:
    """Where a fetched SAM lies, and the sha256 of its weights."""

    folder: Path
    sha256: str


def sam_folder() -> Path:
    """Return where fetched SAMs are kept; the environment variable MMREG_SAM names another."""
    import pooch

    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named).expanduser() if named else Path(pooch.os_cache("napari-mmreg")) / "sam"


def fetch_sam(
    source: SamSource,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] = lambda: False,
    host: str = HOST,
) -> Fetched:
    """Download a SAM into its own folder; what is there already is kept.

    Parameters
    ----------
    source : SamSource
        One of `SOURCES`.
    progress : callable, optional
        Takes the fraction of the weights that has arrived.
    cancel : callable
        Returns True to stop.
    host : str
        Where repositories lie.

    Raises
    ------
    ModelError
        If it cannot be fetched. Nothing half-finished is left.
    Cancelled
        If `cancel` said so.

    Notes
    -----
    The hash is that of what arrived, to be shown and kept; nobody publishes one to compare it
    with. Nothing that could run code is fetched.
    """
    import hashlib

    folder = sam_folder() / source.repository.replace("/", "--")
    folder.mkdir(parents=True, exist_ok=True)
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).exists():
            _fetch(f"{host}/{source.repository}/resolve/main/{name}", folder / name,
                   progress if name == WEIGHTS else None, cancel)  # fmt: skip
    with (folder / WEIGHTS).open("rb") as file:
        return Fetched(folder, hashlib.file_digest(file, "sha256").hexdigest())


def _fetch(
    url: str,
    target: Path,
    progress: Callable[[float], None] | None,
    cancel: Callable[[], bool],
) -> None:
    import requests

    from napari_mmreg.errors import Cancelled

    part = target.with_suffix(target.suffix + ".part")
    try:
        with requests.get(url, stream=True, timeout=30) as answer, part.open("wb") as file:
            answer.raise_for_status()
            size, arrived = int(answer.headers.get("Content-Length", 0)), 0
            for block in answer.iter_content(1 << 20):
                if cancel():
                    raise Cancelled("The download was cancelled.")
                file.write(block)
                arrived += len(block)
                if progress is not None and size:
                    progress(arrived / size)
            if size and arrived != size:
                raise ModelError(f"The download of {url} broke off. Try again.")
        part.replace(target)
    except requests.RequestException as error:
        raise ModelError(
            f"{url} cannot be fetched: {error}. Download the model elsewhere, and choose its "
            "folder."
        ) from error
    finally:
        part.unlink(missing_ok=True)
