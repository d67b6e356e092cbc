import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, String, insert, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from monitor.store import database, pulls
from monitor.store.database import DatabaseError, Failure, migrate, open_engine, reading, revision, shown
from monitor.store.leader import leadership
from monitor.store.tables import delivery, metadata, pull, quarantine, series
from tests.monitor.store.samples import START


def test_an_empty_database_has_no_revision_and_gets_one(database_url: str) -> None:
    engine = open_engine(database_url)
    assert revision(engine) is None
    assert migrate(engine) == revision(engine) == "0012"
    assert set(inspect(engine).get_table_names()) == set(metadata.tables) | {"alembic_version"}
    engine.dispose()


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    assert migrate(engine) == migrate(engine)


def test_the_database_says_how_much_room_it_takes(engine: Engine) -> None:
    with engine.connect() as connection:
        assert 100_000 < database.size(connection) < 100_000_000


def test_a_daemon_at_work_does_not_hold_up_a_migration(engine: Engine) -> None:
    with leadership(engine) as leading:
        assert leading
        assert migrate(engine) == "0012"


def test_migrations_and_tables_agree(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": not _sqlite(engine)}
        )
        assert list(_differences(compare_metadata(context, metadata))) == []


def _differences(found: list[Any]) -> Any:
    """Alembic takes a rowid that is its table's primary key for nullable, which it is not."""
    for difference in found:
        if isinstance(difference, list):
            yield from (part for part in difference if not (part[0] == "modify_nullable" and part[3] == "id"))
        else:
            yield difference


def test_the_comparison_sees_a_column_that_no_migration_makes(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE run DROP COLUMN detail"))
        assert [difference[0] for difference in compare_metadata(MigrationContext.configure(connection), metadata)] == [
            "add_column"
        ]


def test_processes_that_start_together_migrate_once(database_url: str) -> None:
    code = (
        "import sys; from monitor.store.database import migrate, open_engine; print(migrate(open_engine(sys.argv[1])))"
    )
    root = Path(__file__).parents[3]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, database_url],
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    assert [process.communicate() for process in started] == [("0012\n", "")] * 2


def test_a_failed_migration_leaves_nothing_behind(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_engine(database_url)

    def fail(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr("alembic.command.upgrade", fail)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept (id INTEGER)"))
    with pytest.raises(RuntimeError):
        migrate(engine)
    assert inspect(engine).get_table_names() == ["kept"]
    engine.dispose()


def test_a_database_newer_than_the_program_is_refused(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match=r"数据库版本 9999 比程序新.*\(database_newer\)") as raised:
        migrate(engine)
    assert raised.value.reason is Failure.NEWER
    assert revision(engine) == "9999"


@pytest.mark.parametrize(
    "address", ["postgresql://duban:geheim%21@127.0.0.1:1/duban", "postgresql://127.0.0.1:1/duban?password=geheim%21"]
)
def test_an_unreachable_server_is_named_without_its_password(address: str) -> None:
    engine = open_engine(address)
    with pytest.raises(
        DatabaseError, match=r"无法使用数据库 postgresql\+psycopg://.*\(database_unreachable\)"
    ) as raised:
        migrate(engine)
    assert "geheim" not in str(raised.value)
    assert "geheim" not in shown(make_url(address))
    assert raised.value.__suppress_context__


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "duban.db"
    path.write_text("这不是数据库" * 200)
    with pytest.raises(DatabaseError, match="database_unreachable"):
        migrate(open_engine(f"sqlite:///{path}"))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file")
    with pytest.raises(DatabaseError, match="无法建立数据库所在的文件夹"):
        open_engine(f"sqlite:///{tmp_path}/var/duban.db")


@pytest.mark.parametrize("address", ["mysql://root@localhost/duban", "duban.db", ""])
def test_an_address_of_another_kind_is_refused(address: str) -> None:
    with pytest.raises(DatabaseError, match="bad_database_url"):
        open_engine(address)


def test_the_folder_of_a_new_file_is_made(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/a/b/duban.db")
    migrate(engine)
    assert (tmp_path / "a/b/duban.db").exists()
    engine.dispose()


def test_sqlite_is_set_up_for_a_daemon(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/duban.db")
    with engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    assert found == {"journal_mode": "wal", "synchronous": 1, "busy_timeout": 10_000, "foreign_keys": 1}
    engine.dispose()


def test_a_process_that_ends_leaves_nothing_but_the_file(tmp_path: Path) -> None:
    code = (
        "import os, sys; from monitor.store.database import migrate, open_engine; migrate(open_engine(sys.argv[1]));"
        "print(sorted(os.listdir()))"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code, "sqlite:///duban.db"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(root)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "['duban.db', 'duban.db-shm', 'duban.db-wal']\n"
    assert [path.name for path in tmp_path.iterdir()] == ["duban.db"]


def test_a_writing_transaction_holds_the_lock_from_its_start(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/duban.db")
    migrate(engine)
    other = sqlite3.connect(tmp_path / "duban.db", timeout=0)
    with engine.begin(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    with reading(engine) as connection:
        connection.execute(select(series)).all()
        other.execute("BEGIN IMMEDIATE")
    other.close()
    engine.dispose()


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_server_compiles_nothing_and_heeds_the_options_of_its_address(database_url: str) -> None:
    engine = open_engine(f"{database_url}?options=-c%20work_mem%3D17MB")
    with reading(engine) as connection:
        found = [connection.scalar(text(f"SHOW {name}")) for name in ("jit", "work_mem")]
    assert found == ["off", "17MB"]
    engine.dispose()


def test_a_reader_sees_one_moment_while_others_write(engine: Engine) -> None:
    with reading(engine) as reader:
        assert reader.execute(select(series)).all() == []
        with engine.begin() as writer:
            writer.execute(insert(series).values(source="b/s", name="n", subject="", unit=""))
        assert reader.execute(select(series)).all() == []
    with reading(engine) as reader:
        assert len(reader.execute(select(series)).all()) == 1


def test_writers_wait_for_each_other(engine: Engine) -> None:
    with engine.begin() as connection:
        pull_id = pulls.begin(connection, "b/s", START)

    def raise_count(_: int) -> None:
        with engine.begin() as connection:
            count = connection.scalar(select(pull.c.rows_read).where(pull.c.id == pull_id).with_for_update())
            connection.execute(pull.update().values(rows_read=count + 1))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(raise_count, range(40)))
    with reading(engine) as connection:
        assert connection.scalar(select(pull.c.rows_read)) == 40


def test_foreign_keys_are_enforced(engine: Engine) -> None:
    names = [column.name for column in quarantine.columns if isinstance(column.type, String)]
    row = dict.fromkeys(names, "") | {"pull_id": 7, "first_seen": START, "last_seen": START}
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(insert(quarantine).values(row))


@pytest.mark.parametrize("same", [{"change_id": 7}, {"key": "a", "bulletin": "drill"}], ids=["change", "bulletin"])
def test_a_message_is_queued_once(engine: Engine, same: dict[str, Any]) -> None:
    row = {"receiver": "督查办", "channel": "hook", "address": "", "why": "", "status": "queued", "attempts": 0}
    with engine.begin() as connection:
        connection.execute(insert(delivery).values({"key": "a", "due_at": START} | row | same))
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(insert(delivery).values({"key": "b", "due_at": START} | row | same))


def _sqlite(engine: Engine) -> bool:
    return engine.dialect.name == "sqlite"
