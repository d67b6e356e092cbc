"""What is in force, and what becomes of alerts when it changes: a whole daemon on real files, judged by hand."""

import json
import logging
import shutil

import pytest

from alerts import message, site
from monitor import cache
from monitor.app import Daemon
from monitor.force import read
from monitor.store import alerts as alert_store
from monitor.store.database import reading
from tests.acceptance.books import figures, town
from tests.monitor.cli.shell import typed


@pytest.fixture
def daemon(tmp_path):
    books = tmp_path / "books"
    figures(town(books, 2), [(f"指标{i:03d}", "2025-09", 800, "2025-10-10") for i in range(2)])
    shutil.copytree(books / "town-2025", books / "other-2025")
    rewrite(books, "other-2025", "town-2025", "other-2025")
    settings = {
        "books": str(books),
        "database": f"sqlite:///{tmp_path}/duban.db",
        "archive": None,
        "clock": "2025-10-27T09:00:00+08:00",
        "cache": str(tmp_path / "duban.cache"),
        "channels": {"folder": {"kind": "folder", "path": str(tmp_path / "alerts")}},
    }
    path = tmp_path / "duban.yaml"
    path.write_text(json.dumps(settings, ensure_ascii=False), encoding="utf-8")
    daemon = Daemon(path)
    for feed in daemon.force.feeds.values():
        daemon.pull(feed)
    daemon.judge()
    yield daemon
    daemon.close()


def rewrite(books, book, before, after):
    path = books / book / "book.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")


def opened(daemon):
    with reading(daemon.engine) as connection:
        return sorted("/".join(item.alert.identity[:2]) for item in alert_store.open_alerts(connection))


ALL = ["other-2025/t000", "other-2025/t001", "town-2025/t000", "town-2025/t001"]


def counted(daemon, event, cause):
    return daemon.meters.registry.get_sample_value("duban_alert_changes_total", {"event": event, "cause": cause})


@pytest.mark.parametrize("stored_first", [True, False])
def test_what_a_source_says_while_the_store_is_read_is_not_missed_and_nobody_is_late(
    daemon, tmp_path, monkeypatch, stored_first
):
    """It is asked after the moment of the first cycle, and has answered before that one is done with reading."""
    for folder in (tmp_path / "books").iterdir():
        figures(folder, [(f"指标{i:03d}", "2025-09", 800, "") for i in range(2)])
    path = tmp_path / "duban.yaml"
    given = json.loads(path.read_text("utf-8")) | {"database": f"sqlite:///{tmp_path}/empty.db"}
    path.write_text(json.dumps(given, ensure_ascii=False), "utf-8")
    again = Daemon(path)

    def pulled():
        for feed in again.force.feeds.values():
            assert again.pull(feed).rows_new == 2

    def read_meanwhile(*given, load=again._cache.load):
        for step in [pulled, lambda: load(*given)][:: 1 if stored_first else -1]:
            step()

    monkeypatch.setattr(again._cache, "load", read_meanwhile)
    again.judge()
    assert opened(again) == []
    again.judge()
    assert opened(again) == ALL
    assert counted(again, "fired", "ordinary") == len(ALL)
    again.close()


def test_a_reload_without_a_book_withdraws_its_alerts_and_counts_them(daemon, tmp_path):
    assert opened(daemon) == ALL
    shutil.rmtree(tmp_path / "books" / "other-2025")
    assert daemon.reload() == ""
    assert opened(daemon) == ALL[2:]
    assert (counted(daemon, "withdrawn", "target_removed"), counted(daemon, "fired", "ordinary")) == (2, 4)
    daemon.deliver("folder")
    letters = [path.read_text(encoding="utf-8") for path in (tmp_path / "alerts").glob("*/*_withdrawn_*.txt")]
    assert sorted(letter.splitlines()[0] for letter in letters) == [
        "【预警撤销】指标000\uff08单位0\uff09",
        "【预警撤销】指标001\uff08单位1\uff09",
    ]


def test_the_end_of_a_daemon_keeps_what_came_since_the_file_was_written(daemon, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "_ENOUGH", 1)
    daemon.judge()
    before = daemon.force.settings.cache.stat().st_mtime_ns
    figures(tmp_path / "books" / "town-2025", [("指标000", "2025-08", 700, "2025-10-11")])
    for feed in daemon.force.feeds.values():
        daemon.pull(feed)
    daemon.judge()
    assert daemon.force.settings.cache.stat().st_mtime_ns == before
    daemon.close()
    assert daemon.force.settings.cache.stat().st_mtime_ns > before


def test_a_setting_that_waits_for_the_next_start_is_told_when_it_is_reloaded(daemon, tmp_path, caplog):
    path = tmp_path / "duban.yaml"
    given = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**given, "keep": 500, "cycle": 60, "log": "json"}, ensure_ascii=False), "utf-8")
    assert daemon.reload() == ""
    told = [record.message for record in caplog.records if "restart_needed" in record.message]
    assert told == ["action=restart_needed settings=cycle,log"]
    assert daemon.force.settings.keep == 500


def test_a_site_s_own_words_are_put_in_force_by_a_reload_unless_they_do_not_work(daemon, tmp_path):
    path, own = tmp_path / "duban.yaml", tmp_path / "templates"
    given = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**given, "templates": str(own)}, ensure_ascii=False), "utf-8")
    own.mkdir()
    for words, refused in (
        ("{{ sumary }}", "text.j2:1: 模板无法使用 (bad template): 'sumary' is undefined"),
        ("甲市\n", ""),
    ):
        (own / "text.j2").write_text(words, "utf-8")
        assert refused in daemon.reload()
        assert bool(daemon.reload()) == bool(refused)
    daemon.deliver("folder")
    bodies = {path.read_text("utf-8").partition("\n\n")[2] for path in (tmp_path / "alerts").glob("*/*.txt")}
    message.use(site.templates(None))
    assert bodies == {"甲市\n"}


def test_a_book_with_an_error_withdraws_nothing(daemon, tmp_path):
    rewrite(tmp_path / "books", "other-2025", "measure: cumulative", "measure: unheard-of")
    assert "unheard-of" in daemon.reload()
    assert daemon.meters.registry.get_sample_value("duban_config_reloads_total", {"outcome": "refused"}) == 1
    assert opened(daemon) == ALL
    daemon.close()
    again = Daemon(tmp_path / "duban.yaml")
    again.judge()
    assert opened(again) == ALL
    again.close()


def test_a_look_at_one_book_withdraws_nothing_of_the_others(daemon, tmp_path):
    force = read(tmp_path / "duban.yaml", only="town-2025")
    force.watch.load(daemon.engine, daemon.clock.now())
    assert force.watch.gone == []


def test_an_edited_threshold_is_logged_with_what_it_was_and_is(daemon, tmp_path, caplog):
    rewrite(tmp_path / "books", "town-2025", "yellow: behind 5%", "yellow: behind 12%")
    with caplog.at_level(logging.INFO, logger="monitor.app"):
        daemon.reload()
    lines = [record.message for record in caplog.records if "alert_resolved" in record.message]
    assert lines == [
        f"action=alert_resolved cause=rule_edited alert=town-2025/t00{i}//pace level=0 cleared: "
        "yellow threshold changed from 落后应完成数超过5% to 落后应完成数超过12%"
        for i in range(2)
    ]
    assert counted(daemon, "resolved", "rule_edited") == 2


@pytest.mark.parametrize(("many", "waits"), [(0, True), (10, False)])
def test_a_reload_reads_the_store_for_another_plan_alone_and_pages_wait_only_for_many_targets(
    daemon, tmp_path, monkeypatch, many, waits
):
    load, seen = daemon._cache.load, []
    monkeypatch.setattr(daemon._cache, "load", lambda *given: (seen.append(daemon.snapshot), load(*given)))
    monkeypatch.setattr("monitor.app._MANY", many)
    daemon.judge()
    seen.clear()
    rewrite(tmp_path / "books", "town-2025", "yellow: behind 5%", "yellow: behind 12%")
    assert daemon.reload() == ""
    assert seen == []
    rewrite(tmp_path / "books", "town-2025", "at least 1200", "at least 1201")
    assert daemon.reload() == ""
    assert [one is None for one in seen] == [waits]
    assert {judged.panel.block.goal.max() for judged in daemon.snapshot.judged} == {1201}


def test_of_a_storm_the_log_has_the_first_changes_and_how_many_more(daemon, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("monitor.app._TOLD", 1)
    rewrite(tmp_path / "books", "town-2025", "yellow: behind 5%", "yellow: behind 12%")
    with caplog.at_level(logging.INFO, logger="monitor.app"):
        daemon.reload()
    first, more = [record.message for record in caplog.records if "alert_resolved" in record.message]
    assert "alert=town-2025/t000//pace" in first
    assert more == "action=alert_resolved cause=rule_edited more=1"
    assert counted(daemon, "resolved", "rule_edited") == 2


def test_what_became_of_pulls_is_counted_by_source(daemon, tmp_path):
    figures(tmp_path / "books" / "town-2025", [("指标000", "2025-09", "八百", "2025-10-10")])
    daemon.pull(daemon.force.feeds["town-2025/filings"])
    mine = {"source": "town-2025/filings"}
    sample = daemon.meters.registry.get_sample_value
    assert sample("duban_pull_refused_total", {**mine, "reason": "not_a_number"}) == 1
    assert sample("duban_pull_duration_seconds_count", mine) == 2
    assert sample("duban_pulls_total", {**mine, "outcome": "ok"}) == 2


def test_a_source_that_answers_with_old_figures_only_is_told_by_the_page_and_the_command(daemon, tmp_path):
    (health,) = [source for source in daemon.snapshot.sources if source.book == "town-2025"]
    assert (health.schedule, health.stale_periods) == ("每1秒", 0)
    later = json.loads((tmp_path / "duban.yaml").read_text("utf-8"))
    other = {**later, "database": f"sqlite:///{tmp_path}/later.db", "clock": "2025-12-27T09:00:00+08:00"}
    (tmp_path / "duban.yaml").write_text(json.dumps(other, ensure_ascii=False), encoding="utf-8")
    again = Daemon(tmp_path / "duban.yaml")
    for feed in again.force.feeds.values():
        again.pull(feed)
    again.judge()
    assert [source.stale_periods for source in again.snapshot.sources] == [2, 2]
    again.close()
    told = typed("status", "--config", str(tmp_path / "duban.yaml"))
    assert told.stdout.count("有答复，但已2期没有新数据") == 2


def test_what_the_snapshot_shows_as_open_is_what_the_store_holds_after_every_cycle(daemon, tmp_path):
    owed = []
    daemon.owing = lambda: owed.append(daemon.snapshot.at)
    folder = tmp_path / "books" / "town-2025"
    for months in (
        [("2025-09", 1000, 700)],
        [("2025-09", 700, 1000)],
        [("2025-09", 880, 880)],
        [("2025-09", 880, 880)],
    ):
        rows = [(f"指标{i:03d}", period, values[i], "2025-10-15") for period, *values in months for i in range(2)]
        figures(folder, rows)
        for feed in daemon.force.feeds.values():
            daemon.pull(feed)
        shown = daemon.snapshot.at
        assert daemon.judge() is (owed[-1:] == [shown]), "messages are told of before the snapshot is renewed"
        with reading(daemon.engine) as connection:
            stored = alert_store.open_alerts(connection)
        assert {one.alert.identity: one for one in daemon.snapshot.alerts} == {
            one.alert.identity: one for one in stored
        }
