"""What is counted, and how."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime

import numpy as np

from alerts.alert import Basis, Cause, Change, Event, Identity, Kind, State
from monitor.rehearsal.history import History
from monitor.rehearsal.replay import Message, Played, Replay
from monitor.rehearsal.score import score
from monitor.store.outbox import Told
from rules.target import Level
from tests.rules.builders import a_book

SOURCES = {"filings": {"connector": "table_file"}}
FINAL = np.datetime64("2026-01-20T01:00:00", "s")


def a_change(day: str, level: Level, target: str = "t0", kind: Kind = Kind.PACE) -> Change:
    at = datetime.fromisoformat(day).replace(tzinfo=UTC)
    state = State.FIRING if level else State.RESOLVED
    event = Event.FIRED if level else Event.RESOLVED
    identity = Identity("b", target, "", kind)
    return Change(identity, at, event, Cause.ORDINARY, state, level, Level.GREEN, at, level, Basis())


def a_history(watch: Replay, changes: Sequence[Change]) -> History:
    history = History(watch)
    history.add_all(changes)
    return history


def a_year(*changes: Change, outcome: tuple[int, ...] = (1,), messages: tuple[Message, ...] = ()):
    """A played year of as many targets as have an outcome."""
    book = a_book(*({"source": "filings"} for _ in outcome), sources=SOURCES)
    settled = np.full(len(outcome), FINAL)
    ends = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 21, tzinfo=UTC)
    watch = Replay(book)
    met = [np.array(outcome, np.int8)]
    played = Played(watch, a_history(watch, changes), Counter(messages), met, [settled], *ends, 1)
    return score([(book, played)], date(2025, 1, 1), date(2025, 12, 31))


def test_an_alert_lasts_from_its_first_level_to_its_end():
    changes = [
        a_change("2025-03-01", Level.YELLOW),
        a_change("2025-04-01", Level.RED),
        a_change("2025-05-01", Level.GREEN),
    ]
    watch = Replay(a_book({"source": "filings"}, sources=SOURCES))
    found = a_history(watch, changes).spells(0, Kind.PACE)
    moments = [np.datetime64("2025-03-01", "s"), np.datetime64("2025-05-01", "s")]
    assert [*found.since, *found.until, *found.worst] == [*moments, Level.RED]
    still = a_history(watch, changes[:2]).spells(0, Kind.PACE)
    assert np.isnat(still.until).tolist() == [True]


def test_an_alert_that_comes_back_in_a_year_that_meets_its_goal_is_a_flap_and_two_false_alarms():
    found = a_year(
        a_change("2025-03-01", Level.YELLOW), a_change("2025-04-01", Level.GREEN), a_change("2025-05-01", Level.YELLOW)
    ).targets["t0"]
    assert (found.alerts, found.flaps, found.false_alarms, found.misses) == (2, 1, 2, 0)


def test_the_lead_is_that_of_the_alert_that_stood_when_the_year_was_missed():
    changes = [
        a_change("2025-03-01", Level.YELLOW),
        a_change("2025-04-01", Level.GREEN),
        a_change("2025-09-02", Level.YELLOW),
    ]
    found = a_year(*changes, outcome=(0, 0))
    assert found.targets["t0"].leads == [120]
    assert (found.whole.missed, found.whole.misses, found.whole.lead_days) == (2, 1, 120)


def test_an_alert_that_was_solved_before_the_year_was_missed_warned_nobody():
    found = a_year(a_change("2025-03-01", Level.YELLOW), a_change("2025-11-01", Level.GREEN), outcome=(0,)).targets[
        "t0"
    ]
    assert (found.misses, found.leads) == (1, [])


def test_the_word_that_the_year_was_missed_is_no_warning():
    assert a_year(a_change("2026-01-20T01:00:00", Level.RED), outcome=(0,)).targets["t0"].misses == 1


def test_where_the_outcome_is_not_known_nothing_is_right_or_wrong():
    found = a_year(a_change("2025-03-01", Level.YELLOW), outcome=(-1,)).targets["t0"]
    assert (found.alerts, found.met, found.missed, found.false_alarms, found.misses) == (1, 0, 0, 0, 0)


def test_figures_asked_for_are_counted_apart():
    found = a_year(a_change("2025-03-01", Level.YELLOW, kind=Kind.DATA)).targets["t0"]
    assert (found.alerts, found.overdue, found.false_alarms) == (0, 1, 0)


def test_messages_are_counted_by_receiver_and_week_and_by_channel_and_moment():
    monday = datetime(2025, 3, 3, 1, tzinfo=UTC)
    told = [Told("甲局", "robot", "", None), Told("甲局", "mail", "", "digest"), Told("乙局", "robot", "", None)]
    found = a_year(
        messages=(*(Message(monday, one) for one in told), Message(datetime(2025, 3, 20, tzinfo=UTC), told[0]))
    )
    first, second = found.receivers
    assert (first.name, first.channels, first.messages, first.digests, first.most) == (
        "甲局",
        ("robot", "mail"),
        3,
        1,
        2,
    )
    assert (second.name, second.messages) == ("乙局", 1)
    assert found.in_a_minute == {"robot": 2, "mail": 1}
    assert found.metrics["messages_per_week"] * found.weeks == 4
    assert found.busiest is first
