"""The status page says everything, in words, and lets no name become markup."""

from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from connectors.observation import NIL, PARTIAL
from monitor.snapshot import Judged, Snapshot
from monitor.web.chart import pace_chart
from monitor.web.page import MOST_ROWS, WORST_ROWS, asking, render
from rules.calendar import Every, period_ends
from rules.judging import judge
from rules.loader import load_books
from rules.target import Book, Level
from tests.benchmarks.country import TARGETS, country, figures
from tests.builders import AT, a_snapshot, a_source
from tests.rules.builders import a_book

SEPTEMBER = date(2025, 9, 30)
_VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Elements, ids, links and text of a page; every element must be closed in turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        assert not self._open, f"not closed: {self._open}"
        self.ids = [attributes["id"] for _, attributes in self.tags if "id" in attributes]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def plan() -> Snapshot:
    books, errors = load_books(Path("rules/books"))
    assert not errors
    return a_snapshot(*books)


def red(book: Book | None = None) -> Snapshot:
    book = book or a_book({"id": "jobs", "name": "就业", "goal": "at least 1200 人"})
    return a_snapshot(book, figures={(book.id, "jobs", ""): {SEPTEMBER: 450.0}})


def card(html: str, anchor: str) -> str:
    """The markup of one card."""
    return html.split(f'id="{anchor}"')[1].split("</article>", maxsplit=1)[0]


def test_the_whole_plan_is_on_the_page(plan: Snapshot) -> None:
    page = Page(render(plan))
    wanted = [f"{target.book}/{target.id}" for book in plan.books for target in book.targets]
    assert set(wanted) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    for book in plan.books:
        assert all(item.section in page.text for item in book.items)


def test_the_page_has_no_script_and_fetches_nothing(plan: Snapshot) -> None:
    for tag, attributes in Page(render(plan)).tags:
        assert tag not in ("script", "img", "iframe", "object", "form")
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        for name in ("src", "href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))


def test_links_lead_to_cards(plan: Snapshot) -> None:
    page = Page(render(plan))
    links = [str(attributes["href"]) for tag, attributes in page.tags if tag == "a"]
    assert links
    assert {link.removeprefix("#") for link in links} <= set(page.ids)


def test_a_card_tells_where_the_year_will_land_and_draws_it() -> None:
    book = a_book({"id": "jobs", "name": "就业", "goal": "at least 1200 人", "every": "quarter"})
    past = {
        end.item(): 300.0 * n
        for year in (2022, 2023, 2024)
        for n, end in enumerate(period_ends(year, Every.QUARTER), 1)
    }
    shown = card(render(a_snapshot(book, figures={("b", "jobs", ""): {**past, SEPTEMBER: 850.0}})), "b/jobs")
    assert "预计全年达到" in shown
    assert 'stroke="#b9a6d6"' in shown
    assert "往年数据不足（完整的有0年），暂不预测" in card(render(red()), "b/jobs")


def test_what_is_not_judged_is_never_green(plan: Snapshot) -> None:
    html = render(plan)
    assert "正常</b>" not in html
    assert 'class="level l0"' not in html
    assert "未判定" in card(html, "wansheng-2025/urban-jobs")
    assert "到期无数据，应报2025年9月" in card(html, "wansheng-2025/urban-jobs")


def test_a_target_behind_says_how_far_who_and_since_when() -> None:
    html = render(red())
    shown = card(html, "b/jobs")
    for words in (
        "红色",
        "就业",
        "不低于1200人",
        "450人",
        "2025年9月",
        "900人",
        "比时序进度少450人",
        "人力社保局",
        "<svg",
    ):
        assert words in shown
    assert "进度预警" in html
    assert "10月27日 09:00" in html


def test_a_preliminary_figure_and_a_nil_report_are_told_on_the_card() -> None:
    book = a_book({"id": "jobs", "name": "城镇新增就业", "goal": "at least 4500 人"})
    snapshot = a_snapshot(book, figures={("b", "jobs", ""): {SEPTEMBER: 2000.0}})
    (judged,) = snapshot.judged
    rows, known = np.array([0, 0]), np.full(2, np.datetime64("2025-10-20"), dtype="datetime64[s]")
    judged.panel.put(rows, np.array([8, 9]), np.array([2000.0, np.nan]), known, np.array([PARTIAL, NIL], np.int8))
    text = Page(render(replace(snapshot, judged=(Judged(judged.panel, judge(judged.panel, AT.date())),)))).text
    assert "2025年9月，初步数" in text
    assert "实际2000（初步数）" in text
    assert "2025年10月无报送事项" in text
    assert "少1375人（低于应完成数40.74%），初步数" in text


def test_marks_stand_with_the_book_the_card_and_the_source() -> None:
    marked = a_book(
        {"id": "jobs", "source": "s"},
        sources={"s": {"connector": "table_file", "path": "x.csv", "mark": "演示数据", "schedule": "every 10 minutes"}},
    )
    html = render(a_snapshot(marked, sources=(a_source(mark="演示数据"),)))
    assert html.count('class="mark">演示数据') == 3
    assert "演示数据" in card(html, "b/jobs")


def test_a_hostile_name_stays_text() -> None:
    attack = "<script>alert(1)</script>\"'><b onmouseover=x>&amp;"
    book = a_book({"id": "jobs", "goal": "at least 1200 人"})
    target = replace(book.targets[0], name=attack, lead=(attack,), words=attack)
    html = render(red(replace(book, title=attack, targets=(target,))))
    page = Page(html)
    assert "script" not in {tag for tag, _ in page.tags}
    assert attack in page.text
    assert attack not in html


def test_a_refused_configuration_and_a_false_clock_are_announced() -> None:
    text = Page(render(replace(red(), config_error="b.yaml:3: <坏>", rehearsing=True))).text
    assert "b.yaml:3: <坏>" in text
    assert "演示时钟" in text
    assert "演示时钟" not in render(red())


def test_a_source_shows_how_many_of_its_figures_wait_for_a_decision() -> None:
    html = render(a_snapshot(a_book(), sources=(a_source(rows_refused=7777, quarantined={"jump": 2, "conflict": 3}),)))
    assert 'data-is="待核">5<' in html
    assert "7777" not in html


def test_a_source_shows_when_it_is_asked_next_and_why_figures_were_refused() -> None:
    source = a_source(
        next_pull=AT + timedelta(minutes=10), schedule="工作日09:30", quarantined={"jump": 2, "conflict": 3}
    )
    text = Page(render(a_snapshot(a_book(), sources=(source,)))).text
    assert "10月27日 09:10" in text
    for words in ("工作日09:30", "较前期骤变 2", "同一数据前后不一 3"):
        assert words in text


def test_a_source_that_answers_and_brings_nothing_new_stands_first() -> None:
    dead = a_source(name="dead", stale_periods=2)
    html = render(a_snapshot(a_book(), sources=(a_source(stale_periods=1), dead)))
    assert html.index("dead") < html.index("filings")
    assert html.count("期没有新数据") == 1
    assert "有答复，但已2期没有新数据" in html


def test_a_failed_source_says_why_and_stands_first() -> None:
    dead = a_source(name="dead", reason="timeout", detail="10秒未答", last_success=AT - timedelta(days=2))
    html = render(a_snapshot(a_book(), sources=(a_source(), dead)))
    assert html.index("dead") < html.index("filings")
    assert "超时未答" in html
    assert "10秒未答" in html
    assert "10月25日 09:00" in html


def test_before_the_first_cycle_the_page_says_so() -> None:
    assert "尚未完成首轮判定" in Page(render(None)).text


def test_a_country_is_summed_up() -> None:
    counties = country(10)
    assert 10 * TARGETS > MOST_ROWS
    snapshot = a_snapshot(counties, alerts=())
    (empty,) = snapshot.judged
    panel = figures(empty.panel.block, 9)
    html = render(replace(snapshot, judged=(Judged(panel, judge(panel, date(2025, 11, 10))),)))
    page = Page(html)
    cards = [attributes for tag, attributes in page.tags if tag == "article"]
    assert 0 < len(cards) <= WORST_ROWS
    assert "card e2" in str(cards[0]["class"])
    assert all(target.name in page.text for target in counties.targets)


def test_a_book_over_a_few_places_shows_each() -> None:
    book = a_book({"id": "jobs"}, subjects="subject,target,goal\n甲县,jobs,100\n乙县,jobs,\n")
    html = render(a_snapshot(book))
    assert "尚无目标值" in card(html, "b/jobs/乙县")
    assert "不低于100个" in card(html, "b/jobs/甲县")


@pytest.mark.parametrize("every", [Every.DAY, Every.MONTH, Every.QUARTER, Every.HALF])
def test_a_chart_is_sound_and_says_what_it_shows(every: Every) -> None:
    ends = period_ends(2025, every)
    plan = np.linspace(0, 100, len(ends))
    actual = np.where(np.arange(len(ends)) < len(ends) / 2, plan * 0.9, np.nan)
    drawn = pace_chart(ends, plan, actual, 100.0, date(2025, 8, 1), Level.YELLOW)
    page = Page(drawn)
    assert page.tags[0][0] == "svg"
    assert "目标100" in page.text
    assert "黄色" in page.text
    assert "nan" not in drawn


def test_a_chart_without_figures_or_goal_still_stands() -> None:
    ends = period_ends(2025, Every.MONTH)
    nothing = np.full(12, np.nan)
    drawn = pace_chart(ends, nothing, nothing, float("nan"), date(2030, 1, 1), Level.NOT_JUDGED)
    assert "nan" not in drawn
    assert "目标未定，尚无数据" in Page(drawn).text


def test_a_level_chart_of_equal_values_stays_inside_its_frame() -> None:
    ends = period_ends(2025, Every.QUARTER)
    zero = np.zeros(4)
    drawn = pace_chart(ends, zero, zero, 0.0, date(2025, 8, 1), Level.GREEN)
    assert "inf" not in drawn
    assert "nan" not in drawn


def test_times_are_those_of_the_book() -> None:
    html = render(a_snapshot(a_book(), at=datetime(2025, 10, 27, 18, 30, tzinfo=UTC)))
    assert "2025年10月28日 02:30" in html


def test_goals_that_lean_are_unset_or_were_changed_read_well() -> None:
    change = {"from": "2025-07-01", "goal": "at least 120 个", "why": "区委会议调整"}
    book = a_book(
        {"goal": "none yet"},
        {"goal": "at least the figure of 全市平均增速 + 1 points", "measure": "growth", "source": "filings"},
        {"goal": "at least 100 个", "changes": [change]},
        sources={"filings": {"connector": "table_file"}},
    )
    figures = {("b", f"t{number}", ""): {SEPTEMBER: 5.0} for number in range(3)}
    text = Page(render(a_snapshot(book, figures=figures))).text
    for words in (
        "尚无目标值",
        "不低于全市平均增速加1个百分点",
        "对照数据未到",
        "不低于120个",
        "不低于100个；自2025年7月1日起不低于120个（区委会议调整）",
        "filings: 指标；对照 filings: 全市平均增速",
    ):
        assert words in text, words
    assert "nan" not in render(a_snapshot(book, figures=figures)).lower()


def test_the_page_links_to_dashboards_only_where_there_is_a_grafana():
    html = render(red(), "http://grafana:3000")
    assert '<a href="http://grafana:3000/d/duban-overview">' in html
    assert '<a href="http://grafana:3000/d/duban-target?var-book=b&amp;var-target=jobs">' in html
    assert "仪表盘" not in render(red())
    assert "/d/" not in render(red())


def test_a_card_asks_the_dashboard_for_its_own_subject():
    assert asking("b/jobs/甲区/南") == "var-book=b&var-target=jobs&var-subject=%E7%94%B2%E5%8C%BA%2F%E5%8D%97"
