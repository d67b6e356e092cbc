"""Which alerts hold which others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.inhibition import Firing, Inhibitors
from alerts.organisation import Organisation
from alerts.routing import Matter
from connectors.strict import read
from tests.alerts.builders import data_notice, pace_notice


def matter(notice=pace_notice, **facts):
    return Matter.of(notice(**facts))


def yellow(**facts):
    return matter(level=1, judged=1, **facts)


def held(rules, firing, one):
    organisation = read(Organisation, {"inhibit": rules})
    return Inhibitors(organisation, [Firing(by, number) for number, by in enumerate(firing, 1)]).of(one)


TOTAL = {"by": {"subject": "全市"}, "holds": {"kind": "pace"}, "equal": ["target"]}
PARTS = {"by": {"target": "jobs"}, "holds": {"label": "分项"}, "equal": ["lead"]}
LATE = {"by": {"kind": "data"}, "holds": {"kind": "pace"}, "equal": ["target", "subject"]}


@pytest.mark.parametrize(
    ("rule", "by", "one", "waits"),
    [
        (TOTAL, matter(subject="全市"), matter(subject="甲县"), True),
        (TOTAL, matter(subject="全市"), matter(subject="甲县", target="gdp"), False),
        (TOTAL, matter(subject="全市"), matter(subject="甲县", book="other"), False),
        (TOTAL, matter(subject="全市"), matter(subject="全市"), False),  # no alert holds itself
        (TOTAL, matter(subject="乙县"), matter(subject="甲县"), False),
        (TOTAL, yellow(subject="全市"), matter(subject="甲县"), False),  # red is worse than yellow
        (TOTAL, yellow(subject="全市"), yellow(subject="甲县"), True),
        (TOTAL, matter(subject="全市"), matter(data_notice, subject="甲县"), False),
        (PARTS, matter(target="jobs"), matter(target="a", labels=("分项",)), True),
        (PARTS, matter(target="jobs"), matter(target="a", labels=("分项",), lead=("财政局",)), False),
        (PARTS, matter(target="jobs"), matter(target="a"), False),
        (LATE, matter(data_notice), matter(), True),  # whatever is said without the figure waits for it
        (PARTS, matter(data_notice, target="jobs"), matter(target="a", labels=("分项",)), False),  # no word of figures
        (LATE, matter(data_notice, subject="甲县"), matter(subject="乙县"), False),
    ],
)
def test_an_alert_holds_what_the_rule_names_and_nothing_else(rule, by, one, waits):
    assert held([rule], [by], one) == int(waits)


def test_of_several_that_hold_the_worst_counts():
    assert held([TOTAL], [yellow(subject="全市"), matter(subject="全市")], matter(subject="甲县")) == 2


_WHEN = st.fixed_dictionaries(
    {},
    optional={
        "target": st.sampled_from(["a", "b", "c"]),
        "subject": st.sampled_from(["甲县", "乙县"]),
        "level": st.sampled_from(["yellow", "red"]),
    },
)
_RULES = st.lists(
    st.fixed_dictionaries(
        {"by": _WHEN, "holds": _WHEN, "equal": st.lists(st.sampled_from(["target", "subject"]), max_size=2)}
    ),
    max_size=4,
)
_MATTERS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["甲县", "乙县"]), st.integers(1, 2)),
    min_size=1, max_size=6, unique_by=lambda one: one[:2],
)  # fmt: skip


@given(_RULES, _MATTERS)
def test_no_alerts_wait_for_each_other(rules, found):
    firing = [matter(target=target, subject=subject, level=level, judged=level) for target, subject, level in found]
    holders = [held(rules, firing, one) for one in firing]
    for start in range(len(firing)):
        seen, number = set(), start + 1
        while number:
            assert number not in seen
            seen.add(number)
            number = holders[number - 1]
