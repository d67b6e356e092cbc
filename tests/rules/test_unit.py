"""A figure in one unit is read in another, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.unit import KNOWN, check, conversion


def _read(value: float, have: str, want: str) -> float:
    found = conversion(have, want)
    assert found is not None
    return value * found[0] + found[1]


@pytest.mark.parametrize(
    ("value", "have", "want", "reads"),
    [
        (45000, "万元", "亿元", 4.5),
        (4.5, "亿元", "万元", 45000),
        (3, "万人次", "人次", 30000),
        (1, "平方公里", "万平方米", 100),
        (15, "亩", "平方米", 10000),
        (12.6, "万亩", "亩", 126000),
        (105.2, "上年=100", "%", 5.2),
        (0.9, "个百分点", "%", 0.9),
        (2500, "米", "公里", 2.5),
        (7, "", "人", 7),
        (7, "furlongs", "furlongs", 7),
    ],
)
def test_a_figure_is_read_in_the_unit_of_the_target(value: float, have: str, want: str, reads: float) -> None:
    assert _read(value, have, want) == pytest.approx(reads)


@pytest.mark.parametrize(
    ("have", "want"),
    [
        ("亿元", "人"),
        ("人", "人次"),
        ("家", "户"),
        ("%", "亿元"),
        ("亩", "公里"),
        ("furlongs", "人"),
        ("人", "furlongs"),
    ],
)
def test_what_does_not_measure_the_same_thing_does_not_convert(have: str, want: str) -> None:
    assert conversion(have, want) is None


@given(st.sampled_from(KNOWN), st.sampled_from(KNOWN), st.floats(-1e9, 1e9))
def test_a_figure_read_there_and_back_is_the_same(have: str, want: str, value: float) -> None:
    if conversion(have, want) is None or conversion(want, have) is None:
        return
    assert _read(_read(value, have, want), want, have) == pytest.approx(value, rel=1e-12)


@given(st.sampled_from(KNOWN))
def test_a_known_unit_passes_and_reads_as_itself(unit: str) -> None:
    assert check(unit) == unit
    assert conversion(unit, unit) == (1, 0)


def test_an_unknown_unit_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"未知的计量单位 '亿圆'.*亿元"):
        check("亿圆")
