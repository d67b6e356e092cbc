"""Figures of earlier years beside this year's periods, and the season they show."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rules.past import YEARS, Past, increments, shares
from tests.rules.builders import a_block, a_panel, a_season, judged, remember

QUARTERS = {"every": "quarter", "published": "15 workdays after period", "goal": "at least 100 个"}
SEASONAL = {**QUARTERS, "expect": "seasonal"}
AMOUNTS = st.floats(0.1, 1e6)


def expected(panel):
    panel.renew()
    return panel.expected[:, 0].round(9).tolist()


def test_a_seasonal_curve_is_the_mean_share_that_earlier_years_had_reached():
    panel = a_panel(a_block(SEASONAL))
    remember(panel, {2023: a_season(10, 20, 30, 40), 2024: a_season(60, 40, 60, 40)})
    assert expected(panel) == [20, 40, 70, 100]


def test_one_year_is_no_season_and_the_line_stands_in():
    panel = a_panel(a_block(SEASONAL))
    remember(panel, {2024: a_season(10, 20, 30, 40)})
    assert expected(panel) == [25, 50, 75, 100]


def test_a_year_without_its_last_figure_says_nothing_of_shares():
    panel = a_panel(a_block(SEASONAL))
    season = a_season(10, 20, 30, 40)
    remember(panel, {2022: {1: 90.0, 2: 95.0}, 2023: season, 2024: season})
    assert expected(panel) == [10, 30, 60, 100]


def test_last_years_curve_is_last_years_alone():
    panel = a_panel(a_block({**QUARTERS, "expect": "last year"}))
    remember(panel, {2023: a_season(25, 25, 25, 25), 2024: a_season(10, 20, 30, 40)})
    assert expected(panel) == [10, 30, 60, 100]


def test_the_year_before_last_is_not_last_year():
    panel = a_panel(a_block({**QUARTERS, "expect": "last year"}))
    remember(panel, {2023: a_season(10, 20, 30, 40)})
    assert expected(panel) == [25, 50, 75, 100]


def test_a_revision_of_an_earlier_year_moves_the_curve():
    panel = a_panel(a_block({**QUARTERS, "expect": "last year"}))
    remember(panel, {2024: a_season(25, 25, 25, 25)})
    expected(panel)
    remember(panel, {2024: {1: 10.0}})
    assert expected(panel) == [10, 50, 75, 100]


def test_january_and_february_published_together_share_what_came_in_them():
    panel = a_panel(a_block({"goal": "at least 120 个", "expect": "seasonal"}))
    together = {period: 10.0 * period for period in range(2, 13)}
    remember(panel, {2023: together, 2024: together})
    assert expected(panel)[:3] == [10, 20, 30]


def test_other_targets_keep_the_plans_own_curve():
    panel = a_panel(a_block(SEASONAL, QUARTERS))
    remember(panel, {2023: a_season(10, 20, 30, 40), 2024: a_season(10, 20, 30, 40)})
    panel.renew()
    assert panel.expected[:, 1].tolist() == [25, 50, 75, 100]


def test_behind_two_spreads_is_twice_what_the_season_differs_from_year_to_year():
    panel = a_panel(a_block({**SEASONAL, "levels": {"yellow": "behind 2 spreads", "red": "never"}}))
    remember(panel, {2023: a_season(20, 20, 20, 40), 2024: a_season(30, 20, 20, 30)})
    panel.renew()
    assert panel.spread[:, 0] == pytest.approx([np.std([0.2, 0.3], ddof=1), 0.0707107, 0.0707107, 0], abs=1e-6)


@pytest.mark.parametrize(("reached", "level"), [(25 - 14.0, 0), (25 - 14.3, 1)])
def test_a_spread_is_a_yardstick(reached, level):
    found = judged(
        {1: reached},
        past={2023: a_season(20, 20, 20, 40), 2024: a_season(30, 20, 20, 30)},
        **{**SEASONAL, "levels": {"yellow": "behind 2 spreads", "red": "never"}},
    )
    assert found.level == level


def test_daily_values_of_earlier_years_are_counted_like_this_years():
    block = a_block({"goal": "at least 300 天", "measure": "good-days", "every": "day", "counts": "at most 100"})
    panel = a_panel(block)
    remember(panel, {2024: {day: 50.0 if day % 2 else 150.0 for day in range(1, 367)}, 2023: {1: 50.0}})
    reached = panel.past.of(np.array([0]))
    assert reached[1, -1, 0] == 183, "29 February was even, and has no place in 2025"
    assert np.isnan(reached[0]).all(), "a year of one known day cannot be counted"


def test_the_days_of_a_leap_year_lie_at_the_same_days_of_this_year():
    block = a_block({"goal": "at least 300 天", "measure": "good-days", "every": "day"})
    past = Past(block)
    days = np.array(["2024-02-28", "2024-02-29", "2024-03-01", "2024-12-31"], dtype="datetime64[D]")
    taken = past.put(np.zeros(4, np.int64), days, np.array([58.0, 59.0, 60.0, 365.0]))
    assert taken.tolist() == [True, False, True, True]
    assert past.values[0, [58, 59, 364], 0].tolist() == [58, 60, 365]


def test_figures_older_than_the_years_looked_back_are_left_alone():
    panel = a_panel(a_block(QUARTERS))
    remember(panel, {2025 - YEARS - 1: a_season(1, 1, 1, 1), 2025: a_season(1, 1, 1, 1)})
    assert not len(panel.past.values)


@given(arrays(np.float64, (12, 3), elements=AMOUNTS))
def test_what_the_periods_added_sums_up_to_what_was_reached(amounts):
    reached = np.cumsum(amounts, axis=0)
    assert np.allclose(increments(reached), amounts, rtol=1e-6, atol=1e-6 * reached[-1].max())


@given(arrays(np.float64, (12, 2), elements=AMOUNTS), st.sets(st.integers(0, 10), max_size=8))
def test_a_gap_changes_nothing_outside_of_it(amounts, gaps):
    reached = np.cumsum(amounts, axis=0)
    holed = reached.copy()
    holed[list(gaps)] = np.nan
    known = [p for p in range(12) if p not in gaps]
    assert np.allclose(np.cumsum(increments(holed), axis=0)[known], reached[known])


def test_years_of_one_season_show_it_and_no_spread():
    season = np.linspace(1, 2, 12)
    reached = np.cumsum(season[:, np.newaxis] * np.arange(1, 7)[:, np.newaxis, np.newaxis], axis=1)
    mean, spread, years = shares(reached)
    np.testing.assert_allclose(mean[:, 0], np.cumsum(season) / season.sum(), rtol=1e-12)
    np.testing.assert_allclose(spread, 0, atol=1e-12)
    assert years.tolist() == [6]


def test_the_spread_of_the_shares_is_their_standard_deviation():
    reached = np.cumsum(np.exp(np.random.default_rng(7).normal(0, 0.1, (30, 12, 50))), axis=1)
    np.testing.assert_allclose(
        shares(reached)[1], (reached / reached[:, -1:]).std(axis=0, ddof=1), rtol=1e-9, atol=1e-12
    )


@given(arrays(np.float64, (4, 12, 2), elements=AMOUNTS), st.floats(0.001, 1000))
def test_shares_do_not_know_the_unit(amounts, unit):
    reached = np.cumsum(amounts, axis=1)
    for one, other in zip(shares(reached), shares(reached * unit), strict=True):
        assert np.allclose(one, other)
