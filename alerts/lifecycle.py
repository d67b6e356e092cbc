"""How an alert moves: pending, firing, resolved. Pure; finding what moved is done in columns."""

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from alerts.alert import Alert, Change, Event, Identity, Kind, State
from rules.target import Level
from rules.verdict import CODE, OUTCOME, OWED, Reason, Verdict, Verdicts

PENDING = np.int8(-1)
"""How ``standing`` writes an alert that is pending; a firing one stands there with its level, none as 0."""

_LAST_JUDGED = max(CODE[reason] for reason in OUTCOME)


def standing(alert: Alert) -> np.int8:
    """An alert as one number of a ``standing`` column."""
    return {State.PENDING: PENDING, State.FIRING: np.int8(alert.level), State.RESOLVED: np.int8(0)}[alert.state]


def moved(kind: Kind, standing: NDArray[np.int8], verdicts: Verdicts) -> NDArray[np.intp]:
    """Indices (of N) where the verdicts ask for something other than what stands.

    A row that is not judged asks for nothing: no data never resolves an alert and
    never makes it worse. A source that does not answer settles no debt either.
    """
    if kind is Kind.PACE:
        judged = verdicts.reason <= _LAST_JUDGED
        waiting = (verdicts.level == 0) & (verdicts.pending > 0)
        wanted = np.where(waiting, np.where(standing > 0, standing, PENDING), verdicts.level)
        return np.flatnonzero(judged & (wanted != standing))
    owed = np.isin(verdicts.reason, [CODE[reason] for reason in OWED])
    known = verdicts.reason != CODE[Reason.FAILED]
    return np.flatnonzero(known & (owed != (standing > 0)))


def advance(kind: Kind, alert: Alert | None, verdict: Verdict, at: datetime) -> tuple[Alert | None, Change | None]:
    """Where ``alert`` stands after ``verdict``, and the change that took it there, if one did."""
    level, pending = _asked(kind, alert, verdict)
    before = Level.GREEN if alert is None or alert.state is not State.FIRING else alert.level
    state = alert.state if alert is not None else State.RESOLVED
    event = _event(state, before, level, pending)
    if event is None:
        return alert, None
    since = alert.since if alert is not None and state is State.FIRING else at
    moved = Alert(
        identity=Identity(verdict.target.book, verdict.target.id, verdict.subject, kind),
        state=_STATE_AFTER[event],
        level=pending if event is Event.NOTICED else level,
        since=since,
        changed=at,
    )
    return moved, Change(moved.identity, at, event, moved.state, moved.level, before, since)


_STATE_AFTER = {
    Event.NOTICED: State.PENDING,
    Event.LAPSED: State.RESOLVED,
    Event.FIRED: State.FIRING,
    Event.WORSENED: State.FIRING,
    Event.EASED: State.FIRING,
    Event.RESOLVED: State.RESOLVED,
}


def _asked(kind: Kind, alert: Alert | None, verdict: Verdict) -> tuple[Level, Level]:
    """The level to fire at and the level still pending, as far as the verdict may say."""
    held = alert.level if alert is not None and alert.state is State.FIRING else Level.GREEN
    waiting = alert.level if alert is not None and alert.state is State.PENDING else Level.GREEN
    if kind is Kind.PACE:
        return (verdict.level, verdict.pending) if verdict.judged else (held, waiting)
    if verdict.reason is Reason.FAILED:
        return held, waiting
    return (Level.YELLOW if verdict.reason in OWED else Level.GREEN), Level.GREEN


def _event(state: State, before: Level, level: Level, pending: Level) -> Event | None:
    if state is State.FIRING:
        # Still over the threshold, if not for as many periods as it asks by now: that solves nothing.
        if level == before or (level == Level.GREEN and pending > Level.GREEN):
            return None
        if level == Level.GREEN:
            return Event.RESOLVED
        return Event.WORSENED if level > before else Event.EASED
    if level > Level.GREEN:
        return Event.FIRED
    if pending > Level.GREEN:
        return None if state is State.PENDING else Event.NOTICED
    return Event.LAPSED if state is State.PENDING else None
