"""Numbers as people write them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.number import number, numbers


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1,234,567.8", 1234567.8),
        ("1，234", 1234),
        ("1\xa0234", 1234),
        ("389,868,989\xa0", 389868989),
        ("１２．５", 12.5),
        ("5.2%", 5.2),
        ("５．２％", 5.2),
        ("−3", -3),
        ("+0.5", 0.5),
        (".5", 0.5),
        ("1e3", 1000),
    ],
)
def test_a_number_is_read_however_it_is_typed(cell, value):
    assert number(cell) == value


@pytest.mark.parametrize(
    "cell", ["12,34", "1,2345", "1 234,567", "1_000", "0x1A", "inf", "nan", "1e400", "(5)", "5亿", ".", "%", "True"]
)
def test_what_only_looks_like_a_number_is_refused(cell):
    with pytest.raises(ValueError, match="不是"):
        number(cell)


@given(
    st.lists(
        st.one_of(
            st.floats(allow_nan=False, allow_infinity=False),
            st.integers(-(10**9), 10**9),
            st.sampled_from(["", "无", "1,234", "x", "５"]),
        )
    )
)
def test_a_whole_column_reads_as_its_cells_do(cells):
    column = np.empty(len(cells), dtype=object)
    column[:] = [cell if isinstance(cell, str) else repr(cell) for cell in cells]
    found = numbers(column)
    for place, cell in enumerate(column):
        try:
            value = number(cell)
        except ValueError:
            assert found.bad[place]
        else:
            assert found.blank[place] == (value is None)
            assert found.nil[place] == (cell == "无")
            assert value is None or found.value[place] == value


def test_a_whole_number_beyond_all_floats_is_no_number_and_harms_no_other():
    column = np.array([10**400, "1,234", 5, None], dtype=object)
    found = numbers(column)
    assert found.bad.tolist() == [True, False, False, False]
    assert found.value[1:3].tolist() == [1234, 5]
