"""The daemon in three functions: pull figures, judge them, deliver what changed.

connectors --Observation--> store --panel--> judge --Verdict--> advance --Change--> route --Delivery--> channel
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine

from alerts import delivery as deliveries
from alerts.alert import Alert, State
from alerts.channels.base import Channel, Letter
from alerts.circuit import Circuit
from alerts.delivery import Attempt, Delivery, Result
from alerts.moving import Telling
from alerts.organisation import Organisation
from alerts.suppression import NO_CROWDS, Quiet
from connectors.base import ConnectorError, Failure
from connectors.observation import Query, Refusal
from monitor.clock import Clock
from monitor.executor import THREADS, Executor
from monitor.following import found_steps
from monitor.intake import archive, deriving, sieve
from monitor.moves import Move, found_moves, kept_up, local_day, withdrawn, worded
from monitor.snapshot import Judged
from monitor.store import alerts as alert_store
from monitor.store import letters, observations, outbox, pulls, quarantine, silences
from monitor.store.appending import Compared
from monitor.store.database import insist, reading
from monitor.waiting import Waiting
from monitor.watch import Watch
from monitor.wiring import Feed, Settled
from rules.judging import judge as judge_block
from rules.past import YEARS

log = logging.getLogger(__name__)

_TOLD = 20
"""Refused figures told in the log per pull; all of them are counted."""
_AT_ONCE = 10
"""Messages a sender takes letters for at a time: with every one of them timing out it still ends within its lease."""
_REMEMBERED = 600
"""Seconds for which a new process heeds what was sent before it: longer than any limit's."""
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


def take(
    engine: Engine,
    feed: Feed,
    at: datetime,
    archived: Path | None = None,
    query: Query | None = None,
    executor: Executor = THREADS,
) -> Taken:
    """Ask one source for the book's year (or ``query``) and store what is new. Never raises for what a source does.

    1. The attempt is written down before the source is asked.
    2. What cannot be judged (a period that has not begun, a unit no target can read) or cannot be right (a sum that
       falls, 万 for 亿) is kept apart with its reason, until a person lets it through.
    3. Figures already known are left alone; a changed figure is stored beside the old one.
    4. What the book derives from the figures is computed and stored with them.

    An answer all of whose figures were settled when it was last given is counted, and not gone through again.
    The files behind the answer are kept in the folder ``archived`` before any of it is stored.
    """
    book, source = feed.book, feed.source
    with engine.begin() as connection:
        query = query or asked(feed, at, earlier(connection, feed, at))
        pull_id = pulls.begin(connection, source.key, at)
    try:
        answer = executor.fetch(feed, query)
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
    crowds: Mapping[str, int] = NO_CROWDS,
) -> tuple[list[Judged], list[Move]]:
    """Judge every target as of ``at`` and save what changed, with the messages that are owed for it, as one.

    ``failed`` are the sources (``book/name``) whose last pull gave nothing. In the hours of ``quiet``, and under a
    silence, messages wait. What one receiver is told at one moment by a channel of ``crowds`` goes together where it is
    more than so many.
    """
    watch.take(engine, at)
    with reading(engine) as connection:
        doubted = quarantine.doubted(connection, at)
    judged = verdicts_at(watch, failed, at, doubted)
    telling = Telling(organisation)
    found = found_moves(watch, judged, telling, at, partial(_recalled, engine))
    found += withdrawn(engine, watch, telling, at)
    kept = kept_up(watch, judged, found) if watch.loaded else []
    found += found_steps(watch, judged, kept, telling, at, found)
    moves = worded(engine, watch, judged, found, at)
    if moves or kept:
        with engine.begin() as connection:
            waits = Waiting(connection, watch, organisation, quiet, at)
            saved = alert_store.save(connection, [(move.alert, move.change, move.notice) for move in moves])
            alert_store.keep_up(connection, kept)
            told = [(number, move) for number, move in zip(saved.changes, moves, strict=True) if move.routes]
            held = waits.of(((number, move.notice, move.routes) for number, move in told), saved.left)
            due = outbox.enqueue(connection, [(number, way) for number, move in told for way in move.routes], at, held)
            ends = [number for number, move in told if move.change.state is State.RESOLVED]
            ended = silences.hold_ends(connection, ends)
            if crowds:
                said = {number: move.notice for number, move in told}
                silences.gather(connection, [one for one in due if one.id not in ended], said, crowds, at)
        # Only after the commit: what stands in memory is never ahead of what is saved.
        watch.stand([*kept, *saved.left])
    anew = watch.loaded
    watch.settled([found.verdicts for found in judged])
    with engine.begin() as connection:
        waits = Waiting(connection, watch, organisation, quiet, at)
        awoken = silences.awake(connection, waits, at, crowds, anew=anew)
    if any(awoken):
        log.info("action=awoken told=%s merged=%s dropped=%s", *awoken)
    return judged, moves


def _recalled(engine: Engine, periods: Collection[date], places: Collection[tuple[str, str, str]]) -> list[Alert]:
    with reading(engine) as connection:
        return alert_store.told(connection, periods, places)


def verdicts_at(
    watch: Watch, failed: Iterable[str], at: datetime, doubted: Sequence[quarantine.Doubted] = ()
) -> list[Judged]:
    """Verdicts of all blocks; each block's day is that of its own time zone."""
    excused = zip(watch.panels, watch.failed_rows(failed), watch.doubted_rows(doubted), strict=True)
    return [
        Judged(panel, judge_block(panel, local_day(panel, at), silent, doubted=waiting))
        for panel, silent, waiting in excused
    ]


def deliver(
    engine: Engine, channel: str, sender: Channel, clock: Clock, circuit: Circuit, executor: Executor = THREADS
) -> Counter[Result]:
    """Send what is due on one channel until nothing is, or the channel rests; returns what came of the attempts.

    A delivery is taken by a lease, sent outside any transaction, and marked by
    what the receiver said. A sender that dies in between leaves a lease that
    runs out: the letter goes again, with the same key. What the channel has no
    room for now goes back to the queue.
    """
    results: Counter[Result] = Counter()
    most = _AT_ONCE * sender.at_once
    while not circuit.resting(clock.real()):
        with engine.begin() as connection:
            taken = outbox.claim(connection, channel, clock.now(), most, together=sender.at_once > 1)
        if taken and sender.slots is not None and not sender.slots.spent():
            sender.slots.resume(_spent(engine, channel, clock))
        left = taken
        while left and not circuit.resting(clock.real()):
            attempts = _send(executor, sender, channel, left[: sender.at_once], clock.real())
            if not attempts:
                break
            _mark(engine, list(zip(left, attempts, strict=False)), clock)
            results.update(attempt.result for attempt in attempts)
            circuit.heard(attempts[-1], clock.real())  # several letters in one message are one failure
            left = left[len(attempts) :]
        if left:
            with engine.begin() as connection:
                outbox.put_back(connection, left, clock.now())
        if left or not taken:
            break
    return results


def _spent(engine: Engine, channel: str, clock: Clock) -> list[float]:
    """How many seconds ago each of the last messages was sent by a process before this one; the limits still hold."""
    now = clock.now()
    with reading(engine) as connection:
        return [
            (now - at) / clock.second
            for at in letters.tried_since(connection, channel, now - _REMEMBERED * clock.second)
        ]


def repeat(
    engine: Engine, channel: str, sender: Channel, clock: Clock, circuit: Circuit, executor: Executor = THREADS
) -> Counter[Result]:
    """Send again what still stands, on a channel whose other end forgets; what was resolved lately as well."""
    results: Counter[Result] = Counter()
    with reading(engine) as connection:
        told = outbox.standing(connection, channel, clock.shown(clock.real() - _REPEATED))
    while told and not circuit.resting(clock.real()):
        attempts = _send(executor, sender, channel, told[: sender.at_once], clock.real())
        if not attempts:
            break
        results.update(attempt.result for attempt in attempts)
        circuit.heard(attempts[-1], clock.real())
        told = told[len(attempts) :]
    return results


def _mark(engine: Engine, made: Sequence[tuple[Delivery, Attempt]], clock: Clock) -> None:
    real = clock.real()
    now = clock.shown(real)
    tried = [(row, attempt, *deliveries.after(row, attempt, real)) for row, attempt in made]
    found = [(row, attempt, status, clock.shown(due)) for row, attempt, status, due in tried]
    # What was sent is sent, though the database be away for a moment: not marked it would be sent again.
    insist(engine, lambda connection: outbox.finish(connection, found, now), deliveries.LEASE.total_seconds())
    alike = Counter((row.channel, attempt.result, status) for row, attempt, status, _ in found)
    for (channel, result, status), count in alike.items():
        log.info("action=delivered channel=%s result=%s status=%s letters=%s", channel, result, status, count)


def _send(executor: Executor, sender: Channel, channel: str, rows: Sequence[Delivery], at: datetime) -> list[Attempt]:
    sent = [Letter(row.key, row.receiver, row.address, row.why, row.notice, at) for row in rows]
    try:
        return executor.send(channel, sender, sent)[: len(rows)]
    except Exception as error:  # a third party's channel may do anything; the letters must not be lost
        log.exception("action=send_crashed channel=%s key=%s", channel, rows[0].key)
        return [Attempt(Result.INTERNAL, f"{type(error).__name__}: {error}")] * len(rows)
