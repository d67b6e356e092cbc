"""What stands too long: reminders and escalations that are due, found in columns, decided with the cycle's moves."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from alerts import escalation
from alerts.alert import Alert, Identity, Kind, State
from alerts.escalation import Office, Step
from alerts.moving import Telling, others, running, step_routes
from alerts.organisation import Organisation
from alerts.routing import Route
from monitor.moves import Found, Place
from monitor.snapshot import Judged
from monitor.watch import NEVER, Watch

_Changed: TypeAlias = tuple[Alert, Place | None, list[Route]]
"""An alert that this cycle changes, its place, and who hears of that."""
_Answer: TypeAlias = tuple[list[Step], np.datetime64]
"""The steps that an alert asks for, and when it may ask for more."""


def found_steps(
    watch: Watch,
    judged: Sequence[Judged],
    kept: Sequence[Alert],
    telling: Telling,
    at: datetime,
    found: Sequence[Found] = (),
) -> list[Found]:
    """Reminders and escalations that are due at ``at``; this cycle changes the alerts ``kept``, and those ``found``.

    Who is told of an alert's own change is not told of it once more as somebody higher up.
    What nobody would hear of is not taken.
    An alert whose figure is overdue still stands and is followed up. Where the source does not answer, or its figure
    waits for a decision, nothing is known to stand: its steps wait.
    """
    organisation = telling.organisation
    if not (organisation.reminders or organisation.escalation):
        return []
    changed: list[_Changed] = [(alert, watch.place(*alert.identity[:3]), []) for alert in kept]
    changed += [(one.alert, one.place, one.routes) for one in found if one.alert is not None]
    due: list[Found] = []
    # Asked once for all alerts of which it is the same.
    asked: dict[tuple[object, ...], _Answer] = {}
    hears: dict[tuple[int, ...], list[Route] | None] = {}
    for alert, block, row, now in _looked_at(watch, judged, changed, organisation, at):
        steps, again = _asked(watch, judged, alert, (block, row), organisation, at, asked)
        stands, rests = alert, not steps
        for step in steps:
            target = watch.target(alert.identity)
            matter, _ = telling.about(alert.identity, alert.level, watch.by_id[target.book], target)
            told = id(matter), id(step), id(now) if now else 0
            if told not in hears:
                to = step_routes(step, matter, organisation)
                hears[told] = others(to, now) if to else None
            routes = hears[told]
            if routes is None:
                # Nobody can be told before somebody is written into the organisation, which loads all anew; but time goes on.
                rests = True
                continue
            before, (stands, change) = stands, escalation.take(stands, step, at)
            due.append(Found(stands, change, routes, before, (block, row), step=step))
        if rests:
            kind, verdicts = alert.identity.kind, judged[block].verdicts
            watch.due[block][kind][row] = again
            if verdicts.level[row] >= 0:
                watch.looked[block][kind][row] = judged[block].panel.latest[row]
    return due


def _asked(
    watch: Watch,
    judged: Sequence[Judged],
    alert: Alert,
    place: Place,
    organisation: Organisation,
    at: datetime,
    known: dict[tuple[object, ...], _Answer],
) -> _Answer:
    """What an alert asks for; ``known`` is what those before it did, the same for all alike."""
    block, row = place
    ends, verdicts = judged[block].panel.block.ends, judged[block].verdicts
    identity, since = alert.identity, alert.basis.period
    last = int(verdicts.slot[row]) if verdicts.level[row] == alert.level else -1
    alike = (block, identity.book, identity.kind, last, since, alert.level, alert.changed, alert.reminded, alert.steps)
    found = known.get(alike)
    if found is None:
        periods = 1 if last < 0 else running(judged[block].panel.block, since, ends[last].item())
        book = watch.by_id[identity.book]
        steps, later = escalation.due(alert, periods, organisation, Office(book.workdays, ZoneInfo(book.timezone)), at)
        found = known[alike] = steps, NEVER if later is None else _second(later)
    return found


def _looked_at(
    watch: Watch,
    judged: Sequence[Judged],
    changed: Sequence[_Changed],
    organisation: Organisation,
    at: datetime,
) -> Iterator[tuple[Alert, int, int, list[Route]]]:
    """Alerts that fire and may ask for something, each with its block, its row, and who hears of it now."""
    touched = {alert.identity for alert, *_ in changed}
    unsure = [mine.verdicts.unsure for mine in judged]
    for alert, place, now in changed:
        if alert.state is State.FIRING and place is not None:
            block, row = place
            if not unsure[block][row]:
                yield alert, block, row, now
    for block, mine in enumerate(judged):
        for kind in Kind:
            for row in np.flatnonzero(may_ask(watch, mine, block, kind, organisation, at)).tolist():
                target, subject = mine.panel.block.target_at(row)
                stands = watch.alerts.get(Identity(target.book, target.id, subject, kind))
                if stands is not None and stands.identity not in touched:
                    yield stands, block, row, []


def may_ask(
    watch: Watch, judged: Judged, block: int, kind: Kind, organisation: Organisation, at: datetime
) -> NDArray[np.bool_]:
    """Rows of a block (R,) whose alert of that kind fires and may ask for something."""
    panel, verdicts = judged.panel, judged.verdicts
    may: NDArray[np.bool_] = watch.due[block][kind] <= _second(at)
    if any(rule.after.periods for rule in organisation.escalation):
        may |= (watch.looked[block][kind] != panel.latest) & (verdicts.level >= 0)
    may &= (watch.standing[block][kind] > 0) & ~verdicts.unsure
    return may


def _second(when: datetime) -> np.datetime64:
    return np.datetime64(when.astimezone(UTC).replace(tzinfo=None), "s")
