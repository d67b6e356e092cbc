"""A source that repeats itself or is one period off is told from honest figures that happen to be equal."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rules import stale
from rules.plausible import Figures

NAN = float("nan")


def figures(*periods: Sequence[float], first: int = 1) -> Figures:
    """What each series (by place) says period by period, numbered from ``first``; NaN for nothing."""
    rows = [
        (series, period, value)
        for period, values in enumerate(periods, first)
        for series, value in enumerate(values)
        if not np.isnan(value)
    ]
    series, period, value = zip(*rows, strict=True) if rows else ((), (), ())
    return Figures(np.array(series, np.int64), np.array(period, np.int64), np.array(value, np.float64))


NOTHING = figures()
MOVING = ([10, 20, 5.1], [11, 22, 5.4], [13, 23, 5.2])


def test_a_new_period_with_all_the_figures_of_the_last_one_is_a_repeat() -> None:
    assert stale.repeated(figures(MOVING[2], first=4), figures(*MOVING)).tolist() == [4]
    assert stale.repeated(figures(*MOVING, MOVING[2]), NOTHING).tolist() == [4]


def test_one_series_that_moved_clears_them_all() -> None:
    assert stale.repeated(figures([13, 23, 5.3], first=4), figures(*MOVING)).tolist() == []


def test_one_or_two_series_may_stand_still() -> None:
    for count in (1, 2):
        known = figures(*(values[:count] for values in MOVING))
        assert stale.repeated(figures(MOVING[2][:count], first=4), known).tolist() == []


def test_series_that_never_move_and_figures_of_zero_prove_nothing() -> None:
    constant = [[7.0] * 40] * 4
    assert stale.repeated(figures(constant[0], first=5), figures(*constant)).tolist() == []
    with_zero = [[*values[:2], 0.0] for values in MOVING]
    assert stale.repeated(figures(with_zero[2], first=4), figures([1, 2, 3], *with_zero[1:])).tolist() == []


def test_series_that_often_stand_still_may_do_so_together() -> None:
    lazy = ([5.0, 6.0, 7.0], [5.0, 6.0, 7.0], [5.1, 6.0, 7.2], [5.1, 6.1, 7.2], [5.1, 6.1, 7.2])
    assert stale.repeated(figures(lazy[4], first=6), figures(*lazy)).tolist() == []


def test_the_period_after_a_repeat_is_measured_against_the_last_honest_one() -> None:
    stated = figures(*MOVING, MOVING[2], MOVING[2], [14, 25, 5.0])
    assert stale.repeated(stated, NOTHING).tolist() == [4, 5]


def test_a_gap_is_bridged_and_a_series_of_its_own_rhythm_is_compared_with_its_own_last_figure() -> None:
    known = figures([10, 20, 5], [NAN, 22, 6], [12, NAN, 7], [13, 25, 8])
    assert stale.repeated(figures([13, 25, 8], first=6), known).tolist() == [6]
    assert stale.repeated(figures([13, NAN, 8], first=6), known).tolist() == []


REFERENCE = ([10.0, 20, 5], [11.0, 22, 6], [13.0, 23, 7])


def test_a_feed_that_labels_by_the_month_of_release_is_one_period_off() -> None:
    known = figures(*REFERENCE)
    assert stale.mislabelled(figures([NAN] * 3, REFERENCE[0], REFERENCE[1], REFERENCE[2]), known)
    assert stale.mislabelled(figures(REFERENCE[1], REFERENCE[2], first=3), known)


def test_a_feed_that_says_what_is_known_or_revises_it_honestly_is_not_off() -> None:
    known = figures(*REFERENCE)
    assert not stale.mislabelled(figures(*REFERENCE, [14, 25, 8]), known)
    assert not stale.mislabelled(figures(REFERENCE[0], [10.5, 21, 5.5], [13, 23.5, 7], [14, 25, 8]), known)
    assert not stale.mislabelled(figures(*REFERENCE), NOTHING)


def test_two_equal_figures_of_a_small_source_are_not_yet_a_shift() -> None:
    known = figures(*(values[:1] for values in REFERENCE))
    assert not stale.mislabelled(figures(REFERENCE[1][:1], REFERENCE[2][:1], first=3), known)


def test_one_series_rewritten_over_many_periods_is_a_shift() -> None:
    known = figures([1.0], [2.0], [4.0], [7.0])
    assert stale.mislabelled(figures([1.0], [2.0], [4.0], [7.0], first=2), known)


def test_an_old_document_is_a_repeat_and_not_a_shift() -> None:
    known = figures(*MOVING)
    stated = figures(*MOVING, MOVING[2])
    assert not stale.mislabelled(stated, known)
    assert stale.repeated(stated, known).tolist() == [4]


RISING = st.lists(st.lists(st.floats(0.01, 10), min_size=4, max_size=4), min_size=3, max_size=10)


@given(RISING, st.data())
def test_growing_series_pass_whole_or_in_parts_and_any_of_their_months_stated_twice_is_caught(
    steps: Any, data: st.DataObject
) -> None:
    sums = np.cumsum(steps, axis=0).tolist()
    split = data.draw(st.integers(1, len(sums)))
    known, stated = figures(*sums[:split]), figures(*sums, first=1)
    assert stale.repeated(stated, known).tolist() == []
    assert not stale.mislabelled(stated, known)
    assert stale.repeated(figures(sums[-1], first=len(sums) + 1), figures(*sums)).tolist() == [len(sums) + 1]
    off = figures(*sums, first=2)
    assert stale.mislabelled(off, figures(*sums))
