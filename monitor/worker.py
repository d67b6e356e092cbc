"""When things happen: sources are asked on their schedules, news wakes judging, changes wake delivery."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import SQLAlchemyError

from connectors.base import Remote
from monitor import bulletins
from monitor.app import Daemon
from monitor.lanes import Lanes
from monitor.liveness import Pulse
from monitor.store import outbox, retention, runs
from monitor.turns import Trigger, Turns, jitter
from rules.calendar import PUBLISHED

log = logging.getLogger(__name__)

_PATIENCE = 3
"""Failures in a row after which a source on another machine is asked less often."""
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
_JUMP = timedelta(minutes=1)
"""By how much the clock must part from the time that passed to have been set; clocks of two hosts differ by less."""
_DOUBTFUL = timedelta(minutes=10)
"""For how long nothing is judged by a clock that was set forward: if it was set wrong, it is set back in that time."""
_AGAIN = timedelta(seconds=5)
"""After which a pull is tried again that the database did not take."""
_REMEMBERED = timedelta(days=7)
"""For how long at least what was handed in is known by its Idempotency-Key; older ones are forgotten at the start."""
_JUDGING_RESTS = 3.0
"""Times as long as it took: judging takes at most a quarter of the time, however many sources have news."""
_LONGEST_REST = 1.0
"""Seconds: nobody waits longer for news to be looked at because the cycle before was a long one, as the first is."""
_TIDY_EVERY = 3600.0
_DELIVERY_EVERY = 5.0
"""Seconds between looks for deliveries whose next try is due; new ones wake the loop at once."""


class Loop(threading.Thread):
    """Does ``work`` again and again: every ``every`` seconds, and at once when woken. An error is logged, never the end.

    After work it rests ``rest`` times as long as the work took, woken or not,
    so that a stream of news does not take the whole machine.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], object],
        every: float,
        rest: float = 0,
        failed: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._work, self._every, self._rest, self._failed = work, every, rest, failed
        self._wanted, self._stopping = threading.Event(), threading.Event()
        self._pulse = Pulse()

    def hangs(self, patience: float) -> bool:
        """Whether what is under way takes longer than ``patience`` seconds, or nothing will ever be done again."""
        return self._pulse.seconds > patience or not self.is_alive()

    def run(self) -> None:
        """Until stopped; what is under way is finished."""
        while not self._stopping.is_set():
            self._wanted.clear()
            started = time.monotonic()
            try:
                with self._pulse.turn():
                    self._work()
            except Exception:
                log.exception("action=loop_failed loop=%s", self.name)
                self._failed(self.name)
            self._stopping.wait(min(self._rest * (time.monotonic() - started), _LONGEST_REST))
            self._wanted.wait(self._every)

    def wake(self) -> None:
        """Work now; if work is under way, once more after it."""
        self._wanted.set()

    def stop(self, seconds: float | None = None) -> None:
        """Finish what is under way, then end; wait for that no longer than ``seconds``."""
        self._stopping.set()
        self._wanted.set()
        self.join(seconds)


def pause(failures: int) -> timedelta:
    """How long a source is left alone after ``failures`` in a row: not at all, then a minute, doubled up to an hour."""
    if failures < _PATIENCE:
        return timedelta()
    doubled: int = 1 << min(failures - _PATIENCE, 6)
    return min(_FIRST_PAUSE * doubled, _LONGEST_PAUSE)


class Worker:
    """Runs the daemon's jobs in threads of its own."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._judging = Loop("judge", self._judge, daemon.force.settings.cycle, _JUDGING_RESTS, self._loop_failed)
        self._tidying = Loop("tidy", self._tidy, _TIDY_EVERY, failed=self._loop_failed)
        self._delivering: dict[str, Loop] = {}
        settings = daemon.force.settings
        self._lanes = Lanes(settings.pulls_at_once, settings.pulls_per_host, partial(self._tell, "error"))
        self._failures: Counter[str] = Counter()
        self._reported: dict[str, datetime] = {}
        self._began = self._zero()
        self._judges_from = 0.0
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},  # its jobs only get in lane
            # However late a pull starts, it is worth one run, and never two at once.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        daemon.next_pull, daemon.owing = self.next_pull, self._wake_delivery
        self._scheduler.add_listener(self._heard, EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)

    def start(self) -> None:
        """Start all jobs; every source whose slot was missed while the daemon was down is asked once, now."""
        now = self._daemon.clock.now()
        with self._daemon.engine.begin() as connection:
            # This process leads now: what another one was sending is taken up again.
            outbox.release(connection)
            runs.forget_answers(connection, now - _REMEMBERED)
            runs.forget_ahead(connection, now + _JUMP)
        self._daemon.readdress()
        self._began, self._daemon.since = self._zero(), now
        self._judging.start()
        self._tidying.start()
        self._lanes.start()
        self._schedule()
        self._scheduler.start()

    def stop(self, seconds: float = 3600.0) -> None:
        """Finish what is under way: pulls first, then judging, then what they made to deliver.

        What is not finished within ``seconds`` is left: whoever leads next does it again.
        """
        if not self._scheduler.running:
            return
        end = time.monotonic() + seconds
        self._scheduler.shutdown(wait=True)
        parts: list[Lanes | Loop] = [self._lanes, self._judging, self._tidying, *self._delivering.values()]
        for part in parts:
            part.stop(max(end - time.monotonic(), 0))

    def reload(self) -> str:
        """Reload the daemon and reschedule; returns the words of a refusal, or ""."""
        refused = self._daemon.reload()
        if not refused:
            self._schedule()
        self._wake_delivery()
        return refused

    def hangs(self, patience: float) -> bool:
        """Whether judging, once started, has stood still for ``patience`` seconds."""
        return self._scheduler.running and self._judging.hangs(patience)

    def news(self) -> None:
        """Judge now."""
        self._judging.wake()

    def next_pull(self, key: str) -> datetime | None:
        """When a source is asked next (real time)."""
        job = self._scheduler.get_job(f"pull:{key}")
        return job.next_run_time if job else None

    def _schedule(self) -> None:
        self._scheduler.remove_all_jobs()
        self._failures.clear()
        clock = self._daemon.clock
        for key, feed in self._daemon.force.feeds.items():
            if feed.pushed:
                continue
            self._scheduler.add_job(
                self._get_in_lane,
                Trigger(Turns.of(feed, clock.second), jitter(feed), clock),
                args=[key],
                id=f"pull:{key}",
                next_run_time=datetime.now(UTC),
            )
        for channel in self._daemon.force.channels:
            if channel not in self._delivering:
                deliver = partial(self._daemon.deliver, channel)
                loop = Loop(f"deliver:{channel}", deliver, _DELIVERY_EVERY, failed=self._loop_failed)
                self._delivering[channel] = loop
                loop.start()

    def _get_in_lane(self, key: str) -> None:
        feed = self._daemon.force.feeds.get(key)
        if feed is not None:
            host = feed.connector.host if isinstance(feed.connector, Remote) else ""
            if not self._lanes.put(host or key, key, partial(self._pull, key)):
                self._tell("still_running", key)

    def _pull(self, key: str) -> None:
        """Ask a source once per slot, however often the trigger fires or the daemon restarts."""
        daemon = self._daemon
        feed = daemon.force.feeds.get(key)
        if feed is None:
            return
        job, now = f"pull:{key}", daemon.clock.now()
        due = Turns.of(feed, daemon.clock.second).latest(now)
        try:
            with daemon.engine.begin() as connection:
                if not runs.claim_slot(connection, job, due, now):
                    return
            daemon.meters.pull_lag.observe((now - due).total_seconds())
            result = daemon.pull(feed)
            with daemon.engine.begin() as connection:
                runs.finish(connection, job, due, daemon.clock.now(), result.outcome, result.detail)
        except SQLAlchemyError:
            # The slot is not finished, and its next one may be a day away.
            self._later(key, datetime.now(UTC) + _AGAIN)
            raise
        self._note(key, failed=result.failed, remote=isinstance(feed.connector, Remote))
        self._judging.wake()

    def _note(self, key: str, *, failed: bool, remote: bool) -> None:
        """Leave a remote source alone for a while that fails again and again: neither it nor we gain by asking.

        Where the next turn is far off, the one that failed is made up for before it.
        """
        if not failed:
            del self._failures[key]
            return
        self._failures[key] += 1
        job, rest, now = self._scheduler.get_job(f"pull:{key}"), pause(self._failures[key]), datetime.now(UTC)
        if job is None:
            return
        later = job.trigger.get_next_fire_time(None, now + rest)
        if later - now > _LONGEST_PAUSE:
            self._later(key, now + max(rest, _FIRST_PAUSE))
            return
        if not (rest and remote):
            return
        self._later(key, later)
        self._tell("paused", key)
        log.warning("action=paused source=%s failures=%s until=%s", key, self._failures[key], later.isoformat())

    def _later(self, key: str, at: datetime) -> None:
        with suppress(JobLookupError):  # gone by a reload
            self._scheduler.modify_job(f"pull:{key}", next_run_time=at)

    def _zero(self) -> datetime:
        """What the real clock showed when the machine began to count: always the same, unless the clock is set."""
        return self._daemon.clock.real() - timedelta(seconds=time.monotonic())

    def _heed_clock(self) -> None:
        """Where the clock was set (or the machine slept), plan anew what was planned by the clock as it was."""
        set_by = self._zero() - self._began
        if abs(set_by) < _JUMP:
            return
        now = self._daemon.clock.now()
        log.warning("action=clock_set seconds=%d now=%s", set_by.total_seconds(), now.isoformat())
        self._tell("clock_set", "")
        with self._daemon.engine.begin() as connection:
            runs.forget_ahead(connection, now)
            outbox.hasten(connection, now)
        self._began, self._daemon.since = self._zero(), now
        self._judges_from = time.monotonic() + _DOUBTFUL.total_seconds() if set_by > timedelta() else 0
        self._reported.clear()
        self._schedule()

    def _judge(self) -> None:
        self._heed_clock()
        if time.monotonic() < self._judges_from:
            return
        self._daemon.judge()
        if self._report():
            self._wake_delivery()

    def _report(self) -> bool:
        """Tell the supervising offices how the system is, once per slot; returns whether one is told now.

        Nothing can be said of it before every source was asked for the first time.
        """
        force, snapshot = self._daemon.force, self._daemon.snapshot
        schedule, told = force.settings.heartbeat, False
        if schedule is None or snapshot is None:
            return False
        if any(source.last_pull is None and source.next_pull is not None for source in snapshot.sources):
            return False
        for office, zone in bulletins.offices(snapshot.books).items():
            job, due = bulletins.slot_name(office), Turns(schedule, zone, PUBLISHED).latest(snapshot.at)
            if self._reported.get(job) == due:
                continue
            with self._daemon.engine.begin() as connection:
                if runs.claim_slot(connection, job, due, snapshot.at):
                    ids = bulletins.heartbeat(connection, snapshot, office, force.organisation)
                    runs.finish(connection, job, due, snapshot.at, "ok" if ids else "nobody")
                    told = True
                    log.info("action=heartbeat office=%s messages=%s", office, len(ids))
            self._reported[job] = due
        return told

    def _tidy(self) -> None:
        """Once a day forget what is not kept."""
        daemon = self._daemon
        now = daemon.clock.now()
        slot = datetime.combine(now.date(), datetime.min.time(), UTC)
        with daemon.engine.begin() as connection:
            if not runs.claim_slot(connection, "tidy", slot, now):
                return
        gone = retention.forget(daemon.engine, now - timedelta(days=daemon.force.settings.keep))
        with daemon.engine.begin() as connection:
            runs.finish(connection, "tidy", slot, daemon.clock.now(), "ok")
        log.info("action=tidied pulls=%s turns=%s", *gone)

    def _wake_delivery(self) -> None:
        for loop in self._delivering.values():
            loop.wake()

    def _heard(self, event: JobEvent) -> None:
        """APScheduler tells of errors only to listeners."""
        name = {EVENT_JOB_ERROR: "error", EVENT_JOB_MISSED: "missed"}.get(event.code, "still_running")
        self._tell(name, event.job_id)
        log.warning("action=job_%s job=%s", name, event.job_id, exc_info=getattr(event, "exception", None))

    def _tell(self, event: str, _key: str) -> None:
        self._daemon.meters.job_events.labels(task="pull", event=event).inc()

    def _loop_failed(self, name: str) -> None:
        self._daemon.meters.job_events.labels(task=name.partition(":")[0], event="error").inc()
