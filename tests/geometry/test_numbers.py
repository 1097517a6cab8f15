"""Tests of arguments that must be numbers."""

import numpy as np
import pytest

from napari_mmreg.errors import InputError, RegistrationError, TransformError
from napari_mmreg.geometry import (
    DisplacementTransform,
    MatrixTransform,
    ResidualTransform,
    ThinPlateTransform,
    jacobian_determinant,
)
from napari_mmreg.geometry.numbers import as_numbers

ODD = [
    "text",
    None,
    {"a": 1},
    [[1, 2], [3]],
    np.ones((3, 3), dtype=np.complex128),
    np.ma.masked_array(np.ones((3, 3)), mask=np.eye(3)),
    np.array([["1", "2", "3"]] * 3),
    object(),
]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: type(odd).__name__)
@pytest.mark.parametrize(
    "made",
    [
        MatrixTransform,
        MatrixTransform.from_xy,
        DisplacementTransform,
        lambda odd: ThinPlateTransform(odd, odd),
        lambda odd: ResidualTransform(odd, odd, 10),
        jacobian_determinant,
        MatrixTransform.identity().map,
    ],
)
def test_what_is_no_number_is_refused(made, odd):
    with pytest.raises(RegistrationError):
        made(odd)


def test_numbers_of_any_kind_are_taken():
    assert as_numbers([True, 2], "They").tolist() == [1.0, 2.0]
    assert as_numbers(np.array([1, 2.5], dtype=object), "They").tolist() == [1.0, 2.5]
    given = np.ones(3, dtype=np.float32)
    assert as_numbers(given, "They", dtype=np.float32) is given


def test_the_message_names_what_was_given():
    with pytest.raises(InputError, match="They are complex128, not numbers; pass"):
        as_numbers(np.ones(2, dtype=complex), "They")
    with pytest.raises(TransformError, match="infinite values, or some beyond float32"):
        DisplacementTransform(np.full((2, 3, 2), 1e300))
