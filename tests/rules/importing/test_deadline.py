"""By when."""

from datetime import date

import pytest

from rules.importing.deadline import read, within


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("9月底前", date(2025, 9, 30)),
        ("明年7月", date(2026, 7, 31)),
        ("全年", date(2025, 12, 31)),
        ("2025年6月30日前", date(2025, 6, 30)),
        ("2025.6.30", date(2025, 6, 30)),
        ("11月上旬", date(2025, 11, 10)),
        ("上半年", date(2025, 6, 30)),
        ("三季度末", date(2025, 9, 30)),
        ("前三季度", date(2025, 9, 30)),
        ("２月底", date(2025, 2, 28)),
        ("年底前", date(2025, 12, 31)),
        ("明年底", date(2026, 12, 31)),
        ("长期", None),
    ],
)
def test_a_time_is_its_last_day(words, day):
    (found,) = read(words, 2025)
    assert found.day == day


def test_a_time_says_what_is_to_be_reached():
    assert [(one.stage, one.day) for one in read("5月底前动工，9月投入使用", 2025)] == [
        ("动工", date(2025, 5, 31)),
        ("投入使用", date(2025, 9, 30)),
    ]


def test_in_a_sentence_only_a_deadline_counts():
    assert [one.words for one in within("3月以来加快建设，9月底前完成主体", 2025)] == ["9月底前完成"]
    assert within("全年接待游客100万人次", 2025) == []
