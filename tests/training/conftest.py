import os
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_mmreg.training.pack import PackedPair


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def pictures():
    """Grey 128 x 160 pictures from scikit-image's wheel."""
    from skimage import data
    from skimage.transform import resize
    from skimage.util import img_as_ubyte

    found = []
    for name in ("camera", "coins", "page", "moon", "brick", "gravel"):
        image = getattr(data, name)()
        found.append(img_as_ubyte(resize(image, (128, 160), anti_aliasing=True)))
    return found


@pytest.fixture(scope="session")
def pairs(pictures):
    """Six aligned pairs: a picture, and what another sensor might make of it."""
    return [
        PackedPair(
            id=f"p{i}",
            split="train" if i < 4 else "val",
            modality="a" if i % 2 else "b",
            source="own",
            scene=f"s{i}",
            fixed=picture,
            moving=255 - (picture // 2),
        )
        for i, picture in enumerate(pictures)
    ]


@pytest.fixture
def dataset():
    """The folder of the real data set, or skip."""
    root = Path(__file__).resolve().parents[2]
    given = os.environ.get("MMREG_DATA")
    folder = Path(given) if given else root.parent / "shared" / "data"
    if not (folder / "index.csv").is_file():
        pytest.skip("the data set is not here; set MMREG_DATA to its folder")
    return folder


@pytest.fixture
def own_folder(tmp_path, pictures):
    """A user's folder: fixed/, moving/, mask/, two pictures of one scene."""
    import imageio.v3 as iio

    for name in ("fixed", "moving", "mask"):
        (tmp_path / "own" / name).mkdir(parents=True)
    for i in range(40):
        picture = np.roll(pictures[i % 6], 7 * i, axis=1)
        stem = f"scene{i // 2}__{i % 2}"
        iio.imwrite(tmp_path / "own" / "fixed" / f"{stem}.png", picture)
        iio.imwrite(tmp_path / "own" / "moving" / f"{stem}.png", 255 - picture)
    mask = np.zeros((128, 160), np.uint8)
    mask[:, 20:] = 255
    iio.imwrite(tmp_path / "own" / "mask" / "scene0__0.png", mask)
    return tmp_path / "own"
