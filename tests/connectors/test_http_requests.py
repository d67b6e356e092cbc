"""What http_json asks: pages, periods and subjects, credentials, conditions, turns."""

import base64
import json
import random
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from connectors.base import ConnectorError, Failure
from connectors.http_json import HttpJson
from connectors.observation import Query, Refused
from connectors.strict import Wrong, read
from tests.connectors.faults import fault_server

YEAR = Query(datetime(2025, 11, 30, tzinfo=UTC), date(2025, 1, 1), date(2025, 12, 31), ("就业",))
PLAIN = {"rows": "rows", "series": "就业", "fields": {"period": "period", "value": "value"}, "retries": 0}
MONTHS = [{"period": f"2025-{month:02}", "value": month} for month in range(1, 11)]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def faults():
    with fault_server() as server:
        yield server


def connector(url: str, folder: Path = Path(), **options: object) -> HttpJson:
    return HttpJson(read(HttpJson.Options, {"url": url, **PLAIN, **options}), folder)


@contextmanager
def failing(reason: Failure, *words: str):
    with pytest.raises(ConnectorError) as caught:
        yield
    assert caught.value.reason is reason
    for word in words:
        assert word in caught.value.detail


def serve(server: HTTPServer, answer) -> str:
    """Serve ``answer(request)``; returns the address."""

    def respond(request: Request) -> Response:
        found = answer(request)
        return found if isinstance(found, Response) else Response(json.dumps(found), mimetype="application/json")

    server.expect_request("/api").respond_with_handler(respond)
    return server.url_for("/api")


def asked(server: HTTPServer) -> list[dict[str, str]]:
    return [request.args.to_dict() for request, _ in server.log]


def page(number: int, size: int = 4) -> list[dict[str, object]]:
    return MONTHS[(number - 1) * size : number * size]


def test_pages_are_read_until_an_empty_one(httpserver):
    url = serve(httpserver, lambda request: {"rows": page(int(request.args["page"]))})
    found = connector(url, paging={"by": "page", "parameter": "page"}, query={"size": 4}).fetch(YEAR)
    assert found.observations.value.tolist() == list(range(1, 11))
    assert asked(httpserver) == [{"page": str(number), "size": "4"} for number in (1, 2, 3, 4)]
    assert found.observations.cell.tolist()[3:5] == ["第1个答复 $.rows[3]", "第2个答复 $.rows[0]"]


def test_pages_are_read_until_the_last_one(httpserver):
    url = serve(httpserver, lambda request: {"rows": page(int(request.args["page"])), "meta": {"pages": "3"}})
    found = connector(url, paging={"by": "page", "parameter": "page", "last": "meta.pages"}).fetch(YEAR)
    assert (len(found.observations), len(httpserver.log)) == (10, 3)


def test_a_page_may_be_named_by_its_first_row(httpserver):
    url = serve(httpserver, lambda request: {"rows": MONTHS[int(request.args["offset"]) :][:5]})
    found = connector(url, paging={"by": "page", "parameter": "offset", "start": 0, "step": 5}).fetch(YEAR)
    assert (len(found.observations), len(httpserver.log)) == (10, 3)


def test_a_cursor_is_sent_back_until_there_is_none(httpserver):
    def answer(request: Request):
        number = int(request.args.get("after", "1"))
        return {"rows": page(number), "next": str(number + 1) if number < 3 else None}

    found = connector(serve(httpserver, answer), paging={"by": "cursor", "parameter": "after", "next": "next"}).fetch(
        YEAR
    )
    assert len(found.observations) == 10
    assert [args.get("after") for args in asked(httpserver)] == [None, "2", "3"]


@pytest.mark.parametrize("place", ["body", "header"])
def test_links_are_followed_with_the_credentials(httpserver, tmp_path, place):
    (tmp_path / "key").write_text("s3cret")

    def answer(request: Request):
        number = int(request.args.get("page", "1"))
        link = f"/api?page={number + 1}" if number < 3 else ""
        response = Response(json.dumps({"rows": page(number), "links": {"next": link if place == "body" else None}}))
        if place == "header" and link:
            response.headers["Link"] = f'<{link}>; rel="next", </api?page=1>; rel="first"'
        return response

    found = connector(
        serve(httpserver, answer),
        tmp_path,
        paging={"by": "link", "next": "links.next"} if place == "body" else {"by": "link"},
        auth={"by": "query", "name": "key", "secret_file": "key"},
    ).fetch(YEAR)
    assert len(found.observations) == 10
    assert [args["key"] for args in asked(httpserver)] == ["s3cret"] * 3


def test_a_link_to_another_host_is_not_followed(httpserver):
    url = serve(httpserver, lambda _: {"rows": page(1), "next": "http://127.0.0.1:9/api?page=2"})
    with failing(Failure.BAD_ANSWER, "另一主机"):
        connector(url, paging={"by": "link", "next": "next"}).fetch(YEAR)
    assert len(httpserver.log) == 1


def test_too_many_pages_are_an_error_and_never_cut_off(httpserver):
    url = serve(httpserver, lambda request: {"rows": page(1), "page": request.args["page"]})
    with failing(Failure.TOO_LARGE, "at_most"):
        connector(url, paging={"by": "page", "parameter": "page", "at_most": 3}).fetch(YEAR)


@pytest.mark.parametrize(
    "paging", [{"by": "page", "parameter": "p"}, {"by": "cursor", "parameter": "c", "next": "next"}]
)
def test_pages_that_do_not_go_forward_are_an_error(httpserver, paging):
    url = serve(httpserver, lambda _: {"rows": page(1), "next": "same"})
    with failing(Failure.BAD_ANSWER, "前一页相同"):
        connector(url, paging=paging).fetch(YEAR)
    assert len(httpserver.log) == 2


def test_a_number_of_pages_that_is_none_is_an_error(httpserver):
    url = serve(httpserver, lambda _: {"rows": page(1), "pages": "many"})
    with failing(Failure.BAD_ANSWER, "页数"):
        connector(url, paging={"by": "page", "parameter": "p", "last": "pages"}).fetch(YEAR)


def test_every_subject_and_month_is_asked_for_and_named(httpserver):
    def answer(request: Request):
        return {
            "rows": [{"period": request.args["m"], "value": int(request.args["area"]), "code": request.args["area"]}]
        }

    found = connector(
        serve(httpserver, answer),
        query={"area": "{subject}", "m": "{period:%Y%m}"},
        codes={"subject": {"甲县": "101", "乙县": "102"}},
        echo={"code": "{subject}"},
    ).fetch(YEAR)
    assert len(httpserver.log) == 2 * 11  # January to November: December has not begun
    assert found.observations.groupby("subject").value.unique().map(list).to_dict() == {"甲县": [101], "乙县": [102]}
    assert found.refusals == ()


def test_one_answer_for_another_subject_is_refused_and_the_others_stay(httpserver):
    url = serve(httpserver, lambda _: {"rows": [{**MONTHS[0], "code": "101"}]})
    found = connector(
        url, query={"area": "{subject}"}, codes={"subject": {"甲县": "101", "乙县": "102"}}, echo={"code": "{subject}"}
    ).fetch(YEAR)
    assert found.observations.subject.tolist() == ["甲县"]
    (refusal,) = found.refusals
    assert (refusal.reason, refusal.subject, refusal.text) == (Refused.WRONG_DIMENSION, "乙县", "code 为 101，应为 102")


def test_series_are_asked_for_by_the_names_that_the_books_read(httpserver):
    url = serve(httpserver, lambda _: {"rows": MONTHS[:1]})
    found = connector(url, series=None, query={"indicator": "{series}"}, codes={"series": {"就业": "E1"}}).fetch(YEAR)
    assert asked(httpserver) == [{"indicator": "E1"}]
    assert found.observations.series.tolist() == ["就业"]


def test_one_failing_request_fails_the_pull(httpserver):
    url = serve(httpserver, lambda request: Response(status=500) if request.args["area"] == "102" else {"rows": MONTHS})
    with failing(Failure.BAD_ANSWER, "500"):
        connector(url, query={"area": "{subject}"}, codes={"subject": {"甲县": "101", "乙县": "102"}}).fetch(YEAR)


@pytest.mark.parametrize(
    ("auth", "header", "sent"),
    [
        ({"by": "bearer"}, "Authorization", "Bearer s3cr+t"),
        ({"by": "header", "name": "X-Key"}, "X-Key", "s3cr+t"),
        ({"by": "basic", "name": "duban"}, "Authorization", f"Basic {base64.b64encode(b'duban:s3cr+t').decode()}"),
    ],
)
@pytest.mark.parametrize("place", ["file", "env"])
def test_a_secret_stands_where_its_source_wants_it(faults, tmp_path, monkeypatch, auth, header, sent, place):
    (tmp_path / "key").write_text("s3cr+t\n")
    monkeypatch.setenv("A_KEY", "s3cr+t")
    secret = {"secret_file": "key"} if place == "file" else {"secret_env": "A_KEY"}
    connector(faults.url("good"), tmp_path, auth={**auth, **secret}).fetch(YEAR)
    assert faults.headers[0][header] == sent


@pytest.mark.parametrize(
    "auth",
    [{"by": "bearer"}, {"by": "basic", "name": "duban"}, {"by": "header", "name": "K"}, {"by": "query", "name": "k"}],
)
@pytest.mark.parametrize("fault", ["tell_all", "reset", "once", "html", "silent"])
def test_no_secret_is_shown_whatever_goes_wrong(faults, tmp_path, caplog, auth, fault):
    (tmp_path / "key").write_text("s3cr+t")
    faults.redirect_to = "/tell_all?k=s3cr%2Bt"
    asking = connector(
        faults.url(fault), tmp_path, auth={**auth, "secret_file": "key"}, message="message", timeout=0.2, budget=0.4
    )
    with caplog.at_level("DEBUG"), pytest.raises(ConnectorError) as caught:
        asking.fetch(YEAR)
    coded = base64.b64encode(b"duban:s3cr+t").decode()
    shown = f"{caught.value.detail} {caught.value!r} {asking!r} {asking._options!r} {caplog.text}"
    assert not [secret for secret in ("s3cr+t", "s3cr%2Bt", coded) if secret in shown]


def test_a_changed_secret_is_read_at_the_next_pull(faults, tmp_path):
    asking = connector(faults.url("good"), tmp_path, auth={"by": "bearer", "secret_file": "key"})
    for secret in ("one", "two"):
        (tmp_path / "key").write_text(secret)
        asking.fetch(YEAR)
    assert [headers["Authorization"] for headers in faults.headers] == ["Bearer one", "Bearer two"]


def test_an_environment_without_the_secret_is_named(faults, monkeypatch):
    monkeypatch.delenv("A_KEY", raising=False)
    with failing(Failure.MISCONFIGURED, "A_KEY"):
        connector(faults.url("good"), auth={"by": "bearer", "secret_env": "A_KEY"}).fetch(YEAR)


@pytest.mark.parametrize("fault", ["unchanged", "unchanged_since"])
def test_what_has_not_changed_is_not_sent_again_and_read_anew(faults, fault):
    asking = connector(faults.url(fault), known="30 days after period")
    early = asking.fetch(Query(datetime(2025, 11, 1, tzinfo=UTC), YEAR.first, YEAR.last))
    later = asking.fetch(YEAR)
    assert [len(found.observations) for found in (early, later)] == [0, 1]  # public only by the second pull
    assert [("If-None-Match" in one or "If-Modified-Since" in one) for one in faults.headers] == [False, True]
    assert early.digest == later.digest


def test_conditions_can_be_left_out(faults):
    asking = connector(faults.url("unchanged"), conditional=False)
    for _ in range(2):
        asking.fetch(YEAR)
    assert not any("If-None-Match" in headers for headers in faults.headers)


def test_unchanged_without_a_condition_is_a_bad_answer(faults):
    with failing(Failure.BAD_ANSWER, "304"):
        connector(faults.url("unchanged_of_what")).fetch(YEAR)


def test_answers_too_large_to_keep_are_asked_for_in_full(httpserver):
    noise = random.Random(1).randbytes(2**20 + 2**17).hex()

    def answer(_: Request) -> Response:
        response = Response(json.dumps({"rows": MONTHS, "noise": noise}))
        response.headers["ETag"] = '"v1"'
        return response

    asking = connector(serve(httpserver, answer))
    for _ in range(2):
        asking.fetch(YEAR)
    assert not any("If-None-Match" in request.headers for request, _ in httpserver.log)


def test_a_source_is_asked_no_more_often_than_it_allows(httpserver):
    url = serve(httpserver, lambda request: {"rows": page(int(request.args["page"]))})
    asking = connector(url, per_minute=3, budget=20, paging={"by": "page", "parameter": "page"})
    with failing(Failure.RATE_LIMITED, "每分钟限 3 次"):
        asking.fetch(YEAR)
    assert len(httpserver.log) == 3
    with failing(Failure.RATE_LIMITED):
        asking.fetch(YEAR)
    assert len(httpserver.log) == 3


def test_numbers_that_json_does_not_have_are_refused(faults):
    found = connector(faults.url("numbers")).fetch(YEAR)
    assert [refusal.text for refusal in found.refusals] == ["NaN", "inf"]
    assert {refusal.reason for refusal in found.refusals} == {Refused.NOT_A_NUMBER}


def test_a_metadata_address_is_refused_and_can_be_allowed():
    with failing(Failure.FORBIDDEN_ADDRESS, "169.254.169.254", "allow"):
        connector("http://169.254.169.254/latest").fetch(YEAR)
    allowed = read(HttpJson.Options, {"url": "http://169.254.169.254/latest", "allow": ["169.254.169.254"], **PLAIN})
    assert [str(network) for network in allowed.allow] == ["169.254.169.254/32"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"auth": {"by": "basic", "secret_file": "f"}}, "name"),
        ({"auth": {"by": "bearer", "name": "x", "secret_file": "f"}}, "name"),
        ({"auth": {"by": "bearer"}}, "exactly one secret"),
        ({"auth": {"by": "bearer", "secret_file": "f", "secret_env": "E"}}, "exactly one secret"),
        ({"tls": {"verify": False}}, "verify: unsafe"),
        ({"tls": {"cert_file": "c"}}, "key_file"),
        ({"tls": {"verify": "unsafe", "ca_file": "c"}}, "contradiction"),
        ({"paging": {"by": "page"}}, "parameter"),
        ({"paging": {"by": "link", "parameter": "p"}}, "parameter"),
        ({"paging": {"by": "cursor", "parameter": "p"}}, "next"),
        ({"paging": {"by": "page", "parameter": "p", "next": "n"}}, "misplaced"),
        ({"paging": {"by": "link", "last": "n"}}, "misplaced"),
        ({"query": {"q": "{subject}"}}, "codes.subject"),
        ({"query": {"q": "{subject}"}, "codes": {"subject": {"a": "1"}}, "subject": "a"}, "given twice"),
        ({"query": {"q": "{series}"}}, "exactly one source"),
        ({"codes": {"unit": {}}}, "codes"),
        ({"codes": {"series": {"a": "1", "b": "1"}}}, "ambiguous"),
        ({"rows": "a[", "series": "s"}, "bad path"),
        ({"echo": {"a[": 1}}, "bad path"),
        ({"message": "a["}, "bad path"),
        ({"allow": ["intranet"]}, "bad network"),
        ({"per_minute": 0}, "per_minute"),
    ],
)
def test_options_that_contradict_themselves_are_refused(options, words):
    with pytest.raises(Wrong, match=words):
        connector("http://127.0.0.1/", **options)


def test_certificate_files_that_are_not_there_are_named(faults, tmp_path):
    with failing(Failure.MISCONFIGURED, "ca.pem"):
        connector(faults.url("good"), tmp_path, tls={"ca_file": "ca.pem"}).fetch(YEAR)
