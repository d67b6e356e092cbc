"""Exercises and the regular report: sent by the real way, told once per slot, never counted as alerts."""

import json
from datetime import date

import pytest
from msgspec.structs import replace
from sqlalchemy import func, select

from alerts.channels.base import Letter
from alerts.message import Form, render
from monitor import bulletins, records
from monitor.app import Daemon
from monitor.force import read
from monitor.store.database import reading
from monitor.store.leader import leadership
from monitor.store.tables import alert
from monitor.worker import Worker
from rules.document import Invalid
from tests.acceptance.books import figures, town
from tests.builders import AT, a_snapshot, a_source
from tests.monitor.cli.shell import typed
from tests.rules.builders import a_book


@pytest.fixture
def settings(tmp_path):
    """A settings file: a book of one target that is behind, a folder for all, another for one office."""
    books = tmp_path / "books"
    figures(town(books, 1), [("指标000", "2025-09", 800, "2025-10-10")])
    written = {
        "books": str(books),
        "database": f"sqlite:///{tmp_path}/duban.db",
        "archive": None,
        "clock": "2025-10-27T09:30:00+08:00",
        "heartbeat": "daily at 09:00",
        "channels": {name: {"kind": "folder", "path": str(tmp_path / name)} for name in ("letters", "copies")},
        "organisation": str(tmp_path / "organisation.yaml"),
    }
    organisation = {"default": {"contacts": ["letters"]}, "units": {"督查办": {"contacts": ["letters", "copies"]}}}
    organisation["aliases"] = {"督查室": "督查办"}
    (tmp_path / "organisation.yaml").write_text(json.dumps(organisation, ensure_ascii=False), encoding="utf-8")
    path = tmp_path / "duban.yaml"
    path.write_text(json.dumps(written, ensure_ascii=False), encoding="utf-8")
    return path


def _letters(settings, what):
    return sorted(settings.parent.glob(f"*/*/*_{what}_*.txt"))


@pytest.mark.parametrize(
    ("unit", "channel", "reached"),
    [
        (None, None, ["督查办", "督查办"]),
        (None, "copies", ["督查办"]),
        ("督查办", "letters", ["督查办"]),
        ("单位0", None, ["单位0"]),  # by the way of all others
        ("督查室", "letters", ["督查办"]),
    ],
)
def test_an_exercise_reaches_who_was_asked_for(settings, unit, channel, reached):
    sent, left = bulletins.drill(read(settings), unit, channel)
    assert not left
    assert [(row["receiver"], row["status"], row["about"]) for row in sent] == [
        (who, "sent", "drill") for who in reached
    ]
    texts = [path.read_text(encoding="utf-8") for path in _letters(settings, "drill")]
    assert len(texts) == len(reached)
    assert all(text.startswith("【演练】督办消息渠道演练\n") for text in texts)


def test_an_exercise_is_no_alert_and_stands_among_the_messages(settings):
    sent, _ = bulletins.drill(read(settings), None, "copies")
    daemon = Daemon(settings)
    assert records.deliveries(daemon.force.settings, None, None, None, None) == sent
    with reading(daemon.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(alert)) == 0
    daemon.close()


def test_beside_a_running_daemon_the_exercise_is_left_to_it(settings):
    daemon = Daemon(settings)
    with leadership(daemon.engine) as leading:
        assert leading
        sent, left = bulletins.drill(read(settings), "督查办", "copies")
        assert left
        assert [row["status"] for row in sent] == ["queued"]
        daemon.deliver("copies")
    assert len(_letters(settings, "drill")) == 1
    daemon.close()


@pytest.mark.parametrize(
    ("unit", "channel", "words"),
    [
        (None, "lettres", "unknown channel"),
        ("单位0", "copies", "nobody to reach"),
        ("督察办", "copies", "unknown name.*'督查办'"),
    ],
)
def test_an_exercise_for_nobody_is_refused(settings, unit, channel, words):
    with pytest.raises(Invalid, match=words):
        bulletins.drill(read(settings), unit, channel)


def test_an_exercise_that_does_not_arrive_fails(settings):
    (settings.parent / "copies").write_text("no folder", encoding="utf-8")
    result = typed("drill", "--config", str(settings), "--channel", "copies")
    assert result.returncode == 1
    assert "无法连接" in result.stdout


def test_the_report_is_told_once_per_slot_over_restarts(settings):
    for _ in range(2):
        daemon = Daemon(settings)
        worker = Worker(daemon)
        for _ in range(2):
            worker._judge()
        for channel in ("letters", "copies"):
            daemon.deliver(channel)
        daemon.judge()
        assert daemon.snapshot.heartbeat is not None
        daemon.close()
    found = _letters(settings, "heartbeat")
    assert [path.parent.name for path in found] == ["督查办", "督查办"]
    assert "例行报告" in found[0].read_text(encoding="utf-8")


def test_before_a_source_was_ever_asked_nobody_is_told_that_all_is_quiet(settings):
    daemon = Daemon(settings)
    worker = Worker(daemon)
    daemon.next_pull = lambda _: daemon.clock.real()
    worker._judge()
    daemon.deliver("letters")
    assert _letters(settings, "heartbeat") == []
    daemon.pull(daemon.force.feeds["town-2025/filings"])
    worker._judge()
    daemon.deliver("letters")
    daemon.close()
    (found,) = _letters(settings, "heartbeat")
    assert "红色0项、黄色1项" in found.read_text(encoding="utf-8")


def test_the_report_says_how_targets_and_the_system_are():
    book = a_book(
        {"id": "a", "name": "就业"},
        {"id": "b", "name": "投资"},
        {"id": "c", "goal": "none yet"},
        published="10 days after period",
    )
    known = {("b", "a", ""): {date(2025, 9, 30): 74.0}, ("b", "b", ""): {date(2025, 8, 31): 20.0}}
    snapshot = a_snapshot(book, figures=known, deliveries={"queued": 2}, resting={"folder": ""})
    assert _text(snapshot) == [
        "【例行报告】督办系统一切正常",
        "目标判定：《方案》红色0项、黄色0项、正常1项、未判定2项",
        "未解除预警：红色0项、黄色0项",
        "逾期未报：1项（投资（2025年9月））",
        "数据来源：0个均正常",
        "发送渠道：1个均正常",
        "消息：待发2条，未能送达0条",
    ]
    ill = replace(
        snapshot,
        sources=(a_source(reason="timeout"), a_source(name="other")),
        resting={"mail": "unreachable", "folder": ""},
        deliveries={"dead": 3},
        config_error="x",
    )
    assert [line for line in _text(ill) if line not in _text(snapshot)] == [
        "【例行报告】督办系统有4处异常",
        "数据来源：1个不正常（b/filings：超时未答）",
        "发送渠道：1个暂停（mail：无法连接）",
        "消息：待发0条，未能送达3条",
        "新配置：未生效，仍按原配置运行",
    ]


def _text(snapshot):
    said = bulletins.report(snapshot, snapshot.books[0].supervisor)
    title, body = render(Letter("k", "督查办", "", "缘由", said, AT), Form.TEXT)
    return [title, *(line for line in body.splitlines() if "：" in line and not line.startswith(("截至", "发送缘由")))]


def test_every_office_hears_of_its_own_books():
    ours, theirs = (
        replace(a_book(), supervisor="督查办"),
        replace(a_book(), id="o", title="另一方案", supervisor="审计局"),
    )
    snapshot = a_snapshot(ours, theirs)
    assert list(bulletins.offices(snapshot.books)) == ["审计局", "督查办"]
    assert any("另一方案" in line for line in bulletins.report(snapshot, "审计局").lines)
    assert not any("另一方案" in line for line in bulletins.report(snapshot, "督查办").lines)
