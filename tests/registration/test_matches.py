"""Single matches of a model, from its grid to the pixels of the images.

The model of these tests looks for bright spots in the two images as it is shown them. The same
spots are put at known pixels of the images, so nothing here relies on the grid's own numbers.
"""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from napari_mmreg.geometry import DisplacementTransform, MatrixTransform
from napari_mmreg.models import ModelInfo, Prediction, registry
from napari_mmreg.registration.register import PREDICT_BUDGET, register
from results import off

HOMOGRAPHY = MatrixTransform(np.array([[0.97, 0.12, 9], [-0.1, 1.03, 14], [3e-5, -2e-5, 1]]))
SPOTS = np.array([[0.15, 0.3], [0.3, 0.75], [0.45, 0.2], [0.6, 0.6], [0.75, 0.35], [0.85, 0.8]])
"""Places of the spots in parts of the fixed image; far from each other in rows."""

PROBABILITY = np.linspace(0.4, 0.9, len(SPOTS)).astype(np.float32)
INFO = ModelInfo("spots", "Spots", "Finds bright spots.", "BSD-3-Clause", needs_weights=False)


def draw(shape, places, radius):
    """Spots at places between pixels, on a ramp."""
    rows, cols = np.indices(shape, dtype=np.float32)
    image = 0.05 * rows / shape[0]
    for row, col in places:
        image += np.exp(-((rows - row) ** 2 + (cols - col) ** 2) / (2 * radius**2))
    return image.astype(np.float32)


def find(image):
    """Centres of the spots, from top to bottom."""
    labels, count = ndimage.label(image > 0.5 * image.max())
    weight = np.clip(image - 0.3 * image.max(), 0, None)
    return np.array(ndimage.center_of_mass(weight, labels, range(1, count + 1)))


class Spots:
    """Says what the truth is, and matches the spots it sees."""

    info = INFO

    def __init__(self):
        self.truth, self.said, self.shape, self.count = MatrixTransform.identity(), None, None, 6

    def predict(self, pair, run):
        self.shape = pair.shape
        back = pair.moving_from_grid.inverse()
        answer = back.compose(self.said or self.truth).compose(pair.fixed_from_grid)
        matches = np.column_stack([find(pair.fixed), find(pair.moving), PROBABILITY])
        return Prediction(answer, matches=matches[: self.count].astype(np.float32))


@pytest.fixture
def model(monkeypatch):
    monkeypatch.setattr(registry._MODELS, "entries", dict(registry._MODELS.entries))
    model = Spots()
    registry.register_model(INFO, lambda: model)
    model.status = "ok"

    def certify(pair, transform, run, *, elastic=None):
        nothing = off(np.zeros(pair.shape))
        return SimpleNamespace(
            status=model.status,
            reasons=(),
            similarity_before=0.2,
            similarity_after=0.7,
            folding=0.0,
            overlap=1.0,
            displacement=transform.displacement(pair.shape),
            errors=nothing,
            errors_before=nothing,
            whole=off(0.1),
            expected_error=1.0,
            chance_wrong=0.0,
        )

    module = ModuleType("napari_mmreg.registration.certify")
    module.certify = certify
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return model


def check(model, truth, fixed_shape, moving_shape, radii=(6, 6), **options):
    """Register spots that lie at known pixels, and look for them in the result's matches."""
    places = SPOTS * fixed_shape
    model.truth = truth
    result = register(
        draw(fixed_shape, places, radii[0]),
        draw(moving_shape, truth.map(places), radii[1]),
        model="spots",
        refine=False,
        detect_borders=False,
        **options,
    )
    matches = result.matches
    assert matches.dtype == np.float32
    assert matches.shape == (len(SPOTS), 5)
    np.testing.assert_allclose(matches[:, :2], places, atol=0.3)
    np.testing.assert_allclose(matches[:, 2:4], truth.map(places), atol=0.5)
    np.testing.assert_array_equal(matches[:, 4], PROBABILITY)
    assert result.metrics["matches"] == len(SPOTS)
    assert result.report()["metrics"]["matches"] == {"value": 6, "unit": "1"}
    return result


def test_images_that_are_the_grid(model):
    check(model, HOMOGRAPHY, (300, 340), (300, 340))


def test_images_larger_than_the_grid(model):
    check(model, HOMOGRAPHY, (1400, 1200), (1400, 1200), radii=(14, 14))
    assert np.prod(model.shape) <= PREDICT_BUDGET < 1400 * 1200


def test_unequal_sizes_and_pixels_that_are_not_square(model):
    bend = MatrixTransform(np.array([[0.52, 0.03, 4], [-0.02, 0.48, 6], [0, 0, 1]]))
    check(model, bend, (900, 1000), (480, 520), radii=(12, 6))
    wide = MatrixTransform(np.array([[1.0, 0.03, -6], [0.01, 0.5, 4], [0, 0, 1]]))
    spacing = {"fixed_spacing": (2.0, 1.0), "moving_spacing": (2.0, 2.0)}
    check(model, wide, (420, 800), (400, 420), radii=(7, 7), **spacing)


def test_an_initial_transform_is_part_of_the_grid(model):
    truth = MatrixTransform.from_params(rotation_degrees=30, scale=0.7, translation=(150, -40))
    near = MatrixTransform.from_params(rotation_degrees=26, scale=0.72, translation=(130, -30))
    check(model, truth, (800, 700), (760, 820), radii=(10, 8), initial=near)


def test_an_initial_transform_that_bends(model):
    rows, cols = np.indices((400, 420), dtype=np.float32)
    wave = np.stack([12 * np.sin(cols / 90), 9 * np.cos(rows / 80)], axis=-1)
    initial = DisplacementTransform(wave.astype(np.float32))
    truth = initial.compose(MatrixTransform.translation((3, -5)))
    check(model, truth, (400, 420), (400, 420), radii=(5, 5), initial=initial)


def spots_of(model, **options):
    picture = draw((300, 340), SPOTS * (300, 340), 6)
    return register(picture, picture, model="spots", refine=False, **options)


def test_a_model_may_find_none(model):
    model.count = 0
    result = spots_of(model)
    assert result.matches.shape == (0, 5)
    assert result.metrics["matches"] == 0


def test_matches_outside_the_images_are_left_out(model):
    moving = draw((300, 200), SPOTS * (300, 340), 6)  # a part of the same scene
    fixed = draw((300, 340), SPOTS * (300, 340), 6)
    seen = find(fixed)
    model.predict = lambda pair, run: Prediction(
        MatrixTransform.identity(), matches=np.column_stack([seen, seen, PROBABILITY])
    )
    result = register(fixed, moving, model="spots", refine=False, initial=np.eye(3))
    inside = seen[:, 1] < 199.5
    assert 0 < inside.sum() < len(SPOTS)
    np.testing.assert_allclose(result.matches[:, 4], PROBABILITY[inside])


def test_a_failed_run_has_no_matches(model):
    model.status = "failed"
    result = spots_of(model)
    assert result.matches is None
    assert "matches" not in result.metrics


def test_matches_that_the_answer_turned_down_are_not_its_own(model):
    model.said = MatrixTransform.translation((0, 30))
    assert spots_of(model).matches is None
    model.said = MatrixTransform.translation((0, 2))
    assert len(spots_of(model).matches) == len(SPOTS)
