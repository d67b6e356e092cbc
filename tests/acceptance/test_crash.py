import random
import time

from sqlalchemy import func, select

from alerts.alert import State
from monitor.store.database import open_engine, reading
from monitor.store.tables import alert, change, delivery
from tests.acceptance.books import figures, town
from tests.acceptance.running import Receiver, Running, until
from tests.acceptance.test_takeover import MONTHS, TOLD, UNHURRIED

TARGETS, KILLS = 60, 9


def test_killed_at_random_points_every_message_arrives_exactly_once(tmp_path, database_url):
    dice = random.Random(database_url.partition(":")[0])
    folder = town(tmp_path / "books", TARGETS, UNHURRIED)
    receiver = Receiver(delay=0.01)
    daemon = Running(
        tmp_path,
        database=database_url,
        books=str(tmp_path / "books"),
        clock="2025-10-27T09:00:00+08:00",
        channels={"hook": {"kind": "webhook", "url": receiver.url}},
    )
    engine = open_engine(database_url)
    rows = []
    try:
        for kill in range(KILLS):
            if kill % 3 == 0:
                # News between the crashes: half of the targets fall behind, then recover, then fall behind again.
                period, known, full = MONTHS[kill // 3]
                rows += [(f"指标{i:03d}", period, full - 100 * ((i + kill // 3) % 2), known) for i in range(TARGETS)]
                figures(folder, rows)
            daemon.start().ready()
            if kill % 3 == 2:  # two months that came together would be judged as the later alone
                behind = {f"t{i:03d}" for i in range(TARGETS) if (i + kill // 3) % 2}
                until(lambda behind=behind: firing(engine) == behind, what="the month judged")
            time.sleep(dice.uniform(0.0, 1.2))
            daemon.kill()
        daemon.start().ready()
        until(lambda: statuses(engine) == {"sent"}, what="every delivery sent")
        assert daemon.stop() == 0
        with reading(engine) as connection:
            owed = set(connection.scalars(select(delivery.c.key)))
            told = connection.scalar(select(func.count()).where(change.c.event.in_(TOLD)))
            steps = connection.execute(select(change.c.alert_id, change.c.at, change.c.event)).all()
    finally:
        receiver.close()
        engine.dispose()
    assert set(receiver.letters) == owed
    assert len(owed) == told == (2 * len(MONTHS) - 1) * TARGETS // 2
    assert len(steps) == len(set(steps))


def firing(engine):
    with reading(engine) as connection:
        return set(connection.scalars(select(alert.c.target).where(alert.c.state == State.FIRING.value)))


def statuses(engine):
    with reading(engine) as connection:
        return set(connection.scalars(select(delivery.c.status).distinct()))
