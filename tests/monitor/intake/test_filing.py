"""``duban filing``: a form is made, a person fills it in, it comes back, and the receipt says what became of it."""

import io
import shutil
import subprocess
from datetime import UTC, date, datetime

import openpyxl
import pytest

from connectors.filing_form import HIDDEN, NAME, STATUS, UNIT, VALUE
from monitor.intake.filing_sheet import REASON, RESULT, workbook
from monitor.store import observations
from monitor.store.database import open_engine, reading
from tests.connectors.filings import HEADER, a_form, columns, filled, put, rows
from tests.monitor.cli.shell import typed

BOOK = """\
book: {book}
title: 2025年工作报告目标任务分解方案
year: {year}
source: filings
published: 10 workdays after period
"""
TARGETS = """\
targets:
  - {id: jobs, name: 城镇新增就业, lead: 人力社保局, goal: at least 4500 人, measure: cumulative}
  - {id: unemployment, name: 城镇调查失业率, lead: 统计局, reporter: 人力社保局, goal: at most 5.5 %, measure: ceiling}
  - {id: fund, name: "=HYPERLINK(1)", lead: 人力社保局, goal: at least 3 亿元, measure: cumulative, every: quarter}
  - {id: coverage, name: 参保率, lead: 人力社保局, goal: at least 95 %, measure: share,
     published: "15 days after period, January with February"}
  - {id: trade, name: 外贸, lead: 商务局, goal: at least 3 亿元, measure: cumulative}
  - {id: elsewhere, name: 用电量, lead: 人力社保局, goal: at least 3 亿元, measure: cumulative, source: table}
sources:
  filings: {connector: filing, path: in/*.xlsx}
  table: {connector: table_file, path: t.csv, columns: {series: 指标, period: 期间, value: 数值}}
"""
GREEN, RED = "00C6EFCE", "00FFC7CE"


class Office:
    """A folder with books and settings, and the commands run in it."""

    def __init__(self, folder):
        self.folder = folder
        self.book("b", 2025)
        self.clock("2025-11-05T09:00:00+08:00")

    def book(self, name, year, targets=TARGETS):
        folder = self.folder / "books" / name
        folder.mkdir(parents=True)
        (folder / "book.yaml").write_text(BOOK.format(book=name, year=year) + targets, encoding="utf-8")
        self.inbox = folder / "in"

    def clock(self, moment):
        self.config = self.folder / f"duban-{moment[5:10]}.yaml"
        told = f"books: {self.folder}/books\narchive: {self.folder}/archive\nclock: {moment}\n"
        told += f"database: sqlite:///{self.folder}/duban.db\n"
        told += f"channels: {{folder: {{kind: folder, path: {self.folder}/alerts}}}}\n"
        self.config.write_text(told, encoding="utf-8")

    def __call__(self, *words):
        return typed(*words, "--config", str(self.config))

    def make(self, period="2025-10", unit="人力社保局", *words):
        done = self("filing", "make", "--unit", unit, "--period", period, "--out", str(self.folder), *words)
        assert done.returncode == 0, done.stderr
        return self.folder / f"填报表-{unit}-{period}.xlsx"

    def filled(self, figures, name="我填的.xlsx", period="2025-10"):
        path = self.folder / "desk" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(filled(self.make(period).read_bytes(), figures))
        return path

    def take(self, path, *words):
        return self("filing", "take", str(path), *words)

    def stored(self, series="城镇新增就业", book="b"):
        engine = open_engine(f"sqlite:///{self.folder}/duban.db")
        with reading(engine) as connection:
            found = observations.vintages(
                connection, f"{book}/filings", series, "", date(2025, 1, 1), date(2025, 12, 31)
            )
        engine.dispose()
        return found


@pytest.fixture
def office(tmp_path):
    return Office(tmp_path)


def sheet_of(path):
    return openpyxl.load_workbook(path).worksheets[0]


def cell(sheet, key, title):
    return sheet.cell(rows(sheet)[key], columns(sheet)[title])


def marks(path):
    sheet = sheet_of(path)
    return {key: (cell(sheet, key, RESULT).value, cell(sheet, key, VALUE).fill.start_color.rgb) for key in rows(sheet)}


def said(done):
    """The words of an error that ends the command."""
    assert done.returncode == 1
    return done.stderr


def test_a_form_asks_for_what_the_unit_owes_for_the_period(office):
    assert list(rows(sheet_of(office.make("2025-10")))) == ["jobs", "unemployment", "coverage"]
    assert list(rows(sheet_of(office.make("2025-09")))) == ["jobs", "unemployment", "fund", "coverage"]
    assert list(rows(sheet_of(office.make("2025-01")))) == ["jobs", "unemployment"]
    assert list(rows(sheet_of(office.make("2025-10", "商务局")))) == ["trade"]


def test_the_form_prints_unit_and_period_and_only_its_inputs_are_open(office):
    book = openpyxl.load_workbook(office.make())
    sheet = book.worksheets[0]
    printed = [one.value for row in sheet.iter_rows(max_row=3) for one in row if one.value]
    assert printed[:3] == ["2025年工作报告目标任务分解方案填报表", "填报单位：人力社保局", "所属期：2025年10月"]
    assert sheet.protection.sheet
    open_cells = {
        one.coordinate for row in sheet.iter_rows(max_row=HEADER + 3) for one in row if not one.protection.locked
    }
    assert open_cells == {f"{column}{row}" for column in "GHI" for row in range(HEADER + 1, HEADER + 4)}
    assert sheet.column_dimensions["A"].hidden
    assert book[HIDDEN].sheet_state == "veryHidden"
    assert sheet.print_area == f"'填报表'!$A$1:$I${sheet.max_row}"
    assert cell(sheet, "jobs", UNIT).value == "人"


def test_each_input_takes_what_its_unit_means(office):
    rules = {str(rule.sqref): rule for rule in sheet_of(office.make()).data_validations.dataValidation}
    jobs, coverage, status = rules["G5"], rules["G7"], rules["H5:H7"]
    assert (jobs.type, jobs.formula1) == ("whole", "0")
    assert (coverage.type, coverage.formula1, coverage.formula2) == ("decimal", "0", "100")
    assert rules["G6"].type == "decimal"
    assert status.formula1 == '"核定数,初步数,无报送事项"'


def test_no_name_and_no_answer_becomes_a_formula(office):
    sheet = sheet_of(office.make("2025-09"))
    name = cell(sheet, "fund", NAME)
    assert (name.value, name.data_type, name.quotePrefix) == ("=HYPERLINK(1)", "s", True)
    filed = office.filled({"jobs": {VALUE: 4100, "说明": "placeholder"}}, period="2025-09")
    book = openpyxl.load_workbook(filed)
    note = cell(book.worksheets[0], "jobs", "说明")
    note.value = "@SUM(1)"
    book.save(filed)
    office.take(filed)
    found = cell(sheet_of(filed.with_name("我填的-回执.xlsx")), "jobs", "说明")
    assert (found.value, found.data_type) == ("@SUM(1)", "s")


@pytest.mark.parametrize("words", ["=1+1", "+1", "-x", "@x", "\x07响铃"])
def test_words_stay_words(words):
    sheet = openpyxl.load_workbook(io.BytesIO(workbook(a_form(unit=words, title=words)))).worksheets[0]
    assert {one.data_type for row in sheet.iter_rows() for one in row if one.value is not None} == {"s"}


def test_what_comes_back_is_stored_as_known_at_the_moment_of_taking(office):
    filed = office.filled({"jobs": " ４，１００ 人", "unemployment": {VALUE: "5.2%", STATUS: "初步数"}, "coverage": 96})
    done = office.take(filed)
    assert done.returncode == 0, done.stderr
    assert "应报 3 项，已收 3 项，未收 0 项，未填 0 项" in done.stdout
    (jobs,) = office.stored()
    assert (jobs.value, jobs.unit, jobs.period) == (4100, "人", date(2025, 10, 31))
    assert jobs.known_at.replace(microsecond=0, second=0) == datetime(2025, 11, 5, 1, tzinfo=UTC)
    (rate,) = office.stored("城镇调查失业率")
    assert (rate.value, rate.status) == (5.2, "partial")
    assert len(list((office.folder / "archive").rglob("*.xlsx"))) == 1


def test_the_receipt_is_green_and_red_with_reason_and_cure(office):
    filed = office.filled({"jobs": 4100, "unemployment": "大约五", "coverage": 960})
    done = office.take(filed)
    assert done.returncode == 1
    assert "未收 城镇调查失业率：“大约五”不是数值，请填写数字，无数据请留空" in done.stdout
    receipt = filed.with_name("我填的-回执.xlsx")
    assert marks(receipt) == {"jobs": ("已收", GREEN), "unemployment": ("未收", RED), "coverage": ("未收", RED)}
    sheet = sheet_of(receipt)
    assert cell(sheet, "coverage", REASON).value == "超出可能的范围，请核对数值，确属无误的请放行"
    assert cell(sheet, "unemployment", VALUE).value == "大约五"
    assert "已收 1 项，未收 2 项，未填 0 项。收到时间：2025-11-05 09:0" in sheet.cell(3, 1).value


def test_a_receipt_that_is_mended_can_be_filed_again(office):
    filed = office.filled({"jobs": 4100, "unemployment": "大约五"})
    assert office.take(filed).returncode == 1
    receipt = filed.with_name("我填的-回执.xlsx")
    receipt.write_bytes(filled(receipt.read_bytes(), {"unemployment": 5.1}))
    done = office.take(receipt)
    assert done.returncode == 0, done.stderr
    assert "已收 2 项，未收 0 项，未填 1 项" in done.stdout
    assert [one.value for one in office.stored("城镇调查失业率")] == [5.1]


def test_a_second_filing_is_a_revision_and_the_same_one_is_nothing_new(office):
    first, second = office.filled({"jobs": 4100}, "一.xlsx"), office.filled({"jobs": 4200}, "二.xlsx")
    for filed in (first, first, second, second):
        assert office.take(filed).returncode == 0
    assert [one.value for one in office.stored()] == [4100, 4200]
    assert office.take(first).returncode == 0
    assert [one.value for one in office.stored()] == [4100, 4200, 4100]


def test_nothing_to_report_is_taken_as_such(office):
    filed = office.filled({"jobs": {STATUS: "无报送事项"}})
    assert office.take(filed).returncode == 0
    (jobs,) = office.stored()
    assert (jobs.value, jobs.status) == (None, "nil")
    assert marks(filed.with_name("我填的-回执.xlsx"))["jobs"] == ("已收", GREEN)


def test_the_next_form_shows_the_last_figure_with_its_period(office):
    office.take(office.filled({"jobs": 4100}, period="2025-10"))
    office.clock("2025-12-05T09:00:00+08:00")
    assert cell(sheet_of(office.make("2025-11")), "jobs", "上期数").value == "4100人（2025年10月）"
    assert cell(sheet_of(office.make("2025-10")), "jobs", "上期数").value is None


def test_a_sum_that_falls_is_kept_apart_and_said_on_the_receipt(office):
    office.take(office.filled({"jobs": 4100}, period="2025-09"))
    filed = office.filled({"jobs": 400}, "十月.xlsx")
    assert "累计数较前期减少，请核对是否填了当期数" in office.take(filed).stdout
    assert [one.value for one in office.stored()] == [4100]


def test_a_form_put_into_the_folder_by_hand_finds_its_receipt_there(office):
    put(office.inbox, "放入.xlsx", office.filled({"jobs": 4100, "unemployment": "五"}).read_bytes())
    put(office.inbox, "坏.xlsx", b"words")
    done = office("tick")
    assert done.returncode == 0, done.stderr
    (receipt,) = (office.inbox / "回执").iterdir()
    assert receipt.name == "放入-回执.xlsx"
    assert marks(receipt)["unemployment"] == ("未收", RED)
    before = receipt.stat().st_mtime_ns
    office("tick")
    assert receipt.stat().st_mtime_ns == before


def test_out_says_where_the_receipt_goes(office, tmp_path):
    filed = office.filled({"jobs": 4100})
    assert office.take(filed, "--out", str(tmp_path / "回收")).returncode == 0
    assert (tmp_path / "回收" / "我填的-回执.xlsx").exists()
    assert not filed.with_name("我填的-回执.xlsx").exists()


def test_a_form_of_a_book_that_is_not_in_force_is_refused_with_its_name(office):
    filed = office.filled({"jobs": 4100})
    shutil.rmtree(office.folder / "books" / "b")
    office.book("c", 2026)
    words = said(office.take(filed))
    assert "（b）人力社保局2025年10月的填报表" in words
    assert "现有: c/filings" in words


def test_a_form_of_another_book_in_the_folder_is_marked_as_such(office):
    filed = office.filled({"jobs": 4100})
    office.book("c", 2025)
    put(office.inbox, "错放.xlsx", filed.read_bytes())
    assert office("tick").returncode == 0
    assert office.stored(book="c") == []
    sheet = sheet_of(office.inbox / "回执" / "错放-回执.xlsx")
    assert cell(sheet, "jobs", RESULT).value == "未收"
    assert "不是本册本期的填报表" in cell(sheet, "jobs", REASON).value


def test_a_form_with_another_unit_written_over_it_is_not_taken(office):
    def other(book):
        book.worksheets[0]["A2"].value = "填报单位：商务局"

    filed = office.filled({})
    filed.write_bytes(filled(filed.read_bytes(), {"jobs": 3}, other))
    assert "表头写“填报单位:商务局”" in said(office.take(filed))
    assert not office.inbox.exists()


def test_what_cannot_be_made_says_why(office):
    def words(*told):
        return said(office("filing", "make", "--out", str(office.folder), *told))

    assert "是否应为 '人力社保局'" in words("--unit", "人力社会保障局", "--period", "2025-10")
    assert "nothing due" in words("--unit", "人力社保局", "--period", "2024-10")
    assert "2025-13" in words("--unit", "人力社保局", "--period", "2025-13")


def test_a_folder_that_cannot_be_written_is_said(office, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot write" in said(
        office("filing", "make", "--unit", "人力社保局", "--period", "2025-10", "--out", str(tmp_path / "file"))
    )
    done = office.take(office.filled({"jobs": 3960}), "--out", str(tmp_path / "file"))
    assert "填报表已收回，但回执无法写出" in said(done)
    assert [one.value for one in office.stored()] == [3960]


def test_a_file_that_is_no_form_is_not_taken(office, tmp_path):
    (tmp_path / "x.xlsx").write_bytes(b"words")
    assert "broken workbook" in said(office.take(tmp_path / "x.xlsx"))
    assert "no such file" in said(office.take(tmp_path / "y.xlsx"))


def test_a_book_over_many_places_asks_for_each_of_them(office):
    office.book("many", 2025, "subjects: goals.csv\n" + TARGETS)
    goals = "subject,target,goal\n甲县,jobs,1200\n乙县,jobs,800\n"
    (office.folder / "books" / "many" / "goals.csv").write_text(goals, encoding="utf-8")
    path = office.make("2025-10", "人力社保局", "--book", "many")
    sheet = sheet_of(path)
    assert set(rows(sheet)) >= {"jobs/甲县", "jobs/乙县"}
    assert "1200人" in cell(sheet, "jobs/甲县", "口径").value
    assert not sheet.column_dimensions["C"].hidden
    path.write_bytes(filled(path.read_bytes(), {"jobs/乙县": 700}))
    assert office.take(path).returncode == 0
    assert office.stored(book="many") == []
    assert marks(path.with_name(f"{path.stem}-回执.xlsx"))["jobs/乙县"] == ("已收", GREEN)


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_a_form_saved_by_libreoffice_is_taken(office, tmp_path):
    filed = office.filled({"jobs": 4100, "unemployment": "5.2%"})
    subprocess.run(
        ["soffice", "--headless", "--convert-to", "xlsx", "--outdir", str(tmp_path / "lo"), str(filed)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    done = office.take(tmp_path / "lo" / filed.name)
    assert done.returncode == 0, done.stderr
    assert "已收 2 项" in done.stdout
