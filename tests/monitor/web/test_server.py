"""The web server, over a real socket."""

import gzip
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256

import pytest
import requests
import uvicorn
from starlette.routing import Route

from monitor.intake.pushing import Inbox
from monitor.metrics import Exposition, Format, Meters
from monitor.snapshot import Snapshot
from monitor.web.server import create_app
from tests.benchmarks.country import TARGETS, country
from tests.builders import a_snapshot
from tests.monitor.web.test_page import red


@dataclass
class Site:
    """A running server; ``snapshot`` may be changed under it."""

    snapshot: Snapshot | None
    meters: Meters
    url: str = ""

    def get(self, path: str, **options: object) -> requests.Response:
        return requests.get(self.url + path, timeout=10, **options)  # type: ignore[arg-type]


@contextmanager
def serving(
    snapshot: Snapshot | None,
    reload: Callable[[], str] | None = None,
    inbox: Inbox | None = None,
    silences: Sequence[Route] = (),
) -> Iterator[Site]:
    site = Site(snapshot, Meters())
    app = create_app(lambda: site.snapshot, Exposition(site.meters), reload, inbox, silences=silences)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    site.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield site
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving(red()) as site:
        yield site


def test_ready_only_after_the_first_cycle_healthy_always() -> None:
    with serving(None) as site:
        assert site.get("/-/healthy").status_code == 200
        waiting = site.get("/-/ready")
        assert waiting.status_code == 503
        assert "尚未完成首轮判定" in waiting.text
        assert site.get("/").status_code == 503
        assert site.get("/api/v1/targets").status_code == 503
        assert b"duban_build_info" in site.get("/metrics").content
        site.snapshot = red()
        assert site.get("/-/ready").status_code == 200
        assert site.get("/").status_code == 200


def test_every_answer_carries_the_security_headers(site: Site) -> None:
    for path in ("/", "/metrics", "/-/healthy", "/api/v1/targets", "/nowhere"):
        headers = site.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_style_sheet_is_the_one_the_policy_allows(site: Site) -> None:
    answer = site.get("/")
    style = answer.text.split("<style>")[1].split("</style>")[0]
    assert b64encode(sha256(style.encode()).digest()).decode() in answer.headers["Content-Security-Policy"]


def samples(text: str) -> list[str]:
    """Lines of figures, but for those of the process itself, which differ from one moment to the next."""
    return [line for line in text.splitlines() if not line.startswith(("#", "duban_process"))]


def test_metrics_are_valid_and_may_be_compressed(site: Site) -> None:
    plain = site.get("/metrics", headers={"Accept-Encoding": "identity"})
    assert plain.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "Content-Encoding" not in plain.headers
    assert samples(plain.text) == samples(b"".join(Exposition(site.meters).chunks(site.snapshot)).decode())
    packed = site.get("/metrics", headers={"Accept-Encoding": "gzip"}, stream=True)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == "Accept, Accept-Encoding"
    assert samples(gzip.decompress(packed.raw.read(decode_content=False)).decode()) == samples(plain.text)
    refused = site.get("/metrics", headers={"Accept-Encoding": "gzip;q=0, *"})
    assert "Content-Encoding" not in refused.headers


@pytest.mark.parametrize(
    ("accepted", "form"),
    [
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1", Format.OPENMETRICS),
        ("application/openmetrics-text", Format.OPENMETRICS),
        ("text/html,application/xhtml+xml,*/*;q=0.8", Format.TEXT),
        ("text/plain,application/openmetrics-text;q=0.9", Format.TEXT),
        ("application/openmetrics-text;q=0", Format.TEXT),
        ("application/openmetrics-text;q=much", Format.TEXT),
        ("", Format.TEXT),
    ],
)  # fmt: skip
def test_the_scraper_says_which_format_it_reads(site: Site, accepted: str, form: Format) -> None:
    answer = site.get("/metrics", headers={"Accept": accepted})
    assert answer.headers["Content-Type"] == form.value
    assert answer.text.endswith("# EOF\n") == (form is Format.OPENMETRICS)


def test_metrics_have_a_level_for_every_row() -> None:
    with serving(a_snapshot(country(20), alerts=())) as site:
        lines = site.get("/metrics").text.splitlines()
        assert sum(line.startswith("duban_target_level") for line in lines) == 20 * TARGETS


def test_targets_speak_as_the_command_does(site: Site) -> None:
    answer = site.get("/api/v1/targets").json()
    assert answer["total"] == 1
    (target,) = answer["targets"]
    assert target["id"] == "jobs"
    assert target["lead"] == ["人力社保局"]
    assert (target["op"], target["value"], target["unit"], target["measure"]) == (">=", 1200, "人", "cumulative")
    assert (target["level"], target["outcome"], target["reason"]) == (2, "behind", "behind_schedule")
    assert (target["period"], target["actual"], target["expected"], target["shortfall"]) == (
        "2025-09-30",
        450,
        900,
        450,
    )


def test_targets_are_filtered_and_paged() -> None:
    with serving(a_snapshot(country(20), alerts=())) as site:
        page = site.get("/api/v1/targets?offset=25&limit=10").json()
        assert page["total"] == 20 * TARGETS
        assert [target["subject"] for target in page["targets"]] == [f"县{i:04d}" for i in range(5, 15)]
        assert site.get("/api/v1/targets?level=-1").json()["total"] == 20 * TARGETS
        assert site.get("/api/v1/targets?level=0").json()["targets"] == []
        assert site.get("/api/v1/targets?book=other").json()["total"] == 0
        assert site.get("/api/v1/targets?level=7").status_code == 422
        assert site.get("/api/v1/targets?limit=99999").status_code == 422


def test_open_alerts_are_listed(site: Site) -> None:
    (alert,) = site.get("/api/v1/alerts").json()["alerts"]
    assert (alert["book"], alert["target"], alert["kind"], alert["state"], alert["level"]) == (
        "b", "jobs", "pace", "firing", 2,
    )  # fmt: skip


def test_reload_answers_with_the_errors_of_a_refused_configuration() -> None:
    answers = ["b.yaml:3: 看不懂", ""]
    with serving(red(), lambda: answers.pop(0)) as site:
        refused = requests.post(site.url + "/-/reload", timeout=10)
        assert refused.status_code == 400
        assert "b.yaml:3: 看不懂" in refused.text
        assert requests.post(site.url + "/-/reload", timeout=10).status_code == 200


def test_reload_does_not_exist_unless_asked_for(site: Site) -> None:
    assert requests.post(site.url + "/-/reload", timeout=10).status_code == 404


def test_probes_may_ask_for_headers_only(site: Site) -> None:
    for path in ("/", "/metrics", "/-/healthy", "/-/ready"):
        answer = requests.head(site.url + path, timeout=10)
        assert answer.status_code == 200
        assert answer.content == b""


def test_no_description_of_the_api_is_served(site: Site) -> None:
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert site.get(path).status_code == 404
