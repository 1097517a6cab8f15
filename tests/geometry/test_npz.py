import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_mmreg.errors import TransformError
from napari_mmreg.geometry import (
    CompositeTransform,
    DisplacementTransform,
    InverseTransform,
    MatrixTransform,
    ResidualTransform,
    ThinPlateTransform,
    Transform,
)
from napari_mmreg.geometry.npz import FORMAT

POINTS = np.random.default_rng(0).uniform(2, 18, (30, 2))
LANDMARKS = np.array([[0, 0], [0, 30], [25, 3], [22, 28.0]])


def every_kind():
    rng = np.random.default_rng(1)
    homography = MatrixTransform([[1.1, 0.1, 3], [-0.2, 0.9, 5], [8e-4, -5e-4, 1]])
    field = DisplacementTransform(rng.normal(0, 0.2, (20, 30, 2)))
    coarse = DisplacementTransform.coarse(rng.normal(0, 0.2, (4, 5, 2)), (20, 30))
    spline = ThinPlateTransform(LANDMARKS, LANDMARKS + rng.normal(0, 1, (4, 2)), 0.25)
    residual = ResidualTransform(LANDMARKS, rng.normal(0, 0.5, (4, 2)), 40, 0.1, 0.5)
    chain = CompositeTransform([field, homography, coarse.inverse(), spline])
    return {
        "matrix": homography,
        "field": field,
        "coarse": coarse,
        "spline": spline,
        "residual": residual,
        "inverse": coarse.inverse(),
        "chain": chain,
        "inverse chain": chain.inverse(),
    }


@pytest.mark.parametrize("kind", every_kind())
def test_a_saved_transform_maps_the_same(tmp_path, kind):
    transform = every_kind()[kind]
    path = tmp_path / "transform.npz"
    transform.save(path)
    loaded = Transform.load(path)
    assert type(loaded) is type(transform)
    assert_array_equal(loaded.map(POINTS), transform.map(POINTS))
    assert [p.name for p in tmp_path.iterdir()] == ["transform.npz"]  # no temporary file stays


@pytest.mark.parametrize("kind", every_kind())
def test_transforms_travel_between_processes(kind):
    transform = every_kind()[kind]
    assert_array_equal(pickle.loads(pickle.dumps(transform)).map(POINTS), transform.map(POINTS))


def test_nothing_in_the_file_is_pickled(tmp_path):
    every_kind()["chain"].save(tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz", allow_pickle=False) as archive:
        assert all(archive[name].dtype.kind in "Uif" for name in archive.files)
        assert "(row, col)" in str(archive["convention"])


def test_saving_replaces_the_old_file(tmp_path):
    path = str(tmp_path / "t.npz")
    MatrixTransform.identity().save(path)
    MatrixTransform.translation((1, 2)).save(path)
    assert_array_equal(Transform.load(path).map([[0, 0]]), [[1, 2]])


def rewrite(path, **changes):
    arrays = {
        "format": np.array(FORMAT),
        "version": np.array(1),
        "kind": np.array("matrix"),
        "matrix": np.eye(3),
    } | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": np.array("other")}, "not written by napari-mmreg"),
        ({"format": None}, "not written by napari-mmreg"),
        ({"version": np.array(2)}, "newer napari-mmreg"),
        ({"version": None}, "incomplete"),
        ({"version": np.array("x")}, "incomplete"),
        ({"kind": None}, "incomplete"),
        ({"kind": np.array("spiral")}, "unknown kind 'spiral'"),
        ({"matrix": None}, "incomplete"),
        ({"matrix": np.eye(2)}, "3x3"),
        ({"kind": np.array("composite"), "count": np.array(2)}, "incomplete"),
        ({"matrix": np.array([{}], dtype=object)}, "damaged or no transform"),
    ],
)
def test_foreign_and_incomplete_files(tmp_path, changes, message):
    rewrite(tmp_path / "t.npz", **changes)
    with pytest.raises(TransformError, match=message):
        Transform.load(tmp_path / "t.npz")


def test_an_inverse_of_a_matrix_is_a_matrix(tmp_path):
    rewrite(
        tmp_path / "t.npz",
        kind=np.array("inverse"),
        **{"forward/kind": np.array("matrix"), "forward/matrix": np.diag([2.0, 4, 1])},
    )
    assert_array_equal(Transform.load(tmp_path / "t.npz").map([[2, 4]]), [[1, 1]])


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 broken", b"\x93NUMPY"])
def test_damaged_files(tmp_path, content):
    (tmp_path / "t.npz").write_bytes(content)
    with pytest.raises(TransformError, match=r"damaged|no transform"):
        Transform.load(tmp_path / "t.npz")


def test_truncated_and_flipped_files(tmp_path):
    path = tmp_path / "t.npz"
    every_kind()["field"].save(path)
    content = path.read_bytes()
    for broken in (content[: len(content) // 2], content[:3000] + b"\x00" * 50 + content[3050:]):
        path.write_bytes(broken)
        with pytest.raises(TransformError, match="damaged"):
            Transform.load(path)


def test_a_bare_array_is_no_transform(tmp_path):
    with (tmp_path / "t.npz").open("wb") as stream:
        np.save(stream, np.eye(3))
    with pytest.raises(TransformError, match="no transform"):
        Transform.load(tmp_path / "t.npz")


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(TransformError, match="no file"):
        Transform.load(tmp_path / "t.npz")
    with pytest.raises(TransformError, match="another folder"):
        MatrixTransform.identity().save(tmp_path / "absent" / "t.npz")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(TransformError, match="Cannot write"):
        MatrixTransform.identity().save(tmp_path / "folder.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["folder.npz"]


def test_kinds_of_other_people_have_to_be_sampled(tmp_path):
    class Odd(Transform):
        def _map(self, points):
            return points + np.sin(points)

        def inverse(self):
            raise TransformError("no inverse")

    odd = Odd()
    with pytest.raises(TransformError, match="Odd cannot be saved; sample it"):
        odd.save(tmp_path / "t.npz")
    DisplacementTransform.from_transform(odd, (9, 9)).save(tmp_path / "t.npz")
    assert isinstance(Transform.load(tmp_path / "t.npz"), DisplacementTransform)
    assert not isinstance(odd, InverseTransform)


def test_a_new_kind_is_one_class(tmp_path):
    class Ripple(Transform):
        kind = "ripple of a test"

        def __init__(self, height):
            self.height = float(height)

        def to_arrays(self):
            return {"height": np.array(self.height)}

        @classmethod
        def from_arrays(cls, arrays):
            return cls(arrays["height"])

        def _map(self, points):
            return points + self.height * np.sin(points)

        def inverse(self):
            raise TransformError("no inverse")

    chain = CompositeTransform([MatrixTransform.translation((1, 2)), Ripple(0.5)])
    chain.save(tmp_path / "t.npz")
    loaded = Transform.load(tmp_path / "t.npz")
    assert isinstance(loaded.transforms[1], Ripple)
    assert_array_equal(loaded.map(POINTS), chain.map(POINTS))
    with pytest.raises(TypeError, match="already a transform of the kind 'ripple of a test'"):
        type("Twin", (Transform,), {"kind": "ripple of a test"})


def test_files_of_version_0_1_still_load(tmp_path):
    """The names of all arrays as the first release wrote them."""
    kinds = every_kind()
    field, spline, residual = kinds["field"], kinds["spline"], kinds["residual"]
    np.savez(
        tmp_path / "t.npz",
        **{
            "format": np.array("napari-mmreg transform"),
            "version": np.array(1),
            "convention": np.array("fixed to moving, (row, col), pixels, centres at integers"),
            "count": np.array(5),
            "0/field": field.field,
            "0/grid": np.eye(3),
            "0/kind": np.array("displacement"),
            "1/matrix": kinds["matrix"].matrix,
            "1/kind": np.array("matrix"),
            "2/forward/field": kinds["coarse"].field,
            "2/forward/grid": kinds["coarse"].grid.matrix,
            "2/forward/kind": np.array("displacement"),
            "2/kind": np.array("inverse"),
            "3/fixed": spline.fixed_points,
            "3/moving": spline.moving_points,
            "3/smoothing": np.array(spline.smoothing),
            "3/kind": np.array("thin-plate"),
            "4/points": residual.points,
            "4/offsets": residual.offsets,
            "4/parameters": np.array([residual.reach, residual.smoothing, residual.strength]),
            "4/kind": np.array("residual"),
            "kind": np.array("composite"),
        },
    )
    whole = CompositeTransform([kinds["chain"], residual])
    assert_array_equal(Transform.load(tmp_path / "t.npz").map(POINTS), whole.map(POINTS))
