"""What systemd hears, on a real socket."""

import os
import socket

import pytest

from monitor.notify import notify, watchdog


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        name = str(tmp_path / "s") if request.param == "path" else f"@duban-test-{os.getpid()}"
        heard.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        heard.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield heard


def test_states_are_told_as_lines_of_one_datagram(manager):
    notify("READY=1", "STATUS=就绪")
    assert manager.recv(1000).decode() == "READY=1\nSTATUS=就绪"


def test_nothing_is_told_where_nobody_listens(monkeypatch, tmp_path):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("READY=1")


@pytest.mark.parametrize(
    ("wanted", "pid", "seconds"),
    [("120000000", "", 120.0), ("120000000", "ours", 120.0), ("120000000", "1", None), ("", "", None)],
)
def test_the_watchdog_is_ours_only_if_it_names_us(monkeypatch, wanted, pid, seconds):
    monkeypatch.setenv("WATCHDOG_USEC", wanted)
    monkeypatch.setenv("WATCHDOG_PID", pid.replace("ours", str(os.getpid())))
    assert watchdog() == seconds
