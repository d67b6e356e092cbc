"""Alerts moved in columns come out as the daemon's own cycle moves them one by one, store and all."""

from collections import Counter
from dataclasses import replace
from datetime import UTC

import numpy as np
import pytest

from alerts.alert import Event, Kind
from alerts.organisation import Organisation
from monitor.rehearsal.figures import Known, begins
from monitor.rehearsal.replay import Replay, Setting, ends, play
from monitor.store.database import in_memory
from monitor.store.observations import Figures, Group
from tests.benchmarks.country import country

COUNTIES = 4
LEADERS = {
    "default": {"contacts": ["folder", {"mail": "all@x"}], "reports to": "王主任"},
    "people": {"王主任": {"contacts": ["folder"], "reports to": "张市长"}, "张市长": {}},  # nobody reaches the mayor
    "reminders": {"red": "3 workdays", "yellow": "12 workdays", "data": "2 workdays"},
}
BY_COUNTY = {
    **LEADERS,
    "units": {"县0001": {"contacts": [{"mail": "one@x"}]}, "县0002": {"contacts": []}},
    "routes": [{"when": {"kind": "pace", "level": "red"}, "to": ["unit", "subject"]}, {"to": ["subject"]}],
    "escalation": [{"of": "yellow", "after": "2 periods", "to": ["subject", "leader in charge"]}],
}


class OneByOne(Setting):
    """Has the daemon's own cycle run, though no message waits."""

    at_once = False  # type: ignore[assignment]


def a_book():
    """Sums, growths, a share, a ceiling and a count over some counties, one of which has no goal of its own for one."""
    book = country(COUNTIES)
    assert book.goals is not None
    targets = tuple(book.targets[number] for number in (0, 5, 7, 8, 9))
    goals = book.goals.copy()
    goals.loc["县0003", targets[1].id] = np.nan
    return replace(book, targets=targets, goals=goals)


def figures(book, seed):
    """A year as it became known: much of it behind, some of it late or never there, some of it revised later on."""
    rng = np.random.default_rng(seed)
    (panel,) = Replay(book).panels
    block = panel.block
    months, rows = (part.ravel() for part in np.mgrid[: len(block.ends), : block.rows])
    pace = np.where(block.sign > 0, 1, -1) * rng.normal(-0.06, 0.1, block.rows)
    value = block.expected[months, rows] * (1 + pace[rows] + rng.normal(0, 0.06, len(rows)))
    known = block.due[block.due_of[rows], months].astype("M8[s]") + np.timedelta64(3600, "s")
    known += (rng.integers(-3, 9, len(rows)) * (rng.random(len(rows)) < 0.3)).astype("m8[D]")
    there = (rng.random(len(rows)) > 0.05) & ~np.isnan(value)
    again = np.flatnonzero(there & (rng.random(len(rows)) < 0.4))
    later = known[again] + rng.integers(1, 70, len(again)).astype("m8[D]")
    series, month = (np.concatenate([part[there], part[again]]) for part in (rows + 1, months))
    values = np.concatenate([value[there], value[again] * rng.normal(1, 0.3, len(again))])
    moments = np.concatenate([known[there], later])
    order = np.argsort(moments, kind="stable")
    groups = [
        Group("country/push", target.series, target.goal.unit, np.arange(*block.first_row[place : place + 2]) + 1, list(book.subjects))
        for place, target in enumerate(block.targets)
    ]  # fmt: skip
    found = Figures(
        np.arange(1, len(order) + 1), series[order], block.ends[month[order]], values[order], moments[order], np.zeros(len(order), np.int8)
    )  # fmt: skip
    return Known(groups, found, 0, 0)


def played(book, known, setting):
    watch = Replay(book)
    watch.feed(known)
    return play(in_memory(), watch, setting, begins(book).astimezone(UTC), ends(watch))


def facts(change):
    told = (change.event, change.cause, change.state, change.level, change.previous_level, change.judged)
    return (change.at, *change.identity, *told, change.since, *change.basis[:2])


@pytest.mark.parametrize(("organisation", "seed"), [(LEADERS, 1), (BY_COUNTY, 2)], ids=["leaders", "by county"])
def test_columns_come_out_as_one_by_one(organisation, seed):
    book, organisation = a_book(), Organisation.model_validate(organisation)
    known = figures(book, seed)
    found = played(book, known, Setting(organisation))
    expected = played(book, known, OneByOne(organisation))
    assert [facts(one) for one in found.changes] == [facts(one) for one in expected.changes]
    assert found.messages == expected.messages
    events = Counter(one.event for one in expected.changes)
    assert events.keys() >= {*Event} - {Event.WITHDRAWN, Event.LAPSED, Event.NOTICED}
    assert events[Event.CORRECTED] > 1
    assert {one.identity.kind for one in expected.changes} == {*Kind}
    assert {one.told.receiver for one in found.messages} >= {"王主任"}
