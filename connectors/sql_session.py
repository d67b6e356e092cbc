"""A database opened to be read: nothing written, nothing waited for without end, every failure one reason in Chinese."""

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, NoSuchModuleError, ProgrammingError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from connectors.base import ConnectorError, Failure

log = logging.getLogger(__name__)

_SAID_SHOWN = 300
_SQLITE_STEPS = 10_000  # instructions of SQLite's machine between two looks at the clock
_DENIED = ("authentication failed", "认证失败", "no password supplied", "access denied", "permission denied")
_SLOW = "没有在 {seconds:g} 秒内查完 (statement timeout): 请缩小查询、加索引，或加大 timeout"
_WRITES = "query 试图写入，已被数据库拒绝 (read only): 只许写一条 SELECT"

# By SQLSTATE, SQLite's name of the error, or the beginning of either; the longest that fits counts.
_CODES: dict[str, tuple[Failure, str, bool]] = {
    "25006": (Failure.MISCONFIGURED, _WRITES, False),
    "SQLITE_READONLY": (Failure.MISCONFIGURED, _WRITES, False),
    "0A000": (Failure.MISCONFIGURED, "不是只读查询 (not a plain query): 只许写一条 SELECT", False),
    "57014": (Failure.TIMEOUT, _SLOW, True),
    "SQLITE_INTERRUPT": (Failure.TIMEOUT, _SLOW, True),
    "SQLITE_BUSY": (Failure.TIMEOUT, "数据库被占用 (locked): 请稍候，或加大 timeout", True),
    "SQLITE_CANTOPEN": (Failure.NOT_FOUND, "打不开数据库文件 (cannot open): 请检查路径和读权限", False),
    "SQLITE_NOTADB": (Failure.BAD_ANSWER, "不是 SQLite 数据库 (not a database): 请检查路径", False),
    "42P01": (Failure.MISCONFIGURED, "没有这张表 (missing table): 请核对 query 里的表名", False),
    "42703": (Failure.MISCONFIGURED, "没有这一列 (missing column): 请核对 query 里的列名", False),
    "42501": (Failure.DENIED, "没有权限 (permission denied): 请给数据库用户授予 SELECT", False),
    "42": (Failure.MISCONFIGURED, "query 不能执行 (bad query): 只许写一条 SELECT，请核对写法", False),
    "SQLITE_ERROR": (Failure.MISCONFIGURED, "query 不能执行 (bad query): 请核对表名、列名和写法", False),
    "22": (Failure.BAD_ANSWER, "数据不能换算 (bad data): 请核对 query 里的换算", False),
    "08": (Failure.UNREACHABLE, "连接中断 (connection lost): 请检查数据库和网络", True),
    "57P": (Failure.UNREACHABLE, "数据库正在停止或重启 (shutting down): 请稍候", True),
}


@dataclass(frozen=True, slots=True)
class Database:
    """Where to read. ``url`` may hold a password; it stands in no text that leaves this module."""

    url: URL = field(repr=False)
    folder: Path
    timeout: float
    zone: ZoneInfo

    @property
    def shown(self) -> str:
        """The address without password and options."""
        url = self.url
        bare = URL.create(url.drivername, url.username, None, url.host, url.port, url.database)
        return unquote(bare.render_as_string())

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A read-only transaction, rolled back at the end. Raises ConnectorError for all that the database raises."""
        try:
            engine = self._engine()
            with engine.connect() as connection:
                if connection.dialect.name == "postgresql":
                    limits = {"ms": str(int(self.timeout * 1000)), "zone": self.zone.key}
                    local = "SELECT set_config('statement_timeout', :ms, true), set_config('TimeZone', :zone, true)"
                    connection.execute(text(local), limits)
                elif connection.dialect.name != "sqlite":
                    log.warning("action=sql_guard_missing database=%s dialect=%s", self.shown, connection.dialect.name)
                yield connection
        except DBAPIError as error:
            raise self._failure(error) from None
        except ModuleNotFoundError as error:
            detail = f"缺少数据库驱动 {error.name} (missing driver): 请安装，PostgreSQL 为 pip install duban[postgres]"
            raise ConnectorError(Failure.MISCONFIGURED, detail, retryable=False) from None
        except SQLAlchemyError as error:
            detail = f"不能使用 (unusable): {self._said(error)}；请核对 url 和 query"
            raise ConnectorError(Failure.MISCONFIGURED, detail, retryable=False) from None

    def _engine(self) -> Engine:
        backend = self.url.get_backend_name()
        if backend == "sqlite":
            return self._sqlite()
        if backend != "postgresql":
            return create_engine(self.url, poolclass=NullPool)
        seconds = max(2, int(self.timeout))
        alive = {"keepalives_idle": seconds, "keepalives_interval": seconds, "keepalives_count": 2}
        return create_engine(
            self.url,
            poolclass=NullPool,
            connect_args={"connect_timeout": seconds, **alive},
            execution_options={"postgresql_readonly": True},
        )

    def _sqlite(self) -> Engine:
        path = (self.folder / (self.url.database or "")).resolve()

        def connect() -> sqlite3.Connection:
            return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=self.timeout)

        engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)

        @event.listens_for(engine, "connect")
        def limit(connection: sqlite3.Connection, _: object) -> None:
            ends = time.monotonic() + self.timeout
            connection.execute("PRAGMA query_only = ON")
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)  # neither ATTACH nor VACUUM INTO makes a file
            connection.set_progress_handler(lambda: time.monotonic() > ends, _SQLITE_STEPS)

        return engine

    def _failure(self, error: DBAPIError) -> ConnectorError:
        """The reason behind what the driver raised, with the database's own words."""
        cause, said = error.orig, self._said(error.orig)
        code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None) or ""
        if not code:  # the driver itself found it, not the server
            code = "42" if isinstance(error, ProgrammingError) else "22" if isinstance(error, DataError) else ""
        known = max((begins for begins in _CODES if code.startswith(begins)), key=len, default=None)
        if known:
            reason, words, retryable = _CODES[known]
        elif any(words in said.lower() for words in _DENIED):
            reason, retryable = Failure.DENIED, False
            words = "登录被拒绝 (login denied): 请检查用户名和 password_file"
        elif "timeout" in said.lower():
            reason, words, retryable = Failure.TIMEOUT, "连接超时 (connect timeout): 请检查地址和网络", True
        else:
            reason, words, retryable = Failure.UNREACHABLE, "连不上数据库 (unreachable): 请检查地址和网络", True
        detail = f"{words.format(seconds=self.timeout)}；数据库说: {said}"
        return ConnectorError(reason, detail, retryable=retryable)

    def _said(self, error: BaseException | None) -> str:
        said = " ".join(str(error).split())
        for secret in (self.url.password, *self.url.query.values()):
            for one in (secret,) if isinstance(secret, str) else secret or ():
                said = said.replace(one, "***") if one else said
        return said[:_SAID_SHOWN]


def address(given: str) -> URL:
    """The parsed address of a database. Raises ValueError, in Chinese with the cure; it repeats nothing of ``given``."""
    try:
        url = make_url(given.strip())
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise ValueError(
            "url 不是数据库地址 (bad database url): 应如 postgresql://reader@db.example/stat 或 sqlite:///figures.db"
        ) from None
    except ModuleNotFoundError:
        pass  # said when it is opened, with the name of the driver
    return url
