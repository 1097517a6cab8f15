"""The path itself, with stand-ins for what predicts, refines and checks."""

import json
import sys
from dataclasses import dataclass, replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from skimage import data
from skimage.transform import resize

import napari_mmreg
from napari_mmreg.errors import Cancelled, DeviceError, InputError, ModelError
from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.models import ModelInfo, Prediction, registry
from napari_mmreg.registration import register as register_function
from napari_mmreg.registration.register import register
from results import off

assemble = sys.modules["napari_mmreg.registration.assemble"]
path = sys.modules["napari_mmreg.registration.register"]
plan = sys.modules["napari_mmreg.registration.plan"]

CAMERA = data.camera()
STAGES = ["Preparing", "Global alignment", "Local refinement", "Checking", "Writing result"]
INFO = ModelInfo("stand-in", "Stand-in", "Answers as told.", "BSD-3-Clause", needs_weights=False)


@dataclass
class StandIn:
    """Knows the answer between fixed and moving pixels."""

    answer: MatrixTransform
    info: ModelInfo = INFO
    pairs: tuple = ()
    matches: int = 0

    def predict(self, pair, run):
        self.pairs = (*self.pairs, pair)
        run.step(0.6)
        run.step(0.2)  # a model may start over
        back = pair.moving_from_grid.inverse()
        on_grid = back.compose(self.answer).compose(pair.fixed_from_grid)
        return Prediction(on_grid, matches=np.zeros((self.matches, 5), np.float32))


@pytest.fixture
def engine(monkeypatch):
    """Return a namespace to tell the stand-ins what to do and see what they were given."""
    told = SimpleNamespace(
        answer=MatrixTransform.identity(),
        status="ok",
        expected=lambda transform: 1.0,
        refined=[],
        certified=[],
        model=None,
    )
    monkeypatch.setattr(registry._MODELS, "entries", dict(registry._MODELS.entries))
    monkeypatch.setattr(registry._MODELS, "aliases", {"auto": "stand-in"})
    monkeypatch.setattr(plan, "BUDGETS", {"balanced": ("stand-in",)})

    def make():
        told.model = StandIn(told.answer)
        return told.model

    registry.register_model(INFO, make)

    def refine(pair, transform, run, *, global_part=None, elastic=None):
        told.refined.append(pair)
        run.step(0.5)
        return transform

    def certify(pair, transform, run, *, elastic=None):
        told.certified.append(pair)
        status = told.status if isinstance(told.status, str) else told.status(transform)
        return SimpleNamespace(
            status=status,
            reasons=("Because the test says so.",),
            expected_error=told.expected(transform),
            chance_wrong=0.0,
            whole=off(0.5),
            similarity_before=0.2,
            similarity_after=0.1 if status == "failed" else 0.7,
            folding=0.25,
            overlap=0.5,
            displacement=transform.displacement(pair.shape),
            forward_backward=np.zeros(pair.shape, np.float32),
            errors=off(np.full(pair.shape, 0.75)),
            errors_before=off(np.full(pair.shape, 0.5)),
        )

    for name, function in (("refine", refine), ("certify", certify)):
        module = ModuleType(f"napari_mmreg.registration.{name}")
        setattr(module, name, function)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return told


def test_public_name_is_the_function():
    assert register_function is register
    assert napari_mmreg.register is register


def test_the_whole_result(engine):
    engine.answer = MatrixTransform.translation((5, -7))
    result = register(CAMERA, CAMERA[:, ::-1])
    np.testing.assert_allclose(result.transform.map((100, 200)), (105, 193))
    np.testing.assert_array_equal(result.registered[:507, 7:], CAMERA[:, ::-1][5:, :505])
    assert result.registered.dtype == CAMERA.dtype
    assert (result.registered[~result.valid] == 0).all()
    assert result.status == "ok"
    assert result.reasons[0] == "Because the test says so."
    assert result.model == "auto"
    assert result.answer_of == "stand-in"
    assert result.matches.shape == (0, 5)
    assert result.fixed_from_model_grid.is_identity
    assert result.metrics == {
        "similarity_before": 0.2,
        "similarity_after": 0.7,
        "folding_percent": 25.0,
        "overlap_percent": 50.0,
        "displacement_median_px": pytest.approx(np.hypot(5, 7)),
        "displacement_max_px": pytest.approx(np.hypot(5, 7)),
        "matches": 0,
    }
    assert list(result.timings) == STAGES
    provenance = result.provenance
    assert provenance["inputs"]["fixed"] == {"shape": [512, 512], "dtype": "uint8"}
    assert provenance["versions"]["torch"] == torch.__version__
    assert provenance["weights_sha256"] is None
    json.dumps(result.report(), allow_nan=False)


def test_registered_is_what_the_transform_makes(engine, monkeypatch):
    monkeypatch.setattr(assemble, "TILE", 64)
    monkeypatch.setattr(assemble, "BAND_WIDTH", 700)
    engine.answer = MatrixTransform.from_params(rotation_degrees=9, translation=(5, -7))
    moving = data.astronaut()[:, :380]
    heard = []
    result = register(CAMERA, moving, progress=lambda *told: heard.append(told))
    np.testing.assert_array_equal(
        result.registered, result.transform.resample(moving, CAMERA.shape)
    )
    writing = {fraction for stage, fraction in heard if stage == "Writing result"}
    assert len(writing) > 5


def blobs():
    rows, cols = np.mgrid[:64, :80]
    labels = np.zeros((64, 80), np.uint16)
    for number, (row, col, radius) in enumerate([(15, 20, 9), (40, 30, 12), (30, 62, 14)]):
        labels[np.hypot(rows - row, cols - col) < radius] = 100 + 300 * number
    return labels


def test_labels_stay_labels(engine):
    engine.answer = MatrixTransform.from_params(rotation_degrees=9, translation=(2.5, -1.5))
    fixed = CAMERA[:64, :80]
    result = register(fixed, blobs())
    expected = result.transform.resample(blobs(), fixed.shape, order=0)
    np.testing.assert_array_equal(result.registered, expected)
    assert set(np.unique(result.registered)) == {0, 100, 400, 700}
    assert "labels or a mask and was resampled by nearest neighbour" in result.reasons[-1]
    assert result.provenance["parameters"]["order"] is None


def test_the_order_of_interpolation_can_be_chosen(engine):
    engine.answer = MatrixTransform.translation((0, 0.5))
    fixed = CAMERA[:64, :80]
    linear = register(fixed, blobs(), model="stand-in", order=1)
    assert len(np.unique(linear.registered)) > 4
    assert linear.registered[30, 48] == 350  # between 0 and 700
    assert linear.reasons == ("Because the test says so.",)
    nearest = register(fixed, fixed, order=0)
    np.testing.assert_array_equal(nearest.registered[:, :79], fixed[:, 1:])
    with pytest.raises(InputError, match="order 2 is unknown"):
        register(fixed, fixed, order=2)


def test_what_was_left_out_is_told(engine):
    rows, cols = np.mgrid[:120, :120]
    inside = np.hypot(rows - 59.5, cols - 59.5) < 50
    fixed = np.where(inside, CAMERA[100:220, 100:220] // 2 + 90, 0).astype(np.uint8)
    engine.answer = MatrixTransform.identity()
    result = register(fixed, fixed.repeat(2, 0).repeat(2, 1))
    radius = np.hypot(rows - 59.5, cols - 59.5)
    assert result.fixed_excluded.shape == fixed.shape
    assert result.fixed_excluded[radius > 51].all()
    assert not result.fixed_excluded[radius < 44].any()
    assert result.moving_excluded.shape == (240, 240)
    far = np.hypot(*(np.mgrid[:240, :240] - 119.5))
    assert result.moving_excluded[(far > 102)].all()
    assert not result.moving_excluded[far < 88].any()
    whole = register(fixed, fixed, detect_borders=False)
    assert whole.fixed_excluded is None
    assert whole.moving_excluded is None


def test_stages_and_progress(engine):
    heard = []
    register(CAMERA, CAMERA, progress=lambda stage, fraction: heard.append((stage, fraction)))
    fractions = [fraction for _, fraction in heard]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert fractions[-1] == 1
    assert list(dict.fromkeys(stage for stage, _ in heard)) == STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_cancel_in_every_stage(engine, stage):
    current = [""]

    def listen(name, fraction):
        current[0] = name

    with pytest.raises(Cancelled):
        register(CAMERA, CAMERA, progress=listen, cancel=lambda: current[0] == stage)


def test_refinement_can_be_left_out(engine):
    result = register(CAMERA, CAMERA, refine=False)
    assert engine.refined == []
    assert "Local refinement" not in result.timings
    assert result.provenance["parameters"]["refine"] is False


TRAINED = replace(INFO, name="trained", title="Trained", needs_weights=True)
TRUE, WRONG = MatrixTransform.translation((5, -7)), MatrixTransform.translation((50, 0))


@pytest.fixture
def trained(engine, monkeypatch):
    """Register a trained model beside the one that is asked for a second opinion."""
    monkeypatch.setattr(plan, "SECOND_OPINION", "stand-in")
    wrong = StandIn(WRONG, TRAINED, matches=1)
    registry.register_model(TRAINED, lambda: wrong)
    engine.status = lambda found: "ok" if np.allclose(found.map((0, 0)), (5, -7)) else "doubtful"
    engine.expected = lambda found: 1.0 if np.allclose(found.map((0, 0)), (5, -7)) else 3.0
    return wrong


def test_a_trained_model_that_does_not_hold_is_outdone(engine, trained):
    engine.answer = TRUE
    result = register(CAMERA, CAMERA, model="trained")
    assert result.status == "ok"
    assert result.model == "trained"
    assert result.answer_of == "stand-in"
    assert "Trained" in result.reasons[-1]
    assert len(result.matches) == 0  # not the trained model's one
    np.testing.assert_allclose(result.transform.map((0, 0)), (5, -7))


def test_a_doubtful_second_opinion_is_better_than_a_failure(engine, trained):
    engine.answer = TRUE
    right = lambda found: np.allclose(found.map((0, 0)), (5, -7))  # noqa: E731
    engine.status = lambda found: "doubtful" if right(found) else "failed"
    result = register(CAMERA, CAMERA, model="trained")
    assert result.status == "doubtful"
    assert result.answer_of == "stand-in"


@pytest.mark.parametrize(("expected", "answer_of"), [(4.0, "trained"), (2.0, "stand-in")])
def test_the_answer_that_is_probably_nearer_is_kept(engine, trained, expected, answer_of):
    engine.answer = MatrixTransform.translation((0, 80))
    engine.expected = lambda found: expected if found.map((0, 0))[1] > 40 else 3.0
    result = register(CAMERA, CAMERA, model="trained")
    assert result.answer_of == answer_of
    assert result.reasons[0] == "Because the test says so."
    place = (50, 0) if answer_of == "trained" else (0, 80)
    np.testing.assert_allclose(result.transform.map((0, 0)), place)


@pytest.mark.parametrize(("answer", "refine"), [(TRUE, True), (WRONG, False)], ids=str)
def test_no_second_opinion_after_a_sure_answer_or_on_the_bare_model(
    engine, trained, answer, refine
):
    trained.answer, engine.answer = answer, TRUE
    result = register(CAMERA, CAMERA, model="trained", refine=refine)
    assert engine.model is None
    assert result.answer_of == "trained"


def test_large_images_are_refined_on_a_finer_grid(engine):
    fixed = np.kron(CAMERA, np.ones((4, 4), np.uint8))[:, :1800]
    engine.answer = MatrixTransform.from_params(rotation_degrees=3, translation=(20, -31))
    result = register(fixed, fixed)
    (coarse,), fine = engine.model.pairs, engine.refined[0]
    assert coarse.fixed.size <= 512**2 < fine.fixed.size <= 1024**2
    assert engine.certified == [fine]
    points = np.array([[0.0, 0.0], [1500.0, 700.0]])
    np.testing.assert_allclose(result.transform.map(points), engine.answer.map(points), atol=1e-6)
    assert result.registered.shape == fixed.shape
    assert result.misregistration.shape == fixed.shape
    assert result.fixed_from_model_grid is coarse.fixed_from_grid
    assert result.fixed_from_grid is fine.fixed_from_grid


def test_small_images_are_prepared_once(engine):
    register(CAMERA, CAMERA)
    assert engine.refined[0] is engine.model.pairs[0]


def test_a_failed_run_hands_back_the_initial_transform_and_says_so(engine):
    engine.status = "failed"
    engine.answer = MatrixTransform.translation((40, 40))
    start = MatrixTransform.translation((3, 2))
    result = register(CAMERA, CAMERA, initial=start)
    assert result.status == "failed"
    np.testing.assert_allclose(result.transform.map((10, 10)), (13, 12))
    np.testing.assert_allclose(result.attempted.map((10, 10)), engine.answer.map((10, 10)))
    np.testing.assert_array_equal(result.registered[:500, :500], CAMERA[3:503, 2:502])
    # Numbers and maps describe what is handed back.
    assert result.metrics["similarity_after"] == result.metrics["similarity_before"]
    assert result.metrics["displacement_max_px"] == 0
    assert result.metrics["folding_percent"] == 0
    assert result.metrics["overlap_percent"] == pytest.approx(100 * 509 * 510 / 512**2, abs=0.1)
    assert (result.misregistration == 0.5).all()
    assert any("as they were before" in reason for reason in result.reasons)


def test_sizes_channels_and_spacing(engine):
    moving = data.astronaut()[:300, :400].astype(np.float32)
    engine.answer = MatrixTransform.from_params(scale=(1.4, 0.6), translation=(3, 20))
    result = register(CAMERA[:200, :440], moving, fixed_spacing=(2, 1), moving_spacing=(1.5, 1.5))
    points = np.array([[0.0, 0.0], [150.0, 400.0]])
    np.testing.assert_allclose(result.transform.map(points), engine.answer.map(points), atol=1e-9)
    assert result.registered.shape == (200, 440, 3)
    assert result.registered.dtype == np.float32
    assert result.provenance["parameters"]["fixed_spacing"] == [2.0, 1.0]
    np.testing.assert_array_equal(result.provenance["parameters"]["moving_spacing"], [1.5, 1.5])


def test_masks_reach_the_pair(engine):
    mask = np.ones(CAMERA.shape, np.uint8)
    mask[:100] = 0
    result = register(CAMERA, CAMERA, moving_mask=mask, modalities=("visible", "infrared"))
    (pair,) = engine.model.pairs
    assert np.array_equal(pair.moving_mask, mask == 1)
    assert pair.fixed_mask.all()
    assert (pair.fixed_modality, pair.moving_modality) == ("visible", "infrared")
    assert result.provenance["parameters"]["moving_mask"] is True


def test_input_is_not_changed(engine):
    fixed, moving = CAMERA.astype(np.float32), CAMERA.astype(np.float32)
    moving[:20] = np.nan
    before = moving.copy()
    result = register(fixed, moving)
    np.testing.assert_array_equal(moving, before)
    np.testing.assert_array_equal(fixed, CAMERA)
    assert not np.shares_memory(result.registered, moving)


def test_out_of_memory_is_explained(engine, monkeypatch):
    def predict(self, pair, run):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(StandIn, "predict", predict)
    with pytest.raises(DeviceError, match="memory"):
        register(CAMERA, CAMERA)


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"model": "magic"}, ModelError, "auto, .*stand-in"),
        ({"device": "abacus"}, DeviceError, "'auto'"),
        ({"fixed": np.zeros(50)}, InputError, "fixed image has 1 dimension"),
        ({"moving": np.zeros((40, 40), complex)}, InputError, r"np\.abs"),
        ({"moving": np.zeros((40, 40))}, InputError, "nothing to align on"),
        ({"fixed": np.full((40, 40), np.nan)}, InputError, "NaN"),
        ({"fixed_mask": np.ones((4, 4), bool)}, InputError, "mask has the shape"),
        ({"moving_mask": np.ones(CAMERA.shape)}, InputError, "mask > 0.5"),
        ({"initial": np.eye(2)}, InputError, "3x3"),
        ({"initial": np.zeros((3, 3))}, InputError, "3x3"),
        ({"initial": "guess"}, InputError, "3x3"),
        ({"fixed_spacing": (0, 1)}, InputError, "positive"),
        ({"moving_spacing": np.inf}, InputError, "positive"),
    ],
)
def test_bad_input_is_refused_before_any_work(engine, changes, error, says):
    given = {"fixed": CAMERA, "moving": CAMERA, **changes}
    with pytest.raises(error, match=says):
        register(given.pop("fixed"), given.pop("moving"), **given)
    assert engine.model is None or engine.model.pairs == ()


def test_lines_of_text_do_not_vouch_for_their_mirror_image():
    page = resize(data.page()[10:190, :180] / 255.0, (160, 160))
    found = register(page, 1 - page[:, ::-1] ** 0.8, "hrnet", device="cpu")
    assert found.status != "ok"
