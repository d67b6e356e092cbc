"""What a cycle changes: alerts that move, periods told that are corrected, targets that left, rules that were edited.

Found in columns; objects begin here, and only for rows where something changed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from sqlalchemy import Engine

from alerts import lifecycle
from alerts.alert import Alert, Cause, Change, Event, Identity
from alerts.moving import Telling, corrections, moves
from alerts.notice import Notice, notice, withdrawal
from alerts.organisation import Organisation
from alerts.routing import Route
from monitor.snapshot import Judged
from monitor.store import alerts as alert_store
from monitor.store import observations
from monitor.store.database import reading
from monitor.watch import Watch
from rules import edit
from rules.judging import objects
from rules.panel import Panel
from rules.verdict import Verdict

_ENDED = {Event.RESOLVED: "cleared", Event.FIRED: "raised"}


class Move(NamedTuple):
    """One alert's step with everything that is saved for it.

    ``before`` is the alert as it was told until now. A correction of a past period has no ``alert``: it moves none.
    """

    alert: Alert | None
    change: Change
    notice: Notice
    routes: list[Route]
    before: Alert | None

    @property
    def line(self) -> str:
        """For the log; after an edit: ``… cleared: yellow threshold changed from a to b``."""
        change = self.change
        words = (
            f"action=alert_{change.event} cause={change.cause} alert={'/'.join(change.identity)} level={change.level}"
        )
        if change.corrects is not None:
            words += f" corrects={change.corrects}"
        if self.before is None or change.cause is not Cause.RULE_EDITED:
            return words
        edits = ", ".join(found.english for found in edit.edits(self.before.basis.rule, change.basis.rule))
        return f"{words} {_ENDED.get(change.event, change.event)}: {edits}"


def found_moves(
    engine: Engine, watch: Watch, judged: Sequence[Judged], organisation: Organisation, at: datetime
) -> list[Move]:
    """All that is to be saved and told as of ``at``: corrections of past periods first, then what moves now."""
    steps = list(_steps(watch, judged, at))
    moved = {step.alert.identity: step.alert for step in steps if step.alert is not None}
    telling = Telling(organisation)
    steps[:0] = _corrections(engine, watch, moved, at)
    return [*_told(engine, watch, steps, telling, at), *_withdrawn(engine, watch, telling, at)]


def kept_up(watch: Watch, judged: Sequence[Judged], moves: Sequence[Move]) -> list[Alert]:
    """Alerts that an edit of their rule left where they are: from now on they go by the edited rule."""
    moved = {move.change.identity for move in moves if move.alert is not None}
    asked = [alert for alert in watch.alerts.values() if alert.basis.rule and alert.identity not in moved]
    kept = []
    for alert, found, _ in held_against(watch, judged, asked):
        words = lifecycle.rule(alert.identity.kind, found)
        if words != alert.basis.rule:
            kept.append(replace(alert, basis=alert.basis._replace(rule=words)))
    return kept


def held_against(
    watch: Watch, judged: Sequence[Judged], alerts: Iterable[Alert]
) -> Iterator[tuple[Alert, Verdict, tuple[int, int]]]:
    """Alerts of the books in force, each with the verdict on its target now, its block and its row."""
    mine: list[list[tuple[Alert, int]]] = [[] for _ in judged]
    for alert in alerts:
        if (place := watch.place(*alert.identity[:3])) is not None:
            mine[place[0]].append((alert, place[1]))
    for block, placed in enumerate(mine):
        rows = np.array([row for _, row in placed], np.intp)
        verdicts = objects(judged[block].panel, judged[block].verdicts, rows, rows)
        for (alert, row), found in zip(placed, verdicts, strict=True):
            yield alert, found, (block, row)


def local_day(panel: Panel, at: datetime) -> date:
    """The day that ``at`` is where the panel's targets are."""
    return at.astimezone(ZoneInfo(panel.block.timezone)).date()


class _Step(NamedTuple):
    alert: Alert | None
    change: Change
    verdict: Verdict
    series: int
    before: Alert | None


def _steps(watch: Watch, judged: Sequence[Judged], at: datetime) -> Iterator[_Step]:
    for block, (panel, verdicts) in enumerate((j.panel, j.verdicts) for j in judged):
        standing, series = watch.standing[block], watch.series_of[block]
        for step in moves(panel, verdicts, standing, watch.alert, at, watch.revised[block]):
            yield _Step(step.alert, step.change, step.verdict, int(series[step.row]), step.before)


def _corrections(engine: Engine, watch: Watch, moved: Mapping[Identity, Alert], at: datetime) -> Iterator[_Step]:
    """What revised figures of past periods take back of what was told of those periods."""
    for block, panel in enumerate(watch.panels):
        told = _told_of_revised(engine, watch, block)
        now = {before.identity: moved.get(before.identity) or watch.alerts.get(before.identity) for before, _ in told}
        for step in corrections(panel, told, now.get, local_day(panel, at), at):
            yield _Step(None, step.change, step.verdict, int(watch.series_of[block][step.row]), step.before)


def _told_of_revised(engine: Engine, watch: Watch, block: int) -> list[tuple[Alert, tuple[int, int]]]:
    """What was told of the block's past periods whose figure was revised, each with its slot and row."""
    panel, revised = watch.panels[block], watch.revised[block]
    if not revised.any():  # as a rule; to find places takes far longer
        return []
    slots, rows = np.nonzero(revised)
    past = slots < panel.latest[rows]
    if not past.any():
        return []
    with reading(engine) as connection:
        told = alert_store.told(
            connection, panel.block.ends[np.unique(slots[past])].tolist(), _targets(panel, rows[past])
        )
    spots = [(alert, watch.spot(alert)) for alert in told]
    return [
        (alert, spot[1:])
        for alert, spot in spots
        if spot is not None and spot[0] == block and revised[spot[1:]] and spot[1] < panel.latest[spot[2]]
    ]


def _targets(panel: Panel, rows: NDArray[np.int64]) -> set[tuple[str, str]]:
    index = np.unique(np.searchsorted(panel.block.first_row, rows, side="right") - 1)
    return {(target.book, target.id) for target in (panel.block.targets[found] for found in index.tolist())}


def _told(engine: Engine, watch: Watch, steps: Sequence[_Step], telling: Telling, at: datetime) -> Iterator[Move]:
    """The steps with their facts and who is to hear of them."""
    if not steps:
        return
    with reading(engine) as connection:
        read = {
            (step.series, step.verdict.period) for step in steps if step.verdict.period is not None and step.series >= 0
        }
        origins = observations.origins(connection, read, at)
    for alert, change, found, series, before in steps:
        book = watch.by_id[found.target.book]
        origin = origins.get((series, found.period), "") if found.period else ""
        said = notice(change, found, book, origin, before)
        yield Move(alert, change, said, telling.of(said, before) if change.event.told else [], before)


def _withdrawn(engine: Engine, watch: Watch, telling: Telling, at: datetime) -> Iterator[Move]:
    """The end of alerts whose target has left the books: their last notices know whom to tell."""
    if not watch.gone:
        return
    with reading(engine) as connection:
        opened = alert_store.open_alerts(connection)
    gone = set(watch.gone)
    for before, last in ((item.alert, item.notice) for item in opened if item.alert.identity in gone):
        alert, change = lifecycle.withdrawn(before, at)
        said = withdrawal(change, last)
        yield Move(alert, change, said, telling.of(said, before) if change.event.told else [], before)
