"""The daemon's life: news, reload, a failing source, the end."""

import signal
import sqlite3

from tests.acceptance.books import figures, town
from tests.acceptance.running import Receiver, Running, until


def running(folder, receiver, **settings):
    return Running(
        folder,
        books=str(folder / "books"),
        clock="2025-10-27T09:00:00+08:00",
        channels={"hook": {"kind": "webhook", "url": receiver.url}},
        **settings,
    )


def gauge(daemon, name):
    for line in daemon.get("/metrics")[1].splitlines():
        if line.startswith(f"{name} "):
            return float(line.rsplit(" ", 1)[1])
    return None


def test_a_figure_that_recovers_resolves_the_alert_with_one_message(tmp_path):
    folder, receiver = town(tmp_path / "books", 3), Receiver()
    figures(
        folder,
        [("指标000", "2025-09", 500, "2025-10-15")] + [(f"指标00{i}", "2025-09", 950, "2025-10-15") for i in (1, 2)],
    )
    with running(tmp_path, receiver) as daemon:
        first = until(lambda: list(receiver.letters.values()), what="the first letter")
        assert [letter["status"] for letter in first] == ["firing"]
        figures(folder, [(f"指标00{i}", "2025-09", 950, "2025-10-15") for i in range(3)])
        until(lambda: len(receiver.letters) == 2, what="the second letter")
        assert [letter["status"] for letter in receiver.letters.values()] == ["firing", "resolved"]
        assert daemon.stop() == 0
    receiver.close()
    assert receiver.repeats == 0


def test_a_bad_book_keeps_the_old_one_in_force_and_says_so(tmp_path):
    folder, receiver = town(tmp_path / "books", 3), Receiver()
    figures(folder, [(f"指标00{i}", "2025-09", 950, "2025-10-15") for i in range(3)])
    book = folder / "book.yaml"
    good = book.read_text("utf-8")
    with running(tmp_path, receiver) as daemon:
        assert gauge(daemon, "duban_config_last_reload_successful") == 1
        book.write_text(good.replace("goal: at least 1200 户", "goal: at least 1200 kg", 1), encoding="utf-8")
        daemon.signal(signal.SIGHUP)
        until(lambda: gauge(daemon, "duban_config_last_reload_successful") == 0, what="the refusal")
        page = daemon.get("/")[1]
        assert "未知的计量单位" in page
        assert "指标000" in page
        book.write_text(good.replace("goal: at least 1200 户", "goal: at least 2400 户", 1), encoding="utf-8")
        daemon.signal(signal.SIGHUP)
        until(lambda: gauge(daemon, "duban_config_last_reload_successful") == 1, what="the new book")
        until(lambda: receiver.letters, what="the alert of the new goal")
    receiver.close()


def test_a_failing_source_never_stops_the_others_and_calls_nobody_late(tmp_path):
    folder, receiver = town(tmp_path / "books", 2), Receiver()
    book = folder / "book.yaml"
    text = book.read_text("utf-8").replace("    name: 指标001", "    name: 指标001\n    source: gone")
    book.write_text(
        text.replace(
            "sources:\n",
            "sources:\n  gone:\n    connector: http_json\n    url: http://127.0.0.1:9/figures\n    retries: 0\n"
            "    fields: {series: s, period: p, value: v}\n    schedule: every 1 second\n",
        ),
        encoding="utf-8",
    )
    figures(folder, [("指标000", "2025-09", 500, "2025-10-15")])
    with running(tmp_path, receiver) as daemon:
        until(lambda: receiver.letters, what="the alert of the source that works")
        until(lambda: "数据来源故障" in daemon.get("/")[1], what="the failure on the page")
        daemon.stop()
    receiver.close()
    with sqlite3.connect(tmp_path / "duban.db") as database:
        assert database.execute("SELECT target, kind FROM alert").fetchall() == [("t000", "pace")]
