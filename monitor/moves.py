"""What a cycle changes: alerts that move, periods told that are corrected, targets that left, rules that were edited.

Found in columns; objects begin here, and only for rows where something changed.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray
from sqlalchemy import Engine

from alerts import lifecycle
from alerts.alert import Alert, Cause, Change, Event, Identity
from alerts.escalation import Step
from alerts.moving import Moved, Telling, corrections, moves
from alerts.notice import Notice, notice, restated, waiting
from alerts.routing import Matter, Route
from monitor.snapshot import Judged
from monitor.store import alerts as alert_store
from monitor.store import observations
from monitor.store.database import reading
from monitor.watch import Watch
from rules import edit
from rules.judging import objects
from rules.panel import Panel
from rules.plan import Block
from rules.verdict import Verdict

Place: TypeAlias = tuple[int, int]
"""Block and row of a target and subject."""
Recalled: TypeAlias = Callable[[Collection[date], Collection[tuple[str, str, str]]], list[Alert]]
_ENDED = {Event.RESOLVED: "cleared", Event.FIRED: "raised"}


class Move(Struct, frozen=True, gc=False):
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


class Found(Struct, frozen=True, gc=False):
    """A move before it is put into words: who hears, and of what. The rest as in ``Move``.

    ``verdict`` brought it about; a ``step`` of what stands goes by the one of now, the end of an alert whose target
    left the books by its ``last`` notice. ``place`` is the block and row of the alert; one whose target left has none.
    """

    alert: Alert | None
    change: Change
    routes: list[Route]
    before: Alert | None
    place: Place | None = None
    verdict: Verdict | None = None
    step: Step | None = None
    last: Notice | None = None


def found_moves(
    watch: Watch, judged: Sequence[Judged], telling: Telling, at: datetime, recalled: Recalled
) -> list[Found]:
    """All that changes as of ``at``: corrections of past periods first, then what moves now.

    ``recalled`` finds what people were told of some periods of some places (book, target, subject).
    """
    steps = [(block, step) for block in range(len(judged)) for step in _steps(watch, judged, block, at)]
    steps[:0] = _corrections(watch, steps, at, recalled)
    found = []
    for block, step in steps:
        change, routes = step.change, []
        if change.event.told:
            level = max(change.level, change.previous_level, change.judged)  # who heard of red must hear of its end
            book = watch.by_id[change.identity.book]
            matter, told = telling.about(change.identity, level, book, step.verdict.target)
            routes = telling.with_informed(matter, told, step.before)
        found.append(Found(step.alert, change, routes, step.before, (block, step.row), step.verdict))
    return found


def kept_up(watch: Watch, judged: Sequence[Judged], moves: Sequence[Found]) -> list[Alert]:
    """Alerts that an edit of their rule left where they are: from now on they go by the edited rule."""
    moved = {move.change.identity for move in moves if move.alert is not None}
    asked = [alert for alert in watch.alerts.values() if alert.basis.rule and alert.identity not in moved]
    placed = ((alert, watch.place(*alert.identity[:3])) for alert in asked)
    kept = []
    for alert, found in held_against(judged, placed):
        words = lifecycle.rule(alert.identity.kind, found)
        if words != alert.basis.rule:
            kept.append(replace(alert, basis=alert.basis._replace(rule=words)))
    return kept


def held_against(
    judged: Sequence[Judged], alerts: Iterable[tuple[Alert, Place | None]]
) -> Iterator[tuple[Alert, Verdict]]:
    """Alerts of the books in force, which have a place, each with the verdict on its target now."""
    mine: list[list[tuple[Alert, int]]] = [[] for _ in judged]
    for alert, place in alerts:
        if place is not None:
            mine[place[0]].append((alert, place[1]))
    for block, placed in zip(judged, mine, strict=True):
        rows = np.array([row for _, row in placed], np.intp)
        verdicts = objects(block.panel, block.verdicts, rows, rows)
        yield from zip((alert for alert, _ in placed), verdicts, strict=True)


def local_day(panel: Panel, at: datetime) -> date:
    """The day that ``at`` is where the panel's targets are."""
    return at.astimezone(ZoneInfo(panel.block.timezone)).date()


def _steps(watch: Watch, judged: Sequence[Judged], block: int, at: datetime) -> Iterator[Moved]:
    panel, verdicts = judged[block].panel, judged[block].verdicts
    return moves(panel, verdicts, watch.standing[block], watch.alerts.get, at, watch.revised[block])


def _corrections(
    watch: Watch, steps: Sequence[tuple[int, Moved]], at: datetime, recalled: Recalled
) -> Iterator[tuple[int, Moved]]:
    """What revised figures of past periods take back of what was told of those periods, each with its block.

    ``steps`` are what moves now.
    """
    for block, panel in enumerate(watch.panels):
        told = _told_of_revised(watch, block, recalled)
        if told:
            moved = {step.change.identity: step.alert for _, step in steps}
            now = {one.identity: moved.get(one.identity) or watch.alerts.get(one.identity) for one, _ in told}
            for step in corrections(panel, told, now.get, local_day(panel, at), at):
                yield block, step


def _told_of_revised(watch: Watch, block: int, recalled: Recalled) -> list[tuple[Alert, tuple[int, int]]]:
    """What was told of the block's past periods whose figure was revised, each with its slot and row."""
    panel, revised = watch.panels[block], watch.revised[block]
    if not revised.any():  # as a rule; to find places takes far longer
        return []
    slots, rows = np.nonzero(revised)
    past = slots < panel.latest[rows]
    if not past.any():
        return []
    told = recalled(panel.block.ends[np.unique(slots[past])].tolist(), _places(panel.block, rows[past]))
    spots = [(alert, watch.spot(alert)) for alert in told]
    return [
        (alert, spot[1:])
        for alert, spot in spots
        if spot is not None and spot[0] == block and revised[spot[1:]] and spot[1] < panel.latest[spot[2]]
    ]


def _places(block: Block, rows: NDArray[np.int64]) -> set[tuple[str, str, str]]:
    found = map(block.target_at, np.unique(rows).tolist())
    return {(target.book, target.id, subject) for target, subject in found}


def withdrawn(engine: Engine, watch: Watch, telling: Telling, at: datetime) -> list[Found]:
    """The end of alerts whose target has left the books: their last notices know whom to tell."""
    if not watch.gone:
        return []
    with reading(engine) as connection:
        opened = alert_store.open_alerts(connection)
    gone, found = set(watch.gone), []
    for before, last in ((item.alert, item.notice) for item in opened if item.alert.identity in gone):
        alert, change = lifecycle.withdrawn(before, at)
        routes = telling.of(Matter.of(restated(change, last)), before) if change.event.told else []
        found.append(Found(alert, change, routes, before, last=last))
    return found


def worded(engine: Engine, watch: Watch, judged: Sequence[Judged], found: Sequence[Found], at: datetime) -> list[Move]:
    """What was found, with the facts that are saved and told of it."""
    if not found:
        return []
    now = {alert.identity: verdict for alert, verdict in held_against(judged, _by_now(found))}
    verdicts = [one.verdict or now.get(one.change.identity) for one in found]
    read = [_read(watch, one.place, verdict) for one, verdict in zip(found, verdicts, strict=True)]
    with reading(engine) as connection:
        origins = observations.origins(connection, {one for one in read if one is not None}, at)
    moves = []
    lasts: dict[Identity, Notice] = {}
    for one, verdict, figure in zip(found, verdicts, read, strict=True):
        if verdict is None:
            said = restated(one.change, one.last or lasts[one.change.identity])
        else:
            origin = "" if figure is None else origins.get(figure, "")
            said = notice(one.change, verdict, watch.by_id[one.change.identity.book], origin, one.before)
        if one.step is not None:
            said = waiting(said, one.step.waited, one.step.attention)
        elif one.alert is not None:
            lasts[one.change.identity] = said
        moves.append(Move(one.alert, one.change, said, one.routes, one.before))
    return moves


def _by_now(found: Sequence[Found]) -> Iterator[tuple[Alert, Place | None]]:
    """Alerts whose steps go by the verdict of now: where the cycle has moved one, its steps stand on what is told of that."""
    moved = {one.change.identity: one.change.judged for one in found if one.alert is not None and one.step is None}
    for one in found:
        if one.alert is not None and one.step is not None and moved.get(one.change.identity) is not one.change.judged:
            yield one.alert, one.place


def _read(watch: Watch, place: Place | None, verdict: Verdict | None) -> tuple[int, date] | None:
    """Series and period of the figure that a verdict goes by."""
    if place is None or verdict is None or verdict.period is None:
        return None
    series = int(watch.series_of[place[0]][place[1]])
    return None if series < 0 else (series, verdict.period)
