"""``duban route test`` tells who would hear, and ``duban check`` whom the organisation cannot reach."""

import json
import os

import pytest

from tests.monitor.cli.shell import typed

BOOK = """\
book: b
title: 方案
year: 2025
supervisor: 督查办
targets:
  - {id: jobs, name: 城镇新增就业, lead: 人社局, reporter: 统计局, goal: at least 4500 人, measure: cumulative,
     labels: 民生实事, published: 10 workdays after period}
  - {id: schools, name: 新建学校, lead: 教育局, responsible: 镇街, goal: at least 5 个, measure: cumulative}
"""
TOWN = """\
default: {contacts: [folder]}
units:
  人力社保局: {contacts: [{folder: rsj}], reports to: 李主任}
  督查办: {contacts: [folder]}
  教育局: {reports to: 李主任}
people:
  李主任: {contacts: [{folder: li}], reports to: 王书记}
  王书记: {contacts: [{folder: wang}]}
aliases: {人社局: 人力社保局, 镇街: []}
"""


CHANNELS = {
    "folder": {"kind": "folder", "path": "alerts"},
    "out": {"kind": "email", "host": "mail.example.org", "sender": "duban@example.org"},
    "group": {"kind": "dingtalk", "token_env": "DUBAN_TOKEN"},
}


@pytest.fixture
def duban(tmp_path):
    def run(*words, book=BOOK, town=TOWN, settings=""):
        (tmp_path / "books" / "b").mkdir(parents=True, exist_ok=True)
        (tmp_path / "books" / "b" / "book.yaml").write_text(book, encoding="utf-8")
        (tmp_path / "town.yaml").write_text(town, encoding="utf-8")
        written = f"books: {tmp_path}/books\ndatabase: sqlite:///{tmp_path}/none.db\n{settings}"
        written += f"organisation: {tmp_path}/town.yaml\n" if town else ""
        (tmp_path / "duban.yaml").write_text(written, encoding="utf-8")
        done = typed(*words, "--config", str(tmp_path / "duban.yaml"))
        assert not (tmp_path / "none.db").exists()
        return done

    return run


def messages(duban, *words, **files):
    found = json.loads(duban("route", "test", "--json", *words, **files).stdout)
    return [
        (one["at"][5:13].replace("T", " "), one["event"], one["receiver"], one["address"]) for one in found["messages"]
    ]


def test_red_is_told_now_and_followed_up_over_the_holidays_in_working_days(duban):
    assert messages(duban, "b/jobs", "red", "--at", "2025-09-24T10:00")[:9] == [
        ("09-24 10", "fired", "人力社保局", "rsj"),
        ("09-24 10", "fired", "督查办", ""),
        ("09-24 10", "escalated", "王书记", "wang"),
        ("09-30 09", "reminded", "人力社保局", "rsj"),
        ("09-30 09", "reminded", "督查办", ""),
        ("10-14 09", "reminded", "人力社保局", "rsj"),
        ("10-14 09", "reminded", "督查办", ""),
        ("10-14 09", "escalated", "王书记", "wang"),
        ("10-21 09", "reminded", "人力社保局", "rsj"),
    ]


def test_who_is_told_of_red_by_a_route_is_not_told_of_it_again_as_the_leader(duban):
    town = f"{TOWN}routes: [{{when: {{level: red}}, to: [unit, top leader]}}]\n"
    assert messages(duban, "b/jobs", "red", "--at", "2025-09-24T10:00", town=town)[:3] == [
        ("09-24 10", "fired", "人力社保局", "rsj"),
        ("09-24 10", "fired", "王书记", "wang"),
        ("09-30 09", "reminded", "人力社保局", "rsj"),
    ]


def test_yellow_goes_up_when_the_next_figure_comes_and_is_no_better(duban):
    assert messages(duban, "b/jobs", "yellow", "--at", "2025-09-24T10:00") == [
        ("09-24 10", "fired", "人力社保局", "rsj"),
        ("09-24 10", "fired", "督查办", ""),
        ("10-21 09", "escalated", "李主任", "li"),  # September's, ten working days after the holidays
    ]


def test_it_is_said_by_which_digest_a_message_would_go(duban, monkeypatch):
    town = TOWN.replace("督查办: {contacts: [folder]}", "督查办: {contacts: [folder], digest: daily 09:00 except red}")
    town = town.replace("default: {contacts: [folder]}", "default: {contacts: [folder], at most: 20 a week}")

    def sent(level):
        words = ("route", "test", "--json", "b/jobs", level, "--at", "2025-09-30T21:00")
        found = json.loads(duban(*words, town=town, settings="quiet: nights 20:00-08:00\n").stdout)["messages"][:2]
        return [(one["receiver"], one["suppressed"], one["goes"][5:16], one["at_most"]) for one in found]

    assert sent("yellow") == [
        ("人力社保局", "quiet", "10-01T08:00", 20),
        ("督查办", "digest", "10-09T09:00", 20),
    ]
    assert [one[1] for one in sent("red")] == ["", ""]
    monkeypatch.setitem(os.environ, "COLUMNS", "200")
    shown = duban("route", "test", "b/jobs", "yellow", "--at", "2025-09-30T10:00", town=town).stdout
    assert "2025-10-09 09:00 并入定期汇总 (digest)" in shown
    assert "即时；每周至多20条" in shown


def test_a_debt_is_told_to_the_reporter(duban):
    assert messages(duban, "b/jobs", "yellow", "--kind", "data", "--at", "2025-09-24") == [
        ("09-24 23", "fired", "统计局", ""),
        ("09-24 23", "fired", "督查办", ""),
    ]


def test_who_cannot_be_told_is_said(duban):
    town = "units:\n  李局: {}\nescalation: []\nreminders: {}\n"
    assert messages(duban, "b/jobs", "red", "--at", "2025-09-24", town=town) == [("09-24 23", "fired", "", "")]
    assert "无人接收" in duban("route", "test", "b/jobs", "red", "--at", "2025-09-24", town=town).stdout


def test_people_get_a_table(duban, monkeypatch):
    monkeypatch.setitem(os.environ, "COLUMNS", "160")
    shown = duban("route", "test", "b/jobs", "red", "--at", "2025-09-24T10:00").stdout
    assert "城镇新增就业红色预警" in shown
    assert "王书记为主要领导；红色预警已满10个工作日仍未解除" in shown


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["b/job", "red"], "是否应为 'jobs'"),
        (["b/jobs", "orange"], "可用: yellow, red"),
        (["b/jobs", "red", "--kind", "money"], "可用: pace, data"),
        (["b/jobs", "red", "--subject", "甲县"], "没有对象 '甲县'"),
        (["b/jobs", "red", "--at", "soon"], "soon"),
    ],
)
def test_what_cannot_be_tested_is_told(duban, words, told):
    done = duban("route", "test", *words)
    assert done.returncode == 1
    assert told in done.stderr


def warned(duban, **files):
    found = json.loads(duban("check", "--json", **files).stdout)["findings"]
    return [one["words"] for one in found if one["code"] in ("D117", "D118")]


def test_an_organisation_that_reaches_everybody_is_not_warned_of(duban):
    town = TOWN.replace("  教育局:", "  统计局: {reports to: 李主任}\n  教育局:")
    assert warned(duban, town=town) == []
    assert warned(duban, town="") == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("人社局: 人力社保局, ", ""), "机构文件中没有单位 '人社局' (unknown unit); 是否应为 '人力社保局'?"),
        (("default: {contacts: [folder]}\n", ""), "教育局没有联系方式，default 也没有 (no contact)"),
        (("王书记: {contacts: [{folder: wang}]}", "王书记: {}"), "王书记没有联系方式 (no contact)"),
        (("教育局: {reports to: 李主任}", "教育局: {}"), "1个牵头单位没有分管领导，预警不会升级 (no leader)：教育局"),
        (("contacts: [{folder: rsj}]", "contacts: [{out: rsj}]"), "人力社保局的联系方式 out: 'rsj' 不是可用的邮件地址 (bad address)"),
        (("contacts: [{folder: rsj}]", "contacts: [{out: }]"), "人力社保局的联系方式 out: 没有填写邮件地址 (no address)"),
        (("default: {contacts: [folder]}", "default: {contacts: [group, {group: 张三}]}"), "default的联系方式 group: 无法提醒 '张三' (bad mention)"),
        (("people:", "routes: [{when: {label: 民声实事}, to: unit}]\npeople:"), "目标册中没有 '民声实事' (matches nothing); 是否应为 '民生实事'?"),
        (("people:", "inhibit: [{by: {target: job}, holds: {}}]\npeople:"), "inhibit 中 by 的 target: 目标册中没有 'job' (matches nothing)"),
        (("people:", "routes: [{when: {kind: data}, to: responsible}]\npeople:"), "b/jobs 的数据催报无人接收 (reaches nobody)"),
    ],
)  # fmt: skip
def test_what_the_organisation_leaves_open_is_warned_of(duban, change, told, monkeypatch):
    monkeypatch.setenv("DUBAN_TOKEN", "t0ken")
    assert change[0] in TOWN
    found = warned(duban, town=TOWN.replace(*change), settings=f"channels: {json.dumps(CHANNELS)}\n")
    assert any(told in words for words in found), found


def test_a_wrong_organisation_is_an_error_of_check_with_its_line(duban):
    found = json.loads(duban("check", "--json", town="units:\n  教育局: {contacts: [sms]}\n").stdout)
    (error,) = found["errors"]
    assert "town.yaml:2: 没有名为 'sms' 的渠道" in error
