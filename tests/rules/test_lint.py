"""What is written correctly and cannot be meant is found at its line, and a comment of the author's settles it."""

import re
from pathlib import Path

import pytest

from rules import lint, loader
from rules.lint import CODES
from rules.lint_history import narrow
from tests.rules.builders import a_block, a_panel, remember

ROOT = Path(__file__).parents[2]
GOOD = """\
book: b
title: 2025年方案
year: 2025
source: filings
published: 10 workdays after period
levels: {yellow: behind 5%, red: behind 15%}
items:
  - {item: 1, text: 城镇新增就业4500人以上。, lead: 人力社保局}
targets:
  - id: jobs
    item: 1
    name: 城镇新增就业
    words: 城镇新增就业4500人以上
    goal: at least 4500 人
    measure: cumulative
  - id: growth
    name: 地区生产总值增速
    lead: 统计局
    goal: at least 5 %
    measure: growth
    every: quarter
  - {id: trade, name: 外贸进出口总额, lead: 商务局, goal: at least 5 亿元, measure: cumulative}
sources:
  filings:
    connector: table_file
    path: figures.csv
    columns: {series: 指标, period: 期间, value: 数值}
"""


def found(folder: Path, text: str = GOOD, **files: str) -> list[str]:
    """Findings as ``line code``."""
    (folder / "book.yaml").write_text(text, encoding="utf-8")
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_text(content, encoding="utf-8")
    written = loader.read(folder)
    return [
        f"{one.place.removeprefix(f'{folder}/book.yaml:')} {one.code}"
        for one in lint.findings(loader.made(written), written)
    ]


@pytest.mark.parametrize("name", ["chongqing-air-2025", "national-2025", "wansheng-2025"])
def test_nothing_is_doubtful_in_the_shipped_books(name: str) -> None:
    written = loader.read(ROOT / "rules" / "books" / name)
    assert lint.findings(loader.made(written), written) == []


def test_nothing_is_doubtful_in_the_book_that_the_doubtful_ones_are_made_from(tmp_path: Path) -> None:
    assert found(tmp_path) == []


MEASURE = "    measure: cumulative\n"
GROWTH = "    measure: growth\n"


@pytest.mark.parametrize(
    ("was", "now", "says"),
    [
        ("title: 2025年方案", "title: 2024年方案", ["2 D101"]),
        ("name: 地区生产总值增速", "name: 2024年底前的增速", ["17 D101"]),
        ("source: filings\n", "source: filings\nholidays: [2023-01-01]\n", ["5 D101"]),
        (MEASURE, f"{MEASURE}    changes: [{{from: 2025-01-15, goal: at least 5000 人, why: 调整}}]\n", ["16 D102"]),
        (MEASURE, f"{MEASURE}    changes: [{{from: 2025-03-15, goal: at least 5000 人, why: 调整}}]\n", []),
        (MEASURE, f"{MEASURE}    levels: {{red: behind 100%}}\n", ["16 D103"]),
        (MEASURE, f"{MEASURE}    levels: {{red: behind 99%}}\n", []),
        (MEASURE, f"{MEASURE}    levels: {{red: behind 15% for 13}}\n", ["16 D103"]),
        (MEASURE, f"{MEASURE}    levels: {{red: behind 4500 人}}\n", ["16 D103"]),
        (MEASURE, f"{MEASURE}    every: year\n    levels: {{red: behind 15% for 2}}\n", ["17 D103"]),
        (GROWTH, f"{GROWTH}    levels: {{yellow: below 6 %}}\n", ["21 D104"]),
        (GROWTH, f"{GROWTH}    levels: {{yellow: below 5 %, red: below 0 %}}\n", []),
        (MEASURE, f"{MEASURE}    levels: {{yellow: below 1000 人}}\n", ["16 D104"]),
        (MEASURE, f"{MEASURE}    levels: {{red: behind 3%}}\n", ["16 D105"]),
        (MEASURE, f"{MEASURE}    levels: {{yellow: behind 8% for 2, red: behind 8%}}\n", ["16 D105"]),
        (MEASURE, f"{MEASURE}    levels: {{yellow: behind 8%, red: behind 8% for 2}}\n", []),
        (MEASURE, f"{MEASURE}    levels: {{yellow: behind 5%}}\n", ["16 D106"]),
        (MEASURE, f"{MEASURE}    published: 10 workdays after period\n", ["16 D106"]),
        (MEASURE, f"{MEASURE}    source: {{connector: filings, series: 城镇新增就业}}\n", ["16 D106"]),
        (MEASURE, f"{MEASURE}    lead: 人力社保局\n", ["16 D106"]),
        (MEASURE, f"{MEASURE}    reporter: 人力社保局\n", ["16 D106"]),
        ("levels: {", "measures: {rank: {yellow: never}}\nlevels: {", ["6 D107"]),
        ("at least 5 亿元,", "at least 5 亿元, every: year,", []),
        ("source: filings\n", "source: filings\nmeasures: {cumulative: {red: behind 20%}}\n", ["7 D107"]),
        ("source: filings\n", "", ["9 D108", "15 D108", "21 D108", "23 D109"]),
        ("columns: {series: 指标, period", "series: 就业\n    columns: {period", ["10 D108", "16 D108", "22 D108"]),
        ("  filings:\n", "  other: {connector: push, token_env: X}\n  filings:\n", ["24 D109"]),
        (
            "path: figures.csv",
            "path: figures.csv\n    known: 20 workdays after period",
            ["10 D110", "16 D110", "22 D110"],
        ),
        ("path: figures.csv", "path: figures.csv\n    known: 5 days after period", []),
        ("path: figures.csv", "path: figures.csv\n    schedule: day 28 at 09:00", ["10 D110", "16 D110", "22 D110"]),
        ("path: figures.csv", "path: figures.csv\n    schedule: day 5 at 09:00", []),
        ("at least 4500 人", "at least 4500 户", ["14 D111"]),
        ("at least 4500 人", "at least 0.45 万人", []),
        ("path: figures.csv", "path: figures.csv\n    unit: 亿元", ["14 D111", "19 D111"]),
        ("at least 4500 人", "at least 5400 人", ["14 D112"]),
        ("year: 2025", "year: 2031", ["2 D101", "3 D115"]),
        ("name: 地区生产总值增速", "name: 城镇新增就业", ["17 D116"]),
        (
            "  - {id: trade",
            "  - {id: twin, name: 再, lead: 甲, goal: at least 5 亿元, measure: cumulative, source: {connector: filings, series: 外贸进出口总额}}\n  - {id: trade",
            ["23 D116"],
        ),
    ],
)
def test_what_cannot_be_meant_is_found_at_its_line(tmp_path: Path, was: str, now: str, says: list[str]) -> None:
    assert GOOD.count(was) == 1, was
    assert found(tmp_path, GOOD.replace(was, now)) == says


PARTS = """\
book: b
title: 方案
year: 2025
source: filings
derived:
  - {series: 合计, unit: 亿元, formula: 工业 + 农业}
targets:
  - {id: industry, name: 工业, lead: 甲, goal: at least 60 亿元, measure: cumulative}
  - {id: farming, name: 农业, lead: 甲, goal: at least 300000 万元, measure: cumulative}
  - id: all
    name: 合计
    lead: 甲
    goal: at least 100 亿元
    measure: cumulative
    source: {connector: derived, series: 合计}
sources:
  filings: {connector: table_file, path: f.csv, columns: {series: 指标, period: 期间, value: 数值}}
"""


def test_parts_that_do_not_make_their_total_are_found(tmp_path: Path) -> None:
    assert found(tmp_path, PARTS) == ["13 D113"]
    assert found(tmp_path, PARTS.replace("300000", "400000")) == []
    assert found(tmp_path, PARTS.replace("工业 + 农业", "工业 - 农业")) == []


def test_subjects_that_do_not_make_their_common_goal_are_found(tmp_path: Path) -> None:
    text = GOOD.replace("year: 2025", "year: 2025\nsubjects: goals.csv")
    goals = "subject,target,goal\n甲县,jobs,2500\n乙县,jobs,{}\n"
    assert found(tmp_path, text, goals_csv=goals.format(1500)) == ["15 D113"]
    assert found(tmp_path, text, goals_csv=goals.format(2000)) == []
    # A share of each county is no part of a sum.
    assert found(tmp_path, text, goals_csv=goals.format(2000) + "甲县,growth,4\n") == []


RED = GOOD.replace(MEASURE, f"{MEASURE}    levels:\n      red: behind 3%\n")


def test_a_comment_switches_a_finding_off_where_it_stands(tmp_path: Path) -> None:
    off = "# duban: off D105"
    assert found(tmp_path, RED) == ["17 D105"]
    for was, now in (
        ("red: behind 3%\n", f"red: behind 3%   {off}, D103\n"),
        ("      red: behind 3%", f"      {off}\n      red: behind 3%"),
        ("  - id: jobs\n", f"  - id: jobs  {off}\n"),
        ("  - id: jobs\n", f"  {off}\n  - id: jobs\n"),
        ("book: b\n", f"book: b\n{off}\n"),
    ):
        assert found(tmp_path, RED.replace(was, now)) == [], now


def test_a_comment_elsewhere_or_of_another_code_switches_nothing_off(tmp_path: Path) -> None:
    for was, now in (
        ("red: behind 3%\n", "red: behind 3%   # duban: off D103\n"),
        ("  - id: growth\n", "  - id: growth  # duban: off D105\n"),
        ("book: b\n", "book: b   # duban: off D105\n"),
    ):
        assert found(tmp_path, RED.replace(was, now)) == ["17 D105"], now
    assert found(tmp_path, f"{GOOD}# duban: off D999\n") == ["28 D100"]


def test_a_book_that_has_no_source_yet_is_told_so_once(tmp_path: Path) -> None:
    assert found(tmp_path, GOOD.partition("sources:")[0].replace("source: filings\n", "")) == ["1 D108"]


def test_a_direction_of_another_number_in_the_words_is_no_doubt(tmp_path: Path) -> None:
    nursery = GOOD.replace("城镇新增就业4500人以上", "3岁以下托位4500人")
    assert found(tmp_path, nursery) == []
    assert found(tmp_path, nursery.replace("3岁", "4500人")) == ["14 D112"]


def test_a_tolerance_narrower_than_the_usual_ups_and_downs_is_found() -> None:
    target = {"goal": "at least 5 %", "measure": "growth"}
    uneasy = {2023: {month: 5 + month % 2 for month in range(1, 13)}}

    def words(yellow: str, **levels: object) -> list[str]:
        panel = a_panel(a_block({**target, "levels": {"yellow": yellow, **levels}}), {1: 5.0})
        remember(panel, uneasy)
        panel.renew()
        return [one.words for one in narrow(panel)]

    (said,) = words("behind 0.5 points")
    assert said.startswith("黄色 'behind 0.5 points' 小于该序列逐期的变动（通常约 1个百分点）(narrower than noise)")
    assert words("behind 1.5 points") == []
    assert words("behind 0.5 points for 2") == []
    assert words("behind 0.5 points", **{"clear for": 2}) == []
    assert words("behind 0 points") == []


def test_a_tolerance_narrower_than_the_season_is_found() -> None:
    target = {"goal": "at least 120 个", "expect": "seasonal"}
    steady = {month: month * 10.0 for month in range(1, 13)}
    late = {month: (month**2) * 120 / 144 for month in range(1, 13)}
    for yellow, years, doubtful in (
        ("behind 2%", (late, steady, late), True),
        ("behind 90%", (late, steady, late), False),
        ("behind 2%", (steady, steady, steady), False),
        ("behind 2%", (late, steady), False),
    ):
        panel = a_panel(a_block({**target, "levels": {"yellow": yellow}}), {1: 5.0})
        remember(panel, dict(enumerate(years, start=2021)))
        panel.renew()
        assert bool(list(narrow(panel))) is doubtful, (yellow, years)


def test_the_guide_lists_every_code() -> None:
    guide = (ROOT / "rules" / "README.md").read_text("utf-8")
    assert re.findall(r"^\| `(D\d{3})` \|", guide, re.MULTILINE) == list(CODES)
