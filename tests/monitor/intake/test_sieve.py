"""What makes two answers the same."""

from datetime import UTC, date, datetime

import pytest

from connectors.observation import Observation, frame
from monitor.intake.sieve import fingerprint

STATED = Observation("指标", "", date(2025, 9, 30), 900.0, "个", None, "第2行")


def test_a_row_that_moves_states_the_same():
    assert fingerprint(frame([STATED])) == fingerprint(frame([STATED._replace(cell="第9行")]))


@pytest.mark.parametrize(
    "other",
    [
        {"series": "别的"},
        {"subject": "甲县"},
        {"period": date(2025, 8, 31)},
        {"value": 901.0},
        {"unit": "户"},
        {"known_at": datetime(2025, 10, 15, tzinfo=UTC)},
    ],
)
def test_whatever_else_changes_makes_another_print(other):
    assert fingerprint(frame([STATED])) != fingerprint(frame([STATED._replace(**other)]))


def test_what_two_names_say_is_not_taken_for_one():
    one, other = (
        frame([STATED._replace(series=a), STATED._replace(series=b)])
        for a, b in (("甲', '乙", "丙"), ("甲", "乙', '丙"))
    )
    assert fingerprint(one) != fingerprint(other)
    assert fingerprint(frame([])) == fingerprint(frame([]))
