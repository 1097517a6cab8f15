import re

import pytest

from napari_mmreg.batch import ImagePair, match_folders, read_table
from napari_mmreg.batch.table import write_table
from napari_mmreg.errors import InputError


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_is_read_with_any_usual_separator(tmp_path, separator):
    lines = ["Fixed,Moving,fixed page,note", "a.tif,b.tif,2,nice", ",,,", "sub/c.tif,d.tif,,"]
    table = write(tmp_path / "t.csv", "\n".join(lines).replace(",", separator))
    first, second = read_table(table)
    assert first == ImagePair("a", tmp_path / "a.tif", tmp_path / "b.tif", fixed_page=2)
    assert second == ImagePair("c", tmp_path / "sub" / "c.tif", tmp_path / "d.tif")


def test_an_excel_table_is_read(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["id", "fixed", "moving", "moving_channel"], ["x1", "a.tif", "b.tif", 1]):
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    assert read_table(tmp_path / "t.xlsx") == (
        ImagePair("x1", tmp_path / "a.tif", tmp_path / "b.tif", moving_channel=1),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no pairs"),
        ("fixed,other\na,b\n", "has no column moving"),
        ("fixed,moving\na.tif,\n", "row 2 names no moving image"),
        ("fixed,moving,fixed_page\na,b,1.5\n", "row 2, fixed_page: '1.5' is no whole number"),
        ("fixed,moving,fixed_page\na,b,-1\n", "no whole number"),
        ("fixed,moving,fixed_page\na,b,nan\n", "no whole number"),
        ("fixed,moving\nx/a.tif,b\ny/A.tif,b\n", "Two pairs are called 'A'"),
        ("id,fixed,moving\n..,a,b\n", "cannot name a folder"),
        ("id,fixed,moving\na/b,a,b\n", "cannot name a folder"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path, text, message):
    with pytest.raises(InputError, match=re.escape(message)):
        read_table(write(tmp_path / "t.csv", text))


def test_missing_and_binary_files_are_no_tables(tmp_path):
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe\x00\x01")
    (tmp_path / "bad.xlsx").write_bytes(b"PK not really")
    for name in ("none.csv", "bad.csv", "bad.xlsx"):
        with pytest.raises(InputError, match="cannot be read"):
            read_table(tmp_path / name)


def test_a_written_table_is_read_from_anywhere(tmp_path):
    pairs = (
        ImagePair("a", tmp_path / "a.tif", tmp_path / "b, c.tif", fixed_mask=tmp_path / "m.png"),
        ImagePair("b", tmp_path / "d.tif", tmp_path / "e.tif", moving_page=0),
    )
    (tmp_path / "elsewhere").mkdir()
    write_table(tmp_path / "elsewhere" / "pairs.csv", pairs)
    assert read_table(tmp_path / "elsewhere" / "pairs.csv") == pairs


def test_files_are_matched_by_what_the_star_stands_for(tmp_path):
    for name in ("a_vis.png", "b_vis.png", "a_ir.png", "c_ir.png"):
        write(tmp_path / name, "")
    matched = match_folders(tmp_path / "*_vis.png", tmp_path / "*_ir.png")
    assert matched.pairs == (ImagePair("a", tmp_path / "a_vis.png", tmp_path / "a_ir.png"),)
    assert matched.fixed_only == (tmp_path / "b_vis.png",)
    assert matched.moving_only == (tmp_path / "c_ir.png",)


def test_folders_are_matched_by_names_without_suffix_in_any_place(tmp_path):
    for name in ("vis [1]/a.png", "vis [1]/b.png", "ir/a.tif", "ir/b.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path / name, "")
    matched = match_folders(tmp_path / "vis [1]", tmp_path / "ir")
    assert [pair.id for pair in matched.pairs] == ["a", "b"]
    assert matched.pairs[0].moving == tmp_path / "ir" / "a.tif"


def test_stars_in_folders_count(tmp_path):
    for name in ("p1/s1/vis.png", "p1/s2/vis.png", "p1/s1/ir.png", "p1/s2/ir.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        write(tmp_path / name, "")
    matched = match_folders(tmp_path / "*/*/vis.png", tmp_path / "*/*/ir.png")
    assert [pair.id for pair in matched.pairs] == ["p1_s1", "p1_s2"]


def test_no_partner_no_star_and_double_meaning_are_said(tmp_path):
    for name in ("a.png", "a.tif", "b.jpg"):
        write(tmp_path / name, "")
    with pytest.raises(InputError, match=r"No file of .* has a partner"):
        match_folders(tmp_path / "*.jpg", tmp_path / "*_ir.jpg")
    with pytest.raises(InputError, match="neither a folder nor a pattern"):
        match_folders(tmp_path / "a.png", tmp_path / "b.jpg")
    with pytest.raises(InputError, match="mean the same"):
        match_folders(tmp_path, tmp_path / "*.jpg")
