"""Answers of servers, good and bad."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from connectors.base import ConnectorError, Failure
from connectors.http_json import HttpJson
from connectors.observation import Query, Reading, Refused
from connectors.strict import Wrong, read
from tests.connectors.faults import FaultServer, fault_server

DATA = Path(__file__).parent / "data"
YEAR = Query(at=datetime(2026, 6, 30, tzinfo=UTC), first=date(2025, 1, 1), last=date(2025, 12, 31))
EVER = Query(at=datetime(2026, 6, 30, tzinfo=UTC), first=date(1990, 1, 1), last=date(2030, 12, 31))
PLAIN = {"rows": "rows", "series": "就业", "fields": {"period": "period", "value": "value"}}
TOKEN = {"auth": {"by": "bearer", "secret_file": "token"}}
KEY = {"auth": {"by": "header", "name": "X-API-Key", "secret_file": "token"}}
QUICK = {"timeout": 1.0, "budget": 1.2, "retries": 0}


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    monkeypatch.setenv("NO_PROXY", "*")
    with fault_server() as server:
        yield server


def fetch(url: str, folder: Path = DATA, asked: Query = YEAR, **options: object) -> Reading:
    return HttpJson(read(HttpJson.Options, {"url": url, **PLAIN, **options}), folder).fetch(asked)


def failure(url: str, folder: Path = DATA, **options: object) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        fetch(url, folder, **{**QUICK, **options})
    return caught.value


def serve(server: HTTPServer, name: str) -> str:
    server.expect_request(f"/{name}").respond_with_data((DATA / name).read_bytes(), content_type="application/json")
    return server.url_for(f"/{name}")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("reset", Failure.UNREACHABLE),
        ("half_body", Failure.UNREACHABLE),
        ("silent", Failure.TIMEOUT),
        ("slow_body", Failure.TIMEOUT),
        ("slow_body_without_length", Failure.TIMEOUT),
        ("slow_chunk_size", Failure.TIMEOUT),
        ("slow_headers", Failure.TIMEOUT),
        ("unauthorized", Failure.DENIED),
        ("forbidden", Failure.DENIED),
        ("not_found", Failure.NOT_FOUND),
        ("error", Failure.BAD_ANSWER),
        ("busy", Failure.RATE_LIMITED),
        ("busy_for_long", Failure.RATE_LIMITED),
        ("loop", Failure.BAD_ANSWER),
        ("huge", Failure.TOO_LARGE),
        ("bomb", Failure.TOO_LARGE),
        ("broken_gzip", Failure.BAD_ANSWER),
        ("html", Failure.BAD_ANSWER),
        ("empty", Failure.BAD_ANSWER),
        ("deep", Failure.BAD_ANSWER),
        ("wrong_charset", Failure.BAD_ANSWER),
        ("other_shape", Failure.BAD_ANSWER),
        ("other_rows", Failure.BAD_ANSWER),
        ("scalars", Failure.BAD_ANSWER),
    ],
)
def test_every_fault_ends_in_one_reason_within_its_budget(faults, fault, reason):
    started = time.monotonic()
    error = failure(faults.url(fault), max_bytes=100_000, retries=1)
    assert time.monotonic() - started < QUICK["budget"] + 2
    assert error.reason is reason
    assert error.detail.startswith(faults.url(fault))
    assert error.__cause__ is None


def test_a_port_where_nobody_listens_is_unreachable():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = failure(f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert error.reason is Failure.UNREACHABLE
    assert "refused" in error.detail
    assert error.retryable


def test_a_name_that_nobody_has_is_unreachable():
    assert failure("http://no-such-host.invalid/").reason is Failure.UNREACHABLE


def test_a_server_that_speaks_no_tls_is_a_failure_of_tls(faults):
    assert failure(faults.url("good").replace("http:", "https:")).reason is Failure.TLS


def test_a_handshake_that_never_ends_is_a_timeout():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        started = time.monotonic()
        error = failure(f"https://127.0.0.1:{listening.getsockname()[1]}/", timeout=5)
    assert time.monotonic() - started < QUICK["budget"] + 2
    assert error.reason is Failure.TIMEOUT


def test_fetches_share_one_thread_for_all_deadlines(faults):
    fetch(faults.url("good"))
    for fault in ("slow_headers", "good"):
        with suppress(ConnectorError):
            fetch(faults.url(fault), **QUICK)
    assert [thread.name for thread in threading.enumerate()].count("deadlines") == 1


def test_a_busy_server_is_asked_again(faults):
    found = fetch(faults.url("good_the_third_time"))
    assert found.observations.value.tolist() == [3]
    assert len(faults.asked) == 3


def test_a_broken_connection_is_tried_again_and_then_given_up(faults):
    failure(faults.url("reset"), retries=1, budget=5)
    assert len(faults.asked) == 2


@pytest.mark.parametrize("fault", ["error", "not_found", "forbidden", "html"])
def test_an_answer_that_will_not_change_is_not_asked_for_again(faults, fault):
    failure(faults.url(fault), retries=2)
    assert len(faults.asked) == 1


def test_a_wait_beyond_the_budget_is_not_waited(faults):
    started = time.monotonic()
    error = failure(faults.url("busy_for_long"), retries=2, budget=20)
    assert time.monotonic() - started < 1
    assert "429" in error.detail
    assert error.retryable


def test_redirects_are_followed(faults):
    faults.redirect_to = "/good"
    assert fetch(faults.url("once")).observations.value.tolist() == [3]


def test_a_redirect_to_another_scheme_is_refused(faults):
    faults.redirect_to = "file:///etc/passwd"
    error = failure(faults.url("once"))
    assert error.reason is Failure.BAD_ANSWER
    assert "file" in error.detail


def test_a_token_does_not_follow_a_redirect_to_another_host(faults, tmp_path):
    (tmp_path / "token").write_text("s3cret\n")
    with fault_server() as other:
        faults.redirect_to = other.url("good")
        fetch(faults.url("once"), tmp_path, **TOKEN, headers={"X-Key": "k3y"})
        assert faults.headers[0]["Authorization"] == "Bearer s3cret"
        assert "Authorization" not in other.headers[0]
        assert "X-Key" not in other.headers[0]


def test_a_netrc_file_does_not_replace_the_token(faults, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "token").write_text("s3cret")
    fetch(faults.url("good"), tmp_path, **TOKEN)
    fetch(faults.url("good"))
    assert faults.headers[0]["Authorization"] == "Bearer s3cret"
    assert "Authorization" not in faults.headers[1]


def test_a_token_can_stand_in_a_header_of_its_own(faults, tmp_path):
    (tmp_path / "token").write_text("s3cret")
    fetch(faults.url("good"), tmp_path, **KEY)
    assert faults.headers[0]["X-API-Key"] == "s3cret"


def test_no_secret_is_ever_shown(faults, tmp_path):
    (tmp_path / "token").write_text("s3cret")
    options = {"headers": {"X-Key": "k3y"}, "query": {"key": "p4ram"}, **TOKEN, "message": "message"}
    error = failure(faults.url("unauthorized"), tmp_path, **options)
    made = read(HttpJson.Options, {"url": faults.url("good"), **PLAIN, **options})
    shown = f"{error.detail} {error!r} {made!r} {HttpJson(made, tmp_path)!r} {fetch(faults.url('good'), tmp_path, **options)!r}"
    assert "bad key" in error.detail
    for secret in ("s3cret", "k3y", "p4ram"):
        assert secret not in shown


def test_a_secret_in_options_that_are_wrong_is_not_shown():
    with pytest.raises(Wrong) as caught:
        read(HttpJson.Options, {"url": "http://someone:s3cret@127.0.0.1/", **PLAIN})
    assert "auth" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("content", [None, "", "two\nlines", "中文"])
def test_a_token_file_without_a_token_is_named(faults, tmp_path, content):
    if content is not None:
        (tmp_path / "token").write_text(content, encoding="utf-8")
    error = failure(faults.url("good"), tmp_path, **TOKEN)
    assert error.reason is Failure.MISCONFIGURED
    assert str(tmp_path / "token") in error.detail
    assert faults.asked == []


def test_a_header_that_cannot_be_sent_is_a_matter_of_configuration(faults):
    error = failure(faults.url("good"), headers={"X-Key": "k3y\nX-Other: 1"})
    assert error.reason is Failure.MISCONFIGURED
    assert "k3y" not in error.detail


def test_parameters_hold_what_is_asked_for(faults):
    wds = '[{"wdcode":"zb","valuecode":"A01"}]'
    fetch(faults.url("good"), query={"from": "{first}", "to": "{last}", "year": "{year}", "wds": wds, "n": 5})
    (asked,) = faults.asked
    assert "from=2025-01-01&to=2025-12-31&year=2025&wds=%5B%7B%22wdcode%22" in asked
    assert asked.endswith("n=5")


@pytest.mark.parametrize("fault", ["gzipped", "gbk"])
def test_other_encodings_of_a_good_answer_read_the_same(faults, fault):
    assert fetch(faults.url(fault)).observations.value.tolist() == [3]


def test_a_missing_figure_sent_as_zero_is_missing(httpserver):
    nbs = {
        "rows": "returndata.datanodes",
        "fields": {
            "series": "wds.0.valuecode",
            "subject": "wds.1.valuecode",
            "period": "wds.2.valuecode",
            "value": "data.data",
        },
        "series": None,
    }
    url = serve(httpserver, "nbs_region_without_data.json")
    assert (fetch(url, asked=EVER, **nbs).observations.value == 0).any()
    found = fetch(url, asked=EVER, has="data.hasdata == true", **nbs)
    assert not (found.observations.value == 0).any()
    assert found.refusals == ()


def test_a_recorded_figure_of_the_statistics_bureau_reads_right(httpserver):
    found = fetch(
        serve(httpserver, "nbs_one_figure.json"),
        asked=EVER,
        series=None,
        unit="亿元",
        rows="returndata.datanodes",
        fields={"series": "wds.0.valuecode", "period": "wds.1.valuecode", "value": "data.data"},
        has="data.hasdata == true",
        success="returncode == 200",
    )
    row = found.observations.iloc[0]
    assert (row.series, row.value, row.unit, row.cell) == ("A0D0101", 2431022.72, "亿元", "$.returndata.datanodes[0]")
    assert row.period.date() == date(2022, 1, 31)


def test_rows_may_stand_inside_a_list(httpserver):
    found = fetch(
        serve(httpserver, "worldbank_gdp.json"),
        asked=EVER,
        rows="1",
        series="GDP",
        fields={"period": "date", "value": "value", "subject": "countryiso3code"},
    )
    assert found.observations.cell.tolist()[0] == "$[1][0]"
    assert found.observations.subject.tolist()[0] == "MEX"


@pytest.mark.parametrize(
    ("name", "rule", "error", "words"),
    [
        ("nbs_error.json", "returncode == 200", "returndata", "对不起，未能找到符合查询条件的信息。"),
        ("waqi_unauthenticated.json", 'status == "ok"', "data", "Invalid key"),
        ("waqi_unauthenticated.json", 'status != "error"', "data", "Invalid key"),
    ],
)
def test_an_error_under_http_200_is_a_failure_with_the_providers_words(httpserver, name, rule, error, words):
    found = failure(serve(httpserver, name), success=rule, message=error)
    assert found.reason is Failure.BAD_ANSWER
    assert words in found.detail


def test_no_rows_are_an_answer_too(httpserver):
    httpserver.expect_request("/").respond_with_json({"rows": []})
    assert len(fetch(httpserver.url_for("/")).observations) == 0


def test_what_the_answer_has_instead_is_named(faults):
    assert "data" in failure(faults.url("other_shape")).detail
    assert "when" in failure(faults.url("other_rows")).detail


def test_values_of_other_kinds_are_refused_with_their_words(httpserver):
    rows = [{"period": f"2025-{month:02}", "value": value} for month, value in enumerate([True, [1], {"a": 1}], 1)]
    httpserver.expect_request("/").respond_with_data(json.dumps({"rows": rows}))
    found = fetch(httpserver.url_for("/"))
    assert [refusal.text for refusal in found.refusals] == ["true", "[1]", '{"a": 1}']
    assert {refusal.reason for refusal in found.refusals} == {Refused.NOT_A_NUMBER}


def test_the_document_is_the_bare_address_and_the_digest_that_of_the_body(faults):
    first, second = fetch(faults.url("good?key=p4ram")), fetch(faults.url("good"))
    assert first.document == faults.url("good")
    assert first.digest == second.digest


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "file:///etc/passwd"}, "http"),
        ({"url": "ftp://host/"}, "http"),
        ({"url": "http:///path"}, "http"),
        ({"fields": {"period": "period"}}, "fields.value"),
        ({"success": "returncode = 200"}, "看不懂规则"),
        ({"has": "__import__('os')"}, "看不懂规则"),
        ({"budget": 0}, "budget"),
        ({"timeout": -1}, "timeout"),
        ({"uri": "x"}, "uri"),
    ],
)
def test_options_that_cannot_work_are_refused(options, words):
    with pytest.raises(Wrong, match=words):
        read(HttpJson.Options, {"url": "http://127.0.0.1/", **PLAIN, **options})
