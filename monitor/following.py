"""What stands too long: reminders and escalations that are due, found in columns, decided with the cycle's moves."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias
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

_Place: TypeAlias = tuple[int, Kind, int]
"""Block, kind and row of an alert."""


class _Due(NamedTuple):
    """A step with the verdict and place of its alert."""

    alert: Alert
    step: Step
    verdict: Verdict
    place: _Place


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
    otherwise: dict[_Place, tuple[np.datetime64, np.int16]] = {}
    asked: dict[tuple[object, ...], tuple[list[Step], np.datetime64]] = {}  # by all alerts of which it is the same
    for alert, found, (block, row) in _looked_at(watch, judged, changed, organisation, at):
        panel, kind = judged[block].panel, alert.identity.kind
        periods = running(panel.block, alert.basis.period, found) if found.level == alert.level else 1
        alike = (alert.identity.book, kind, alert.level, alert.changed, alert.reminded, alert.steps, periods)
        if alike not in asked:
            book = watch.by_id[alert.identity.book]
            office = Office(book.workdays, ZoneInfo(book.timezone))
            steps, later = escalation.due(alert, periods, organisation, office, at)
            asked[alike] = steps, NEVER if later is None else _second(later)
        steps, again = asked[alike]
        place = block, kind, row
        due += [_Due(alert, step, found, place) for step in steps]
        otherwise[place] = again, panel.latest[row] if found.judged else watch.looked[block][kind][row]
        if not steps:
            _look(watch, place, *otherwise[place])
    return list(_told(engine, watch, due, otherwise, organisation, at))


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
    otherwise: Mapping[_Place, tuple[np.datetime64, np.int16]],
    organisation: Organisation,
    at: datetime,
) -> Iterator[Move]:
    """The steps with their facts and who is to hear; one that nobody would hear of is not taken.

    ``otherwise`` is when each alert asks for more than its steps, and the figure that it was looked at with.
    """
    if not due:
        return
    read = [int(watch.series_of[one.place[0]][one.place[2]]) for one in due]
    with reading(engine) as connection:
        wanted = {
            (series, one.verdict.period)
            for series, one in zip(read, due, strict=True)
            if one.verdict.period and series >= 0
        }
        origins = observations.origins(connection, wanted, at)
    stands: dict[Identity, Alert] = {}
    unheard: set[_Place] = set()
    hears: dict[tuple[object, ...], list[Route]] = {}  # of all alerts of which it is the same
    for series, (alert, step, found, place) in zip(read, due, strict=True):
        before, book = stands.get(alert.identity, alert), watch.by_id[found.target.book]
        # Who hears is looked up first: the facts of what nobody hears are not worth putting together.
        matter = Matter.about(before, book, found.target).seen_by(organisation)
        alike = (matter, step.event, step.waited, *(rule.words for rule in step.rules))
        if alike not in hears:
            hears[alike] = step_routes(step, matter, organisation)
        if not (routes := hears[alike]):
            unheard.add(place)
            continue
        moved, change = escalation.take(before, step, at)
        origin = origins.get((series, found.period), "") if found.period else ""
        said = waiting(notice(change, found, book, origin), step.waited, step.attention)
        stands[alert.identity] = moved
        yield Move(moved, change, said, routes, before)
    for place in unheard:
        # Nobody can be told before somebody is written into the organisation, which loads all anew; but time goes on.
        _look(watch, place, *otherwise[place])


def _look(watch: Watch, place: _Place, due: np.datetime64, looked: np.int16) -> None:
    """Remember when to look next."""
    block, kind, row = place
    watch.due[block][kind][row], watch.looked[block][kind][row] = due, looked


def _second(when: datetime) -> np.datetime64:
    return np.datetime64(when.astimezone(UTC).replace(tzinfo=None), "s")
