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
from monitor.store.leader import leadership
from monitor.web.server import create_app
from monitor.worker import Worker
from rules.document import Invalid

log = logging.getLogger(__name__)

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
    """Run until SIGTERM or SIGINT. SIGHUP reloads; what is under way is finished before the end."""
    for_much_data()
    daemon = Daemon(path)
    settings = daemon.force.settings
    logs.setup(settings.log)
    with leadership(daemon.engine) as leading:
        if not leading:
            raise Invalid([f"{settings.database}: 另一个守护进程正在使用这个数据库 (already running)"])
        worker = Worker(daemon)
        signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=worker.reload, name="reload").start())
        # The server ends its loop on these, then raises them again; by then there is work to finish here.
        for ending in (signal.SIGTERM, signal.SIGINT):
            signal.signal(ending, lambda *_: None)
        app = create_app(
            lambda: daemon.snapshot,
            Exposition(daemon.meters, settings.series, settings.labels),
            worker.reload if settings.reload_endpoint else None,
            Inbox(daemon, worker.news),
            settings.grafana,
        )
        server = uvicorn.Server(
            uvicorn.Config(app, host=settings.host, port=settings.port, log_config=None, access_log=False)
        )
        worker.start()
        for error in daemon.force.errors:
            log.error("action=left_out error=%s", error)
        log.info("action=started url=http://%s books=%s", settings.listen, len(daemon.force.watch.books))
        try:
            server.run()
        finally:
            worker.stop()
            daemon.close()
            log.info("action=stopped")
