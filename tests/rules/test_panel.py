"""The figures known at one moment: the newest period leads, the later word wins, good days are counted."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.observation import NIL, PARTIAL
from rules.panel import Panel
from tests.rules.builders import a_block, a_panel, put

AIR: dict[str, Any] = {"measure": "good-days", "goal": "at least 325 天", "every": "day", "counts": "at most 100"}
APRIL, MAY, JUNE = "2025-04-20T09:00:00", "2025-05-20T09:00:00", "2025-06-20T09:00:00"


def _known_at(panel: Panel, row: int = 0) -> str:
    return str(panel.known_at[row])


def test_an_empty_panel_knows_nothing() -> None:
    panel = Panel(a_block({}, {}))
    assert np.isnan(panel.values).all()
    assert panel.latest.tolist() == [-1, -1]
    assert np.isnat(panel.known_at).all()


def test_the_newest_period_leads_whenever_the_figures_come() -> None:
    panel = Panel(a_block({}))
    put(panel, {(0, 4): 40.0}, MAY)
    put(panel, {(0, 3): 30.0}, JUNE)
    assert panel.latest[0] == 3
    assert _known_at(panel) == MAY
    assert panel.values[:4, 0].tolist()[2:] == [30, 40]
    assert np.isnan(panel.values[[0, 1, 4], 0]).all()


def test_a_revision_replaces_the_figure_and_when_it_became_known() -> None:
    panel = Panel(a_block({}))
    put(panel, {(0, 3): 30.0}, APRIL)
    put(panel, {(0, 3): 28.0}, JUNE)
    assert (panel.latest[0], panel.values[2, 0], _known_at(panel)) == (2, 28, JUNE)


def test_of_two_figures_for_one_place_in_one_put_the_later_wins() -> None:
    panel = Panel(a_block({}, {}))
    panel.put(
        np.array([1, 1, 1]),
        np.array([2, 3, 3]),
        np.array([20.0, 30.0, 31.0]),
        np.array([JUNE, APRIL, MAY], dtype="datetime64[s]"),
    )
    assert (panel.latest[1], panel.values[3, 1], _known_at(panel, 1)) == (3, 31, MAY)
    assert panel.latest[0] == -1


def test_a_figure_that_is_no_number_is_no_figure() -> None:
    panel = Panel(a_block({}))
    put(panel, {(0, 3): 30.0}, APRIL)
    put(panel, {(0, 4): float("nan"), (0, 2): 20.0}, MAY)
    assert (panel.latest[0], _known_at(panel)) == (2, APRIL)
    assert panel.values[1, 0] == 20


def _nil(panel: Panel, *periods: int, known_at: str = JUNE) -> None:
    count = len(periods)
    known = np.full(count, np.datetime64(known_at), dtype="datetime64[s]")
    panel.put(
        np.zeros(count, np.int64), np.array(periods) - 1, np.full(count, np.nan), known, np.full(count, NIL, np.int8)
    )


def test_nothing_to_report_is_a_report_and_no_figure() -> None:
    panel = Panel(a_block({}))
    put(panel, {(0, 3): 30.0}, APRIL)
    _nil(panel, 4)
    assert (panel.latest[0], panel.reported[0], _known_at(panel)) == (2, 3, JUNE)
    assert np.isnan(panel.values[3, 0])
    put(panel, {(0, 5): 50.0}, JUNE)
    assert (panel.latest[0], panel.reported[0]) == (4, 4)


def test_a_figure_that_is_taken_back_gives_way_to_the_one_before_it() -> None:
    panel = Panel(a_block({}))
    put(panel, {(0, 1): 10.0, (0, 3): 30.0}, APRIL)
    _nil(panel, 3)
    assert (panel.latest[0], panel.reported[0]) == (0, 2)
    _nil(panel, 1)
    assert (panel.latest[0], panel.reported[0]) == (-1, 2)


def test_a_preliminary_figure_is_marked_until_it_is_confirmed() -> None:
    panel = Panel(a_block({}))
    row, slot, value, known = np.array([0]), np.array([2]), np.array([30.0]), np.array([APRIL], dtype="datetime64[s]")
    panel.put(row, slot, value, known, np.array([PARTIAL], np.int8))
    assert panel.preliminary[:4, 0].tolist() == [False, False, True, False]
    panel.put(row, slot, value, known)
    assert not panel.preliminary.any()


def test_a_day_without_anything_to_report_is_neither_good_nor_bad() -> None:
    panel = a_panel(a_block(AIR), {1: 50.0, 2: 50.0})
    _nil(panel, 2)
    assert (panel.latest[0], panel.reported[0], panel.values[0, 0]) == (0, 1, 1)


def test_days_are_good_up_to_the_limit_and_a_missing_day_is_neither() -> None:
    panel = a_panel(a_block(AIR), {1: 100.0, 2: 100.1, 4: 20.0})
    assert panel.values[[0, 1, 3], 0].tolist() == [1, 1, 2]
    assert np.isnan(panel.values[2, 0])
    assert panel.latest[0] == 3


def test_a_day_that_comes_late_or_is_revised_is_counted_in_every_later_day() -> None:
    panel = a_panel(a_block(AIR), {1: 50.0, 3: 50.0})
    put(panel, {(0, 2): 50.0})
    assert panel.values[:3, 0].tolist() == [1, 2, 3]
    put(panel, {(0, 1): 150.0})
    assert panel.values[:3, 0].tolist() == [0, 1, 2]


def test_targets_that_are_not_counted_keep_their_figures_beside_those_that_are() -> None:
    panel = a_panel(a_block({"every": "day"}, AIR, {"every": "day"}, AIR), {1: 7.0}, {1: 70.0}, {1: 70.0}, {2: 170.0})
    assert panel.values[0, :3].tolist() == [7, 1, 70]
    assert panel.values[1, 3] == 0


_PUTS = st.lists(st.dictionaries(st.tuples(st.integers(0, 2), st.integers(1, 20)), st.floats(0, 300)), max_size=5)


@given(_PUTS)
@settings(deadline=None, max_examples=50)
def test_a_panel_filled_in_any_pieces_is_the_panel_filled_at_once(puts: list[Mapping[tuple[int, int], float]]) -> None:
    block = a_block(AIR, {"every": "day"}, AIR)
    pieces, whole = Panel(block), Panel(block)
    for figures in puts:
        put(pieces, figures)
    put(whole, {place: value for figures in puts for place, value in figures.items()})
    np.testing.assert_array_equal(pieces.values, whole.values)
    np.testing.assert_array_equal(pieces.latest, whole.latest)


def test_a_panel_says_where_a_known_figure_became_another_one():
    panel = a_panel(a_block({}, {}), {8: 60, 9: 70}, {8: 60})
    rows, periods, values = np.array([0, 0, 0, 1, 1]), np.array([7, 8, 9, 8, 9]), np.array([50.0, 65, 70, 60, 70])
    known = np.full(5, np.datetime64("2025-11-01T09:00:00"), dtype="datetime64[s]")
    slots, changed = panel.put(rows, periods - 1, values, known)
    assert (slots.tolist(), changed.tolist()) == ([7], [0])


def test_a_panel_having_other_figures_leaves_the_first_as_it_was():
    panel = a_panel(a_block({}), {9: 70})
    other = panel.having(np.array([0]), np.array([8], dtype=np.int16), np.array([80.0]))
    assert (panel.values[8, 0], other.values[8, 0]) == (70, 80)
