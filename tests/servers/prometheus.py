"""A real Prometheus for tests, on a free loopback port: samples written into its database as blocks, or what it scrapes.

``prometheus`` and ``promtool`` are found on PATH, or in the folder that DUBAN_TEST_BIN names (of Debian's package:
``apt-get download prometheus && dpkg-deb -x prometheus_*.deb DIR``, then ``DUBAN_TEST_BIN=DIR/usr/bin``).
"""

import os
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.acceptance.running import free_port, until

_PATH = os.pathsep.join(filter(None, [os.environ.get("DUBAN_TEST_BIN"), os.environ.get("PATH")]))
MISSING = [name for name in ("prometheus", "promtool") if shutil.which(name, path=_PATH) is None]
"""The programs that cannot be found."""


class Prometheus:
    """A server that holds ``samples``, lines of OpenMetrics text with times, and obeys ``config``. A context manager."""

    def __init__(self, samples: Iterable[str] = (), config: str = "global: {}\n") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="duban-prom-"))
        self.url = f"http://127.0.0.1:{free_port()}"
        self._samples, self._config = list(samples), config
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            if self._samples:
                self._load()
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder)

    def _load(self) -> None:
        (self.folder / "samples").write_text("\n".join([*self._samples, "# EOF", ""]), encoding="utf-8")
        subprocess.run(
            [_program("promtool"), "tsdb", "create-blocks-from", "openmetrics", "samples", "data"],
            cwd=self.folder,
            check=True,
            capture_output=True,
        )

    def _start(self) -> None:
        (self.folder / "prometheus.yml").write_text(self._config, encoding="utf-8")
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    _program("prometheus"),
                    *("--config.file=prometheus.yml", "--storage.tsdb.path=data", "--storage.tsdb.retention.time=100y"),
                    f"--web.listen-address={self.url.removeprefix('http://')}",
                ],
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        until(self._ready, what=f"Prometheus ({self.folder}/log)")

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except OSError:
            return False


def _program(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    assert found is not None, name
    return found
