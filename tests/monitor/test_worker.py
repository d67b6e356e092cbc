import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from monitor.app import Daemon
from monitor.store import pulls
from monitor.store.database import reading
from monitor.store.tables import pull
from monitor.worker import Loop, Worker, pause


def test_a_loop_goes_on_after_an_error_and_wakes_at_once():
    done = threading.Semaphore(0)
    calls = []

    def work():
        calls.append(len(calls))
        done.release()
        if len(calls) == 1:
            raise RuntimeError("first time")

    failures = []
    loop = Loop("test", work, every=60, failed=failures.append)
    loop.start()
    assert done.acquire(timeout=5)
    loop.wake()
    assert done.acquire(timeout=5)
    loop.stop()
    assert failures == ["test"]
    assert not loop.is_alive()
    assert len(calls) >= 2


def test_a_loop_that_is_woken_all_the_time_rests_as_long_as_it_should():
    resting, calls = threading.Event(), []

    def work():
        calls.append(time.monotonic())
        loop.wake()
        resting.wait(0.02)
        if len(calls) == 3:
            done.set()

    done = threading.Event()
    loop = Loop("test", work, every=60, rest=2)
    loop.start()
    assert done.wait(5)
    loop.stop()
    assert all(later - earlier >= 0.06 for earlier, later in pairwise(calls))


def test_a_loop_ends_at_once_while_it_rests():
    begun = threading.Event()
    loop = Loop("test", lambda: (time.sleep(0.01), begun.set()), every=60, rest=1000)
    loop.start()
    assert begun.wait(5)
    loop.stop()
    assert not loop.is_alive()


def test_a_source_is_given_three_tries_and_then_ever_longer_rests_up_to_an_hour():
    minutes = [pause(failures).total_seconds() / 60 for failures in range(1, 12)]
    assert minutes == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert pause(10_000) == timedelta(hours=1)


BOOK = """\
book: remote-2025
title: 例
year: 2025
supervisor: 督查办
published: 10 workdays after period
targets:
  - {id: a, name: 甲, lead: 甲局, goal: at least 10 个, measure: cumulative, source: gone}
  - {id: b, name: 乙, lead: 甲局, goal: at least 10 个, measure: cumulative, source: missing}
sources:
  gone:
    connector: http_json
    url: http://127.0.0.1:9/figures
    retries: 0
    fields: {series: s, period: p, value: v}
    schedule: every 1 second
  missing:
    connector: table_file
    path: missing.csv
    columns: {series: 指标, period: 期间, value: 数值}
    schedule: every 1 second
"""


def book():
    """Beside those of every second a source that is asked once a day, some hours from now."""
    hence = datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(hours=6)
    daily = "  daily:\n    connector: table_file\n    path: daily.csv\n    columns: {series: 指标, period: 期间, value: 数值}\n"
    target = "  - {id: c, name: 丙, lead: 甲局, goal: at least 10 个, measure: cumulative, source: daily}\n"
    return BOOK.replace("sources:\n", f"{target}sources:\n") + f"{daily}    schedule: daily at {hence:%H:%M}\n"


@pytest.fixture
def worker(tmp_path):
    """A worker that does nothing of itself, on a clock that ticks a second whenever it is looked at."""
    (tmp_path / "books" / "remote").mkdir(parents=True)
    (tmp_path / "books" / "remote" / "book.yaml").write_text(book(), encoding="utf-8")
    settings = tmp_path / "duban.yaml"
    settings.write_text(f"books: {tmp_path}/books\ndatabase: sqlite:///{tmp_path}/duban.db\n", encoding="utf-8")
    daemon = Daemon(settings)
    seconds = count()
    daemon.clock.now = lambda: datetime(2025, 11, 1, tzinfo=UTC) + timedelta(seconds=next(seconds))
    worker = Worker(daemon)
    worker._schedule()
    yield worker
    for loop in worker._delivering.values():
        loop.stop()
    daemon.close()


def ask(worker, key, times):
    """Ask a source in so many slots of its own."""
    for _ in range(times):
        worker._pull(key)


def events(worker):
    counted = worker._daemon.meters.job_events.collect()[0].samples
    return {sample.labels["event"]: sample.value for sample in counted if sample.name.endswith("_total")}


def test_a_source_that_fails_again_and_again_is_asked_less_often(worker):
    ask(worker, "remote-2025/gone", 2)
    assert worker.next_pull("remote-2025/gone") - datetime.now(UTC) < timedelta(seconds=2)
    ask(worker, "remote-2025/gone", 2)
    rest = worker.next_pull("remote-2025/gone") - datetime.now(UTC)
    assert timedelta(minutes=1, seconds=50) < rest < timedelta(minutes=2, seconds=5)
    assert events(worker) == {"paused": 2.0}


def test_the_lag_of_every_pull_behind_its_turn_is_measured(worker):
    ask(worker, "remote-2025/missing", 3)
    (lag,) = worker._daemon.meters.pull_lag.collect()
    found = {sample.name: sample.value for sample in lag.samples if not sample.labels}
    assert found == {"duban_pull_lag_seconds_count": 3, "duban_pull_lag_seconds_sum": 0}


def test_a_loop_that_fails_is_counted_by_its_job(worker):
    worker._loop_failed("deliver:邮件")
    assert events(worker) == {"error": 1}


def test_an_answer_ends_the_patience_account(worker):
    ask(worker, "remote-2025/gone", 2)
    worker._note("remote-2025/gone", failed=False, remote=True)
    ask(worker, "remote-2025/gone", 2)
    assert events(worker) == {}


def test_a_reload_asks_at_once(worker):
    ask(worker, "remote-2025/gone", 4)
    worker._schedule()
    assert worker.next_pull("remote-2025/gone") - datetime.now(UTC) < timedelta(seconds=2)


def test_a_file_that_is_not_there_yet_is_looked_for_as_often_as_ever(worker):
    ask(worker, "remote-2025/missing", 5)
    assert worker.next_pull("remote-2025/missing") - datetime.now(UTC) < timedelta(seconds=2)
    assert events(worker) == {}


def test_a_turn_of_the_day_that_failed_is_made_up_for_before_the_next_one(worker, tmp_path):
    key, rests = "remote-2025/daily", []
    for _ in range(5):
        worker._pull(key)
        rests.append(round((worker.next_pull(key) - datetime.now(UTC)).total_seconds() / 60))
    assert rests == [1, 1, 1, 2, 4]
    (tmp_path / "books" / "remote" / "daily.csv").write_text("指标,期间,数值\n丙,2025-09,8\n", encoding="utf-8")
    worker._pull(key)
    worker._pull(key)  # done for today
    with reading(worker._daemon.engine) as connection:
        assert pulls.latest(connection)[key].rows_new == 1
        assert connection.scalar(select(func.count()).where(pull.c.source == key)) == 6
