from collections import Counter

import numpy as np
import pytest

from napari_mmreg.errors import InputError
from napari_mmreg.training.pack import PackedPair
from napari_mmreg.training.set_aside import set_aside

GREY = np.zeros((4, 4), np.uint8)


def pair(number, modality, scene):
    return PackedPair(f"{modality}{number}", "train", modality, "own", scene, GREY, GREY)


@pytest.fixture
def pairs():
    many = [pair(i, "vis_ir", f"street {i // 4}") for i in range(80)]
    return many + [pair(i, "sat_ir", "one town") for i in range(30)]


def test_no_scene_is_on_both_sides(pairs):
    learned, aside = set_aside(pairs)
    assert len(learned) + len(aside) == len(pairs)
    scenes = [{p.scene for p in part if p.modality == "vis_ir"} for part in (learned, aside)]
    assert not scenes[0] & scenes[1]
    assert Counter(p.modality for p in aside) == {"vis_ir": 8, "sat_ir": 3}


def test_the_order_of_the_pairs_does_not_matter(pairs):
    assert {p.id for p in set_aside(pairs)[1]} == {p.id for p in set_aside(pairs[::-1])[1]}


def test_a_single_pair_is_learned_from_and_nothing_can_be_asked_for(pairs):
    alone = [pair(0, "retina", "eye")]
    assert set_aside(alone) == (alone, [])
    assert set_aside(pairs, 0.0) == (pairs, [])


@pytest.mark.parametrize("share", [-0.1, 0.6, float("nan")])
def test_a_share_that_makes_no_sense(pairs, share):
    with pytest.raises(InputError, match=r"from 0 to 0\.5"):
        set_aside(pairs, share)
