"""A copy of the whole database, as of one moment, beside daemons at work."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Engine

from monitor.store.database import DatabaseError, Failure, shown


def backup(engine: Engine, file: Path) -> int:
    """Copy an SQLite database into ``file``, whole or not at all, without its gaps; returns its size in bytes.

    Nobody waits for it. Raises DatabaseError where ``file`` exists or cannot be written, and for PostgreSQL, whose
    own ``pg_dump`` does it.
    """
    if engine.dialect.name != "sqlite":
        command = f"pg_dump --format=custom --file={file} {shown(engine.url.set(drivername='postgresql'))}"
        raise DatabaseError(Failure.NO_BACKUP, f"PostgreSQL 请用其自带的工具备份：{command}")
    if file.exists():
        raise DatabaseError(Failure.NO_BACKUP, f"{file} 已存在，不予覆盖；请换一个文件名")
    part = file.with_name(f".{file.name}.part")
    try:
        part.unlink(missing_ok=True)
        with engine.connect() as connection:
            # Not through the connection itself, which would begin a transaction; this one statement is one.
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute("VACUUM INTO ?", (str(part),))
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.rename(file)
    except (sqlite3.Error, OSError) as error:
        raise DatabaseError(Failure.NO_BACKUP, f"无法写入 {file}：{error}") from None
    finally:
        with suppress(OSError):
            part.unlink()
    return file.stat().st_size
