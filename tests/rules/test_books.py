"""The shipped books load, and the plan of Wansheng is in them word for word; what a target does not say, it inherits."""

import json
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from rules.calendar import Every
from rules.loader import load_books
from rules.schema import json_schema
from rules.target import Book, Expect, Levels, Measure, Op, Shape
from tests.rules.builders import a_book, a_target

BOOKS = Path(__file__).parents[2] / "rules" / "books"


@pytest.fixture(scope="module")
def books() -> dict[str, Book]:
    library = load_books(BOOKS)
    assert library.errors == ()
    return {book.id: book for book in library.books}


@pytest.fixture(scope="module")
def wansheng(books: dict[str, Book]) -> Book:
    return books["wansheng-2025"]


def test_the_three_shipped_books_load(books: dict[str, Book]) -> None:
    assert set(books) == {"chongqing-air-2025", "national-2025", "wansheng-2025"}


def test_the_plan_has_its_65_items_in_order(wansheng: Book) -> None:
    assert [item.item for item in wansheng.items] == list(range(1, 66))
    assert all(item.text and item.section and item.lead for item in wansheng.items)


def test_every_target_quotes_its_item_letter_for_letter(wansheng: Book) -> None:
    measured = [target for target in wansheng.targets if target.measure is not Measure.MILESTONE]
    assert len(measured) == 78
    for target in measured:
        item = wansheng.item(target.item)
        assert item is not None
        assert target.words
        assert target.words in item.text


def test_items_40_and_50_have_seven_targets_each(wansheng: Book) -> None:
    targets = Counter(target.item for target in wansheng.targets)
    assert (targets[40], targets[50]) == (7, 7)


def test_every_item_is_in_view_as_a_target_or_as_a_task(wansheng: Book) -> None:
    assert {target.item for target in wansheng.targets} == set(range(1, 66))
    tasks = [target for target in wansheng.targets if target.measure is Measure.MILESTONE]
    assert {task.item for task in tasks}.isdisjoint(t.item for t in wansheng.targets if t not in tasks)
    for task in tasks:
        assert task.id == f"task-{task.item:02d}"
        assert task.goal.by == date(2025, 12, 31)
        assert task.name


def test_lead_and_responsible_units_come_from_the_item(wansheng: Book) -> None:
    (jobs,) = (target for target in wansheng.targets if target.id == "urban-jobs")
    assert jobs.lead == ("人力社保局",)
    assert jobs.responsible == ("相关部门", "镇街")
    for target in wansheng.targets:
        item = wansheng.item(target.item)
        assert item is not None
        assert (target.lead, target.responsible) == (item.lead, item.responsible)


def test_the_figures_of_wansheng_are_marked_as_invented(wansheng: Book) -> None:
    measured = [target for target in wansheng.targets if target.source is not None]
    assert len(measured) == 78
    assert {wansheng.mark(target) for target in measured} == {"演示数据"}


def test_the_directions_of_the_plan_are_kept(wansheng: Book) -> None:
    goals = {target.id: target.goal for target in wansheng.targets}
    assert (goals["urban-jobs"].op, goals["urban-jobs"].value, goals["urban-jobs"].unit) == (Op.AT_LEAST, 4500, "人")
    assert (goals["foreign-trade"].op, goals["foreign-trade"].value) == (Op.MORE_THAN, 4.5)
    assert (goals["urban-unemployment"].op, goals["urban-unemployment"].value) == (Op.AT_MOST, 5.5)
    assert (goals["water-class"].op, goals["water-class"].text) == (Op.AT_MOST, "达到或优于Ⅲ类")
    assert (goals["serious-accidents"].op, goals["serious-accidents"].value) == (Op.AT_MOST, 0)


@pytest.mark.parametrize(
    ("measure", "goal", "levels", "shape"),
    [
        ("cumulative", "at least 9 个", ("behind 5%", "behind 15%"), Shape.LINEAR),
        ("level", "at least 9 个", ("behind 5%", "behind 15%"), Shape.HOLD),
        ("reduction", "at least 9 %", ("behind 5%", "behind 15%"), Shape.LINEAR),
        ("good-days", "at least 9 天", ("behind 5%", "behind 15%"), Shape.LINEAR),
        ("growth", "at least 9 %", ("behind 0 points", "behind 1 points"), Shape.HOLD),
        ("share", "at least 9 %", ("behind 0 points", "behind 1 points"), Shape.HOLD),
        ("rank", "at most 3 位", ("any breach", None), Shape.HOLD),
        ("floor", "at least 9 亩", (None, "any breach"), Shape.HOLD),
        ("ceiling", "at most 9 %", (None, "any breach"), Shape.HOLD),
        ("class", "at most Ⅲ类", (None, "any breach"), Shape.HOLD),
        ("zero", "at most 0 起", (None, "any breach"), Shape.HOLD),
        ("milestone", "done by 2025-09-30", (None, "any breach"), Shape.HOLD),
        ("milestone", "开工 by 2025-03-31, 投产 by 2025-09-30", (None, "any breach"), Shape.STAGES),
    ],
)
def test_a_measure_brings_its_own_thresholds_and_curve(
    measure: str, goal: str, levels: tuple[str | None, str | None], shape: Shape
) -> None:
    target = a_target(measure=measure, goal=goal)
    assert _texts(target.levels) == levels
    assert target.expect.shape is shape


def _texts(levels: Levels) -> tuple[str | None, ...]:
    return tuple(" or ".join(threshold.text for threshold in level) or None for level in (levels.yellow, levels.red))


def test_thresholds_are_inherited_from_the_most_specific_place_that_speaks() -> None:
    book = a_book(
        {"levels": {"yellow": "behind 1%"}},
        {},
        {"measure": "growth", "goal": "at least 5 %"},
        {"measure": "level"},
        {"measure": "level", "levels": {"red": "behind 40%"}},
        {"levels": {"yellow": ["behind 1%", "period below 80%"], "red": "never"}},
        levels={"yellow": "behind 2%", "red": "behind 20%"},
        measures={"level": {"red": "behind 30%"}},
    )
    assert [_texts(target.levels) for target in book.targets] == [
        ("behind 1%", "behind 20%"),
        ("behind 2%", "behind 20%"),
        ("behind 0 points", "behind 1 points"),  # the general levels of a book are for progress measures
        ("behind 2%", "behind 30%"),
        ("behind 2%", "behind 40%"),
        ("behind 1% or period below 80%", None),
    ]


def test_frequency_publication_and_source_are_inherited_from_the_book() -> None:
    source = {"filings": {"connector": "table_file", "path": "a.csv", "mark": "演示数据"}}
    book = a_book(
        {"name": "甲"},
        {"source": {"connector": "filings", "series": "乙数"}, "every": "half", "published": "1 day after period"},
        every="quarter",
        published="5 days after period",
        source="filings",
        sources=source,
    )
    first, second = book.targets
    assert (first.every, first.published.days, first.source, first.series) == (Every.QUARTER, 5, "filings", "甲")
    assert (second.every, second.published.days, second.source, second.series) == (Every.HALF, 1, "filings", "乙数")
    assert book.sources["filings"].options == {"path": "a.csv"}
    assert book.mark(first) == "演示数据"


def test_a_silent_book_is_monthly_in_shanghai_and_supervised_by_the_supervision_office() -> None:
    book = a_book()
    (target,) = book.targets
    assert (book.timezone, book.supervisor, target.every) == ("Asia/Shanghai", "督查办", Every.MONTH)
    assert target.published.workdays == 15
    assert target.expect == Expect(Shape.LINEAR, "linear")


def test_a_milestone_is_yearly_and_due_on_its_own_day() -> None:
    target = a_target(measure="milestone", goal="done by 2025-09-30")
    assert (target.every, target.goal.by, target.goal.value) == (Every.YEAR, date(2025, 9, 30), 100)


def test_an_item_without_a_number_becomes_a_task_named_by_its_first_clause() -> None:
    book = a_book(
        {"item": 1},
        items=[
            {"item": 1, "text": "城镇新增就业4500人以上。", "lead": "人力社保局"},
            {"item": 2, "text": "谋划建设产业园，抓好招商。", "lead": "经济信息局、商务局"},
        ],
    )
    (task,) = (target for target in book.targets if target.item == 2)
    assert (task.id, task.name, task.lead) == ("task-02", "谋划建设产业园", ("经济信息局", "商务局"))
    assert (task.measure, task.goal.text, task.source) == (Measure.MILESTONE, "2025年12月31日前完成", None)


def test_a_table_of_subjects_gives_each_its_own_goal_and_leaves_the_others_without() -> None:
    book = a_book({}, {}, subjects="subject,target,goal\n甲县,t0,10\n乙县,t0,20\n乙县,t1,\n")
    assert book.goals is not None
    assert set(book.subjects) == {"甲县", "乙县"}
    assert book.goals["t0"].to_dict() == {"甲县": 10, "乙县": 20}
    assert book.goals["t1"].isna().all()


def test_places_keep_the_order_of_their_table_which_offices_know_by_heart() -> None:
    book = a_book({}, {}, subjects="subject,target,goal\n万州区,t0,10\n万州区,t1,1\n涪陵区,t0,20\n丙县,t0,3\n")
    assert book.subjects == ("万州区", "涪陵区", "丙县")
    assert book.goals is not None
    assert book.goals["t0"].tolist() == [10, 20, 3]


def test_the_schema_for_editors_knows_every_key_of_a_target() -> None:
    target = json_schema()["$defs"]["TargetSpec"]
    assert set(target["required"]) == {"id", "name", "goal", "measure"}
    assert target["additionalProperties"] is False


def test_the_schema_for_editors_is_the_one_the_loader_uses() -> None:
    written = json.loads((BOOKS / "books.schema.json").read_text("utf-8"))
    assert written == json_schema(), "run: duban schema > rules/books/books.schema.json"
