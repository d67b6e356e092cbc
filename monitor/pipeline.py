"""The daemon in three functions: pull figures, judge them, deliver what changed.

connectors --Observation--> store --panel--> judge --Verdict--> advance --Change--> route --Delivery--> channel
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine

from alerts import delivery as deliveries
from alerts.channels.base import Channel, Letter
from alerts.circuit import Circuit
from alerts.delivery import Attempt, Delivery, Result
from alerts.notice import Notice
from alerts.organisation import Organisation
from alerts.suppression import Held, Quiet, decide
from connectors.base import ConnectorError, Failure
from connectors.observation import Query, Refusal
from monitor import archive, deriving, sieve
from monitor.clock import Clock
from monitor.following import found_steps
from monitor.moves import Move, found_moves, kept_up, local_day
from monitor.snapshot import Judged
from monitor.store import alerts as alert_store
from monitor.store import observations, outbox, pulls, quarantine, silences
from monitor.store.appending import Compared
from monitor.store.database import insist, reading
from monitor.watch import Watch
from monitor.wiring import Feed, Settled
from rules.calendar import PUBLISHED
from rules.judging import judge as judge_block
from rules.past import YEARS

log = logging.getLogger(__name__)

_TOLD = 20
"""Refused figures told in the log per pull; all of them are counted."""
_AT_ONCE = 10
"""Letters a sender takes at a time: with every one of them timing out it still ends within its lease."""
_REPEATED = timedelta(hours=1)
"""For how long a resolved alert is told again where that is asked for."""


def asked(feed: Feed, at: datetime, earlier: int = 0) -> Query:
    """What a source is asked at ``at``: the figures of its book's year, and ``earlier`` ones, that targets read."""
    year = feed.book.year
    series = tuple(sorted(feed.book.read_from(feed.source.name)))
    return Query(at, date(year - earlier, 1, 1), date(year, 12, 31), series, feed.book.id)


class Taken(NamedTuple):
    """What became of an answer: as the ledger has it, and figure by figure. A failed pull has only the first."""

    pulled: pulls.Pulled
    found: Compared | None = None
    refused: Sequence[Refusal] = ()


def pull(
    engine: Engine, feed: Feed, at: datetime, archived: Path | None = None, query: Query | None = None
) -> pulls.Pulled:
    """``take``, as the ledger has it."""
    return take(engine, feed, at, archived, query).pulled


def take(engine: Engine, feed: Feed, at: datetime, archived: Path | None = None, query: Query | None = None) -> Taken:
    """Ask one source for the book's year (or ``query``) and store what is new. Never raises for what a source does.

    1. The attempt is written down before the source is asked.
    2. What cannot be judged (a period that has not begun, a unit no target can read) or cannot be right (a sum that
       falls, 万 for 亿) is kept apart with its reason, until a person lets it through.
    3. Figures already known are left alone; a changed figure is stored beside the old one.
    4. What the book derives from the figures is computed and stored with them.

    An answer all of whose figures were settled when it was last given is counted, and not gone through again.
    The files behind the answer are kept in the folder ``archived`` before any of it is stored.
    """
    book, source, connector = feed.book, feed.source, feed.connector
    with engine.begin() as connection:
        query = query or asked(feed, at, earlier(connection, feed, at))
        pull_id = pulls.begin(connection, source.key, at)
    try:
        answer = connector.fetch(query)
        if archived is not None:
            archive.keep(archived, answer.originals)
    except ConnectorError as error:
        return _failed(engine, pull_id, error.reason, error.detail, at)
    except Exception as error:  # a third party's connector may do anything; the other sources must go on
        log.exception("action=pull_crashed source=%s", source.key)
        return _failed(engine, pull_id, Failure.INTERNAL, f"{type(error).__name__}: {error}", at)
    figures = sieve.fingerprint(answer.observations)
    with engine.begin() as connection:
        released, before = quarantine.released(connection, source.key), pulls.last_success(connection, source.key)
        found, taken, unreadable = None, answer.observations, list[Refusal]()
        if before is not None and feed.settled == Settled(before[0], figures, released):
            appended = observations.unchanged(len(taken))
        else:
            taken, unreadable = sieve.readable(feed, answer, released, at)
            found = observations.compare(connection, source.key, taken, at)
            doubts = sieve.doubts(connection, feed, found, released, at)
            appended = observations.store(connection, pull_id, found, doubts)
        refused = [*answer.refusals, *unreadable, *appended.refusals]
        quarantine.keep(connection, source.key, pull_id, refused, at)
        quarantine.correct(connection, source.key, taken, refused, at)
        pulled = pulls.finish(connection, pull_id, at, answer, appended, len(refused))
        deriving.derive(connection, book, pull_id, bool(appended.new + appended.revised), at)
    # A figure that was refused may be taken another day: it is looked at every time.
    feed.settled = None if unreadable or appended.refusals else Settled(pull_id, figures, released)
    for refusal in refused[:_TOLD]:
        log.warning("action=refused source=%s %s", source.key, refusal.line(answer.document))
    return Taken(pulled, found, refused)


def earlier(connection: Connection, feed: Feed, at: datetime) -> int:
    """Earlier years, which curves and forecasts are read from, hardly change: they are asked for once a day."""
    zone, last = ZoneInfo(feed.book.timezone), pulls.last_success(connection, feed.source.key)
    today = last is not None and last[1].astimezone(zone).date() >= at.astimezone(zone).date()
    return 0 if today else YEARS


def _failed(engine: Engine, pull_id: int, reason: Failure, detail: str, at: datetime) -> Taken:
    with engine.begin() as connection:
        return Taken(pulls.fail(connection, pull_id, at, reason, detail))


def judge(
    engine: Engine,
    watch: Watch,
    organisation: Organisation,
    failed: Iterable[str],
    at: datetime,
    quiet: Quiet | None = None,
) -> tuple[list[Judged], list[Move]]:
    """Judge every target as of ``at`` and save what changed, with the messages that are owed for it, as one.

    ``failed`` are the sources (``book/name``) whose last pull gave nothing. In the hours of ``quiet``, and under a
    silence, messages wait.
    """
    watch.take(engine, at)
    judged = verdicts_at(watch, failed, at)
    moves = found_moves(engine, watch, judged, organisation, at)
    kept = kept_up(watch, judged, moves) if watch.loaded else []
    changed = [*kept, *(move.alert for move in moves if move.alert is not None)]
    moves += found_steps(engine, watch, judged, changed, organisation, at)
    if moves or kept:
        with engine.begin() as connection:
            changes = alert_store.save(connection, [(move.alert, move.change, move.notice) for move in moves])
            outbox.enqueue(
                connection,
                [(change, route) for change, move in zip(changes, moves, strict=True) for route in move.routes],
                at,
            )
            alert_store.keep_up(connection, kept)
            waits = _waits(connection, watch, quiet, at)
            decided = {change: waits(move.notice) for change, move in zip(changes, moves, strict=True) if move.routes}
            silences.hold(connection, {change: held for change, held in decided.items() if held is not None})
        # Only after the commit: what stands in memory is never ahead of what is saved.
        for alert in kept:
            watch.stand(alert)
        for change, move in zip(changes, moves, strict=True):
            if move.alert is not None:
                last = watch.alerts[move.alert.identity].change_id if move.change.event.follows else change
                watch.stand(replace(move.alert, change_id=last))
    watch.settled([found.verdicts for found in judged])
    with engine.begin() as connection:
        told, dropped = silences.awake(connection, _waits(connection, watch, quiet, at), at)
    if told or dropped:
        log.info("action=awoken told=%s dropped=%s", told, dropped)
    return judged, moves


def _waits(connection: Connection, watch: Watch, quiet: Quiet | None, at: datetime) -> Callable[[Notice], Held | None]:
    """Whether a message waits now."""
    in_force = silences.in_force(connection, at)

    def held(notice: Notice) -> Held | None:
        book = watch.by_id.get(notice.book)
        zone, workdays = (ZoneInfo(book.timezone), book.workdays) if book else (at.tzinfo, PUBLISHED)
        return decide(notice, at.astimezone(zone), in_force, quiet, workdays)

    return held if in_force or quiet is not None else lambda _: None


def verdicts_at(watch: Watch, failed: Iterable[str], at: datetime) -> list[Judged]:
    """Verdicts of all blocks; each block's day is that of its own time zone."""
    return [
        Judged(panel, judge_block(panel, local_day(panel, at), silent))
        for panel, silent in zip(watch.panels, watch.failed_rows(failed), strict=True)
    ]


def deliver(engine: Engine, channel: str, sender: Channel, clock: Clock, circuit: Circuit) -> Counter[Result]:
    """Send what is due on one channel until nothing is, or the channel rests; returns what came of the attempts.

    A delivery is taken by a lease, sent outside any transaction, and marked by
    what the receiver said. A sender that dies in between leaves a lease that
    runs out: the letter goes again, with the same key. What the channel has no
    room for now goes back to the queue.
    """
    results: Counter[Result] = Counter()
    many = sender.at_once > 1
    while not circuit.resting(clock.now()):
        with engine.begin() as connection:
            limit = sender.at_once if many else _AT_ONCE
            taken = outbox.claim(connection, channel, clock.now(), limit, together=many)
        left = taken
        while left and not circuit.resting(clock.now()):
            attempts = _send(sender, channel, left[: sender.at_once], clock.real())
            if not attempts:
                break
            _mark(engine, list(zip(left, attempts, strict=False)), clock.now())
            results.update(attempt.result for attempt in attempts)
            circuit.heard(attempts[-1], clock.now())  # several letters in one message are one failure
            left = left[len(attempts) :]
        if left:
            with engine.begin() as connection:
                outbox.put_back(connection, left, clock.now())
        if left or not taken:
            break
    return results


def repeat(engine: Engine, channel: str, sender: Channel, clock: Clock, circuit: Circuit) -> Counter[Result]:
    """Send again what still stands, on a channel whose other end forgets; what was resolved lately as well."""
    results: Counter[Result] = Counter()
    with reading(engine) as connection:
        told = outbox.standing(connection, channel, clock.now() - _REPEATED)
    while told and not circuit.resting(clock.now()):
        attempts = _send(sender, channel, told[: sender.at_once], clock.real())
        if not attempts:
            break
        results.update(attempt.result for attempt in attempts)
        circuit.heard(attempts[-1], clock.now())
        told = told[len(attempts) :]
    return results


def _mark(engine: Engine, made: Sequence[tuple[Delivery, Attempt]], now: datetime) -> None:
    ended = [(row, attempt, *deliveries.after(row, attempt, now)) for row, attempt in made]

    def write(connection: Connection) -> None:
        for row, attempt, status, due in ended:
            outbox.finish(connection, row, attempt, status, due, now)

    # What was sent is sent, though the database be away for a moment: not marked it would be sent again.
    insist(engine, write, deliveries.LEASE.total_seconds())
    for row, attempt, status, _ in ended:
        log.info("action=delivered channel=%s result=%s status=%s key=%s", row.channel, attempt.result, status, row.key)


def _send(sender: Channel, channel: str, rows: Sequence[Delivery], at: datetime) -> list[Attempt]:
    letters = [Letter(row.key, row.receiver, row.address, row.why, Notice.of(row.notice), at) for row in rows]
    try:
        return sender.send(letters)[: len(rows)]
    except Exception as error:  # a third party's channel may do anything; the letters must not be lost
        log.exception("action=send_crashed channel=%s key=%s", channel, rows[0].key)
        return [Attempt(Result.INTERNAL, f"{type(error).__name__}: {error}")] * len(rows)
