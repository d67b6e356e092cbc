"""A real Prometheus where one is installed, and everywhere a server that answers in the API's documented shape."""

import json
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from connectors.base import ConnectorError, Failure
from connectors.observation import Query, Reading, Refused
from connectors.prometheus import Prometheus
from connectors.strict import Wrong, read
from tests.connectors.faults import fault_server
from tests.servers import prometheus

ZONE = ZoneInfo("Asia/Shanghai")
YEAR = Query(datetime(2026, 1, 31, tzinfo=UTC), date(2025, 1, 1), date(2025, 12, 31))
PLAIN = {"query": "jobs", "every": "month", "series": "就业"}


def source(url: str, **options: object) -> Prometheus:
    given = {**PLAIN, "retries": 0, **options}
    return Prometheus(
        read(Prometheus.Options, {"url": url, **{key: one for key, one in given.items() if one is not None}}), Path()
    )


def failure(url: str, **options: object) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        source(url, **options).fetch(YEAR)
    assert caught.value.__cause__ is None
    assert caught.value.detail.startswith(url)
    return caught.value


def local(*parts: int) -> float:
    return datetime(*parts, tzinfo=ZONE).timestamp()


# --- what the API answers, everywhere


class Api:
    """Answers instant and range queries for one step function per label set; keeps what it was asked."""

    def __init__(self, server: HTTPServer) -> None:
        self.series: list[tuple[dict[str, str], dict[float, str]]] = []
        self.asked: list[dict[str, str]] = []
        self.extra: dict[str, object] = {}
        self.url = server.url_for("/prom")
        server.expect_request("/prom/api/v1/query").respond_with_handler(self._instant)
        server.expect_request("/prom/api/v1/query_range").respond_with_handler(self._range)

    def _instant(self, request: Request) -> Response:
        at = float(request.args["time"])
        found = [{"metric": metric, "value": [at, value]} for metric, value in self._at(at)]
        return self._answer(request, "vector", found)

    def _range(self, request: Request) -> Response:
        start, end, step = (float(request.args[name]) for name in ("start", "end", "step"))
        moments = [start + n * step for n in range(math.floor((end - start) / step + 1.0001))]
        found = []
        for metric, _ in self.series:
            values = [[at, value] for at in moments for one, value in self._at(at) if one is metric]
            if values:
                found.append({"metric": metric, "values": values})
        return self._answer(request, "matrix", found)

    def _at(self, at: float) -> Iterator[tuple[dict[str, str], str]]:
        """What Prometheus would show at ``at``: the newest sample of the last five minutes."""
        for metric, samples in self.series:
            fresh = [moment for moment in samples if at - 300 < moment <= at]
            if fresh:
                yield metric, samples[max(fresh)]

    def _answer(self, request: Request, kind: str, result: object) -> Response:
        self.asked.append(dict(request.args) | {"path": request.path})
        body = {"status": "success", "data": {"resultType": kind, "result": result}, **self.extra}
        return Response(json.dumps(body, ensure_ascii=False), content_type="application/json")


@pytest.fixture
def api(httpserver: HTTPServer) -> Api:
    return Api(httpserver)


def values(found: Reading) -> dict[str, float]:
    rows = found.observations
    return dict(zip(rows.period.dt.strftime("%m-%d"), rows.value, strict=True))


def test_the_value_is_that_at_each_periods_own_end(api):
    api.series = [
        ({}, {local(2025, 9, 30, 23, 59): "9", local(2025, 10, 1): "0", local(2025, 10, 31, 23, 59, 59): "10"})
    ]
    assert values(source(api.url).fetch(YEAR)) == {"09-30": 9, "10-31": 10}


@pytest.mark.parametrize(
    ("every", "ends"),
    [
        ("month", 12),
        ("quarter", 4),
        ("half", 2),
        ("year", 1),
        ("day", 365),
    ],
)
def test_every_period_of_the_year_is_asked_for_once(api, every, ends):
    found = source(api.url, every=every).fetch(YEAR)
    assert len(found.observations) == 0
    steps = [asked for asked in api.asked if asked["path"].endswith("_range")]
    points = sum(round((float(a["end"]) - float(a["start"])) / float(a["step"])) + 1 for a in steps)
    assert points + len(api.asked) - len(steps) == ends
    assert len(api.asked) <= 6


def test_a_zone_that_turns_its_clocks_still_ends_its_days_at_midnight(api):
    zone = ZoneInfo("Europe/Berlin")
    days = [date(2025, month, day) for month, day in ((3, 29), (3, 30), (3, 31), (10, 25), (10, 26), (10, 27))]
    ends = [datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=zone).timestamp() for day in days]
    api.series = [({}, {end: str(number) for number, end in enumerate(ends, 1)})]
    found = values(source(api.url, every="day", timezone="Europe/Berlin").fetch(YEAR))
    assert found == {"03-29": 1, "03-30": 2, "03-31": 3, "10-25": 4, "10-26": 5, "10-27": 6}


def test_a_period_that_has_not_ended_is_not_asked_for(api):
    query = Query(datetime(2025, 10, 31, 12, tzinfo=ZONE), YEAR.first, YEAR.last)
    source(api.url).fetch(query)
    assert max(float(asked.get("end") or asked["time"]) for asked in api.asked) < local(2025, 10, 1)


def test_a_year_that_has_not_begun_is_not_asked_for(api):
    source(api.url).fetch(Query(datetime(2025, 1, 1, tzinfo=UTC), YEAR.first, YEAR.last))
    assert api.asked == []


def test_labels_name_series_subject_and_unit(api):
    end = local(2025, 9, 30, 23, 59, 59)
    api.series = [
        ({"__name__": "jobs", "county": "甲县", "unit": "人"}, {end: "1"}),
        ({"__name__": "jobs", "county": "乙县", "unit": "人"}, {end: "2"}),
    ]
    labels = {"series": "__name__", "subject": "county", "unit": "unit"}
    rows = source(api.url, series=None, labels=labels).fetch(YEAR).observations
    assert rows[["series", "subject", "unit", "value"]].to_numpy().tolist() == [
        ["jobs", "甲县", "人", 1],
        ["jobs", "乙县", "人", 2],
    ]
    assert rows.cell[0] == 'jobs{county="甲县", unit="人"} @2025-09-30'


def test_a_sample_without_the_label_of_its_subject_is_refused(api):
    api.series = [({"job": "x"}, {local(2025, 9, 30, 23, 59, 59): "1"})]
    (refusal,) = source(api.url, labels={"subject": "county"}).fetch(YEAR).refusals
    assert refusal.reason is Refused.WRONG_DIMENSION


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
def test_what_is_no_number_is_refused(api, value):
    api.series = [({}, {local(2025, 9, 30, 23, 59, 59): value, local(2025, 10, 31, 23, 59, 59): "1"})]
    found = source(api.url).fetch(YEAR)
    assert values(found) == {"10-31": 1}
    assert [(refusal.reason, refusal.text) for refusal in found.refusals] == [(Refused.NOT_A_NUMBER, value)]


def test_figures_that_state_their_period_are_asked_for_once(api):
    at = YEAR.at.timestamp()
    api.series = [({"period": "2025Q3", "known": "2025-10-20"}, {at: "7"}), ({"period": "someday"}, {at: "8"})]
    found = source(api.url, every=None, labels={"period": "period", "known": "known"}).fetch(YEAR)
    assert values(found) == {"09-30": 7}
    assert [refusal.reason for refusal in found.refusals] == [Refused.BAD_PERIOD]
    assert len(api.asked) == 1


def test_an_answer_under_a_warning_is_refused_unless_accepted(api, caplog):
    api.series = [({}, {local(2025, 9, 30, 23, 59, 59): "9"})]
    api.extra = {"warnings": ["store s1 did not answer"]}
    error = failure(api.url)
    assert error.reason is Failure.BAD_ANSWER
    assert "store s1 did not answer" in error.detail
    assert error.retryable
    assert values(source(api.url, warnings="accept").fetch(YEAR)) == {"09-30": 9}
    assert "store s1 did not answer" in caplog.text


@pytest.mark.parametrize(
    ("status", "body", "reason", "later"),
    [
        (400, {"status": "error", "errorType": "bad_data", "error": "unknown"}, Failure.MISCONFIGURED, False),
        (422, {"status": "error", "errorType": "execution", "error": "unknown"}, Failure.MISCONFIGURED, False),
        (503, {"status": "error", "errorType": "timeout", "error": "unknown"}, Failure.TIMEOUT, True),
        (200, {"status": "error", "errorType": "internal", "error": "unknown"}, Failure.BAD_ANSWER, True),
    ],
)
def test_an_error_is_told_in_the_servers_words(httpserver, status, body, reason, later):
    httpserver.expect_request("/api/v1/query_range").respond_with_json(body, status=status)
    error = failure(httpserver.url_for("").rstrip("/"))
    assert (error.reason, error.retryable) == (reason, later)
    assert "unknown" in error.detail


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "data.result"),
        ({"resultType": "matrix"}, "data.result"),
        ({"resultType": "string", "result": [1, "x"]}, "string"),
        ({"resultType": "matrix", "result": [{"metric": {}, "values": [[1.5, "1"]]}]}, "1.5 不是所问的"),
        ({"resultType": "matrix", "result": [{"metric": {}, "values": [7]}]}, "样本"),
        ({"resultType": "vector", "result": [{"metric": {}, "histogram": [1, {}]}]}, "histogram_sum"),
    ],
)
def test_an_answer_of_another_shape_is_told(httpserver, data, words):
    httpserver.expect_request("/api/v1/query_range").respond_with_json({"status": "success", "data": data})
    assert words in failure(httpserver.url_for("").rstrip("/")).detail


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("silent", Failure.TIMEOUT),
        ("reset", Failure.UNREACHABLE),
        ("unauthorized", Failure.DENIED),
        ("not_found", Failure.NOT_FOUND),
        ("huge", Failure.TOO_LARGE),
        ("html", Failure.BAD_ANSWER),
        ("error", Failure.BAD_ANSWER),
    ],
)
def test_every_fault_of_the_server_ends_in_one_reason(fault, reason, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with fault_server() as server:
        error = failure(server.url(fault), timeout=1.0, budget=1.2, max_bytes=100_000)
    assert error.reason is reason


def test_a_secret_is_sent_and_shown_nowhere(httpserver, tmp_path):
    (tmp_path / "token").write_text("s3cret")
    httpserver.expect_request("/api/v1/query_range", headers={"Authorization": "Bearer s3cret"}).respond_with_json(
        {"status": "error", "errorType": "bad_data", "error": "not for s3cret"}, status=400
    )
    auth = {"by": "bearer", "secret_file": "token"}
    options = read(Prometheus.Options, {"url": httpserver.url_for(""), "auth": auth, "retries": 0, **PLAIN})
    with pytest.raises(ConnectorError) as caught:
        Prometheus(options, tmp_path).fetch(YEAR)
    assert "not for ***" in caught.value.detail


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"every": None}, "every 与 labels.period"),
        ({"labels": {"period": "period"}}, "every 与 labels.period"),
        ({"series": None}, "序列名"),
        ({"labels": {"series": "name"}}, "series"),
        ({"labels": {"place": "county"}}, "place: 不认识"),
        ({"every": "week"}, "every"),
        ({"url": "http://me:s3cret@127.0.0.1:9090"}, "credentials in url"),
        ({"url": "http://127.0.0.1:9090/?a=1"}, "query in url"),
        ({"url": "file:///etc/passwd"}, "http"),
    ],
)
def test_options_that_cannot_work_are_refused(options, words):
    with pytest.raises(Wrong, match=words) as caught:
        read(Prometheus.Options, {"url": "http://127.0.0.1:9090", **PLAIN, **options})
    assert "s3cret" not in str(caught.value)


# --- a real server


def _samples() -> Iterator[str]:
    """Two counties: a counter of the year with a sample every 60 s of the last ten minutes of two months."""
    yield "# TYPE jobs gauge"
    for county, value in (("甲县", 100), ("乙县", 200)):
        for month, day in ((9, 30), (10, 31)):
            for minute in range(50, 60):
                at = local(2025, month, day, 23, minute, 30)
                yield f'jobs{{county="{county}",unit="人"}} {value * month + minute} {at:.3f}'
            yield f'jobs{{county="{county}",unit="人"}} 0 {local(2025, month, day, 23, 59, 59) + 1:.3f}'
    yield "# TYPE ratio gauge"
    for value, month, day in (("NaN", 3, 31), ("+Inf", 4, 30), ("1", 5, 31)):
        yield f"ratio {value} {local(2025, month, day, 23, 59):.3f}"
    yield f'# TYPE filed gauge\nfiled{{period="2025-11",known="2025-12-15"}} 42 {YEAR.at.timestamp() - 60:.3f}'


@pytest.fixture(scope="module")
def real() -> Iterator[prometheus.Prometheus]:
    if prometheus.MISSING:
        pytest.skip(f"not installed: {', '.join(prometheus.MISSING)}; set DUBAN_TEST_BIN")
    with prometheus.Prometheus(_samples()) as server:
        yield server


def test_a_real_server_gives_each_months_last_value(real):
    rows = source(real.url, labels={"subject": "county", "unit": "unit"}).fetch(YEAR).observations
    found = {(row.subject, row.period.month): row.value for row in rows.itertuples()}
    assert found == {("甲县", 9): 959, ("甲县", 10): 1059, ("乙县", 9): 1859, ("乙县", 10): 2059}
    assert set(rows.unit) == {"人"}


def test_a_real_server_aggregates_and_computes(real):
    rows = source(real.url, query="sum(jobs)", every="quarter").fetch(YEAR).observations
    assert rows.value.tolist() == [959 + 1859]
    assert rows.cell.tolist() == ["{} @2025-09-30"]


def test_a_scalar_of_a_real_server_is_a_figure_of_every_period(real):
    found = source(real.url, query="scalar(ratio)", every="year").fetch(YEAR)
    assert [refusal.text for refusal in found.refusals] == ["NaN"]


def test_a_real_server_says_what_is_no_number(real):
    found = source(real.url, query="ratio").fetch(YEAR)
    assert values(found) == {"05-31": 1}
    assert [refusal.text for refusal in found.refusals] == ["NaN", "+Inf"]


def test_a_real_server_answers_daily_questions_of_a_year(real):
    assert set(values(source(real.url, query="sum(jobs)", every="day").fetch(YEAR))) == {"09-30", "10-31"}


def test_a_real_server_tells_figures_that_state_their_period(real):
    labels = {"period": "period", "known": "known"}
    found = source(real.url, query="filed", every=None, labels=labels).fetch(YEAR).observations.iloc[0]
    assert (found.value, found.period.date()) == (42, date(2025, 11, 30))
    assert found.known_at == datetime(2025, 12, 15, tzinfo=ZONE)


def test_a_real_server_knows_no_such_series(real):
    found = source(real.url, query="nowhere").fetch(YEAR)
    assert len(found.observations) == 0
    assert found.refusals == ()


@pytest.mark.parametrize(("query", "words"), [("sum(", "parse error"), ("jobs * on() ratio[5m]", "binary")])
def test_a_real_server_refuses_what_is_no_query(real, query, words):
    error = failure(real.url, query=query)
    assert error.reason is Failure.MISCONFIGURED
    assert words in error.detail


def test_a_range_of_samples_is_no_figure(real):
    assert "区间" in failure(real.url, query="filed[1h]", every=None, labels={"period": "period"}).detail
