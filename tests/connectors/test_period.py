"""Periods and publication dates as people write them."""

from calendar import monthrange
from contextlib import suppress
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.period import moment, period_end, period_in, since_january

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2025-09-20", "2025-09-20"),
        ("2025/9/20", "2025-09-20"),
        ("2025.9.20", "2025-09-20"),
        ("20250920", "2025-09-20"),
        ("2025年9月20日", "2025-09-20"),
        ("2025-10-31 00:00:00", "2025-10-31"),
        ("2025-10-31T00:00:00+08:00", "2025-10-31"),
        ("2025-10", "2025-10-31"),
        ("2025/2", "2025-02-28"),
        ("2024-02", "2024-02-29"),
        ("202510", "2025-10-31"),
        ("2025年10月", "2025-10-31"),
        ("2025年10月份", "2025-10-31"),
        ("2025年9月末", "2025-09-30"),
        ("2025.10", "2025-10-31"),
        ("2025.9", "2025-09-30"),
        ("2025Q3", "2025-09-30"),
        ("2025-Q3", "2025-09-30"),
        ("3Q 2025", "2025-09-30"),
        ("Q3 2025", "2025-09-30"),
        ("2025年三季度", "2025-09-30"),
        ("2025年第三季度", "2025-09-30"),
        ("2025年3季度", "2025-09-30"),
        ("2025年前三季度", "2025-09-30"),
        ("2025年一至三季度", "2025-09-30"),
        ("2025年1—10月", "2025-10-31"),
        ("2025年1月至10月", "2025-10-31"),
        ("2025年1～10月累计", "2025-10-31"),
        ("2025年1-2月", "2025-02-28"),
        ("2025年前10个月", "2025-10-31"),
        ("2025年上半年", "2025-06-30"),
        ("2025年下半年", "2025-12-31"),
        ("2025H1", "2025-06-30"),
        ("2025", "2025-12-31"),
        ("2025年", "2025-12-31"),
        ("2025年全年", "2025-12-31"),
        ("２０２５年１０月", "2025-10-31"),
        ("\xa02025\xa0年 10 月\xa0", "2025-10-31"),
        ("　2025－10　", "2025-10-31"),
        (45962, "2025-11-01"),
        (45962.75, "2025-11-01"),
        (2025, "2025-12-31"),
        (202510, "2025-10-31"),
        (20250920, "2025-09-20"),
        (2025.0, "2025-12-31"),
        (2025.09, "2025-09-30"),
        (datetime.fromisoformat("2025-09-30T08:00"), "2025-09-30"),
        (date(2025, 9, 30), "2025-09-30"),
    ],
)
def test_a_period_is_known_by_its_last_day(text, end):
    assert period_end(text) == date.fromisoformat(end)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("1—10月", "2025-10-31"),
        ("1-2月", "2025-02-28"),
        ("10月", "2025-10-31"),
        ("前三季度", "2025-09-30"),
        ("上半年", "2025-06-30"),
        ("全年", "2025-12-31"),
        ("9月20日", "2025-09-20"),
        ("2024年10月", "2024-10-31"),
    ],
)
def test_a_year_given_apart_completes_a_period_that_names_none(text, end):
    assert period_end(text, 2025) == date.fromisoformat(end)


@pytest.mark.parametrize("text", ["1—10月", "前三季度", "全年", "10月", "9月20日"])
def test_without_a_year_the_error_says_so(text):
    with pytest.raises(ValueError, match="没有年份"):
        period_end(text)


@pytest.mark.parametrize(
    "text",
    [
        "2025-13",
        "2025-00",
        "202513",
        "2025Q5",
        "2025Q0",
        "2025年13月",
        "2025年2月30日",
        "2025-02-30",
        "2025年10—2月",
        "2025年5季度",
    ],
)
def test_an_impossible_period_is_refused(text):
    with pytest.raises(ValueError, match="不存在"):
        period_end(text)


@pytest.mark.parametrize("text", ["2025.1", 2025.1])
def test_a_month_that_may_have_lost_its_zero_is_not_guessed(text):
    with pytest.raises(ValueError, match="2025-01 或 2025-10"):
        period_end(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "去年",
        "2025 1 2",
        "45962",
        "9999",
        "注：本表为初步核算数",
        float("nan"),
        float("inf"),
        -1,
        0,
        True,
        1e300,
    ],
)
def test_what_is_no_period_is_refused_with_a_cure(text):
    with pytest.raises(ValueError, match="请写成"):
        period_end(text)


def test_a_time_in_utc_hides_the_local_date_and_is_refused():
    with pytest.raises(ValueError, match="世界时"):
        period_end("2025-10-31T16:00:00Z")


@given(
    st.dates(date(1950, 1, 1), date(2150, 12, 31)), st.sampled_from(["%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y年%m月%d日"])
)
def test_the_label_of_a_day_reads_as_that_day(day, form):
    assert period_end(day.strftime(form)) == day


@given(
    st.integers(1950, 2150),
    st.integers(1, 12),
    st.sampled_from(["{}-{:02}", "{}年{}月", "{}{:02}", "{}/{}", "{}.{:02}", "{}年1—{}月"]),
)
def test_the_label_of_a_month_reads_as_its_last_day(year, month, form):
    if (form, month) != ("{}年1—{}月", 1):
        assert period_end(form.format(year, month)) == date(year, month, monthrange(year, month)[1])


@given(
    st.integers(1950, 2150),
    st.integers(1, 4),
    st.sampled_from(["{y}Q{q}", "{q}Q {y}", "{y}年{c}季度", "{y}年第{q}季度", "{y}年前{c}季度"]),
)
def test_the_label_of_a_quarter_reads_as_its_last_day(year, quarter, form):
    end = period_end(form.format(y=year, q=quarter, c="一二三四"[quarter - 1]))
    assert (end.year, end.month) == (year, 3 * quarter)


@given(st.text(max_size=20))
def test_any_text_is_a_date_or_a_value_error(text):
    with suppress(ValueError):
        assert isinstance(period_end(text), date)
    with suppress(ValueError):
        assert isinstance(moment(text, SHANGHAI), datetime | None)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2025-10-20", "2025-10-20T00:00+08:00"),
        ("2025年10月20日", "2025-10-20T00:00+08:00"),
        ("2025-10-20 9:30", "2025-10-20T09:30+08:00"),
        ("2025-10-20T01:30:00Z", "2025-10-20T09:30+08:00"),
        (45950, "2025-10-20T00:00+08:00"),
        (datetime.fromisoformat("2025-10-20T09:30"), "2025-10-20T09:30+08:00"),
    ],
)
def test_a_publication_date_is_a_moment_of_its_place(text, at):
    assert moment(text, SHANGHAI) == datetime.fromisoformat(at)


def test_no_publication_date_is_no_moment():
    assert moment(" ", SHANGHAI) is None


@pytest.mark.parametrize("text", ["2025-10", "2025", "10月20日", "2025-10-20 25:00", "快了"])
def test_what_names_no_day_is_no_publication_date(text):
    with pytest.raises(ValueError, match="2025-10-20"):
        moment(text, SHANGHAI)


@pytest.mark.parametrize(
    "text", ["1—10月", "1至11月", "2025年1-2月", "前三季度", "前10个月", "上半年", "一至三季度", "10月累计"]
)
def test_spans_since_january_are_known_by_their_words(text):
    assert since_january(text)


@pytest.mark.parametrize("text", ["10月", "2025年1月", "三季度", "2025-10", "2025-01-10", "4—6月", "下半年", 45962, ""])
def test_other_periods_are_no_spans_since_january(text):
    assert not since_january(text)


@pytest.mark.parametrize(
    ("title", "period"),
    [
        ("2025年1—10月主要经济指标", "2025年1—10月"),
        ("全区2025年前三季度完成情况（初步数）", "2025年前三季度"),
        ("统计时间：2025-10", "2025-10"),
        ("2025年重点工作", "2025年"),
        ("重点工作", "重点工作"),
    ],
)
def test_a_period_is_found_in_a_title(title, period):
    assert period_in(title) == period
