"""A recorded answer of the OECD, and messages of SDMX-ML in both of its forms."""

import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from connectors.base import ConnectorError, Failure
from connectors.observation import Query, Reading, Refused
from connectors.sdmx import Sdmx
from connectors.strict import Wrong, read
from tests.connectors.faults import fault_server

DATA = Path(__file__).parent / "data"
EVER = Query(datetime(2026, 1, 31, tzinfo=UTC), date(2009, 1, 1), date(2025, 12, 31))
OECD = {"path": "oecd_sdmx.json", "series": "GDP", "unit": "百万", "dimensions": {"subject": "LOCATION"}}
SPACES = (
    'xmlns:m="http://www.sdmx.org/resources/sdmxml/schemas/v2_1/message" '
    'xmlns:g="http://www.sdmx.org/resources/sdmxml/schemas/v2_1/data/generic" '
    'xmlns:s="http://www.sdmx.org/resources/sdmxml/schemas/v2_1/data/structurespecific" '
    'xmlns:c="http://www.sdmx.org/resources/sdmxml/schemas/v2_1/common"'
)
HEADER = (
    "<m:Header><m:ID>x</m:ID><m:Test>false</m:Test><m:Prepared>2025-10-20T00:00:00</m:Prepared>"
    '<m:Sender id="S"/><m:Structure structureID="D" dimensionAtObservation="TIME_PERIOD"><c:Structure>'
    '<Ref agencyID="A" id="D" version="1.0" class="DataStructure"/></c:Structure></m:Structure></m:Header>'
)


def generic(*figures: tuple[str, str | None]) -> bytes:
    """Figures (period, value) of one series in Generic SDMX-ML."""
    observations = "".join(
        f'<g:Obs><g:ObsDimension value="{period}"/>{"" if value is None else f"""<g:ObsValue value="{value}"/>"""}</g:Obs>'
        for period, value in figures
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><m:GenericData {SPACES}>{HEADER}<m:DataSet structureRef="D"><g:Series>'
        '<g:SeriesKey><g:Value id="FREQ" value="M"/><g:Value id="AREA" value="CN50"/></g:SeriesKey>'
        '<g:Attributes><g:Value id="UNIT_MEASURE" value="人"/></g:Attributes>'
        f"{observations}</g:Series></m:DataSet></m:GenericData>"
    ).encode()


def specific(*figures: tuple[str, str]) -> bytes:
    """The same in structure-specific SDMX-ML."""
    observations = "".join(f'<Obs TIME_PERIOD="{period}" OBS_VALUE="{value}"/>' for period, value in figures)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><m:StructureSpecificData {SPACES}>{HEADER}'
        '<m:DataSet s:structureRef="D"><Series FREQ="M" AREA="CN50" UNIT_MEASURE="人">'
        f"{observations}</Series></m:DataSet></m:StructureSpecificData>"
    ).encode()


def fetch(folder: Path = DATA, query: Query = EVER, **options: object) -> Reading:
    return Sdmx(read(Sdmx.Options, options), folder).fetch(query)


def failure(folder: Path = DATA, **options: object) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        fetch(folder, **options)
    assert caught.value.__cause__ is None
    return caught.value


def written(folder: Path, message: bytes, **options: object) -> Reading:
    (folder / "message").write_bytes(message)
    given = {"series": "就业", "dimensions": {"subject": "AREA", "unit": "UNIT_MEASURE"}, **options}
    return fetch(folder, path="message", **given)


def test_a_recorded_answer_of_the_oecd_reads_right():
    rows = fetch(**OECD).observations
    assert len(rows) == 5 * 12
    chile = rows[(rows.subject == "CHL") & (rows.period == "2011-12-31")].iloc[0]
    assert (chile.series, chile.value, chile.unit) == ("GDP", 120601874.99935, "百万")
    assert chile.cell == "CHL.B1_GE.VOBARSA.Q.2011-Q4"


def test_only_the_periods_asked_for_are_taken():
    query = Query(EVER.at, date(2011, 1, 1), date(2011, 12, 31))
    assert len(fetch(query=query, **OECD).observations) == 5 * 4


def test_the_key_keeps_what_is_meant_and_codes_give_it_its_name():
    options = OECD | {"key": {"LOCATION": "AUS", "FREQUENCY": "Q"}, "codes": {"subject": {"澳大利亚": "AUS"}}}
    rows = fetch(**options).observations
    assert len(rows) == 12
    assert set(rows.subject) == {"澳大利亚"}


def test_places_that_no_dimension_tells_apart_are_in_conflict_not_mixed():
    found = fetch(path="oecd_sdmx.json", series="GDP")
    assert {cell[:3] for cell in found.observations.cell} == {"AUS"}
    assert {refusal.reason for refusal in found.refusals} == {Refused.CONFLICT}
    assert len(found.refusals) == 4 * 12


@pytest.mark.parametrize(
    ("options", "reason", "words"),
    [
        ({"key": {"LOCATION": "CHN"}}, Failure.BAD_ANSWER, "有: AUS、AUT、BEL"),
        ({"key": {"AREA": "CHN"}}, Failure.MISCONFIGURED, "没有维度或属性 AREA"),
        ({"dimensions": {"subject": "AREA"}}, Failure.MISCONFIGURED, "LOCATION"),
        ({"path": "nowhere.json"}, Failure.NOT_FOUND, "nowhere.json"),
        ({"path": "nbs_error.json"}, Failure.BAD_ANSWER, "bad message"),
        ({"path": "README.md"}, Failure.BAD_ANSWER, "bad message"),
        ({"path": "oecd_sdmx.json", "max_bytes": 100}, Failure.TOO_LARGE, "max_bytes"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(options, reason, words):
    error = failure(**OECD | options)
    assert error.reason is reason
    assert words in error.detail


@pytest.mark.parametrize("form", [generic, specific])
def test_both_forms_of_sdmx_ml_are_read_with_their_attributes(tmp_path, form):
    row = written(tmp_path, form(("2025-09", "1.5"))).observations.iloc[0]
    assert (row.subject, row.value, row.unit, row.period.date()) == ("CN50", 1.5, "人", date(2025, 9, 30))


def test_no_value_and_the_nan_of_sdmx_ml_are_missing(tmp_path):
    found = written(tmp_path, generic(("2025-08", None), ("2025-09", "NaN"), ("2025-10", "0")))
    assert found.observations.value.tolist() == [0.0]
    assert found.refusals == ()


@pytest.mark.parametrize(
    ("period", "end"),
    [
        ("2025", date(2025, 12, 31)),
        ("2025-A1", date(2025, 12, 31)),
        ("2025-S1", date(2025, 6, 30)),
        ("2025-Q3", date(2025, 9, 30)),
        ("2025-M09", date(2025, 9, 30)),
        ("2025-09-30", date(2025, 9, 30)),
    ],
)
def test_reporting_periods_are_understood(tmp_path, period, end):
    assert written(tmp_path, generic((period, "1"))).observations.period.dt.date.tolist() == [end]


@pytest.mark.parametrize("period", ["2025-W05", "2025-T1", "2025-M13"])
def test_periods_that_the_house_does_not_know_are_refused(tmp_path, period):
    (refusal,) = written(tmp_path, generic((period, "1"))).refusals
    assert refusal.reason is Refused.BAD_PERIOD


def test_a_message_may_not_reach_for_other_files(tmp_path):
    (tmp_path / "secret").write_text("s3cret")
    entity = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{tmp_path}/secret">]><m:GenericData'.encode()
    message = generic(("2025-09", "1")).replace(b"<m:GenericData", entity, 1).replace(b"<m:ID>x", b"<m:ID>&e;")
    with pytest.raises(ConnectorError) as caught:
        written(tmp_path, message)
    assert "s3cret" not in caught.value.detail


def test_an_address_is_asked_with_the_periods_of_the_query(httpserver: HTTPServer):
    httpserver.expect_request(
        "/data/QNA/all", query_string={"startTime": "2009-Q1", "endTime": "2025-Q4"}
    ).respond_with_data((DATA / "oecd_sdmx.json").read_bytes())
    options = read(
        Sdmx.Options,
        {
            "url": httpserver.url_for("/data/QNA/all"),
            "query": {"startTime": "{first:%Y-Q%q}", "endTime": "{last:%Y-Q%q}"},
            "series": "GDP",
            "dimensions": {"subject": "LOCATION"},
        },
    )
    found = Sdmx(options, DATA).fetch(EVER)
    assert len(found.observations) == 60
    assert found.document == httpserver.url_for("/data/QNA/all")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("silent", Failure.TIMEOUT),
        ("forbidden", Failure.DENIED),
        ("not_found", Failure.NOT_FOUND),
        ("huge", Failure.TOO_LARGE),
        ("html", Failure.BAD_ANSWER),
        ("empty", Failure.BAD_ANSWER),
    ],
)
def test_every_fault_of_the_server_ends_in_one_reason(fault, reason, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    limits = {"timeout": 1.0, "budget": 1.2, "max_bytes": 100_000, "retries": 0}
    with fault_server() as server:
        error = failure(url=server.url(fault), series="GDP", **limits)
        assert error.detail.startswith(server.url(fault))
    assert error.reason is reason


def test_without_the_library_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sdmx", None)
    error = failure(**OECD)
    assert error.reason is Failure.MISCONFIGURED
    assert "pip install duban[sdmx]" in error.detail


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"path": None}, "url 与 path"),
        ({"url": "http://127.0.0.1/"}, "url 与 path"),
        ({"series": None}, "序列名"),
        ({"dimensions": {"series": "SUBJECT"}}, "series"),
        ({"dimensions": {"area": "LOCATION"}}, "area: 不认识"),
        ({"dimensions": {}, "codes": {"subject": {"甲县": "CN50"}}}, "codes 里的 subject"),
        ({"query": {"startPeriod": "{period}"}}, "unknown hole"),
    ],
)
def test_options_that_cannot_work_are_refused(options, words):
    with pytest.raises(Wrong, match=words):
        read(Sdmx.Options, {**OECD, **options})
