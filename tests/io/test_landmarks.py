import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from napari_mmreg.errors import InputError
from napari_mmreg.io import read_landmarks, write_landmarks

HEADER = "point,fixed_row,fixed_col,moving_row,moving_col\n"


def read_text(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "points.csv"
    path.write_bytes(text.encode(encoding))
    return read_landmarks(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(*[st.floats(-1e6, 1e6)] * 4), max_size=6))
def test_what_is_written_is_read_to_the_last_digit(tmp_path, rows):
    table = np.array(rows).reshape(-1, 4)
    write_landmarks(tmp_path / "p.csv", table[:, :2], table[:, 2:])
    pairs = read_landmarks(tmp_path / "p.csv")
    assert pairs.names == tuple(str(n + 1) for n in range(len(rows)))
    assert pairs.fixed.shape == pairs.moving.shape == (len(rows), 2)
    assert_array_equal(pairs.fixed, table[:, :2])
    assert_array_equal(pairs.moving, table[:, 2:])


def test_the_file_reads_as_documented(tmp_path):
    write_landmarks(tmp_path / "p.csv", [[1, 2.5]], [[30, 4]], names=["a, left"])
    assert (tmp_path / "p.csv").read_text() == HEADER + '"a, left",1.0,2.5,30.0,4.0\n'
    assert read_landmarks(str(tmp_path / "p.csv")).names == ("a, left",)


def test_columns_in_another_order_blank_lines_and_spreadsheets(tmp_path):
    header = "\ufeffMoving_Row, moving_col,note,point,fixed_row,fixed_col"
    pairs = read_text(tmp_path, header + "\r\n3,4,x,A,1,2\r\n\r\n,,,,,\r\n")
    assert pairs.names == ("A",)
    assert_array_equal(pairs.fixed, [[1, 2]])
    assert_array_equal(pairs.moving, [[3, 4]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the header lacks point, fixed_row"),
        ("point;fixed_row;fixed_col;moving_row;moving_col\n", "with commas"),
        ("point,fixed_row,fixed_col,moving_row\n1,2,3,4\n", "lacks moving_col"),
        (HEADER + "1,2,3,4,5\n2,2,x,4,5\n", "line 3, fixed_col: 'x' is not a finite number"),
        (HEADER + "1,2,3,,5\n", "line 2, moving_row: '' is not"),
        (HEADER + "1,2,3,4,nan\n", "line 2, moving_col: 'nan' is not"),
        (HEADER + "1,inf,3,4,5\n", "line 2, fixed_row"),
        (HEADER + "\n1,2,3,4\n", "line 3: 4 cells, but the header has 5"),
    ],
)
def test_unusable_files(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_text(tmp_path, text)


def test_files_that_are_missing_or_no_text(tmp_path):
    with pytest.raises(InputError, match="no file"):
        read_landmarks(tmp_path / "p.csv")
    with pytest.raises(InputError, match="UTF-8"):
        read_text(tmp_path, HEADER + "é,1,2,3,4\n", encoding="latin-1")
    with pytest.raises(InputError, match="cannot be read"):
        read_landmarks(tmp_path)


@pytest.mark.parametrize(
    ("fixed", "moving", "names", "message"),
    [
        ([[1, 2]], [[1, 2], [3, 4]], None, "1 fixed points, 2 moving"),
        ([[1, 2]], [[1, 2]], ["a", "b"], "2 names"),
        ([[1, 2]], [[1, np.nan]], None, "finite"),
        ([[1, 2, 3], [4, 5, 6]], [[1, 2]], None, "fixed points need the shape"),
        ([[1, 2]], [1, 2], None, "moving points need the shape"),
    ],
)
def test_pairs_that_cannot_be_written(tmp_path, fixed, moving, names, message):
    with pytest.raises(InputError, match=message):
        write_landmarks(tmp_path / "p.csv", fixed, moving, names)
    assert not (tmp_path / "p.csv").exists()


def test_folders_that_do_not_exist(tmp_path):
    with pytest.raises(InputError, match="another folder"):
        write_landmarks(tmp_path / "absent" / "p.csv", [[1, 2]], [[3, 4]])
