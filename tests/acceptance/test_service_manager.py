"""What a service manager hears of the real process, on the socket that systemd would hold."""

import signal
import socket
import time

import psycopg
import pytest

from tests.acceptance.books import figures, town
from tests.acceptance.running import Running

WATCHDOG = 2.0


class Manager:
    """The socket of systemd's sd_notify(3), one for each process."""

    def __init__(self, folder):
        self._path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._path))
        self.heard = []

    def environment(self):
        return {"NOTIFY_SOCKET": str(self._path), "WATCHDOG_USEC": str(int(WATCHDOG * 1e6))}

    def hears(self, start, within=90.0):
        """All that comes up to a line that begins with ``start``, that line last."""
        deadline, lines = time.monotonic() + within, []
        while True:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                said = self._socket.recv(4096).decode().splitlines()
            except TimeoutError:
                pytest.fail(f"'{start}' was not heard; heard since the last: {lines}; before: {self.heard[-20:]}")
            lines += said
            self.heard += said
            if any(line.startswith(start) for line in said):
                return lines

    def hears_nothing(self, seconds):
        self._socket.settimeout(seconds)
        with pytest.raises(TimeoutError):
            self.heard.append(self._socket.recv(4096).decode())

    def close(self):
        self._socket.close()


@pytest.fixture
def managed(tmp_path, database_url):
    """Makes a daemon, by name, and the manager that started it; all of them on one database and one book."""
    figures(town(tmp_path / "books", 3), [("指标000", "2025-09", 700, "2025-10-15")])
    made = []

    def make(name):
        folder = tmp_path / name
        folder.mkdir()
        manager = Manager(folder)
        daemon = Running(
            folder,
            database=database_url,
            books=str(tmp_path / "books"),
            clock="2025-10-27T09:00:00+08:00",
            channels={},
        )
        daemon.environment = manager.environment()
        made.append((daemon.start(), manager))
        return daemon, manager

    yield make
    for daemon, manager in made:
        daemon.__exit__()
        manager.close()


def test_it_hears_readiness_life_a_reload_and_the_end(managed):
    daemon, manager = managed("only")
    assert manager.hears("READY=1")[0] == "READY=1"  # nothing before
    assert daemon.get("/-/ready")[0] == 200
    assert "STATUS=值守：目标册1本，未了预警" in "".join(manager.heard)
    for _ in range(3):
        manager.hears("WATCHDOG=1", within=30)
    daemon.signal(signal.SIGHUP)
    begun = manager.hears("RELOADING=1")
    since = int(begun[-1].removeprefix("MONOTONIC_USEC="))
    assert 0 <= time.monotonic_ns() // 1000 - since < 90_000_000
    manager.hears("READY=1")
    book = daemon.folder.parent / "books/town-2025/book.yaml"
    text = book.read_text("utf-8")
    book.write_text("目标册？", encoding="utf-8")
    daemon.signal(signal.SIGHUP)
    manager.hears("READY=1")
    while "仍用原配置" not in manager.hears("STATUS=")[-1]:
        pass  # what was to be said of the figures before
    book.write_text(text, encoding="utf-8")
    assert daemon.stop() == 0
    manager.hears("STOPPING=1")
    manager.hears_nothing(0.01)


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_stand_by_is_ready_and_alive_and_says_when_it_takes_over(managed):
    leading, _ = managed("first")
    leading.ready()
    stand_by, manager = managed("second")
    heard = manager.hears("READY=1")
    assert f":{leading.process.pid}值守" in heard[-1]
    for _ in range(2):
        manager.hears("WATCHDOG=1", within=30)
    leading.kill()
    manager.hears("STATUS=值守")
    manager.hears("WATCHDOG=1", within=30)
    assert "READY=1" not in manager.heard[2:]
    assert stand_by.stop() == 0


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_where_the_database_holds_judging_up_it_hears_no_more_life_until_judging_goes_on(managed, database_url):
    daemon, manager = managed("only")
    manager.hears("WATCHDOG=1")
    with psycopg.connect(database_url) as holding:
        holding.execute("LOCK TABLE observation IN ACCESS EXCLUSIVE MODE")
        manager.hears("STATUS=停滞")
        assert daemon.get("/-/healthy") == (503, "停滞：判定久无进展，等待重新启动\n")  # to whoever asks instead
        manager.hears_nothing(WATCHDOG)
    manager.hears("STATUS=值守")
    manager.hears("WATCHDOG=1", within=30)
    assert daemon.get("/-/healthy")[0] == 200
    assert daemon.stop() == 0
