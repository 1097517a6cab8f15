"""Transforms out and in again, each against the library that others read them with."""

import contextlib
import gzip
import json
import struct

import numpy as np
import pytest
import scipy.io
import tifffile
from numpy.testing import assert_allclose, assert_array_equal
from skimage.transform import ProjectiveTransform, ThinPlateSplineTransform, warp

from napari_mmreg.errors import InputError, RegistrationError, TransformError
from napari_mmreg.geometry import (
    DisplacementTransform,
    Frame,
    MatrixTransform,
    ThinPlateTransform,
    Transform,
)
from napari_mmreg.io import load_transform

FIXED, MOVING = Frame((50, 72), (500.0, 2000.0), "µm"), Frame((64, 90), (0.75, 1.25), "mm")
IN_MM = {"fixed": (0.5, 2.0), "moving": (0.75, 1.25)}
PIXELS = np.indices(FIXED.shape).transpose(1, 2, 0)
PLACES = np.random.default_rng(0).uniform((0, 0), (49, 71), (40, 2))
PROVENANCE = {"model": "cascade", "seed": 0, "versions": {"torch": "2.5"}}


def affine():
    return MatrixTransform.from_params(
        rotation_degrees=13, scale=(1.1, 0.9), shear=0.1, translation=(6, 11), center=(25, 36)
    )


def dense():
    row, col = PIXELS.transpose(2, 0, 1).astype(float)
    down = 3 * np.sin(2 * np.pi * col / 47 + 0.3) + 4
    right = 2 * np.cos(2 * np.pi * (row + 0.5 * col) / 61) + 7
    return DisplacementTransform(np.stack([down, right], axis=-1))


KINDS = {"affine": affine, "dense": dense, "chain": lambda: affine().compose(dense())}


def framed(transform):
    return transform.with_frames(FIXED, MOVING)


@pytest.fixture
def moving():
    """An off-centre, asymmetric picture."""
    row, col = np.meshgrid(*(np.arange(n, dtype=float) for n in MOVING.shape), indexing="ij")
    picture = np.exp(-((row - 20) ** 2 / 40 + (col - 61) ** 2 / 150))
    picture += 0.5 * np.exp(-((row - 45) ** 2 / 90 + (col - 30) ** 2 / 20))
    return (picture + 0.002 * row + 0.001 * col).astype(np.float32)


@pytest.fixture
def sitk():
    return pytest.importorskip("SimpleITK")


@pytest.mark.parametrize("kind", KINDS)
def test_npz_keeps_everything(tmp_path, kind):
    transform = framed(KINDS[kind]()).with_provenance(PROVENANCE)
    transform.save(tmp_path / "t.npz")
    loaded = Transform.load(tmp_path / "t.npz")
    assert_array_equal(loaded.map(PLACES), transform.map(PLACES))
    assert (loaded.fixed_frame, loaded.moving_frame) == (FIXED, MOVING)
    assert loaded.provenance == PROVENANCE
    assert loaded.for_shapes((100, 144), MOVING.shape).provenance == PROVENANCE
    assert not loaded.inverse().provenance  # it is another transform


def test_provenance_is_json(tmp_path):
    with pytest.raises(TransformError, match="cannot be written as JSON"):
        affine().with_provenance({"image": np.zeros(3)})
    framed(affine()).with_provenance(PROVENANCE).save(tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz") as archive:
        arrays = dict(archive)
    np.savez(tmp_path / "t.npz", **{**arrays, "provenance": np.array("{")})
    with pytest.raises(TransformError, match="incomplete"):
        Transform.load(tmp_path / "t.npz")


@pytest.mark.parametrize("suffix", [".tfm", ".h5", ".mat", ".nii.gz", ".mha"])
@pytest.mark.parametrize("kind", KINDS)
def test_itk_maps_physical_points_alike(sitk, tmp_path, kind, suffix):
    """The pixel sizes of the two images are the transform's own, converted to one unit."""
    transform = framed(KINDS[kind]())
    path = tmp_path / f"t{suffix}"
    transform.save(path, unit="mm")
    if suffix in (".nii.gz", ".mha"):
        theirs = sitk.DisplacementFieldTransform(sitk.ReadImage(str(path), sitk.sitkVectorFloat64))
    else:
        theirs = sitk.ReadTransform(str(path))
    rows_cols = PIXELS[3:45:7, 4:66:9].reshape(-1, 2)
    points = (rows_cols * IN_MM["fixed"])[:, ::-1]
    mapped = np.array([theirs.TransformPoint(p.tolist()) for p in points])
    assert_allclose(mapped, (transform.map(rows_cols) * IN_MM["moving"])[:, ::-1], atol=1e-5)
    loaded = load_transform(
        path, fixed_spacing=IN_MM["fixed"], moving_spacing=IN_MM["moving"], unit="mm"
    )
    assert_allclose(loaded.map(PIXELS), transform.map(PIXELS), atol=1e-4)


def test_a_unit_is_a_scale(sitk, tmp_path):
    framed(affine()).save(tmp_path / "um.tfm")
    framed(affine()).save(tmp_path / "mm.tfm", unit="mm")
    offsets = [
        np.array(sitk.ReadTransform(str(tmp_path / f"{unit}.tfm")).TransformPoint((0, 0)))
        for unit in ("um", "mm")
    ]
    assert_allclose(offsets[0], 1000 * offsets[1])


def test_warps_for_ants_are_nifti_vectors(sitk, tmp_path):
    """Intent 1007, the vector in the fifth dimension, components in ITK's axes (x, y)."""
    framed(dense()).save(tmp_path / "t1Warp.nii.gz", unit="mm")
    header = gzip.decompress((tmp_path / "t1Warp.nii.gz").read_bytes())[:352]
    assert struct.unpack("<8h", header[40:56])[:6] == (5, 72, 50, 1, 1, 2)
    assert struct.unpack("<h", header[68:70]) == (1007,)
    field = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "t1Warp.nii.gz")))
    expected = dense().map(PIXELS) * IN_MM["moving"] - PIXELS * IN_MM["fixed"]
    assert_allclose(field, expected[..., ::-1], atol=1e-5)


def test_affine_maps_of_ants(sitk, tmp_path):
    """0GenericAffine.mat: a MatrixOffsetTransformBase with a centre of rotation."""
    values = {
        "MatrixOffsetTransformBase_double_2_2": [1.1, 0.1, 0.2, 0.9, 3.0, 4.0],
        "fixed": [10.0, 20.0],
    }
    columns = {name: np.array(column)[:, None] for name, column in values.items()}
    scipy.io.savemat(tmp_path / "0GenericAffine.mat", columns, format="4")
    loaded = load_transform(
        tmp_path / "0GenericAffine.mat", fixed_spacing=(0.5, 2.0), moving_spacing=(0.75, 1.25)
    )
    assert loaded.is_affine
    point = PLACES * (0.5, 2.0) - (20, 10)
    expected = point @ [[0.9, 0.1], [0.2, 1.1]] + (20 + 4, 10 + 3)
    assert_allclose(loaded.map(PLACES), expected / (0.75, 1.25))


def test_chains_of_ants(sitk, tmp_path):
    """``-t 1Warp.nii.gz -t 0GenericAffine.mat``: points go through the warp first."""
    framed(dense()).save(tmp_path / "1Warp.nii.gz")
    affine().save(tmp_path / "0GenericAffine.mat", fixed_spacing=(0.75, 1.25))
    warp_file = load_transform(
        tmp_path / "1Warp.nii.gz", fixed_spacing=(500, 2000), moving_spacing=(750, 1250)
    )
    chain = load_transform(tmp_path / "0GenericAffine.mat", fixed_spacing=(0.75, 1.25)).compose(
        warp_file
    )
    assert_allclose(chain.map(PIXELS), affine().map(dense().map(PIXELS)), atol=1e-4)


def test_scikit_image_warps_alike(tmp_path, moving):
    affine().save(tmp_path / "matrix.txt")
    matrix = np.loadtxt(tmp_path / "matrix.txt")
    theirs = warp(moving, ProjectiveTransform(matrix), output_shape=FIXED.shape, order=1, cval=0)
    ours = affine().resample(moving, FIXED.shape)
    inner = affine().valid(FIXED.shape, MOVING.shape) & (theirs != 0)
    assert inner.mean() > 0.5
    assert_allclose(ours[inner], theirs[inner], atol=1e-5)
    assert_allclose(load_transform(tmp_path / "matrix.txt").matrix, affine().matrix)


def test_opencv_warps_alike(tmp_path, moving):
    cv2 = pytest.importorskip("cv2")
    size, flags = FIXED.shape[::-1], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    homography = affine().compose(MatrixTransform([[1, 0, 0], [0, 1, 0], [8e-4, -5e-4, 1]]))
    for transform in (affine(), homography):
        transform.save(tmp_path / "matrix.txt")
        matrix = np.loadtxt(tmp_path / "matrix.txt")
        if transform.is_affine:
            theirs = cv2.warpAffine(moving, matrix[:2], size, flags=flags)
        else:
            theirs = cv2.warpPerspective(moving, matrix, size, flags=flags)
        ours = transform.resample(moving, FIXED.shape)
        inner = transform.valid(FIXED.shape, MOVING.shape) & (theirs != 0)
        assert inner.mean() > 0.5
        assert_allclose(ours[inner], theirs[inner], atol=0.02)  # it interpolates in 1/32 px
    x_y = dense().map(PIXELS).astype(np.float32)[..., ::-1]
    theirs = cv2.remap(moving, x_y[..., 0], x_y[..., 1], cv2.INTER_LINEAR)
    ours = dense().resample(moving, FIXED.shape)
    assert_allclose(ours, theirs, atol=0.02)


@pytest.mark.parametrize(
    "head", ["# (row, col), moving to fixed\n", "# rows cols, moving -> fixed\n"]
)
def test_matrices_may_state_the_other_way(tmp_path, head):
    backward = affine().inverse().matrix
    text = "\n".join(" ".join(map(repr, row)) for row in backward.tolist())
    (tmp_path / "m.txt").write_text(head + text)
    assert_allclose(load_transform(tmp_path / "m.txt").map(PLACES), affine().map(PLACES))


def test_bends_have_no_matrix_and_no_elastix_parameters(tmp_path):
    with pytest.raises(TransformError, match="A bend has no matrix"):
        dense().save(tmp_path / "matrix.txt")
    with pytest.raises(TransformError, match="hold affine transforms here"):
        framed(dense()).save(tmp_path / "TransformParameters.0.txt")
    with pytest.raises(InputError, match="fixed_shape"):
        affine().save(tmp_path / "TransformParameters.0.txt")


def test_elastix_parameters_follow_the_manual(tmp_path):
    """T(x) = A (x - c) + t + c on physical (x, y), fixed to moving: elastix manual, 2.6."""
    path = tmp_path / "TransformParameters.0.txt"
    framed(affine()).save(path, unit="mm")
    entries = {}
    for line in path.read_text().splitlines():
        name, *values = line.strip("()").split()
        entries[name] = [value.strip('"') for value in values]
    assert entries["Transform"] == ["AffineTransform"]
    assert entries["Size"] == ["72", "50"]
    assert entries["Spacing"] == ["2.0", "0.5"]
    numbers = np.array(entries["TransformParameters"], dtype=float)
    centre = np.array(entries["CenterOfRotationPoint"], dtype=float)
    points = (PLACES * IN_MM["fixed"])[:, ::-1]
    mapped = (points - centre) @ numbers[:4].reshape(2, 2).T + numbers[4:] + centre
    assert_allclose(mapped[:, ::-1] / IN_MM["moving"], affine().map(PLACES))
    loaded = load_transform(path, moving_spacing=IN_MM["moving"])  # the fixed one is stated
    assert_allclose(loaded.map(PLACES), affine().map(PLACES))
    assert loaded.fixed_frame.shape == FIXED.shape


def spline():
    rng = np.random.default_rng(3)
    fixed = np.array([[2, 3], [45, 8], [9, 66], [40, 60], [25, 30], [10, 35.0]])
    return ThinPlateTransform(fixed, affine().map(fixed) + rng.normal(0, 2, fixed.shape))


@pytest.mark.parametrize("name", ["landmarks.csv", "my landmarks.json"])
def test_splines_travel_as_landmarks_of_bigwarp(tmp_path, name):
    spacings = {"fixed_spacing": (0.5, 0.5), "moving_spacing": (0.75, 1.25)}
    spline().save(tmp_path / name, **spacings)
    loaded = load_transform(tmp_path / name, **spacings)
    assert isinstance(loaded, ThinPlateTransform)
    assert_allclose(loaded.map(PLACES), spline().map(PLACES), atol=1e-6)


def test_landmarks_of_bigwarp_make_its_spline(tmp_path):
    """Target to moving in physical (x, y), kernel r^2 log r: as scikit-image's spline has it."""
    fixed, moving = spline().fixed_points * IN_MM["fixed"], spline().moving_points * IN_MM["moving"]
    rows = [
        f'"Pt-{n}","true",' + ",".join(f'"{v!r}"' for v in (*m[::-1].tolist(), *f[::-1].tolist()))
        for n, (f, m) in enumerate(zip(fixed, moving, strict=True))
    ]
    rows.append('"Pt-9","false","1.0","1.0","90.0","3.0"')
    (tmp_path / "bigwarp.csv").write_text("\n".join(rows) + "\n")
    if hasattr(ThinPlateSplineTransform, "from_estimate"):  # scikit-image 0.26
        theirs = ThinPlateSplineTransform.from_estimate(fixed[:, ::-1], moving[:, ::-1])
    else:
        theirs = ThinPlateSplineTransform()
        assert theirs.estimate(fixed[:, ::-1], moving[:, ::-1])
    expected = theirs((PLACES * IN_MM["fixed"])[:, ::-1])[:, ::-1] / IN_MM["moving"]
    loaded = load_transform(
        tmp_path / "bigwarp.csv", fixed_spacing=IN_MM["fixed"], moving_spacing=IN_MM["moving"]
    )
    # Pixels of unequal sides would bend otherwise than millimetres.
    assert_allclose(loaded.map(PLACES), expected, atol=1e-4)
    assert np.abs(loaded.map(PLACES) - spline().map(PLACES)).max() > 0.1


def test_other_transforms_are_sampled_for_bigwarp(tmp_path):
    with pytest.raises(InputError, match="fixed_shape"):
        affine().save(tmp_path / "landmarks.csv")
    affine().save(tmp_path / "landmarks.csv", fixed_shape=FIXED.shape)
    assert len((tmp_path / "landmarks.csv").read_text().splitlines()) == 9
    assert_allclose(load_transform(tmp_path / "landmarks.csv").map(PLACES), affine().map(PLACES))
    dense().save(tmp_path / "landmarks.json", fixed_shape=FIXED.shape)
    loaded = load_transform(tmp_path / "landmarks.json")
    assert np.abs(loaded.map(PLACES) - dense().map(PLACES)).max() < 0.05


def test_fields_for_bigwarp(tmp_path):
    transform = framed(dense())
    transform.save(tmp_path / "field.tif", unit="mm")
    with tifffile.TiffFile(tmp_path / "field.tif") as tiff:
        channels = tiff.asarray()
        assert tiff.series[0].axes == "CYX"
        assert tiff.imagej_metadata["unit"] == "mm"
    expected = dense().map(PIXELS) * IN_MM["moving"] - PIXELS * IN_MM["fixed"]
    assert_allclose(channels, expected.transpose(2, 0, 1)[::-1], atol=1e-5)
    loaded = load_transform(
        tmp_path / "field.tif", fixed_spacing=(500, 2000), moving_spacing=(750, 1250), unit="µm"
    )
    assert_allclose(loaded.map(PIXELS), dense().map(PIXELS), atol=1e-4)
    same = framed(dense()).with_frames(FIXED, Frame(MOVING.shape, (500, 2000), "µm"))
    same.save(tmp_path / "field.tif")
    loaded = load_transform(tmp_path / "field.tif")  # its pixel size is stated
    assert isinstance(loaded, DisplacementTransform)
    assert loaded.fixed_frame.shape == FIXED.shape
    assert_allclose(loaded.map(PIXELS), dense().map(PIXELS), atol=1e-4)


def test_other_tiffs(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "image.tif", np.zeros((9, 9), np.float32))
    with pytest.raises(TransformError, match="holds no displacement field"):
        load_transform(tmp_path / "image.tif")
    with pytest.raises(TransformError, match="no file"):
        load_transform(tmp_path / "absent.tif")
    with pytest.raises(TransformError, match="another folder"):
        dense().save(tmp_path / "absent" / "t.tif")
    dense().save(tmp_path / "field.tif")
    monkeypatch.setenv("MMREG_MAX_GIGABYTES", "1e-6")
    with pytest.raises(InputError, match="MMREG_MAX_GIGABYTES"):
        load_transform(tmp_path / "field.tif")


@pytest.mark.parametrize("name", ["field.tif", "landmarks.csv", "landmarks.json", "matrix.txt"])
def test_damaged_files_end_in_a_sentence(tmp_path, name):
    rng = np.random.default_rng(0)
    framed(affine()).save(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for _ in range(60):
        content = bytearray(whole[: rng.integers(1, len(whole) + 1)])
        for place in rng.integers(0, len(content), rng.integers(0, 9)):
            content[place] = rng.integers(0, 256)
        (tmp_path / name).write_bytes(content)
        with contextlib.suppress(RegistrationError):
            load_transform(tmp_path / name)


class TestNgff:
    """OME-Zarr 0.6 through ngff-zarr."""

    @pytest.fixture(autouse=True)
    def library(self):
        self.nz = pytest.importorskip("ngff_zarr")
        self.model = self.nz.v06.zarr_metadata

    @pytest.mark.parametrize("kind", KINDS)
    def test_round_trip_with_all_that_is_known(self, tmp_path, kind):
        transform = framed(KINDS[kind]()).with_provenance(PROVENANCE)
        path = tmp_path / "t.ome.zarr"
        transform.save(path, unit="mm")
        loaded = Transform.load(path)
        assert_allclose(loaded.map(PIXELS), transform.map(PIXELS), atol=1e-4)
        assert loaded.provenance == PROVENANCE
        assert loaded.moving_frame == Frame(MOVING.shape, MOVING.spacing, "millimeter")
        assert loaded.fixed_frame.shape == FIXED.shape
        assert_allclose(loaded.fixed_frame.spacing, (0.5, 2.0))
        given = load_transform(
            path, fixed_spacing=(500, 2000), moving_spacing=(750, 1250), unit="µm"
        )
        assert_allclose(given.map(PIXELS), transform.map(PIXELS), atol=1e-4)

    def test_the_library_reads_the_same_map(self, tmp_path):
        framed(affine()).save(tmp_path / "a.zarr", unit="mm")
        stored = self.nz.from_ome_zarr(tmp_path / "a.zarr", kind="transformation", validate=True)
        assert (stored.input.name, stored.output.name) == ("fixed", "moving")
        (itk,) = self.nz.ngff_transform_to_itk_transform(stored, ["y", "x"])
        points = (PLACES * IN_MM["fixed"])[:, ::-1]
        mapped = points @ np.reshape(itk.parameters[:4], (2, 2)).T + itk.parameters[4:]
        assert_allclose(mapped[:, ::-1] / IN_MM["moving"], affine().map(PLACES))

        framed(dense()).save(tmp_path / "d.zarr", unit="mm")
        stored = self.nz.from_ome_zarr(tmp_path / "d.zarr", kind="transformation", validate=True)
        field = self.nz.from_ome_zarr(tmp_path / "d.zarr" / stored.path)
        (itk,) = self.nz.ngff_transform_to_itk_transform(
            stored, ["y", "x"], fields={stored.path: field}
        )
        assert_allclose(itk.fixedParameters[:6], [72, 50, 0, 0, 2.0, 0.5])
        expected = dense().map(PIXELS) * IN_MM["moving"] - PIXELS * IN_MM["fixed"]
        assert_allclose(
            np.reshape(itk.parameters, (*FIXED.shape, 2)), expected[..., ::-1], atol=1e-5
        )

    def ends(self, first, last):
        name = self.model.CoordinateSystemIdentifier
        return {"input": name(name=first), "output": name(name=last)}

    def test_files_of_others(self, tmp_path):
        model = self.model
        parts = [model.Scale(scale=[2.0, 3.0]), model.Translation(translation=[5.0, -7.0])]
        for first, last in (("fixed", "moving"), ("here", "there"), ("moving", "fixed")):
            sequence = model.TransformSequence(transformations=parts, **self.ends(first, last))
            self.nz.to_ome_zarr(tmp_path / f"{first}.zarr", sequence)
            loaded = load_transform(tmp_path / f"{first}.zarr", fixed_spacing=(0.5, 0.25))
            physical = PLACES * (0.5, 0.25)
            if first == "moving":
                physical = (physical - (5, -7)) / (2, 3)
            else:
                physical = physical * (2, 3) + (5, -7)
            assert_allclose(loaded.map(PLACES), physical / (0.5, 0.25))

    def test_damaged_metadata_end_in_a_sentence(self, tmp_path):
        rng = np.random.default_rng(0)
        framed(affine()).save(tmp_path / "t.zarr")
        metadata = tmp_path / "t.zarr" / "zarr.json"
        whole = metadata.read_bytes()
        for _ in range(60):
            content = bytearray(whole)
            content[rng.integers(0, len(content))] = rng.integers(32, 127)
            metadata.write_bytes(content)
            with contextlib.suppress(RegistrationError):
                load_transform(tmp_path / "t.zarr")

    def test_axes_in_the_other_order(self, tmp_path):
        path = tmp_path / "t.zarr"
        affine_xy = self.model.Affine(
            affine=affine().matrix_xy[:2].tolist(), **self.ends("fixed", "moving")
        )
        self.nz.to_ome_zarr(path, affine_xy)
        document = json.loads((path / "zarr.json").read_text())
        document["attributes"]["ome"]["coordinateSystems"] = [
            {"name": name, "axes": [{"name": axis, "type": "space"} for axis in "xy"]}
            for name in ("fixed", "moving")
        ]
        (path / "zarr.json").write_text(json.dumps(document))
        assert_allclose(load_transform(path).map(PLACES), affine().map(PLACES))

    def test_what_is_no_transform(self, tmp_path, monkeypatch):
        image = self.nz.to_ngff_image(np.zeros((8, 9), np.float32), dims=["y", "x"])
        path = tmp_path / "image.ome.zarr"
        self.nz.to_ome_zarr(path, self.nz.to_multiscales(image, scale_factors=[]))
        before = (path / "zarr.json").read_bytes()
        with pytest.raises(TransformError, match="no coordinate transformation"):
            load_transform(path)
        with pytest.raises(TransformError, match="another name than that of an image"):
            affine().save(path)
        assert (path / "zarr.json").read_bytes() == before
        with pytest.raises(TransformError, match="no folder"):
            load_transform(tmp_path / "absent.zarr")
        with pytest.raises(InputError, match="is no unit"):
            affine().save(tmp_path / "t.zarr", unit="furlongs per")
        assert not (tmp_path / "t.zarr").exists()
        framed(dense()).save(tmp_path / "d.zarr")
        framed(affine()).save(tmp_path / "d.zarr")  # replaced, with nothing left
        assert sorted(p.name for p in (tmp_path / "d.zarr").iterdir()) == ["zarr.json"]
        framed(dense()).save(tmp_path / "d.zarr")
        monkeypatch.setenv("MMREG_MAX_GIGABYTES", "1e-6")
        with pytest.raises(InputError, match="MMREG_MAX_GIGABYTES"):
            load_transform(tmp_path / "d.zarr")


def test_without_ngff_zarr_the_extra_is_named(monkeypatch, tmp_path):
    import sys

    from napari_mmreg.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "ngff_zarr", None)
    with pytest.raises(MissingExtraError, match=r"napari-mmreg\[ngff\]"):
        affine().save(tmp_path / "t.zarr")
    with pytest.raises(MissingExtraError, match=r"napari-mmreg\[ngff\]"):
        load_transform(tmp_path / "t.zarr")
