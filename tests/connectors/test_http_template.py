"""Which requests a template makes."""

from datetime import UTC, date, datetime

from msgspec.structs import replace

from connectors.http_template import Template
from connectors.observation import Query

YEAR = Query(datetime(2026, 1, 31, tzinfo=UTC), date(2025, 1, 1), date(2025, 12, 31), ("就业", "产值"))
CODES = {"series": {"就业": "A01"}, "subject": {"甲县": "500101", "乙县": "50/02"}}
TODAY = date(2026, 1, 31)


def template(url="http://h/x", params=None, echo=None):
    return Template(url, params or {}, echo or {}, CODES)


def made(found, query=YEAR, today=TODAY):
    return list(found.requests(query, today))


def test_a_template_without_holes_is_one_request():
    (one,) = made(template(params={"n": 5}))
    assert (one.url, one.params, one.series, one.subject) == ("http://h/x", {"n": "5"}, None, None)


def test_the_whole_span_is_one_request():
    (one,) = made(template(params={"from": "{first}", "to": "{last:%Y%m}", "y": "{year}"}))
    assert one.params == {"from": "2025-01-01", "to": "202512", "y": "2025"}


def test_a_request_for_each_series_and_subject_that_the_template_names():
    found = made(template("http://h/{subject}/{series}"))
    assert [(one.series, one.subject, one.url) for one in found] == [
        ("就业", "甲县", "http://h/500101/A01"),
        ("就业", "乙县", "http://h/50%2F02/A01"),
        ("产值", "甲县", "http://h/500101/%E4%BA%A7%E5%80%BC"),
        ("产值", "乙县", "http://h/50%2F02/%E4%BA%A7%E5%80%BC"),
    ]


def test_a_request_for_each_period_as_the_template_writes_it():
    assert len(made(template(params={"d": "{period:%Y}"}))) == 1
    assert [one.params["d"] for one in made(template(params={"d": "{period:%Y-Q%q}"}))] == [
        f"2025-Q{quarter}" for quarter in range(1, 5)
    ]
    assert len(made(template(params={"d": "{period:%Y%m}"}))) == 12
    assert len(made(template(params={"d": "{period}"}))) == 365


def test_periods_to_come_are_not_asked_for_but_the_one_under_way_is():
    found = made(template(params={"d": "{period:%Y%m}"}), today=date(2025, 3, 2))
    assert [one.params["d"] for one in found] == ["202501", "202502", "202503"]
    assert made(template(params={"d": "{period:%Y%m}"}), today=date(2024, 12, 31)) == []


def test_braces_of_json_stay():
    wds = '[{"wdcode":"zb","valuecode":"{series}"}]'
    found = made(template(params={"wds": wds}), replace(YEAR, series=("就业",)))
    assert found[0].params["wds"] == '[{"wdcode":"zb","valuecode":"A01"}]'


def test_what_must_be_echoed_is_filled_in_too():
    found = made(template("http://h/{subject}", echo={"region": "{subject}", "year": "{year}"}))
    assert [one.echo for one in found] == [{"region": "500101", "year": "2025"}, {"region": "50/02", "year": "2025"}]


def test_without_a_reader_the_series_with_codes_are_asked_for():
    found = made(template("http://h/{series}"), replace(YEAR, series=()))
    assert [one.series for one in found] == ["就业"]
