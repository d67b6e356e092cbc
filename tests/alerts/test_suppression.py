"""When a message waits, and until when."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.suppression import Held, Quiet, Reason, Silence, decide, quiet
from rules.target import Level
from tests.alerts.builders import data_notice, pace_notice

NOW = datetime.fromisoformat("2025-10-27T09:00:00+08:00")
UNTIL = NOW + timedelta(days=3)
YELLOW = pace_notice(level=1, judged=1)


def a_silence(**parts):
    usual = {"level": Level.YELLOW, "until": UNTIL, "who": "王五", "reason": "数据口径调整"}
    return Silence(**{"id": 7, "book": "wansheng-2025", **usual, **parts})


@pytest.mark.parametrize(
    ("silence", "notice", "waits"),
    [
        (a_silence(), YELLOW, True),
        (a_silence(), data_notice(), True),
        (a_silence(), pace_notice(), False),  # red
        (a_silence(), pace_notice("eased"), False),  # red until now
        (a_silence(level=Level.RED), pace_notice(), True),
        (a_silence(book="other"), YELLOW, False),
        (a_silence(target="urban-jobs"), YELLOW, True),
        (a_silence(target="gdp"), YELLOW, False),
        (a_silence(unit="人力社保局"), YELLOW, True),
        (a_silence(unit="督查办"), YELLOW, False),
        (a_silence(section="一、主要预期目标"), YELLOW, True),
        (a_silence(section="二、重点任务"), YELLOW, False),
        (a_silence(subject="綦江区"), pace_notice(level=1, judged=1, subject="綦江区"), True),
        (a_silence(subject="綦江区"), YELLOW, False),
        (a_silence(label="民生实事"), pace_notice(level=1, judged=1, labels=("民生实事", "考核")), True),
        (a_silence(label="民生实事"), YELLOW, False),
        (a_silence(until=NOW), YELLOW, False),
    ],
)
def test_a_silence_holds_what_it_names_and_nothing_else(silence, notice, waits):
    assert decide(notice, NOW, [silence], None) == (Held(Reason.SILENCED, UNTIL, 7) if waits else None)


def test_of_several_silences_the_longest_counts():
    longer = a_silence(id=8, until=UNTIL + timedelta(days=1))
    found = decide(YELLOW, NOW, [a_silence(), longer, a_silence()], quiet("days off"))
    assert found == Held(Reason.SILENCED, longer.until, 8)


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        ("nights 20:00-08:00", "2025-10-27T20:00", "2025-10-28T08:00"),
        ("nights 20:00-08:00", "2025-10-28T07:59", "2025-10-28T08:00"),
        ("nights 20:00-08:00", "2025-10-28T08:00", None),
        ("nights 00:00-07:30", "2025-10-28T01:00", "2025-10-28T07:30"),
        ("nights 00:00-07:30", "2025-10-28T23:59", None),
        ("days off", "2025-10-25T12:00", "2025-10-27T00:00"),
        ("days off", "2025-10-11T12:00", None),  # a Saturday on which offices worked
        ("nights 20:00-08:00, days off", "2025-09-30T21:00", "2025-10-09T08:00"),  # the national holiday
        ("nights 20:00-08:00, days off", "2025-10-24T20:30", "2025-10-27T08:00"),
    ],
)
def test_what_is_not_red_waits_for_the_next_working_morning(hours, now, until):
    local = datetime.fromisoformat(f"{now}:00+08:00")
    over = until and datetime.fromisoformat(f"{until}:00+08:00")
    assert decide(YELLOW, local, [], quiet(hours)) == (Held(Reason.QUIET, over, 0) if over else None)
    assert decide(pace_notice(), local, [], quiet(hours)) is None


@given(st.datetimes(datetime(2025, 1, 1), datetime(2025, 12, 20)), st.times(), st.times(), st.booleans())  # noqa: DTZ001
def test_where_a_quiet_ends_none_begins(local, begins, ends, days_off):
    hours = Quiet(begins, ends, days_off) if begins != ends else Quiet(days_off=days_off)
    over = hours.until(local)
    assert over is None or (over > local and hours.until(over) is None)


def test_red_waits_for_the_morning_only_where_it_is_told_to():
    midnight = datetime.fromisoformat("2025-10-26T23:00:00+08:00")
    for hours in ("nights 20:00-08:00", "days off", "nights 20:00-08:00, days off"):
        assert decide(pace_notice(), midnight, [], quiet(hours)) is None
        assert decide(pace_notice(), midnight, [], quiet(f"{hours}, red too")) == decide(
            YELLOW, midnight, [], quiet(hours)
        )


@pytest.mark.parametrize(
    "text",
    [
        "",
        ", red too",
        "nights",
        "nights 25:00-08:00",
        "nights 20:00-20:00",
        "days",
        ", days off",
        "nights 20:00-08:00days off",
    ],
)
def test_hours_that_cannot_be_read_are_refused(text):
    with pytest.raises(ValueError, match="bad quiet"):
        quiet(text)
