"""The built-in segmenter, prompts, and what was measured of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_mmreg.errors import Cancelled, InputError
from napari_mmreg.evaluation.objects import compare_masks, mean_iou, split
from napari_mmreg.evaluation.prompted import choose_objects, find, prompts_for, sensitivity, shift
from napari_mmreg.evaluation.segmentation import (
    Prompt,
    agreement,
    load_segmenter,
    prompt_from_mask,
)
from napari_mmreg.evaluation.segmentation.merge_tree import build_tree
from napari_mmreg.run import Run


@pytest.fixture
def segmenter():
    return load_segmenter("regions")


def test_prompted_objects_are_found_in_either_picture(segmenter, pair):
    fixed, _, labels, _ = pair
    truth = split(labels)
    prompts = prompts_for(truth, segmenter)
    for picture in (fixed, 255 - fixed):
        found = find(segmenter, picture, prompts, Run())
        assert mean_iou(compare_masks(truth, found)) > 0.85


def test_one_point_is_enough(segmenter, pair):
    fixed, _, labels, _ = pair
    (answer,) = segmenter.segment(fixed, [Prompt(np.array([[95.0, 100.0]]))], Run())
    both = np.count_nonzero(answer.mask & (labels == 4))
    assert both / np.count_nonzero(answer.mask | (labels == 4)) > 0.8


def test_objects_are_chosen_alike_every_time(segmenter, pair):
    fixed = pair[0]
    valid = np.ones(fixed.shape, bool)
    first = choose_objects(segmenter, fixed, valid, 10, Run())
    again = choose_objects(load_segmenter("regions"), fixed, valid, 10, Run())
    assert first.keys() == again.keys()
    assert all((first[n] == again[n]).all() for n in first)
    on_discs = [np.unique(pair[2][m], return_counts=True) for m in first.values()]
    assert sum(values[counts.argmax()] > 0 for values, counts in on_discs) >= 4


def test_the_curve_falls_and_shifting_prompts_is_shifting_the_picture(segmenter, pair):
    fixed, _, labels, _ = pair
    truth = split(labels)
    valid = np.ones(fixed.shape, bool)
    prompts = prompts_for(truth, segmenter)
    curve = sensitivity(segmenter, 255 - fixed, prompts, truth, valid, Run())
    assert (np.diff(curve.iou) < 0).all()
    np.testing.assert_allclose(curve.iou, curve.geometry, atol=0.12)
    scores = []
    for row, col in ((4, 0), (-4, 0), (0, 4), (0, -4)):
        moved = np.roll(255 - fixed, (row, col), axis=(0, 1))
        scores.append(mean_iou(compare_masks(truth, find(segmenter, moved, prompts, Run()), valid)))
    assert np.mean(scores) == pytest.approx(curve.iou[curve.shifts.index(4)], abs=0.03)


def test_shift_moves_down_and_right():
    mask = np.zeros((5, 6), bool)
    mask[1, 1] = True
    assert np.argwhere(shift(mask, (2, 3))).tolist() == [[3, 4]]
    assert not shift(mask, (-2, 0)).any()


def test_a_tree_is_a_partition_at_every_height():
    grey = np.zeros((40, 60), np.float32)
    grey[:, 30:] = 1
    tree = build_tree(grey, 6, 1.0, Run())
    root = len(tree.parent) - 1
    assert tree.mask(root).all()
    assert (tree.parent[:-1] > np.arange(root)).all()
    assert (tree.height[tree.parent[:-1]] >= tree.height[:-1]).all()
    halves = [n for n in range(root) if tree.parent[n] == root]
    np.testing.assert_array_equal(tree.mask(halves[0]), ~tree.mask(halves[1]))
    middle = grey.mean(axis=0)[None].repeat(40, 0)
    assert max(np.mean(tree.mask(h) == (middle > 0.5)) for h in halves) > 0.95


def test_the_picture_is_segmented_once(segmenter, pair):
    prompts = [prompt_from_mask(pair[2] == 1)]
    segmenter.segment(pair[0], prompts, Run())
    segmenter.segment(pair[0], prompts, Run())
    assert segmenter._trees.misses == 1
    segmenter.release()
    assert len(segmenter._trees) == 0


def test_cancel(segmenter, pair):
    with pytest.raises(Cancelled):
        segmenter.segment(pair[0], [prompt_from_mask(pair[2] == 1)], Run(cancel=lambda: True))


def test_prompts_lie_on_and_around_the_object():
    mask = np.zeros((50, 60), bool)
    mask[10:30, 20:45] = True
    prompt = prompt_from_mask(mask)
    rows, cols = prompt.points.astype(int).T
    assert mask[rows, cols].all()
    rows, cols = prompt.background.astype(int).T
    assert not mask[rows, cols].any()
    assert len(prompt_from_mask(mask, background=False).background) == 0
    with pytest.raises(InputError, match="no pixel"):
        prompt_from_mask(np.zeros((4, 4), bool))


def test_what_was_measured_is_told_by_modality():
    from importlib.resources import files

    text = (files("napari_mmreg.evaluation.segmentation") / "agreement.json").read_text("utf-8")
    groups = json.loads(text)["groups"]
    assert groups
    for row in groups.values():
        assert 0 < row["iou"]["8"] < row["iou"]["0"] + 0.1 < 1.1
    known = agreement("visible", "thermal")
    assert known == agreement("infrared", "visible")
    assert known.aligned == groups["vis_ir"]["iou"]["0"]
    assert agreement("visible", None) is None
    assert agreement("mri", "ct").group == "medical"
