"""``duban book export``, ``duban book import``: only what was edited in the workbook changes in the book's files."""

import json
import shutil
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.author.book_sheet import ABOUT, HEAD, HIDDEN
from rules.loader import load_book, made, read
from rules.table import tables
from tests.monitor.cli.shell import typed

BOOKS = Path(__file__).parents[3] / "rules" / "books"
BOOK = """\
# The plan of a county.
book: b
title: 方案
year: 2025
source: f
levels: {yellow: behind 5%, red: behind 15%}   # the author's
items:
  - item: 1
    text: 城镇新增就业1200人以上。
    lead: 人力社保局   # as issued
    responsible: 相关部门

targets:

  # ── one ──

  - id: jobs     # the first
    item: 1
    name: 城镇新增就业
    goal: at least 1200 人   # as promised
    measure: cumulative
    levels: {yellow: behind 3%}

  - id: firms
    name: 新增企业
    lead: 甲局
    goal: at least 1200 户
    measure: cumulative
  # the end
sources:
  f: {connector: table_file, path: f.csv, columns: {series: 指标, period: 期间, value: 数值}}
"""
GOALS = "subject,target,goal\n甲县,firms,700\n乙县,firms,\n"


@pytest.fixture
def folder(tmp_path):
    """A folder of one book, with its settings beside."""
    at = tmp_path / "books" / "b"
    at.mkdir(parents=True)
    (at / "book.yaml").write_text(BOOK, encoding="utf-8")
    return at


def with_subjects(folder):
    (folder / "book.yaml").write_text(BOOK + "subjects: goals.csv\n", encoding="utf-8")
    (folder / "goals.csv").write_text(GOALS, encoding="utf-8")


def run(folder, *words, code=0):
    told = {"books": str(folder.parent), "database": f"sqlite:///{folder.parent.parent}/duban.db", "archive": None}
    told["channels"] = {"folder": {"kind": "folder", "path": str(folder.parent.parent / "out")}}
    path = folder.parent.parent / "duban.yaml"
    path.write_text(json.dumps(told), encoding="utf-8")
    done = typed("book", *words, "--config", str(path))
    assert done.returncode == code, f"{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def exported(folder, name="b"):
    file = folder.parent.parent / "表.xlsx"
    file.unlink(missing_ok=True)
    run(folder, "export", file, "--book", name)
    return file


def place(sheet, row, title):
    """The cell of a row, by its first column, under a heading."""
    (column,) = (cell.column for cell in sheet[HEAD] if str(cell.value).split()[0] == title)
    (line,) = (number for number in range(HEAD + 1, sheet.max_row + 1) if sheet.cell(number, 1).value == row)
    return sheet.cell(line, column)


def edit(file, *cells, gone=(), new=()):
    """Edits of (sheet, row, heading, content); rows that go, and rows (sheet, cells by heading) that come."""
    book = openpyxl.load_workbook(file)
    for sheet, row, title, content in cells:
        place(book[sheet], row, title).value = content
    for sheet, row in gone:
        book[sheet].delete_rows(place(book[sheet], row, book[sheet].cell(HEAD, 1).value.split()[0]).row)
    for sheet, row in new:
        line = next(n for n in range(HEAD + 1, 999) if book[sheet].cell(n, 1).value is None)
        for cell in book[sheet][HEAD]:
            book[sheet].cell(line, cell.column).value = row.get(str(cell.value).split()[0])
    book.save(file)
    return file


def brought(folder, file, *words, code=0):
    return run(folder, "import", file, *words, code=code)


SIGNED = ("--write", "--by", "张三", "--why", "调度会意见")


def changed(folder, name="book.yaml", before=BOOK):
    """Lines that went and lines that came."""
    old, new = before.splitlines(), (folder / name).read_text("utf-8").splitlines()
    return [line for line in old if line not in new], [line for line in new if line not in old]


def test_what_is_exported_and_imported_changes_nothing_byte_for_byte(tmp_path):
    shutil.copytree(BOOKS, tmp_path / "books")
    for folder in sorted(path for path in (tmp_path / "books").iterdir() if path.is_dir()):
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        assert brought(folder, exported(folder, folder.name), *SIGNED, "--delete") == "表中没有改动\n"
        assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_an_import_tells_in_words_and_writes_only_on_request(folder):
    file = edit(exported(folder), ("目标", "jobs", "黄色阈值", "behind 4%；period below 80%"))
    told = brought(folder, file)
    assert "黄色阈值由“落后应完成数超过3%”改为“落后应完成数超过4%；或当期完成数低于当期应完成数的80%”" in told
    assert told.endswith("以上尚未写入目标册；确认无误，请加 --write --by 姓名 --why 缘由\n")
    assert changed(folder) == ([], [])
    assert "missing option" in brought(folder, file, "--write", code=1)
    assert "history.yaml" in brought(folder, file, *SIGNED)
    assert changed(folder)[1] == ["    levels: {yellow: [behind 4%, period below 80%]}"]
    assert brought(folder, exported(folder)) == "表中没有改动\n"


def test_owners_deadlines_and_what_is_inherited_can_be_edited(folder):
    cells = [
        ("目标", "jobs", "牵头单位", "人力社保局、财政局"),
        ("目标", "jobs", "报送时限", "18 days after period, January with February"),
        ("目标", "jobs", "黄色阈值", None),
        ("目标", "firms", "起判时点", "25%"),
        ("事项", "1", "责任单位", "各镇街"),
    ]
    file = exported(folder)
    told = brought(folder, edit(file, *cells), *SIGNED)
    assert "牵头单位由“人力社保局”改为“人力社保局、财政局”" in told
    assert changed(folder) == (
        ["    responsible: 相关部门", "    levels: {yellow: behind 3%}"],
        [
            "    responsible: 各镇街",
            "    lead: 人力社保局、财政局",
            "    published: 18 days after period, January with February",
            "    levels: {not before: 25%}",
        ],
    )


def test_who_and_why_stay_in_the_history_of_the_book(folder):
    before = load_book(folder)
    brought(folder, edit(exported(folder), ("目标", "firms", "目标", "at least 1500 户")), *SIGNED)
    (done,) = load_book(folder).history
    assert (done.by, done.why) == ("张三", "调度会意见")
    assert done.changed == {"firms": "年度目标由“不低于1200户”改为“不低于1500户”"}
    brought(folder, edit(exported(folder), ("目标", "firms", "目标", "at least 1600 户")), *SIGNED)
    assert len(load_book(folder).history) == 2
    shutil.copytree(folder, folder.parent.parent / "new" / "b")
    (folder / "history.yaml").unlink()
    (folder / "book.yaml").write_text(BOOK, encoding="utf-8")
    assert repr(load_book(folder)) == repr(before)
    words = [
        "diff",
        str(folder.parent),
        str(folder.parent.parent / "new"),
        "--config",
        str(folder.parent.parent / "duban.yaml"),
    ]
    assert "张三：调度会意见" in typed(*words).stdout
    shutil.copytree(folder.parent.parent / "new" / "b", folder, dirs_exist_ok=True)
    words = ["explain", "b/firms", "--at", "2025-06-01", "--config", str(folder.parent.parent / "duban.yaml")]
    told = typed(*words).stdout
    assert "张三：年度目标由“不低于1500户”改为“不低于1600户”（调度会意见）" in told


def test_a_goal_can_change_from_a_day_on(folder):
    since = ("--since", "2025-07-01")
    brought(folder, edit(exported(folder), ("目标", "jobs", "目标", "at least 1500 人")), *SIGNED, *since)
    assert changed(folder) == (
        [],
        ["    changes:", "      - from: 2025-07-01", "        goal: at least 1500 人", "        why: 调度会意见"],
    )
    file = edit(exported(folder), ("目标", "jobs", "目标", "at least 1600 人"))
    assert "目标!G4: 此目标已有年中调整 (changed goal)" in brought(folder, file, code=1)
    brought(folder, file, *SIGNED, *since)
    assert changed(folder)[1][2] == "        goal: at least 1600 人"
    brought(
        folder, edit(exported(folder), ("目标", "jobs", "目标", "at least 1700 人")), *SIGNED, "--since", "2025-10-01"
    )
    target = next(one for one in load_book(folder).targets if one.id == "jobs")
    assert [(str(one.since), one.goal.value) for one in target.changes] == [("2025-07-01", 1600), ("2025-10-01", 1700)]
    wrong = edit(exported(folder), ("目标", "jobs", "目标", "at least 1800 人"))
    assert "G4: changes: 日期应由早到晚" in brought(folder, wrong, "--since", "2025-08-01", "--why", "x", code=1)


NEW = {
    "编号": "rate",
    "名称": "失业率",
    "指标种类": "ceiling",
    "目标": "at most 5.5 %",
    "牵头单位": "甲局",
    "来源": "f",
    "序列": "调查失业率",
}


def test_rows_come_and_rows_go_only_on_request(folder):
    file = edit(exported(folder), new=[("目标", NEW)], gone=[("目标", "jobs")])
    told = brought(folder, file, *SIGNED)
    assert "表中没有“城镇新增就业（jobs）”，未删去；确要删去，请加 --delete" in told
    assert changed(folder) == (
        [],
        [
            "  - id: rate",
            "    name: 失业率",
            "    goal: at most 5.5 %",
            "    measure: ceiling",
            "    source: {connector: f, series: 调查失业率}",
        ],
    )
    brought(folder, edit(exported(folder), gone=[("目标", "jobs")]), *SIGNED, "--delete")
    assert [target.id for target in load_book(folder).targets if not target.id.startswith("task")] == ["firms", "rate"]
    text = (folder / "book.yaml").read_text("utf-8")
    assert "  # ── one ──\n\n  - id: firms\n" in text
    assert "  # the end\n" in text


@pytest.mark.parametrize(
    ("title", "content", "words"),
    [
        ("目标", "不低于1500人", "目标!G4: goal: 看不懂的目标 '不低于1500人' (bad goal); 应如 at least 4500 人"),
        ("目标", None, "目标!G4: 目标不得为空 (missing cell)"),
        ("黄色阈值", "behind 5 吨", "目标!K4: yellow: 阈值单位 吨 与目标单位 人 不能换算"),
        ("红色阈值", "bad", "目标!L4: red: 看不懂的阈值 'bad' (bad threshold)"),
        ("报送时限", "soon", "目标!J4: published: 看不懂的发布规则 'soon'"),
        ("解除期数", "two", "目标!O4: clear for: 值 'two' 应为整数"),
        ("目标", "=1+1", "目标!G4: 是公式 (formula)；请改填文字或数"),
        ("名称", "就业", "目标!C4: 名称由“城镇新增就业”改为“就业”：识别列不能在表中改动 (fixed column)"),
    ],
)
def test_what_check_refuses_is_refused_with_its_cell_and_cure(folder, title, content, words):
    file = edit(exported(folder), ("目标", "jobs", title, content))
    assert f"表.xlsx {words}" in brought(folder, file, *SIGNED, code=1)
    assert changed(folder) == ([], [])
    assert not (folder / "history.yaml").exists()


def test_the_cell_of_an_error_is_found_where_rows_go_and_come(folder):
    file = edit(exported(folder), gone=[("目标", "jobs")], new=[("目标", NEW | {"红色阈值": "behind 5 米"})])
    assert "目标!L5: red: 阈值单位 米 与目标单位 % 不能换算" in brought(folder, file, "--delete", code=1)


def test_a_row_without_an_id_or_with_one_of_another_is_refused(folder):
    file = edit(exported(folder), new=[("目标", {"名称": "甲"})])
    assert "目标!A6: 没有编号 (missing id)" in brought(folder, file, code=1)
    file = edit(exported(folder), new=[("目标", NEW | {"编号": "jobs"})])
    assert "目标!A6: 'jobs' 重复 (duplicate row)" in brought(folder, file, code=1)


def test_edits_of_both_sides_are_merged_or_refused(folder):
    file = edit(exported(folder), ("目标", "jobs", "目标", "at least 1500 人"))
    text = BOOK.replace("1200 户", "1300 户")
    (folder / "book.yaml").write_text(text, encoding="utf-8")
    told = brought(folder, file, *SIGNED)
    assert "目标：目标册在导出之后已有改动；表中未改的各格以现在的目标册为准" in told
    assert [target.goal.value for target in load_book(folder).targets] == [1300, 1500]
    (folder / "book.yaml").write_text(BOOK.replace("1200 人 ", "1300 人 "), encoding="utf-8")
    told = brought(folder, file, code=1)
    assert (
        "目标!G4: 目标导出时为“at least 1200 人”，表中改为“at least 1500 人”，目标册已另改为“at least 1300 人” (conflict)"
        in told
    )


def test_goals_of_subjects_are_edited_line_by_line(folder):
    with_subjects(folder)
    file = edit(
        exported(folder),
        ("对象目标", "甲县", "新增企业（户）", 750.5),
        ("对象目标", "乙县", "新增企业（户）", 600),
        new=[("对象目标", {"对象": "丙县", "新增企业（户）": 90})],
    )
    told = brought(folder, file, *SIGNED)
    assert "甲县 700→750.5、乙县 未定→600、丙县 未定→90" in told
    assert (folder / "goals.csv").read_text(
        "utf-8"
    ) == "subject,target,goal\n甲县,firms,750.5\n乙县,firms,600\n丙县,firms,90\n"
    brought(folder, edit(exported(folder), gone=[("对象目标", "乙县")]), *SIGNED, "--delete")
    assert load_book(folder).subjects == ("甲县", "丙县")
    wrong = edit(exported(folder), ("对象目标", "丙县", "新增企业（户）", "很多"))
    assert "对象目标!B5: goal: '很多' 不是数值 (not a number)" in brought(folder, wrong, code=1)
    late = edit(exported(folder), ("对象目标", "丙县", "新增企业（户）", 95))
    assert "没有生效日期 (no since)" in brought(folder, late, "--since", "2025-07-01", "--why", "x", code=1)


def test_an_alias_is_not_edited_behind_the_back_of_the_others(folder):
    text = BOOK.replace("lead: 甲局", "lead: *one").replace("lead: 人力社保局", "lead: &one 人力社保局")
    (folder / "book.yaml").write_text(text, encoding="utf-8")
    file = edit(exported(folder), ("目标", "firms", "牵头单位", "乙局"))
    assert "lead: 写作 YAML 的别名，不能单独改动 (alias)" in brought(folder, file, code=1)


def test_a_file_that_was_not_exported_is_refused(folder, tmp_path):
    other = openpyxl.Workbook()
    other.save(tmp_path / "other.xlsx")
    (tmp_path / "text.xlsx").write_text("x", encoding="utf-8")
    for name in ("other.xlsx", "text.xlsx"):
        assert "not an exported book" in brought(folder, tmp_path / name, code=1)
    assert "cannot read" in brought(folder, tmp_path / "none.xlsx", code=1)
    file = exported(folder)
    book = openpyxl.load_workbook(file)
    book[HIDDEN]["A2"].value = book[HIDDEN]["A2"].value[:-8] + "AAAAAAAA"
    book.save(file)
    assert "not an exported book" in brought(folder, file, code=1)
    assert "already there" in run(folder, "export", file, "--book", "b", code=1)
    assert "unknown book" in run(folder, "export", tmp_path / "x.xlsx", "--book", "c", code=1)


def test_the_workbook_is_locked_but_for_what_may_be_edited_and_has_no_formula(folder):
    (folder / "book.yaml").write_text(BOOK.replace("name: 新增企业", 'name: "=1+1"'), encoding="utf-8")
    book = openpyxl.load_workbook(exported(folder))
    assert book.sheetnames == ["目标", "事项", ABOUT, HIDDEN]
    assert book[HIDDEN].sheet_state == "veryHidden"
    sheet = book["目标"]
    assert sheet.protection.sheet
    assert sheet.freeze_panes == "D4"
    assert (place(sheet, "jobs", "名称").protection.locked, place(sheet, "jobs", "目标").protection.locked) == (
        True,
        False,
    )
    cell = place(sheet, "firms", "名称")
    assert (cell.value, cell.data_type, cell.quotePrefix) == ("=1+1", "s", True)
    assert all(cell.data_type != "f" for one in book for row in one.iter_rows() for cell in row)
    assert place(sheet, "jobs", "目标").number_format == "@"
    assert place(sheet, "jobs", "牵头单位").font.color.rgb == "00808080"
    assert "behind 5%" in next(cell for cell in sheet[HEAD] if cell.value == "黄色阈值").comment.text
    lists = {str(rule.sqref).split(":")[0]: rule for rule in sheet.data_validations.dataValidation}
    assert lists["E4"].showErrorMessage
    assert not lists["K4"].showErrorMessage
    letter = lists["P4"].formula1.split("$")[1]
    assert [cell.value for cell in book[HIDDEN][letter] if cell.value] == ["甲局", "人力社保局", "相关部门"]


OPEN = {
    "lead": st.sampled_from(["甲局", "甲局、乙局", "发展改革局"]),
    "responsible": st.sampled_from(["各镇街", "丙局、丁局"]),
    "published": st.sampled_from(["12 workdays after period", "day 20 of next month", "9 days after period"]),
    "reporter": st.sampled_from(["统计局", "财政局"]),
    "not before": st.sampled_from(["25%", "50%"]),
}
TITLES = {
    "lead": "牵头单位",
    "responsible": "责任单位",
    "published": "报送时限",
    "reporter": "报送单位",
    "not before": "起判时点",
}


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_edit_of_the_real_books_touches_what_was_edited_and_nothing_else(tmp_path, data):
    name = data.draw(st.sampled_from(["wansheng-2025", "national-2025", "chongqing-air-2025"]))
    folder = tmp_path / "books" / name
    shutil.rmtree(tmp_path / "books", ignore_errors=True)
    shutil.copytree(BOOKS / name, folder)
    written = read(folder)
    before = tables(made(written), written)["目标"].rows
    keys = [(row, key) for row in before for key in OPEN]
    cells = {
        place: data.draw(OPEN[place[1]]) for place in data.draw(st.sets(st.sampled_from(keys), min_size=1, max_size=6))
    }
    file = edit(exported(folder, name), *(("目标", row, TITLES[key], text) for (row, key), text in cells.items()))
    brought(folder, file, *SIGNED)
    written = read(folder)
    after = tables(made(written), written)["目标"].rows
    differing = {
        (row, key) for row in after for key in after[row] if after[row][key] != before[row][key] and key != "meaning"
    }
    assert differing == {place for place, text in cells.items() if before[place[0]][place[1]] != text}
    for path in folder.glob("*.yaml"):
        if path.name != "history.yaml":
            old = (BOOKS / name / path.name).read_text("utf-8").splitlines()
            new = path.read_text("utf-8").splitlines()
            assert len([line for line in old if line not in new]) <= len(cells)
            told = [[line.partition("#")[2] for line in lines if "#" in line] for lines in (old, new)]
            assert told[0] == told[1]
    assert brought(folder, exported(folder, name)) == "表中没有改动\n"


def test_merged_cells_are_refused_rather_than_read_as_emptied(folder):
    run(folder, "export", folder / "x.xlsx", "--book", "b")
    found = openpyxl.load_workbook(folder / "x.xlsx")
    found["目标"].merge_cells(start_row=HEAD + 1, end_row=HEAD + 2, start_column=16, end_column=16)
    found.save(folder / "y.xlsx")
    told = run(folder, "import", folder / "y.xlsx", code=1)
    assert "y.xlsx 目标!P4:P5: 是合并的单元格 (merged cells)；请取消合并，逐格填写" in told
