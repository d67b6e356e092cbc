"""How an alert moves: every state with every question, and what the columns find is what the objects do."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from alerts.alert import NOTHING, Alert, Basis, Cause, Change, Event, Identity, Kind, State
from alerts.lifecycle import PENDING, advance, correction, moved, rule, standing, withdrawn
from rules.target import Level
from rules.verdict import CODE, OUTCOME, OWED, UNSURE, Reason, Verdict, Verdicts
from tests.rules.builders import judged

G, Y, R = Level.GREEN, Level.YELLOW, Level.RED
BEFORE, NOW = datetime(2025, 9, 1, tzinfo=UTC), datetime(2025, 10, 22, tzinfo=UTC)
BASE = judged({9: 70})
NOT_JUDGED = [reason for reason in Reason if reason not in OUTCOME]


def a_verdict(reason: Reason, level: Level = Level.NOT_JUDGED, pending: Level = G) -> Verdict:
    return replace(BASE, reason=reason, level=level, pending=pending)


def asks(level: Level, pending: Level = G) -> Verdict:
    return a_verdict(Reason.BEHIND_SCHEDULE if level else Reason.ON_SCHEDULE, level, pending)


def an_alert(state: State, level: Level, kind: Kind = Kind.PACE) -> Alert:
    return Alert(Identity("b", "t0", "", kind), state, level, BEFORE, BEFORE)


NONE = None
PENDING_YELLOW = an_alert(State.PENDING, Y)
YELLOW, RED = an_alert(State.FIRING, Y), an_alert(State.FIRING, R)
RESOLVED = an_alert(State.RESOLVED, G)
ALERTS = [NONE, PENDING_YELLOW, YELLOW, RED, RESOLVED]


@pytest.mark.parametrize(
    ("alert", "verdict", "event"),
    [
        (NONE, asks(G), None),
        (NONE, asks(G, Y), Event.NOTICED),
        (NONE, asks(Y), Event.FIRED),
        (NONE, asks(R), Event.FIRED),
        (PENDING_YELLOW, asks(G), Event.LAPSED),
        (PENDING_YELLOW, asks(G, Y), None),
        (PENDING_YELLOW, asks(G, R), None),
        (PENDING_YELLOW, asks(Y), Event.FIRED),
        (PENDING_YELLOW, asks(R), Event.FIRED),
        (YELLOW, asks(G), Event.RESOLVED),
        (YELLOW, asks(G, R), None),
        (YELLOW, asks(Y), None),
        (YELLOW, asks(Y, R), None),
        (YELLOW, asks(R), Event.WORSENED),
        (RED, asks(G), Event.RESOLVED),
        (RED, asks(Y), Event.EASED),
        (RED, asks(R), None),
        (RESOLVED, asks(G), None),
        (RESOLVED, asks(G, Y), Event.NOTICED),
        (RESOLVED, asks(Y), Event.FIRED),
        (RESOLVED, asks(R), Event.FIRED),
    ],
)
def test_an_alert_moves_as_the_verdict_asks(alert: Alert | None, verdict: Verdict, event: Event | None) -> None:
    after, change = advance(Kind.PACE, alert, verdict, NOW)
    if event is None:
        assert (after, change) == (alert, None)
        return
    assert after is not None
    assert change is not None
    assert change.event is event
    assert after.state is {
        Event.NOTICED: State.PENDING,
        Event.LAPSED: State.RESOLVED,
        Event.RESOLVED: State.RESOLVED,
    }.get(event, State.FIRING)
    assert after.level is (verdict.pending if event is Event.NOTICED else verdict.level)
    assert (change.state, change.level, change.at, after.changed) == (after.state, after.level, NOW, NOW)
    assert change.identity == after.identity == Identity("b", "t0", "", Kind.PACE)


@pytest.mark.parametrize(("alert", "level"), [(NONE, G), (PENDING_YELLOW, G), (YELLOW, Y), (RED, R), (RESOLVED, G)])
def test_a_change_says_at_which_level_the_alert_stood_before(alert: Alert | None, level: Level) -> None:
    _, change = advance(Kind.PACE, alert, asks(R if level is not R else Y), NOW)
    assert change is not None
    assert change.previous_level is level


def test_an_alert_counts_from_its_firing_until_it_is_resolved() -> None:
    fired, change = advance(Kind.PACE, PENDING_YELLOW, asks(Y), NOW)
    assert fired is not None
    assert change is not None
    assert fired.since == change.since == NOW
    later = NOW + timedelta(days=30)
    for level, event in ((R, Event.WORSENED), (Y, Event.EASED), (G, Event.RESOLVED)):
        fired, change = advance(Kind.PACE, fired, asks(level), later)
        assert fired is not None
        assert change is not None
        assert (change.event, change.since, fired.changed) == (event, NOW, later)


@pytest.mark.parametrize("alert", ALERTS)
@pytest.mark.parametrize("reason", NOT_JUDGED)
def test_what_is_not_judged_never_moves_an_alert_about_pace(alert: Alert | None, reason: Reason) -> None:
    assert advance(Kind.PACE, alert, a_verdict(reason), NOW) == (alert, None)


OWING = an_alert(State.FIRING, Y, Kind.DATA)


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("alert", [None, OWING, an_alert(State.RESOLVED, G, Kind.DATA)])
def test_an_alert_about_data_fires_when_a_figure_is_owed_and_holds_while_nobody_knows(
    alert: Alert | None, reason: Reason
) -> None:
    verdict = a_verdict(reason, R if reason in OUTCOME else Level.NOT_JUDGED)
    after, change = advance(Kind.DATA, alert, verdict, NOW)
    firing = alert is OWING
    if reason in UNSURE or (reason in OWED) == firing:
        assert (after, change) == (alert, None)
        return
    assert change is not None
    assert (change.event, change.level) == ((Event.RESOLVED, G) if firing else (Event.FIRED, Y))
    assert change.identity.kind is Kind.DATA


def test_a_late_figure_is_told_once_and_settled_by_its_coming() -> None:
    days = {  # what is known on each day, and what happens
        "2025-10-21": ({8: 70}, None),
        "2025-10-22": ({8: 70}, Event.FIRED),
        "2025-10-23": ({8: 70}, None),
        "2025-10-24": ({8: 70, 9: 80}, Event.RESOLVED),
        "2025-10-25": ({8: 70, 9: 80}, None),
    }
    alert: Alert | None = None
    for day, (figures, event) in days.items():
        alert, change = advance(Kind.DATA, alert, judged(figures, at=day, published="10 workdays after period"), NOW)
        assert (change.event if change else None) is event, day


_JUDGED = st.tuples(st.sampled_from(sorted(OUTCOME)), st.sampled_from([(G, G), (G, Y), (G, R), (Y, G), (Y, R), (R, G)]))
_VERDICTS = st.one_of(
    st.builds(lambda drawn, keep: replace(a_verdict(drawn[0], *drawn[1]), keep=keep), _JUDGED, st.booleans()),
    st.sampled_from(NOT_JUDGED).map(a_verdict),
)
_PACE_ALERTS = st.one_of(
    st.none(),
    st.builds(an_alert, st.sampled_from([State.PENDING, State.FIRING]), st.sampled_from([Y, R])),
    st.just(RESOLVED),
)
_DATA_ALERTS = st.sampled_from([None, OWING, an_alert(State.RESOLVED, G, Kind.DATA)])


SEPTEMBER, OCTOBER = date(2025, 9, 30), date(2025, 10, 31)
BY_RULE = rule(Kind.PACE, BASE)
OTHER_RULE = BY_RULE.replace("黄色阈值：", "黄色阈值：从前")


def stood(state: State, level: Level, actual: float = 70, period: date = SEPTEMBER, words: str = BY_RULE) -> Alert:
    """An alert that knows what it stood on; BASE says 70 for September."""
    return replace(an_alert(state, level), basis=Basis(period, actual, words), change_id=7)


@pytest.mark.parametrize(
    ("alert", "asked", "event", "cause"),
    [
        (stood(State.FIRING, R, period=date(2025, 8, 31)), asks(G), Event.RESOLVED, Cause.ORDINARY),
        (stood(State.FIRING, R, 60, period=date(2025, 8, 31)), asks(Y), Event.EASED, Cause.ORDINARY),
        (stood(State.FIRING, Y, 60), asks(G), Event.CORRECTED, Cause.REVISED),
        (stood(State.FIRING, R, 60), asks(Y), Event.CORRECTED, Cause.REVISED),
        (stood(State.FIRING, Y, 80), asks(R), Event.CORRECTED, Cause.REVISED),
        (stood(State.RESOLVED, G, 80), asks(Y), Event.CORRECTED, Cause.REVISED),
        (stood(State.PENDING, Y, 80), asks(Y), Event.FIRED, Cause.REVISED),
        (stood(State.PENDING, Y, 60), asks(G), Event.LAPSED, Cause.REVISED),
        (stood(State.RESOLVED, G, 80), asks(G, Y), Event.NOTICED, Cause.REVISED),
        (stood(State.FIRING, Y, words=OTHER_RULE), asks(G), Event.RESOLVED, Cause.RULE_EDITED),
        (stood(State.FIRING, R, words=OTHER_RULE), asks(Y), Event.EASED, Cause.RULE_EDITED),
        (stood(State.FIRING, Y, words=OTHER_RULE), asks(R), Event.WORSENED, Cause.RULE_EDITED),
        (stood(State.RESOLVED, G, words=OTHER_RULE), asks(Y), Event.FIRED, Cause.RULE_EDITED),
        (stood(State.FIRING, Y, 60, words=OTHER_RULE), asks(G), Event.RESOLVED, Cause.RULE_EDITED),
        (stood(State.FIRING, Y, 60, date(2025, 8, 31), OTHER_RULE), asks(G), Event.RESOLVED, Cause.RULE_EDITED),
        (stood(State.RESOLVED, G, 60, date(2025, 8, 31), OTHER_RULE), asks(Y), Event.FIRED, Cause.ORDINARY),
        (stood(State.FIRING, Y), asks(G), Event.RESOLVED, Cause.COMPARED),
        (replace(stood(State.FIRING, Y), basis=NOTHING), asks(G), Event.RESOLVED, Cause.ORDINARY),
        (None, asks(Y), Event.FIRED, Cause.ORDINARY),
    ],
)
def test_period_figure_and_rule_tell_why_an_alert_changed(
    alert: Alert | None, asked: Verdict, event: Event, cause: Cause
) -> None:
    after, change = advance(Kind.PACE, alert, asked, NOW)
    assert after is not None
    assert change is not None
    assert (change.event, change.cause) == (event, cause)
    assert change.corrects == (7 if event is Event.CORRECTED else None)
    assert change.basis == Basis(SEPTEMBER, 70, BY_RULE)
    assert after.basis == (NOTHING if event is Event.LAPSED else change.basis)
    assert (after.change_id, change.judged) == (0, asked.level)


def test_a_debt_ends_by_its_figure_or_by_another_due_day() -> None:
    owing = replace(OWING, basis=Basis(SEPTEMBER, 70, rule(Kind.DATA, BASE)))
    for basis, cause in (
        (owing.basis, Cause.ORDINARY),
        (Basis(date(2025, 8, 31), 60, "报送时限：从前"), Cause.ORDINARY),
        (Basis(SEPTEMBER, 70, "报送时限：从前"), Cause.RULE_EDITED),
    ):
        _, change = advance(Kind.DATA, replace(owing, basis=basis), asks(G), NOW)
        assert change is not None
        assert (change.event, change.cause) == (Event.RESOLVED, cause)


def test_a_figure_becomes_overdue_as_days_pass_whatever_became_of_the_last_one() -> None:
    settled = replace(OWING, state=State.RESOLVED, level=G, basis=Basis(SEPTEMBER, 60, "报送时限：从前"))
    _, change = advance(Kind.DATA, settled, a_verdict(Reason.LATE), NOW)
    assert change is not None
    assert (change.event, change.cause, change.corrects) == (Event.FIRED, Cause.ORDINARY, None)


TOLD = stood(State.FIRING, Y, 60)


@pytest.mark.parametrize("alert", [None, RESOLVED, PENDING_YELLOW, RED])
@pytest.mark.parametrize("level", [G, R])
def test_a_past_period_is_corrected_and_the_alert_stands_as_it_does(alert: Alert | None, level: Level) -> None:
    change = correction(TOLD, alert, asks(level), Y, NOW)
    assert change is not None
    held = alert.level if alert is not None and alert.state is State.FIRING else G
    assert (change.event, change.cause, change.corrects) == (Event.CORRECTED, Cause.REVISED, 7)
    assert (change.judged, change.level, change.previous_level) == (level, held, held)
    assert change.state is (alert.state if alert is not None else State.RESOLVED)


EDITED = replace(TOLD, basis=TOLD.basis._replace(rule=OTHER_RULE))
OTHER_SOURCE = replace(TOLD, basis=TOLD.basis._replace(rule=BY_RULE.replace("数据来源：", "数据来源：从前")))


@pytest.mark.parametrize(
    ("told", "verdict", "by_rule"),
    [
        (TOLD, asks(Y), Y),
        (TOLD, asks(G, Y), Y),
        (stood(State.FIRING, Y), asks(G), Y),
        (EDITED, asks(G), G),
        (OTHER_SOURCE, asks(G), Y),
        *((TOLD, a_verdict(reason), Y) for reason in NOT_JUDGED),
    ],
)
def test_a_revision_that_flips_nothing_told_is_not_told(told: Alert, verdict: Verdict, by_rule: Level) -> None:
    assert correction(told, None, verdict, by_rule, NOW) is None


def test_an_edit_that_judges_the_figure_told_as_before_does_not_hide_its_revision() -> None:
    change = correction(EDITED, None, asks(G), Y, NOW)
    assert change is not None
    assert change.corrects == 7


@pytest.mark.parametrize(("alert", "event"), [(RED, Event.WITHDRAWN), (PENDING_YELLOW, Event.LAPSED)])
def test_an_alert_whose_target_is_gone_is_closed(alert: Alert, event: Event) -> None:
    after, change = withdrawn(replace(alert, change_id=7), NOW)
    assert (after.state, after.level, after.changed, after.change_id) == (State.RESOLVED, G, NOW, 0)
    assert (change.event, change.cause, change.state, change.level) == (event, Cause.TARGET_REMOVED, State.RESOLVED, G)
    assert change.previous_level == (R if alert is RED else G)


def _columns(verdicts: list[Verdict]) -> Verdicts:
    count = len(verdicts)
    return Verdicts(
        reason=np.array([CODE[verdict.reason] for verdict in verdicts], dtype=np.int8),
        level=np.array([verdict.level for verdict in verdicts], dtype=np.int8),
        pending=np.array([verdict.pending for verdict in verdicts], dtype=np.int8),
        keep=np.array([verdict.keep for verdict in verdicts], dtype=np.bool_),
        slot=np.zeros(count, np.int16),
        owed=np.zeros(count, np.int16),
        actual=np.zeros(count),
        expected=np.zeros(count),
        shortfall=np.zeros(count),
        nil=np.zeros(count, np.int16),
        preliminary=np.zeros(count, np.bool_),
        probability=np.full(count, np.nan, np.float32),
    )


@given(st.sampled_from(Kind), st.data())
def test_the_columns_find_exactly_the_rows_in_which_an_alert_would_move(kind: Kind, data: st.DataObject) -> None:
    alerts = _PACE_ALERTS if kind is Kind.PACE else _DATA_ALERTS
    rows = data.draw(st.lists(st.tuples(alerts, _VERDICTS), max_size=8))
    column = np.array([np.int8(0) if alert is None else standing(alert) for alert, _ in rows], dtype=np.int8)
    found = moved(kind, column, _columns([verdict for _, verdict in rows])).tolist()
    assert found == [i for i, (alert, verdict) in enumerate(rows) if advance(kind, alert, verdict, NOW)[1] is not None]


@given(st.lists(_VERDICTS, max_size=30), st.sampled_from(Kind))
def test_the_history_of_an_alert_is_a_chain_without_gaps(verdicts: list[Verdict], kind: Kind) -> None:
    alert: Alert | None = None
    history: list[Change] = []
    for day, verdict in enumerate(verdicts):
        alert, change = advance(kind, alert, verdict, NOW + timedelta(days=day))
        history += [change] if change else []
    for before, after in pairwise(history):
        held = before.level if before.state is State.FIRING else G
        assert after.previous_level == held
        assert (after.event in (Event.WORSENED, Event.EASED, Event.RESOLVED)) == (before.state is State.FIRING)
        assert (after.since == before.since) == (before.state is State.FIRING)


def test_a_standing_alert_is_one_number() -> None:
    column = [standing(alert) for alert in (PENDING_YELLOW, YELLOW, RED, RESOLVED)]
    assert column == [PENDING, 1, 2, 0]


def test_people_hear_of_what_fires_and_of_its_end_only() -> None:
    assert {event for event in Event if not event.told} == {Event.NOTICED, Event.LAPSED}


def test_thresholds_are_no_part_of_what_makes_an_alert_the_same() -> None:
    strict = judged({9: 70}, levels={"yellow": "behind 1%"})
    after, change = advance(Kind.PACE, YELLOW, strict, NOW)
    assert (after, change) == (YELLOW, None)
    assert strict.period == date(2025, 9, 30)


KEPT = replace(asks(G), keep=True)


@pytest.mark.parametrize(
    ("alert", "event"),
    [
        (NONE, None),
        (RESOLVED, None),
        (PENDING_YELLOW, Event.LAPSED),
        (YELLOW, None),
        (RED, Event.EASED),
    ],
)
def test_below_the_levels_but_not_cleared_a_firing_alert_stays_at_yellow(
    alert: Alert | None, event: Event | None
) -> None:
    after, change = advance(Kind.PACE, alert, KEPT, NOW)
    assert (change and change.event) == event
    if event is Event.EASED:
        assert after is not None
        assert change is not None
        assert (after.state, after.level, change.judged) == (State.FIRING, Y, G)


def test_a_revised_figure_takes_back_an_alert_that_it_alone_had_raised() -> None:
    basis = Basis(SEPTEMBER, 60, BY_RULE)
    raised = replace(YELLOW, basis=basis)
    _, change = advance(Kind.PACE, raised, KEPT, NOW)
    assert change is not None
    assert (change.event, change.level) == (Event.CORRECTED, G)
    older = replace(raised, since=BEFORE - timedelta(days=30))
    assert advance(Kind.PACE, older, KEPT, NOW) == (older, None)
    column = np.array([standing(raised)], np.int8)
    columns = _columns([KEPT])
    assert moved(Kind.PACE, column, columns).tolist() == []
    assert moved(Kind.PACE, column, columns, np.array([True])).tolist() == [0]


@given(st.lists(st.integers(70, 110), min_size=1, max_size=11), st.booleans())
def test_an_alert_never_flaps_between_its_two_thresholds(figures: list[int], hysteresis: bool) -> None:
    """A share that should be 100: fires more than 10 behind, is solved at most 5 behind; without, at the same 10."""
    levels = {"yellow": "behind 10 points", "red": "never"} | ({"clear": "behind 5 points"} if hysteresis else {})
    alert, firing = None, False
    for number, figure in enumerate(figures, start=1):
        share = judged({number: figure}, measure="share", goal="at least 100 %", levels=levels)
        alert, _ = advance(Kind.PACE, alert, share, NOW + timedelta(days=number))
        firing = figure < 90 or (firing and figure < (95 if hysteresis else 90))
        assert (alert is not None and alert.state is State.FIRING) is firing
