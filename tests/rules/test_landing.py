"""Where the rows of a block will land: one forecast for all of them, renewed where figures changed."""

from datetime import date

import numpy as np
import pytest

from rules import forecast
from rules.judging import judge
from rules.past import increments
from rules.target import Level
from tests.rules.builders import a_block, a_panel, a_season, judged, put, remember

MONTHS = {"goal": "at least 1200 亿元"}
SEASON = (80, 80, 90, 100, 100, 110, 100, 100, 110, 100, 110, 120)


def years(*, growth=1.03, wobble=0.02, first=2020, last=2024):
    rng = np.random.default_rng(3)
    return {
        year: a_season(*(np.array(SEASON) * growth ** (year - 2024) * (1 + wobble * rng.normal(size=12))))
        for year in range(first, last + 1)
    }


def a_year(factor, months=9):
    return dict(enumerate(np.cumsum(np.array(SEASON) * factor)[:months].tolist(), start=1))


def landings(panel):
    panel.renew()
    return panel.landings


def test_a_row_lands_as_the_forecast_says():
    panel = a_panel(a_block(MONTHS), a_year(1.03))
    remember(panel, years())
    found = landings(panel)
    history = np.stack([increments(year) for year in panel.past.of(np.array([0]))])
    told = forecast.landing(forecast.shape(history), increments(panel.values[:9]), np.array([1200.0]))
    assert found.probability[0] == pytest.approx(told.probability[0], rel=1e-4)
    assert [found.low[0], found.high[0]] == pytest.approx([told.low[0], told.high[0]], rel=1e-5)


def test_the_chance_of_a_ceiling_is_the_rest_of_the_chance_of_a_floor():
    panel = a_panel(a_block(MONTHS, {"goal": "at most 1200 亿元"}), a_year(1.0), a_year(1.0))
    for row in (0, 1):
        remember(panel, years(), row)
    above, below = landings(panel).probability
    assert 0.05 < above < 0.95
    assert above + below == pytest.approx(1, abs=1e-5)


def test_the_chance_of_a_range_is_that_between_its_ends():
    goals = ("at least 1200 亿元", "at least 1260 亿元", "between 1200 and 1260 亿元")
    panel = a_panel(a_block(*({"goal": goal} for goal in goals)), *[a_year(1.03)] * 3)
    for row in range(3):
        remember(panel, years(), row)
    low, high, between = landings(panel).probability
    assert between == pytest.approx(low - high, abs=1e-5)


def test_a_goal_that_has_been_reached_is_certain():
    panel = a_panel(a_block({"goal": "at least 500 亿元"}), a_year(1.0))
    remember(panel, years())
    assert landings(panel).probability[0] == 1


def test_without_earlier_years_nothing_is_said():
    panel = a_panel(a_block(MONTHS), a_year(1.0))
    remember(panel, years(first=2024))
    found = landings(panel)
    assert np.isnan([found.probability[0], found.low[0], found.high[0]]).all()


def test_before_the_years_first_figure_nothing_is_said():
    panel = a_panel(a_block(MONTHS))
    remember(panel, years())
    assert np.isnan(landings(panel).probability[0])


def test_a_new_figure_moves_its_own_row_alone():
    panel = a_panel(a_block(MONTHS, MONTHS), a_year(1.0), a_year(1.0))
    for row in (0, 1):
        remember(panel, years(), row)
    before = landings(panel).probability.copy()
    put(panel, {(0, 10): 1200.0})
    after = landings(panel).probability
    assert after[0] == 1
    assert after[1] == before[1]


def test_a_revision_of_an_earlier_year_is_heard():
    panel = a_panel(a_block(MONTHS), a_year(1.0))
    remember(panel, years())
    before = landings(panel).high[0]
    remember(panel, {2024: {12: 1600.0}})
    assert landings(panel).high[0] > before


def test_figures_that_come_one_by_one_lead_where_those_that_come_at_once_do():
    slowly, at_once = a_panel(a_block(MONTHS)), a_panel(a_block(MONTHS), a_year(0.97))
    for year, figures in years().items():
        remember(slowly, {year: figures})
    for period, value in a_year(0.97).items():
        put(slowly, {(0, period): value})
        landings(slowly)
    remember(at_once, years())
    assert landings(slowly).probability[0] == landings(at_once).probability[0]


def test_where_nobody_asks_nothing_is_said():
    panel = a_panel(a_block(MONTHS), a_year(1.03))
    remember(panel, years())
    panel.landings.asks = False
    assert np.isnan(landings(panel).probability).all()


def test_a_level_ends_near_where_it_stands():
    level = {"goal": "at least 320 个", "measure": "level"}
    past = {year: {9: 300.0 + step, 12: 310.0 + 2 * step} for step, year in enumerate(range(2019, 2025))}
    found = judged({9: 306.0}, past=past, **level)
    assert found.low < 318.5 < found.high
    assert 0 < found.probability < 0.5


@pytest.mark.parametrize(("factor", "level"), [(0.9, Level.RED), (1.2, Level.GREEN)])
def test_a_threshold_may_ask_for_the_chance(factor, level):
    rule = {"levels": {"yellow": "never", "red": "probability below 10%"}}
    assert judged(a_year(factor), past=years(), **MONTHS, **rule).level is level


def test_a_chance_that_nobody_knows_reaches_no_threshold():
    rule = {"levels": {"yellow": "never", "red": "probability below 10%"}}
    assert judged(a_year(0.5), **MONTHS, **rule).level is Level.GREEN


def outlook(*, words=" with outlook", season=SEASON, factor=1.0, months=2, past=None):
    figures = dict(enumerate(np.cumsum(np.array(season) * factor)[:months].tolist(), start=1))
    rule = {"levels": {"yellow": f"behind 5%{words}", "red": "never"}}
    return judged(figures, past=past, **MONTHS, **rule).level


def test_a_year_behind_the_line_that_will_surely_land_is_warned_of_by_the_line_alone():
    past = years()
    assert outlook(words="", factor=1.1, past=past) is Level.YELLOW
    assert outlook(factor=1.1, past=past) is Level.GREEN
    assert outlook(factor=0.9, past=past) is Level.YELLOW


def test_a_year_on_the_line_that_will_surely_miss_is_warned_of_by_the_forecast_alone():
    early = SEASON[::-1]
    past = {year: a_season(*(np.array(early) * (1 + year % 3 / 100))) for year in range(2020, 2025)}
    assert outlook(words="", season=early, factor=0.93, months=6, past=past) is Level.GREEN
    assert outlook(season=early, factor=0.93, months=6, past=past) is Level.YELLOW
    assert outlook(season=early, factor=1.05, months=6, past=past) is Level.GREEN


def test_what_is_not_foreseen_is_left_to_the_line():
    assert outlook(factor=1.1) is Level.YELLOW
    assert outlook(factor=1.3) is Level.GREEN


def test_rows_judged_alone_see_the_same_chance_as_all_together():
    panel = a_panel(a_block(*[MONTHS] * 5), *[a_year(0.96 + row / 50) for row in range(5)])
    for row in range(5):
        remember(panel, years(), row)
    every = judge(panel, date(2025, 10, 10)).probability
    assert np.isfinite(every).all()
    some = np.array([1, 4])
    assert judge(panel, date(2025, 10, 10), rows=some).probability.tolist() == every[some].tolist()
