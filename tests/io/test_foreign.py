"""Transforms and landmarks of other programs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from napari_mmreg.errors import InputError, TransformError
from napari_mmreg.geometry import Frame
from napari_mmreg.io import load_transform, read_landmark_files, read_points

POINTS = np.array([[3.0, 5], [20, 8], [11, 30]])

HEAD = """(Transform "{kind}")
(NumberOfParameters {count})
(TransformParameters {parameters})
(InitialTransformParametersFileName "{before}")
(HowToCombineTransforms "Compose")
(FixedImageDimension 2)
(MovingImageDimension 2)
(Size 60 40)
(Spacing 1.0 1.0)
(Origin 0.0 0.0)
"""


def elastix(path, kind, parameters, more="", before="NoInitialTransform"):
    text = HEAD.format(
        kind=kind, count=len(parameters), parameters=" ".join(map(str, parameters)), before=before
    )
    path.write_text("// from a test\n" + text + more)
    return path


CENTRE = "(CenterOfRotationPoint 30.0 20.0)\n"


@pytest.mark.parametrize(
    ("kind", "parameters", "angle", "scale", "shift"),
    [
        ("TranslationTransform", (4, -2), 0.0, 1.0, (4, -2)),
        ("EulerTransform", (0.1, 4, -2), 0.1, 1.0, (4, -2)),
        ("SimilarityTransform", (1.2, 0.1, 4, -2), 0.1, 1.2, (4, -2)),
    ],
)
def test_linear_transforms_of_elastix(tmp_path, kind, parameters, angle, scale, shift):
    path = elastix(tmp_path / "TransformParameters.0.txt", kind, parameters, CENTRE)
    transform = load_transform(path)
    x, y = POINTS[:, 1] - 30, POINTS[:, 0] - 20
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    expected = np.stack(
        [sin * x + cos * y + 20 + shift[1], cos * x - sin * y + 30 + shift[0]], axis=-1
    )
    assert_allclose(transform.map(POINTS), expected)
    assert transform.fixed_frame == Frame((40, 60))


def test_affine_of_elastix_in_a_chain_and_with_spacings(tmp_path):
    elastix(tmp_path / "TransformParameters.0.txt", "TranslationTransform", (4, -2))
    path = elastix(
        tmp_path / "TransformParameters.1.txt",
        "AffineTransform",
        (2, 0.5, 0, 1, 0, 0),
        before="/elsewhere/TransformParameters.0.txt",
    )
    x, y = POINTS[:, 1] + 4, POINTS[:, 0] - 2
    assert_allclose(load_transform(path).map(POINTS), np.stack([y, 2 * x + 0.5 * y], -1))
    # Twice the pixel size of the moving image: half the pixels.
    halved = load_transform(path, fixed_spacing=(1, 1), moving_spacing=(2, 2))
    assert_allclose(halved.map(POINTS), np.stack([y, 2 * x + 0.5 * y], -1) / 2)


def test_bspline_of_elastix(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    rng = np.random.default_rng(0)
    coefficients = rng.normal(0, 2, (2, 7, 8))
    more = (
        "(GridSize 8 7)\n(GridIndex 0 0)\n(GridSpacing 12.0 10.0)\n(GridOrigin -12.0 -10.0)\n"
        "(GridDirection 1.0 0.0 0.0 1.0)\n(BSplineTransformSplineOrder 3)\n"
    )
    path = elastix(tmp_path / "t.txt", "BSplineTransform", coefficients.ravel().tolist(), more)
    images = []
    for values in coefficients:
        image = sitk.GetImageFromArray(values)
        image.SetOrigin((-12.0, -10.0))
        image.SetSpacing((12.0, 10.0))
        images.append(image)
    spline = sitk.BSplineTransform(images, 3)
    expected = [spline.TransformPoint((x, y))[::-1] for y, x in POINTS]
    assert_allclose(load_transform(path).map(POINTS), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("EulerTransform", "SplineKernelTransform"), "of the kind 'SplineKernelTransform'"),
        (("(FixedImageDimension 2)", "(FixedImageDimension 3)"), "only 2-D transforms"),
        (("0.1 4 -2", "0.1 4"), "has 2 parameters"),
        (("0.1 4 -2", "0.1 4 nan"), "not finite"),
        (("0.1 4 -2", "a b c"), "no numbers for TransformParameters"),
        (("(Origin 0.0 0.0)", "(Origin 5.0 0.0)"), "its origin elsewhere"),
        (("NoInitialTransform", "absent.txt"), "There is no file"),
        (("NoInitialTransform", "t.txt"), "more than 20 files in a row"),
    ],
)
def test_elastix_that_cannot_be_read(tmp_path, change, message):
    path = elastix(tmp_path / "t.txt", "EulerTransform", (0.1, 4, -2))
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(TransformError, match=message):
        load_transform(path)


MATRIX = np.array([[1.1, 0.2, 3], [-0.1, 0.9, 5], [1e-4, 0, 1]])


@pytest.mark.parametrize("name", ["m.txt", "m.csv", "m.npy"])
def test_plain_matrices(tmp_path, name):
    path = tmp_path / name
    if name == "m.npy":
        np.save(path, MATRIX)
    else:
        np.savetxt(path, MATRIX, delimiter="," if name == "m.csv" else " ")
    with pytest.raises(TransformError, match=r"say what it acts on.*--matrix-order"):
        load_transform(path)
    homogeneous = np.column_stack([POINTS, np.ones(3)]) @ MATRIX.T
    expected = homogeneous[:, :2] / homogeneous[:, 2:]
    assert_allclose(load_transform(path, matrix_order="rowcol").map(POINTS), expected)
    xy = load_transform(path, matrix_order="xy").map(POINTS[:, ::-1])[:, ::-1]
    assert_allclose(xy, expected)


@pytest.mark.parametrize(("comment", "xy"), [("# (x, y)", True), ("# row, col", False)])
def test_a_matrix_can_state_its_order(tmp_path, comment, xy):
    rows = "\n".join(" ".join(map(str, row)) for row in MATRIX[:2])  # two rows are affine
    (tmp_path / "m.txt").write_text(f"{comment}\n{rows}\n")
    found = load_transform(tmp_path / "m.txt")
    assert_allclose((found.matrix_xy if xy else found.matrix)[:2], MATRIX[:2])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "point,fixed_row\nA,1\n", "a table, not a transform"),
        ("a.json", '{"landmarks": 1}', "JSON, which is no transform"),
        ("a.txt", "hello", "neither an ITK transform"),
        ("a.txt", "", "empty"),
        ("a.png", "", "no kind of file that transforms are read from"),
    ],
)
def test_the_kind_that_was_given_is_named(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises((InputError, TransformError), match=message):
        load_transform(tmp_path / name)
    np.save(tmp_path / "field.npy", np.zeros((4, 5, 2)))
    with pytest.raises(TransformError, match=r"shape \(4, 5, 2\).*would be a 3x3 matrix"):
        load_transform(tmp_path / "field.npy")


NAPARI = "index,axis-0,axis-1\n0,3.0,5.0\n1,20.0,8.0\n2,11.0,30.0\n"
FCSV = """# Markups fiducial file version = 4.11
# CoordinateSystem = {system}
# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID
vtkMRMLMarkupsFiducialNode_0,{s}5,{s}3,0,0,0,0,1,1,1,0,A,,
vtkMRMLMarkupsFiducialNode_1,{s}8,{s}20,0,0,0,0,1,1,1,0,B,,
vtkMRMLMarkupsFiducialNode_2,{s}30,{s}11,0,0,0,0,1,1,1,0,C,,
"""
QUPATH = "x\ty\tclass\tname\n5.5\t3.5\tTumor\tA\n8.5\t20.5\t\tB\n30.5\t11.5\t\tC\n"
QGIS = """#CRS: PROJCRS["WGS 84"]
mapX,mapY,sourceX,sourceY,enable,dX,dY,residual
100,200,5.5,-3.5,1,0,0,0
110,210,8.5,-20.5,1,0,0,0
999,999,1,-1,0,0,0,0
120,220,30.5,-11.5,1,0,0,0
"""
GEOJSON = """{"type": "FeatureCollection", "features": [{"type": "Feature", "geometry":
{"type": "MultiPoint", "coordinates": [[5.5, 3.5], [8.5, 20.5], [30.5, 11.5]]}}]}"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", NAPARI),
        ("a.fcsv", FCSV.format(system="LPS", s="")),
        ("a.fcsv", FCSV.format(system="0", s="-")),
        ("a.tsv", QUPATH),
        ("a.points", QGIS),
        ("a.geojson", GEOJSON),
    ],
)
def test_points_of_one_image(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert_allclose(read_points(tmp_path / name).points, POINTS)


def test_pairs_by_name_else_by_order(tmp_path):
    (tmp_path / "a.tsv").write_text(QUPATH)
    lines = QUPATH.splitlines()
    (tmp_path / "b.tsv").write_text("\n".join([lines[0], lines[3], lines[1]]) + "\n")
    pairs = read_landmark_files(tmp_path / "a.tsv", tmp_path / "b.tsv")
    assert pairs.names == ("A", "C")
    assert_allclose(pairs.fixed, pairs.moving)
    (tmp_path / "c.csv").write_text(NAPARI)
    pairs = read_landmark_files(tmp_path / "a.tsv", tmp_path / "c.csv")
    assert_allclose(pairs.fixed, pairs.moving)
    with pytest.raises(InputError, match=r"has 2 points.* 3, and no names in common"):
        read_landmark_files(tmp_path / "b.tsv", tmp_path / "c.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "no file of one image's landmarks"),
        ("index,axis-0,axis-1\n0,x,5\n", r"point 1, axis-0: 'x' is not a finite number"),
        ("index,axis-0,axis-1,axis-2\n0,1,2,3\n1,2,2,3\n", "different slices"),
        ("{", "no points as GeoJSON"),
        ("", "no file of one image's landmarks"),
    ],
)
def test_points_that_cannot_be_read(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_points(tmp_path / "a.csv")
