"""Patched lines say what freshly written ones would; a figure reads back as it was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from monitor.exposition import Layout, Lines, real

ROWS = 7
LAYOUT = Layout([b'{t="a",s="', b'{t="long name",s="'], [[b'x"}', b'"}', b'yy"}'], [b'p"}', b'q"}', b'r"}', b's"}']],
                np.array([0, 3, 7]))  # fmt: skip


def written(lines: Lines) -> list[str]:
    return b"".join(lines.segments()).decode().splitlines()


def plainly(column: np.ndarray) -> list[str]:
    """What the lines should be, written one by one."""
    labels = ['{t="a",s="x"}', '{t="a",s=""}', '{t="a",s="yy"}', *(f'{{t="long name",s="{one}"}}' for one in "pqrs")]
    texts = real(np.nan_to_num(column))
    return [
        f"m{label} {text.decode()}"
        for label, text, value in zip(labels, texts, column, strict=True)
        if not np.isnan(value)
    ]


figure = st.one_of(st.just(np.nan), st.floats(-1e15, 1e15), st.sampled_from([0.0, -0.0, 1.0, 450.0, -12.5]))


@given(st.lists(arrays(np.float64, ROWS, elements=figure), min_size=1, max_size=6))
def test_however_figures_come_change_and_go_the_lines_are_those_of_the_last(columns):
    lines = Lines(b"m", LAYOUT, real)
    for column in columns:
        lines.show(column)
    assert written(lines) == plainly(columns[-1])


def test_rows_are_handed_out_in_segments_that_end_with_a_line(monkeypatch):
    monkeypatch.setattr("monitor.exposition._SEGMENT", 2)
    lines, column = Lines(b"m", LAYOUT, real), np.array([1.0, 2, np.nan, 4, np.nan, np.nan, 7])
    lines.show(column)
    segments = list(lines.segments())
    assert len(segments) == 3  # one has no figure
    assert all(segment.endswith(b"\n") for segment in segments)
    assert b"".join(segments).decode().splitlines() == plainly(column)


def test_nothing_is_said_before_a_figure_is_known():
    lines = Lines(b"m", LAYOUT, real)
    lines.show(np.full(ROWS, np.nan))
    assert list(lines.segments()) == []


@pytest.mark.parametrize("first_row", [[0], [0, 0]])
def test_no_rows_are_no_lines(first_row):
    lines = Lines(b"m", Layout([b"{"] * (len(first_row) - 1), [[]] * (len(first_row) - 1), np.array(first_row)), real)
    lines.show(np.empty(0))
    assert list(lines.segments()) == []


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_figure_reads_back_to_nine_digits_and_one_of_usual_size_to_fourteen(number):
    (text,) = real(np.array([number]))
    assert len(text) == 16
    assert abs(float(text) - number) <= abs(number) * 1e-8 or abs(number) < 1e-300
    if 1 <= abs(number) < 1e13:
        assert abs(float(text) - number) <= abs(number) * 1e-13


@given(st.integers(-(10**9), 10**9), st.integers(0, 4))
def test_a_decimal_of_a_few_places_is_exact(whole, places):
    number = whole / 10**places
    assert float(real(np.array([number]))[0]) == number


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (450.0, b"450.000000000000"),
        (-12.5, b"-12.500000000000"),
        (0.0, b"0.00000000000000"),
        (-0.0, b"0.00000000000000"),
        (1200 * 7 / 12, b"700.000000000000"),
        (9999999999999.99, b"10000000000000.0"),
        (1e15, b"001.00000000e+15"),
        (1e-5, b"001.00000000e-05"),
        (-1e-300, b"-1.00000000e-300"),
    ],
)
def test_figures_are_written_so_that_people_can_read_them(number, text):
    assert real(np.array([number])).tolist() == [text]
