"""Alerts moved in columns come out as they do when each is moved by itself."""

from collections import Counter
from datetime import UTC, timedelta

import numpy as np
import pytest
from msgspec.structs import replace

from alerts.alert import Event, Kind
from alerts.moving import Telling, as_told
from alerts.organisation import Organisation
from connectors.strict import read
from monitor import pipeline
from monitor.following import found_steps
from monitor.moves import found_moves
from monitor.rehearsal import replay
from monitor.rehearsal.figures import Known, begins
from monitor.rehearsal.history import second
from monitor.rehearsal.replay import Replay, Setting, _Cycle, _Patient, ends, play
from monitor.store.database import in_memory
from monitor.store.observations import Figures, Group
from monitor.store.outbox import Told
from monitor.watch import NEVER
from rules import defaults, phrase
from rules.calendar import Every
from rules.target import Goal, Levels, Measure, Op
from tests.benchmarks.country import country

COUNTIES = 12
LEADERS = {
    "default": {"contacts": ["folder", {"mail": "all@x"}], "reports to": "王主任"},
    "people": {"王主任": {"contacts": ["folder"], "reports to": "张市长"}, "张市长": {}},  # nobody reaches the mayor
    "reminders": {"red": "3 workdays", "yellow": "12 workdays", "data": "2 workdays"},
}
TOLD_AT_ONCE = {
    **LEADERS,
    "routes": [{"when": {"level": "red"}, "to": ["unit", "leader in charge"]}],
    "escalation": [{"of": "red", "after": "at once", "to": "leader in charge"}],
}
BY_COUNTY = {
    **LEADERS,
    "units": {"县0001": {"contacts": [{"mail": "one@x"}]}, "县0002": {"contacts": []}},
    "routes": [{"when": {"kind": "pace", "level": "red"}, "to": ["unit", "subject"]}, {"to": ["subject"]}],
    "escalation": [{"of": "yellow", "after": "2 periods", "to": ["subject", "leader in charge"]}],
}


class OneByOne:
    """The cycle of a rehearsal with an object for every alert: the daemon's own steps, without its store."""

    def __init__(self, watch, setting, history):
        self.watch, self.telling, self.history, self.told = watch, Telling(setting.organisation), history, {}

    def __call__(self, at):
        watch = self.watch
        watch.take(None, at)
        judged = pipeline.verdicts_at(watch, (), at)
        moves = found_moves(watch, judged, self.telling, at, self.recalled)
        watch.settled([found.verdicts for found in judged])
        moves += found_steps(watch, judged, [], self.telling, at, moves)
        watch.stand(move.alert for move in moves if move.alert is not None)
        for move in moves:
            if move.change.event.told and not move.change.event.follows and move.change.identity.kind is Kind.PACE:
                self.told[move.change.identity, move.change.basis.period] = as_told(move.change, 0)
        self.history.add_all(move.change for move in moves)
        ways = [Told(*way, None) for move in moves for way in dict.fromkeys(route[:3] for route in move.routes)]
        again = moves and found_steps(watch, judged, [], self.telling, at)
        return _Cycle(Counter(ways), second(at + timedelta(seconds=15)) if again else NEVER)

    def recalled(self, periods, places):
        return [
            replace(told, steps=self.watch.alerts[of].steps)
            for (of, day), told in self.told.items()
            if day in periods and of[:3] in places
        ]


def a_book():
    """Three sums, one slow to warn and to be solved and one held against the others, a growth, a share and a ceiling; one county has no goal for one."""
    book = country(COUNTIES)
    assert book.goals is not None
    targets = [book.targets[number] for number in (0, 5, 7, 8)]
    slow = phrase.threshold("behind 5% for 2"), phrase.threshold("behind 7% for 2")
    targets.append(replace(book.targets[1], levels=Levels(slow[:1], slow[1:], clear_for=2)))
    beside = phrase.threshold("behind average")
    targets.append(replace(book.targets[2], levels=Levels((beside,))))
    goals = book.goals.copy()
    goals.loc["县0003", targets[1].id] = np.nan
    return replace(book, targets=tuple(targets), goals=goals)


def figures(book, seed):
    """A year as it became known: much of it behind, some of it late or never there, some of it revised later on."""
    rng = np.random.default_rng(seed)
    (panel,) = Replay(book).panels
    block = panel.block
    months, rows = (part.ravel() for part in np.mgrid[: len(block.ends), : block.rows])
    pace = np.where(block.sign > 0, 1, -1) * rng.normal(-0.06, 0.1, block.rows)
    value = block.expected[months, rows] * (1 + pace[rows] + rng.normal(0, 0.06, len(rows)))
    opens = block.due.astype("M8[s]") + np.timedelta64(3600, "s")
    last = len(block.ends) - 1
    late = rng.integers(0, 4, len(rows)) * (rng.random(len(rows)) < 0.3)  # it comes with a later month of others
    known = opens[block.due_of[rows], np.minimum(months + late, last)]
    there = (rng.random(len(rows)) > 0.05) & ~np.isnan(value)
    again = np.flatnonzero(there & (rng.random(len(rows)) < 0.4))
    coming = np.minimum(months[again] + late[again] + rng.integers(1, 3, len(again)), last)
    later = np.maximum(opens[block.due_of[rows[again]], coming], known[again] + np.timedelta64(7, "D"))
    row, month = (np.concatenate([part[there], part[again]]) for part in (rows, months))
    values = np.concatenate([value[there], value[again] * rng.normal(1, 0.3, len(again))])
    moments = np.concatenate([known[there], later])
    return stated(book, block, row, month, values, moments)


def stated(book, block, rows, months, values, moments):
    """Figures of rows and periods, as they became known."""
    order = np.argsort(moments, kind="stable")
    groups = [
        Group("country/push", target.series, target.goal.unit, np.arange(*block.first_row[place : place + 2]) + 1, list(book.subjects))
        for place, target in enumerate(block.targets)
    ]  # fmt: skip
    found = Figures(
        np.arange(1, len(order) + 1), rows[order] + 1, block.ends[months[order]], values[order], moments[order], np.zeros(len(order), np.int8)
    )  # fmt: skip
    return Known(groups, found, 0, 0)


def played(book, known, setting):
    watch = Replay(book)
    watch.feed(known)
    return play(in_memory(), watch, setting, begins(book).astimezone(UTC), ends(watch))


def facts(change):
    told = (change.event, change.cause, change.state, change.level, change.previous_level, change.judged)
    return (change.at, *change.identity, *told, change.since, *change.basis[:2])


def compared(book, known, setting, monkeypatch):
    """What happened to all alerts, one by one, after they came out the same in columns."""
    found = played(book, known, setting)
    monkeypatch.setattr(replay, "_AtOnce", OneByOne)
    expected = played(book, known, setting)
    assert sorted(map(facts, found.changes)) == sorted(map(facts, expected.changes))
    assert found.messages == expected.messages
    return expected.changes


@pytest.mark.parametrize(
    ("organisation", "seed"),
    [(LEADERS, 1), (BY_COUNTY, 2), (TOLD_AT_ONCE, 3)],
    ids=["leaders", "by county", "told at once"],
)
def test_columns_come_out_as_one_by_one(organisation, seed, monkeypatch):
    book, setting = a_book(), Setting(read(Organisation, organisation))
    changes = compared(book, figures(book, seed), setting, monkeypatch)
    events = Counter(one.event for one in changes)
    assert events.keys() >= {*Event} - {Event.WITHDRAWN}
    assert events[Event.CORRECTED] > 10
    assert {one.identity.kind for one in changes} == {*Kind}


def alone(threshold, values, **other):
    """One target of some counties, and what became known of it: county, month, figure, day."""
    book = country(len({row for row, *_ in values}))
    target = replace(book.targets[0], levels=Levels((phrase.threshold(threshold),)), **other)
    book = replace(book, targets=(target,))
    (panel,) = Replay(book).panels
    rows, months, figures, days = (np.array(part) for part in zip(*values, strict=True))
    return book, stated(book, panel.block, rows, months - 1, figures.astype(float), days.astype("M8[s]"))


def test_of_two_that_are_solved_at_once_only_the_one_whose_figure_was_revised_is_corrected(monkeypatch):
    first, then = "2025-02-21T09:00:00", "2025-02-28T09:00:00"
    values = [(0, 1, 80, first), (1, 1, 80, first), (2, 1, 140, first), (0, 1, 85, then), (2, 1, 60, then)]
    book, known = alone("behind average", values)
    changes = compared(book, known, Setting(Organisation()), monkeypatch)
    said = [(one.event, one.identity.subject) for one in changes if one.identity.kind is Kind.PACE]
    assert Counter(said) == Counter(
        [(Event.FIRED, f"县{n:04}") for n in range(3)] + [(Event.CORRECTED, "县0000"), (Event.RESOLVED, "县0001")]
    )


def test_of_two_that_wait_for_as_many_periods_only_the_one_that_has_stood_so_long_escalates(monkeypatch):
    first, then = "2025-02-21T09:00:00", "2025-04-22T09:00:00"
    values = [(0, 1, 0, first), (1, 1, 0, first), (0, 2, 0, then), (1, 3, 0, then)]
    book, known = alone("behind 5%", values)
    leaders = LEADERS | {"escalation": [{"of": "yellow", "after": "3 periods", "to": "leader in charge"}]}
    changes = compared(book, known, Setting(read(Organisation, leaders)), monkeypatch)
    escalated = [one.identity.subject for one in changes if one.event is Event.ESCALATED]
    assert escalated == ["县0001"]


def test_what_goes_together_in_a_rehearsal_is_what_the_daemon_itself_sends_together(monkeypatch):
    book = a_book()
    setting = Setting(read(Organisation, LEADERS), crowds={"mail": 3})
    known = figures(book, 4)
    found = played(book, known, setting)
    monkeypatch.setattr(replay, "_AtOnce", lambda *given: _Patient(in_memory(), *given))
    assert found.messages == played(book, known, setting).messages
    together = Counter(one.told.channel for one in found.messages if one.told.bulletin == "digest")
    assert together["mail"] > 10
    assert together.keys() == {"mail"}


def test_a_task_comes_on_where_another_yearly_figure_is_corrected(monkeypatch):
    book = country(1)
    red = Levels((), (phrase.threshold("behind 15%"),))
    yearly = replace(book.targets[0], every=Every.YEAR, goal=Goal(Op.AT_LEAST, 100.0, "%"), levels=red)
    done = phrase.goal("done by 2025-12-31")
    task = replace(yearly, id="task", series="任务", goal=done, measure=Measure.MILESTONE)
    task = replace(
        task, expect=defaults.expect(task.measure, done), levels=Levels((), (phrase.threshold("any breach"),))
    )
    book = replace(book, targets=(yearly, task), goals=None, subjects=("",))
    (panel,) = Replay(book).panels
    first, then = ["2026-01-05T09:00:00"] * 2, ["2026-01-12T09:00:00"] * 2
    rows, figures = np.array([0, 1, 0, 1]), np.array([50.0, 50.0, 100.0, 100.0])
    known = stated(book, panel.block, rows, np.zeros(4, np.int64), figures, np.array(first + then, "M8[s]"))
    changes = compared(book, known, Setting(Organisation()), monkeypatch)
    said = [(one.event, one.identity.target) for one in changes if one.identity.kind is Kind.PACE]
    assert sorted(said) == [
        (Event.CORRECTED, "t000"),
        (Event.FIRED, "t000"),
        (Event.FIRED, "task"),
        (Event.RESOLVED, "task"),
    ]
