"""Segment Anything through transformers' own classes: SAM and SAM 2, from a local folder.

Nothing is fetched here (see `sam_download`), only safetensors are read, and torchvision is not
needed: images are prepared by this module, as the models' processors do it.

References
----------
Kirillov et al. (2023), Segment Anything, ICCV. Ravi et al. (2024), SAM 2, arXiv 2408.00714.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import DeviceError, MissingExtraError, ModelError
from napari_mmreg.evaluation.segmentation.cache import PictureCache
from napari_mmreg.evaluation.segmentation.protocol import Picture, Prompt, Segment
from napari_mmreg.run import Run

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
FAMILIES = {"sam": "SamModel", "sam2": "Sam2Model", "sam2_video": "Sam2Model"}
"""``model_type`` in config.json to transformers' class; SAM 2 is published as its video model."""

TITLES = {"sam": "SAM", "sam2": "SAM 2", "sam2_video": "SAM 2"}

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

GRID = 16
"""Prompts along each side when objects are proposed; SAM's own default is 32."""

SURE, STABLE = 0.88, 0.95
"""SAM's own thresholds on the predicted IoU and on the stability of a proposed mask."""

_BATCH = 16


class SamSegmenter:
    """A SAM or SAM 2 in a folder as transformers' ``save_pretrained`` writes it.

    Parameters
    ----------
    folder : str or Path
        Holds ``config.json`` and ``model.safetensors``.
    device : str
        A torch device.

    Raises
    ------
    ModelError
        If the folder does not hold a SAM that can be read without unpickling.
    MissingExtraError
        If transformers is not installed.
    """

    needs_background = False
    costly = True

    def __init__(self, folder: str | Path, device: str = "cpu") -> None:
        self.folder = Path(folder).expanduser()
        self.family = _family(self.folder)
        self.name = f"{TITLES[self.family]} ({self.folder.name})"
        self.device = device
        self._sha256 = _hash(self.folder / WEIGHTS)
        self._model: Any = None
        self._embeddings: PictureCache[Any] = PictureCache()

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Folder name, family, hash of the weights, version of transformers, device."""
        from importlib.metadata import version

        return {
            "name": self.name,
            "class": FAMILIES[self.family],
            "weights_sha256": self._sha256,
            "transformers": version("transformers"),
            "device": self.device,
        }

    @property
    def encoded(self) -> int:
        """How many images were encoded since the start; others came from the cache."""
        return self._embeddings.misses

    def release(self) -> None:
        """Free the network and all embeddings; the next use loads them again."""
        self._model = None
        self._embeddings.clear()
        gc.collect()
        if self.device.startswith("cuda"):
            import torch

            torch.cuda.empty_cache()

    def segment(self, picture: Picture, prompts: Sequence[Prompt], run: Run) -> list[Segment]:
        """Answer each prompt with the mask of which SAM itself is most sure."""
        answers = []
        for start in range(0, len(prompts), _BATCH):
            run.check()
            masks, scores = self._decode(picture, prompts[start : start + _BATCH], run)
            best = scores.argmax(axis=1)
            for index, choice in enumerate(best):
                mask = _to_picture(masks[index, choice], picture.shape, self._keeps_aspect) > 0
                answers.append(Segment(mask, float(np.clip(scores[index, choice], 0, 1))))
        return answers

    def propose(self, picture: Picture, run: Run) -> list[Segment]:
        """Prompt on a grid; the masks that pass SAM's thresholds come first."""
        height, width = picture.shape[:2]
        rows, cols = ((np.arange(GRID) + 0.5) * n / GRID for n in (height, width))
        prompts = [Prompt(np.array([[row, col]])) for row in rows for col in cols]
        found: list[tuple[bool, Segment]] = []
        for start in range(0, len(prompts), _BATCH):
            run.step(start / len(prompts))
            masks, scores = self._decode(picture, prompts[start : start + _BATCH], run)
            for index in np.ndindex(scores.shape):
                logits = masks[index]
                looser, tighter = (logits > -1).sum(), (logits > 1).sum()
                stability = tighter / looser if looser else 0.0
                score = float(np.clip(scores[index], 0, 1))
                mask = _to_picture(logits, picture.shape, self._keeps_aspect) > 0
                passes = score >= SURE and stability >= STABLE
                found.append((passes, Segment(mask, score * float(stability))))
        found.sort(key=lambda item: (not item[0], -item[1].score))
        return [segment for _, segment in found]

    @property
    def _keeps_aspect(self) -> bool:
        """SAM pads images to a square, SAM 2 stretches them."""
        return self.family == "sam"

    def _decode(
        self, picture: Picture, prompts: Sequence[Prompt], run: Run
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the logits (n, 3, h, w) of the prompts' masks, and SAM's predicted IoU (n, 3)."""
        import torch

        model = self._load()
        embedding = self._embeddings.get(picture, lambda: self._encode(picture, run))
        run.check()
        points, labels = _points(prompts, picture.shape, model.config, self._keeps_aspect)
        with torch.inference_mode(), _memory(self.device):
            answer = model(
                image_embeddings=embedding,
                input_points=points[None].to(self.device),
                input_labels=labels[None].to(self.device),
                multimask_output=True,
            )
        masks: NDArray[np.float32] = answer.pred_masks[0].float().cpu().numpy()
        scores: NDArray[np.float32] = answer.iou_scores[0].float().cpu().numpy()
        return masks, scores

    def _encode(self, picture: Picture, run: Run) -> Any:
        import torch

        run.check()
        model = self._load()
        pixels = _pixels(picture, _side(model.config), self._keeps_aspect)
        with torch.inference_mode(), _memory(self.device):
            return model.get_image_embeddings(pixels.to(self.device))

    def _load(self) -> Any:
        if self._model is None:
            from safetensors import SafetensorError

            transformers = _transformers()
            try:
                model = getattr(transformers, FAMILIES[self.family]).from_pretrained(
                    self.folder, use_safetensors=True, local_files_only=True
                )
            except (SafetensorError, OSError, ValueError, RuntimeError, KeyError) as error:
                raise ModelError(
                    f"The SAM in {self.folder} cannot be loaded: {error}. Fetch it again, or save "
                    "it once more with transformers' save_pretrained."
                ) from error
            with _memory(self.device):
                self._model = model.eval().to(self.device)
        return self._model


def _transformers() -> Any:
    import logging

    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError(
            "SAM needs the package transformers: pip install 'napari-mmreg[sam]'. The built-in "
            "segmenter needs nothing."
        ) from error
    logging.getLogger("transformers").setLevel(logging.ERROR)
    return transformers


def _family(folder: Path) -> str:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{folder} holds no readable {CONFIG}. Choose the folder of a SAM that transformers "
            "can read, for example a download of facebook/sam-vit-base."
        ) from error
    family = str(config.get("model_type", "")) if isinstance(config, dict) else ""
    if family not in FAMILIES:
        raise ModelError(
            f"{folder} holds a model of the type {family!r}, not one of {', '.join(FAMILIES)}. "
            "Choose the folder of a SAM or SAM 2."
        )
    if not (folder / WEIGHTS).is_file():
        raise ModelError(
            f"{folder} holds no {WEIGHTS}. Other formats could run code when they are read, so "
            "they are not: choose a version of the model with safetensors."
        )
    return family


def _hash(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _side(config: Any) -> int:
    """Return the side of the square that the network sees, in pixels."""
    size = config.vision_config
    size = getattr(size, "image_size", None) or size.backbone_config.image_size
    return int(size[0] if isinstance(size, list | tuple) else size)


def _fitted(shape: tuple[int, ...], side: int, keep_aspect: bool) -> tuple[int, int]:
    """Return rows and columns of an image within the network's square."""
    if not keep_aspect:
        return side, side
    scale = side / max(shape[:2])
    return max(int(shape[0] * scale + 0.5), 1), max(int(shape[1] * scale + 0.5), 1)


def _pixels(picture: Picture, side: int, keep_aspect: bool) -> Tensor:
    """Return the image as the network wants it: (1, 3, side, side)."""
    import torch
    from torch.nn import functional as F

    colour = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=-1)
    values = torch.from_numpy(np.ascontiguousarray(colour)).permute(2, 0, 1)[None].float() / 255
    rows, cols = _fitted(picture.shape, side, keep_aspect)
    values = F.interpolate(values, (rows, cols), mode="bilinear", antialias=True)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (_MEAN, _STD))
    return F.pad((values - mean) / std, (0, side - cols, 0, side - rows))


def _points(
    prompts: Sequence[Prompt], shape: tuple[int, ...], config: Any, keep_aspect: bool
) -> tuple[Tensor, Tensor]:
    """Return points (n, k, 2), (x, y) in the square, and labels (n, k): 1, 0, or -10 for none.

    *Convention*: SAM's coordinates have their origin at the corner of the first pixel.
    """
    import torch

    rows, cols = _fitted(shape, _side(config), keep_aspect)
    scale = np.array([rows / shape[0], cols / shape[1]])
    most = max(len(p.points) + len(p.background) for p in prompts)
    points = np.zeros((len(prompts), most, 2), dtype=np.float32)
    labels = np.full((len(prompts), most), -10, dtype=np.int64)
    for index, prompt in enumerate(prompts):
        every = np.concatenate([prompt.points, prompt.background])
        points[index, : len(every)] = ((every + 0.5) * scale)[:, ::-1]
        labels[index, : len(every)] = [1] * len(prompt.points) + [0] * len(prompt.background)
    return torch.from_numpy(points), torch.from_numpy(labels)


def _to_picture(
    logits: NDArray[np.float32], shape: tuple[int, ...], keep_aspect: bool
) -> NDArray[np.float32]:
    """Bring the logits of one mask to the image's grid, without SAM's padding."""
    import torch
    from torch.nn import functional as F

    values = torch.from_numpy(np.ascontiguousarray(logits))[None, None]
    side = logits.shape[-1] * 4
    rows, cols = _fitted(shape, side, keep_aspect)
    values = F.interpolate(values, (side, side), mode="bilinear")[..., :rows, :cols]
    whole = F.interpolate(values, (int(shape[0]), int(shape[1])), mode="bilinear")
    return np.asarray(whole[0, 0].numpy())


class _memory:  # noqa: N801 - used as a context manager, like a function
    """Turns a device's lack of memory into a sentence."""

    def __init__(self, device: str) -> None:
        self._device = device

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if kind is not None and kind.__name__ == "OutOfMemoryError":
            raise DeviceError(
                f"The memory of {self._device} does not suffice for this SAM. Use the CPU, or a "
                "smaller SAM."
            ) from error
