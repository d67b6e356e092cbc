"""Silenced messages wait, and are told when the silence is over and the alert still stands. With a real daemon."""

import json

import pytest

from monitor import records
from monitor.app import Daemon
from tests.acceptance.books import figures, town
from tests.monitor.cli.shell import typed

AUGUST = ("指标000", "2025-08", 740, "2025-09-10")
BEHIND = ("指标000", "2025-09", 830, "2025-10-10")
BETTER = ("指标000", "2025-09", 900, "2025-10-10")


@pytest.fixture
def settings(tmp_path):
    """A book of one target, and a folder."""
    figures(town(tmp_path / "books", 1), [])
    written = {
        "books": str(tmp_path / "books"),
        "database": f"sqlite:///{tmp_path}/duban.db",
        "archive": None,
        "clock": "2025-10-12T09:30:00+08:00",  # a Sunday
        "channels": {"letters": {"kind": "folder", "path": str(tmp_path / "letters")}},
    }
    return _write(tmp_path / "duban.yaml", written)


def _write(path, written):
    path.write_text(json.dumps(written, ensure_ascii=False), encoding="utf-8")
    return path


def _cycle(settings, *rows):
    """Publish ``rows`` and run one cycle; returns the events of the letters in the folder."""
    figures(settings.parent / "books" / "town-2025", list(rows))
    daemon = Daemon(settings)
    for feed in daemon.force.feeds.values():
        daemon.pull(feed)
    daemon.judge()
    daemon.deliver("letters")
    daemon.close()
    return sorted(path.name.split("_")[2] for path in settings.parent.glob("letters/*/*.txt"))


def _run(settings, *words):
    return typed(*words, "--config", str(settings))


def _add(settings, **more):
    options = {"book": "town-2025", "until": "2025-11-30", "by": "王五", "reason": "口径调整", **more}
    return _run(settings, "silence", "add", *(word for name, value in options.items() for word in (f"--{name}", value)))


def _states(settings):
    daemon = Daemon(settings)
    found = records.deliveries(daemon.force.settings, None, None, None, None)
    daemon.close()
    return [(row["event"], row["status"], row["suppressed"]) for row in found]


def test_what_was_silenced_is_told_when_the_silence_ends_and_the_alert_stands(settings):
    assert "第1号" in _add(settings).stdout
    assert "第1号 town-2025 黄色" in _run(settings, "silence", "list").stdout
    assert _cycle(settings, AUGUST) == []
    assert _states(settings) == [("fired", "suppressed", "silenced")]
    assert _run(settings, "silence", "end", "1", "--by", "王五").returncode == 0
    assert _cycle(settings, AUGUST) == ["fired"]
    assert _states(settings) == [("fired", "sent", "silenced")]
    assert "静默 0 项" in _run(settings, "silence", "list").stdout


def test_what_was_solved_in_the_meantime_is_not_told_to_who_never_heard_of_it(settings):
    _add(settings)
    _cycle(settings, AUGUST)
    assert _cycle(settings, AUGUST, BETTER) == []
    _run(settings, "silence", "end", "1", "--by", "王五")
    assert _cycle(settings, AUGUST, BETTER) == []
    assert _states(settings) == [("resolved", "suppressed", "silenced"), ("fired", "suppressed", "silenced")]


def test_who_heard_of_an_alert_hears_of_its_end(settings):
    assert _cycle(settings, AUGUST) == ["fired"]
    _add(settings)
    assert _cycle(settings, AUGUST, BETTER) == ["fired"]
    _run(settings, "silence", "end", "1", "--by", "王五")
    assert _cycle(settings, AUGUST, BETTER) == ["fired", "resolved"]


def test_what_another_silence_covers_waits_on(settings):
    for _ in range(2):
        _add(settings)
    _cycle(settings, AUGUST)
    _run(settings, "silence", "end", "1", "--by", "王五")
    _run(settings, "silence", "end", "1", "--by", "王五")
    assert _cycle(settings, AUGUST) == []
    _run(settings, "silence", "end", "2", "--by", "王五")
    assert _cycle(settings, AUGUST) == ["fired"]


def test_red_passes_a_silence_of_yellow(settings):
    _add(settings)
    assert _cycle(settings, ("指标000", "2025-08", 500, "2025-09-10")) == ["fired"]


def test_on_a_day_off_only_red_is_told(settings):
    written = json.loads(settings.read_text(encoding="utf-8"))
    _write(settings, {**written, "quiet": "nights 20:00-08:00, days off"})
    assert _cycle(settings, AUGUST) == []
    assert _states(settings) == [("fired", "suppressed", "quiet")]
    _write(settings, written)  # the quiet is over
    daemon = Daemon(settings)
    (row,) = records.deliveries(daemon.force.settings, None, None, None, None)
    daemon.close()
    assert row["next_try"] is not None


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"book": "village"}, "unknown book"),
        ({"target": "t999"}, "unknown target"),
        ({"level": "blue"}, "unknown word"),
        ({"until": "2025-10-01"}, "over already"),
        ({"until": "soon"}, "bad --at"),
        ({"reason": " "}, "name_and_reason"),
    ],
)
def test_a_silence_that_means_nothing_is_refused(settings, more, words):
    result = _add(settings, **more)
    assert result.returncode != 0
    assert words in result.stderr


def test_only_a_silence_in_force_can_be_ended(settings):
    assert "unknown silence" in _run(settings, "silence", "end", "3", "--by", "王五").stderr
