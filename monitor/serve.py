"""``duban run``: the daemon with its web server, its signals and its orderly end."""

import ctypes
import gc
import logging
import signal
import threading
from contextlib import suppress
from pathlib import Path

import uvicorn

from monitor import logs
from monitor.app import Daemon
from monitor.metrics import Exposition
from monitor.pushing import Inbox
from monitor.store.leader import Leader
from monitor.web.server import create_app
from monitor.worker import Worker

log = logging.getLogger(__name__)

_LOOK_EVERY = 0.25
"""Seconds between two looks of a stand-by whether the lead is free."""
_END_REQUESTS, _END_WORK = 5, 15.0
"""Seconds for what is under way when the end is asked for; together less than the 30 s that most supervisors give."""
_MMAP_THRESHOLD = -3
"""Of mallopt(3)."""


def for_much_data() -> None:
    """Set up memory for a process that holds columns of a country, and makes as many objects at once when it storms."""
    # The objects of a storm all live on: the collector's usual 700 has it look through them in vain again and again.
    gc.set_threshold(10_000, 20, 50)
    # A column goes back to the system when it is let go. Left alone, glibc takes ever larger ones from its heap, whose
    # holes are never given back. Another C library has no such switch.
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, 2**20)


def serve(path: Path | None) -> None:
    """Run until SIGTERM or SIGINT. SIGHUP reloads; what is under way is finished before the end, within bounds.

    Beside a daemon that leads already this one stands by, and takes over when that one ends, dies or hangs. One that
    lost the lead ends with status 1: its supervisor starts it anew, as a stand-by.
    """
    for_much_data()
    daemon = Daemon(path)
    settings = daemon.force.settings
    logs.setup(settings.log)
    worker = Worker(daemon)
    leader = Leader(daemon.engine, settings.takeover, lost=lambda: _ended(server))
    ending = threading.Event()
    signal.signal(
        signal.SIGHUP, lambda *_: threading.Thread(target=_reload, args=(worker, leader), name="reload").start()
    )
    # The server ends its loop on these, then raises them again; by then there is work to finish here.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    app = create_app(
        lambda: daemon.snapshot,
        Exposition(daemon.meters, settings.series, settings.labels),
        (lambda: _reload(worker, leader)) if settings.reload_endpoint else None,
        Inbox(daemon, worker.news),
        settings.grafana,
        lambda: _standing_by(leader),
    )
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=_END_REQUESTS,
        )
    )
    for error in daemon.force.errors:
        log.error("action=left_out error=%s", error)
    log.info("action=started url=http://%s books=%s", settings.listen, len(daemon.force.watch.books))
    duty = threading.Thread(target=_duty, args=(daemon, worker, leader, ending), name="duty", daemon=True)
    duty.start()
    try:
        server.run()
    finally:
        ending.set()
        duty.join(_END_WORK)
        worker.stop(_END_WORK)
        leader.release()
        daemon.close()
        log.info("action=stopped")
    if leader.deposed:
        raise SystemExit(1)


def _duty(daemon: Daemon, worker: Worker, leader: Leader, ending: threading.Event) -> None:
    """Stand by until the lead is free, then work."""
    holder, trouble = "", ""
    while not ending.is_set():
        try:
            if leader.take():
                if holder:
                    daemon.refresh()
                worker.start()
                daemon.meters.leading.set(1)
                return
            if leader.holder != holder:
                holder = leader.holder
                log.info("action=standing_by leader=%s", holder)
        except Exception as error:
            leader.release()
            if str(error) != trouble:
                trouble = str(error)
                log.exception("action=takeover_failed")
        ending.wait(_LOOK_EVERY)


def _ended(server: uvicorn.Server) -> None:
    server.should_exit = True


def _reload(worker: Worker, leader: Leader) -> str:
    if leader.leading:
        return worker.reload()
    log.info("action=reload_put_off: standing by; what is written is read when this process takes over")
    return "本进程备用，接替值守时再读取新配置 (standing by)"


def _standing_by(leader: Leader) -> str:
    if leader.leading:
        return ""
    if leader.deposed:
        return "备用：值守已由另一进程接替，本进程即将退出"
    return f"备用：由{leader.holder or '另一进程'}值守，本进程待命，随时接替"
