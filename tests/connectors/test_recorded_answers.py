"""Answers of public services, recorded as found, read by what a book says of them and nothing else."""

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from connectors import strict
from connectors.base import ConnectorError, Failure
from connectors.http_json import HttpJson
from connectors.observation import Query, Reading, Refused
from rules.document import Document

DATA = Path(__file__).parent / "data"
EVER = Query(datetime(2026, 10, 1, tzinfo=UTC), date(1990, 1, 1), date(2030, 12, 31))


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


def read(server: HTTPServer, mapping: str, answer: str | object, query: Query = EVER) -> Reading:
    """Read a recorded answer (a file's name) or one made up (JSON) as ``mapping`` says."""
    body = (DATA / answer).read_bytes() if isinstance(answer, str) else json.dumps(answer).encode()
    server.expect_request("/").respond_with_data(body, content_type="application/json")
    options = Document(Path("book.yaml"), mapping).node
    return HttpJson(strict.read(HttpJson.Options, {"url": server.url_for("/"), "retries": 0, **options}), DATA).fetch(
        query
    )


@dataclass(frozen=True)
class Recorded:
    """A mapping, an answer, the figures (series, subject, period, value, unit) and refusals that come of them."""

    mapping: str
    answer: str
    figures: list[tuple[str, str, str, float, str]]
    refused: list[tuple[Refused, str]] = field(default_factory=list)


NBS = """
    rows: returndata.datanodes
    success: returncode == 200
    message: returndata
    has: data.hasdata == true
"""
INDUSTRY = (
    NBS
    + """
    unit: "%"
    codes: {series: {规上工业增加值增速: A020101}}
    fields:
      series: "wds[?wdcode=='zb'].valuecode | [0]"
      period: "wds[?wdcode=='sj'].valuecode | [0]"
      value: data.data
"""
)
REGION = (
    NBS
    + """
    codes: {subject: {北京市: "110000"}}
    fields:
      series: "wds[?wdcode=='zb'].valuecode | [0]"
      subject: "wds[?wdcode=='reg'].valuecode | [0]"
      period: "wds[?wdcode=='sj'].valuecode | [0]"
      value: data.data
    echo: {"wds[?wdcode=='reg'].valuecode | [0]": "110000"}
"""
)
MONTHS = [
    ("2024-12-31", 6.2),
    ("2024-11-30", 5.4),
    ("2024-10-31", 5.3),
    ("2024-09-30", 5.4),
    ("2024-08-31", 4.5),
    ("2024-07-31", 5.1),
    ("2024-06-30", 5.3),
    ("2024-05-31", 5.6),
    ("2024-04-30", 6.7),
    ("2024-03-31", 4.5),
]
"""January and February stand there as 0.0 without data: they are published together, and as no figure of February."""
OPENAQ = """
    rows: results
    subject: Del Norte
    fields:
      series: parameter.name
      unit: parameter.units
      period: period.datetimeFrom.local
      known: period.datetimeTo.local
      value: value
"""
WAQI = """
    rows: "[data]"
    success: status == "ok" and data.status != "error"
    message: data
    series: AQI
    fields: {subject: city.name, period: time.iso, known: time.iso, value: aqi}
    echo: {idx: 6332}
"""
WORLD_BANK = """
    rows: "[1]"
    success: "[0].message == null"
    message: "[0].message[0].value"
    unit: 美元
    codes: {series: {国内生产总值: NY.GDP.MKTP.CD}, subject: {墨西哥: MEX}}
    fields: {series: indicator.id, subject: countryiso3code, period: date, value: value}
"""

ANSWERS = {
    "nbs: months without data are no zeros": Recorded(
        INDUSTRY, "nbs_industry_growth.json", [("规上工业增加值增速", "", end, value, "%") for end, value in MONTHS]
    ),
    "nbs: one figure": Recorded(INDUSTRY, "nbs_one_figure.json", [("A0D0101", "", "2022-01-31", 2431022.72, "%")]),
    "nbs: a region without any data": Recorded(REGION, "nbs_region_without_data.json", []),
    "nbs: the nation's figures for a region's": Recorded(
        REGION.replace("subject: \"wds[?wdcode=='reg']", "subject: \"wds[?wdcode=='zb']"),
        "nbs_one_figure.json",
        [],
        [(Refused.WRONG_DIMENSION, "wds[?wdcode=='reg'].valuecode | [0] 为 空，应为 110000")],
    ),
    "openaq: of two hours of one day the later one is known later": Recorded(
        OPENAQ,
        "openaq_measurements.json",
        [("pm25", "Del Norte", "2023-10-16", 6.0, "µg/m³"), ("pm25", "Del Norte", "2023-10-16", 7.5, "µg/m³")],
    ),
    "openaq: two hours for one day, of which only one can be it": Recorded(
        OPENAQ.replace("      known: period.datetimeTo.local\n", ""),
        "openaq_measurements.json",
        [("pm25", "Del Norte", "2023-10-16", 6.0, "µg/m³")],
        [(Refused.CONFLICT, "7.5 µg/m³ ≠ 6 µg/m³ ($.results[0])")],
    ),
    "openaq: a time in UTC is on no certain day": Recorded(
        OPENAQ.replace("datetimeFrom.local", "datetimeFrom.utc"),
        "openaq_measurements.json",
        [],
        [
            (Refused.BAD_PERIOD, "2023-10-16T12:00:00+00:00"),
            (Refused.BAD_PERIOD, "2023-10-16T13:00:00+00:00"),
        ],
    ),
    "waqi: one station": Recorded(WAQI, "waqi_station.json", [("AQI", "Griftpark, Utrecht", "2023-08-07", 29.0, "")]),
    "waqi: another station": Recorded(
        WAQI.replace("6332", "1451"), "waqi_station.json", [], [(Refused.WRONG_DIMENSION, "idx 为 6332，应为 1451")]
    ),
    "world bank: null is no figure, a nameless place no subject": Recorded(
        WORLD_BANK,
        "worldbank_gdp.json",
        [
            ("国内生产总值", "墨西哥", "2025-12-31", 1832641364775.52, "美元"),
            ("国内生产总值", "墨西哥", "2024-12-31", 1830489311088.89, "美元"),
        ],
        [(Refused.WRONG_DIMENSION, "")],
    ),
}


@pytest.mark.parametrize("recorded", ANSWERS.values(), ids=ANSWERS.keys())
def test_a_recorded_answer_reads_as_its_book_says(httpserver, recorded):
    found = read(httpserver, recorded.mapping, recorded.answer)
    table = found.observations
    rows = zip(table.series, table.subject, table.period.dt.strftime("%Y-%m-%d"), table.value, table.unit, strict=True)
    assert list(rows) == recorded.figures
    assert [(refusal.reason, refusal.text) for refusal in found.refusals] == recorded.refused


@pytest.mark.parametrize(
    ("mapping", "answer", "words"),
    [
        (INDUSTRY, "nbs_error.json", "对不起，未能找到符合查询条件的信息。"),
        (WAQI, "waqi_unauthenticated.json", "Invalid key"),
        (WAQI, "waqi_unknown_station.json", "Unknown station"),
        (WORLD_BANK, "worldbank_error.json", "The provided parameter value is not valid"),
    ],
)
def test_an_error_under_http_200_is_told_in_the_providers_own_words(httpserver, mapping, answer, words):
    with pytest.raises(ConnectorError) as caught:
        read(httpserver, mapping, answer)
    assert caught.value.reason is Failure.BAD_ANSWER
    assert words in caught.value.detail


def test_an_error_inside_an_ok_is_an_error(httpserver):
    """As the service is known to answer; of this one there is no record."""
    with pytest.raises(ConnectorError, match="can not connect"):
        read(
            httpserver,
            WAQI.replace("message: data", "message: data.msg"),
            {"status": "ok", "data": {"status": "error", "msg": "can not connect"}},
        )


def test_a_station_that_measures_nothing_states_no_figure(httpserver):
    station = json.loads((DATA / "waqi_station.json").read_text("utf-8"))
    station["data"]["aqi"] = "-"
    found = read(httpserver, WAQI, station)
    assert (len(found.observations), found.refusals) == (0, ())


def test_figures_of_another_region_are_refused_each_with_what_it_is_of(httpserver):
    answer = json.loads((DATA / "nbs_region_without_data.json").read_text("utf-8"))
    for node in answer["returndata"]["datanodes"]:
        node["data"] = {"data": 100.2, "hasdata": True}
        node["wds"][1]["valuecode"] = "120000"
    found = read(httpserver, REGION, answer)
    assert len(found.observations) == 0
    assert {refusal.reason for refusal in found.refusals} == {Refused.WRONG_DIMENSION}
    assert "为 120000，应为 110000" in found.refusals[0].text
    assert found.refusals[0].series == "A01010101"


def test_the_same_figures_of_the_right_region_are_taken(httpserver):
    answer = json.loads((DATA / "nbs_region_without_data.json").read_text("utf-8"))
    for node in answer["returndata"]["datanodes"]:
        node["data"] = {"data": 100.2, "hasdata": True}
    found = read(httpserver, REGION, answer)
    assert set(found.observations.subject) == {"北京市"}
    assert len(found.observations) == len(answer["returndata"]["datanodes"])


def test_sensors_of_a_station_are_a_list_within_a_list(httpserver):
    mapping = """
        rows: "results[].sensors[].{id: id, name: parameter.name, on: '2023-10-13'}"
        fields: {series: name, period: on, value: id}
    """
    found = read(httpserver, mapping, "openaq_locations.json")
    assert dict(zip(found.observations.series, found.observations.value, strict=True))["pm25"] == 3920
    assert found.observations.cell[5] == "$.results[].sensors[].{id: id, name: parameter.name, on: '2023-10-13'}[5]"
