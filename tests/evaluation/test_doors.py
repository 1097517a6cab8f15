"""Arguments of a wrong kind are refused at the door, in words, without a warning."""

import numpy as np
import pytest

from napari_mmreg import evaluate, fuse, landmark_error, register
from napari_mmreg.errors import DeviceError, InputError
from napari_mmreg.geometry import MatrixTransform

IDENTITY = MatrixTransform.identity()
POINTS = [[1.0, 2.0], [3.0, 4.0]]
IMAGE = np.random.default_rng(0).random((32, 32))


class Missing:
    """As the missing values of tables are."""

    def __float__(self):
        raise TypeError("NA")


@pytest.mark.parametrize(
    "points",
    [
        "points.csv",
        {"a": 1},
        [["1", "x"]],
        [[1, 2], [3]],
        np.array([[1 + 1j, 2]]),
        np.array([[Missing(), 2]], dtype=object),
        np.ma.masked_array([[1.0, 2.0]], mask=[[True, False]]),
        None,
        [],
    ],
)
def test_landmarks(points):
    for fixed, moving in ((points, POINTS), (POINTS, points)):
        with pytest.raises(InputError, match="landmarks"):
            landmark_error(IDENTITY, fixed, moving)


@pytest.mark.parametrize("transform", ["transform.npz", None, np.eye(3), MatrixTransform])
def test_transforms(transform):
    with pytest.raises(InputError, match="pass a Transform"):
        landmark_error(transform, POINTS, POINTS)
    with pytest.raises(InputError, match="pass a Transform"):
        evaluate(IMAGE, IMAGE, transform)


def test_huge_landmarks_warn_of_nothing():
    error = landmark_error(IDENTITY, [[1e308, -1e308]] * 3, [[-1e308, 1e308]] * 3)
    assert error.summary()["max"] == np.inf


@pytest.mark.parametrize(
    "modalities", [(np.nan, None), (b"sar", None), "sar", (np.ones(2), None), (None,), None, {}]
)
def test_modalities(modalities):
    with pytest.raises(InputError, match="two words or None"):
        evaluate(IMAGE, IMAGE, IDENTITY, modalities=modalities)
    with pytest.raises(InputError, match="two words or None"):
        register(IMAGE, IMAGE, modalities=modalities)


def test_what_json_cannot_hold():
    circular = {}
    circular["again"] = circular
    for provenance in (circular, {"a": object()}, {(1, 2): 3}):
        with pytest.raises(InputError, match="cannot be written as JSON"):
            evaluate(IMAGE, IMAGE, IDENTITY, provenance=provenance)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"landmarks": "points.csv"}, "two arrays of points"),
        ({"objects": "many"}, "number of objects"),
        ({"objects": 0}, "number of objects"),
        ({"progress": "bar"}, "progress is a str; pass a function"),
        ({"fused": "fused.tif"}, "fused image has the dtype"),
    ],
)
def test_options_of_evaluate(options, message):
    with pytest.raises(InputError, match=message):
        evaluate(IMAGE, IMAGE, IDENTITY, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": 3}, "method is a int; pass its name"),
        ({"valid": [[1], [2, 3]]}, "no array"),
        ({"valid": "mask.tif"}, "mask `valid` has the dtype"),
        ({"progress": "bar"}, "progress is a str; pass a function"),
        ({"cancel": 1}, "cancel is a int; pass a function"),
    ],
)
def test_options_of_fuse(options, message):
    with pytest.raises(InputError, match=message):
        fuse(IMAGE, IMAGE, **options)


def test_options_of_register():
    with pytest.raises(InputError, match="progress is a str"):
        register(IMAGE, IMAGE, progress="bar")
    with pytest.raises(DeviceError, match="device is a int"):
        register(IMAGE, IMAGE, device=0)
    with pytest.raises(InputError, match="more than 100 times as long"):
        register(IMAGE, IMAGE, fixed_spacing=(1, 1e6))
    with pytest.raises(InputError, match="is a strip, 625 times as long"):
        register(np.ones((16, 10_000)), IMAGE, "classical")
