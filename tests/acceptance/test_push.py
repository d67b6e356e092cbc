"""Figures that are handed in, from the request to the letter, with real processes."""

import json

import requests

from tests.acceptance.books import HEADER, town
from tests.acceptance.running import Receiver, Running, until


def pushed_town(tmp_path, targets=3):
    folder = town(tmp_path / "books", targets)
    book = folder / "book.yaml"
    begin, end = HEADER.index("    connector:"), len(HEADER)
    push = "    connector: push\n    token_file: token\n"
    book.write_text(book.read_text("utf-8").replace(HEADER[begin:end], push), encoding="utf-8")
    (folder / "token").write_text("s3cret\n", encoding="utf-8")
    return folder


def push(daemon, rows, **headers):
    return requests.post(
        f"http://127.0.0.1:{daemon.port}/api/v1/observations",
        json={"observations": rows},
        headers={"Authorization": "Bearer s3cret", **headers},
        timeout=10,
    )


def figure(name, value, period="2025-09"):
    return {"series": name, "period": period, "value": value, "unit": "户", "known": "2025-10-15"}


def test_a_figure_that_is_handed_in_is_judged_and_told_at_once(tmp_path):
    pushed_town(tmp_path, targets=2)
    receiver = Receiver()
    daemon = Running(
        tmp_path,
        books=str(tmp_path / "books"),
        clock="2025-10-27T09:00:00+08:00",
        cycle=3600,  # only the push itself can bring about a cycle in time
        channels={"hook": {"kind": "webhook", "url": receiver.url}},
    )
    with daemon:
        answer = push(daemon, [figure("指标000", 500), figure("指标001", 950)], **{"Idempotency-Key": "first"})
        assert answer.status_code == 200, answer.text
        (letter,) = until(lambda: list(receiver.letters.values()), what="the letter")
        assert (letter["status"], letter["groupLabels"]["target"]) == ("firing", "t000")
        repeated = push(daemon, [figure("指标000", 500), figure("指标001", 950)], **{"Idempotency-Key": "first"})
        assert repeated.content == answer.content
        push(daemon, [figure("指标000", 950)])
        until(lambda: len(receiver.letters) == 2, what="the letter of the revision")
        assert daemon.stop() == 0
    receiver.close()
    (kept,) = [path for path in (tmp_path / "archive").glob("*/*.json") if b"500" in path.read_bytes()]
    assert json.loads(kept.read_bytes())["observations"][0]["value"] == 500
