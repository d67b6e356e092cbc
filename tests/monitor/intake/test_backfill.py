"""``duban pull``: one source, now, from a real server, stored period by period."""

import json
import re

import pytest
from werkzeug import Request, Response

from monitor.app import open_store
from monitor.force import read
from monitor.store.leader import leadership
from tests.monitor.cli.shell import typed

BOOK = """\
book: b
title: 方案
year: 2025
targets:
  - {{id: jobs, name: 就业, lead: 人力社保局, goal: at least 4500 人, measure: cumulative, source: api}}
sources:
  api:
    connector: http_json
    url: {url}
    query: {{month: "{{period:%Y-%m}}"}}
    rows: rows
    fields: {{series: s, period: p, value: v, unit: u}}
    retries: 0
  whole: {{connector: table_file, path: t.csv, columns: {{series: 指标, period: 期间, value: 数值, unit: 单位}}}}
  desk: {{connector: push, token_env: DESK}}
"""


@pytest.fixture
def asked():
    return []


@pytest.fixture
def duban(tmp_path, httpserver, asked):
    def answer(request: Request) -> Response:
        month = request.args["month"]
        asked.append(month)
        if month == "2024-03":
            return Response("", status=500)
        rows = [{"s": "就业", "p": month, "v": 300 * int(month[-2:]), "u": "人"}]
        return Response(json.dumps({"rows": rows}), mimetype="application/json")

    httpserver.expect_request("/f").respond_with_handler(answer)
    folder = tmp_path / "books" / "b"
    folder.mkdir(parents=True)
    (folder / "book.yaml").write_text(BOOK.format(url=httpserver.url_for("/f")), encoding="utf-8")
    (folder / "t.csv").write_text("指标,期间,数值,单位\n就业,2024-01,1,人\n就业,2025-01,2,人\n", encoding="utf-8")
    (tmp_path / "duban.yaml").write_text(
        f"books: {tmp_path}/books\ndatabase: sqlite:///{tmp_path}/duban.db\narchive: {tmp_path}/archive\n"
        "clock: 2025-03-15T09:00:00+08:00\n",
        encoding="utf-8",
    )

    def run(*words):
        return typed("pull", *words, "--config", str(tmp_path / "duban.yaml"))

    return run


def counts(output):
    return [int(number) for number in re.findall(r"(?:读取|新增|修订|未变|拒收) (\d+)", output)]


def test_history_is_fetched_period_by_period_and_known_figures_are_left_alone(duban, asked):
    done = duban("b/api", "--from", "2023-11", "--to", "2024-02")
    assert done.returncode == 0, done.stderr
    assert asked == ["2023-11", "2023-12", "2024-01", "2024-02"]
    assert counts(done.stdout) == [4, 4, 0, 0, 0]
    assert counts(duban("b/api", "--from", "2024-01", "--to", "2024-02").stdout) == [2, 0, 0, 2, 0]


def test_a_failure_ends_it_with_what_was_stored_and_how_to_go_on(duban):
    done = duban("b/api", "--from", "2024-01", "--to", "2024-12")
    assert done.returncode == 1
    assert counts(done.stdout) == [2, 2, 0, 0, 0]
    assert "bad_answer" in done.stdout
    assert "--from 2024-03-01" in done.stdout


def test_without_a_range_it_asks_what_the_daemon_would(duban, asked):
    done = duban("b/whole")
    assert (done.returncode, counts(done.stdout)) == (0, [2, 2, 0, 0, 0])
    assert counts(duban("b/whole", "--from", "2024", "--to", "2024").stdout) == [1, 0, 0, 1, 0]
    assert asked == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("b/api", "--from", "soon"), "bad period"),
        (("b/api", "--to", "2024-13"), "bad period"),
        (("b/api", "--from", "2026"), "wrong order"),
        (("b/nowhere",), "unknown source"),
        (("b/desk",), "push only"),
    ],
)
def test_a_wrong_call_is_answered_in_words(duban, words, said):
    done = duban(*words)
    assert done.returncode == 1
    assert said in done.stderr


def test_beside_a_running_daemon_it_refuses(duban, asked, tmp_path):
    engine, _ = open_store(read(tmp_path / "duban.yaml").settings)
    with leadership(engine) as leading:
        assert leading
        done = duban("b/api")
    assert done.returncode == 1
    assert "already running" in done.stderr
    assert asked == []
