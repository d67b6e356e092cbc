"""Forms that come back from people: everything is found again, and what is not is refused with its place."""

import io
import zipfile
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from connectors import strict
from connectors.base import ConnectorError, Failure
from connectors.contract import ConnectorContract, Row
from connectors.filing_form import HIDDEN, KEY, NAME, NOTE, OF_PERIOD, STATUS, UNIT, VALUE, Line, opened, sealed
from connectors.filing_workbook import FilingWorkbook, figures, filed
from connectors.observation import NIL as NIL_CODE
from connectors.observation import STATUSES, LeftOut, Query, Refused, Status
from connectors.period import period_end
from tests.connectors.filings import (
    FUND,
    HEADER,
    JOBS,
    NIL,
    RATE,
    a_filing,
    a_form,
    columns,
    connector,
    filled,
    put,
    rows,
)

YEAR = Query(datetime(2025, 11, 5, tzinfo=UTC), date(2025, 1, 1), date(2025, 12, 31))
MOST = 20 << 20
GOOD = {"urban-jobs": 4100, "unemployment": 5.2, "fees": 3.25}


def read(content, query=YEAR):
    return figures(filed(content, "表.xlsx", MOST), query, "表.xlsx", "digest")


def values(reading):
    table = reading.observations
    return dict(zip(table["series"], table["value"], strict=True))


class TestFiling(ConnectorContract):
    """Rows of one period stand in one form, each period's form came later than the one before."""

    dated = False

    @pytest.fixture(autouse=True)
    def _in_a_folder(self, tmp_path):
        self.folder = tmp_path

    def connector(self, rows):
        for old in (self.folder / "in").glob("*"):
            old.unlink()
        by_period = {}
        for row in rows:
            by_period.setdefault(_end(row.period), []).append(row)
        for second, (period, found) in enumerate(by_period.items()):
            put(self.folder / "in", f"{second}.xlsx", _form_of(period, found), second)
        return self.broken()

    def broken(self):
        return connector(self.folder)

    @pytest.mark.parametrize("value", ["大约三千", "1_000", "NaN", "12,34", "三人"])
    def test_words_where_a_number_belongs_are_refused_with_cell_and_words(self, value):
        super().test_words_where_a_number_belongs_are_refused_with_cell_and_words(value)

    def test_a_subject_left_blank_is_not_taken_for_the_whole(self):
        found = self.read(Row(), Row(subject=""))
        assert [refusal.reason for refusal in found.refusals] == [Refused.WRONG_DIMENSION]


def _end(period):
    try:
        return period_end(period).isoformat()
    except ValueError:
        return period


def _form_of(period, found):
    lines = {_key(row): Line(_key(row), row.series, row.subject, row.series or "？", row.unit) for row in found}
    content = a_filing({}, *lines.values(), period=period)

    def edit(book):
        sheet = book.worksheets[0]
        place = columns(sheet)
        sheet.delete_rows(HEADER + 1, len(lines))
        for at, row in enumerate(found, HEADER + 1):
            line = lines[_key(row)]
            told = {KEY: line.key, NAME: line.name, "对象": line.subject, UNIT: line.unit}
            for title, cell in {**told, VALUE: row.value, STATUS: row.status}.items():
                sheet.cell(at, place[title]).value = cell
                sheet.cell(at, place[title]).data_type = "n" if isinstance(cell, int | float) else "s"

    return filled(content, {}, edit)


def _key(row):
    return f"k {row.series} {row.subject}"


def test_what_was_filled_in_is_read():
    found = read(a_filing({**GOOD, "fees": {STATUS: "无报送事项"}, "unemployment": {VALUE: 5.2, STATUS: "初步数"}}))
    assert found.refusals == ()
    table = found.observations.set_index("series")
    assert table["value"].dropna().to_dict() == {"城镇新增就业": 4100, "失业率": 5.2}
    status = {series: STATUSES[code] for series, code in table["status"].items()}
    assert status == {"城镇新增就业": Status.FINAL, "失业率": Status.PARTIAL, "社保基金收入": Status.NIL}
    assert table["unit"].to_dict() == {"城镇新增就业": "人", "失业率": "%", "社保基金收入": "亿元"}
    assert set(table["period"].dt.date) == {date(2025, 10, 31)}
    assert table["known_at"].isna().all()


@pytest.mark.parametrize(
    ("key", "cell", "number"),
    [
        ("urban-jobs", "1,234 人", 1234),
        ("urban-jobs", "４１００", 4100),
        ("urban-jobs", " ４，１００人 ", 4100),
        ("urban-jobs", 0, 0),
        ("unemployment", "5.2%", 5.2),
        ("unemployment", "５．２％", 5.2),
        ("fees", "−3.5亿元", -3.5),
        ("fees", "3.25 亿元\xa0", 3.25),
    ],
)
def test_a_pasted_figure_is_read_without_the_unit_of_its_line(key, cell, number):
    assert list(values(read(a_filing({key: cell}))).values()) == [number]


def test_a_number_under_a_percent_format_is_what_it_shows():
    def percent(book):
        sheet = book.worksheets[0]
        for key in ("unemployment", "urban-jobs"):
            sheet.cell(rows(sheet)[key], columns(sheet)[VALUE]).number_format = "0.0%"

    found = read(a_filing({"unemployment": 0.052, "urban-jobs": 0.5}, edit=percent))
    assert values(found) == {"失业率": 5.2}
    assert [(it.reason, it.text) for it in found.refusals] == [(Refused.WRONG_DIMENSION, "50%")]


@pytest.mark.parametrize(
    ("unit", "cell", "number"), [("位", "第3位", 3), ("位", "3", 3), ("类", "Ⅲ类", 3), ("类", "Ⅱ", 2), ("类", "4类", 4)]
)
def test_ranks_and_classes_are_read_as_people_write_them(unit, cell, number):
    line = replace(JOBS, unit=unit)
    assert list(values(read(a_filing({line.key: cell}, line))).values()) == [number]


@pytest.mark.parametrize("cell", ["1.2万人", "5%", "12 张"])
def test_a_figure_in_another_unit_is_refused(cell):
    (refusal,) = read(a_filing({"urban-jobs": cell})).refusals
    assert (refusal.reason, refusal.text, refusal.series) == (Refused.WRONG_DIMENSION, cell, "城镇新增就业")
    assert refusal.cell == f"填报表!G{HEADER + 1}"


def test_a_unit_that_was_overwritten_is_another_unit():
    (refusal,) = read(a_filing({"fees": {VALUE: 3, UNIT: "万元"}})).refusals
    assert (refusal.reason, refusal.text) == (Refused.WRONG_DIMENSION, "3 万元")


blanks = st.text(" \u3000\xa0\n", max_size=2)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    order=st.permutations(range(3)),
    gaps=st.lists(st.integers(0, 2), min_size=3, max_size=3),
    by_name=st.booleans(),
    pads=st.lists(blanks, min_size=6, max_size=6),
)
def test_the_order_of_rows_blank_rows_and_blanks_change_nothing(order, gaps, by_name, pads):
    def shuffle(book):
        sheet = book.worksheets[0]
        place, width = columns(sheet), sheet.max_column
        cells = [[sheet.cell(HEADER + 1 + row, column + 1).value for column in range(width)] for row in order]
        sheet.delete_rows(HEADER + 1, 3)
        at = HEADER + 1
        for row, gap, pad, other in zip(cells, gaps, pads, pads[3:], strict=False):
            at += gap
            for column, value in enumerate(row, start=1):
                title = next(name for name, number in place.items() if number == column)
                told = "" if title == KEY and by_name else value
                padded = f"{pad}{told}{other}" if title in (NAME, UNIT, VALUE) else told
                sheet.cell(at, column).value = padded
            at += 1

    found = read(a_filing(GOOD, edit=shuffle))
    assert found.refusals == ()
    assert values(found) == {"城镇新增就业": 4100, "失业率": 5.2, "社保基金收入": 3.25}


def test_without_its_key_column_a_form_is_read_by_name_and_unit():
    found = read(a_filing(GOOD, edit=lambda book: book.worksheets[0].delete_cols(1)))
    assert len(values(found)) == 3


def test_keys_that_slipped_against_the_names_are_refused():
    def sort_keys_alone(book):
        sheet = book.worksheets[0]
        first, second = sheet.cell(HEADER + 1, 1), sheet.cell(HEADER + 2, 1)
        first.value, second.value = second.value, first.value

    found = read(a_filing(GOOD, edit=sort_keys_alone))
    assert values(found) == {"社保基金收入": 3.25}
    assert [it.reason for it in found.refusals] == [Refused.UNKNOWN_ROW] * 2
    assert "编号 unemployment" in found.refusals[0].text


def test_a_row_of_ones_own_is_refused_and_notes_below_are_not():
    def add(book):
        sheet = book.worksheets[0]
        sheet.cell(20, 2).value, sheet.cell(20, 7).value = "再就业", 12
        sheet.cell(22, 2).value = "以上为初步统计"

    found = read(a_filing(GOOD, edit=add))
    assert len(found.observations) == 3
    assert [(it.reason, it.text, it.cell) for it in found.refusals] == [(Refused.UNKNOWN_ROW, "再就业", "填报表!G20")]


def test_the_same_row_twice_is_a_conflict_where_the_figures_differ():
    def copy(book):
        sheet = book.worksheets[0]
        for column in range(1, 10):
            sheet.cell(20, column).value = sheet.cell(HEADER + 1, column).value
        sheet.cell(20, 7).value = 4200

    (refusal,) = read(a_filing(GOOD, edit=copy)).refusals
    assert refusal.reason is Refused.CONFLICT


def test_a_target_that_left_the_book_is_refused():
    found = read(a_filing(GOOD), structs.replace(YEAR, series=("城镇新增就业", "失业率")))
    assert len(found.observations) == 2
    assert [(it.reason, it.text) for it in found.refusals] == [(Refused.UNKNOWN_ROW, "社保基金收入（册中已无此目标）")]


def test_a_form_of_another_book_is_refused_as_a_whole():
    found = read(a_filing(GOOD, book="other-2024"), structs.replace(YEAR, book="b"))
    assert len(found.observations) == 0
    (refusal,) = found.refusals
    assert refusal.reason is Refused.WRONG_FORM
    assert "other-2024" in refusal.text
    assert read(a_filing(GOOD), structs.replace(YEAR, book="b")).refusals == ()


def test_last_months_form_with_another_month_written_over_it_is_refused():
    def november(book):
        for row in book.worksheets[0].iter_rows(max_row=3):
            for cell in row:
                if str(cell.value or "").startswith(OF_PERIOD):
                    cell.value = f"{OF_PERIOD} 2025年11月"

    (refusal,) = read(a_filing(GOOD, edit=november)).refusals
    assert refusal.reason is Refused.WRONG_FORM
    assert "2025年11月" in refusal.text
    assert "2025年10月" in refusal.text


def test_a_note_that_names_another_unit_is_only_a_note():
    assert read(a_filing({**GOOD, "fees": {VALUE: 3, NOTE: f"{OF_PERIOD}2025年9月"}})).refusals == ()


def _tamper(book):
    cell = book[HIDDEN].cell(2, 1)
    cell.value = cell.value[:-4] + ("AAAA" if not cell.value.endswith("AAAA") else "BBBB")


@pytest.mark.parametrize(
    ("edit", "word"),
    [
        (_tamper, "tampered form"),
        (lambda book: book.remove(book[HIDDEN]), "not a filing form"),
        (lambda book: book.worksheets[0].delete_cols(7), "missing column"),
    ],
)
def test_what_is_no_form_any_more_says_so(edit, word):
    content = a_filing(GOOD, edit=edit)
    with pytest.raises(ConnectorError, match=word) as caught:
        filed(content, "表.xlsx", MOST)
    assert caught.value.reason is Failure.MISCONFIGURED
    assert caught.value.__cause__ is None


def test_a_password_is_named():
    with pytest.raises(ConnectorError, match="password"):
        filed(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "表.xlsx", MOST)


def test_a_workbook_that_unpacks_to_too_much_is_not_read():
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", bytes(2 << 20))
    with pytest.raises(ConnectorError) as caught:
        filed(kept.getvalue(), "表.xlsx", 1 << 20)
    assert caught.value.reason is Failure.TOO_LARGE


def test_of_two_filings_the_later_counts_and_what_it_leaves_blank_stays(tmp_path):
    put(tmp_path / "in", "z.xlsx", a_filing(GOOD), 0)
    put(tmp_path / "in", "a.xlsx", a_filing({"urban-jobs": 4200}), 1)
    found = connector(tmp_path).fetch(YEAR)
    assert values(found) == {"城镇新增就业": 4200, "失业率": 5.2, "社保基金收入": 3.25}
    assert found.left_out[LeftOut.SUPERSEDED] == 1
    assert found.document == "in/"
    assert found.observations.set_index("series")["cell"]["城镇新增就业"].startswith("a.xlsx ")
    assert {original.name for original in found.originals} == {"a.xlsx", "z.xlsx", "files.txt"}


def test_a_form_that_changes_or_goes_is_not_remembered(tmp_path):
    source = connector(tmp_path)
    put(tmp_path / "in", "a.xlsx", a_filing({"urban-jobs": 1}))
    assert values(source.fetch(YEAR)) == {"城镇新增就业": 1}
    put(tmp_path / "in", "a.xlsx", a_filing({"urban-jobs": 2}))
    assert values(source.fetch(YEAR)) == {"城镇新增就业": 2}
    (tmp_path / "in" / "a.xlsx").unlink()
    assert values(source.fetch(YEAR)) == {}


def test_a_refusal_ends_with_the_filing_that_mends_it(tmp_path):
    put(tmp_path / "in", "1.xlsx", a_filing({**GOOD, "fees": "大约三"}), 0)
    assert [it.text for it in connector(tmp_path).fetch(YEAR).refusals] == ["大约三"]
    put(tmp_path / "in", "2.xlsx", a_filing({"fees": 3}), 1)
    found = connector(tmp_path).fetch(YEAR)
    assert found.refusals == ()
    assert values(found)["社保基金收入"] == 3
    put(tmp_path / "in", "3.xlsx", a_filing({"fees": "三多"}), 2)
    found = connector(tmp_path).fetch(YEAR)
    assert [it.text for it in found.refusals] == ["三多"]


def test_a_file_that_is_no_form_stops_no_other(tmp_path):
    put(tmp_path / "in", "1.xlsx", b"words")
    put(tmp_path / "in", "2.xlsx", a_filing(GOOD))
    put(tmp_path / "in", "~$2.xlsx", b"lock")
    found = connector(tmp_path).fetch(YEAR)
    assert len(found.observations) == 3
    assert [(it.reason, it.cell) for it in found.refusals] == [(Refused.BROKEN_FILE, "1.xlsx")]


def test_an_empty_folder_has_no_figures_and_no_folder_is_an_error(tmp_path):
    with pytest.raises(ConnectorError, match="no such folder"):
        connector(tmp_path).fetch(YEAR)
    (tmp_path / "in").mkdir()
    assert len(connector(tmp_path).fetch(YEAR).observations) == 0


@pytest.mark.parametrize(
    "options", [{"path": "in/a.xlsx"}, {"path": "*/*.xlsx"}, {"path": "in/*.xlsx", "receipts": "."}]
)
def test_a_path_that_is_no_folder_of_forms_is_an_error(options):
    with pytest.raises(strict.Wrong, match="bad path|bad receipts"):
        strict.read(FilingWorkbook.Options, options)


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


@given(st.lists(st.builds(Line, texts, texts, texts, texts, texts), max_size=4), texts)
def test_a_form_comes_out_of_its_seal_as_it_went_in(lines, unit):
    form = a_form(unit=unit)
    form = replace(form, lines=tuple(lines))
    assert opened(sealed(form)) == form


def test_a_long_form_takes_several_cells_and_one_too_long_is_refused():
    def many(count):
        return replace(a_form(), lines=tuple(replace(JOBS, key=f"{i * 7919 % 1_000_003:x}-{i}") for i in range(count)))

    texts = sealed(many(5000))
    assert len(texts) > 2
    assert max(map(len, texts)) <= 30_000
    assert len(opened(texts).lines) == 5000


def test_a_note_is_kept_with_its_row_and_is_no_figure():
    filing = filed(a_filing({"fees": {NOTE: "=1+1"}}), "表.xlsx", MOST)
    (entry,) = [entry for entry in filing.entries if entry.line == FUND]
    assert not entry.filled
    assert Counter(entry.filled for entry in filing.entries) == {False: 3}
    assert read(a_filing({"fees": NIL})).observations["status"].tolist() == [NIL_CODE]
    assert RATE.key in rows(openpyxl.load_workbook(io.BytesIO(a_filing({}))).worksheets[0])
