"""``duban run``: the daemon with its web server, its signals and its orderly end."""

import ctypes
import gc
import logging
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import uvicorn

from monitor import logs
from monitor.app import Daemon
from monitor.config import Executors, Settings
from monitor.intake.pushing import Inbox
from monitor.liveness import Pulse
from monitor.metrics import Exposition
from monitor.notify import notify, watchdog
from monitor.store.leader import Leader
from monitor.web.server import HANGS, create_app
from monitor.web.silencing import silencing
from monitor.worker import Worker
from rules.document import Invalid

log = logging.getLogger(__name__)

_LOOK_EVERY = 0.25
"""Seconds between two looks of a stand-by whether the lead is free."""
_TELL_EVERY = 1.0
"""Seconds between two looks whether the service manager has something to hear, where it does not ask more often."""
_PATIENCE = 120.0
"""Seconds of one judging after which it is taken for hung, where the service manager does not say."""
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
    lost the lead ends with status 1: its supervisor starts it anew, as a stand-by. Raises Invalid where it cannot
    listen, before it leads.
    """
    for_much_data()
    daemon = Daemon(path)
    settings = daemon.force.settings
    if settings.executor is Executors.CLUSTER:
        from monitor.cluster import Cluster

        daemon.executor = Cluster(daemon)
    logs.setup(settings.log)
    service = _Service(daemon, lambda: _ended(server))
    signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=service.reload, name="reload").start())
    # The server ends its loop on these, then raises them again; by then there is work to finish here.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    app = create_app(
        lambda: daemon.snapshot,
        Exposition(daemon.meters, settings.series, settings.labels),
        service.reload if settings.reload_endpoint else None,
        Inbox(daemon, service.worker.news),
        settings.grafana,
        service.standing_by,
        service.hangs,
        silencing(daemon, token, service.worker.news) if (token := settings.silence_token()) else (),
    )
    listening = _listen(settings)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=_END_REQUESTS,
        )
    )
    for error in daemon.force.errors:
        log.error("action=left_out error=%s", error)
    log.info("action=started url=http://%s books=%s", settings.listen, len(daemon.force.books))
    service.start()
    try:
        server.run([listening])
    finally:
        service.stop()
        log.info("action=stopped")
    if service.leader.deposed:
        raise SystemExit(1)


def _listen(settings: Settings) -> socket.socket:
    try:
        return socket.create_server((settings.host, settings.port))
    except (OSError, OverflowError) as error:
        raise Invalid([f"listen: 不能在 {settings.listen} 监听 (cannot listen)：{error}"]) from None


def _ended(server: uvicorn.Server) -> None:
    server.should_exit = True


class _Service:
    """A daemon on duty or standing by, and what the service manager hears of it."""

    def __init__(self, daemon: Daemon, lost: Callable[[], object]) -> None:
        self._daemon = daemon
        self.worker = Worker(daemon)
        self.leader = Leader(daemon.engine, daemon.force.settings.takeover, lost=lost)
        self._ending, self._waiting, self._ready = threading.Event(), threading.Event(), threading.Event()
        self._looking = Pulse()
        self._duty = threading.Thread(target=self._stand_by, name="duty", daemon=True)
        self._telling = threading.Thread(target=self._tell, name="tell", daemon=True)

    def start(self) -> None:
        self._duty.start()
        self._telling.start()

    def stop(self) -> None:
        """Finish what is under way, within bounds, and let go of the lead."""
        self._ending.set()
        self._telling.join()
        notify("STOPPING=1", "STATUS=正在停止")
        self._duty.join(_END_WORK)
        self.worker.stop(_END_WORK)
        self.leader.release()
        self._daemon.close()

    def reload(self) -> str:
        """Put what is written in force; returns why not, or "". A manager hears that it begins and that it is over."""
        known = self._ready.is_set()
        if known:
            notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            if self.leader.leading:
                return self.worker.reload()
            log.info("action=reload_put_off: standing by; what is written is read when this process takes over")
            return "本进程备用，接替值守时再读取新配置 (standing by)"
        finally:
            if known:
                notify("READY=1")

    def standing_by(self) -> str:
        """Why another process does the work, "" while this one does."""
        if self.leader.leading:
            return ""
        if self.leader.deposed:
            return "备用：值守已由另一进程接替，本进程即将退出"
        return f"备用：由{self.leader.holder or '另一进程'}值守，本进程待命，随时接替"

    def hangs(self) -> bool:
        """Whether judging, or looking for the lead, has stood still for longer than the manager has patience.

        The first judging may take as long as it takes.
        """
        patience = watchdog() or _PATIENCE
        begun = self._waiting.is_set() or self._daemon.snapshot is not None
        return begun and (self._looking.seconds > patience or self.worker.hangs(patience))

    def _stand_by(self) -> None:
        """Stand by until the lead is free, then work."""
        holder, trouble = "", ""
        while not self._ending.is_set():
            try:
                with self._looking.turn():
                    if self.leader.take():
                        if holder:
                            self._daemon.refresh()
                        self.worker.start()
                        self._daemon.meters.leading.set(1)
                        return
                if self.leader.holder != holder:
                    holder = self.leader.holder
                    log.info("action=standing_by leader=%s", holder)
                self._waiting.set()
            except Exception as error:
                self.leader.release()
                if str(error) != trouble:
                    trouble = str(error)
                    log.exception("action=takeover_failed")
            self._ending.wait(_LOOK_EVERY)

    def _tell(self) -> None:
        """Ready after the first cycle, or when standing by; from then on alive as long as judging, or looking, turns."""
        patience = watchdog()
        told, told_at = "", 0.0
        every = _TELL_EVERY if patience is None else min(_TELL_EVERY, patience / 4)
        while not self._ending.wait(every):
            if not self._waiting.is_set() and self._daemon.snapshot is None:
                continue
            hangs = self.hangs()
            status = HANGS if hangs else self._status()
            if status != told:
                told = status
                notify(*([] if self._ready.is_set() else ["READY=1"]), f"STATUS={status}")
                self._ready.set()
            if patience is not None and not hangs and time.monotonic() - told_at > patience / 2 - every:
                told_at = time.monotonic()
                notify("WATCHDOG=1")

    def _status(self) -> str:
        """One line for whoever asks the manager."""
        snapshot = self._daemon.snapshot
        if words := self.standing_by():
            return words
        if snapshot is None:
            return "接替值守，正在首轮判定"
        refused = "；新配置有误，仍用原配置" if snapshot.config_error else ""
        return f"值守：目标册{len(snapshot.books)}本，未了预警{len(snapshot.alerts)}项{refused}"
