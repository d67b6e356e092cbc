"""Units in titles: what is stated is read, what only looks like one is not."""

import pytest

from connectors.unit_words import is_unit_line, unit_line, unit_of


@pytest.mark.parametrize(
    ("title", "unit"),
    [
        ("社会消费品零售总额（亿元）", "亿元"),
        ("人民币贷款 ( 亿元 )", "亿元"),
        ("产值（单位：万元）", "万元"),
        ("接待游客(万人次)", "万人次"),
        ("人均可支配收入（元/人）", "元/人"),
        ("同比增长％", "%"),
        ("累计比去年同期±％", "%"),
        ("当月同比增速(%)", "%"),
        ("指数（上年同期=100）", "上年=100"),
        ("比重(个百分点)", "个百分点"),
        ("粮食面积（万亩）", "万亩"),
        ("货币和准货币(M2)", ""),
        ("外币贷款(折合人民币)", ""),
        ("(一)对外开放", ""),
        ("Gross Domestic Product (100 million yuan)", ""),
        ("就业人", ""),
        ("", ""),
    ],
)
def test_the_unit_of_a_title(title, unit):
    assert unit_of(title) == unit


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("单位：亿元", "亿元"),
        ("（单位:万元）", "万元"),
        ("单位：万元人民币", "万元"),
        ("2025年1—10月主要指标 （单位：亿元）", "亿元"),
        ("计量单位：人", "人"),
        ("填报单位：人", ""),
        ("单位：统计局", ""),
        ("单位：亿元、%", ""),
        ("单位：亿元，万人", ""),
    ],
)
def test_the_unit_of_a_line_above_a_table(text, unit):
    assert unit_line(text) == unit


def test_a_title_that_also_states_the_unit_stays_a_title():
    assert is_unit_line("单位：亿元")
    assert not is_unit_line("主要指标 （单位：亿元）")
