"""SAM and SAM 2 of the real classes, tiny and with random weights."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from napari_mmreg.errors import Cancelled, ModelError
from napari_mmreg.evaluation.segmentation import Prompt, load_segmenter
from napari_mmreg.evaluation.segmentation.sam import SamSegmenter
from napari_mmreg.run import Run

pytestmark = [
    pytest.mark.slow,
    # From inside transformers and torch; not ours to mend.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

PROMPTS = [Prompt(np.array([[30.0, 40.0]])), Prompt(np.array([[10.0, 5.0], [12.0, 8.0]]))]


@pytest.fixture
def picture():
    random = np.random.default_rng(1)
    return random.integers(0, 255, (60, 90, 3), dtype=np.uint8)


@pytest.mark.parametrize("family", ["sam", "sam2"])
def test_prompts_are_answered_on_the_pictures_grid(sam_folders, picture, family):
    segmenter = load_segmenter(sam_folders[family])
    assert isinstance(segmenter, SamSegmenter)
    first = segmenter.segment(picture, PROMPTS, Run())
    assert [s.mask.shape for s in first] == [(60, 90)] * 2
    assert all(s.mask.dtype == bool and 0 <= s.score <= 1 for s in first)
    again = SamSegmenter(sam_folders[family]).segment(picture, PROMPTS, Run())
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.mask, other.mask)


@pytest.mark.parametrize("family", ["sam", "sam2"])
def test_a_picture_is_encoded_once_and_forgotten_on_request(sam_folders, picture, family):
    segmenter = load_segmenter(sam_folders[family])
    segmenter.segment(picture, PROMPTS, Run())
    segmenter.segment(picture.copy(), PROMPTS[:1], Run())
    assert segmenter.encoded == 1
    segmenter.segment(255 - picture, PROMPTS, Run())
    assert segmenter.encoded == 2
    segmenter.release()
    assert segmenter._model is None
    assert len(segmenter._embeddings) == 0
    segmenter.segment(picture, PROMPTS, Run())
    assert segmenter.encoded == 3


@pytest.mark.parametrize("family", ["sam", "sam2"])
def test_the_answer_is_that_of_the_model_itself(sam_folders, family):
    """A square picture of the network's own size, through transformers without this package."""
    import torch
    import transformers

    random = np.random.default_rng(2)
    picture = random.integers(0, 255, (64, 64, 3), dtype=np.uint8)
    (answer,) = load_segmenter(sam_folders[family]).segment(picture, PROMPTS[:1], Run())
    kind = {"sam": transformers.SamModel, "sam2": transformers.Sam2Model}[family]
    model = kind.from_pretrained(sam_folders[family]).eval()
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    values = ((picture / 255 - mean) / std).transpose(2, 0, 1)[None].astype(np.float32)
    with torch.inference_mode():
        out = model(
            pixel_values=torch.from_numpy(values),
            input_points=torch.tensor([[[[40.5, 30.5]]]]),
            input_labels=torch.tensor([[[1]]]),
        )
    best = int(out.iou_scores[0, 0].argmax())
    mask = torch.nn.functional.interpolate(out.pred_masks[0], (64, 64), mode="bilinear")[0, best]
    agree = (mask.numpy() > 0) == answer.mask
    assert agree.mean() > 0.97  # two interpolations instead of one


def test_objects_are_proposed_and_can_be_cancelled(sam_folders, picture):
    segmenter = load_segmenter(sam_folders["sam"])
    found = segmenter.propose(picture, Run())
    assert len(found) == 16 * 16 * 3
    assert found[0].mask.shape == (60, 90)
    with pytest.raises(Cancelled):
        segmenter.propose(picture, Run(cancel=lambda: True))


def test_provenance_names_the_weights(sam_folders):
    import hashlib

    about = load_segmenter(sam_folders["sam2"]).provenance
    weights = (sam_folders["sam2"] / "model.safetensors").read_bytes()
    assert about["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    assert about["class"] == "Sam2Model"
    assert "SAM 2" in about["name"]


def test_what_is_no_sam_is_a_sentence(sam_folders, tmp_path):
    with pytest.raises(ModelError, match=r"no readable config\.json"):
        load_segmenter(tmp_path / "nothing")
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelError, match="'bert'"):
        load_segmenter(other)
    pickled = tmp_path / "pickled"
    shutil.copytree(sam_folders["sam"], pickled)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"no model\.safetensors"):
        load_segmenter(pickled)
    broken = tmp_path / "broken"
    shutil.copytree(sam_folders["sam"], broken)
    (broken / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_segmenter(broken).segment(np.zeros((32, 32), np.uint8), PROMPTS[:1], Run())
