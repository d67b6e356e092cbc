"""Silences set and ended over HTTP, with a real daemon behind a real socket."""

import json
import re

import pytest
import requests

from monitor.app import Daemon
from monitor.web.silencing import silencing
from tests.acceptance.books import figures, town
from tests.monitor.web.test_server import serving

TOKEN = "s3cret"
WANTED = {"book": "town-2025", "until": "2025-11-30", "by": "王五", "reason": "口径调整"}


@pytest.fixture
def asked(tmp_path):
    """Asks a daemon that watches one target in yellow; the letters it has sent, and how often it was woken."""
    figures(town(tmp_path / "books", 1), [("指标000", "2025-08", 740, "2025-09-10")])
    written = {
        "books": str(tmp_path / "books"),
        "database": f"sqlite:///{tmp_path}/duban.db",
        "archive": None,
        "clock": "2025-10-12T09:30:00+08:00",
        "channels": {"letters": {"kind": "folder", "path": str(tmp_path / "letters")}},
    }
    (tmp_path / "duban.yaml").write_text(json.dumps(written, ensure_ascii=False), encoding="utf-8")
    daemon = Daemon(tmp_path / "duban.yaml")
    for feed in daemon.force.feeds.values():
        daemon.pull(feed)

    def cycle():
        daemon.judge()
        daemon.deliver("letters")

    with serving(None, silences=silencing(daemon, TOKEN, cycle)) as site:

        def ask(method, path="", token=TOKEN, **given):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            url = f"{site.url}/api/v1/silences{path}"
            return requests.request(method, url, headers=headers, timeout=10, **given)

        ask.cycle = cycle
        ask.letters = lambda: len(list(tmp_path.glob("letters/*/*.txt")))
        yield ask
    daemon.close()


def test_a_silence_holds_from_the_moment_it_is_set_until_it_is_ended(asked):
    made = asked("POST", json={**WANTED, "target": "t000", "unit": "单位0"})
    assert (made.status_code, made.json()) == (201, {"id": 1})
    asked.cycle()
    assert asked.letters() == 0
    (one,) = asked("GET").json()["silences"]
    assert (one["id"], one["by"], one["reason"], one["target"], one["level"]) == (
        1,
        "王五",
        "口径调整",
        "t000",
        "yellow",
    )
    assert asked("DELETE", "/1?by=赵六").status_code == 200
    assert asked.letters() == 1
    assert asked("GET").json() == {"silences": []}


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({**WANTED, "book": "town-2052"}, "unknown book.*town-2025"),
        ({**WANTED, "target": "t00"}, "unknown target"),
        ({**WANTED, "unit": "单位00"}, "unknown unit.*单位0"),
        ({**WANTED, "subject": "乙县"}, "没有对象 '乙县' .unknown subject"),
        ({**WANTED, "section": "九、其他"}, "unknown section"),
        ({**WANTED, "label": "民生"}, "unknown label"),
        ({**WANTED, "until": "2025-10-01"}, "over already"),
        ({**WANTED, "by": " "}, "name_and_reason"),
        ({**WANTED, "level": "green"}, "unknown word"),
        ({**WANTED, "units": "单位0"}, "unknown.*可写"),
        ({"book": "town-2025"}, "缺少 until、by、reason"),
        ({**WANTED, "until": 20251130}, "not a json object"),
        ([], "not a json object"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_cure(asked, wanted, words):
    refused = asked("POST", json=wanted)
    assert refused.status_code == 422
    assert re.search(words, refused.json()["error"])
    assert asked("GET").json() == {"silences": []}


def test_nobody_without_the_token_sets_ends_or_sees_a_silence(asked):
    asked("POST", json=WANTED)
    for token in ("", "guess"):
        for method, path, given in (("GET", "", {}), ("POST", "", {"json": WANTED}), ("DELETE", "/1?by=x", {})):
            assert asked(method, path, token, **given).status_code == 401
    assert len(asked("GET").json()["silences"]) == 1
    assert asked("DELETE", "/1").status_code == 422
    assert asked("DELETE", "/7?by=x").status_code == 422
    assert asked("POST", data=b"x" * 20_000).status_code == 413
