"""A real Alertmanager for tests, where its binary is: on $PATH, or in $DUBAN_TEST_BIN."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

NAMES = ("prometheus-alertmanager", "alertmanager")
_SHARED = "/usr/share/prometheus/alertmanager"
_START_SECONDS = 30.0


def binary() -> str | None:
    """Where the binary is; None where there is none."""
    path = os.pathsep.join(filter(None, [os.environ.get("DUBAN_TEST_BIN", ""), os.environ.get("PATH", "")]))
    return next(filter(None, (shutil.which(name, path=path) for name in NAMES)), None)


class Alertmanager:
    """One server on a free loopback port, a cluster of its own, that tells ``webhook`` of every change at once."""

    def __init__(self, folder: Path, webhook: str) -> None:
        self.folder, self.port = folder, _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        route = {"receiver": "hook", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"}
        hook = {"url": webhook, "send_resolved": True}
        config = {"route": route, "receivers": [{"name": "hook", "webhook_configs": [hook]}]}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "alertmanager.yml").write_text(json.dumps(config), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Alertmanager":
        """Start, with whatever the folder remembers; returns when it answers."""
        found, cwd = self._runnable()
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    found,
                    f"--config.file={self.folder}/alertmanager.yml",
                    f"--storage.path={self.folder}/data",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--cluster.listen-address=",
                ],
                stdout=log,
                stderr=log,
                cwd=cwd,
            )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self._get("/-/ready")
            except (urllib.error.URLError, OSError):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    said = (self.folder / "log").read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"Alertmanager did not start: {said}") from None
                time.sleep(0.02)
            else:
                return self

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(_START_SECONDS)

    def firing(self) -> list[dict[str, Any]]:
        """Alerts that have not ended."""
        return json.loads(self._get("/api/v2/alerts"))

    def _runnable(self) -> tuple[str, Path]:
        """The binary, and the folder to start it in.

        Debian's reads its templates at a fixed place. Where the package was only unpacked, a copy of the binary reads
        them in the folder that it is started in.
        """
        found = binary()
        assert found is not None
        unpacked = Path(found).resolve().parents[2] / _SHARED.removeprefix("/")
        if Path(_SHARED).exists() or not unpacked.exists():
            return found, self.folder
        copied, here = self.folder / "alertmanager", "/proc/self/cwd".ljust(len(_SHARED), "/")
        if not copied.exists():
            copied.write_bytes(Path(found).read_bytes().replace(_SHARED.encode(), here.encode()))
            copied.chmod(0o755)
        return str(copied), unpacked

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as answer:  # noqa: S310
            return answer.read()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
