"""When things happen: sources are asked on their schedules, news wakes judging, changes wake delivery."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from monitor.app import Daemon
from monitor.store import outbox, runs
from rules.target import Schedule

log = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PULLS_AT_ONCE = 8
_DELIVERY_EVERY = 5.0
"""Seconds between looks for deliveries whose next try is due; new ones wake the loop at once."""


class Loop(threading.Thread):
    """Does ``work`` again and again: every ``every`` seconds, and at once when woken. An error is logged, never the end."""

    def __init__(self, name: str, work: Callable[[], object], every: float) -> None:
        super().__init__(name=name, daemon=True)
        self._work, self._every = work, every
        self._wanted, self._stopping = threading.Event(), False

    def run(self) -> None:
        """Until stopped; what is under way is finished."""
        while not self._stopping:
            self._wanted.clear()
            try:
                self._work()
            except Exception:
                log.exception("action=loop_failed loop=%s", self.name)
            if not self._stopping:
                self._wanted.wait(self._every)

    def wake(self) -> None:
        """Work now; if work is under way, once more after it."""
        self._wanted.set()

    def stop(self) -> None:
        """Finish what is under way, then end."""
        self._stopping = True
        self._wanted.set()
        self.join()


def slot(schedule: Schedule, now: datetime, zone: ZoneInfo) -> datetime:
    """The latest moment at or before ``now`` for which ``schedule`` asked."""
    if schedule.interval is not None:
        return now - (now - _EPOCH) % schedule.interval
    assert schedule.at is not None
    local = now.astimezone(zone)
    today = datetime.combine(local.date(), schedule.at, zone)
    return (today if today <= local else today - timedelta(days=1)).astimezone(UTC)


class Worker:
    """Runs the daemon's jobs in threads of its own."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._judging = Loop("judge", self._judge, daemon.force.settings.cycle)
        self._delivering: dict[str, Loop] = {}
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(_PULLS_AT_ONCE)},
            # However late a pull starts, it is worth one run, and never two at once.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        daemon.next_pull = self.next_pull
        self._scheduler.add_listener(self._heard, EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)

    def start(self) -> None:
        """Start all jobs; every source whose slot was missed while the daemon was down is asked once, now."""
        with self._daemon.engine.begin() as connection:
            # This process leads now: what another one left half done is taken up again.
            runs.abandon(connection)
            outbox.release(connection)
        self._judging.start()
        self._schedule()
        self._scheduler.start()

    def stop(self) -> None:
        """Finish what is under way: pulls first, then judging, then what they made to deliver."""
        self._scheduler.shutdown(wait=True)
        self._judging.stop()
        for loop in self._delivering.values():
            loop.stop()

    def reload(self) -> str:
        """Reload the daemon and reschedule; returns the words of a refusal, or ""."""
        refused = self._daemon.reload()
        if not refused:
            self._schedule()
        self._wake_delivery()
        return refused

    def next_pull(self, key: str) -> datetime | None:
        """When a source is asked next (real time)."""
        job = self._scheduler.get_job(f"pull:{key}")
        return job.next_run_time if job else None

    def _schedule(self) -> None:
        self._scheduler.remove_all_jobs()
        for key, feed in self._daemon.force.feeds.items():
            self._scheduler.add_job(
                self._pull,
                _trigger(feed.source.schedule, ZoneInfo(feed.book.timezone)),
                args=[key],
                id=f"pull:{key}",
                next_run_time=datetime.now(UTC),
            )
        for channel in self._daemon.force.channels:
            if channel not in self._delivering:
                loop = Loop(f"deliver:{channel}", partial(self._daemon.deliver, channel), _DELIVERY_EVERY)
                self._delivering[channel] = loop
                loop.start()

    def _pull(self, key: str) -> None:
        """Ask a source once per slot, however often the trigger fires or the daemon restarts."""
        daemon = self._daemon
        feed = daemon.force.feeds.get(key)
        if feed is None:
            return
        job, now = f"pull:{key}", daemon.clock.now()
        due = slot(feed.source.schedule, now, ZoneInfo(feed.book.timezone))
        with daemon.engine.begin() as connection:
            if not runs.claim_slot(connection, job, due, now):
                return
        result = daemon.pull(feed)
        with daemon.engine.begin() as connection:
            runs.finish(connection, job, due, daemon.clock.now(), result.outcome, result.detail)
        self._judging.wake()

    def _judge(self) -> None:
        if self._daemon.judge():
            self._wake_delivery()

    def _wake_delivery(self) -> None:
        for loop in self._delivering.values():
            loop.wake()

    def _heard(self, event: JobEvent) -> None:
        """APScheduler tells of errors only to listeners."""
        name = {EVENT_JOB_ERROR: "error", EVENT_JOB_MISSED: "missed"}.get(event.code, "still_running")
        self._daemon.meters.job_events.labels(job=event.job_id.split(":")[0], event=name).inc()
        log.warning("action=job_%s job=%s", name, event.job_id, exc_info=getattr(event, "exception", None))


def _trigger(schedule: Schedule, zone: ZoneInfo) -> IntervalTrigger | CronTrigger:
    if schedule.interval is not None:
        return IntervalTrigger(seconds=int(schedule.interval.total_seconds()), start_date=_EPOCH, timezone=UTC)
    assert schedule.at is not None
    return CronTrigger(hour=schedule.at.hour, minute=schedule.at.minute, timezone=zone)
