"""Cases of a book: judged, told and explained as the daemon would, without a store."""

import json
import re
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from alerts.organisation import Organisation
from connectors.observation import Observation, Reading, frame
from connectors.strict import read
from monitor import pipeline
from monitor.author.cases import Cases
from monitor.author.proving import prove, text
from monitor.watch import Watch
from monitor.wiring import Feed
from rules.document import Invalid
from tests.monitor.cli.shell import typed

OFFICE = Organisation.of_channels(["folder"])
ZONE = ZoneInfo("Asia/Shanghai")
TARGET = {
    "id": "t",
    "name": "指标",
    "lead": "甲局",
    "goal": "at least 120 个",
    "measure": "cumulative",
    "source": "filings",
}
SOURCES = {
    "filings": {
        "connector": "table_file",
        "path": "f.csv",
        "columns": {"series": "指标", "period": "期间", "value": "数值"},
    }
}


def cases(folder: Path, *written: dict, table: str = "", target: dict | None = None, **keys) -> Cases:
    """A file of cases below a book with one target, whose figures are due on the tenth day."""
    book = {"book": "b", "title": "方案", "year": 2025, "published": "10 days after period", "sources": SOURCES, **keys}
    book["targets"] = [TARGET | (target or {}), *book.pop("more", ())]
    (folder / "tests").mkdir()
    (folder / "book.yaml").write_text(json.dumps(book, ensure_ascii=False), encoding="utf-8")
    (folder / "goals.csv").write_text(table, encoding="utf-8")
    path = folder / "tests" / "cases.yaml"
    given = [{"name": f"第{number}例", "target": "t", **one} for number, one in enumerate(written, start=1)]
    path.write_text(json.dumps({"cases": given}, ensure_ascii=False, indent=1), encoding="utf-8")
    return Cases(path)


def wrong(folder: Path, *written: dict, **keys) -> list[str]:
    """What is not as the cases expect."""
    return [
        f"{failed.expected.shown} {words}"
        for proof in prove(cases(folder, *written, **keys), OFFICE)
        for failed in proof.failed
        for words in failed.wrong
    ]


STORY = {
    "figures": {
        "2025-01": 10,
        "2025-02": 18,
        "2025-03": 22,
        "2025-04": 30,
        "2025-05": {"value": 52, "known": "2025-06-12"},
    },
    "expect": {
        "2025-02-11": {"level": "正常", "alert": "无", "to": "无", "says": []},
        "2025-03-11": {"level": "黄色", "alert": "黄色", "to": "甲局", "says": ["黄色预警", "低于应完成数10%"]},
        "2025-04-11": {"level": "red", "alert": "红色预警", "says": "预警升级"},
        "2025-06-11": {"level": "not judged", "reason": "数据逾期未报", "alert": ["红色", "催报"], "says": "数据催报"},
        "2025-06-12 09:00": {
            "level": "正常",
            "reason": "on_schedule",
            "alert": "none",
            "says": ["预警解除", "数据已报送"],
        },
    },
}


def test_a_case_that_is_as_it_says_holds(tmp_path):
    assert wrong(tmp_path, STORY) == []


@pytest.mark.parametrize(
    ("moment", "change", "says"),
    [
        ("2025-03-11", {"level": "正常"}, "级别应为正常，实为黄色"),
        ("2025-03-11", {"reason": "符合时序进度"}, "缘由应为符合时序进度，实为未达时序进度"),
        ("2025-03-11", {"alert": "无"}, "预警应为无，实为黄色"),
        ("2025-03-11", {"to": ["乙局"]}, "接收人应为乙局，实为甲局"),
        ("2025-03-11", {"to": "无"}, "接收人应为无，实为甲局"),
        ("2025-02-11", {"to": "甲局"}, "接收人应为甲局，实为无"),
        ("2025-04-11", {"says": "预警解除"}, "没有消息含有“预警解除”"),
    ],
)
def test_a_case_that_is_not_as_it_says_fails_at_its_moment(tmp_path, moment, change, says):
    expect = STORY["expect"] | {moment: STORY["expect"][moment] | change}
    assert wrong(tmp_path, STORY | {"expect": expect}) == [f"{moment} {says}"]


@pytest.mark.parametrize(("words", "failed"), [("未达目标要求", 0), ("突破红线", 1)])
def test_a_case_may_name_the_reason_as_messages_do(tmp_path, words, failed):
    moment = "2025-03-11"
    expect = STORY["expect"] | {moment: STORY["expect"][moment] | {"reason": words}}
    assert len(wrong(tmp_path, STORY | {"expect": expect})) == failed


def test_cases_of_one_file_do_not_touch_each_other(tmp_path):
    other = {"figures": {"2025-01": 1}, "expect": {"2025-02-11": "红色"}}
    late = {"figures": {}, "expect": {"2025-02-11": {"alert": "催报"}, "2025-02-10": {"alert": "无"}}}
    assert wrong(tmp_path, STORY, other, late, STORY) == []


def test_a_figure_revised_later_is_corrected(tmp_path):
    figures = {"2025-01": [1, {"value": 10, "known": "2025-03-01"}], "2025-02": 20, "2025-03": 30}
    newest = {
        "figures": figures,
        "expect": {"2025-02-20": "红色", "2025-03-01": {"alert": "无", "says": "已修订为10个"}},
    }
    figures = {"2025-01": [1, {"value": 10, "known": "2025-04-01"}], "2025-02": 20}
    past = {"figures": figures, "expect": {"2025-03-11": {"alert": "无"}, "2025-04-01": {"says": "该期不构成预警"}}}
    assert wrong(tmp_path, newest, past) == []


def test_what_stands_is_told_again_and_higher_up(tmp_path):
    office = read(
        Organisation,
        {
            "default": {"contacts": ["folder"], "reports to": "李主任"},
            "people": {"李主任": {"contacts": ["folder"]}},
            "reminders": {"red": "5 workdays"},
            "escalation": [{"of": "red", "after": "10 workdays", "to": "top leader"}],
        },
    )
    expect = {
        "2025-02-10": {"to": "甲局"},
        "2025-02-14": {"to": "无"},
        "2025-02-17": {"to": "甲局", "says": "仍未解除"},
        "2025-02-24": {"to": ["甲局", "李主任"], "says": ["提请主要领导关注"]},
    }
    (proof,) = prove(cases(tmp_path, {"figures": {"2025-01": 1}, "expect": expect}), office)
    assert [failed.wrong for failed in proof.failed] == []


def test_a_target_of_several_subjects_has_the_goal_of_the_cases_own(tmp_path):
    table = "subject,target,goal\n甲县,t,120\n乙县,t,12\n"
    ones = [
        {"subject": name, "figures": {"2025-01": 1}, "expect": {"2025-02-11": level}}
        for name, level in (("甲县", "红色"), ("乙县", "正常"))
    ]
    assert wrong(tmp_path, *ones, subjects="goals.csv", table=table) == []


def test_peers_are_what_an_average_is_made_of(tmp_path):
    table = "subject,target,goal\n甲县,t,120\n乙县,t,120\n"
    behind = {
        "subject": "甲县",
        "figures": {"2025-01": 10},
        "peers": {"乙县": {"2025-01": 30}},
        "expect": {"2025-02-11": "黄色"},
    }
    ahead = {**behind, "peers": {"乙县": {"2025-01": 5}}, "expect": {"2025-02-11": "正常"}}
    levels = {"levels": {"yellow": "behind average", "red": "never"}}
    assert wrong(tmp_path, behind, ahead, subjects="goals.csv", table=table, target=levels) == []


def test_a_goal_that_leans_on_a_series_and_a_formula_take_their_figures_from_the_case(tmp_path):
    leaning = {"goal": "at least the figure of 全市", "measure": "growth"}
    made = {"id": "sum", "name": "合计", "lead": "甲局", "goal": "at least 120 个", "measure": "cumulative"}
    made["source"] = {"connector": "derived", "series": "合计"}
    derived = [{"series": "合计", "unit": "个", "formula": "filings.甲 + filings.乙"}]
    low = {"figures": {"2025-01": 5}, "series": {"全市": {"2025-01": {"value": 6, "known": "2025-02-12"}}}}
    low["expect"] = {"2025-02-11": {"reason": "对照数据未到"}, "2025-02-12": {"level": "黄色"}}
    total = {"target": "sum", "series": {"甲": {"2025-01": 6}, "乙": {"2025-01": 1}}, "expect": {"2025-02-11": "红色"}}
    assert wrong(tmp_path, low, total, target=leaning, more=[made], derived=derived) == []


def test_earlier_years_draw_the_curve(tmp_path):
    early = {f"{year}-{month:02}": 100 + month / 12 * 20 for year in (2023, 2024) for month in range(1, 13)}
    seasonal = {"figures": early | {"2025-01": 60}, "expect": {"2025-02-11": "红色"}}
    assert wrong(tmp_path, seasonal, target={"expect": "seasonal"}) == []


def test_days_are_counted_and_nil_reports_are_no_figures(tmp_path):
    days = {"goal": "at least 300 天", "measure": "good-days", "counts": "at most 100", "every": "day"}
    days |= {"published": "3 days after period", "levels": {"yellow": "behind 1 天", "red": "never"}}
    bad = {f"2025-01-{day:02}": 150 for day in range(1, 5)}
    nil = {"target": "z", "figures": {"2025-01": "无"}, "expect": {"2025-02-11": {"reason": "尚无数据", "alert": "无"}}}
    zero = {**TARGET, "id": "z", "name": "事故", "goal": "at most 0 起", "measure": "zero"}
    assert wrong(tmp_path, {"figures": bad, "expect": {"2025-01-07": "黄色"}}, nil, target=days, more=[zero]) == []


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ({"target": "u"}, "5: 册内没有目标 'u' (unknown target)"),
        ({"subject": "甲县"}, "没有对象 '甲县' (unknown subject)"),
        ({"figures": {"2025-13": 1}}, "期间“2025-13”不存在"),
        ({"figures": {"2025-01": "1 亩"}}, "'1 亩' 应为数值（以个计）"),
        ({"figures": {"2025-01": {"valeu": 1}}}, "未知的键 'valeu' (unknown key)"),
        ({"figures": {"2025-01": {"value": 1, "known": "soon"}}}, "看不懂发布日期“soon”"),
        ({"series": {"别的": {}}}, "t 不用序列 '别的' (unknown series)"),
        ({"expect": {"soon": "红色"}}, "'soon' 不是日期或时间"),
        ({"expect": {"2025-02-11": "紫色"}}, "不认识的级别 '紫色' (unknown value); 可用: 未判定、正常"),
        ({"expect": {"2025-02-11": {"alert": "蓝色"}}}, "不认识的预警 '蓝色' (unknown value); 可用: 无、待定"),
        ({"expect": {"2025-02-11": {"levle": "红色"}}}, "未知的键 'levle' (unknown key); 是否应为 'level'?"),
        ({"figure": {}}, "未知的键 'figure' (unknown key); 是否应为 'figures'?"),
    ],
)
def test_a_mistake_in_a_case_is_found_at_its_line(tmp_path, case, says):
    with pytest.raises(Invalid) as refusal:
        cases(tmp_path, {"expect": {"2025-02-11": "红色"}, **case})
    (error,) = refusal.value.errors
    assert error.startswith(f"{tmp_path}/tests/cases.yaml:")
    assert says in error


def test_the_command_shows_how_a_failed_verdict_came_about(tmp_path):
    cases(tmp_path, STORY, STORY | {"expect": {"2025-03-11": {"level": "正常", "to": "乙局"}}})
    report = tmp_path / "report.xml"
    words = ["test", str(tmp_path / "tests"), "--junit", str(report)]
    done = typed(*words)
    assert done.returncode == 1
    told = done.stdout
    assert "2025-03-11 级别应为正常，实为黄色；接收人应为乙局，实为甲局\n" in told
    for line in (
        f"目标 不低于120个（{tmp_path}/book.yaml:1）",
        "判定期 2025年2月",
        "预期 20个",
        "实际 18个",
        "差距 比时序进度少2个（低于应完成数10%）",
        "黄色 落后应完成数超过5%（缺省）",
        "级别 黄色：未达时序进度",
        "消息 致甲局：【黄色预警】指标（甲局）（甲局是该目标的牵头单位）",
    ):
        assert f"    {line}\n" in told
    assert "通过 1 项，失败 1 项" in told
    assert 'failures="1"' in report.read_text("utf-8")


def test_a_file_that_cannot_be_read_is_a_failure_and_the_others_go_on(tmp_path):
    cases(tmp_path, STORY)
    (tmp_path / "tests" / "bad.yaml").write_text("cases: 1\n", encoding="utf-8")
    done = typed("test", str(tmp_path))
    assert done.returncode == 1
    assert f"{tmp_path}/tests/bad.yaml:1: " in done.stdout
    assert "通过 1 项，失败 1 项" in done.stdout


def test_the_cases_of_the_shipped_books_hold():
    done = typed("test")
    assert done.returncode == 0, done.stdout


def test_the_case_of_the_guide_holds_for_the_book_it_is_about(tmp_path):
    guide = (Path(__file__).parents[3] / "rules" / "README.md").read_text("utf-8")
    (snippet,) = re.findall(r"```\n(cases:.*?)```", guide, re.DOTALL)
    shutil.copytree(Path(__file__).parents[3] / "rules" / "books" / "wansheng-2025", tmp_path / "book")
    path = tmp_path / "book" / "tests" / "guide.yaml"
    path.write_text(snippet, encoding="utf-8")
    (proof,) = prove(Cases(path), OFFICE)
    assert [failed.wrong for failed in proof.failed] == []


class Stated:
    def __init__(self, rows):
        self.rows = rows

    def fetch(self, query):
        return Reading(frame(self.rows), (), "figures.csv", "digest")


@pytest.mark.parametrize(
    "figures",
    [
        STORY["figures"],
        {"2025-01": 1, "2025-02": [2, {"value": 20, "known": "2025-03-25"}], "2025-03": 20, "2025-05": 60},
        {"2025-01": 9, "2025-02": [18, {"value": 12, "known": "2025-04-20"}], "2025-03": 30},
    ],
)
def test_a_case_tells_what_the_daemon_tells(engine, tmp_path, figures):
    """The daemon with a real store, asked twice a day from January to June, against the same figures as a case."""
    days = [date(2025, 1, 1) + timedelta(days=number) for number in range(175)]
    # What nobody can say makes every moment show what it saw.
    written = cases(tmp_path, {"figures": figures, "expect": {f"{day}": {"says": "∅"} for day in days}})
    (proof,) = prove(written, OFFICE)
    seen = {failed.expected.shown: {(t.notice.event, text(t)) for t in failed.seen.told} for failed in proof.failed}
    book, watch = written.book, Watch([written.book])
    (case,) = written.cases
    watch.load(engine, datetime(2025, 1, 1, tzinfo=ZONE))
    for day in days:
        told = set()
        for hour in (0, 9):
            at = datetime(day.year, day.month, day.day, hour, tzinfo=ZONE).astimezone(UTC)
            rows = [
                Observation("指标", "", one.period, one.value, "个", one.known, "")
                for one in case.figures
                if one.known == at
            ]
            if rows:
                pipeline.pull(engine, Feed(book, book.sources["filings"], Stated(rows)), at)
            _, found = pipeline.judge(engine, watch, OFFICE, (), at)
            told |= {(move.change.event.value, _words(move, route)) for move in found for route in move.routes}
        assert {event for event, _ in told} == {event for event, _ in seen[f"{day}"]}, day
        assert told == seen[f"{day}"], day


def _words(move, route):
    from monitor.author.proving import Told

    # A case has no document that its figures were read from.
    lines = text(Told(move.notice, route)).splitlines()
    return "\n".join(line for line in lines if not line.startswith("数据来源：")) + "\n"
