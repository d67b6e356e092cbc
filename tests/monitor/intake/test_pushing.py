"""Figures handed in over a real socket to a whole daemon, judged by hand."""

import json
import sqlite3
import threading
from contextlib import closing

import pytest
import requests

from monitor.app import Daemon
from monitor.intake.pushing import Inbox
from monitor.store import pulls, quarantine, runs
from monitor.store.database import reading
from tests.monitor.web.test_server import serving

BOOK = """\
book: {book}
title: 方案
year: 2025
published: 10 workdays after period
targets:
  - {{id: jobs, name: 就业, lead: 人力社保局, goal: at least 1200 人, measure: cumulative, source: desk}}
sources:
  desk: {{connector: push, token_file: token, unit: 人, max_bytes: 2000, max_rows: 5}}
"""
TOKEN = "first"


@pytest.fixture
def daemon(tmp_path):
    for book, token in (("town", TOKEN), ("other", "second"), ("third", "second")):
        folder = tmp_path / "books" / book
        folder.mkdir(parents=True)
        (folder / "book.yaml").write_text(BOOK.format(book=book), encoding="utf-8")
        (folder / "token").write_text(f"{token}\n", encoding="utf-8")
    settings = {
        "books": str(tmp_path / "books"),
        "database": f"sqlite:///{tmp_path}/duban.db",
        "archive": str(tmp_path / "archive"),
        "clock": "2025-10-27T09:00:00+08:00",
    }
    (tmp_path / "duban.yaml").write_text(json.dumps(settings), encoding="utf-8")
    daemon = Daemon(tmp_path / "duban.yaml")
    yield daemon
    daemon.close()


@pytest.fixture
def news():
    return []


@pytest.fixture
def push(daemon, news):
    with serving(None, inbox=Inbox(daemon, lambda: news.append(1))) as site:

        def hand_in(*rows, token=TOKEN, body=None, source=None, **headers):
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"} | {
                name.replace("_", "-"): text for name, text in headers.items()
            }
            data = json.dumps({"observations": rows}).encode() if body is None else body
            return requests.post(
                site.url + "/api/v1/observations",
                data=data,
                headers=headers,
                params={"source": source} if source else None,
                timeout=10,
            )

        yield hand_in


def figure(value, period="2025-09", **more):
    return {"series": "就业", "period": period, "value": value, **more}


def results(answer):
    assert answer.status_code == 200, answer.text
    return [row["result"] for row in answer.json()["rows"]]


def test_each_row_is_told_what_became_of_it(push, daemon):
    assert results(push(figure(700, "2025-08"), figure(800))) == ["accepted", "accepted"]
    answer = push(
        figure(700, "2025-08"), figure(850), figure("约900", "2025-10"), figure(None, "2025-07"), figure(850)
    ).json()
    assert [row["result"] for row in answer["rows"]] == ["unchanged", "revised", "refused", "refused", "unchanged"]
    assert [row["reason"] for row in answer["rows"] if "reason" in row] == ["not_a_number", "blank"]
    assert answer["rows"][2] == {
        "cell": "$.observations[2]",
        "result": "refused",
        "reason": "not_a_number",
        "said": "“约900”不是数值",
        "cure": "请填写数字，无数据请留空",
    }
    assert {name: answer[name] for name in ("accepted", "revised", "unchanged", "refused")} == {
        "accepted": 0, "revised": 1, "unchanged": 2, "refused": 2,
    }  # fmt: skip
    daemon.force.watch.load(daemon.engine, daemon.clock.now())
    daemon.judge()
    (judged,) = [one for one in daemon.snapshot.judged if one.panel.block.targets]
    assert 850 in judged.verdicts.actual


def test_what_cannot_be_right_is_kept_apart(push, daemon):
    push(figure(800))
    answer = push(figure(700, "2025-08", unit="亿元"), figure(100, "2025-10"))
    assert results(answer) == ["refused", "refused"]
    assert [row["reason"] for row in answer.json()["rows"]] == ["wrong_dimension", "cumulative_fell"]
    with reading(daemon.engine) as connection:
        assert {row.reason for row in quarantine.opened(connection)} == {"wrong_dimension", "cumulative_fell"}


def test_the_ledger_and_the_archive_have_it(push, daemon, news, tmp_path):
    answer = push(figure(800))
    with reading(daemon.engine) as connection:
        record = pulls.latest(connection)["town/desk"]
    digest = answer.json()["digest"]
    assert (record.rows_new, record.digest, record.document) == (1, digest, f"push-{digest[:12]}.json")
    kept = tmp_path / "archive" / digest[:2] / f"{digest}.json"
    assert json.loads(kept.read_bytes()) == {"observations": [figure(800)]}
    assert news == [1]
    assert daemon.meters.registry.get_sample_value("duban_pulls_total", {"source": "town/desk", "outcome": "ok"}) == 1


def test_a_year_that_is_not_the_books_and_a_date_to_come_are_no_reason_to_lose_a_figure(push):
    rows = (figure(900, "2023-12"), figure(800, known="2026-01-01"), figure(1, "2026-06"))
    answer = push(*rows)
    assert results(answer) == ["accepted", "accepted", "refused"]
    assert answer.json()["rows"][2]["reason"] == "future_period"


def test_nothing_to_report_needs_no_value(push):
    assert results(push({"series": "就业", "period": "2025-09", "status": "无"})) == ["accepted"]


def test_half_a_character_and_what_no_database_keeps_become_a_sign_of_it(push):
    answer = push(
        {**figure(800), "series": "\ud800\0"}, figure("\ud800", "2025-08"), figure(1, "\ud800"), figure(10**400)
    )
    assert results(answer) == ["accepted", "refused", "refused", "refused"]
    assert (answer.json()["unasked"], answer.json()["rows"][1]["said"]) == (["\ufffd\ufffd"], "“\ufffd”不是数值")
    assert push({"\ud800": 1}).status_code == 422


def test_a_series_that_no_target_reads_is_named(push):
    assert push(figure(800, series="就业人数")).json()["unasked"] == ["就业人数"]


def test_a_table_is_read_too(push):
    body = "series,period,value\n就业,2025-08,700\n就业,2025-09,很多\n\n".encode()
    answer = push(body=body, Content_Type="text/csv; charset=utf-8")
    assert results(answer) == ["accepted", "refused"]
    assert answer.json()["rows"][1]["cell"] == "第3行"


def test_the_same_key_gives_the_same_answer_and_takes_nothing_twice(push, daemon, news):
    first = push(figure(800), Idempotency_Key="k1")
    push(figure(850))
    again = push(figure(800), Idempotency_Key="k1")
    assert again.content == first.content
    assert results(push(figure(850))) == ["unchanged"]
    assert len(news) == 3
    other = push(figure(900), Idempotency_Key="k1")
    assert other.status_code == 409
    assert "key reused" in other.json()["error"]
    assert results(push(figure(900), Idempotency_Key="k2")) == ["revised"]


def test_keys_of_two_sources_are_two_keys(push):
    push(figure(800), Idempotency_Key="k")
    assert results(push(figure(900), token="second", source="other/desk", Idempotency_Key="k")) == ["accepted"]


def test_a_key_is_known_after_a_restart_and_for_a_time(push, daemon):
    push(figure(800), Idempotency_Key="k")
    with daemon.engine.begin() as connection:
        assert runs.forget_answers(connection, daemon.clock.now().replace(month=9)) == 0
    assert push(figure(900), Idempotency_Key="k").status_code == 409
    with daemon.engine.begin() as connection:
        assert runs.forget_answers(connection, daemon.clock.now()) == 1
    assert results(push(figure(900), Idempotency_Key="k")) == ["revised"]


def test_of_many_at_once_under_one_key_one_is_taken(push, daemon):
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(push(figure(800), Idempotency_Key="k").content))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(answers)) == 1
    with closing(sqlite3.connect(daemon.engine.url.database)) as database:
        assert database.execute("SELECT count(*) FROM pull").fetchone() == (1,)


@pytest.mark.parametrize(
    ("how", "status", "said"),
    [
        ({"token": "wrong"}, 401, "invalid token"),
        ({"token": "口令".encode().decode("latin-1")}, 401, "invalid token"),
        ({"Authorization": "Basic Zmlyc3Q="}, 401, "token needed"),
        ({"Authorization": ""}, 401, "token needed"),
        ({"source": "other/desk"}, 403, "wrong source"),
        ({"token": "second"}, 400, "ambiguous source"),
        ({"Idempotency_Key": "k" * 201}, 400, "bad key"),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415, "unsupported type"),
        ({"body": b"x" * 2001}, 413, "too large"),
        ({"body": json.dumps({"observations": [{}] * 6}).encode()}, 413, "too many rows"),
        ({"body": b"{"}, 422, "invalid JSON"),
        ({"body": b"[]"}, 422, "wrong shape"),
        ({"body": b'{"observations": [1]}'}, 422, "wrong shape"),
        ({"body": '{"observations": [{"serie": "就业"}]}'.encode()}, 422, "unknown key"),
        ({"body": b'{"observations": [{"series": "a", "value": 1}]}'}, 422, "wrong shape"),
        ({"body": b"series\n\xff\n", "Content_Type": "text/csv"}, 422, "invalid CSV"),
        ({"body": b"series,value\na\n", "Content_Type": "text/csv"}, 422, "torn row"),
        ({"body": b"value,value\n1,2\n", "Content_Type": "text/csv"}, 422, "duplicate column"),
    ],
)
def test_what_is_not_taken_is_told_why(push, how, status, said):
    answer = push(figure(800), **how)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["error"]
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert TOKEN not in answer.text


def test_a_body_of_no_stated_length_is_cut_off_at_the_limit(push):
    assert push(body=iter([b"x" * 1500, b"x" * 1500])).status_code == 413


def test_an_unreadable_body_is_a_failed_pull(push, daemon):
    push(body=b"{")
    with reading(daemon.engine) as connection:
        assert pulls.failing(connection) == ["town/desk"]
    push(figure(800))
    with reading(daemon.engine) as connection:
        assert pulls.failing(connection) == []


def test_a_token_that_cannot_be_read_lets_nobody_in_and_a_new_one_counts_at_once(push, tmp_path):
    token = tmp_path / "books" / "town" / "token"
    token.write_text("\n", encoding="utf-8")
    assert push(figure(800), token="").status_code == 401
    assert push(figure(800)).status_code == 401
    token.write_text("changed", encoding="utf-8")
    assert push(figure(800)).status_code == 401
    assert results(push(figure(800), token="changed")) == ["accepted"]


def test_nobody_is_late_before_the_first_figure_came_in_and_everybody_after(push, daemon):
    daemon.judge()
    assert daemon.snapshot.judged[0].verdicts.owed.tolist() == [8, 8, 8]
    assert daemon.snapshot.alerts == ()
    push(figure(400, "2025-05"))
    daemon.judge()
    assert {alert.alert.identity[:2] for alert in daemon.snapshot.alerts} >= {("town", "jobs")}
    assert {alert.alert.identity.book for alert in daemon.snapshot.alerts} == {"town"}


def test_it_is_never_asked(daemon):
    taken = daemon.pull(daemon.force.feeds["town/desk"])
    assert (taken.reason, "push only" in taken.detail) == ("misconfigured", True)
