"""The daemon in three functions: pull figures, judge them, deliver what changed.

connectors --Observation--> store --panel--> judge --Verdict--> advance --Change--> route --Delivery--> channel
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from alerts import delivery as deliveries
from alerts import lifecycle
from alerts.alert import Alert, Change, Kind
from alerts.channels.base import Channel, Letter
from alerts.delivery import Attempt, Delivery, Result
from alerts.notice import Notice, notice
from alerts.routing import Contact, Route, routes
from connectors.base import ConnectorError, Failure
from connectors.observation import Query
from monitor import sieve
from monitor.clock import Clock
from monitor.snapshot import Judged
from monitor.store import alerts as alert_store
from monitor.store import observations, outbox, pulls, quarantine
from monitor.store.database import reading
from monitor.watch import Watch
from monitor.wiring import Feed
from rules.judging import judge as judge_block
from rules.judging import verdict
from rules.verdict import Verdict

log = logging.getLogger(__name__)

_TOLD = 20
"""Refused figures told in the log per pull; all of them are counted."""
_AT_ONCE = 10
"""Letters a sender takes at a time: with every one of them timing out it still ends within its lease."""


def pull(engine: Engine, feed: Feed, at: datetime) -> pulls.Pulled:
    """Ask one source for the book's year and store what is new. Never raises for what a source does.

    1. The attempt is written down before the source is asked.
    2. What cannot be judged (a period that has not begun, a unit no target can read) or cannot be right (a sum that
       falls, 万 for 亿) is kept apart with its reason, until a person lets it through.
    3. Figures already known are left alone; a changed figure is stored beside the old one.
    """
    book, source, connector = feed
    readers = [target for target in book.targets if target.source == source.name]
    query = Query(
        at, date(book.year, 1, 1), date(book.year, 12, 31), tuple(sorted({target.series for target in readers}))
    )
    with engine.begin() as connection:
        pull_id = pulls.begin(connection, source.key, at)
    try:
        answer = connector.fetch(query)
    except ConnectorError as error:
        return _failed(engine, pull_id, error.reason, error.detail, at)
    except Exception as error:  # a third party's connector may do anything; the other sources must go on
        log.exception("action=pull_crashed source=%s", source.key)
        return _failed(engine, pull_id, Failure.INTERNAL, f"{type(error).__name__}: {error}", at)
    with engine.begin() as connection:
        released = quarantine.released(connection, source.key)
        taken, unreadable = sieve.readable(feed, answer, released, at)
        found = observations.compare(connection, source.key, taken, at)
        doubts = sieve.doubts(connection, feed, found, released, at)
        appended = observations.store(connection, pull_id, found, doubts)
        refused = [*answer.refusals, *unreadable, *appended.refusals]
        quarantine.keep(connection, source.key, pull_id, refused, at)
        quarantine.correct(connection, source.key, taken, refused, at)
        pulled = pulls.finish(connection, pull_id, at, answer, appended, len(refused))
    for refusal in refused[:_TOLD]:
        log.warning("action=refused source=%s %s", source.key, refusal.line(answer.document))
    return pulled


def _failed(engine: Engine, pull_id: int, reason: Failure, detail: str, at: datetime) -> pulls.Pulled:
    with engine.begin() as connection:
        return pulls.fail(connection, pull_id, at, reason, detail)


class Move(NamedTuple):
    """One alert's step with everything that is saved for it."""

    alert: Alert
    change: Change
    notice: Notice
    routes: list[Route]


def judge(
    engine: Engine, watch: Watch, contacts: Mapping[str, Sequence[Contact]], failed: Iterable[str], at: datetime
) -> tuple[list[Judged], list[Move]]:
    """Judge every target as of ``at`` and save what changed, with the messages that are owed for it, as one.

    ``failed`` are the sources (``book/name``) whose last pull gave nothing.
    """
    watch.take(engine, at)
    judged = verdicts_at(watch, failed, at)
    moves = _moves(engine, watch, judged, contacts, at)
    if moves:
        with engine.begin() as connection:
            changes = alert_store.save(connection, [(move.alert, move.change, move.notice) for move in moves])
            outbox.enqueue(
                connection,
                [(change, route) for change, move in zip(changes, moves, strict=True) for route in move.routes],
                at,
            )
        for move in moves:
            # Only after the commit: what stands in memory is never ahead of what is saved.
            watch.stand(move.alert)
    return judged, moves


def verdicts_at(watch: Watch, failed: Iterable[str], at: datetime) -> list[Judged]:
    """Verdicts of all blocks; each block's day is that of its own time zone."""
    return [
        Judged(panel, judge_block(panel, at.astimezone(ZoneInfo(panel.block.timezone)).date(), silent))
        for panel, silent in zip(watch.panels, watch.failed_rows(failed), strict=True)
    ]


def _moves(
    engine: Engine, watch: Watch, judged: Sequence[Judged], contacts: Mapping[str, Sequence[Contact]], at: datetime
) -> list[Move]:
    """The alerts that move; objects begin here, and only for rows where something changed."""
    steps = list(_steps(watch, judged, at))
    if not steps:
        return []
    with reading(engine) as connection:
        read = {(step.series, step.verdict.period) for step in steps if step.verdict.period is not None}
        origins = observations.origins(connection, read, at)
    moves = []
    for alert, change, found, series in steps:
        book = watch.by_id[found.target.book]
        origin = origins.get((series, found.period), "") if found.period else ""
        said = notice(change, found, book, origin)
        told = routes(said.asked, said.lead, book.supervisor, contacts) if change.event.told else []
        moves.append(Move(alert, change, said, told))
    return moves


class _Step(NamedTuple):
    alert: Alert
    change: Change
    verdict: Verdict
    series: int


def _steps(watch: Watch, judged: Sequence[Judged], at: datetime) -> Iterator[_Step]:
    for block, (panel, verdicts) in enumerate((j.panel, j.verdicts) for j in judged):
        for kind in Kind:
            for row in lifecycle.moved(kind, watch.standing[block][kind], verdicts).tolist():
                found = verdict(panel, verdicts, row, row)
                alert, change = lifecycle.advance(kind, watch.alert(kind, found), found, at)
                if alert is not None and change is not None:
                    yield _Step(alert, change, found, int(watch.series_of[block][row]))


def deliver(engine: Engine, channel: str, sender: Channel, clock: Clock) -> Counter[Result]:
    """Send what is due on one channel until nothing is; returns what came of the attempts.

    A delivery is taken by a lease, sent outside any transaction, and marked by
    what the receiver said. A sender that dies in between leaves a lease that
    runs out: the letter goes again, with the same key.
    """
    results: Counter[Result] = Counter()
    while True:
        with engine.begin() as connection:
            taken = outbox.claim(connection, channel, clock.now(), _AT_ONCE)
        for row in taken:
            attempt = _send(sender, row, clock.real())
            now = clock.now()
            status, due = deliveries.after(row, attempt, now)
            with engine.begin() as connection:
                outbox.finish(connection, row, attempt, status, due, now)
            log.info("action=delivered channel=%s result=%s status=%s key=%s", channel, attempt.result, status, row.key)
            results[attempt.result] += 1
        if not taken:
            return results


def _send(sender: Channel, row: Delivery, at: datetime) -> Attempt:
    letter = Letter(row.key, row.receiver, row.address, row.why, Notice.of(row.notice), at)
    try:
        return sender.send(letter)
    except Exception as error:  # a third party's channel may do anything; the letter must not be lost
        log.exception("action=send_crashed channel=%s key=%s", row.channel, row.key)
        return Attempt(Result.INTERNAL, f"{type(error).__name__}: {error}")
