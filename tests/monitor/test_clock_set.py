"""The clock of the machine is set forth and back: no turn of a source is lost or doubled, and nobody is called late."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import func, insert, select

from alerts.delivery import Status
from monitor.app import Daemon
from monitor.store import outbox, runs
from monitor.store.database import reading
from monitor.store.tables import alert, delivery, pull, run
from monitor.worker import Worker
from tests.acceptance.books import figures, town
from tests.monitor.store.samples import START, hours

KEY = "town-2025/filings"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Machine:
    """A worker whose hands are moved by the test: time passes, and the clock is set."""

    def __init__(self, folder, schedule, monkeypatch):
        monkeypatch.setattr("monitor.worker.time", SimpleNamespace(monotonic=self.monotonic))
        self.passed, self.set_by = timedelta(), timedelta()
        book = town(folder / "books", 2) / "book.yaml"
        book.write_text(book.read_text("utf-8").replace("every 1 second", schedule), encoding="utf-8")
        figures(book.parent, [(f"指标00{i}", "2025-09", 950, "2025-10-15") for i in range(2)])
        settings = folder / "duban.yaml"
        given = {"books": str(folder / "books"), "database": f"sqlite:///{folder}/duban.db", "channels": {}}
        settings.write_text(json.dumps({**given, "archive": str(folder / "archive")}), encoding="utf-8")
        self.daemon = Daemon(settings)
        self.daemon.clock.real = lambda: datetime(2025, 10, 20, 1, 30, tzinfo=UTC) + self.passed + self.set_by
        self.worker = Worker(self.daemon)
        self.worker._schedule()
        self.worker._pull(KEY)
        self.worker._judge()

    def monotonic(self):
        return 5000 + self.passed.total_seconds()

    def look(self, after=timedelta()):
        """What the daemon does of itself ``after`` a time: it judges, and asks its source."""
        self.passed += after
        self.worker._judge()
        self.worker._pull(KEY)

    def pulls(self):
        return self.count(pull)

    def cycles(self):
        return self.daemon.meters.registry.get_sample_value("duban_cycles_total", {"outcome": "ok"})

    def count(self, table):
        with reading(self.daemon.engine) as connection:
            return connection.scalar(select(func.count()).select_from(table))


@pytest.fixture
def machine(tmp_path, monkeypatch):
    made = []

    def make(schedule):
        made.append(Machine(tmp_path, schedule, monkeypatch))
        return made[0]

    yield make
    made[0].daemon.close()


@pytest.mark.parametrize("schedule", ["every 1 hour", "daily at 09:00"])
@pytest.mark.parametrize("set_by", [HOUR, -HOUR, DAY, -DAY])
def test_a_clock_that_is_set_neither_loses_nor_doubles_a_turn(machine, schedule, set_by):
    mine = machine(schedule)
    turn = HOUR if schedule.startswith("every") else DAY
    for _ in range(3):
        mine.look(after=turn / 2)
        mine.look(after=turn / 2)
    assert mine.pulls() == 4
    mine.set_by = set_by
    mine.look()
    mine.look()
    before = mine.pulls()
    assert before in (4, 5)  # where the clock shows another turn, that one is asked for
    for _ in range(30):
        mine.look(after=turn / 2)
        mine.look(after=turn / 2)
    assert mine.pulls() == before + 30


def test_a_clock_that_goes_back_and_forth_again_does_what_lies_between_once_more(machine):
    mine = machine("every 1 hour")
    mine.look(after=HOUR)
    mine.set_by = -DAY
    mine.look()
    mine.set_by = timedelta()
    mine.look()
    with reading(mine.daemon.engine) as connection:
        slots = list(connection.scalars(select(run.c.slot).order_by(run.c.slot)))
    assert slots == [datetime(2025, 10, 19, 2, tzinfo=UTC), datetime(2025, 10, 20, 2, tzinfo=UTC)]
    assert mine.pulls() == 4


def test_nobody_is_late_by_a_clock_that_was_set_wrong_and_back_again(machine):
    mine = machine("every 1 hour")
    assert mine.cycles() == 1
    mine.set_by = timedelta(days=30)  # October would be owed by then
    mine.look()
    mine.look(after=timedelta(minutes=9))
    assert mine.cycles() == 1
    mine.set_by = timedelta()
    mine.look()
    assert mine.cycles() == 2
    assert mine.count(alert) == 0


def test_a_clock_that_stays_where_it_was_set_is_believed(machine):
    mine = machine("every 1 hour")
    mine.set_by = timedelta(days=30)
    mine.look()
    mine.look(after=timedelta(minutes=11))
    assert mine.cycles() == 2
    assert mine.count(alert) == 2


def test_a_clock_that_is_kept_right_by_small_steps_is_left_alone(machine, caplog):
    mine = machine("every 1 hour")
    for second in range(50):
        mine.set_by = timedelta(seconds=(-1) ** second * second)
        mine.look()
    assert "clock_set" not in caplog.text
    assert mine.pulls() == 1


def test_where_the_last_turn_was_missed_nobody_is_late_before_the_source_is_asked(machine):
    mine = machine("daily at 09:00")
    mine.passed = timedelta(days=26)  # down for weeks; October is owed
    mine.worker._began = mine.worker._zero()
    mine.daemon.since = mine.daemon.clock.now()
    with mine.daemon.engine.begin() as connection:  # the last answer lies within the patience of two turns
        connection.execute(pull.update().values(started_at=mine.daemon.since - timedelta(hours=23)))
    mine.worker._judge()
    assert mine.count(alert) == 0
    mine.look()
    mine.look()
    assert mine.count(alert) == 2


def test_slots_that_have_not_come_are_forgotten(connection):
    for hour in range(4):
        runs.claim_slot(connection, "pull", hours(hour), hours(hour))
        runs.finish(connection, "pull", hours(hour), hours(hour), "ok")
    runs.answered(connection, "push:key", hours(3), "ok", "{}")
    assert runs.forget_ahead(connection, hours(1)) == 2
    assert [runs.claim_slot(connection, "pull", hours(hour), hours(hour)) for hour in range(4)] == [0, 0, 1, 1]
    assert runs.answer(connection, "push:key") == "{}"


def test_pauses_that_another_clock_measured_end(connection):
    for number, (status, due) in enumerate(
        [(Status.QUEUED, hours(24)), (Status.QUEUED, hours(-1)), (Status.SENDING, hours(24)), (Status.SENT, hours(24))]
    ):
        row = {"receiver": "r", "channel": "c", "address": "", "why": "", "key": str(number), "attempts": 0}
        connection.execute(insert(delivery).values(**row, status=status.value, due_at=due))
    assert outbox.hasten(connection, START) == 1
    due = connection.scalars(select(delivery.c.due_at).order_by(delivery.c.key))
    assert list(due) == [START, hours(-1), hours(24), hours(24)]
