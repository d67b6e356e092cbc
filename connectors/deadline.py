"""A moment at which whatever waits on the network is cut short, even inside a TLS handshake."""

import os
import socket
import threading
import time
from contextlib import ExitStack, suppress
from typing import Self

from connectors.base import ConnectorError, Failure


class Deadline:
    """``seconds`` from now; while entered, sockets that are held are shut when they are over."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.ends = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._held: list[socket.socket] = []

    def __enter__(self) -> Self:
        _WATCH.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        _WATCH.drop(self)
        self.let_go()

    def left(self) -> float:
        """Seconds until the end, negative after it."""
        return self.ends - time.monotonic()

    def hold(self, opened: socket.socket) -> None:
        """Shut ``opened`` at the end. A duplicate is kept, since TLS takes the original over."""
        with self._lock:
            self._held.append(socket.socket(fileno=os.dup(opened.fileno())))
        if self.left() <= 0:
            self.cut()

    def let_go(self) -> None:
        """Shut nothing any more of what was held until now: its connection may serve another call."""
        with self._lock, ExitStack() as closing:
            for one in self._held:
                closing.callback(one.close)
            self._held.clear()

    def cut(self) -> None:
        """Shut what is held."""
        with self._lock:
            for one in self._held:
                with suppress(OSError):  # closed by the other side
                    one.shutdown(socket.SHUT_RDWR)

    def passed(self) -> ConnectorError:
        """What to say once the time is over."""
        return ConnectorError(
            Failure.TIMEOUT, f"{self._seconds:g} 秒内没有答完 (over the time budget): 可加大 budget", retryable=True
        )


class _Watch:
    """One thread that cuts every deadline when it ends; it starts with the first and sleeps while there is none."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: set[Deadline] = set()
        self._thread: threading.Thread | None = None

    def add(self, deadline: Deadline) -> None:
        with self._changed:
            nearest = min((one.ends for one in self._running), default=None)
            self._running.add(deadline)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            elif nearest is None or deadline.ends < nearest:
                self._changed.notify()

    def drop(self, deadline: Deadline) -> None:
        with self._changed:
            self._running.discard(deadline)

    def _run(self) -> None:
        with self._changed:
            while True:
                for over in [one for one in self._running if one.left() <= 0]:
                    self._running.discard(over)
                    over.cut()
                nearest = min((one.ends for one in self._running), default=None)
                self._changed.wait(None if nearest is None else max(0.0, nearest - time.monotonic()))


_WATCH = _Watch()
