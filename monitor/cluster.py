"""Work shared with other hosts: a leader that puts questions into a queue, and ``duban worker``, which answers them.

All decisions and all records stay with the leader. A worker asks sources and carries letters, and writes nothing but
its answer, into a question that still stands; so whoever was taken for dead does no harm, however late it wakes up.
"""

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from msgspec import convert, to_builtins
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from alerts import message
from alerts.channels.base import Channel, Letter
from alerts.delivery import LEASE, Attempt, Result
from connectors.base import ConnectorError, Failure, Remote
from connectors.observation import Query, Reading
from monitor import config, logs, wiring
from monitor.app import Daemon
from monitor.carrying import digest, read, written
from monitor.config import ChannelSpec, Executors, Settings
from monitor.force import templates
from monitor.store import errands
from monitor.store.database import LIVELY, insist, open_engine
from monitor.store.leader import NotLeading
from monitor.wiring import Feed
from monitor.worker import Loop
from rules.document import Invalid
from rules.loader import load_books

if TYPE_CHECKING:
    from procrastinate import PsycopgConnector

log = logging.getLogger(__name__)
_Thing = TypeVar("_Thing")

_LOOK_EVERY, _TAKE_UP_EVERY, _WAIT = 0.1, 1.0, 0.5
_UNTAKEN = 30.0
"""Seconds after which a question that no worker takes is withdrawn."""
_BEATS = 5
"""Signs of life of a worker within the time after which one that gives none is taken for dead."""
_FORGOTTEN = 3600.0
"""Seconds of silence after which a worker that wakes up must begin anew."""
_END = 15.0


def require(settings: Settings) -> None:
    """Raises Invalid where settings ask for a cluster that cannot be."""
    if not open_engine(settings.database_url()).dialect.name == "postgresql":
        raise Invalid(
            ["executor: cluster 只能用于 PostgreSQL (needs postgresql)；请改 database，或写 executor: threads"]
        )
    if find_spec("procrastinate") is None:
        raise Invalid(["executor: cluster 缺少 procrastinate (not installed)；请安装 duban[cluster]"])


class Untaken(Exception):
    """No worker took up the question."""


class _Asked(NamedTuple):
    """``since`` is when it was put into the queue, be it ``again`` because its worker died."""

    answer: Future[dict[str, Any]]
    since: float
    again: bool = False


class Cluster:
    """The leader's side. What is read on this machine is read here; sources on others and channels are the workers'."""

    def __init__(self, daemon: Daemon) -> None:
        """Raises Invalid."""
        settings = daemon.force.settings
        require(settings)
        self._daemon, self._patience = daemon, float(settings.takeover)
        self._asked: dict[int, _Asked] = {}
        self._turn, self._took_up = threading.Lock(), 0.0
        self._looking: Loop | None = None

    def fetch(self, feed: Feed, query: Query) -> Reading:
        if not isinstance(feed.connector, Remote):
            return feed.connector.fetch(query)
        source = feed.source
        known = {"source": source.key, "digest": digest(source.connector, source.options)}
        try:
            said = self._ask({**known, "query": to_builtins(query)})
        except Untaken:
            detail = f"{_UNTAKEN:.0f}秒内没有 duban worker 受理 (no worker)；请检查各 worker 是否在运行"
            raise ConnectorError(Failure.UNREACHABLE, detail, retryable=True) from None
        if "failure" in said:
            raise ConnectorError(Failure(said["failure"]), said["detail"], retryable=said["retryable"])
        return read(said)

    def send(self, name: str, sender: Channel, letters: Sequence[Letter]) -> list[Attempt]:
        known = {"channel": name, "digest": _digest(self._daemon.force.settings.channels[name])}
        spent = [] if sender.slots is None else sender.slots.spent()
        try:
            said = self._ask({**known, "letters": to_builtins(list(letters)), "spent": spent})
        except Untaken:
            log.warning("action=no_worker channel=%s letters=%s", name, len(letters))
            return []
        if sender.slots is not None:
            sender.slots.resume(said["spent"])
        return convert(said["attempts"], list[Attempt])

    def close(self) -> None:
        if self._looking is not None:
            self._looking.stop(0)
        self._fail(NotLeading("本进程已停止 (stopped)"))

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Wait for a worker's answer. Raises Untaken, NotLeading, SQLAlchemyError."""
        with self._turn:
            if self._looking is None:
                errands.prepare(self._daemon.engine)
                self._looking = Loop("errands", self._look, _LOOK_EVERY)
                self._looking.start()
        answer: Future[dict[str, Any]] = Future()
        with self._daemon.engine.begin() as connection:
            errand = errands.put(connection, json.dumps(question))
        self._asked[errand] = _Asked(answer, time.monotonic())
        return answer.result()

    def _look(self) -> None:
        """Take what was answered, put what a dead worker had into the queue again, withdraw what nobody takes."""
        if not self._asked:
            return
        untaken: list[int] = []
        try:
            with self._daemon.engine.begin() as connection:
                for errand, said in errands.answered(connection, list(self._asked)).items():
                    # At once: should the database take it back and not live to say so, nobody would hear of it again.
                    self._asked.pop(errand).answer.set_result(json.loads(said))
                if time.monotonic() - self._took_up > _TAKE_UP_EVERY:
                    now = self._took_up = time.monotonic()
                    for errand in errands.put_again(connection, self._patience):
                        log.warning("action=taken_up errand=%s", errand)
                        # However long it took: it waits to be taken from now on. Once, for it may be what kills workers.
                        if (one := self._asked.get(errand)) is not None and not one.again:
                            self._asked[errand] = one._replace(since=now, again=True)
                    late = now - _UNTAKEN
                    old = [errand for errand, (_, since, _) in list(self._asked.items()) if since < late]
                    untaken = errands.withdraw(connection, old)
        except NotLeading as error:
            self._fail(error)
            return
        except SQLAlchemyError:
            time.sleep(_TAKE_UP_EVERY)
            raise
        for errand in untaken:
            self._asked.pop(errand).answer.set_exception(Untaken())

    def _fail(self, error: Exception) -> None:
        for errand in list(self._asked):
            self._asked.pop(errand).answer.set_exception(error)


def work(path: Path | None) -> None:
    """Run until SIGTERM or SIGINT; what is under way is finished, within bounds. Raises Invalid."""
    settings = config.load(path)
    if settings.executor is not Executors.CLUSTER:
        raise Invalid(["设置中没有 executor: cluster (no cluster)；不用它时由 duban run 自行拉取和投递"])
    require(settings)
    logs.setup(settings.log)
    # Whatever falls silent must hold no lock: every statement is a transaction of its own.
    engine = open_engine(settings.database_url()).execution_options(isolation_level="AUTOCOMMIT")
    log.info("action=waiting: for a leader of this version of duban and procrastinate to make the queue")
    while not _prepared(engine):
        time.sleep(_WAIT)
    asyncio.run(_serve(_Worker(path, engine), engine, settings))


def _prepared(engine: Engine) -> bool:
    with suppress(OperationalError):  # the database may start later than this host
        return errands.prepared(engine)
    return False


def _connector(engine: Engine) -> "PsycopgConnector":
    from procrastinate import PsycopgConnector

    return PsycopgConnector(
        conninfo=engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
        kwargs={**LIVELY, "options": f"-c search_path={errands.SCHEMA}"},
    )


async def _serve(worker: "_Worker", engine: Engine, settings: Settings) -> None:
    from procrastinate import App

    app = App(connector=_connector(engine))
    app.task(name=errands.TASK)(worker.do)
    # As many as a leader asks at once: a slow source never keeps a letter waiting.
    threads = settings.pulls_at_once + len(settings.channels)
    # Its own number of threads depends on the processors, ours wait for others.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(threads, "errand"))
    async with app.open_async():
        log.info("action=working threads=%s", threads)
        await app.run_worker_async(
            queues=[errands.TASK],
            concurrency=threads,
            fetch_job_polling_interval=1.0,
            shutdown_graceful_timeout=_END,
            delete_jobs="always",
            update_heartbeat_interval=settings.takeover / _BEATS,
            stalled_worker_timeout=_FORGOTTEN,
        )


class _Worker:
    """The worker's side: sources and channels as they are written on this host, read anew where the leader's differ."""

    def __init__(self, path: Path | None, engine: Engine) -> None:
        self._path, self._engine = path, engine
        self._turn = threading.Lock()
        self._feeds: dict[tuple[str, str], Feed] = {}
        self._channels: dict[tuple[str, str], Channel] = {}
        self._errors: list[str] = []

    def do(self, errand: int) -> None:
        """One errand. What was done is written down even if the database is away for a moment."""
        with self._engine.connect() as connection:
            asked = errands.question(connection, errand)
        if asked is None:
            return
        question = json.loads(asked)
        said = json.dumps(self._fetched(question) if "source" in question else self._sent(question))
        if not insist(self._engine, lambda connection: errands.answer(connection, errand, said), LEASE.total_seconds()):
            log.warning("action=too_late errand=%s: it was given to another worker, or its leader is no more", errand)

    def _fetched(self, question: dict[str, Any]) -> dict[str, Any]:
        try:
            feed = self._find(lambda: self._feeds, question["source"], question["digest"])
            return written(feed.connector.fetch(convert(question["query"], Query)))
        except ConnectorError as error:
            return {"failure": error.reason, "detail": error.detail, "retryable": error.retryable}
        except Invalid as error:
            return {"failure": Failure.MISCONFIGURED, "detail": str(error), "retryable": False}
        except Exception as error:  # a third party's connector may do anything; the leader must hear of it
            log.exception("action=fetch_crashed source=%s", question["source"])
            return {"failure": Failure.INTERNAL, "detail": f"{type(error).__name__}: {error}", "retryable": True}

    def _sent(self, question: dict[str, Any]) -> dict[str, Any]:
        letters, slots = convert(question["letters"], list[Letter]), None
        try:
            channel = self._find(lambda: self._channels, question["channel"], question["digest"])
            slots = channel.slots
            if slots is not None:
                slots.resume(question["spent"])
            attempts = channel.send(letters)
        except Invalid as error:
            attempts = [Attempt(Result.MISCONFIGURED, str(error))] * len(letters)
        except Exception as error:  # as in the daemon
            log.exception("action=send_crashed channel=%s", question["channel"])
            attempts = [Attempt(Result.INTERNAL, f"{type(error).__name__}: {error}")] * len(letters)
        spent = [] if slots is None else slots.spent()
        return {"attempts": to_builtins(attempts), "spent": spent}

    def _find(self, known: Callable[[], dict[tuple[str, str], _Thing]], name: str, mark: str) -> _Thing:
        """What the leader calls ``name`` and has written as it is here. Raises Invalid where that is not so."""
        with self._turn:
            if (name, mark) not in known():
                self._read()
            if (name, mark) in known():
                return known()[name, mark]
        words = f"{gethostname()} 上所写的 '{name}' 与值守主机不同 (differs)；请使各主机的设置与目标册一致"
        raise Invalid([words, *self._errors])

    def _read(self) -> None:
        settings = config.load(self._path)
        books, found = load_books(settings.books)
        self._errors = list(found)
        for channel in self._channels.values():
            channel.close()
        feeds = wiring.feeds(books, self._errors)
        self._feeds = {(key, digest(feed.source.connector, feed.source.options)): feed for key, feed in feeds.items()}
        message.use(templates(settings, self._errors))
        channels = wiring.channels(settings.channels, self._errors)
        self._channels = {(name, _digest(settings.channels[name])): channel for name, channel in channels.items()}


def _digest(spec: ChannelSpec) -> str:
    return digest(spec.kind, spec.options)
