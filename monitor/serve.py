"""``duban run``: the daemon with its web server, its signals and its orderly end."""

import logging
import signal
import threading
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


def serve(path: Path | None) -> None:
    """Run until SIGTERM or SIGINT. SIGHUP reloads; what is under way is finished before the end."""
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
