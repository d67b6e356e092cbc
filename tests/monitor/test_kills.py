"""kill -9 at random points of judging and delivery. $DUBAN_TEST_KILLS says how often, on each database."""

import multiprocessing
import os
import random
import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import select

from alerts.alert import Event, State
from connectors.observation import Observation, frame
from monitor.store import alerts as alert_store
from monitor.store import observations, pulls
from monitor.store.database import reading
from monitor.store.tables import alert, change, delivery
from tests.acceptance.running import Receiver
from tests.monitor.mortal import TARGETS, live

KILLS = int(os.environ.get("DUBAN_TEST_KILLS", "10"))
START = datetime(2025, 10, 27, 1, tzinfo=UTC)
BEHIND, FINE = 450.0, 990.0


def figure(target, wave):
    """In every wave half of the targets are behind, the other half in the next."""
    return BEHIND if (target + wave) % 2 else FINE


def publish(engine, wave, at):
    rows = [
        Observation(f"指标{n:02d}", "", date(2025, 9, 30), figure(n, wave), "个", None, f"第{n}行")
        for n in range(TARGETS)
    ]
    with engine.begin() as connection:
        pull_id = pulls.begin(connection, "b/filings", at)
        observations.append(connection, "b/filings", pull_id, frame(rows), at)


class Lives:
    """Processes that live through a turn each, forked from one that has everything loaded."""

    def __init__(self, url, address):
        self._given = (url, address)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.monitor.mortal"])

    def begin(self, at):
        here, there = self._context.Pipe()
        process = self._context.Process(target=live, args=(*self._given, at, there))
        process.start()
        there.close()
        here.recv()
        return process

    def killed(self, at, after):
        """Whether the turn was cut short ``after`` so many seconds."""
        process = self.begin(at)
        time.sleep(after)
        process.kill()
        process.join()
        return process.exitcode != 0

    def through(self, at):
        """A whole turn; returns its seconds."""
        process, started = self.begin(at), time.monotonic()
        process.join()
        assert process.exitcode == 0
        return time.monotonic() - started


def test_whatever_is_killed_nothing_is_lost_invented_or_told_twice(engine, migrated_url):
    dice, receiver = random.Random(20251027), Receiver()
    lives, cut, wave, at = Lives(migrated_url, receiver.url), 0, 0, START
    try:
        publish(engine, wave, at)
        lasts = lives.through(at)
        while cut < KILLS:
            wave, at = wave + 1, at + timedelta(hours=1)
            publish(engine, wave, at)
            for _ in range(3):
                cut += lives.killed(at, dice.uniform(0, lasts))
        lives.through(at)
        while sent(engine) != {"sent"}:  # a database may carry out what a dead one asked last after the next one began
            lives.through(at)
        with reading(engine) as connection:
            owed = set(connection.scalars(select(delivery.c.key)))
            told = connection.execute(select(delivery.c.change_id)).scalars().all()
            steps = connection.execute(
                select(change.c.id, alert.c.target, change.c.at, change.c.event, change.c.level, change.c.actual).join(
                    alert, alert.c.id == change.c.alert_id
                )
            ).all()
            standing = alert_store.standing(connection)
    finally:
        receiver.close()
    assert set(receiver.letters) == owed, "what was owed arrived, and nothing else"
    assert Counter(told) == Counter(step.id for step in steps), "every change is told once"
    assert {step.event for step in steps} <= {Event.FIRED, Event.CORRECTED}
    assert all((step.level > 0) == (step.actual == BEHIND) for step in steps), "nothing ends without cause"
    assert len({(step.target, step.at) for step in steps}) == len(steps), "nothing happens twice"
    behind = {f"t{n}" for n in range(TARGETS) if figure(n, wave) == BEHIND}
    assert {one.identity.target for one in standing if one.state is State.FIRING} == behind, "nothing is lost"
    print(f"{cut} killed, {wave} waves, {len(owed)} letters, {receiver.repeats} repeated under their key")


def sent(engine):
    with reading(engine) as connection:
        return set(connection.scalars(select(delivery.c.status).distinct()))
