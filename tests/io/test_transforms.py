import struct
import sys
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_mmreg.errors import InputError, MissingExtraError, TransformError
from napari_mmreg.geometry import CompositeTransform, DisplacementTransform, MatrixTransform
from napari_mmreg.io import load_transform, save_transform
from napari_mmreg.io.itk import from_itk, from_itk_field, to_itk
from napari_mmreg.io.nifti import check_whole
from napari_mmreg.io.physical import spacing_matrix

ITK_TRANSFORMS = (".tfm", ".txt", ".h5", ".hdf5", ".mat")
ITK_FIELDS = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd")
FIXED_SHAPE, MOVING_SHAPE = (50, 72), (64, 90)
FIXED_SPACING, MOVING_SPACING = (0.5, 2.0), (0.75, 1.25)
POINTS = np.random.default_rng(0).uniform((0, 0), (49, 71), (60, 2))


@pytest.fixture
def sitk():
    return pytest.importorskip("SimpleITK")


@pytest.fixture
def moving():
    """An off-centre, asymmetric picture."""
    row, col = np.meshgrid(*(np.arange(n, dtype=float) for n in MOVING_SHAPE), indexing="ij")
    picture = np.exp(-((row - 20) ** 2 / 40 + (col - 61) ** 2 / 150))
    picture += 0.5 * np.exp(-((row - 45) ** 2 / 90 + (col - 30) ** 2 / 20))
    return picture + 0.002 * row + 0.001 * col


def affine():
    return MatrixTransform.from_params(
        rotation_degrees=13, scale=(1.1, 0.9), translation=(6, 11), center=(25, 36)
    )


def homography():
    return affine().compose(MatrixTransform([[1, 0, 0], [0, 1, 0], [8e-4, -5e-4, 1]]))


def dense():
    row, col = np.meshgrid(*(np.arange(n, dtype=float) for n in FIXED_SHAPE), indexing="ij")
    down = 3 * np.sin(2 * np.pi * col / 47 + 0.3) + 4
    right = 2 * np.cos(2 * np.pi * (row + 0.5 * col) / 61) + 7
    return DisplacementTransform(np.stack([down, right], axis=-1))


def coarse():
    return DisplacementTransform.coarse(
        np.random.default_rng(0).uniform(-3, 3, (5, 6, 2)), FIXED_SHAPE
    )


KINDS = {
    "affine": affine,
    "homography": homography,
    "dense": dense,
    "coarse": coarse,
    "chain": lambda: CompositeTransform([dense(), affine()]),
}


def sitk_image(sitk, array, spacing):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing[::-1])
    return image


def resample_with_itk(sitk, moving, itk_transform):
    reference = sitk_image(sitk, np.zeros(FIXED_SHAPE), FIXED_SPACING)
    return sitk.GetArrayFromImage(
        sitk.Resample(
            sitk_image(sitk, moving, MOVING_SPACING), reference, itk_transform, sitk.sitkLinear, 0.0
        )
    )


@pytest.mark.parametrize("suffix", [".tfm", ".h5", ".mat", ".txt", ".hdf5"])
@pytest.mark.parametrize("kind", KINDS)
def test_itk_resamples_with_a_written_transform_as_we_do(sitk, tmp_path, moving, kind, suffix):
    transform = KINDS[kind]()
    path = tmp_path / f"transform{suffix}"
    save_transform(
        path,
        transform,
        fixed_shape=FIXED_SHAPE,
        fixed_spacing=FIXED_SPACING,
        moving_spacing=MOVING_SPACING,
    )
    theirs = resample_with_itk(sitk, moving, sitk.ReadTransform(str(path)))
    ours = transform.resample(moving, FIXED_SHAPE)
    assert np.abs(ours).max() > 0.5
    assert (theirs == 0).mean() == pytest.approx((ours == 0).mean(), abs=1e-3)
    seen = (ours != 0) & (theirs != 0)
    assert_allclose(ours[seen], theirs[seen], atol=1e-5)


@pytest.mark.parametrize("suffix", [".npz", ".tfm", ".h5", ".mat", *ITK_FIELDS])
@pytest.mark.parametrize("kind", KINDS)
def test_round_trips(sitk, tmp_path, kind, suffix):
    transform = KINDS[kind]()
    frames = {
        "fixed_shape": FIXED_SHAPE,
        "fixed_spacing": FIXED_SPACING,
        "moving_spacing": MOVING_SPACING,
    }
    save_transform(tmp_path / f"t{suffix}", transform, **frames)
    loaded = load_transform(tmp_path / f"t{suffix}", **frames)
    pixels = np.indices(FIXED_SHAPE).transpose(1, 2, 0)
    assert_allclose(loaded.map(pixels), transform.map(pixels), atol=1e-4)
    # Between the pixels ITK's field is linear: it bridges the curves, and the coarse field's kinks.
    atol = 1e-9 if suffix == ".npz" else 0.12 if kind == "coarse" else 0.01
    assert_allclose(loaded.map(POINTS), transform.map(POINTS), atol=atol)


def test_affine_transforms_stay_affine(sitk, tmp_path):
    save_transform(tmp_path / "t.tfm", CompositeTransform([affine()]))
    assert isinstance(sitk.ReadTransform(str(tmp_path / "t.tfm")), sitk.AffineTransform)
    loaded = load_transform(tmp_path / "t.tfm")
    assert loaded.is_affine
    assert_allclose(loaded.matrix, affine().matrix, atol=1e-9)


def test_itk_points_are_x_y_and_physical(sitk):
    shift = MatrixTransform.translation((3, 10))
    itk = to_itk(shift, fixed_spacing=(0.5, 2.0))
    assert_allclose(itk.TransformPoint((0, 0)), (20, 1.5))


@pytest.mark.parametrize("kind", ["dense", "coarse"])
def test_fields_keep_their_own_grid(sitk, kind):
    transform = KINDS[kind]()
    itk = to_itk(transform, fixed_spacing=FIXED_SPACING)
    stored = itk.GetDisplacementField()
    assert stored.GetSize() == transform.field.shape[1::-1]
    loaded = from_itk(itk, fixed_spacing=FIXED_SPACING)
    assert_allclose(loaded.map(POINTS), transform.map(POINTS), atol=1e-4)


def test_a_field_in_pixels_loads_as_a_field(sitk, tmp_path):
    save_transform(tmp_path / "t.nii.gz", dense())
    loaded = load_transform(tmp_path / "t.nii.gz")
    assert isinstance(loaded, DisplacementTransform)
    assert_array_equal(loaded.field, dense().field)


def test_itk_transforms_written_by_others(sitk, tmp_path):
    euler = sitk.Euler2DTransform((20.0, 10.0), 0.4, (3.0, -5.0))
    sitk.WriteTransform(euler, str(tmp_path / "t.tfm"))
    loaded = load_transform(
        tmp_path / "t.tfm", fixed_spacing=FIXED_SPACING, moving_spacing=MOVING_SPACING
    )
    assert loaded.is_affine
    expected = [euler.TransformPoint((c * 2.0, r * 0.5)) for r, c in POINTS]
    assert_allclose(loaded.map(POINTS), np.array(expected)[:, ::-1] / MOVING_SPACING)


def test_itk_chains_apply_the_last_transform_first(sitk, tmp_path):
    chain = sitk.CompositeTransform(
        [sitk.TranslationTransform(2, (4.0, 1.0)), to_itk(dense()), to_itk(affine())]
    )
    sitk.WriteTransform(chain, str(tmp_path / "t.h5"))
    loaded = load_transform(tmp_path / "t.h5")
    inner = affine().map(POINTS)
    kept = ((inner > 0) & (inner < np.array(FIXED_SHAPE) - 1)).all(axis=1)
    assert kept.any()
    expected = np.array([chain.TransformPoint((c, r)) for r, c in POINTS])[:, ::-1]
    assert_allclose(loaded.map(POINTS)[kept], expected[kept], atol=1e-5)


def test_rotated_field_images(sitk):
    image = sitk.GetImageFromArray(np.random.default_rng(0).normal(size=(9, 11, 2)), isVector=True)
    image.SetSpacing((2.0, 3.0))
    image.SetOrigin((5.0, -4.0))
    image.SetDirection((0.8, -0.6, 0.6, 0.8))
    inside = [image.TransformContinuousIndexToPhysicalPoint(i) for i in ((1.5, 2.25), (7.5, 6.0))]
    itk = sitk.DisplacementFieldTransform(sitk.Image(image))
    expected = np.array([itk.TransformPoint(p) for p in inside])
    loaded = from_itk(itk)
    assert_allclose(loaded.map(np.array(inside)[:, ::-1]), expected[:, ::-1], atol=1e-5)


def test_b_splines_are_sampled_on_the_fixed_grid(sitk, tmp_path):
    reference = sitk_image(sitk, np.zeros(FIXED_SHAPE), FIXED_SPACING)
    spline = sitk.BSplineTransformInitializer(reference, [4, 3])
    count = len(spline.GetParameters())
    spline.SetParameters(np.random.default_rng(0).uniform(-2, 2, count).tolist())
    sitk.WriteTransform(spline, str(tmp_path / "t.tfm"))
    with pytest.raises(InputError, match="fixed_shape"):
        load_transform(tmp_path / "t.tfm", fixed_spacing=FIXED_SPACING)
    loaded = load_transform(
        tmp_path / "t.tfm", fixed_shape=FIXED_SHAPE, fixed_spacing=FIXED_SPACING
    )
    pixels = np.array([[3, 5], [40, 60], [22, 7]])
    expected = np.array([spline.TransformPoint((c * 2.0, r * 0.5)) for r, c in pixels])[:, ::-1]
    assert_allclose(loaded.map(pixels), expected / FIXED_SPACING, atol=1e-4)


def test_a_grid_is_needed_for_what_itk_has_no_name_for(sitk, tmp_path):
    turned = DisplacementTransform(np.zeros((5, 5, 2)), MatrixTransform.from_params(shear=0.1))
    for transform in (homography(), CompositeTransform([dense(), affine()]), turned):
        with pytest.raises(InputError, match="fixed_shape"):
            save_transform(tmp_path / "t.h5", transform)
    with pytest.raises(InputError, match="fixed_shape"):
        save_transform(tmp_path / "t.nii.gz", affine())


def test_places_without_an_answer_cannot_be_written_as_itk(sitk, tmp_path):
    horizon = MatrixTransform([[1, 0, 0], [0, 1, 0], [-0.05, 0, 1]])  # row 20 of 50 and beyond
    with pytest.raises(TransformError, match=r"60 % of the grid.*npz"):
        save_transform(tmp_path / "t.h5", horizon, fixed_shape=FIXED_SHAPE)


def test_transforms_in_space_and_other_images_are_refused(sitk, tmp_path):
    sitk.WriteTransform(sitk.AffineTransform(3), str(tmp_path / "t.tfm"))
    with pytest.raises(TransformError, match="3-D"):
        load_transform(tmp_path / "t.tfm")
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((5, 6))), str(tmp_path / "grey.mha"))
    with pytest.raises(TransformError, match="two components"):
        load_transform(tmp_path / "grey.mha")


@pytest.mark.parametrize("suffix", [".tfm", ".h5", ".mat", ".nii.gz", ".mha"])
def test_missing_and_damaged_itk_files(sitk, tmp_path, suffix, capfd):
    with pytest.raises(TransformError, match="no file"):
        load_transform(tmp_path / f"t{suffix}")
    (tmp_path / f"t{suffix}").write_bytes(b"nothing of the kind")
    with pytest.raises(TransformError, match=r"ITK cannot read|neither an ITK transform"):
        load_transform(tmp_path / f"t{suffix}")
    with pytest.raises(TransformError, match="folder exists"):
        save_transform(tmp_path / "absent" / f"t{suffix}", dense())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", [".h5", ".mat", ".nii", ".nii.gz", ".mha", ".nrrd"])
def test_itk_files_cut_short(sitk, tmp_path, suffix, capfd):
    path = tmp_path / f"t{suffix}"
    save_transform(path, dense(), fixed_shape=FIXED_SHAPE)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(TransformError, match=r"ITK cannot read .* damaged|is cut short"):
        load_transform(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("order", "<>")
def test_nifti_says_how_long_it_is(tmp_path, version, order):
    header = bytearray(348 if version == 1 else 540)
    struct.pack_into(f"{order}i", header, 0, len(header))
    if version == 1:
        struct.pack_into(f"{order}8h", header, 40, 2, 5, 7, 1, 1, 1, 1, 1)
        struct.pack_into(f"{order}h", header, 72, 32)
        struct.pack_into(f"{order}f", header, 108, 352)
    else:
        struct.pack_into(f"{order}8q", header, 16, 2, 5, 7, 1, 1, 1, 1, 1)
        struct.pack_into(f"{order}h", header, 14, 32)
        struct.pack_into(f"{order}q", header, 168, 544)
    path = tmp_path / "t.nii"
    whole = len(header) + 4 + 5 * 7 * 4
    path.write_bytes(header.ljust(whole, b"\0"))
    check_whole(path)
    path.write_bytes(header.ljust(whole - 1, b"\0"))
    with pytest.raises(TransformError, match=f"cut short: it holds {whole - 1} of {whole} bytes"):
        check_whole(path)


@pytest.mark.parametrize(
    "trial", ["import os; os.abort()", "import time; time.sleep(60)"], ids=["dies", "hangs"]
)
def test_itk_files_that_kill_or_hang_their_reader(sitk, tmp_path, monkeypatch, trial):
    save_transform(tmp_path / "t.h5", affine())
    monkeypatch.setattr("napari_mmreg.io.itk._TRIAL", trial)
    monkeypatch.setattr("napari_mmreg.io.itk.TRIAL_SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(TransformError, match=r"ITK cannot read .*t\.h5"):
        load_transform(tmp_path / "t.h5")
    assert time.monotonic() - began < 10


def test_matlab_files_that_claim_billions_of_values(sitk, tmp_path, monkeypatch):
    path = tmp_path / "t.mat"
    save_transform(path, affine())
    content = bytearray(path.read_bytes())
    content[4:8] = (2**31 - 1).to_bytes(4, "little")  # rows of the first array
    path.write_bytes(content)
    monkeypatch.setattr("napari_mmreg.io.itk.TRIAL_SECONDS", 2.0)
    with pytest.raises(TransformError, match="ITK cannot read"):
        load_transform(path)


def test_a_packed_nifti_beside_one_that_is_not(sitk, tmp_path):
    for suffix, shift in ((".nii", 1.0), (".nii.gz", 2.0)):
        moved = MatrixTransform.translation((shift, 0))
        save_transform(tmp_path / f"t{suffix}", moved, fixed_shape=FIXED_SHAPE)
    assert_allclose(load_transform(tmp_path / "t.nii").map([3, 4]), [4, 4])
    assert_allclose(load_transform(tmp_path / "t.nii.gz").map([3, 4]), [5, 4])


def test_what_does_not_decompress_is_refused(sitk, tmp_path, capfd):
    path = tmp_path / "t.mha"
    save_transform(path, dense(), fixed_shape=FIXED_SHAPE)
    content = bytearray(path.read_bytes())
    content[content.index(b"LOCAL") + 6] = 0
    path.write_bytes(content)
    with pytest.raises(TransformError, match="ITK cannot read"):
        load_transform(path)
    assert capfd.readouterr() == ("", "")


def test_a_field_with_signalling_nan(sitk):
    field = np.zeros((5, 6, 2), np.float32)
    field.view(np.uint32)[2, 3] = 0x7F800001
    image = sitk.GetImageFromArray(field, isVector=True)
    points = from_itk_field(image).map([[2, 3], [0, 0]])
    assert np.isnan(points[0]).all()
    np.testing.assert_array_equal(points[1], 0)


def test_displacements_beyond_our_range(sitk, tmp_path):
    field = np.full((5, 6, 2), 1e300)
    sitk.WriteImage(sitk.GetImageFromArray(field, isVector=True), str(tmp_path / "t.mha"))
    with pytest.raises(TransformError, match="beyond float32"):
        load_transform(tmp_path / "t.mha")


@pytest.mark.parametrize("spacing", [(0, 1), (1, -1), (1,), (1, np.nan), (1, 2, 3)])
def test_impossible_spacings(spacing):
    with pytest.raises(InputError, match="two positive numbers"):
        spacing_matrix(spacing)
    with pytest.raises(InputError, match="two positive numbers"):
        affine().save("t.npz", fixed_spacing=spacing)


@pytest.mark.parametrize("name", ["t", "t.png", "t.gz", "npz"])
def test_unknown_endings(tmp_path, name):
    with pytest.raises(InputError, match=r"\.npz, \.tfm"):
        save_transform(tmp_path / name, affine())
    with pytest.raises(InputError, match=r"\.npz, \.tfm"):
        load_transform(tmp_path / name)


@pytest.mark.parametrize("suffix", [*ITK_TRANSFORMS, *ITK_FIELDS])
def test_without_simpleitk_the_extra_is_named(monkeypatch, tmp_path, suffix):
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(MissingExtraError, match=r"napari-mmreg\[itk\]"):
        save_transform(tmp_path / f"t{suffix}", affine(), fixed_shape=FIXED_SHAPE)
    with pytest.raises(MissingExtraError, match=r"napari-mmreg\[itk\]"):
        load_transform(tmp_path / f"t{suffix}")
    save_transform(tmp_path / "T.NPZ", affine())  # ours needs nothing
    assert load_transform(tmp_path / "T.NPZ").is_affine
