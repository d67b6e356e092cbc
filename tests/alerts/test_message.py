"""Golden texts: tests/alerts/golden/*.txt hold whole messages, title first, checked to the character."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from jinja2.exceptions import SecurityError

from alerts import message
from alerts.message import Form, render
from tests.alerts.builders import data_notice, letter, milestone_notice, pace_notice

GOLDEN = Path(__file__).parent / "golden"

GOLDEN_NOTICES = {
    "pace-fired": pace_notice(),
    "pace-worsened": pace_notice("worsened"),
    "pace-eased": pace_notice("eased"),
    "pace-resolved": pace_notice("resolved"),
    "pace-kept": pace_notice(
        "eased",
        reason="on_schedule",
        judged=0,
        actual_text="3600人",
        gap_text="比时序进度少150人（低于应完成数4%）",
        clear_text="无落后应完成数超过3%的情形",
        enough_text="2025年11月累计不低于4002人",
    ),
    "pace-cleared": pace_notice("resolved", clear_text="无落后应完成数超过3%的情形，连续2期"),
    "pace-corrected": pace_notice("corrected"),
    "pace-corrected-anew": pace_notice(
        "corrected",
        state="firing",
        level=1,
        previous_level=0,
        judged=1,
        reason="behind_schedule",
        actual_text="3200人",
        gap_text="比时序进度少175人（低于应完成数5.19%）",
        told_level=0,
        told_text="3900人",
    ),
    "pace-corrected-to-red": pace_notice(
        "corrected",
        state="firing",
        level=2,
        judged=2,
        reason="behind_schedule",
        actual_text="2576人",
        gap_text="比时序进度少799人（低于应完成数23.67%）",
        rule="落后应完成数超过15%",
    ),
    "pace-corrected-to-yellow": pace_notice(
        "corrected",
        state="firing",
        level=1,
        previous_level=2,
        judged=1,
        reason="behind_schedule",
        actual_text="3200人",
        gap_text="比时序进度少175人（低于应完成数5.19%）",
        told_level=2,
        told_text="2576人",
    ),
    "pace-corrected-past": pace_notice("corrected past"),
    "pace-corrected-past-without-alert": pace_notice(
        "corrected past",
        state="resolved",
        level=0,
        previous_level=0,
        judged=2,
        reason="behind_schedule",
        actual_text="2576人",
        gap_text="比时序进度少799人（低于应完成数23.67%）",
        rule="落后应完成数超过15%",
        told_level=0,
        told_text="3900人",
    ),
    "pace-cleared-by-edit": pace_notice("edited"),
    "pace-worsened-by-edit": pace_notice(
        "edited",
        event="worsened",
        state="firing",
        level=2,
        judged=2,
        reason="behind_schedule",
        edit="红色阈值由“落后应完成数超过15%”改为“落后应完成数超过5%”",
        rule="落后应完成数超过5%",
    ),
    "pace-compared": pace_notice("resolved", cause="compared"),
    "pace-withdrawn": pace_notice("withdrawn"),
    "pace-reminded": pace_notice("reminded"),
    "pace-reminded-late": pace_notice("reminded", reason="late", owed="2025年10月"),
    "pace-escalated": pace_notice("escalated"),
    "pace-escalated-at-once": pace_notice("escalated", waited=""),
    "pace-escalated-twice": pace_notice(
        "escalated", level=1, previous_level=1, waited="已连续2期", attention="分管领导"
    ),
    "data-reminded": data_notice(event="reminded", previous_level=1, waited="已满5个工作日"),
    "data-escalated": data_notice(event="escalated", previous_level=1, waited="已满10个工作日", attention="分管领导"),
    "data-withdrawn": data_notice("withdrawn"),
    "data-cleared-by-edit": data_notice(
        "resolved",
        cause="rule_edited",
        edit="报送时限由“期末后10个工作日内”改为“期末后30个工作日内”",
        period="2025年8月",
        actual_text="2350人",
        rule="数据应于期末后30个工作日内报送",
    ),
    "pace-preliminary": pace_notice(status="初步数", nil="2025年10月无报送事项"),
    "data-fired": data_notice(),
    "data-nil": data_notice("resolved", nil="2025年9月无报送事项", period="2025年8月", actual_text="2344人"),
    "data-resolved": data_notice("resolved"),
    "milestone-missed": milestone_notice(),
    "milestone-resolved": milestone_notice(
        event="resolved",
        level=0,
        previous_level=1,
        reason="on_schedule",
        period="2025年10月31日",
        actual_text="100%",
        gap_text="已完成",
        at="2025-11-03T09:00:00+08:00",
    ),
    "county-limit-breached": pace_notice(
        subject="綦江区",
        target="air-quality-share",
        name="空气质量优良天数比率",
        lead=("生态环境局", "住房城乡建委", "城市管理局"),
        asked=("生态环境局", "住房城乡建委", "城市管理局"),
        responsible=(),
        reason="limit_breached",
        period="2025年三季度",
        goal="不低于88%",
        by="2025年全年",
        actual_text="85.6%",
        expected_text="88%",
        gap_text="低于红线2.4个百分点",
        pace_text="",
        enough_text="2025年四季度不低于88%",
        rule="未达目标即预警",
        item=None,
        section="",
        origin="",
        mark="",
    ),
}


def test_a_letter_about_an_owed_figure_asks_the_reporter_and_names_the_lead():
    title, body = render(letter(data_notice(asked=("统计局",))), Form.TEXT)
    assert title.endswith("（统计局）")
    assert "请统计局尽快报送" in body
    assert "报送单位：统计局\n牵头单位：人力社保局\n" in body


@pytest.mark.parametrize("name", GOLDEN_NOTICES)
def test_a_message_reads_exactly_so(name):
    title, body = render(letter(GOLDEN_NOTICES[name]), Form.TEXT)
    assert f"{title}\n\n{body}" == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def test_every_golden_text_is_checked():
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(GOLDEN_NOTICES)


EVERY_EVENT = [*(pace_notice(event) for event in ("fired", "worsened", "eased", "resolved"))]
EVERY_EVENT += [*(pace_notice(event) for event in ("corrected", "corrected past", "edited", "withdrawn"))]
EVERY_EVENT += [pace_notice("reminded"), pace_notice("escalated"), data_notice("reminded", waited="已满5个工作日")]
EVERY_EVENT += [data_notice("fired"), data_notice("resolved"), data_notice("withdrawn")]


@pytest.mark.parametrize("notice", EVERY_EVENT, ids=lambda notice: f"{notice.kind}-{notice.event}")
@pytest.mark.parametrize("form", Form)
def test_the_mark_stands_in_title_and_body(notice, form):
    title, body = render(letter(notice), form)
    assert "〔演示数据〕" in title
    assert "〔演示数据〕" in body.replace(title, "")


@pytest.mark.parametrize("notice", EVERY_EVENT, ids=lambda notice: f"{notice.kind}-{notice.event}")
def test_text_and_mail_say_the_same(notice):
    text, html = render(letter(notice), Form.TEXT), render(letter(notice), Form.HTML)
    assert text.title == html.title
    seen = _words(html.body)
    for line in filter(None, text.body.splitlines()):
        label, _, value = line.partition("\uff1a")
        assert label in seen
        assert value in seen


@pytest.mark.parametrize("notice", EVERY_EVENT, ids=lambda notice: f"{notice.kind}-{notice.event}")
def test_what_is_not_known_leaves_no_line_and_no_gap(notice):
    bare = {"item": None, "section": "", "responsible": (), "lead": (), "gap_text": "", "pace_text": "", "origin": ""}
    bare |= {"actual": None, "actual_text": "", "expected": None, "expected_text": "", "rule": "", "mark": ""}
    facts = {**notice.facts(), **bare, "lead": (), "responsible": ()}
    title, body = render(letter(notice.of(facts), why=""), Form.TEXT)
    assert "\n\n\n" not in body
    assert not body.startswith("\n")
    assert body.endswith("\n")
    assert not [line for line in body.splitlines() if line.endswith("\uff1a")]
    assert "None" not in title + body
    assert "\uff08\uff09" not in title + body
    assert "〔" not in title + body


@pytest.mark.parametrize("form", [Form.DINGTALK, Form.WECOM, Form.FEISHU])
@pytest.mark.parametrize("notice", EVERY_EVENT, ids=lambda notice: f"{notice.kind}-{notice.event}")
def test_robots_say_the_same_as_the_text(notice, form):
    body = render(letter(notice), form).body.replace("**", "")
    for line in filter(None, render(letter(notice), Form.TEXT).body.splitlines()):
        assert line in body


def test_among_others_a_letter_has_its_conclusion_and_the_figures_behind_it():
    assert render(letter(pace_notice(mark="")), Form.WECOM, brief=True).body == (
        "**【红色预警】城镇新增就业（人力社保局）**\n"
        "截至2025年9月，城镇新增就业未达时序进度，现予以红色预警。请人力社保局牵头分析原因、加快推进。"
        "实际数值2576人，时序要求3375人，比时序进度少799人（低于应完成数23.67%）。\n"
    )
    assert render(letter(data_notice(mark="")), Form.FEISHU, brief=True).body == (
        "**【数据催报】城镇新增就业（人力社保局）**\n"
        "城镇新增就业2025年9月数据逾期未报，请人力社保局尽快报送。数据应于期末后10个工作日内报送。\n"
    )


@pytest.mark.parametrize("notice", EVERY_EVENT, ids=lambda notice: f"{notice.kind}-{notice.event}")
def test_among_others_a_letter_says_no_figure_twice(notice):
    body = render(letter(notice), Form.WECOM, brief=True).body
    assert all(body.count(words) <= 1 for words in (notice.actual_text, notice.gap_text) if words)


def test_among_others_the_end_of_a_target_that_was_taken_out_has_no_figures():
    withdrawn = next(one for one in EVERY_EVENT if (one.kind, one.event) == ("pace", "withdrawn"))
    assert render(letter(withdrawn), Form.WECOM, brief=True).body.endswith("原红色预警撤销。\n")


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        (Form.DINGTALK, "＜@all＞＊＊x＊＊［a］(b)"),
        (Form.WECOM, "＜@all＞＊＊x＊＊［a］(b)"),
        (Form.FEISHU, "&#60;@all&#62;&#42;&#42;x&#42;&#42;&#91;a&#93;(b)"),
    ],
)
def test_words_of_a_book_are_no_markup_in_a_chat(form, shown):
    sent = letter(pace_notice(name="<@all>**x**[a](b)"))
    for brief in (False, True):
        body = render(sent, form, brief=brief).body
        assert shown in body
        assert "<@all>" not in body


def test_a_yellow_alert_says_yellow():
    title, body = render(letter(pace_notice(level=1)), Form.TEXT)
    assert title.startswith("【黄色预警】")
    assert "现予以黄色预警" in body


def test_a_target_ahead_of_its_plan_that_missed_another_yardstick_is_not_called_late():
    facts = {"shortfall": -0.3, "gap_text": "高于目标0.3个百分点", "rule": "低于各对象平均数"}
    _, body = render(letter(pace_notice(**facts)), Form.TEXT)
    assert "城镇新增就业达到预警条件，现予以红色预警" in body


def test_a_target_that_follows_another_series_is_behind_no_schedule():
    facts = {"shortfall": 0.3, "gap_text": "低于全市平均增速0.3个百分点", "by": "2025年全年"}
    _, body = render(letter(pace_notice(**facts)), Form.TEXT)
    assert "城镇新增就业未达目标要求，现予以红色预警" in body


def test_times_are_told_in_the_offset_given():
    body = render(letter(pace_notice(since="2025-10-27T08:59:59.123456+00:00")), Form.TEXT).body
    assert "预警起始\uff1a2025年10月27日 08:59" in body


def test_a_title_is_one_line():
    title, _ = render(letter(pace_notice(name="两行\r\nBcc: x@y.cn")), Form.TEXT)
    assert "两行 Bcc: x@y.cn" in title
    assert len(title.splitlines()) == 1


def test_words_of_a_book_are_no_markup_in_a_mail():
    body = render(letter(pace_notice(name="<script>x</script>", origin="a&b \"'")), Form.HTML).body
    assert "<script>" not in body
    assert "a&amp;b &#34;&#39;" in body


def test_words_of_a_book_are_no_template():
    body = render(letter(pace_notice(name="{{ 7 * 7 }}")), Form.TEXT).body
    assert "{{ 7 * 7 }}" in body


def test_addresses_of_sources_are_left_as_they_are():
    origin = "https://stats.example.cn/q?a=(1, 2): x"
    assert origin in render(letter(pace_notice(origin=origin)), Form.TEXT).body


@pytest.mark.parametrize("source", ["{{ ''.__class__.__mro__ }}", "{{ groups.append(1) }}", "{{ typo }}"])
def test_templates_are_kept_in_a_sandbox_and_strict(source):
    template = message._environment().from_string(source)
    with pytest.raises((SecurityError, UndefinedError)):
        template.render(groups=[])


def test_templates_are_compiled_once():
    render(letter(), Form.TEXT)
    compiled = message._template("pace.j2")
    render(letter(pace_notice("resolved")), Form.TEXT)
    assert message._template("pace.j2") is compiled


class _Words(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_data(self, data):
        self.found.append(data)


def _words(html):
    parser = _Words()
    parser.feed(html)
    return "\n".join(parser.found)


def _bars(**facts):
    body = render(letter(pace_notice(**facts)), Form.HTML).body
    return [int(found) for found in re.findall(r'<td width="(\d+)%" height="12"', body)]


def test_a_mail_draws_the_figure_beside_what_it_is_held_against():
    assert _bars() == [57, 75, 100]
    assert _bars(expected=4500.0) == [57, 100]
    assert _bars(actual=0.0) == [75, 100]


@pytest.mark.parametrize("facts", [{"actual": None}, {"actual": -0.3}, {"unit": "类"}, {"event": "withdrawn"}])
def test_a_mail_draws_nothing_that_would_mislead(facts):
    assert _bars(**facts) == []
