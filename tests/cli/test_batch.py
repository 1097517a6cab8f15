import pytest

from batch_pairs import make_pair
from napari_mmreg.cli import main


@pytest.fixture
def scans(tmp_path, monkeypatch):
    """Two pairs of files in the working directory."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate("ab"):
        make_pair(tmp_path, name, number)
    return tmp_path


def test_files_are_matched_registered_and_summed_up(scans, capsys):
    command = ["batch", "--fixed", "*_vis.tif", "--moving", "*_ir.tif", "-o", "out"]
    assert main([*command, "--model", "classical"]) == 0
    said = capsys.readouterr().out
    assert "2 pairs: 2 ok" in said
    assert "summary.html" in said
    assert main([*command, "--parameters", "out/batch.yaml"]) == 0
    assert "2 ok (2 from an earlier run)" in capsys.readouterr().out


def test_a_dry_run_says_what_belongs_together_and_writes_nothing(scans, capsys):
    make_pair(scans, "c", 2)
    (scans / "c_ir.tif").unlink()
    main(["batch", "--fixed", "*_vis.tif", "--moving", "*_ir.tif", "-o", "out", "--dry-run"])
    said = capsys.readouterr()
    assert "a_vis.tif  a_ir.tif" in said.out
    assert "1 fixed images have no partner and are left out: c_vis.tif" in said.err
    assert not (scans / "out").exists()


def test_a_pair_that_failed_makes_the_exit_code(scans, capsys):
    (scans / "pairs.csv").write_text("fixed,moving\na_vis.tif,none.tif\nb_vis.tif,b_ir.tif\n")
    assert main(["batch", "pairs.csv", "-o", "out", "--model", "classical", "-q"]) == 3
    said = capsys.readouterr()
    assert "a_vis: " in said.err
    assert "none.tif" in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "Name a table of pairs"),
        (["--fixed", "*_vis.tif"], "both --fixed and --moving"),
        (["pairs.csv", "--fixed", "x", "--moving", "y"], "not both"),
        (["none.csv"], "cannot be read"),
        (["--fixed", "*_vis.tif", "--moving", "*_ir.tif", "--model", "nope"], "nope"),
        (["--fixed", "*_vis.tif", "--moving", "*_ir.tif", "--workers", "0"], "number of workers"),
    ],
)
def test_what_cannot_be_done_is_said(scans, capsys, options, message):
    assert main(["batch", *options, "-o", "out"]) == 2
    assert message in capsys.readouterr().err
