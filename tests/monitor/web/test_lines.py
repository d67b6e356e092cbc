"""Words of the page for what the daemon counts."""

import json
import shutil

from msgspec.structs import replace
from sqlalchemy import update

from alerts.alert import Cause, Event
from alerts.delivery import Status
from connectors.base import Failure
from monitor.app import Daemon
from monitor.store.tables import delivery
from monitor.web.lines import _FAILURES
from monitor.web.page import render
from tests.acceptance.books import figures, town


def test_every_way_in_which_a_pull_fails_has_words():
    assert _FAILURES.keys() == set(Failure)


def test_every_event_and_status_has_words():
    assert all(one.text for one in (*Event, *Status, *Cause))


def test_the_page_tells_how_an_alert_came_to_stand_and_who_was_told(tmp_path):
    """A real daemon: the first message arrives, the channel is gone when the second is due."""
    books = tmp_path / "books"
    folder = town(books, 1)
    figures(folder, [("指标000", "2025-08", 740, "2025-09-10")])
    written = {
        "books": str(books),
        "database": f"sqlite:///{tmp_path}/duban.db",
        "archive": None,
        "clock": "2025-10-12T09:30:00+08:00",
        "channels": {"letters": {"kind": "folder", "path": str(tmp_path / "letters")}},
    }
    path = tmp_path / "duban.yaml"
    path.write_text(json.dumps(written, ensure_ascii=False), encoding="utf-8")
    daemon = Daemon(path)
    _cycle(daemon)
    figures(folder, [("指标000", "2025-08", 740, "2025-09-10"), ("指标000", "2025-09", 745, "2025-10-10")])
    shutil.rmtree(tmp_path / "letters")
    (tmp_path / "letters").write_text("no folder", encoding="utf-8")
    _cycle(daemon)
    daemon.judge()
    html = render(replace(daemon.snapshot, resting={"letters": "unreachable", "other": ""}))
    with daemon.engine.begin() as connection:
        given_up = update(delivery).where(delivery.c.status == Status.QUEUED.value)
        connection.execute(given_up.values(status=Status.DEAD.value, finished_at=daemon.clock.now()))
    daemon.judge()
    assert "致单位0（letters）未能送达：无法连接，无法写入" in render(daemon.snapshot)
    daemon.close()
    assert "告警（黄色）" in html
    assert "致单位0（letters）已送达" in html
    assert "升级（红色）：2025年9月，745户" in html
    assert "致单位0（letters）待发：无法连接" in html
    assert "letters（无法连接）：接连未能发出" in html


def _cycle(daemon):
    for feed in daemon.force.feeds.values():
        daemon.pull(feed)
    daemon.judge()
    daemon.deliver("letters")
