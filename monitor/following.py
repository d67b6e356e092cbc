"""What stands too long: reminders and escalations that are due, found in columns, decided with the cycle's moves."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import Engine

from alerts import escalation
from alerts.alert import Alert, Identity, Kind, State
from alerts.escalation import Office, Step
from alerts.moving import running, step_routes
from alerts.notice import notice, waiting
from alerts.organisation import Organisation
from alerts.routing import Matter, Route
from monitor.moves import Move, held_against
from monitor.snapshot import Judged
from monitor.store import observations
from monitor.store.database import reading
from monitor.watch import NEVER, Watch
from rules.judging import objects
from rules.verdict import CODE, Reason, Verdict


class _Due(NamedTuple):
    """A step with the verdict, block and row of its alert, and when that may ask for more."""

    alert: Alert
    step: Step
    verdict: Verdict
    place: tuple[int, int]
    later: datetime | None


def found_steps(
    engine: Engine,
    watch: Watch,
    judged: Sequence[Judged],
    changed: Sequence[Alert],
    organisation: Organisation,
    at: datetime,
) -> list[Move]:
    """Reminders and escalations that are due at ``at``; ``changed`` are the alerts that this cycle changes.

    An alert whose figure is overdue still stands and is followed up. Where the source does not answer, nothing is
    known to stand: its steps wait until it answers.
    """
    if not (organisation.reminders or organisation.escalation):
        return []
    due: list[_Due] = []
    for alert, found, (block, row) in _looked_at(watch, judged, changed, organisation, at):
        book, panel = watch.by_id[found.target.book], judged[block].panel
        office = Office(book.workdays, ZoneInfo(book.timezone))
        periods = running(panel.block, alert.basis.period, found) if found.level == alert.level else 1
        steps, later = escalation.due(alert, periods, organisation, office, at)
        due += [_Due(alert, step, found, (block, row), later) for step in steps]
        if not steps:
            kind = alert.identity.kind
            watch.due[block][kind][row] = NEVER if later is None else _second(later)
            if found.judged:
                watch.looked[block][kind][row] = panel.latest[row]
    return list(_told(engine, watch, due, organisation, at))


def _looked_at(
    watch: Watch, judged: Sequence[Judged], changed: Sequence[Alert], organisation: Organisation, at: datetime
) -> Iterator[tuple[Alert, Verdict, tuple[int, int]]]:
    """Alerts that fire and may ask for something, with the verdict, block and row of each."""
    touched = {alert.identity for alert in changed}
    firing = (alert for alert in changed if alert.state is State.FIRING)
    for alert, found, place in held_against(watch, judged, firing):
        if found.reason is not Reason.FAILED:
            yield alert, found, place
    by_period = any(rule.after.periods for rule in organisation.escalation)
    for block, (panel, verdicts) in enumerate((one.panel, one.verdicts) for one in judged):
        for kind in Kind:
            newer = (watch.looked[block][kind] != panel.latest) & (verdicts.level >= 0) & by_period
            may = (watch.due[block][kind] <= _second(at)) | newer
            may &= (watch.standing[block][kind] > 0) & (verdicts.reason != CODE[Reason.FAILED])
            rows = np.flatnonzero(may)
            for row, found in zip(rows.tolist(), objects(panel, verdicts, rows, rows), strict=True):
                stands = watch.alert(kind, found)
                if stands is not None and stands.identity not in touched:
                    yield stands, found, (block, row)


def _told(
    engine: Engine,
    watch: Watch,
    due: Sequence[_Due],
    organisation: Organisation,
    at: datetime,
) -> Iterator[Move]:
    """The steps with their facts and who is to hear; one that nobody would hear of is not taken."""
    if not due:
        return
    read = [int(watch.series_of[one.place[0]][one.place[1]]) for one in due]
    with reading(engine) as connection:
        wanted = {(series, one.verdict.period) for series, one in zip(read, due, strict=True) if one.verdict.period}
        origins = observations.origins(connection, wanted, at)
    stands: dict[Identity, Alert] = {}
    unheard: dict[tuple[int, Kind, int], datetime | None] = {}
    hears: dict[tuple[object, ...], list[Route]] = {}  # of all alerts of which it is the same
    for series, (alert, step, found, (block, row), later) in zip(read, due, strict=True):
        before = stands.get(alert.identity, alert)
        moved, change = escalation.take(before, step, at)
        origin = origins.get((series, found.period), "") if found.period else ""
        said = waiting(notice(change, found, watch.by_id[found.target.book], origin), step.waited, step.attention)
        matter = Matter.of(said).seen_by(organisation)
        alike = (matter, step.event, step.waited, *(rule.words for rule in step.rules))
        if alike not in hears:
            hears[alike] = step_routes(step, matter, organisation)
        if routes := hears[alike]:
            stands[alert.identity] = moved
            yield Move(moved, change, said, routes, before)
        else:
            unheard[block, alert.identity.kind, row] = later
    for (block, kind, row), later in unheard.items():
        # Nobody can be told before somebody is written into the organisation, which loads all anew; but time goes on,
        # and another step of the alert may be due before tomorrow.
        tomorrow = _second(at) + np.timedelta64(1, "D")
        watch.due[block][kind][row] = tomorrow if later is None else min(tomorrow, _second(later))


def _second(when: datetime) -> np.datetime64:
    return np.datetime64(when.astimezone(UTC).replace(tzinfo=None), "s")
