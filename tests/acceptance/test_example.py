"""What a newcomer does in the first five minutes, on the shipped example, with real processes."""

import csv
import json
import os
import shutil
import subprocess
import sys
from datetime import date

import pytest

from tests.acceptance.running import ROOT, Running, until

AIR = ROOT / "rules/books/chongqing-air-2025/figures/chongqing-daily-2022-2025.csv"


def duban(folder, *words, status=0):
    """Run a command on a database of its own; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "monitor", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        env={
            **os.environ,
            "DUBAN_DATABASE": f"sqlite:///{folder}/duban.db",
            "DUBAN_ARCHIVE": f"{folder}/archive",
            "DUBAN_CACHE": f"{folder}/duban.cache",
            "DUBAN_CONFIG": str(folder / "duban.yaml"),
        },
    )
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "duban.yaml").write_text(
        f"clock: 2025-10-27T09:00:00+08:00\nchannels:\n  folder: {{kind: folder, path: {tmp_path}/alerts}}\n",
        encoding="utf-8",
    )
    return tmp_path


def good_days(until_day):
    with AIR.open(encoding="utf-8") as file:
        days = [(date.fromisoformat(row["date"]), float(row["AQI"])) for row in csv.DictReader(file)]
    return sum(value <= 100 for day, value in days if date(2025, 1, 1) <= day <= until_day)


def test_the_example_serves_every_target_and_writes_its_alerts(tmp_path):
    example = Running(
        tmp_path,
        clock="2025-10-27T09:00:00+08:00",
        channels={"folder": {"kind": "folder", "path": str(tmp_path / "alerts")}},
    )
    with example as daemon:
        until(lambda: list((tmp_path / "alerts").glob("*/*")), what="alerts in the folder")
        rows = [
            row
            for book in ("wansheng-2025", "national-2025", "chongqing-air-2025")
            for row in json.loads(duban_targets(tmp_path, book))
        ]
        metrics = until(lambda: _metrics_with(daemon, "duban_target_actual"), what="figures in the metrics")
        levels = [line for line in metrics.splitlines() if line.startswith("duban_target_level{")]
        assert len(levels) == len(rows) == 105
        status, page = daemon.get("/")
        assert status == 200
        for words in ("城镇新增就业", "演示数据", "国内生产总值增长", "空气质量优良天数", "人力社保局"):
            assert words in page
        assert daemon.get("/-/healthy")[0] == 200
        until(lambda: _all_sent(tmp_path), what="every delivery sent")
        assert daemon.stop() == 0
    letters = list((tmp_path / "alerts").glob("*/*"))
    urban_jobs = [
        path for path in letters if path.parent.name == "人力社保局" and "城镇新增就业" in path.read_text("utf-8")
    ]
    assert len(urban_jobs) == 1
    text = urban_jobs[0].read_text("utf-8")
    for words in ("红色", "演示数据", "4500人", "此后每", "牵头", "2025年9月"):
        assert words in text, text


def duban_targets(folder, book):
    return duban(folder, "targets", "--book", book, "--json").split("\n]")[0] + "\n]"


def _metrics_with(daemon, name):
    text = daemon.get("/metrics")[1]
    return text if f"\n{name}{{" in text else ""


def _all_sent(folder):
    found = json.loads(duban(folder, "status", "--json"))
    return set(found["deliveries"]) == {"sent"}


def test_good_air_days_are_counted_from_the_file_up_to_the_day_before(settings):
    counted = good_days(date(2025, 9, 20))
    told = duban(settings, "tick", "--book", "chongqing-air-2025", "--at", "2025-09-21")
    assert f"实际{counted}天" in told
    why = duban(settings, "explain", "chongqing-air-2025/good-air-days", "--at", "2025-09-21")
    assert f"{counted}天" in why
    assert f"{325 * 263 / 365:.2f}天" in why
    assert "2025年9月20日" in why


def test_growth_is_judged_at_the_quarter_that_had_been_published(settings):
    third = duban(settings, "explain", "national-2025/gdp-growth", "--at", "2025-10-25")
    assert "2025年三季度" in third
    assert "5.2%" in third
    assert "2025-10-20" in third
    second = duban(settings, "explain", "national-2025/gdp-growth", "--at", "2025-10-10")
    assert "判定期" in second
    assert "2025年二季度" in second
    assert "2025年三季度" not in second
    assert "逾期" not in second


def test_looking_back_never_rewrites_alerts(settings):
    duban(settings, "tick", "--book", "wansheng-2025", "--at", "2025-10-27")
    before = json.loads(duban(settings, "status", "--json"))["alerts"]
    told = duban(settings, "tick", "--book", "wansheng-2025", "--at", "2025-05-20")
    assert "只判定" in told
    assert json.loads(duban(settings, "status", "--json"))["alerts"] == before != []


def test_a_broken_book_is_told_with_its_line_and_the_others_go_on(settings):
    books = settings / "books"
    shutil.copytree(ROOT / "rules/books", books)
    broken = books / "national-2025" / "book.yaml"
    broken.write_text(broken.read_text("utf-8").replace("measure: growth", "measur: growth"), encoding="utf-8")
    with (settings / "duban.yaml").open("a", encoding="utf-8") as file:
        file.write(f"books: {books}\n")
    told = duban(settings, "check", status=1)
    assert f"{broken}:14: " in told
    assert "是否应为 'measure'" in told
    assert "实际" in duban(settings, "tick", "--book", "chongqing-air-2025", "--at", "2025-09-21")


def test_a_slip_is_kept_apart_until_a_person_decides(settings):
    folder = settings / "books" / "wansheng-2025"
    shutil.copytree(ROOT / "rules/books/wansheng-2025", folder)
    with (settings / "duban.yaml").open("a", encoding="utf-8") as file:
        file.write(f"books: {settings}/books\n")
    duban(settings, "tick", "--at", "2025-10-20")
    with (folder / "figures/演示数据.csv").open("a", encoding="utf-8") as file:
        file.write(
            "城镇新增就业,2025-10,150,人,2025-10-21,演示数据\n外贸进出口总额,2025-10,38000,亿元,2025-10-21,演示数据\n"
        )
    assert "拒收 2" in duban(settings, "tick", "--at", "2025-10-22")
    fell, scale = json.loads(duban(settings, "quarantine", "--json"))
    assert [(row["reason"], row["value"]) for row in (fell, scale)] == [
        ("cumulative_fell", 150),
        ("wrong_scale", 38000),
    ]
    listed = duban(settings, "quarantine")
    for words in ("待核 2 条", "城镇新增就业", "2025-10-31", "“150人”", "累计数较前期减少", "演示数据.csv"):
        assert words in listed
    decided = ("--by", "张三", "--note", "电话核实")
    assert "已放行" in duban(settings, "quarantine", "release", str(fell["id"]), *decided)
    assert "已驳回" in duban(settings, "quarantine", "dismiss", str(scale["id"]), *decided)
    assert "already_released" in duban(settings, "quarantine", "release", str(fell["id"]), *decided, status=1)
    assert "name_and_note" in duban(settings, "quarantine", "release", "1", "--by", " ", "--note", "x", status=1)
    duban(settings, "tick", "--at", "2025-10-28")
    assert json.loads(duban(settings, "quarantine", "--json")) == []
    told = duban(settings, "quarantine", "--settled")
    assert told.startswith("已了结 2 条")
    assert "已放行（" in told
    assert "已驳回（" in told
    assert "150人" in duban(settings, "explain", "wansheng-2025/urban-jobs", "--at", "2025-11-20")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("explain", "national-2025/gdp-grwth"), "是否应为 'gdp-growth'"),
        (("tick", "--at", "soon"), "2025-10-25"),
        (("tick", "--book", "nowhere"), "nowhere"),
    ],
)
def test_a_wrong_call_is_answered_in_words(settings, words, said):
    told = duban(settings, *words, status=1)
    assert said in told
    assert "Traceback" not in told


def test_bad_figures_are_told_with_place_and_cure_and_the_good_ones_go_on(settings):
    books = settings / "books"
    shutil.copytree(ROOT / "rules/books/wansheng-2025", books / "wansheng-2025")
    path = books / "wansheng-2025" / "figures" / "演示数据.csv"
    lines = path.read_text("utf-8").splitlines()
    jobs = [i for i, line in enumerate(lines) if line.startswith("城镇新增就业,")]
    lines[jobs[0]] = lines[jobs[0]].replace(lines[jobs[0]].split(",")[2], "很多")
    lines[jobs[1]] = lines[jobs[1]].replace("2025-02", "2025-13")
    lines[jobs[2]] = lines[jobs[2]].replace(",人,", ",吨,")
    path.write_bytes("\n".join([*lines, ""]).encode("gb18030"))
    with (settings / "duban.yaml").open("a", encoding="utf-8") as file:
        file.write(f"books: {books}\n")
    told = duban(settings, "tick", "--book", "wansheng-2025")
    for row, words in ((jobs[0], "“很多”不是数值"), (jobs[1], "“2025-13”期间无法识别"), (jobs[2], "计量单位")):
        assert any(f"第{row + 1}行" in line and words in line for line in told.splitlines()), told
    assert "拒收 3" in told
    assert "城镇新增就业（wansheng-2025/urban-jobs" in told


def test_a_missing_file_is_told_with_its_path_and_the_other_sources_go_on(settings):
    books = settings / "books"
    shutil.copytree(ROOT / "rules/books", books)
    (books / "national-2025" / "figures" / "gdp-index-accumulated.csv").unlink()
    with (settings / "duban.yaml").open("a", encoding="utf-8") as file:
        file.write(f"books: {books}\n")
    told = duban(settings, "tick")
    assert "gdp-index-accumulated.csv" in told
    assert "请放入该文件" in told
    assert "数据来源故障" in told
    assert "未达时序进度" in told
