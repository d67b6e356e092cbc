"""``duban doctor`` on installations that are well, and on ones that ail."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from monitor.doctor import Health, examine
from monitor.store import pulls
from monitor.store.database import open_engine
from monitor.store.leader import leadership
from tests.monitor.cli.shell import typed

BOOK = """\
book: b
title: 方案
year: 2025
every: month
published: 10 workdays after period
source: filings
sources:
  filings: {connector: table_file, path: figures.csv, columns: {series: 指标, period: 期间, value: 数值, unit: 单位}, schedule: daily at 06:00}
targets:
  - {id: jobs, name: 城镇新增就业, lead: 人力社保局, goal: at least 1200 人, measure: cumulative}
"""
FIGURES = "指标,期间,数值,单位\n城镇新增就业,2025-01,20,人\n"


@pytest.fixture
def settings(tmp_path):
    """An installation whose database does not exist yet."""
    return install(tmp_path, f"sqlite:///{tmp_path}/duban.db")


def install(tmp_path, database_url):
    folder = tmp_path / "books" / "b"
    folder.mkdir(parents=True)
    (folder / "book.yaml").write_text(BOOK, encoding="utf-8")
    (folder / "figures.csv").write_text(FIGURES, encoding="utf-8")
    path = tmp_path / "duban.yaml"
    facts = [f"books: {tmp_path}/books", f"database: {database_url}", f"archive: {tmp_path}/archive"]
    facts.append(f"channels: {{out: {{kind: folder, path: {tmp_path}/alerts}}}}")
    path.write_text("\n".join(facts) + "\n", encoding="utf-8")
    return path


def duban(*words):
    return typed(*words)


def tick(settings):
    """In a process of its own, as an operator does it."""
    subprocess.run([sys.executable, "-m", "monitor", "tick", "--config", str(settings)], check=True, timeout=60)


def of(found, part):
    return [one for one in found if one.part == part]


def test_an_installation_that_has_not_run_is_told_what_comes_next(settings):
    found = examine(settings)
    assert [one.health for one in of(found, "数据库")] == [Health.DOUBTFUL]
    assert "尚未建表" in of(found, "数据库")[0].words
    assert "duban db upgrade" in of(found, "数据库")[0].cure


def test_a_source_that_was_read_and_a_channel_that_delivered_are_well(tmp_path, database_url):
    settings = install(tmp_path, database_url)
    tick(settings)
    found = examine(settings)
    assert {one.part: one.health for one in found} == {
        **dict.fromkeys(("设置", "接收人", "日历", "磁盘", "数据库", "时钟", "来源", "渠道"), Health.WELL),
        "守护进程": Health.DOUBTFUL,
    }
    engine = open_engine(database_url)
    with leadership(engine) as leading:
        assert leading
        assert of(examine(settings), "守护进程")[0].health is Health.WELL
    engine.dispose()


def test_a_source_that_failed_is_ill_with_its_reason_and_the_exit_status_says_so(settings):
    (settings.parent / "books" / "b" / "figures.csv").unlink()
    tick(settings)
    done = duban("doctor", "--config", settings, "--json")
    assert done.returncode == 1
    (ill,) = [one for one in json.loads(done.stdout) if one["health"] == "ill"]
    assert ill["part"] == "来源"
    assert "b/filings 最近一次拉取失败（not_found）" in ill["words"]
    assert "duban connector try b/filings" in ill["cure"]
    assert "\n       处理：执行 duban connector try b/filings" in duban("doctor", "--config", settings).stdout


def test_messages_that_wait_for_a_channel_that_was_taken_out_of_the_settings_are_told_of(settings):
    (settings.parent / "alerts").write_text("no folder", encoding="utf-8")
    tick(settings)
    settings.write_text(settings.read_text("utf-8").replace("{out:", "{other:"), encoding="utf-8")
    (ill,) = [one for one in examine(settings) if one.health is Health.ILL]
    assert "设置中没有渠道 out" in ill.words
    assert "恢复渠道 out" in ill.cure


def test_wrong_settings_are_told_with_their_place(settings):
    settings.write_text("bokos: x\n", encoding="utf-8")
    (only,) = examine(settings)
    assert (only.part, only.health) == ("设置", Health.ILL)
    assert "duban.yaml:1" in only.words


def test_a_database_that_cannot_be_reached_is_ill_and_its_password_is_not_shown(settings):
    whole = settings.read_text(encoding="utf-8").splitlines()
    whole[1] = "database: postgresql://duban:geheim@127.0.0.1:1/duban"
    settings.write_text("\n".join(whole) + "\n", encoding="utf-8")
    (found,) = of(examine(settings), "数据库")
    assert found.health is Health.ILL
    assert "geheim" not in found.words


def test_a_clock_behind_what_was_saved_is_ill(tmp_path, migrated_url):
    settings, engine = install(tmp_path, migrated_url), open_engine(migrated_url)
    with engine.begin() as connection:
        pulls.begin(connection, "b/filings", datetime.now(UTC) + timedelta(days=1))
    engine.dispose()
    (found,) = of(examine(settings), "时钟")
    assert found.health is Health.ILL
    assert "早于库中最近一次拉取" in found.words


def test_a_full_disk_is_ill(settings, monkeypatch):
    usage = SimpleNamespace(total=100 << 30, used=97 << 30, free=3 << 30)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert {one.health for one in of(examine(settings), "磁盘")} == {Health.ILL}
