"""How an alert moves: pending, firing, resolved. Pure; finding what moved is done in columns."""

from datetime import datetime

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from alerts.alert import NOTHING, Alert, Basis, Cause, Change, Event, Identity, Kind, State
from rules import edit
from rules.target import Level
from rules.verdict import CODE, OUTCOME, OWED, UNSURE, Verdict, Verdicts

PENDING = np.int8(-1)
"""How ``standing`` writes an alert that is pending; a firing one stands there with its level, none as 0."""

_LAST_JUDGED = max(CODE[reason] for reason in OUTCOME)


def standing(alert: Alert) -> np.int8:
    """An alert as one number of a ``standing`` column."""
    if alert.state is State.FIRING:
        return np.int8(alert.level)
    return PENDING if alert.state is State.PENDING else np.int8(0)


def moved(
    kind: Kind, standing: NDArray[np.int8], verdicts: Verdicts, anew: NDArray[np.bool_] | None = None
) -> NDArray[np.intp]:
    """Indices (of N) where the verdicts ask for something other than what stands; ``anew``: or may, with a revised figure.

    A row that is not judged asks for nothing: no data never resolves an alert and
    never makes it worse. A source that does not answer, or whose figure waits for a decision, settles no debt either.
    """
    if kind is Kind.PACE:
        return np.flatnonzero(asked(standing, verdicts, anew) != standing)
    return np.flatnonzero(~verdicts.unsure & (verdicts.owing != (standing > 0)))


def asked(standing: NDArray[np.int8], verdicts: Verdicts, anew: NDArray[np.bool_] | None = None) -> NDArray[np.int8]:
    """What the verdicts ask to stand about the pace (N,), which is where ``advance`` leads.

    But for rows ``anew`` that are kept from being solved: whether a revised figure frees them depends on the alert.
    """
    waiting = (verdicts.level == 0) & (verdicts.pending > 0)
    wanted = np.where(waiting, np.where(standing > 0, standing, PENDING), verdicts.level)
    if verdicts.keep.any():
        kept = verdicts.keep & (wanted == 0) & (standing > 0)
        wanted[kept if anew is None else kept & ~anew] = Level.YELLOW
    return np.where(verdicts.reason <= _LAST_JUDGED, wanted, standing)


def advance(kind: Kind, alert: Alert | None, verdict: Verdict, at: datetime) -> tuple[Alert | None, Change | None]:
    """Where ``alert`` stands after ``verdict``, and the change that took it there, if one did."""
    level, pending = _asked(kind, alert, verdict)
    before = Level.GREEN if alert is None or alert.state is not State.FIRING else alert.level
    state = alert.state if alert is not None else State.RESOLVED
    event = _event(state, before, level, pending)
    if event is None:
        return alert, None
    basis = Basis(verdict.period, verdict.actual, rule(kind, verdict))
    cause = _cause(kind, alert, event, basis, task=verdict.target.goal.by is not None)
    corrects = None
    if alert is not None and cause is Cause.REVISED and event.told and state is not State.PENDING:
        # What was told of this very period is taken back; nobody was told of what is pending.
        event, corrects = Event.CORRECTED, alert.change_id
    since = alert.since if alert is not None and state is State.FIRING else at
    moved = Alert(
        identity=Identity(verdict.target.book, verdict.target.id, verdict.subject, kind),
        state=_state_after(event, level),
        level=pending if event is Event.NOTICED else level,
        since=since,
        changed=at,
        # What lapsed was never told: nothing is left of it that a later figure could correct.
        basis=NOTHING if event is Event.LAPSED else basis,
        steps=alert.heard if alert is not None and level > Level.GREEN else (),
    )
    # What is kept standing by an earlier period says nothing of the level of this one.
    judged = verdict.level if kind is Kind.PACE else level
    change = Change(moved.identity, at, event, cause, moved.state, moved.level, before, since, judged, basis, corrects)
    return moved, change


def correction(told: Alert, alert: Alert | None, verdict: Verdict, by_rule: Level, at: datetime) -> Change | None:
    """The correction that the revised figure of a past period owes for what was told of that period, if it flips it.

    ``told`` is the alert as the last change told of that period left it, its level the one judged then; ``verdict``
    judges the period again, and ``by_rule`` is the level that today's rule gives the figure as it was told. Where
    ``alert`` stands now (None: resolved) is another period's matter.
    """
    level, pending = verdict.level, verdict.pending
    basis = Basis(verdict.period, verdict.actual, rule(told.identity.kind, verdict))
    if not verdict.judged or level == told.level or (level == Level.GREEN and pending > Level.GREEN):
        return None
    if basis.actual == told.basis.actual or not edit.comparable(told.basis.rule, basis.rule):
        return None
    if basis.rule != told.basis.rule and by_rule != told.level:
        # An edit of the rule since then has flipped the verdict already, which takes nothing back of what was told.
        return None
    firing = alert is not None and alert.state is State.FIRING
    stands = alert.level if alert is not None and firing else Level.GREEN
    return Change(
        identity=told.identity,
        at=at,
        event=Event.CORRECTED,
        cause=Cause.REVISED,
        state=State.RESOLVED if alert is None else alert.state,
        level=stands,
        previous_level=stands,
        since=told.since if alert is None else alert.since,
        judged=level,
        basis=basis,
        corrects=told.change_id,
    )


def withdrawn(alert: Alert, at: datetime) -> tuple[Alert, Change]:
    """``alert``, which is pending or firing, after its target has left the books in force."""
    firing = alert.state is State.FIRING
    event = Event.WITHDRAWN if firing else Event.LAPSED
    held = alert.level if firing else Level.GREEN
    closed = replace(
        alert, state=State.RESOLVED, level=Level.GREEN, changed=at, basis=NOTHING, change_id=0, reminded=None, steps=()
    )
    change = Change(
        identity=alert.identity,
        at=at,
        event=event,
        cause=Cause.TARGET_REMOVED,
        state=State.RESOLVED,
        level=Level.GREEN,
        previous_level=held,
        since=alert.since,
        judged=Level.GREEN,
        basis=alert.basis,
    )
    return closed, change


def rule(kind: Kind, verdict: Verdict) -> str:
    """The rule that an alert of ``kind`` goes by, in words."""
    return edit.of_pace(verdict) if kind is Kind.PACE else edit.of_filing(verdict)


def _cause(kind: Kind, alert: Alert | None, event: Event, basis: Basis, *, task: bool) -> Cause:
    if alert is None:
        return Cause.ORDINARY
    stood = alert.basis
    same, edited = basis.period == stood.period, stood.rule not in ("", basis.rule)
    if kind is Kind.DATA:
        # A figure becomes overdue as days pass; a debt ends by a figure, or by another due day.
        return Cause.RULE_EDITED if event is Event.RESOLVED and same and edited else Cause.ORDINARY
    if edited and (same or alert.state is not State.RESOLVED):
        # Figures read under another rule cannot be held against each other: the edit comes first.
        return Cause.RULE_EDITED
    if not same or task:  # a task comes on within its one period: that takes nothing back
        return Cause.ORDINARY
    return Cause.REVISED if basis.actual != stood.actual else Cause.COMPARED


def _state_after(event: Event, level: Level) -> State:
    if event is Event.NOTICED:
        return State.PENDING
    return State.FIRING if level > Level.GREEN else State.RESOLVED


def _asked(kind: Kind, alert: Alert | None, verdict: Verdict) -> tuple[Level, Level]:
    """The level to fire at and the level still pending, as far as the verdict may say."""
    held = alert.level if alert is not None and alert.state is State.FIRING else Level.GREEN
    waiting = alert.level if alert is not None and alert.state is State.PENDING else Level.GREEN
    if kind is Kind.PACE:
        if not verdict.judged:
            return held, waiting
        kept = verdict.keep and held > Level.GREEN and verdict.level is verdict.pending is Level.GREEN
        return (Level.YELLOW if kept and not _mistaken(alert, verdict) else verdict.level), verdict.pending
    if verdict.reason in UNSURE:
        return held, waiting
    return (Level.YELLOW if verdict.reason in OWED else Level.GREEN), Level.GREEN


def _mistaken(alert: Alert | None, verdict: Verdict) -> bool:
    """Whether the figure that raised the alert was revised since: then nothing is left that had to be cleared."""
    if alert is None or alert.since != alert.changed:
        return False
    return verdict.period == alert.basis.period and verdict.actual != alert.basis.actual


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
