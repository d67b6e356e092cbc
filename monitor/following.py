"""What stands too long: reminders and escalations that are due, found in columns, decided with the cycle's moves."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias
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

_Spot: TypeAlias = tuple[int, Kind, int]
"""Block, kind and row of an alert."""


class _Due(NamedTuple):
    """A step with the place of its alert."""

    alert: Alert
    step: Step
    spot: _Spot


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
    An alert whose figure is overdue still stands and is followed up. Where the source does not answer, or its figure
    waits for a decision, nothing is known to stand: its steps wait.
    """
    organisation = telling.organisation
    if not (organisation.reminders or organisation.escalation):
        return []
    changed = [(alert, watch.place(*alert.identity[:3])) for alert in kept]
    changed += [(one.alert, one.place) for one in found if one.alert is not None]
    due: list[_Due] = []
    otherwise: dict[_Spot, tuple[np.datetime64, np.int16]] = {}
    asked: dict[tuple[object, ...], tuple[list[Step], np.datetime64]] = {}  # by all alerts of which it is the same
    for alert, spot in _looked_at(watch, judged, changed, organisation, at):
        block, kind, row = spot
        panel, verdicts = judged[block].panel, judged[block].verdicts
        level, slot, since = int(verdicts.level[row]), int(verdicts.slot[row]), alert.basis.period
        last = slot if level == alert.level else -1
        alike = (alert.identity.book, kind, level, last, since, alert.level, alert.changed, alert.reminded, alert.steps)
        if alike not in asked:
            periods = 1 if last < 0 else running(panel.block, since, panel.block.ends[last].item())
            book = watch.by_id[alert.identity.book]
            office = Office(book.workdays, ZoneInfo(book.timezone))
            steps, later = escalation.due(alert, periods, organisation, office, at)
            asked[alike] = steps, NEVER if later is None else _second(later)
        steps, again = asked[alike]
        due += [_Due(alert, step, spot) for step in steps]
        otherwise[spot] = again, panel.latest[row] if level >= 0 else watch.looked[block][kind][row]
        if not steps:
            _look(watch, spot, *otherwise[spot])
    hear = {one.change.identity: one.routes for one in found if one.alert is not None}
    return list(_told(watch, due, otherwise, telling, at, hear))


def _looked_at(
    watch: Watch,
    judged: Sequence[Judged],
    changed: Sequence[tuple[Alert, Place | None]],
    organisation: Organisation,
    at: datetime,
) -> Iterator[tuple[Alert, _Spot]]:
    """Alerts that fire and may ask for something, with the place of each."""
    touched = {alert.identity for alert, _ in changed}
    unsure = [mine.verdicts.unsure for mine in judged]
    for alert, place in changed:
        if alert.state is State.FIRING and place is not None:
            block, row = place
            if not unsure[block][row]:
                yield alert, (block, alert.identity.kind, row)
    for block, mine in enumerate(judged):
        for kind in Kind:
            for row in np.flatnonzero(may_ask(watch, mine, block, kind, organisation, at)).tolist():
                target, subject = mine.panel.block.target_at(row)
                stands = watch.alerts.get(Identity(target.book, target.id, subject, kind))
                if stands is not None and stands.identity not in touched:
                    yield stands, (block, kind, row)


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


def _told(
    watch: Watch,
    due: Sequence[_Due],
    otherwise: Mapping[_Spot, tuple[np.datetime64, np.int16]],
    telling: Telling,
    at: datetime,
    hear: Mapping[Identity, list[Route]],
) -> Iterator[Found]:
    """The steps with those who are to hear and do not ``hear`` of it now; one that nobody would hear of is not taken.

    ``otherwise`` is when each alert asks for more than its steps, and the figure that it was looked at with.
    """
    stands: dict[Identity, Alert] = {}
    unheard: set[_Spot] = set()
    hears: dict[tuple[int, ...], list[Route] | None] = {}  # of all alerts of which it is the same
    for alert, step, spot in due:
        block, _, row = spot
        before, target = stands.get(alert.identity, alert), watch.target(alert.identity)
        matter, _ = telling.about(alert.identity, before.level, watch.by_id[target.book], target)
        now = hear.get(alert.identity, [])
        alike = id(matter), id(step), id(now) if now else 0
        if alike not in hears:
            asked = step_routes(step, matter, telling.organisation)
            hears[alike] = None if not asked else others(asked, now)
        if (routes := hears[alike]) is None:
            unheard.add(spot)
            continue
        moved, change = escalation.take(before, step, at)
        stands[alert.identity] = moved
        yield Found(moved, change, routes, before, (block, row), step=step)
    for spot in unheard:
        # Nobody can be told before somebody is written into the organisation, which loads all anew; but time goes on.
        _look(watch, spot, *otherwise[spot])


def _look(watch: Watch, spot: _Spot, due: np.datetime64, looked: np.int16) -> None:
    """Remember when to look next."""
    block, kind, row = spot
    watch.due[block][kind][row], watch.looked[block][kind][row] = due, looked


def _second(when: datetime) -> np.datetime64:
    return np.datetime64(when.astimezone(UTC).replace(tzinfo=None), "s")
