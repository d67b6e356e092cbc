"""A real daemon in a process of its own, and a receiver that behaves like one."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

_IDENTITY = ("book", "target", "subject", "kind")
ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition, seconds: float = 90.0, what: str = "condition"):
    """Wait for ``condition()`` to be true and return what it gave."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come true within {seconds} s")


class Running:
    """``duban run`` with settings of its own in ``folder``."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder, self.port = folder, free_port()
        given = {
            "database": f"sqlite:///{folder}/duban.db",
            "archive": f"{folder}/archive",
            "cache": f"{folder}/duban.cache",
            "listen": f"127.0.0.1:{self.port}",
            "cycle": 1,
            **settings,
        }
        self.config = folder / "duban.yaml"
        self.config.write_text(json.dumps(given, ensure_ascii=False, default=str), encoding="utf-8")
        self.log = folder / "daemon.log"
        self.environment: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Running":
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "monitor", "run", "--config", str(self.config)],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **self.environment},
            )
        return self

    def ready(self) -> "Running":
        until(lambda: self.get("/-/ready")[0] == 200, what=f"readiness ({self.log})")
        return self

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        """Status and body; status 0 while nothing listens."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """kill -9."""
        self.signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        self.signal(signal.SIGTERM)
        assert self.process is not None
        return self.process.wait(timeout=90)

    def __enter__(self) -> Self:
        return self.start().ready()

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()


def letters(posted: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The alerts of a web hook's payload by their keys, each as if it had been posted alone."""
    for alert in posted["alerts"]:
        labels = {name: alert["labels"][name] for name in _IDENTITY if name in alert["labels"]}
        common = {"commonLabels": alert["labels"], "commonAnnotations": alert["annotations"], "groupLabels": labels}
        yield alert["annotations"]["key"], {**posted, **common, "status": alert["status"], "alerts": [alert]}


class Receiver:
    """A web hook that takes groups apart and honours each alert's key: a repetition is counted, not taken again.

    ``letters`` are by key, each as if it had come alone. While it is ``refusing`` it takes none, and asks for 5 s of rest.
    """

    def __init__(self, delay: float = 0.0) -> None:
        self.letters: dict[str, dict[str, Any]] = {}
        self.repeats = 0
        self.refusing = False
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(length := int(self.headers["Content-Length"]))
                if len(body) < length:  # the sender was killed
                    return
                if receiver.refusing:
                    self.send_response(503)
                    self.send_header("Retry-After", "5")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                for key, letter in letters(json.loads(body)):
                    receiver.repeats += key in receiver.letters
                    receiver.letters[key] = letter
                time.sleep(delay)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
