"""Who may change alerts: one process at a time. The lock goes with the process, however it ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text

_KEY = 0x64756261_6E  # "duban": any number that no other program uses in this database


@contextmanager
def leadership(engine: Engine) -> Iterator[bool]:
    """Whether this process leads, for as long as the block lasts.

    A file lock beside an SQLite database, an advisory lock on a connection of
    its own in PostgreSQL; both are let go by the system when the process dies.
    """
    if engine.dialect.name == "sqlite":
        with Path(f"{engine.url.database}.lock").open("w") as lock:
            yield _lock_file(lock.fileno())
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        leading = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _KEY}))
        try:
            yield leading
        finally:
            if leading:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _KEY})


def _lock_file(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
