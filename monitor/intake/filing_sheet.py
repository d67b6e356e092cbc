"""How a filing form looks: the workbook that a unit fills in, and the same as a receipt. What is stated stays text."""

from collections import defaultdict
from collections.abc import Mapping
from io import BytesIO
from typing import Any, NamedTuple

from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Border, Font, PatternFill, Protection, Side
from openpyxl.utils import get_column_letter
from openpyxl.workbook.protection import WorkbookProtection
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from connectors.filing_form import (
    HIDDEN,
    KEY,
    LAST,
    NAME,
    NOTE,
    OF_PERIOD,
    OF_UNIT,
    SCOPE,
    STATUS,
    SUBJECT,
    UNIT,
    VALUE,
    Form,
    Line,
    sealed,
)

RESULT, REASON = "结果", "原因与改正办法"
STATUSES = ("核定数", "初步数", "无报送事项")
_COLUMNS = {KEY: 12, NAME: 26, SUBJECT: 12, UNIT: 10, SCOPE: 34, LAST: 22, VALUE: 16, STATUS: 13, NOTE: 28}
_ADDED = {RESULT: 10, REASON: 46}
_INPUT = (VALUE, STATUS, NOTE)
_HEAD = 4
_HOW = (
    "填报说明：1. 只填浅黄色各格，其余各格已锁定。2. 本期数只填数字，计量单位、口径以本行所列为准；百分数填 5.2 即 5.2%。"
    "3. 状态可不选，即为核定数；本期确无报送事项的选“无报送事项”，本期数留空；“无”不是 0。"
    "4. 数据有变化的，改后重报本表，以最后报送的为准。"
)
_GREEN, _RED, _YELLOW, _GREY = (PatternFill("solid", start_color=it) for it in ("C6EFCE", "FFC7CE", "FFF9DB", "E7E6E6"))
_THIN = Side(style="thin", color="999999")
_BORDER = Border(left=_THIN, right=_THIN, top=_THIN, bottom=_THIN)
_FAR = 1e15


class Mark(NamedTuple):
    """What became of one row: what was filled in, whether it was taken (None: nothing was stated), and the words."""

    value: Any
    status: str
    note: str
    taken: bool | None
    words: str


class Receipt(NamedTuple):
    """What became of a filing: ``marks`` by the key of their line, ``strangers`` are (words, reason) of rows that answer none."""

    marks: Mapping[str, Mark]
    strangers: list[tuple[str, str]]
    summary: str


def workbook(form: Form, receipt: Receipt | None = None) -> bytes:
    """The form as an XLSX file; with ``receipt`` as it was filled in, each row coloured, and fit to be mended and filed again.

    Raises ValueError for a form that is too long.
    """
    book = Workbook()
    sheet = book.active
    sheet.title = "填报表" if receipt is None else "回执"
    columns = _COLUMNS | (_ADDED if receipt else {})
    place = {title: number for number, title in enumerate(columns, start=1)}
    _above(sheet, form, receipt, len(columns))
    for title, number in place.items():
        style(put(sheet, _HEAD, number, title), bold=True, fill=_GREY, center=True)
        letter = get_column_letter(number)
        sheet.column_dimensions[letter].width = columns[title]
        sheet.column_dimensions[letter].hidden = title == KEY or (
            title == SUBJECT and not any(line.subject for line in form.lines)
        )
    for row, line in enumerate(form.lines, start=_HEAD + 1):
        _row(sheet, row, line, place, receipt.marks.get(line.key) if receipt else None)
    last = _HEAD + len(form.lines)
    _validations(sheet, form, place)
    _below(sheet, last + 2, receipt, len(columns))
    _page(sheet, max(sheet.max_row, last + 2), len(columns))
    hidden = book.create_sheet(HIDDEN)
    for number, text in enumerate(sealed(form), start=1):
        put(hidden, number, 1, text)
    hidden.sheet_state = "veryHidden"
    book.security = WorkbookProtection(lockStructure=True)
    kept = BytesIO()
    book.save(kept)
    return kept.getvalue()


def _above(sheet: Worksheet, form: Form, receipt: Receipt | None, width: int) -> None:
    title = f"{form.title}{'填报表' if receipt is None else '填报回执'}"
    heading = put(sheet, 1, 1, title)
    heading.font, heading.alignment = Font(name="黑体", size=18), Alignment(horizontal="center", vertical="center")
    sheet.merge_cells(start_row=1, end_row=1, start_column=1, end_column=width)
    sheet.row_dimensions[1].height = 36
    for first, last, text in ((1, 5, f"{OF_UNIT}{form.unit}"), (6, width, f"{OF_PERIOD}{form.label}")):
        cell = put(sheet, 2, first, text)
        cell.font, cell.alignment = Font(name="宋体", size=12, bold=True), Alignment(vertical="center")
        sheet.merge_cells(start_row=2, end_row=2, start_column=first, end_column=last)
    sheet.row_dimensions[2].height = 22
    how = put(sheet, 3, 1, _HOW if receipt is None else receipt.summary)
    how.font, how.alignment = Font(name="宋体", size=10), Alignment(wrap_text=True, vertical="center")
    sheet.merge_cells(start_row=3, end_row=3, start_column=1, end_column=width)
    sheet.row_dimensions[3].height = 48


def _row(sheet: Worksheet, row: int, line: Line, place: Mapping[str, int], mark: Mark | None) -> None:
    told = {KEY: line.key, NAME: line.name, SUBJECT: line.subject, UNIT: line.unit, SCOPE: line.scope, LAST: line.last}
    if mark:
        result = {True: "已收", False: "未收", None: "未填"}[mark.taken]
        told |= {VALUE: mark.value, STATUS: mark.status, NOTE: mark.note, RESULT: result, REASON: mark.words}
    for title, number in place.items():
        cell = put(sheet, row, number, told.get(title, ""))
        style(cell, fill=_YELLOW if title in _INPUT else None, center=title in (UNIT, STATUS, RESULT))
        if title in _INPUT:
            cell.protection = Protection(locked=False)
        if mark and mark.taken is not None and title in (*_INPUT, RESULT, REASON):
            cell.fill = _GREEN if mark.taken else _RED
    longest = max(len(str(told.get(title, ""))) * 2 / _width(title) for title in (NAME, SCOPE, LAST, NOTE, REASON))
    sheet.row_dimensions[row].height = 18 * min(6, 1 + int(longest))


def _width(title: str) -> int:
    return (_COLUMNS | _ADDED)[title]


def _validations(sheet: Worksheet, form: Form, place: Mapping[str, int]) -> None:
    """Numbers of the kind and within the bounds of their row; a status from the list."""
    rows: dict[tuple[float | None, float | None, bool], list[int]] = defaultdict(list)
    for row, line in enumerate(form.lines, start=_HEAD + 1):
        rows[line.least, line.most, line.whole].append(row)
    letter = get_column_letter(place[VALUE])
    for (least, most, whole), found in rows.items():
        bounds = "至".join(f"{bound:g}" for bound in (least, most) if bound is not None)
        words = f"{'整数' if whole else '数字'}{_bounded(least, most, bounds)}"
        rule = DataValidation(
            type="whole" if whole else "decimal",
            operator="between",
            formula1=f"{-_FAR if least is None else least:.15g}",
            formula2=f"{_FAR if most is None else most:.15g}",
            allow_blank=True,
            showErrorMessage=True,
            errorTitle="本期数",
            error=f"请填{words}，不要写计量单位。确无报送事项的，留空并在“状态”中选“无报送事项”。",
        )
        for row in found:
            rule.add(f"{letter}{row}")
        sheet.add_data_validation(rule)
    statuses = DataValidation(
        type="list",
        formula1=f'"{",".join(STATUSES)}"',
        allow_blank=True,
        showErrorMessage=True,
        errorTitle="状态",
        error=f"请从列表中选：{'、'.join(STATUSES)}；核定数可留空。",
    )
    letter = get_column_letter(place[STATUS])
    statuses.add(f"{letter}{_HEAD + 1}:{letter}{_HEAD + len(form.lines)}")
    sheet.add_data_validation(statuses)


def _bounded(least: float | None, most: float | None, bounds: str) -> str:
    if least is None and most is None:
        return ""
    if most is None:
        return f"（不小于 {bounds}）"
    return f"（不大于 {bounds}）" if least is None else f"（{bounds}）"


def _below(sheet: Worksheet, row: int, receipt: Receipt | None, width: int) -> None:
    for words, reason in receipt.strangers if receipt else ():
        cell = put(sheet, row, 2, f"未收：{words}；{reason}")
        cell.fill, cell.font = _RED, Font(name="宋体", size=11)
        sheet.merge_cells(start_row=row, end_row=row, start_column=2, end_column=width)
        row += 1
    signed = put(sheet, row, 2, "填表人：　　　　　　审核人：　　　　　　联系电话：")
    signed.font, signed.protection = Font(name="宋体", size=11), Protection(locked=False)
    sheet.merge_cells(start_row=row, end_row=row, start_column=2, end_column=6)


def _page(sheet: Worksheet, rows: int, width: int) -> None:
    sheet.freeze_panes = sheet.cell(_HEAD + 1, 3)
    sheet.protection.sheet = True
    sheet.protection.formatColumns = sheet.protection.formatRows = False  # allowed
    sheet.print_area = f"A1:{get_column_letter(width)}{rows}"
    sheet.print_title_rows = f"{_HEAD}:{_HEAD}"
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", sheet.PAPERSIZE_A4
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_options.horizontalCentered = True
    sheet.oddFooter.center.text = "第 &P 页，共 &N 页"


def put(sheet: Worksheet, row: int, column: int, content: Any) -> Cell:
    """A number as it is; anything else as a text that no program takes for a formula."""
    cell = sheet.cell(row, column)
    if isinstance(content, int | float) and not isinstance(content, bool):
        cell.value = content
    elif content:
        cell.value = ILLEGAL_CHARACTERS_RE.sub("", str(content))
        cell.data_type = "s"
        cell.quotePrefix = cell.value.startswith(("=", "+", "-", "@"))
    return cell


def style(cell: Cell, *, bold: bool = False, fill: PatternFill | None = None, center: bool = False) -> None:
    cell.font, cell.border = Font(name="宋体", size=11, bold=bold), _BORDER
    cell.alignment = Alignment(wrap_text=True, vertical="center", horizontal="center" if center else None)
    if fill:
        cell.fill = fill
