import random
import sqlite3
import time

import pytest

from tests.acceptance.books import figures, town
from tests.acceptance.running import Receiver, Running, until

TARGETS, KILLS = 60, 12
MONTHS = (("2025-07", "2025-08-10", 700), ("2025-08", "2025-09-10", 800), ("2025-09", "2025-10-15", 900))


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_points_every_message_arrives_exactly_once(tmp_path, seed):
    dice = random.Random(seed)
    folder = town(tmp_path / "books", TARGETS)
    receiver = Receiver(delay=0.01)
    daemon = Running(
        tmp_path,
        books=str(tmp_path / "books"),
        clock="2025-10-27T09:00:00+08:00",
        channels={"hook": {"kind": "webhook", "url": receiver.url}},
        receivers={"default": ["hook"]},
    )
    rows = []
    try:
        for kill in range(KILLS):
            if kill % 4 == 0:
                # News between the crashes: half of the targets fall behind, then recover, then fall behind again.
                period, known, full = MONTHS[kill // 4]
                rows += [
                    (f"指标{i:03d}", period, full * (0.5 if (i + kill // 4) % 2 else 1.1), known)
                    for i in range(TARGETS)
                ]
                figures(folder, rows)
            daemon.start().ready()
            time.sleep(dice.uniform(0.0, 1.2))
            daemon.kill()
        daemon.start().ready()
        until(lambda: _statuses(tmp_path) == {"sent"}, what="every delivery sent")
        assert daemon.stop() == 0
    finally:
        receiver.close()
    with sqlite3.connect(tmp_path / "duban.db") as database:
        owed = {key for (key,) in database.execute("SELECT key FROM delivery")}
        told = database.execute("SELECT count(*) FROM change WHERE event NOT IN ('noticed', 'lapsed')").fetchone()[0]
        twice = database.execute(
            "SELECT alert_id, at, event, count(*) FROM change GROUP BY 1, 2, 3 HAVING count(*) > 1"
        ).fetchall()
    assert set(receiver.letters) == owed
    assert len(owed) == told > TARGETS
    assert twice == []


def _statuses(folder):
    with sqlite3.connect(f"file:{folder}/duban.db?mode=ro", uri=True) as database:
        return {status for (status,) in database.execute("SELECT DISTINCT status FROM delivery")}
