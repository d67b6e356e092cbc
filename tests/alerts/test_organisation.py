"""The organisation as written: errors have their place and their cure, and the way up is found."""

import pytest

from alerts.organisation import After, Contact, Of, load
from rules.document import Invalid

TOWN = """\
default: {contacts: [folder], reports to: 李主任}
units:
  人力社保局: {contacts: [folder, {mail: rsj@example.gov.cn}], roles: {联络员: 张三}}
  劳动监察大队: {reports to: 人力社保局}
  教育局: {reports to: 王书记}
people:
  张三: {contacts: [{mail: zs@example.gov.cn}]}
  李主任: {title: 管委会副主任, contacts: [folder], reports to: 王书记}
  王书记: {contacts: [folder]}
aliases:
  人社局: 人力社保局
  各部门: [人力社保局, 教育局]
"""


def loaded(folder, text):
    path = folder / "organisation.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, {"folder", "mail"})


def test_contacts_are_channels_with_or_without_an_address(tmp_path):
    town = loaded(tmp_path, TOWN)
    assert town.contacts("人力社保局") == (Contact("folder", ""), Contact("mail", "rsj@example.gov.cn"))
    assert town.contacts("商务局") == town.contacts("教育局") == (Contact("folder", ""),)


@pytest.mark.parametrize(
    ("unit", "people"),
    [
        ("人力社保局", ["李主任", "王书记"]),
        ("劳动监察大队", ["李主任", "王书记"]),
        ("教育局", ["王书记"]),
        ("商务局", ["李主任", "王书记"]),
        ("李主任", ["李主任", "王书记"]),
    ],
    ids=["by default", "through another unit", "directly", "not listed", "a person"],
)
def test_the_way_up_ends_at_the_top_leader(tmp_path, unit, people):
    assert loaded(tmp_path, TOWN).above(unit) == people


def test_a_default_that_leads_through_a_unit_is_no_circle(tmp_path):
    town = loaded(tmp_path, "default: {reports to: 政府办}\nunits: {政府办: {contacts: [folder]}}\n")
    assert town.above("教育局") == []


def test_without_a_word_yellow_twice_is_for_the_leader_in_charge_and_red_for_the_top_leader(tmp_path):
    town = loaded(tmp_path, "")
    assert town.reminders == {Of.RED: 5}
    assert [rule.words for rule in town.escalation] == [
        "yellow after 2 periods to leader in charge",
        "red after at once to top leader",
        "red after 10 workdays to top leader",
    ]


def test_reminders_and_escalation_are_the_books_own_words(tmp_path):
    town = loaded(
        tmp_path,
        "reminders: {yellow: 1 workday, red: never, data: 3 workdays}\n"
        "escalation:\n  - {of: data, after: 15 workdays, to: [leader in charge, supervisor]}\n",
    )
    assert town.reminders == {Of.YELLOW: 1, Of.RED: 0, Of.DATA: 3}
    (rule,) = town.escalation
    assert (rule.after, rule.to) == (After(15, 0, "15 workdays"), ("leader in charge", "supervisor"))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("unitss: {}\n", 1, "是否应为 'units'"),
        ("units:\n  教育局: {digest: daily 9}\n", 2, "bad digest"),
        ("units:\n  教育局: {at most: 20}\n", 2, "bad budget"),
        ("routes:\n  - {to: unit, digest: monthly 09:00}\n", 2, "bad digest"),
        (
            "inhibit:\n  - {by: {level: orange}, holds: {}}\n",
            2,
            "level: 不认识 'orange' (unknown value); 可用: yellow, red",
        ),
        ("inhibit:\n  - {by: {}, holds: {kind: money}}\n", 2, "可用: pace, data"),
        ("inhibit:\n  - {by: {}, holds: {}, equal: unit}\n", 2, "可用: target, subject, section, lead"),
        ("units:\n  教育局:\n    contacts: folder\n", 3, "应为渠道的列表"),
        ("units:\n  教育局:\n    contacts: [folder, sms]\n", 3, "没有名为 'sms' 的渠道"),
        ("people:\n  张三: {contacts: [{mial: a@b.cn}]}\n", 2, "是否应为 'mail'"),
        ("people:\n  张三: {contacts: [{mail: [a@b.cn, c@b.cn]}]}\n", 2, "mail: 应为一个地址 (one address)"),
        ("default: {reports to: 李主任}\n", 1, "机构中没有 '李主任'"),
        ("people: {李主任: {}}\nunits:\n  教育局: {reports to: 李主人}\n", 3, "是否应为 '李主任'"),
        ("units:\n  教育局: {roles: {联络员: 张三}}\n", 2, "机构中没有 '张三'"),
        ("units: {万盛街道: {}}\naliases:\n  镇街: [万盛街, 万盛街道]\n", 3, "是否应为 '万盛街道'"),
        ("units: {镇街: {}}\naliases:\n  镇街: []\n", 3, "已用作另一名称"),
        ("people:\n  甲: {reports to: 乙}\n  乙: {reports to: 甲}\n", 2, "绕回自身"),
        ("routes:\n  - to: [unit, top leadr]\n", 2, "是否应为 'top leader'"),
        ("routes:\n  - {when: {level: orange}, to: unit}\n", 2, "可用: yellow, red"),
        ("routes:\n  - {when: {kind: money}, to: unit}\n", 2, "可用: pace, data"),
        ("reminders:\n  red: weekly\n", 2, "应如 5 workdays"),
        ("reminders:\n  orange: never\n", 2, "orange"),
        ("escalation:\n  - {of: red, after: 0 workdays, to: top leader}\n", 2, "应如 at once"),
        ("escalation:\n  - {of: data, after: 2 periods, to: top leader}\n", 2, "不按期数计"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_its_cure(tmp_path, text, line, words):
    with pytest.raises(Invalid) as found:
        loaded(tmp_path, text)
    assert f"organisation.yaml:{line}: " in str(found.value)
    assert words in str(found.value)


def test_all_errors_are_told_at_once_in_the_order_of_the_file(tmp_path):
    with pytest.raises(Invalid) as found:
        loaded(tmp_path, "people:\n  甲: {contacts: [sms]}\n  乙: {reports to: 丙}\nroutes:\n  - to: 丁\n")
    assert [error.rsplit("yaml:", 1)[1].split(":")[0] for error in found.value.errors] == ["2", "3", "5"]
