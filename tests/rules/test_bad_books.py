"""A bad book says where, what and how to mend it, all of it at once, and nothing of it is in force."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rules.document import Invalid
from rules.loader import load_book, load_books
from tests.rules.builders import a_book

GOOD = """\
book: b
title: 方案
year: 2025
items:
  - item: 1
    text: 城镇新增就业4500人以上。
    lead: 人力社保局
targets:
  - id: jobs
    item: 1
    name: 城镇新增就业
    goal: at least 4500 人
    measure: cumulative
"""

Errors = Callable[..., list[str]]


@pytest.fixture
def errors(tmp_path: Path) -> Errors:
    """The errors of a book made of these files, each without its folder."""

    def found(**files: str | bytes) -> list[str]:
        for name, text in files.items():
            path = tmp_path / name.replace("_", ".")
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(Invalid) as refusal:
            load_book(tmp_path)
        return [error.replace(f"{tmp_path}/", "") for error in refusal.value.errors]

    return found


def test_the_book_that_the_bad_ones_are_made_from_is_good(tmp_path: Path) -> None:
    (tmp_path / "book.yaml").write_text(GOOD)
    assert [target.id for target in load_book(tmp_path).targets] == ["jobs"]


@pytest.mark.parametrize(
    ("was", "now", "line", "says"),
    [
        ("    goal: at", "    gaol: at", 12, "未知的键 'gaol' (unknown key); 是否应为 'goal'?"),
        ("measure: cumulative", "measure: cumulative\n    xyzzy: 1", 14, "未知的键 'xyzzy' (unknown key)"),
        ("year: 2025", "year: 2025\nyear: 2026", 4, "键 'year' 重复 (duplicate key)"),
        ("    goal: at", "    name: 别名\n    goal: at", 12, "键 'name' 重复 (duplicate key)"),
        ("4500 人\n", "4500 亿圆\n", 12, "未知的计量单位 '亿圆' (unknown unit)"),
        (
            "at least 4500 人\n",
            "“at least 4500 人”\n",
            12,
            "goal: “at least 4500 人”: 首尾是中文引号 (Chinese quotation mark)",
        ),
        ("    name: 城镇", "    name: “城镇", 11, "name: “城镇新增就业 的中文引号不成对 (unpaired quotation mark)"),
        ("    name: 城镇新增就业", '    name: "城镇新增就业”', 11, "引号是中文的；请改用半角引号，首尾一致"),
        (
            "year: 2025",
            "cases: []\nyear: 2025",
            3,
            "这是测试，不是目标册 (case file)；请移到册的文件夹之下的 tests 文件夹",
        ),
        ("at least 4500 人\n", "4500 人以上\n", 12, "看不懂的目标 '4500 人以上' (bad goal); 应如 at least 4500 人"),
        ("at least 4500 人\n", "at least 4500\n", 12, "'4500' 应为数值加计量单位，如 4500 人"),
        ("at least 4500 人\n", "4500\n", 12, "goal: 看不懂的目标 '4500' (bad goal)"),
        ("    goal: at least 4500 人\n", "", 9, "缺少必填项 'goal' (missing key)"),
        ("    lead: 人力社保局", "    lead: ''", 5, "第 1 项缺少牵头单位 lead (missing key)"),
        ("at least 4500 人\n", "at least 2.6\n", 12, "'2.6' 应为数值加计量单位，如 4500 人"),
        ("    lead: 人力社保局", "    lead:", 7, "lead: 没有写值 (missing value)"),
        (
            "title: 方案",
            "levels: {yellow: behind 5%, published: 5 days after period}",
            2,
            "键 'published' 不能写在此处",
        ),
        ("measure: cum", "levels: {yellow: behind 1 天}\n    measure: cum", 13, "yellow: "),
        ("    item: 1\n    name", "    name", 9, "缺少牵头单位 lead (missing key)"),
        ("    item: 1\n    name", "    item: 7\n    lead: 甲\n    name", 10, "册内没有第 7 项 (unknown item)"),
        ("name: 城镇", "words: 就业5000人\n    name: 城镇", 11, "第 1 项原文中没有“就业5000人” (words not found)"),
        ("measure: cum", "source: filing\n    measure: cum", 13, "没有名为 'filing' 的来源 (unknown source)"),
        ("measure: cumulative", "measure: cumulated", 13, "measure: 不认识 'cumulated' (unknown value); 可用: 'cumu"),
        ("measure: cumulative", "measure: cumulative\n    every: week", 14, "every: 不认识 'week' (unknown value)"),
        ("measure: cumulative", "measure: growth", 12, "growth 的计量单位应为 %，而不是 人 (unit mismatch)"),
        ("measure: cumulative", "measure: milestone", 12, "节点任务应写 measure: milestone 和 goal: done by 日期"),
        ("at least 4500 人\n", "done by 2025-09-30\n", 12, "二者缺一不可 (milestone)"),
        ("measure: cumulative", "measure: rank", 12, "rank 的目标应写 at most (direction)"),
        ("measure: cumulative", "measure: floor\n    goal: at most 3 人", 14, "键 'goal' 重复 (duplicate key)"),
        (
            "measure: cumulative",
            "measure: cumulative\n    counts: at most 100",
            14,
            "counts: 只用于 measure: good-days",
        ),
        ("id: jobs", "id: 就业", 9, "id: '就业' 写法不对 (bad pattern); 应为小写字母、数字"),
        ("year: 2025", "year: twenty", 3, "year: 值 'twenty' 应为整数 (not an integer)"),
        ("year: 2025", "year: 20255", 3, "year: 值 20255 应不大于 2100 (out of bounds)"),
        ("year: 2025", "timezone: Asia", 3, "timezone: 未知的时区 'Asia', 应如 Asia/Shanghai"),
        ("title: 方案", "title: 方案\n\tx: 1", 3, "(yaml syntax): 缩进里有制表符或全角空格；请改用半角空格"),
        ("    goal: at", "　　goal: at", 12, "(yaml syntax): 缩进里有制表符或全角空格"),
        ("    goal: at", "    goal：at", 12, "(yaml syntax): 键之后的冒号是全角的；请改为半角冒号加空格"),
        ("    goal: at", "    goal:at", 12, "(yaml syntax): 冒号之后没有空格"),
        ("title: 方案", "levels: {yellow: behind 5%，red: never}", 2, "花括号内有全角的逗号或冒号"),
        ("title: 方案", "title: '方案", 2, "YAML 语法错误 (yaml syntax): 引号没有配对"),
        ("    lead: 人力社保局", "    lead: *人力社保局", 7, "开头的值请加引号"),
        ("items:", "说明一句\nitems:", 4, "这一行缺少冒号加空格"),
        ("title: 方案", 'title: "方\x07案"', 2, "含有控制字符 (control character)"),
        ("    lead: 人", "    leed: 人", 7, "未知的键 'leed' (unknown key); 是否应为 'lead'?"),
        ("title: 方案", "measures: {groth: {yellow: behind 1 points}}", 2, "groth: 不认识 'groth' (unknown value)"),
        ("title: 方案", "levels: {yellow: [behind 5%, soon]}", 2, "yellow: 看不懂的阈值 'soon'"),
        ("title: 方案", "levels: {not before: soon}", 2, "not before: 'soon' 应为全年时间的百分数，如 25%"),
        ("title: 方案", "levels: {not befor: 25%}", 2, "未知的键 'not befor' (unknown key); 是否应为 'not before'?"),
        ("title: 方案", "published: soon", 2, "看不懂的发布规则 'soon' (bad published)"),
        ("title: 方案", "sources: {a: {schedule: every day}}", 2, "缺少必填项 'connector' (missing key)"),
        ("title: 方案", "title: 方案\nsubjects: none.csv", 3, "读不了对象表"),
    ],
)
def test_a_mistake_is_found_at_its_line(errors: Errors, was: str, now: str, line: int, says: str) -> None:
    assert GOOD.count(was) == 1
    found = errors(book_yaml=GOOD.replace(was, now))
    assert any(error.startswith(f"book.yaml:{line}: ") and says in error for error in found), found


_JOBS = "    goal: at least 4500 人\n    measure: cumulative\n"


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (
            "goal: at least 5 %, measure: growth, levels: {yellow: behind 5%}",
            "growth 不按比例比较，请写 behind 5 points",
        ),
        (
            "goal: at least 5 亩, measure: floor, levels: {red: behind 2 points}",
            "以亩计的指标没有百分点，请写 behind 2 亩",
        ),
        (
            "goal: at least 5 亿元, measure: cumulative, levels: {red: behind 3 天}",
            "阈值单位 天 与目标单位 亿元 不能换算",
        ),
        ("goal: done by 2024-12-31, measure: milestone", "日期 2024-12-31 不在 2025 年内 (wrong year)"),
        (
            "goal: at least 5 %, measure: growth, every: quarter, published: 'on 2025-04-16, 2025-07-15'",
            "应列4个发布日期，每期一个，而不是2个 (wrong count)",
        ),
        (
            "goal: at least 5 %, measure: growth, every: half, published: 'on 2025-01-17, 2025-07-15'",
            "2025年上半年的发布日期 2025-01-17 应在期末之后一年以内 (wrong date)；请核对是否错了一期或一年",
        ),
        (
            "goal: at least 5 %, measure: growth, every: year, published: 'on 2027-01-17'",
            "2025年的发布日期 2027-01-17 应在期末之后一年以内",
        ),
        (
            "goal: at least 5 %, measure: growth, every: quarter, published: '9 days after period, January with February'",
            "January with February 只用于 every: month，而不是 quarter",
        ),
        ("goal: done by 2025-12-31, measure: milestone, every: month", "节点任务应写 every: year"),
        (
            "goal: at least 5 %, measure: growth, levels: {red: period below 80%}",
            "当期任务只用于逐期推进、越多越好的指标 ('period below 80%')",
        ),
        ("goal: at least 5 个, measure: level, levels: {red: period below 80%}", "当期任务只用于逐期推进"),
        ("goal: at most 5 个, measure: cumulative, levels: {red: period below 80%}", "当期任务只用于逐期推进"),
        ("goal: at least 5 %, measure: growth, levels: {red: behind 5% with outlook}", "with outlook 只用于"),
        (
            "goal: at least 5 个, measure: level, every: year, levels: {red: behind 5% with outlook}",
            "with outlook 只用于",
        ),
        ("goal: at least 5 个, measure: cumulative, levels: {red: late 30 days}", "late 只用于分阶段的节点任务"),
        ("goal: at least 5 个, measure: cumulative, levels: {red: behind average}", "只用于有对象表 subjects 的册"),
        ("goal: 开工 by 2025-03-31, measure: cumulative", "节点任务应写 measure: milestone"),
        ("goal: 开工 by 2024-03-31, measure: milestone", "日期 2024-03-31 不在 2025 年内"),
        ("goal: 开工 by 2025-03-31, measure: milestone, expect: linear", "以各阶段的日期为曲线，不另写 expect"),
        (
            "goal: at least 5 个, measure: cumulative, levels: {yellow: [behind 5%, behind 3 天]}",
            "yellow: 阈值单位 天 与目标单位 个 不能换算 ('behind 3 天')",
        ),
        ("goal: at least 5 天, measure: good-days, counts: at most 100", "逐日计数应写 every: day"),
        ("goal: at least 3 起, measure: zero", "zero 的目标应写 at most (direction)"),
        ("goal: at most 3 亩, measure: floor", "floor 的目标应写 at least (direction)"),
        ("goal: at least 3 %, measure: ceiling", "ceiling 的目标应写 at most (direction)"),
        (
            "goal: at most 3 个, measure: cumulative, expect: 'checkpoints {2025-12-31: 100%}'",
            "checkpoints 只用于越多越好的目标",
        ),
        (
            "goal: at least 3 个, measure: cumulative, expect: 'checkpoints {2024-06-30: 40%, 2025-12-31: 100%}'",
            "日期 2024-06-30 不在 2025 年内 (wrong year)",
        ),
    ],
)
def test_what_does_not_go_together_in_one_target_is_refused_with_its_cure(
    errors: Errors, target: str, says: str
) -> None:
    (found,) = errors(book_yaml=f"{GOOD}  - {{id: other, name: 其他, lead: 甲, {target}}}\n")
    assert found.startswith("book.yaml:14: ")
    assert says in found


def test_two_targets_of_one_id_are_refused_with_both_places(errors: Errors) -> None:
    (found,) = errors(book_yaml=f"{GOOD}  - id: jobs\n    lead: 甲\n    name: 重名\n{_JOBS}")
    assert re.fullmatch(r"book\.yaml:14: 目标编号 'jobs' 与 \S*book\.yaml:9 重复 \(duplicate id\)", found)


def test_a_day_that_is_both_off_and_worked_is_refused(errors: Errors) -> None:
    (found,) = errors(book_yaml=f"{GOOD}holidays: [2027-01-01]\nworkdays: [2027-01-03, 2027-01-01]\n")
    assert found.startswith("book.yaml:15: 2027-01-01 既是 holidays 又是 workdays (both off and worked)")


def test_a_holiday_that_is_no_day_is_refused(errors: Errors) -> None:
    assert errors(book_yaml=f"{GOOD}holidays: [2027-02-29]\n") == [
        "book.yaml:14: holidays: '2027-02-29' 不是日期，应如 2025-09-30"
    ]


def test_two_items_of_one_number_are_refused(errors: Errors) -> None:
    assert errors(book_yaml=GOOD, more_yaml="items:\n  - {item: 1, text: 又一项, lead: 甲}\n") == [
        "more.yaml:2: 第 1 项重复 (duplicate item)"
    ]


def test_a_key_written_in_two_files_is_refused_with_both_places(errors: Errors) -> None:
    (found,) = errors(book_yaml=GOOD, more_yaml="supervisor: 督查办\nyear: 2026\n")
    assert re.fullmatch(r"more\.yaml:2: 键 'year' 已写在 \S*book\.yaml:3 \(duplicate key\); 一册只能写一次", found)


def test_an_unknown_source_is_answered_with_the_nearest_name(errors: Errors) -> None:
    sources = "source: filing\nsources:\n  filings: {connector: table_file}\n"
    (found,) = errors(book_yaml=GOOD + sources)
    assert found == "book.yaml:14: source: 没有名为 'filing' 的来源 (unknown source); 是否应为 'filings'?"


def test_what_many_targets_inherit_is_refused_once_where_it_is_written(errors: Errors) -> None:
    other = "  - {id: other, item: 1, name: 其他, goal: at least 1 个, measure: level}\n"
    (found,) = errors(book_yaml=GOOD + other + "source: filing\n")
    assert found.startswith("book.yaml:15: source: 没有名为 'filing' 的来源 (unknown source)")


def test_a_file_in_gbk_is_refused_with_the_line_and_the_cure(errors: Errors) -> None:
    assert errors(book_yaml=GOOD.encode("gb18030")) == ["book.yaml:2: 不是 UTF-8 编码 (not utf-8); 请另存为 UTF-8"]


def test_a_list_where_the_keys_belong_is_refused(errors: Errors) -> None:
    assert errors(book_yaml="- book: b\n") == ["book.yaml:1: 文件顶层应为 '键: 值' (mapping expected)"]


@pytest.mark.parametrize("text", ["", "targets: []\n", "# nothing\n"])
def test_a_book_without_name_title_and_year_says_which_are_missing(errors: Errors, text: str) -> None:
    (found,) = errors(book_yaml=text)
    assert "缺少必填项 book、title、year (missing key)" in found


def test_a_book_without_targets_says_so(errors: Errors) -> None:
    (found,) = errors(book_yaml="book: b\ntitle: t\nyear: 2025\n")
    assert "册内没有目标 (no targets)" in found


def test_all_mistakes_of_all_files_are_reported_at_once(errors: Errors) -> None:
    found = errors(
        book_yaml=GOOD.replace("4500 人\n", "4500 亿圆\n").replace("year: 2025", "yaer: 2025"), more_yaml="a: ["
    )
    assert [error.split(": ")[0] for error in found] == ["book.yaml:12", "book.yaml:3", "more.yaml:1"]


def test_all_objections_to_all_targets_are_reported_at_once(errors: Errors) -> None:
    book = GOOD.replace("measure: cumulative", "measure: cumulative\n    source: none\n    words: 无此语")
    found = errors(book_yaml=f"{book}  - {{id: other, name: 其他, goal: at least 1 个, measure: level}}\n")
    assert [error.split(": ")[0] for error in found] == ["book.yaml:15", "book.yaml:14", "book.yaml:16"]


def test_a_subject_whose_range_would_be_empty_is_refused() -> None:
    target = {"goal": "between 7.5 and 8 %", "measure": "growth"}
    assert a_book(target, subjects="subject,target,goal\n甲,t0,7\n乙,t0,\n").subjects == ("甲", "乙")
    with pytest.raises(Invalid, match=r":3: goal: 't0' 的上限为8"):
        a_book(target, subjects="subject,target,goal\n甲,t0,7\n乙,t0,9\n")


def test_a_subject_goes_through_all_stages_or_none(errors: Errors) -> None:
    plant = (
        "  - {id: plant, name: 项目, lead: 甲, measure: milestone, goal: '签约 by 2025-03-31, 开工 by 2025-06-30'}\n"
    )
    table = "subject,target,goal\n甲,plant,2\n乙,plant,\n丙,plant,1\n"
    (found,) = errors(book_yaml=f"{GOOD}{plant}subjects: s.csv\n", s_csv=table)
    assert found == "s.csv:4: goal: 'plant' 共2个阶段，只能写此数或留空 (stages)"


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("subject,goal\n甲,1\n", ["s.csv:1: 缺少列 target (missing column)"]),
        ("subject,target,goal\n", ["s.csv:1: 对象表没有数据行 (empty table)"]),
        ("subject,target,goal\n甲,jobs,1\n\n,jobs,2\n", ["s.csv:4: subject 不得为空 (missing cell)"]),
        (
            "subject,target,goal\n甲,job,1\n",
            ["s.csv:2: 没有目标 'job' (unknown target); 是否应为 'jobs'?"],
        ),
        (
            "subject,target,goal\n甲,jobs,很多\n乙,jobs,inf\n",
            [
                "s.csv:2: goal: '很多' 不是数值 (not a number); 单位随目标，只写半角的数，不加千分位",
                "s.csv:3: goal: 'inf' 不是数值 (not a number); 单位随目标，只写半角的数，不加千分位",
            ],
        ),
        (
            "subject,target,goal\n甲,jobs,１３００\n",
            ["s.csv:2: goal: '１３００' 不是数值 (not a number); 单位随目标，只写半角的数，不加千分位"],
        ),
        ("subject,target,goal\n甲,jobs,1\n甲,jobs,2\n", ["s.csv:3: '甲' 的 'jobs' 重复 (duplicate row)"]),
    ],
)
def test_a_bad_table_of_subjects_says_which_line(errors: Errors, table: str, found: list[str]) -> None:
    assert errors(book_yaml=f"{GOOD}subjects: s.csv\n", s_csv=table) == found


@pytest.mark.parametrize("table", ["", "甲\n".encode("gb18030"), 'subject,target,goal\n"甲'])
def test_a_table_of_subjects_that_cannot_be_read_is_refused_where_it_is_named(errors: Errors, table: str) -> None:
    (found,) = errors(book_yaml=f"{GOOD}subjects: s.csv\n", s_csv=table)
    assert found.startswith("book.yaml:14: 读不了对象表")


def test_a_folder_without_books_says_how_to_make_one(tmp_path: Path) -> None:
    books, errors = load_books(tmp_path)
    assert books == ()
    assert errors == (f"{tmp_path}: 没有目标册 (no books); 每册一个子目录，内放 *.yaml",)


def test_of_two_books_of_one_name_the_second_is_refused(tmp_path: Path) -> None:
    for name in ("a", "z"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "book.yaml").write_text(GOOD)
    books, errors = load_books(tmp_path)
    assert [book.folder.name for book in books] == ["a"]
    assert errors == (f"{tmp_path}/z: 册号 'b' 与 {tmp_path}/a 重复 (duplicate book)",)


def test_a_bad_book_stays_out_whole_and_the_others_go_on(tmp_path: Path) -> None:
    for name, text in {"bad": GOOD.replace("year:", "yaer:"), "good": GOOD, "worse": "- 1\n"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "book.yaml").write_text(text)
    books, errors = load_books(tmp_path)
    assert [book.folder.name for book in books] == ["good"]
    assert [error.split(": ")[0] for error in errors] == [
        f"{tmp_path}/bad/book.yaml:3",
        f"{tmp_path}/worse/book.yaml:1",
    ]


def test_a_date_in_the_words_of_a_book_stays_text(tmp_path: Path) -> None:
    (tmp_path / "book.yaml").write_text(GOOD.replace("title: 方案", "title: 2025-13-45"))
    assert load_book(tmp_path).title == "2025-13-45"


def test_full_width_digits_and_signs_of_a_phrase_are_read_as_half_width(tmp_path: Path) -> None:
    half = GOOD + "    levels: {yellow: behind 5%, red: behind 15% for 2, not before: 25%}\n"
    wide = half.replace("at least 4500 人", "at least　４５００　人").replace("5%", "５％").replace("for 2", "for ２")
    books = []
    for name, text in (("half", half), ("wide", wide)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "book.yaml").write_text(text)
        (target,) = load_book(tmp_path / name).targets
        books.append((target.goal, target.levels))
    assert wide.count("５％") == 3
    assert books[0] == books[1]
