"""The daemon: what is in force, the latest snapshot, and the three jobs that keep it true."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import asdict
from sqlalchemy import Connection, Engine

from alerts import message
from alerts.alert import Cause, Event, Identity, State
from alerts.bulletin import Bulletin
from alerts.circuit import Circuit
from alerts.delivery import UNSENT, Result, Sending
from connectors.observation import Query
from monitor import config, pipeline, wiring
from monitor.cache import Cache
from monitor.clock import Clock
from monitor.config import Settings
from monitor.executor import THREADS, Executor
from monitor.force import InForce, read
from monitor.metrics import Meters
from monitor.moves import Move, local_day
from monitor.snapshot import TRAILS, Judged, OpenAlert, Queue, Snapshot, SourceHealth, Trail, foremost
from monitor.store import alerts as alert_store
from monitor.store import database, letters, outbox, pulls, quarantine, runs, silences
from monitor.store.database import migrate, open_engine, reading
from monitor.store.pulls import Pulled, PullRecord
from monitor.turns import Turns
from monitor.watch import Watch
from rules import feed as feed_rules
from rules.document import Invalid
from rules.target import Book

log = logging.getLogger(__name__)

_MANY = 50_000
"""Targets from which on pages wait for the cycle after a reload."""
_TOLD = 1000
"""Changes of one cycle that have a line each in the log; of more it has the number. The store has them all."""


def open_store(settings: Settings) -> tuple[Engine, Clock]:
    """The database at the newest schema, and the clock that belongs to it."""
    engine = open_engine(settings.database_url())
    migrate(engine)
    if settings.clock is None:
        return engine, Clock()
    with engine.begin() as connection:
        anchor = runs.clock(connection, Clock.real(), settings.clock)
    return engine, Clock(anchor.clock_at, anchor.wall_at, settings.clock_speed)


class Daemon:
    """Holds what is in force and does the jobs. The worker decides when; pages and metrics read ``snapshot``."""

    def __init__(self, path: Path | None) -> None:
        """Raises Invalid for anything wrong in what is written, DatabaseError for a store that cannot be used."""
        self._path = path
        self.force = read(path)
        message.use(self.force.templates)
        self.engine, self.clock = open_store(self.force.settings)
        self.meters = Meters()
        self.executor: Executor = THREADS
        self.circuits: dict[str, Circuit] = {}
        self._repeated: dict[str, datetime] = {}
        self.snapshot: Snapshot | None = None
        self.next_pull: Callable[[str], datetime | None] = lambda _: None
        self.owing: Callable[[], object] = lambda: None
        self._opened: dict[Identity, OpenAlert] | None = None
        self._config_error = "\n".join(self.force.errors)
        self._cycle = threading.Lock()
        self._cache = Cache(self.force.settings.cache)
        self.since: datetime | None = None  # when this process began to lead, or its clock was last set
        self._in_step = False
        self._cut_off: set[str] = set()

    def pull(self, feed: wiring.Feed) -> Pulled:
        """Ask one source."""
        pulled = self.take(feed).pulled
        if feed.filed:
            from monitor.intake.receipts import acknowledge  # what writes workbooks is large

            acknowledge(self.engine, feed, self.clock.now())
        return pulled

    def take(self, feed: wiring.Feed, query: Query | None = None) -> pipeline.Taken:
        """Ask one source, or read what was handed in, and count what came of it."""
        started, key = time.perf_counter(), feed.source.key
        archived = self.force.settings.archive
        taken = pipeline.take(self.engine, feed, self.clock.now(), archived, query, self.executor)
        self.meters.pull_seconds.labels(source=key).observe(time.perf_counter() - started)
        self.meters.pulls.labels(source=key, outcome=taken.pulled.reason or taken.pulled.outcome).inc()
        for reason, count in Counter(refusal.reason for refusal in taken.refused).items():
            self.meters.refused.labels(source=key, reason=reason).inc(count)
        return taken

    def judge(self) -> bool:
        """One cycle. Returns whether a message is owed to anybody, of which ``owing`` is told before all else.

        What is in memory is read from the store first if it was never read, or if the last cycle failed: then nobody
        knows whether what it found was saved.
        """
        with self._cycle:
            started = time.perf_counter()
            force, at = self.force, self.clock.now()
            try:
                if not self._in_step:
                    self._opened = None
                    self._learn(force.watch, at)
                self._in_step = False
                with reading(self.engine) as connection:
                    records = pulls.latest(connection)
                silent = [key for key, feed in force.feeds.items() if self._silent(feed, records.get(key), at)]
                judged, moves = pipeline.judge(
                    self.engine, force.watch, force.organisation, silent, at, force.settings.quiet, force.crowds
                )
            except Exception:
                self.meters.cycles.labels(outcome="failed").inc()
                raise
            self._in_step = True
            owed = any(move.routes for move in moves)
            if owed:
                self.owing()
            taken = time.perf_counter() - started
            self.meters.cycles.labels(outcome="ok").inc()
            self.meters.cycle_seconds.observe(taken)
            for (event, cause), count in _alike(moves).items():
                self.meters.changes.labels(event=event, cause=cause).inc(count)
            for move in moves[:_TOLD]:
                log.info("%s", move.line)
            for (event, cause), count in _alike(moves[_TOLD:]).items():
                log.info("action=alert_%s cause=%s more=%s", event, cause, count)
            self.snapshot = self._snapshot(force, judged, moves, at, taken)
            self._cache.keep(force.watch, self.engine, at)
            return owed

    def _learn(self, watch: Watch, at: datetime) -> None:
        """All that is known at ``at``; the file helps only a watch that knows nothing yet."""
        if watch.position:
            watch.load(self.engine, at)
        else:
            self._cache.load(watch, self.engine, at)

    def deliver(self, channel: str) -> None:
        """Send everything that is due on one channel; one at a time."""
        sender = self.force.channels.get(channel)
        if sender is None:
            return
        circuit = self.circuits.setdefault(channel, Circuit())
        if channel in self._cut_off:  # what was taken then waits for a sender that is no more
            with self.engine.begin() as connection:
                outbox.release(connection, channel)
        self._cut_off.add(channel)
        results = pipeline.deliver(self.engine, channel, sender, self.clock, circuit, self.executor)
        self._cut_off.discard(channel)
        now = self.clock.real()
        if (
            sender.repeat is not None
            and now - self._repeated.get(channel, datetime.min.replace(tzinfo=UTC)) >= sender.repeat
        ):
            self._repeated[channel] = now
            results += pipeline.repeat(self.engine, channel, sender, self.clock, circuit, self.executor)
        for result, count in results.items():
            self.meters.attempts.labels(channel=channel, result=result).inc(count)

    def reload(self) -> str:
        """Put what is written in force; returns "" or, if anything is wrong, the words why the old stays in force."""
        fresh = self._read()
        if fresh is not None:
            self._make_room(fresh.watch)
            # What has come in so far is judged by the rules it came in under, so that an edit's effect stands alone.
            self.judge()
            with self._cycle:
                channels, self._opened = self.force.channels, None
                self._in_step = False  # for columns that are handed over are written to from then on
                self._in_step = self._cache.hand_over(self.force.watch, fresh.watch, self.engine, self.clock.now())
                self.force = fresh
                self._make_room(fresh.watch)
                message.use(fresh.templates)
                self._try_anew()
            for channel in channels.values():
                channel.close()
            log.info("action=reloaded books=%s", len(fresh.watch.books))
        self.judge()
        return self._config_error

    def _make_room(self, watch: Watch) -> None:
        """Of many targets the last snapshot holds too much while ``watch`` is laid out beside it."""
        if watch.rows > _MANY:
            self.snapshot = None

    def readdress(self) -> None:
        """Have what waits go where its receivers are reached by what is written now."""
        with self.engine.begin() as connection:
            moved = letters.readdress(connection, self.force.organisation.contacts)
        if moved:
            log.info("action=readdressed messages=%s", moved)

    def _try_anew(self) -> None:
        """What waits for its next try may have failed for what was mended just now."""
        self.readdress()
        with self.engine.begin() as connection:
            outbox.hasten(connection, self.clock.now())
        for circuit in self.circuits.values():
            if circuit.reason == Result.MISCONFIGURED:
                circuit.rests_until = None

    def refresh(self) -> None:
        """Before the first cycle: put what is written by now in force, unless anything is wrong with it."""
        fresh = self._read()
        if fresh is not None:
            old, self.force = self.force, fresh
            message.use(fresh.templates)
            for channel in old.channels.values():
                channel.close()

    def close(self) -> None:
        """Write down what a quick start needs, and let go of connections."""
        if self._cycle.acquire(blocking=False):  # else a cycle is at work that nobody waits for any more
            try:
                if self._in_step and self.snapshot is not None:
                    self._cache.keep(self.force.watch, self.engine, self.snapshot.at, last=True)
            finally:
                self._cycle.release()
        self.executor.close()
        for channel in self.force.channels.values():
            channel.close()
        self.engine.dispose()

    def _read(self) -> InForce | None:
        """What is written now; None if anything is wrong with it."""
        try:
            fresh = read(self._path)
            self._config_error = "\n".join(fresh.errors)
        except Invalid as found:
            self._config_error = str(found)
        self.meters.reloads.labels(outcome="refused" if self._config_error else "ok").inc()
        if not self._config_error:
            then, now = asdict(self.force.settings), asdict(fresh.settings)
            if later := [name for name in now if now[name] != then[name] and name not in config.AT_ONCE]:
                log.warning("action=restart_needed settings=%s", ",".join(later))
            return fresh
        log.error("action=reload_refused error=%s", self._config_error)
        return None

    def _resting(self, force: InForce) -> dict[str, str]:
        """Channels in force and why they rest, "" for those at work."""
        at = self.clock.real()
        circuits = {name: self.circuits.get(name, Circuit()) for name in force.channels}
        return {name: circuit.reason if circuit.resting(at) else "" for name, circuit in circuits.items()}

    def _silent(self, feed: wiring.Feed, record: PullRecord | None, at: datetime) -> bool:
        """Whether a source has not spoken lately: nobody is late as long as we have not asked or got no answer.

        After a time of being down, or a leap of the clock, the figures are out already, and the first cycle comes
        before the first pull: a source must have answered in the turn that was its last one at ``since``.
        Nor did it speak as of ``at`` if it was asked after that: the figures it gave are of the next cycle.
        """
        if record is None or record.reason or record.last_success is None or record.last_success > at:
            return True
        if feed.pushed:  # whoever hands in answers for what does not come
            return False
        turns, last = Turns.of(feed, self.clock.second), record.last_success
        return last < turns.patience(at) or (self.since is not None and last < turns.latest(self.since))

    def _next(self, key: str) -> datetime | None:
        """When a source is asked next, by the daemon's clock."""
        real = self.next_pull(key)
        return real and self.clock.shown(real)

    def _open_alerts(self, connection: Connection, watch: Watch, moves: Iterable[Move]) -> list[OpenAlert]:
        """Those of the store, read once for what is in force; from then on what moves is followed."""
        # Should anything go wrong on the way, they are read anew.
        opened, self._opened = self._opened, None
        if opened is None:
            opened = {one.alert.identity: one for one in alert_store.open_alerts(connection)}
            moves = ()
        for move in moves:
            if move.alert is None:
                continue
            identity = move.alert.identity
            if move.alert.state is State.RESOLVED:
                opened.pop(identity, None)
                continue
            before = opened.get(identity)
            if before is not None and before.alert.since != move.alert.since:
                del opened[identity]  # it stands as the youngest
            said = before.notice if before is not None and move.change.event.follows else move.notice
            opened[identity] = OpenAlert(watch.alerts[identity], said)
        self._opened = opened
        return list(opened.values())

    def _snapshot(
        self, force: InForce, judged: list[Judged], moves: Sequence[Move], at: datetime, taken: float
    ) -> Snapshot:
        with reading(self.engine) as connection:
            records = pulls.latest(connection)
            alerts = self._open_alerts(connection, force.watch, moves)
            trails = _trails(connection, force.books, alerts)
            queued = outbox.counts(connection, UNSENT)
            held = silences.waiting(connection)
            queues = {channel: Queue(*queue) for channel, queue in outbox.queues(connection).items()}
            waiting = quarantine.counts(connection)
            heartbeat = outbox.last_sent(connection, Bulletin.HEARTBEAT)
            size = database.size(connection)
        stale = feed_rules.stale((found.panel, local_day(found.panel, at)) for found in judged)
        return Snapshot(
            at=at,
            rehearsing=self.clock.rehearsing,
            books=force.books,
            judged=tuple(judged),
            alerts=tuple(alerts),
            trails=trails,
            sources=tuple(
                _health(feed, records.get(key), self._next(key), stale.get(key, 0), waiting.get(key, {}))
                for key, feed in force.feeds.items()
            ),
            deliveries=queued,
            waiting=held,
            resting=self._resting(force),
            queues=queues,
            heartbeat=heartbeat,
            cycle_seconds=taken,
            database_bytes=size,
            config_error=self._config_error,
            config_loaded_at=force.loaded_at,
        )


def _trails(connection: Connection, books: Iterable[Book], alerts: Sequence[OpenAlert]) -> dict[Identity, Trail]:
    """Of the alerts that a page has room for."""
    mine = {book.id: [one for one in alerts if one.alert.identity.book == book.id] for book in books}
    shown = [one.alert for those in mine.values() for one in foremost(those, TRAILS)]
    found = alert_store.trails(connection, shown)
    sent: dict[int | None, list[Sending]] = {}
    for one in letters.sendings(connection, changes=[number for steps in found.values() for number, *_ in steps]):
        sent.setdefault(one.change_id, []).append(one)
    return {
        identity: Trail(steps, [one for number, *_ in steps for one in reversed(sent.get(number, []))])
        for identity, steps in found.items()
    }


def _health(
    feed: wiring.Feed, record: PullRecord | None, next_pull: datetime | None, stale: int, waiting: Mapping[str, int]
) -> SourceHealth:
    return SourceHealth(
        book=feed.book.id,
        name=feed.source.name,
        connector=feed.source.connector,
        mark=feed.source.mark,
        schedule="由对方推送" if feed.pushed else feed.source.schedule.said,
        last_pull=record.last_pull if record else None,
        last_success=record.last_success if record else None,
        next_pull=next_pull,
        reason=record.reason if record else "",
        detail=record.detail if record else "",
        rows_read=record.rows_read if record else 0,
        rows_new=record.rows_new if record else 0,
        rows_revised=record.rows_revised if record else 0,
        rows_refused=record.rows_refused if record else 0,
        stale_periods=stale if record and record.last_success and not record.reason else 0,
        quarantined=waiting,
    )


def _alike(moves: Iterable[Move]) -> Counter[tuple[Event, Cause]]:
    return Counter((move.change.event, move.change.cause) for move in moves)
