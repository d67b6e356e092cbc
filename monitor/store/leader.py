"""Who leads: of all processes on a database one writes, the others stand by. One that lost the lead cannot write.

The lead is a term: a number in the database that each new leader raises by one.

- *Lock.* The leader of a term holds the lock of that number: on PostgreSQL an advisory lock of a session, on SQLite a
  lock on a file beside the database. The system lets it go when the process or the session ends, however it ends, so
  that a dead leader is replaced at once.
- *Beat.* A leader that hangs keeps its lock, but no longer moves ``beat``. After some patience it is ousted. No clock
  is compared with another one: whoever stands by measures how long it has seen nothing move.
- *Fence.* Each writing transaction of the engine checks, before anything else, that its term still stands, and holds
  off the next term until it ends. So whatever wakes up too late writes nothing.
"""

import fcntl
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from sqlalchemy import Connection, Engine, Update, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from monitor.store.database import FENCE, reading
from monitor.store.tables import leader as table

log = logging.getLogger(__name__)

PATIENCE = 15.0
"""Seconds without a sign of life after which a leader that still holds its lock is ousted."""
_BEAT_EVERY = 1.0
_LAST_BEAT = 5.0
_KEY = 0x64756261  # "duba": any number that no other program uses in this database; the second half is the term
_HOLDERS = """
    SELECT pg_terminate_backend(pid) FROM pg_locks
    WHERE locktype = 'advisory' AND classid = :key AND objid = :term AND objsubid = 2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()
"""


class NotLeading(Exception):
    """This process does not lead, or no longer: nothing was written."""


class Lead(NamedTuple):
    """The lead as the database has it; ``holder`` is ``host:pid`` of its last leader, "" where there was none."""

    term: int
    beat: int
    holder: str


class Leader:
    """This process's part in it. From now on ``engine`` writes only while this leads; reading is free.

    ``lost`` is called, in any thread, when the lead was taken away.
    """

    def __init__(self, engine: Engine, patience: float = PATIENCE, lost: Callable[[], object] = lambda: None) -> None:
        self._patience, self._lost = patience, lost
        # As the engine is without the fence.
        unfenced = engine.execution_options(**{FENCE: None})
        self._seat: _Seat = _File(unfenced) if engine.dialect.name == "sqlite" else _Session(unfenced)
        self._term: int | None = None
        self._seen: Lead | None = None
        self._seen_at = 0.0
        self._over = threading.Event()
        self._beating: threading.Thread | None = None
        self._turn = threading.Lock()
        self.deposed = False
        engine.update_execution_options(**{FENCE: self._check})

    @property
    def leading(self) -> bool:
        return self._term is not None

    @property
    def holder(self) -> str:
        """Who led when this was last looked at, ``host:pid``."""
        return self._seen.holder if self._seen is not None else ""

    def take(self) -> bool:
        """Lead from now on, if nobody does or whoever does gave no sign of life; to be asked again and again.

        Raises SQLAlchemyError where the database cannot be reached.
        """
        try:
            lead = self._seat.look()
        except SQLAlchemyError:
            self._seen = None  # without the database nobody could give a sign of life
            raise
        if lead != self._seen:
            self._seen, self._seen_at = lead, time.monotonic()
        silent = time.monotonic() - self._seen_at > self._patience
        if not self._seat.take(lead, oust=silent):
            return False
        self._term = lead.term + 1
        self._over.clear()
        self._beating = threading.Thread(target=self._beat, args=(self._term,), name="beat", daemon=True)
        self._beating.start()
        log.info("action=leading term=%s after=%s ousted=%s", self._term, lead.holder or "nobody", silent)
        return True

    def release(self) -> None:
        """Let go of the lead, so that another one can take it at once. What is still under way here writes no more."""
        self._term = None
        self._over.set()
        if self._beating is not None:
            self._beating.join(_LAST_BEAT)
        self._seat.close()

    def _beat(self, term: int) -> None:
        reached = True
        while not self._over.wait(_BEAT_EVERY):
            try:
                stands = self._seat.beat(term)
            except SQLAlchemyError as error:
                if reached:
                    log.warning("action=beat_failed term=%s error=%s", term, " ".join(str(error).split()))
                reached = False
                continue
            if not reached:
                log.info("action=beat_again term=%s", term)
            reached = True
            if not stands:
                self._depose(term)
                return

    def _check(self, connection: Connection) -> None:
        """The fence. Raises NotLeading."""
        term = self._term
        if term is None:
            raise NotLeading("本进程不在值守，不得写入 (not leading)")
        if not self._seat.stands(connection, term):
            self._depose(term)
            raise NotLeading(f"第{term}任值守已由另一进程接替，不得写入 (not leading)")

    def _depose(self, term: int) -> None:
        with self._turn:
            if self._term != term:
                return
            self._term, self.deposed = None, True
        self._over.set()
        log.error("action=lead_lost term=%s: another process leads, this one writes no more", term)
        self._lost()


@contextmanager
def leadership(engine: Engine) -> Iterator[bool]:
    """Whether this process leads, for as long as the block lasts. Where it does not, ``engine`` only reads meanwhile."""
    leader = Leader(engine)
    try:
        yield leader.take()
    finally:
        leader.release()
        engine.update_execution_options(**{FENCE: None})


def alive(engine: Engine) -> str:
    """Who leads, ``host:pid``, if they give a sign of life while we look; "" otherwise. Takes nothing, writes nothing."""
    with reading(engine) as connection:
        before = _look(connection)
    end = time.monotonic() + 2 * _BEAT_EVERY
    while before.holder and time.monotonic() < end:
        time.sleep(_BEAT_EVERY / 10)
        with reading(engine) as connection:
            lead = _look(connection)
        if lead != before:
            return lead.holder
    return ""


class _Seat(Protocol):
    """The lock and the row of the lead in one kind of database."""

    def look(self) -> Lead:
        """The lead as it is."""

    def take(self, lead: Lead, *, oust: bool) -> bool:
        """Begin the next term, if the lock of this one is free. ``oust``: its holder gave no sign of life."""

    def beat(self, term: int) -> bool:
        """Give a sign of life; False where the term is over."""

    def stands(self, connection: Connection, term: int) -> bool:
        """Whether a term stands; if so it does until the transaction, which has just begun, ends."""

    def close(self) -> None:
        """Let go of the lock."""


class _Session:
    """PostgreSQL: leader and writers share the lock of their term, whoever ends it must have it alone."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._session: Connection | None = None
        self._turn = threading.Lock()

    def look(self) -> Lead:
        with self._used() as session:
            return _look(session)

    def take(self, lead: Lead, *, oust: bool) -> bool:
        with self._used() as session:
            if not _asked(session, "pg_try_advisory_lock", lead.term):
                if oust:  # its sessions: that of its lock, and those of transactions that nobody will ever end
                    session.execute(text(_HOLDERS), {"key": _KEY, "term": lead.term})
                return False
            # The lock of the new term is held before anybody can know of it.
            won = _asked(session, "pg_try_advisory_lock_shared", lead.term + 1)
            won = won and session.execute(_succeed(lead)).rowcount == 1
            if not won:
                _asked(session, "pg_advisory_unlock_shared", lead.term + 1)
            _asked(session, "pg_advisory_unlock", lead.term)
            return won

    def beat(self, term: int) -> bool:
        cut = self._session is None
        with self._used() as session:
            if cut and not _asked(session, "pg_try_advisory_lock_shared", term):
                self.close()
                return True  # somebody is about to end this term; the next beat will tell
            return session.execute(_beaten(term)).rowcount == 1

    def stands(self, connection: Connection, term: int) -> bool:
        _asked(connection, "pg_advisory_xact_lock_shared", term)
        # A statement of its own: it must see what was committed while the one before waited.
        return connection.scalar(select(table.c.term)) == term

    def close(self) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        # A server notices only after a while that a session was closed; in the midst of a statement, which may hang, or
        # after an error that has to do.
        if self._turn.acquire(blocking=False):
            with suppress(SQLAlchemyError):
                session.execute(text("SELECT pg_advisory_unlock_all()"))
            self._turn.release()
        session.close()

    @contextmanager
    def _used(self) -> Iterator[Connection]:
        """The session. After an error it is ended, and with it its locks."""
        with self._turn:
            if self._session is None:
                self._session = self._engine.connect()
                # Not of the pool: closing it ends it.
                self._session.detach()
            try:
                yield self._session
            except BaseException:
                self.close()
                raise


class _File:
    """SQLite: a file per term, and the one writing transaction that SQLite has at a time.

    A leader that hangs within a transaction keeps the database locked: nobody can write then, nor oust it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._path = Path(f"{engine.url.database}.lock")
        self._lock: int | None = None

    def look(self) -> Lead:
        with reading(self._engine) as connection:
            return _look(connection)

    def take(self, lead: Lead, *, oust: bool) -> bool:
        before, lock = self._grab(lead.term), None
        try:
            if before is None and not oust:
                return False
            # The lock of the new term is held before anybody can know of it.
            lock = self._grab(lead.term + 1)
            if lock is None:
                return False
            with self._engine.begin() as connection:
                if connection.execute(_succeed(lead).where(table.c.beat == lead.beat)).rowcount != 1:
                    return False
            self._lock, lock = lock, None
        finally:
            for descriptor in (before, lock):
                if descriptor is not None:
                    os.close(descriptor)
        for path in self._path.parent.glob(f"{self._path.name}-*"):
            if int(path.name.rpartition("-")[2]) <= lead.term:
                path.unlink(missing_ok=True)
        return True

    def beat(self, term: int) -> bool:
        with self._engine.begin() as connection:
            return connection.execute(_beaten(term)).rowcount == 1

    def stands(self, connection: Connection, term: int) -> bool:
        # A sign of life too: after a long transaction the leader is not taken for silent.
        return connection.execute(_beaten(term)).rowcount == 1

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _grab(self, term: int) -> int | None:
        """The descriptor of the file of a term, locked; None where another one has it."""
        descriptor = os.open(f"{self._path}-{term}", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor


def _look(connection: Connection) -> Lead:
    return Lead(*connection.execute(select(table.c.term, table.c.beat, table.c.holder)).one())


def _asked(connection: Connection, function: str, term: int) -> bool:
    return bool(connection.scalar(text(f"SELECT {function}(:key, :term)"), {"key": _KEY, "term": term}))


def _succeed(lead: Lead) -> Update:
    mine = {"term": lead.term + 1, "beat": 0, "holder": f"{socket.gethostname()}:{os.getpid()}"}
    return update(table).where(table.c.term == lead.term).values(mine)


def _beaten(term: int) -> Update:
    return update(table).where(table.c.term == term).values(beat=table.c.beat + 1)
