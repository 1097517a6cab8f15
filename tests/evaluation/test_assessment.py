"""The whole evaluation on a pair whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mmreg import evaluate, load_segmenter
from napari_mmreg.errors import Cancelled, InputError
from napari_mmreg.evaluation import landmark_error, ncc
from napari_mmreg.evaluation.measures import BY_KEY
from napari_mmreg.evaluation.object_evaluation import PROTOCOLS
from napari_mmreg.evaluation.report import REPORT_FILES, as_data, write_report
from napari_mmreg.evaluation.segmentation import Segment
from napari_mmreg.geometry import DisplacementTransform, MatrixTransform

TRUTH = MatrixTransform.translation((5.0, -4.0))
START = MatrixTransform.identity()


@pytest.fixture
def arguments(pair):
    fixed, moving, fixed_labels, moving_labels = pair
    points = np.array([[30.0, 40.0], [80, 90], [120, 150]])
    return {
        "images": (fixed, moving, TRUTH),
        "labels": {"fixed_labels": fixed_labels, "moving_labels": moving_labels},
        "landmarks": (points, points + np.array([5.0, -4.0])),
    }


def test_the_truth_is_perfect(arguments):
    result = evaluate(
        *arguments["images"],
        initial=START,
        truth=TRUTH,
        landmarks=arguments["landmarks"],
        **arguments["labels"],
    )
    assert result.after["re_max"] == pytest.approx(0)
    assert result.after["re_grid"] == pytest.approx(0, abs=1e-5)
    assert result.before["re_rmse"] == pytest.approx(np.hypot(5, 4))
    assert result.before["re_grid"] == pytest.approx(np.hypot(5, 4), abs=1e-4)
    assert result.after["object_iou"] == 1.0
    assert result.before["object_iou"] < 0.75
    assert result.after["displacement_median"] == pytest.approx(np.hypot(5, 4), abs=1e-4)
    assert result.after["folding_percent"] == 0
    assert result.after["inverse_consistency"] == pytest.approx(0, abs=1e-4)
    assert result.objects.protocol == "labels on both"
    assert set(result.after) <= set(BY_KEY)
    assert set(PROTOCOLS) >= {result.objects.protocol}


def test_masks_carried_along_give_the_iou_of_geometry_alone(arguments):
    fixed, moving, _ = arguments["images"]
    # Masks have whole pixels: a shift by half a one would round all of a mask the same way.
    turned = MatrixTransform([[0.9994, -0.0349, 8.5], [0.0349, 0.9994, -4.5], [0, 0, 1]])
    result = evaluate(fixed, moving, turned, initial=START, truth=TRUTH, **arguments["labels"])
    for numbers in (result.before, result.after):
        assert numbers["object_iou"] == pytest.approx(numbers["object_iou_geometry"], abs=0.02)
    assert result.after["object_iou"] > result.before["object_iou"]


def test_the_iou_of_geometry_sees_less_than_a_pixel(arguments):
    fixed, moving = arguments["images"][:2]
    found = MatrixTransform.translation((5.4, -4.0))
    result = evaluate(fixed, moving, found, initial=START, truth=TRUTH, **arguments["labels"])
    exact = []
    for radius in (16, 12, 14, 20):
        # Two discs of radius r, d apart: the common part is 2 r² acos(d/2r) - d/2 sqrt(4 r² - d²).
        d = 0.4
        both = 2 * radius**2 * np.arccos(d / 2 / radius) - d / 2 * np.sqrt(4 * radius**2 - d**2)
        exact.append(both / (2 * np.pi * radius**2 - both))
    found_iou = [result.objects.geometry["after"][number] for number in (1, 2, 3, 4)]
    np.testing.assert_allclose(found_iou, exact, atol=0.02)
    assert max(found_iou) < 1


@pytest.mark.parametrize("with_labels", [True, False])
def test_iou_rises_with_the_built_in_segmenter(arguments, with_labels):
    labels = {"fixed_labels": arguments["labels"]["fixed_labels"]} if with_labels else {}
    result = evaluate(
        *arguments["images"], initial=START, segmenter=load_segmenter("regions"), **labels
    )
    assert result.after["object_iou"] > result.before["object_iou"] + 0.1
    assert result.objects.protocol == ("labels on fixed" if with_labels else "prompts")
    assert result.objects.curve.fall > 0.1
    ids = [set(result.objects.masks[state]) for state in ("fixed", "before", "after")]
    assert ids[0] == ids[1] == ids[2]


def test_masks_that_ignore_the_picture_are_noticed(arguments):
    regions = load_segmenter("regions")

    class Blind:
        name, needs_background, costly, provenance = "blind", False, True, {}

        def propose(self, picture, run):
            return regions.propose(picture, run)

        def segment(self, picture, prompts, run):
            rows, cols = np.indices(picture.shape[:2])
            spots = (np.round(prompt.points.mean(axis=0)) for prompt in prompts)
            return [Segment(np.hypot(rows - r, cols - c) < 9, 1.0) for r, c in spots]

    found = MatrixTransform.translation((9, -7))
    images = arguments["images"]
    blind = evaluate(*images[:2], found, initial=START, segmenter=Blind())
    assert blind.after["object_iou"] == blind.before["object_iou"] == 1
    assert any("IoU did not rise" in note for note in blind.notes)
    seeing = evaluate(*images, initial=START, segmenter=regions)
    assert not any("IoU did not rise" in note for note in seeing.notes)


def test_prompted_objects_of_a_known_truth_are_normalised(arguments):
    result = evaluate(
        *arguments["images"], initial=START, truth=TRUTH, segmenter=load_segmenter("regions")
    )
    assert result.objects.normalised == pytest.approx(1.0)
    assert any("aligned by the truth" in note for note in result.notes)


def test_similarity_is_that_of_the_overlap(arguments):
    fixed, moving, _ = arguments["images"]
    result = evaluate(fixed, moving, TRUTH)
    rows, cols = slice(0, 145), slice(4, 200)
    expected = ncc(fixed[rows, cols], moving[5:, : 200 - 4])
    assert result.after["ncc"] == pytest.approx(expected, abs=1e-6)
    assert not result.before
    assert "displacement_median" not in result.after


def test_landmarks_are_those_of_the_other_commands(arguments):
    found = MatrixTransform.translation((3.0, 1.0))
    result = evaluate(*arguments["images"][:2], found, landmarks=arguments["landmarks"])
    error = landmark_error(found, *arguments["landmarks"])
    assert result.after["re_rmse"] == error.rmse
    assert result.after["re_max"] == error.max


def test_folding_is_found(arguments):
    fixed, moving, _ = arguments["images"]
    field = np.zeros((*fixed.shape, 2), np.float32)
    field[:, 100:, 1] = -40
    result = evaluate(fixed, moving, DisplacementTransform(field))
    assert result.after["folding_percent"] > 0.5


def test_large_images_are_thinned_and_lengths_stay_true():
    random = np.random.default_rng(0)
    fixed = np.kron(random.random((40, 60)), np.ones((40, 40))).astype(np.float32)
    shift = MatrixTransform.translation((8.0, 0.0))
    moving = shift.inverse().resample(fixed, fixed.shape)
    result = evaluate(fixed, moving, shift, initial=START, truth=shift)
    assert result.grid.stride == 2
    assert result.after["displacement_median"] == pytest.approx(8)
    assert result.before["re_grid"] == pytest.approx(8, abs=1e-3)
    assert result.after["log_jacobian_std"] == pytest.approx(0, abs=1e-5)
    assert result.after["ncc"] > 0.95
    assert "one in 2 rows" in result.notes[0]


def test_a_fused_image_is_measured(arguments):
    fixed, moving, transform = arguments["images"]
    registered = transform.resample(moving, fixed.shape)
    fused = np.maximum(fixed, registered)
    result = evaluate(
        fixed,
        moving,
        transform,
        fused=fused,
        fixed_labels=arguments["labels"]["fixed_labels"],
        segmenter=load_segmenter("regions"),
    )
    assert result.after["fusion_qabf"] > 0.3
    assert result.after["object_iou_fused"] > 0.6
    assert result.objects.masks["fused"].keys() == result.objects.masks["fixed"].keys()
    with pytest.raises(InputError, match="fixed grid"):
        evaluate(fixed, moving, transform, fused=fused[:-3])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"moving_labels": np.ones((150, 200), int)}, "moving image only"),
        (
            {"fixed_labels": np.ones((4, 4), int), "segmenter": load_segmenter("regions")},
            "own grid",
        ),
        (
            {
                "fixed_labels": np.ones((150, 200), int),
                "moving_labels": np.full((150, 200), 2),
            },
            "no number in common",
        ),
        (
            {"fixed_labels": np.zeros((150, 200), int), "segmenter": load_segmenter("regions")},
            "Paint some",
        ),
        ({"initial": np.eye(3)}, "pass a Transform"),
        ({"misregistration": np.zeros((3, 3))}, "misregistration map"),
    ],
)
def test_wrong_inputs(arguments, options, message):
    with pytest.raises(InputError, match=message):
        evaluate(*arguments["images"], **options)


def test_images_that_do_not_overlap_are_said(arguments):
    away = MatrixTransform.translation((1000.0, 0.0))
    result = evaluate(*arguments["images"][:2], away)
    assert result.after["overlap_percent"] == 0
    assert np.isnan(result.after["ncc"])
    assert any("do not overlap" in note for note in result.notes)
    with pytest.raises(InputError):
        evaluate(*arguments["images"][:2], away, segmenter=load_segmenter("regions"))


def test_progress_never_falls_and_cancel_works(arguments):
    seen = []
    evaluate(
        *arguments["images"],
        segmenter=load_segmenter("regions"),
        progress=lambda stage, fraction: seen.append(fraction),
    )
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    with pytest.raises(Cancelled):
        evaluate(*arguments["images"], cancel=lambda: len(seen) > 0)


def test_a_report_holds_everything(arguments, tmp_path):
    import json

    from napari_mmreg.evaluation.objects import decode

    result = evaluate(
        *arguments["images"],
        initial=START,
        truth=TRUTH,
        segmenter=load_segmenter("regions"),
        misregistration=np.full((150, 200), 0.2, np.float32),
        name="<model>",
        provenance={"status": "ok", "images": {"fixed": "a & b", "moving": "m"}},
    )
    page = write_report([result, result], tmp_path / "report", "Discs")
    assert sorted(p.name for p in page.parent.iterdir()) == sorted(REPORT_FILES)
    html = page.read_text(encoding="utf-8")
    assert html.count("data:image/png;base64,") == 8
    assert "<svg" in html
    assert "&lt;model&gt;" in html
    assert "a &amp; b" in html
    assert 'src="http' not in html
    assert "does not certify geometry" in html
    data = json.loads((page.parent / "evaluation.json").read_text())
    first = data["evaluations"][0]
    assert first == json.loads(json.dumps(as_data(result)))
    assert first["numbers"]["re_grid"]["after"] == pytest.approx(0, abs=1e-5)
    for number, runs in first["objects"]["masks"]["after"].items():
        np.testing.assert_array_equal(decode(runs), result.objects.masks["after"][int(number)])
    rows = (page.parent / "objects.csv").read_text().splitlines()
    assert len(rows) == 1 + 2 * len(result.objects.masks["fixed"])
    with pytest.raises(InputError, match="nothing to report"):
        write_report([], tmp_path)
