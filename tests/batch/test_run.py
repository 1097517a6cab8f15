import csv
import json

import numpy as np
import pytest

from batch_pairs import make_pair
from napari_mmreg.batch import BatchParameters, ImagePair, run_batch
from napari_mmreg.batch import run as run_module
from napari_mmreg.errors import Cancelled, InputError
from napari_mmreg.geometry import Transform
from napari_mmreg.io import read_image


def summary_rows(folder):
    with (folder / "summary.csv").open(newline="", encoding="utf-8") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def test_a_batch_registers_every_pair_and_says_so(pairs, parameters, tmp_path):
    heard = []
    summary = run_batch(
        pairs, tmp_path / "out", parameters, progress=lambda *said: heard.append(said)
    )
    assert [outcome.id for outcome in summary.outcomes] == ["a", "b", "c"]
    assert summary.count("ok") == 3
    for pair in pairs:
        folder = tmp_path / "out" / pair.id
        moved = Transform.load(folder / "transform.npz").map(np.array([30.0, 30.0]))
        np.testing.assert_allclose(moved, (32.0, 27.0), atol=0.7)
        assert read_image(folder / "registered.tif").shape == (64, 64)
        assert read_image(folder / "preview.png").shape == (64, 64, 3)
        assert json.loads((folder / "report.json").read_text())["status"] == "ok"
    assert {row["status"] for row in summary_rows(tmp_path / "out").values()} == {"ok"}
    page = (tmp_path / "out" / "summary.html").read_text()
    assert "3 ok" in page
    assert 'src="a/preview.png"' in page
    fractions = [fraction for _, fraction in heard]
    assert fractions == sorted(fractions)
    assert heard[0] == ("0 of 3 pairs", 0.0)
    assert heard[-1] == ("3 of 3 pairs", 1.0)
    assert heard[1][0].startswith("1 of 3 pairs, ")


def test_looks_name_their_pair(pairs, parameters, tmp_path):
    looks = []
    summary = run_batch(pairs[:2], tmp_path / "out", parameters, preview=looks.append)
    assert summary.count("ok") == 2
    subjects = [look.subject for look in looks]
    assert list(dict.fromkeys(subjects)) == ["a", "b"]
    assert subjects == sorted(subjects)
    last = looks[subjects.index("b") - 1]
    report = json.loads((tmp_path / "out" / "a" / "report.json").read_text())
    assert last.similarity == report["metrics"]["similarity_after"]["value"]


def test_a_batch_goes_on_where_it_ended(pairs, parameters, tmp_path):
    run_batch(pairs[:2], tmp_path / "out", parameters)
    before = (tmp_path / "out" / "a" / "report.json").stat().st_mtime_ns
    make_pair(tmp_path, "b", 7)  # another picture under the same name
    summary = run_batch(pairs, tmp_path / "out", parameters)
    assert [outcome.reused for outcome in summary.outcomes] == [True, False, False]
    assert (tmp_path / "out" / "a" / "report.json").stat().st_mtime_ns == before
    other = run_batch(pairs, tmp_path / "out", BatchParameters(model="classical", refine=False))
    assert not any(outcome.reused for outcome in other.outcomes)


def test_a_damaged_earlier_report_is_replaced(pairs, parameters, tmp_path):
    run_batch(pairs[:1], tmp_path / "out", parameters)
    (tmp_path / "out" / "a" / "report.json").write_text('{"batch": 3')
    summary = run_batch(pairs[:1], tmp_path / "out", parameters)
    assert (summary.outcomes[0].status, summary.outcomes[0].reused) == ("ok", False)


def test_a_pair_that_cannot_be_read_ends_nothing(pairs, parameters, tmp_path):
    (tmp_path / "b_ir.tif").write_bytes(b"II*\0 damaged")
    lost = ImagePair("lost", tmp_path / "none.tif", tmp_path / "a_ir.tif")
    summary = run_batch([*pairs, lost], tmp_path / "out", parameters)
    assert [outcome.status for outcome in summary.outcomes] == ["ok", "error", "ok", "error"]
    assert "none.tif" in summary.outcomes[3].reasons[0]
    assert not (tmp_path / "out" / "b").exists()
    page = (tmp_path / "out" / "summary.html").read_text()
    assert page.index("lost</h2>") < page.index("a</h2>")  # worst first


def test_an_unexpected_exception_is_an_outcome(pairs, parameters, tmp_path, monkeypatch):
    def broken(*_args, **_options):
        raise RuntimeError("out of cheese")

    monkeypatch.setattr("napari_mmreg.registration.register", broken)
    summary = run_batch(pairs[:1], tmp_path / "out", parameters)
    assert summary.outcomes[0].reasons == ("RuntimeError: out of cheese",)


def test_a_failed_registration_leaves_no_registered_image(parameters, tmp_path):
    from napari_mmreg.io import write_image

    rng = np.random.default_rng(0)
    for name in ("x", "y"):
        write_image(tmp_path / f"{name}.png", rng.integers(0, 255, (64, 64)).astype(np.uint8))
    pair = ImagePair("noise", tmp_path / "x.png", tmp_path / "y.png")
    summary = run_batch([pair], tmp_path / "out", parameters)
    assert summary.outcomes[0].status != "ok"
    files = {path.name for path in (tmp_path / "out" / "noise").iterdir()}
    assert {"report.json", "preview.png"} <= files
    assert ("registered.tif" in files) == (summary.outcomes[0].status == "doubtful")


def test_cancelling_keeps_what_is_done(pairs, parameters, tmp_path):
    heard = []
    with pytest.raises(Cancelled):
        run_batch(
            pairs,
            tmp_path / "out",
            parameters,
            progress=lambda stage, _: heard.append(stage),
            cancel=lambda: len(heard) > 1,
        )
    rows = summary_rows(tmp_path / "out")
    assert [rows[name]["status"] for name in "abc"] == ["ok", "not done", "not done"]
    assert not list((tmp_path / "out").glob(".*"))
    assert "2 not done" in (tmp_path / "out" / "summary.html").read_text()


def test_a_batch_repeats_itself_from_its_own_files(pairs, parameters, tmp_path):
    from napari_mmreg.batch import read_table

    run_batch(pairs, tmp_path / "out", parameters)
    again = run_batch(
        read_table(tmp_path / "out" / run_module.PAIRS),
        tmp_path / "out",
        BatchParameters.load(tmp_path / "out" / run_module.PARAMETERS),
    )
    assert all(outcome.reused for outcome in again.outcomes)


def test_masks_and_starts_of_a_table_reach_the_engine(pairs, parameters, tmp_path, monkeypatch):
    from dataclasses import replace

    from napari_mmreg.geometry import MatrixTransform
    from napari_mmreg.io import save_transform, write_image

    mask = np.zeros((64, 64), np.uint8)
    mask[8:50] = 255
    write_image(tmp_path / "mask.png", mask)
    save_transform(tmp_path / "start.npz", MatrixTransform.translation((2.0, -3.0)))
    calls = []

    def engine(*_args, **options):
        calls.append(options)
        raise InputError("enough")

    monkeypatch.setattr("napari_mmreg.registration.register", engine)
    pair = replace(pairs[0], fixed_mask=tmp_path / "mask.png", initial=tmp_path / "start.npz")
    run_batch([pair], tmp_path / "out", parameters)
    assert calls[0]["fixed_mask"].sum() == 42 * 64
    np.testing.assert_allclose(calls[0]["initial"].map(np.zeros(2)), (2.0, -3.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda pairs, _: pairs.clear(), "no pair"),
        (lambda pairs, _: pairs.append(pairs[0]), "Two pairs are called"),
        (lambda _, folder: folder.write_text("a file"), "Cannot write"),
    ],
)
def test_what_cannot_be_a_batch_is_refused(pairs, parameters, tmp_path, change, message):
    change(pairs, tmp_path / "out")
    with pytest.raises(InputError, match=message):
        run_batch(pairs, tmp_path / "out", parameters)
