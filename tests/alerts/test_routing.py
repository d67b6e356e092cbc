"""Who hears of a change: by default every unit asked to act and the office that supervises; else as the routes say."""

import pytest

from alerts.digest import digest
from alerts.organisation import Organisation
from alerts.routing import Matter, Route, rhythm, routes
from connectors.strict import read
from tests.alerts.builders import data_notice, pace_notice

MAIL = {"email": "jobs@example.org"}
UNITS = {
    "人力社保局": {"contacts": [MAIL, "folder"], "reports to": "李主任", "roles": {"联络员": "张三"}},
    "财政局": {"contacts": [{"webhook": "http://example.org/cz"}], "reports to": "李主任"},
    "督查办": {"contacts": ["folder"]},
    "无人值守局": {"contacts": []},
    "万盛街道": {"contacts": [{"webhook": "http://example.org/ws"}]},
    "南桐镇": {},
}
PEOPLE = {
    "张三": {"contacts": [{"email": "zs@example.org"}]},
    "李主任": {"contacts": [{"email": "li@example.org"}], "reports to": "王书记"},
    "王书记": {"contacts": [{"email": "wang@example.org"}]},
}
ALIASES = {"人社局": "人力社保局", "镇街": ["万盛街道", "南桐镇"], "相关部门": []}


def an_organisation(**keys):
    written = {"default": {"contacts": [{"folder": "all"}]}, "units": UNITS, "people": PEOPLE, "aliases": ALIASES}
    return read(Organisation, {**written, **keys})


def told(lead, supervisor="督查办", **organisation):
    notice = pace_notice(lead=tuple(lead), asked=tuple(lead), supervisor=supervisor)
    return [route[:3] for route in routes(Matter.of(notice), an_organisation(**organisation))]


OFFICE = ("督查办", "folder", "")


@pytest.mark.parametrize(
    ("lead", "expected"),
    [
        (["人力社保局"], [("人力社保局", "email", "jobs@example.org"), ("人力社保局", "folder", "")]),
        (["财政局"], [("财政局", "webhook", "http://example.org/cz")]),
        (["商务局"], [("商务局", "folder", "all")]),
        (["财政局", "商务局"], [("财政局", "webhook", "http://example.org/cz"), ("商务局", "folder", "all")]),
        (["无人值守局"], []),
        (["人社局"], [("人力社保局", "email", "jobs@example.org"), ("人力社保局", "folder", "")]),
        (["镇街"], [("万盛街道", "webhook", "http://example.org/ws"), ("南桐镇", "folder", "all")]),
        (["相关部门"], []),
    ],
    ids=["each contact", "one", "the default", "several leads", "wants nothing", "other name", "many", "nobody meant"],
)
def test_every_lead_unit_hears_by_each_of_its_contacts(lead, expected):
    assert told(lead) == [*expected, OFFICE]


def test_an_office_that_leads_itself_hears_once():
    assert told(["督查办"]) == [OFFICE]


def test_one_address_hears_once_however_many_have_it():
    shared = {"contacts": [MAIL, "folder"]}
    units = {"人力社保局": shared, "财政局": shared, "督查办": shared}
    assert told(["人力社保局", "财政局"], units=units) == [
        ("人力社保局", "email", "jobs@example.org"),
        ("人力社保局", "folder", ""),
        ("财政局", "folder", ""),
        ("督查办", "folder", ""),
    ]


def test_a_supervisor_without_an_entry_of_its_own_is_not_told_through_the_default():
    assert told(["财政局"], supervisor="政府办") == [("财政局", "webhook", "http://example.org/cz")]


def test_without_any_contact_nobody_can_be_reached():
    assert routes(Matter.of(pace_notice()), Organisation()) == []


def test_without_a_file_every_channel_hears_everything_for_the_unit():
    found = routes(Matter.of(pace_notice()), Organisation.of_channels(["folder", "am"]))
    assert [route[:3] for route in found] == [("人力社保局", "folder", ""), ("人力社保局", "am", "")]


def test_each_receiver_is_told_why():
    notice = data_notice(asked=("人社局", "财政局"), lead=("财政局",), responsible=("镇街",))
    to = ["unit", "responsible", "联络员", "leader in charge", "top leader", "supervisor", "万盛街道"]
    found = routes(Matter.of(notice), an_organisation(routes=[{"to": to}]))
    assert {route.receiver: route.why for route in found} == {
        "人力社保局": "人力社保局（方案写作“人社局”）负责报送该目标的数据",
        "财政局": "财政局是该目标的牵头单位",
        "万盛街道": "万盛街道（方案写作“镇街”）是该目标的责任单位",
        "南桐镇": "南桐镇（方案写作“镇街”）是该目标的责任单位",
        "张三": "张三是人力社保局的联络员",
        "李主任": "李主任分管人力社保局",
        "王书记": "王书记为主要领导",
        "督查办": "督查办负责督办本方案",
    }


@pytest.mark.parametrize(
    ("when", "facts"),
    [
        ({"unit": "人力社保局"}, {"asked": ("财政局",), "lead": ("财政局",)}),
        ({"level": "red"}, {"level": 1, "judged": 1}),
        ({"book": "wansheng-2025"}, {"book": "national-2025"}),
        ({"section": "一、主要预期目标"}, {"section": "二、重点工作"}),
        ({"label": ["民生", "就业"]}, {"labels": ("工业",)}),
        ({"kind": "pace"}, {"kind": "data"}),
        ({"level": "red", "label": "就业"}, {"labels": ()}),
    ],
)
def test_the_first_route_that_is_for_an_alert_says_who_is_told(when, facts):
    town = an_organisation(routes=[{"when": when, "to": "王书记"}, {"to": "李主任"}])
    own, other = pace_notice(labels=("就业",)), pace_notice(**{"labels": ("就业",), **facts})
    (first,), (second,) = (routes(Matter.of(notice), town) for notice in (own, other))
    assert first == Route("王书记", "email", "wang@example.org", "王书记按机构文件第1条路由接收")
    assert second == Route("李主任", "email", "li@example.org", "李主任按机构文件第2条路由接收")


def test_a_route_for_a_unit_is_for_it_under_every_name_that_a_plan_writes():
    town = an_organisation(routes=[{"when": {"unit": "人力社保局"}, "to": "王书记"}])
    assert [route.receiver for route in routes(Matter.of(pace_notice(asked=("人社局",), lead=("人社局",))), town)] == [
        "王书记"
    ]


@pytest.mark.parametrize("what", ["resolved", "eased", "withdrawn"])
def test_who_heard_of_red_hears_of_its_end(what):
    town = an_organisation(routes=[{"when": {"level": "red"}, "to": "王书记"}])
    notice = pace_notice(what, previous_level=2)
    assert [route.receiver for route in routes(Matter.of(notice), town)] == ["王书记"]


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("南桐镇", [("南桐镇", "folder", "all"), OFFICE]),
        ("万盛街", [("万盛街道", "webhook", "http://example.org/ws"), OFFICE]),
        ("", [OFFICE]),
    ],
    ids=["a unit", "by another name", "no subject"],
)
def test_what_is_about_a_place_is_told_to_its_unit(subject, expected):
    town = an_organisation(
        routes=[{"to": ["subject", "supervisor"]}],
        aliases={"万盛街": "万盛街道"},
        default={"contacts": [{"folder": "all"}]},
    )
    found = routes(Matter.of(pace_notice(subject=subject)), town)
    assert [route[:3] for route in found] == expected
    assert found[0].why.startswith(("南桐镇是", "万盛街道（方案写作“万盛街”）是", "督查办"))


def test_of_places_only_what_the_organisation_asks_for_counts():
    matters = [Matter.of(pace_notice(subject=name)) for name in ("甲县", "乙县")]
    assert len({one.seen_by(an_organisation()) for one in matters}) == 1
    for more in ({"routes": [{"to": "subject"}]}, {"routes": [{"when": {"subject": "甲县"}, "to": "unit"}]}):
        assert len({one.seen_by(an_organisation(**more)) for one in matters}) == 2


UNITS_WITH = {"财政局": {"digest": "weekly monday 09:00"}, "人力社保局": {"digest": "never"}, "督查办": {}}


@pytest.mark.parametrize(
    ("receiver", "event", "route", "expected"),
    [
        ("财政局", "fired", None, "weekly monday 09:00"),
        ("督查办", "fired", None, "daily 08:30"),  # as everybody
        ("人力社保局", "fired", None, None),
        ("张三", "fired", None, None),  # a person is told at once
        ("财政局", "fired", "never", None),
        ("人力社保局", "fired", "daily 17:00", "daily 17:00"),
        ("财政局", "escalated", "never", "weekly monday 09:00"),
    ],
)
def test_the_route_says_how_often_else_the_receiver_else_the_default(receiver, event, route, expected):
    rule = {"to": "unit", **({"digest": route} if route else {})}
    town = an_organisation(units=UNITS_WITH, default={"digest": "daily 08:30", "at most": "9 a week"}, routes=[rule])
    found = rhythm(Matter.of(pace_notice()), event, receiver, town)
    assert found.digest == (expected and digest(expected))
    assert (found.budget is None) == (receiver == "张三")
