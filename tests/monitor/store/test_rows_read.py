"""What a daemon does again and again reads what it is about, not all that a store of many years holds.

The server itself counts the rows that were read of each table, by whatever statements and plans.
"""

import time
from datetime import date, timedelta

import psycopg
import pytest

from monitor import once
from monitor.app import Daemon
from monitor.store import observations, retention
from monitor.store.database import reading
from tests.acceptance.books import figures, town
from tests.monitor.store.test_backup import settings

MANY = 10_000
FEW = 1000
"""Rows of a table that are read at most, of at least ``MANY``."""
ROWS = f"""
    INSERT INTO series SELECT n, 'old/' || n % 20, 's' || n, '', '' FROM generate_series(100001, 102000) n;
    INSERT INTO observation (series_id, period, value, known_at, pull_id, cell)
        SELECT n % 2000 + 100001, date '2015-01-31' + n / 2000, n, '2024-06-01', n % 5000 + 100001, ''
        FROM generate_series(0, {10 * MANY - 1}) n;
    INSERT INTO pull SELECT n, 'old/' || n % 20, timestamptz '2024-01-01' + n * interval '1 minute', '2024-06-01', 'ok',
        '', '', '', '', 1, CASE WHEN n % 50 = 0 THEN 0 ELSE 1 END, 0, 0, 0 FROM generate_series(100001, {100000 + MANY}) n;
    INSERT INTO quarantine SELECT n, 'old/1', n::text, 's', '', '', 'jump', '', 1, '', '', n, '2024-06-01', '2024-06-01',
        'dismissed', '', '', '2024-06-01', 'final' FROM generate_series(100001, {100000 + MANY}) n WHERE n % 50 <> 0;
    INSERT INTO run SELECT 'pull:old/' || n % 20, timestamptz '2025-10-01' + n * interval '1 second', '2025-10-01',
        '2025-10-01', 'ok', '' FROM generate_series(1, {MANY}) n;
    INSERT INTO alert SELECT n, 'town-2025', 't00' || n % 10, n::text, 'pace', 'resolved', 0, '2025-09-10', '2025-09-10', n,
        '2025-08-31', 1, '', NULL, '' FROM generate_series(100001, {100000 + MANY}) n;
    INSERT INTO change SELECT n, n, '2025-09-10', 'resolved', 'resolved', 0, 1, '2025-09-10', '{{{{}}}}',
        date '2025-08-31', 1, '', 'ordinary', 0, NULL FROM generate_series(100001, {100000 + MANY}) n;
    INSERT INTO delivery (id, change_id, receiver, channel, address, why, key, status, attempts, due_at, finished_at)
        SELECT n, n, '某局', 'folder', '', '', n::text, CASE WHEN n % 50 = 0 THEN 'suppressed' ELSE 'sent' END, 1,
        '2024-06-01', '2024-06-01' FROM generate_series(100001, {100000 + MANY}) n;
    INSERT INTO attempt SELECT n, n, '2024-06-01', 'sent', '' FROM generate_series(100001, {100000 + MANY}) n;
    ANALYZE;
    ALTER DATABASE {{}} SET random_page_cost = 1.1
"""
"""With pages as dear as on a turning disk a table of this size would be read whole rather than by an index."""
COUNTED = """
    SELECT relname, seq_tup_read + coalesce((SELECT sum(idx_tup_read) FROM pg_stat_user_indexes i WHERE i.relid = t.relid), 0)
    FROM pg_stat_user_tables t
"""
OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
MONTHS = ["2025-06", "2025-07", "2025-08", "2025-09"]


@pytest.fixture
def backend():
    return "postgresql"


@pytest.fixture
def store(migrated_url):
    """A session of one's own."""
    with psycopg.connect(migrated_url, autocommit=True) as session:
        yield session


@pytest.fixture
def daemon(tmp_path, migrated_url):
    """One that has worked for long: what it did this year is read, and behind it stand many years."""
    town(tmp_path / "books", 10)
    published(tmp_path, 500)
    path = settings(tmp_path, migrated_url, cache=str(tmp_path / "cache"))
    daemon = Daemon(path)
    # By a session that ends: what it read itself, to check its rows, it may tell a second later.
    with psycopg.connect(migrated_url, autocommit=True) as session:
        session.execute(ROWS.format(session.info.dbname))
    work(daemon)
    yield daemon
    daemon.close()


def published(folder, value):
    rows = [(f"指标{i:03d}", month, value + 50 * n, "2025-10-10") for i in range(10) for n, month in enumerate(MONTHS)]
    figures(folder / "books" / "town-2025", rows)


def work(daemon):
    (feed,) = daemon.force.feeds.values()
    daemon.pull(feed)
    daemon.judge()
    daemon.deliver("folder")


def counted(store, daemon):
    """Rows read of each table until now: a session tells of what it has read at its end at the latest."""
    daemon.engine.dispose()
    while store.execute(OTHERS).fetchone() != (0,):
        time.sleep(0.01)
    return dict(store.execute(COUNTED).fetchall())


def read(store, daemon, deed):
    """How many rows of each table ``deed`` reads."""
    before = counted(store, daemon)
    deed()
    after = counted(store, daemon)
    return {name: int(after[name] - before[name]) for name in after}


def test_what_is_done_again_and_again_reads_only_what_it_is_about(daemon, store, tmp_path):
    def revised():
        published(tmp_path, 900)
        work(daemon)

    def explained():
        with reading(daemon.engine) as connection:
            year = date(2025, 1, 1), date(2025, 12, 31)
            assert len(observations.vintages(connection, "town-2025/filings", "指标003", "", *year)) == 2 * len(MONTHS)
            (book,) = daemon.force.books
            assert once._trail(connection, book.targets[3], "").changes

    for deed in (lambda: work(daemon), revised, explained):
        found = read(store, daemon, deed)
        assert max(found.values()) > 0
        assert {name: rows for name, rows in found.items() if rows > FEW} == {}


def test_to_forget_pulls_no_figures_are_read_and_nothing_else_twice(daemon, store):
    now = daemon.clock.now()
    gone = []
    found = read(store, daemon, lambda: gone.extend(retention.forget(daemon.engine, now - timedelta(days=1))))
    assert gone[0] >= MANY / 50 - 20
    assert {name: rows for name, rows in found.items() if rows > FEW}.keys() == {"pull", "quarantine", "run"}
    assert max(found.values()) < 1.2 * MANY
