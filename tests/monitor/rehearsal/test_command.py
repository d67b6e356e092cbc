"""The command as people and scripts use it: a real book, real figures, no daemon."""

import json
import re

import pytest
from defusedxml.ElementTree import fromstring

from tests.monitor.cli.shell import typed
from tests.monitor.rehearsal.builders import RETAIL, a_retail_book


@pytest.fixture
def rehearse(tmp_path, monkeypatch):
    """Runs the command over the years 2017 and 2018 of the retail book."""
    (tmp_path / "books").mkdir()
    a_retail_book(tmp_path / "books" / "retail")
    (tmp_path / "duban.yaml").write_text(
        json.dumps(
            {
                "books": str(tmp_path / "books"),
                "database": f"sqlite:///{tmp_path}/duban.db",
                "channels": {"robot": {"kind": "folder", "path": str(tmp_path / "out")}},
            }
        )
    )
    monkeypatch.setenv("DUBAN_CONFIG", str(tmp_path / "duban.yaml"))

    def run(*options):
        years = ("--figures", str(RETAIL), "--from", "2017", "--to", "2018")
        return typed("rehearse", "retail-2018", *years, *options)

    run.folder = tmp_path
    return run


def test_a_script_reads_what_a_person_sees(rehearse):
    seen = rehearse().stdout
    found = json.loads(rehearse("--json").stdout)
    assert (found["years"], found["deemed"], found["refused"]) == ([2017, 2018], 96, 0)
    metrics = found["metrics"]
    assert metrics["alerts"] == sum(one["alerts"] for one in found["targets"]) > 0
    assert metrics["messages"] == sum(one["messages"] for one in found["receivers"]) > metrics["alerts"]
    assert f"预警 {metrics['alerts']:g} 项" in seen
    assert "服装零售额" in seen
    assert "按报送期限视为已知" in seen
    assert not list(rehearse.folder.glob("out/*")), "nothing goes out"


def test_two_books_are_held_against_each_other(rehearse):
    a_retail_book(rehearse.folder / "old", yellow="behind 5%")
    found = json.loads(rehearse("--against", str(rehearse.folder / "old"), "--json").stdout)
    old, new = found["against"]["metrics"], found["metrics"]
    assert new["alerts"] - old["alerts"] == len(found["against"]["added"]) - len(found["against"]["gone"])
    assert found["against"]["added"]
    assert "只有本册预警" in rehearse("--against", str(rehearse.folder / "old")).stdout
    same = json.loads(rehearse("--against", str(rehearse.folder / "books" / "retail"), "--json").stdout)
    assert (same["against"]["added"], same["against"]["gone"]) == ([], [])
    assert same["against"]["metrics"] == same["metrics"]


def test_a_sweep_names_the_threshold_that_keeps_to_the_budget(rehearse):
    a_retail_book(rehearse.folder / "books" / "retail", red="never")
    budget = json.loads(rehearse("--json").stdout)["metrics"]["messages_per_week"] * 0.95
    found = json.loads(rehearse("--sweep", "yellow.behind=1..12", "--budget", str(budget), "--json").stdout)["sweep"]
    assert [point["value"] for point in found["points"]] == list(range(1, 13))
    named = found["named"]
    assert named["messages_per_week"] <= budget
    level = named["rule"].removeprefix("yellow: ")
    a_retail_book(rehearse.folder / "books" / "retail", yellow=level, red="never")
    assert json.loads(rehearse("--json").stdout)["metrics"]["messages_per_week"] == round(named["messages_per_week"], 3)


def test_a_merge_is_stopped_by_the_condition_that_holds(rehearse):
    found = rehearse("--fail-if", "messages_per_week>1000", "--fail-if", "alerts >= 1")
    assert found.returncode == 3
    assert "未通过：alerts >= 1" in found.stdout
    assert rehearse("--fail-if", "messages_per_week>1000").returncode == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--fail-if", "messages>"), "bad condition"),
        (("--fail-if", "mesages>5"), "unknown metric"),
        (("--budget", "5"), "budget without sweep"),
        (("--from", "1999", "--to", "2000"), "no figures"),
        (("--from", "soon"), "bad period"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_cure(rehearse, options, said):
    found = rehearse(*options)
    assert found.returncode == 1
    assert said in found.stderr


def test_a_file_without_a_series_of_the_book_is_refused(rehearse):
    path = rehearse.folder / "other.csv"
    for text, said in (
        ("month,x\n2018-01,1\n", "unknown series"),
        ("a,b\n1,2\n", "missing column"),
        ("month,服装零售额\n2018-01,1\n2018-02,x\n", "csv:3: 服装零售额: 'x' 不是数 (not a number)"),
        ("month,服装零售额\n2018年1月,1\n", "csv:2: 看不懂的月份 '2018年1月' (bad month)"),
        ("", "empty file"),
        ("month,服装零售额\n".encode("gbk"), "not utf-8"),
    ):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        found = rehearse("--figures", str(path))
        assert found.returncode == 1
        assert said in found.stderr


def test_a_book_with_a_task_that_has_no_figures_is_rehearsed(rehearse):
    written = rehearse.folder / "books" / "retail" / "book.yaml"
    task = {"item": 1, "text": "建成商圈。", "lead": "商务局"}
    written.write_text(json.dumps({**json.loads(written.read_text("utf-8")), "items": [task]}), encoding="utf-8")
    found = {one["target"]: one for one in json.loads(rehearse("--json").stdout)["targets"]}
    assert found["task-01"]["overdue"] == 2, "once a year"


def test_the_page_stands_alone_and_its_pictures_are_well_formed(rehearse):
    path = rehearse.folder / "out" / "rehearsal.html"
    a_retail_book(rehearse.folder / "old", yellow="behind 5%")
    rehearse("--html", str(path), "--sweep", "yellow.behind=1..6", "--against", str(rehearse.folder / "old"))
    page = path.read_text("utf-8")
    pictures = [fromstring(one) for one in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]
    assert len(pictures) == 3
    assert all(picture.find("{*}title").text for picture in pictures)
    assert not re.search(r"(?:src|href)=", page)
    assert "<td>yellow: behind 1%</td>" in page  # the numbers of the sweep under its picture
    assert "灰色为数据催报" in page
    assert {"每周消息", "预警起止", "逐一试调", "与另一册相比"} <= set(re.findall(r"<h2>(.*?)</h2>", page))
