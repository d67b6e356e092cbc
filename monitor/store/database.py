"""Opening the database and bringing its tables up to date."""

import atexit
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from sqlalchemy import Connection, Engine, create_engine, delete, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from monitor.store.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

_Done = TypeVar("_Done")
_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_SECONDS = 10.0
_AWAY_SECONDS = 0.5
_MIGRATION_LOCK = 0x6D696772617465  # "migrate": any number that nobody else uses in this database, the leader included
_OPENED = WeakSet[Engine]()
_READ_ONLY = "duban_read_only"
_TURN = "duban_turn"
FENCE = "duban_fence"
"""Execution option of an engine: a function of the connection, called as each writing transaction begins, that raises
where this process must not write."""
LIVELY = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""Of a connection to PostgreSQL: no firewall takes it for idle, and a server that fell silent (a host gone, a cable cut)
is given up after some 10 s, not after hours."""
_HELD = ("55P03", "40P01")
"""What PostgreSQL says where a lock is not to be had: lock_not_available, deadlock_detected."""


class Failure(StrEnum):
    """Why the database cannot be used. The same word is shown, logged and counted."""

    BAD_URL = "bad_database_url"
    UNREACHABLE = "database_unreachable"
    NEWER = "database_newer"
    OLDER = "database_older"
    BUSY = "database_busy"
    NO_BACKUP = "backup_refused"


class DatabaseError(Exception):
    """The database cannot be used; ``str()`` is for people and holds no password."""

    def __init__(self, reason: Failure, detail: str) -> None:
        super().__init__(f"{detail} ({reason})")
        self.reason = reason


def open_engine(url: str) -> Engine:
    """An engine for ``sqlite:///PATH`` (the folder is made) or ``postgresql://...`` (through psycopg 3).

    Connects to nothing yet. On SQLite a transaction of the engine takes the write
    lock as it begins; reads go through ``reading``. Raises DatabaseError.
    """
    parsed = _parsed(url)
    try:
        engine = _open_sqlite(parsed) if parsed.get_backend_name() == "sqlite" else _open_server(parsed)
    except ModuleNotFoundError as error:
        detail = f"缺少数据库驱动 {error.name}；请安装 duban[postgres]"
        raise DatabaseError(Failure.BAD_URL, detail) from None
    _OPENED.add(engine)
    return engine


@atexit.register
def _let_go() -> None:
    """What the process leaves open is closed as it ends: SQLite then brings its log into the file, and removes it."""
    for engine in list(_OPENED):
        engine.dispose()


def in_memory() -> Engine:
    """An empty store that is gone with the process, for one thread."""
    engine = open_engine("sqlite://")
    metadata.create_all(engine)
    return engine


def emptied(engine: Engine) -> None:
    """Take every row out of a store in memory."""
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(delete(table))


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that only reads, all of it from one moment, and never waits for a writer nor makes one wait."""
    options: dict[str, Any] = {_READ_ONLY: True}
    if engine.dialect.name == "postgresql":
        options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection:
        yield connection


def insist(engine: Engine, work: Callable[[Connection], _Done], seconds: float) -> _Done:
    """What ``work`` gives in a transaction of its own; where the database is away, tried again for ``seconds``.

    For what happened already and must be written down. Raises what the last try raised.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            with engine.begin() as connection:
                return work(connection)
        except OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(_AWAY_SECONDS)


def migrate(engine: Engine) -> str:
    """Bring the tables to what this code needs; returns the revision then in force.

    All or nothing, and safe when several processes start together: the second
    waits, and finds the work done. Whoever reads a table for long (a backup) is
    not waited for, because all others would have to wait behind. Raises DatabaseError.
    """
    if (found := revision(engine)) == newest():
        return found
    from alembic import command  # most starts have nothing for it to do

    with _explained(engine), engine.connect() as connection, _keys_unchecked(connection), connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
            connection.execute(text(f"SET LOCAL lock_timeout = '{_BUSY_SECONDS}s'"))
        _refuse_newer(connection)
        command.upgrade(_config(connection), "head")
        return _current(connection) or ""


@contextmanager
def _keys_unchecked(connection: Connection) -> Iterator[None]:
    """SQLite changes a table by making it anew: those that refer to it would be found to refer to nothing."""
    if connection.dialect.name != "sqlite":
        yield
        return
    # Not through the connection itself: in a transaction, which it would begin, the switch does nothing.
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


def revision(engine: Engine) -> str | None:
    """The revision of the tables; None for an empty database. Raises DatabaseError."""
    with _explained(engine), reading(engine) as connection:
        return _current(connection)


def newest() -> str:
    """The revision that this code needs."""
    return max(_known())


def require_newest(engine: Engine) -> None:
    """Raise DatabaseError where the tables are not what this code needs: for those who only look and must not upgrade."""
    found = revision(engine)
    if found != newest():
        detail = f"数据库结构为 {found or '空'}，本版本为 {newest()}；请先执行 duban db upgrade"
        raise DatabaseError(Failure.OLDER, detail)


def size(connection: Connection) -> int:
    """Bytes that the database takes."""
    if connection.dialect.name == "sqlite":
        asked = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    else:
        asked = "SELECT pg_database_size(current_database())"
    return int(connection.exec_driver_sql(asked).scalar_one())


def shown(url: URL) -> str:
    """A database's address as it may be shown and logged: without password and options."""
    return URL.create(url.drivername, url.username, None, url.host, url.port, url.database).render_as_string()


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise DatabaseError(Failure.BAD_URL, "数据库地址无法识别；应如 sqlite:///var/duban.db") from None
    if parsed.drivername in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        return parsed
    raise DatabaseError(Failure.BAD_URL, f"不支持的数据库 {parsed.drivername}；可用 sqlite 或 postgresql")


def _open_server(url: URL) -> Engine:
    # To compile a question costs a server more than the answer: a month of a country takes twice as long.
    options = f"{url.query.get('options', '')} -c jit=off"
    engine = create_engine(url, pool_pre_ping=True, connect_args={**LIVELY, "options": options})
    event.listen(engine, "begin", _admit)
    return engine


def _open_sqlite(url: URL) -> Engine:
    if url.database and url.database != ":memory:":
        try:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(Failure.UNREACHABLE, f"无法建立数据库所在的文件夹 {error.filename}") from None
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS})
    turn = threading.Lock()

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        # The driver's own idea of when a transaction begins is switched off; see ``begin``.
        connection.isolation_level = None
        # An alert's change takes over a kilobyte: on the usual pages two of them leave much empty. Heeded by a new file.
        connection.execute("PRAGMA page_size = 8192")
        _use_wal(connection)
        # With WAL, NORMAL loses nothing when the process is killed; a power cut may undo the last transactions as a
        # whole, never half of one, and what was undone is pulled, judged and sent again.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA temp_store = MEMORY")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads and then writes would fail at once if another one wrote in between: lock first.
        if connection.get_execution_options().get(_READ_ONLY):
            connection.exec_driver_sql("BEGIN DEFERRED")
            return
        # SQLite waits for its lock by sleeping and looking again, which starves threads; they wait in line here first.
        connection.info[_TURN] = turn.acquire(timeout=_BUSY_SECONDS)
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            _admit(connection)
        except BaseException:
            leave(connection)
            raise

    @event.listens_for(engine, "commit")
    @event.listens_for(engine, "rollback")
    def leave(connection: Connection) -> None:
        if connection.info.pop(_TURN, False):
            turn.release()

    return engine


def _admit(connection: Connection) -> None:
    """Let a transaction begin that only reads, or that the engine's fence lets through."""
    options = connection.get_execution_options()
    fence = options.get(FENCE)
    if fence is not None and not options.get(_READ_ONLY):
        fence(connection)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Readers and the writer do not wait for each other. SQLite does not wait for the lock that the switch needs."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] not in ("wal", "memory"):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@contextmanager
def _explained(engine: Engine) -> Iterator[None]:
    """Turn what the driver raises into words."""
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) in _HELD:
            detail = f"数据库 {shown(engine.url)} 的表正被其他会话使用，未作任何改动；请待备份、长查询结束后重试"
            raise DatabaseError(Failure.BUSY, detail) from None
        said = " ".join(str(error.orig).split())
        for secret in (engine.url.password, engine.url.query.get("password")):
            said = said.replace(str(secret), "***") if secret else said
        raise DatabaseError(Failure.UNREACHABLE, f"无法使用数据库 {shown(engine.url)}: {said}") from None


def _config(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _known() -> set[str]:
    """Every revision; the files are named for theirs, one after another."""
    return {path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py")}


def _refuse_newer(connection: Connection) -> None:
    current = _current(connection)
    if current is not None and current not in _known():
        detail = f"数据库版本 {current} 比程序新；请升级 duban，或换用与之匹配的数据库"
        raise DatabaseError(Failure.NEWER, detail)
