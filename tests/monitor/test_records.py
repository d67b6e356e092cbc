"""What the commands tell of the past: alerts with their changes, messages with their tries."""

import json
import re

import pytest

from alerts.alert import Cause, Event, State
from alerts.bulletin import Bulletin
from alerts.delivery import Result, Status
from alerts.suppression import Reason
from monitor import records
from monitor.app import Daemon
from rules.document import Invalid
from tests.acceptance.books import figures, town
from tests.monitor.cli.shell import typed


@pytest.fixture
def settings(tmp_path):
    """One target behind in September; the channel leads nowhere."""
    books = tmp_path / "books"
    figures(town(books, 1), [("指标000", "2025-09", 800, "2025-10-10")])
    (tmp_path / "letters").write_text("no folder", encoding="utf-8")
    written = {
        "books": str(books),
        "database": f"sqlite:///{tmp_path}/duban.db",
        "archive": None,
        "clock": "2025-10-27T09:30:00+08:00",
        "channels": {"letters": {"kind": "folder", "path": str(tmp_path / "letters")}},
    }
    path = tmp_path / "duban.yaml"
    path.write_text(json.dumps(written, ensure_ascii=False), encoding="utf-8")
    daemon = Daemon(path)
    for feed in daemon.force.feeds.values():
        daemon.pull(feed)
    daemon.judge()
    daemon.deliver("letters")
    daemon.close()
    return path


def _run(settings, *words, code=0):
    result = typed(*words, "--config", str(settings))
    assert result.returncode == code, result.stderr
    return result.stdout


def _json(settings, *words):
    return json.loads(_run(settings, *words, "--json"))


def test_an_alert_is_told_with_every_change_and_what_it_stood_on(settings):
    (found,) = _json(settings, "alerts")
    assert (found["alert"], found["state"], found["level"]) == ("town-2025/t000//pace", "firing", "黄色")
    (change,) = found["changes"]
    assert (change["event"], change["cause"], change["period"], change["actual"]) == (
        "fired",
        "ordinary",
        "2025-09-30",
        800,
    )
    assert "告警（新的数据或时限）正常→黄色：2025-09-30" in _run(settings, "alerts")


def test_people_read_no_word_of_the_store(settings):
    _run(settings, "drill", "--channel", "letters", code=1)
    _run(settings, "silence", "add", "--book", "town-2025", "--until", "2025-11-30", "--by", "王五", "--reason", "核实")
    words = {one.value for kind in (Event, Cause, State, Status, Result, Bulletin, Reason) for one in kind}
    read = [_run(settings, *asked) for asked in (["alerts"], ["deliveries"], ["status"], ["silence", "list"])]
    assert [words & {*re.findall("[a-z_]+", re.sub(r"\(.*?\)", "", text))} for text in read] == [set()] * 4
    assert "[待发] 演练 致" in read[1]
    assert "无法连接" in read[1]
    assert "待发 2" in read[2]
    assert "第1号 town-2025 黄色，至" in read[3]


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["--book", "town-2025", "--target", "t000", "--state", "firing", "--since", "2025-10-27"], 1),
        (["--book", "other"], 0),
        (["--target", "t001"], 0),
        (["--state", "resolved"], 0),
        (["--since", "2025-10-28"], 0),
    ],
)
def test_alerts_are_found_by_book_target_state_and_day(settings, words, count):
    assert len(_json(settings, "alerts", *words)) == count


def test_a_word_that_is_no_state_is_refused_with_those_that_are(settings):
    result = typed("deliveries", "--state", "lost", "--config", str(settings))
    assert result.returncode == 2
    assert "unknown word" in result.stderr


def test_a_day_that_is_none_is_refused(settings):
    daemon = Daemon(settings)
    with pytest.raises(Invalid):
        records.alerts(daemon.force.settings, None, None, None, "yesterday")
    daemon.close()


def test_a_message_is_told_with_every_try_and_its_answer(settings):
    found = _json(settings, "deliveries", "--state", "queued", "--channel", "letters")
    assert [row["about"] for row in found] == ["town-2025/t000//pace"]
    assert [one["result"] for one in found[0]["tries"]] == ["unreachable"]
    assert found[0]["next_try"] is not None
    assert _json(settings, "deliveries", "--state", "dead") == []


def test_only_dead_letters_are_redriven_and_only_by_somebody(settings):
    daemon = Daemon(settings)
    for who, words in (("王五", "not dead"), (" ", "no name")):
        with pytest.raises(Invalid, match=words):
            records.redrive(daemon.force, [1], who)
    assert records.redrive(daemon.force, [], "王五") == []
    daemon.close()


def test_an_alert_that_reached_nobody_says_so(settings, tmp_path):
    given = json.loads(settings.read_text("utf-8"))
    (tmp_path / "town.yaml").write_text("units: {单位0: {contacts: []}}", encoding="utf-8")
    given |= {"organisation": str(tmp_path / "town.yaml"), "database": f"sqlite:///{tmp_path}/other.db"}
    assert "无人接收" not in _run(settings, "alerts")
    settings.write_text(json.dumps(given, ensure_ascii=False), encoding="utf-8")
    _run(settings, "tick")
    assert "无人接收 (reaches nobody)" in _run(settings, "alerts")


def test_a_dead_letter_goes_where_its_receiver_is_reached_by_now(settings, tmp_path):
    given = json.loads(settings.read_text("utf-8"))
    town, mails = tmp_path / "town.yaml", {"kind": "email", "host": "127.0.0.1", "sender": "duban@example.org"}
    given |= {"organisation": str(town), "channels": {"mail": mails}, "database": f"sqlite:///{tmp_path}/other.db"}
    settings.write_text(json.dumps(given, ensure_ascii=False), encoding="utf-8")
    town.write_text("units: {单位0: {contacts: [{mail: 张三}]}}", encoding="utf-8")
    _run(settings, "tick")
    (dead,) = _json(settings, "deliveries", "--state", "dead")
    assert "不是可用的邮件地址" in dead["tries"][0]["answer"]
    town.write_text("units: {单位0: {contacts: [{mail: zs@example.org}]}}", encoding="utf-8")
    assert "致 单位0（mail zs@example.org）" in _run(settings, "deliveries", "redrive", "--all-dead", "--by", "王五")


def test_what_is_owed_is_told_as_owed(settings, tmp_path):
    town = json.loads(settings.read_text("utf-8")) | {"clock": "2025-12-01T09:00:00+08:00"}
    settings.write_text(json.dumps(town | {"database": f"sqlite:///{tmp_path}/late.db"}), encoding="utf-8")
    _run(settings, "tick")
    told = [_run(settings, "alerts"), _run(settings, "status"), _run(settings, "explain", "town-2025/t000")]
    assert all("2025年10月未报" in text for text in told)
