"""The built-in segmenter: region merging, steered by points. It needs no download.

It is no SAM: it knows no objects, only regions that differ from their neighbours. What it finds
in both images of a pair is measured per modality in `agreement`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mmreg.evaluation.segmentation.cache import PictureCache
from napari_mmreg.evaluation.segmentation.merge_tree import MergeTree, build_tree
from napari_mmreg.evaluation.segmentation.protocol import Mask, Picture, Prompt, Segment
from napari_mmreg.imaging import to_grey
from napari_mmreg.run import Run

LONG_SIDE = 400
"""Larger images are shrunk to this many pixels along their longer side."""

AREA_SHARES = (0.005, 0.2)
"""Least and greatest share of the image that a proposed object covers."""

_LEAVES_ACROSS = 50
_CANDIDATES = 150
_PROPOSED = 60


class RegionMerging:
    """Region merging in a binary partition tree.

    A prompt with background points gives, for each point on the object, the largest region
    around it that holds no background point, all together. A prompt without gives the region
    around its first point that lasts longest while regions grow together.
    """

    name = "Region merging (built in)"
    needs_background = True
    costly = False

    def __init__(self) -> None:
        self._trees: PictureCache[MergeTree] = PictureCache()

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Its name and its constants."""
        return {
            "name": self.name,
            "long_side_px": LONG_SIDE,
            "leaves_across": _LEAVES_ACROSS,
        }

    def release(self) -> None:
        """Forget the images' trees."""
        self._trees.clear()

    def segment(self, picture: Picture, prompts: Sequence[Prompt], run: Run) -> list[Segment]:
        """Answer each prompt; see the class."""
        tree = self._tree(picture, run)
        scale = np.array(tree.leaf.shape) / np.array(picture.shape[:2])
        answers = []
        for prompt in prompts:
            run.check()
            points, background = (
                _pixels(p, scale, tree.leaf.shape) for p in (prompt.points, prompt.background)
            )
            nodes = (
                _until_background(tree, points, background)
                if len(background)
                else _most_lasting(tree, points[0])
            )
            mask = np.zeros(tree.leaf.shape, dtype=np.bool_)
            for node in nodes:
                mask |= tree.mask(node)
            score = float(np.mean([tree.persistence(n) for n in nodes])) if nodes else 0.0
            answers.append(Segment(_enlarge(mask, picture.shape), score))
        return answers

    def propose(self, picture: Picture, run: Run) -> list[Segment]:
        """Return regions with a steep border and a calm inside, the best first."""
        tree = self._tree(picture, run)
        total = tree.leaf.size
        low, high = (share * total for share in AREA_SHARES)
        nodes = np.flatnonzero((tree.area >= low) & (tree.area <= high) & (tree.parent >= 0))
        lasting = sorted(nodes.tolist(), key=lambda n: -tree.persistence(n))[:_CANDIDATES]
        found = []
        calm = float(tree.gradient.mean()) / 2 + 1e-9
        for node in lasting:
            run.check()
            mask = tree.mask(node)
            if _touches_frame(mask):
                continue
            border = _border(mask)
            steep = float(np.percentile(tree.gradient[border], 30))
            inner = float(tree.gradient[mask & ~border].mean()) if (mask & ~border).any() else 0.0
            contrast = steep / (inner + calm)
            found.append(Segment(_enlarge(mask, picture.shape), contrast / (1 + contrast)))
        return sorted(found, key=lambda segment: -segment.score)[:_PROPOSED]

    def _tree(self, picture: Picture, run: Run) -> MergeTree:
        def compute() -> MergeTree:
            small = _shrink(to_grey(picture, (0, 255))[0])
            side = max(small.shape)
            return build_tree(
                small,
                spacing=max(round(side / _LEAVES_ACROSS), 3),
                sigma=max(side / 200, 1.0),
                run=run,
            )

        return self._trees.get(picture, compute)


def _shrink(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    factor = LONG_SIDE / max(grey.shape)
    if factor >= 1:
        return grey
    from skimage.transform import resize

    shape = tuple(max(round(n * factor), 1) for n in grey.shape)
    return np.asarray(resize(grey, shape, anti_aliasing=True), dtype=np.float32)


def _enlarge(mask: Mask, shape: tuple[int, ...]) -> Mask:
    """Bring a mask of the tree's grid to the image's, by nearest neighbours."""
    if mask.shape == shape[:2]:
        return mask
    at = [
        np.minimum(((np.arange(n) + 0.5) * m / n).astype(np.intp), m - 1)
        for n, m in zip(shape[:2], mask.shape, strict=True)
    ]
    return mask[np.ix_(*at)]


def _pixels(
    points: NDArray[np.float64], scale: NDArray[np.float64], shape: tuple[int, ...]
) -> list[tuple[int, int]]:
    """Return the tree's pixels under points of the image; those outside go to the border."""
    at = np.floor((points + 0.5) * scale).astype(int)
    return [(int(r), int(c)) for r, c in np.clip(at, 0, np.array(shape) - 1)]


def _until_background(
    tree: MergeTree, points: list[tuple[int, int]], background: list[tuple[int, int]]
) -> list[int]:
    """Return the largest node around each point that holds no background point."""
    taken = np.sort([tree.rank[pixel] for pixel in background])
    nodes: list[int] = []
    for pixel in points:
        largest = None
        for node in tree.ancestors(pixel):
            index = int(np.searchsorted(taken, tree.first[node]))
            if index < len(taken) and taken[index] < tree.last[node]:
                break
            largest = node
        if largest is not None and largest not in nodes:
            nodes.append(largest)
    return nodes


def _most_lasting(tree: MergeTree, pixel: tuple[int, int]) -> list[int]:
    low, high = (share * tree.leaf.size for share in AREA_SHARES)
    path = tree.ancestors(pixel)
    fitting = [node for node in path if low <= tree.area[node] <= high] or path[-1:]
    return [max(fitting, key=tree.persistence)] if fitting else []


def _touches_frame(mask: Mask) -> bool:
    return bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())


def _border(mask: Mask) -> Mask:
    return np.asarray(mask & ~ndimage.binary_erosion(mask))
