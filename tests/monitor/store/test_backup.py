"""Copies of a filled database, taken beside a writer, on which a daemon goes on as if nothing had been."""

import json
import subprocess
import threading

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import func, select, text

from monitor.app import Daemon
from monitor.store import pulls, tables
from monitor.store.backup import backup
from monitor.store.database import DatabaseError, migrate, open_engine, reading, revision
from tests.acceptance.books import figures, town
from tests.monitor.cli.shell import typed
from tests.monitor.store.samples import START


def settings(folder, url, **others):
    path = folder / "duban.yaml"
    given = {
        "books": str(folder / "books"),
        "database": url,
        "clock": "2025-10-27T09:00:00+08:00",
        "archive": str(folder / "archive"),
        "channels": {"folder": {"kind": "folder", "path": str(folder / "alerts")}},
        **others,
    }
    path.write_text(json.dumps(given, ensure_ascii=False), encoding="utf-8")
    return path


def work(daemon):
    for feed in daemon.force.feeds.values():
        daemon.pull(feed)
    daemon.judge()
    daemon.deliver("folder")


@pytest.fixture
def daemon(tmp_path, migrated_url):
    """One that has told of two targets."""
    figures(
        town(tmp_path / "books", 3), [(f"指标{i:03d}", "2025-09", 500 + 300 * (i == 2), "2025-10-10") for i in range(3)]
    )
    daemon = Daemon(settings(tmp_path, migrated_url))
    work(daemon)
    yield daemon
    daemon.close()


def letters(folder):
    return sorted(path.name for path in (folder / "alerts").rglob("*.txt"))


def rows(engine):
    with reading(engine) as connection:
        return {
            name: connection.execute(select(func.count()).select_from(found)).scalar()
            for name, found in tables.metadata.tables.items()
        }


def goes_on(folder, url):
    """A daemon on a restored database knows what was told, tells nothing again, and tells what is new."""
    before = letters(folder)
    assert before
    daemon = Daemon(settings(folder, url))
    work(daemon)
    assert letters(folder) == before
    figures(folder / "books" / "town-2025", [(f"指标{i:03d}", "2025-09", 950, "2025-10-20") for i in range(3)])
    work(daemon)
    assert len(letters(folder)) > len(before)
    daemon.close()


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_copy_of_a_file_is_of_one_moment_and_a_daemon_goes_on_with_it(daemon, tmp_path):
    stop, begun = threading.Event(), threading.Event()

    def write():
        while not stop.is_set():
            with daemon.engine.begin() as connection:  # two rows or none
                pulls.begin(connection, "b/twin", START)
                pulls.begin(connection, "b/twin", START)
            begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert begun.wait(10)
    done = typed("db", "backup", str(tmp_path / "copy.db"), "--config", str(tmp_path / "duban.yaml"))
    stop.set()
    writer.join()
    assert done.returncode == 0, done.stderr
    assert "已备份到" in done.stdout
    copy = open_engine(f"sqlite:///{tmp_path}/copy.db")
    assert revision(copy) == revision(daemon.engine)
    with reading(copy) as connection:
        twins = connection.scalar(select(func.count()).where(tables.pull.c.source == "b/twin"))
    assert twins > 0
    assert twins % 2 == 0
    assert {**rows(copy), "pull": 0} == {**rows(daemon.engine), "pull": 0}
    copy.dispose()
    goes_on(tmp_path, f"sqlite:///{tmp_path}/copy.db")


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_copy_never_replaces_a_file_and_a_failed_one_leaves_none(daemon, tmp_path):
    (tmp_path / "there.db").write_text("precious")
    with pytest.raises(DatabaseError, match=r"已存在.*backup_refused"):
        backup(daemon.engine, tmp_path / "there.db")
    assert (tmp_path / "there.db").read_text() == "precious"
    with pytest.raises(DatabaseError, match=r"无法写入.*backup_refused"):
        backup(daemon.engine, tmp_path / "no such folder" / "copy.db")
    assert not list(tmp_path.glob("**/*.part"))


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_postgresql_is_copied_by_its_own_tools_and_a_daemon_goes_on_with_the_copy(daemon, tmp_path, postgres):
    with pytest.raises(DatabaseError, match=r"pg_dump --format=custom --file=.* postgresql://.*backup_refused"):
        backup(daemon.engine, tmp_path / "copy.dump")
    url = daemon.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    shared = {"check": True, "capture_output": True}
    subprocess.run([postgres.binaries / "pg_dump", "--format=custom", f"--file={tmp_path}/copy.dump", url], **shared)
    name = postgres.create()
    restored = postgres.url(name)
    subprocess.run(
        [postgres.binaries / "pg_restore", "--exit-on-error", f"--dbname={restored}", tmp_path / "copy.dump"], **shared
    )
    copy = open_engine(restored)
    assert rows(copy) == rows(daemon.engine)
    copy.dispose()
    goes_on(tmp_path, restored)
    postgres.drop(name)


def test_a_filled_database_of_an_earlier_version_is_migrated_under_a_reader_and_a_daemon_goes_on(daemon, tmp_path):
    """Filled as the tables are now, taken back to what they were without the lead and what came after, and brought up again."""
    before = rows(daemon.engine)
    with daemon.engine.begin() as connection:
        connection.execute(text("DROP TABLE leader"))
        for column in ("subject", "section", "label"):
            connection.execute(text(f"ALTER TABLE silence DROP COLUMN {column}"))
        for index in ("quarantine_pull_id", "delivery_status_finished_at_channel_due_at"):
            connection.execute(text(f"DROP INDEX ix_{index}"))
        connection.execute(text("CREATE INDEX ix_delivery_status_channel_due_at ON delivery (status, channel, due_at)"))
        op = Operations(MigrationContext.configure(connection))
        for name in ("delivery_key", "delivery_change_id_receiver_channel_address"):
            op.drop_index(f"ix_{name}", "delivery")
        op.create_index("ix_delivery_change_id", "delivery", ["change_id"])
        for name, referred in (("change", "alert"), ("delivery", "change"), ("attempt", "delivery")):
            with op.batch_alter_table(name) as table:
                table.create_foreign_key(f"fk_{name}_{referred}_id", referred, [f"{referred}_id"], ["id"])
                if name == "delivery":
                    table.create_unique_constraint("uq_delivery_key", ["key"])
        connection.execute(text("UPDATE alembic_version SET version_num = '0008'"))
    with reading(daemon.engine) as reader:
        assert reader.scalar(select(func.count()).select_from(tables.observation)) == 3
        other = open_engine(daemon.engine.url.render_as_string(hide_password=False))
        assert migrate(other) == "0012"
        other.dispose()
        assert reader.scalar(select(func.count()).select_from(tables.observation)) == 3
    assert rows(daemon.engine) == before
    goes_on(tmp_path, daemon.engine.url.render_as_string(hide_password=False))
