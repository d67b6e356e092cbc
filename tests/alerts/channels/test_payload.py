"""One alert among many says what it would say alone."""

import json

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from alerts.bulletin import Bulletin, bulletin
from alerts.channels.payload import annotations, group, told
from alerts.message import Form, render
from tests.alerts.builders import data_notice, letter, pace_notice

_EVENTS = ("fired", "worsened", "eased", "resolved", "corrected", "corrected past", "edited", "withdrawn", "reminded")
_NOTICES = [*map(pace_notice, _EVENTS), pace_notice("fired", level=1, gap_text="已完成"), data_notice("fired")]
_WORDS = st.sampled_from(
    [
        "",
        "已完成",
        "低于目标0.9个百分点",
        "2025年底前完成",
        "{0}",
        "{",
        "}}",
        "%s",
        "%",
        "甲 县\u3000",
        "<b>&",
        '","',
        "\\",
    ]
)
_FIGURES = st.none() | st.sampled_from([-1.5, 0.0, 2.25, 1e9 / 3])
_OWN = st.fixed_dictionaries(
    {
        **dict.fromkeys(("subject", "goal", "actual_text", "expected_text", "gap_text", "pace_text"), _WORDS),
        **dict.fromkeys(("outlook_text", "enough_text", "origin"), _WORDS),
        **dict.fromkeys(("goal_value", "actual", "expected", "shortfall", "probability"), _FIGURES),
    }
)
_DRAWN = st.lists(st.tuples(st.sampled_from(_NOTICES), _OWN), max_size=6)


@given(_DRAWN)
def test_many_at_once_are_told_as_each_by_itself(drawn):
    letters = [letter(replace(notice, **own), key=f"{place:032}") for place, (notice, own) in enumerate(drawn)]
    letters += [letter(pace_notice(subject=name)) for name in ("甲县", "乙县")]
    letters += [letter(bulletin(Bulletin.HEARTBEAT, "一切正常", ("数据：正常",), letters[0].sent_at))]
    for one, alert in zip(letters, map(json.loads, (alert.json for alert in told(letters))), strict=True):
        assert alert["annotations"] == annotations(one, render(one, Form.TEXT))
        assert alert["labels"].get("subject", "") == one.notice.subject
        assert alert["fingerprint"] == json.loads(told([one])[0].json)["fingerprint"]


@given(_DRAWN.filter(bool))
def test_what_alerts_have_in_common_stands_in_each_of_them(drawn):
    alerts = told([letter(replace(notice, **own)) for notice, own in drawn])
    head, listed = group("督查办", alerts), [json.loads(alert.json) for alert in alerts]
    for common, each in (("commonLabels", "labels"), ("commonAnnotations", "annotations")):
        assert set(head[common].items()) == set.intersection(*(set(alert[each].items()) for alert in listed))
