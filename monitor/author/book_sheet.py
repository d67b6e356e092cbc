"""How a book looks as a workbook: what may be edited is open, the rest is locked; and what it looked like is kept in it."""

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import NamedTuple

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Border, Font, PatternFill, Protection, Side
from openpyxl.utils import get_column_letter
from openpyxl.workbook.protection import WorkbookProtection
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from monitor.intake.filing_sheet import put
from rules.calendar import Every
from rules.table import ITEMS, SUBJECTS, TARGETS, TITLES, Column, Table
from rules.target import Book, Measure
from rules.wording import MEASURES

HIDDEN = "_duban"
"""The sheet in which the tables as exported lie, in texts below each other."""
ABOUT = "说明"
HEAD = 3
"""The row of the headings."""

_FORMAT = "duban-book-1"
_PIECE = 30_000  # characters: a cell holds 32,767
_MOST = 64 << 20
_SPARE = 30  # rows for what is added
_WIDTHS = {
    "id": 20, "item": 6, "name": 24, "words": 26, "measure": 12, "every": 9, "goal": 22, "meaning": 34, "expect": 16,
    "published": 24, "yellow": 18, "red": 22, "not before": 9, "clear": 14, "clear for": 9, "lead": 18, "responsible": 22,
    "reporter": 12, "source": 12, "series": 14, "section": 22, "text": 70, "subject": 16,
}  # fmt: skip
_SUBJECT_WIDTH = 16
_THRESHOLDS = (
    "behind 5%：落后应完成数超过5%\nbehind 3 points：落后超过3个百分点\nbehind 10 天：按计量单位\n"
    "below 6 %、above 5.5 %：数值低于、高于\nperiod below 80%：当期任务完成不到80%\n末尾加 for 2：连续两期\n"
    "几条以分号隔开，任何一条达到即告警\nnever：不设此级"
)
_WORDS = {
    "id": "目标的编号：小写字母、数字、连字符。已有的不能改；新增目标写在表下空行，编号自定，不得重复。",
    "item": "所属事项的序号；写明后，牵头、责任单位由该事项继承。",
    "words": "目标所依据的原话，须一字不差地出现在该项原文中；可不写。",
    "goal": "at least 4500 人：不低于\nmore than 75 家：超过\nat most 5.5 %、less than 3 起：不超过、低于\n"
    "exactly 7 座：等于\nbetween 7.5 and 8 %：在两者之间\nabout 5 % within 0.2：左右\ndone by 2025-09-30：该日前完成\n"
    "签约 by 2025-03-31, 开工 by 2025-06-30：分阶段\nnone yet：未下达\n已有年中调整的，所列为最近一次的目标。",
    "meaning": "以文字写明现行的目标和阈值，只供对照，不导入。",
    "expect": "linear：按时间均匀推进\nworkdays：按工作日均匀推进\nseasonal：按往年各期平均占比\nlast year：按上年各期占比\n"
    "hold：各期都应达到\npath from 66：自年初的66逐期到目标\ncheckpoints {2025-06-30: 40%, 2025-12-31: 100%}：按节点",
    "published": "最迟何时报送，当日不算逾期：\n10 workdays after period：期末后第10个工作日\n18 days after period：期末后第18天\n"
    "day 15 of next month：次月15日\n后加 , January with February：1月与2月合并公布",
    "yellow": _THRESHOLDS,
    "red": _THRESHOLDS,
    "not before": "全年时间过此比例之后才判定，如 25%；可不写。",
    "clear": "好到什么程度才解除，写法同阈值，如 behind 3%；yellow 即不再达到黄色阈值。可不写。",
    "clear for": "连续几期达到解除条件才解除；可不写，即 1。",
    "lead": "几个单位以“、”隔开。清空即由所属事项继承。",
    "responsible": "几个单位以“、”隔开。清空即由所属事项继承。",
    "reporter": "报送数据的单位；不写即为牵头单位。",
    "source": "数据来源在册中的名称；不写即为本册的来源。",
    "series": "来源中的序列名；与目标名称相同的不写。",
}
_HOW = {
    TARGETS: "只改浅黄色各格。灰字为继承自事项、本册或缺省的规定，改写后即为该目标自己的规定；清空自己的规定即恢复继承。新增目标写在表下空行。写法见各列标题的批注和“说明”。",
    ITEMS: "只改浅黄色各格。此处改动牵头、责任单位，各目标没有另写的随之改动。事项请在 YAML 中增删。",
    SUBJECTS: "只填数，计量单位见列标题；留空为尚未下达。新增对象写在表下空行。",
}
_ABOUT = (
    "一、本工作簿由 duban book export 生成，列出本册现行的规定。改好后以 duban book import 文件名 查看改了什么；确认无误，再加 --write --by 姓名 --why 缘由 写入目标册。",
    "二、导入只改动改过的各格：目标册的注释、次序、其他写法原样保留；改动记入册内的改动记录。",
    "三、写错的不写入：逐条指出所在的工作表、单元格和改正办法，改好后重新导入。",
    "四、目标的数值年中调整的，导入时加 --since 日期：此前各期仍按原目标判定。更正录入错误的，不加。",
    "五、目标册在导出之后又有改动的，未在表中改过的各格以现在的目标册为准；同一格两边都改了而不相同的，不予导入，请重新导出后再改。",
    "六、删去目标、对象：撤销工作表保护（没有口令），删去整行，导入时加 --delete；不加的，只提示，不删去。",
    "七、编号、名称、原话、种类、频次、来源是目标的身份，已有的不能在表中改动，请改 YAML。新增的目标都须写明（原话、来源可不写）。",
    "八、请勿改动各表标题行；各格请填文字或数，不要写公式。",
)
_LISTS: dict[str, tuple[str, ...]] = {
    "measure": tuple(Measure),
    "every": tuple(Every),
    "expect": ("linear", "workdays", "seasonal", "last year", "hold"),
    "published": (
        "10 workdays after period",
        "15 workdays after period",
        "18 days after period, January with February",
        "25 days after period",
        "day 15 of next month",
    ),
    "yellow": ("behind 5%", "behind 10%", "behind 0 points", "behind 1 points", "period below 80%", "any breach", "never"),
    "red": ("behind 15%", "behind 15% for 2", "behind 20%", "behind 1 points", "period below 60%", "overdue", "any breach", "never"),
    "clear": ("yellow", "behind 3%", "behind 0%"),
    "clear for": ("1", "2", "3"),
}  # fmt: skip
_STRICT = ("measure", "every")
_UNITS = ("lead", "responsible", "reporter")

_SONG, _GREY_SONG = Font(name="宋体", size=10), Font(name="宋体", size=10, color="808080")
_OPEN, _HEADING = (PatternFill("solid", start_color=color) for color in ("FFF9DB", "E7E6E6"))
_THIN = Side(style="thin", color="999999")
_BORDER = Border(left=_THIN, right=_THIN, top=_THIN, bottom=_THIN)
_WRAP = Alignment(wrap_text=True, vertical="center")
_UNLOCKED = Protection(locked=False)


class Exported(NamedTuple):
    """What a workbook was made from: the book's id and, by table, the key of each heading and the cells of each row."""

    book: str
    columns: dict[str, dict[str, str]]
    tables: dict[str, dict[str, dict[str, str]]]


def workbook(book: Book, tables: Mapping[str, Table]) -> bytes:
    """The book as an XLSX file."""
    made = Workbook()
    made.remove(made.active)
    lists = _lists(book)
    for table in tables.values():
        _sheet(made.create_sheet(table.title), book, table, lists)
    _about(made.create_sheet(ABOUT), book)
    hidden = made.create_sheet(HIDDEN)
    told = Exported(
        book.id,
        {
            title: {one.title: one.key for one in table.columns if one.kind != "shown"}
            for title, table in tables.items()
        },
        {title: table.rows for title, table in tables.items()},
    )
    for row, text in enumerate(_sealed(told), start=1):
        put(hidden, row, 1, text)
    for column, words in enumerate(lists.values(), start=2):
        for row, text in enumerate(words, start=1):
            put(hidden, row, column, text)
    hidden.sheet_state = "veryHidden"
    made.security = WorkbookProtection(lockStructure=True)
    kept = BytesIO()
    made.save(kept)
    return kept.getvalue()


def opened(texts: Iterable[str]) -> Exported:
    """What the texts of ``HIDDEN`` keep. Raises ValueError where they were changed."""
    mark, *pieces = texts
    data = "".join(pieces)
    if mark != f"{_FORMAT} {_digest(data)}":
        raise ValueError("登记信息被改动")
    return Exported(*json.loads(zlib.decompressobj().decompress(base64.b64decode(data), _MOST)))


def _sealed(told: Exported) -> list[str]:
    data = base64.b64encode(zlib.compress(json.dumps(told).encode(), 9)).decode()
    return [f"{_FORMAT} {_digest(data)}", *(data[at : at + _PIECE] for at in range(0, len(data), _PIECE))]


def _digest(data: str) -> str:
    return hashlib.sha256(data.encode()).hexdigest()[:32]


def _lists(book: Book) -> dict[str, tuple[str, ...]]:
    """What may be chosen in the columns, the offices of the book among it."""
    offices = dict.fromkeys(unit for target in book.targets for unit in (*target.lead, *target.responsible))
    return {**_LISTS, "lead": tuple(offices), "source": tuple(book.sources)}


def _sheet(sheet: Worksheet, book: Book, table: Table, lists: Mapping[str, tuple[str, ...]]) -> None:
    width = len(table.columns)
    title = put(sheet, 1, 1, f"{book.title}（{table.title}）")
    title.font = Font(name="黑体", size=16)
    how = put(sheet, 2, 1, _HOW[table.title])
    how.font, how.alignment = _SONG, _WRAP
    sheet.merge_cells(start_row=2, end_row=2, start_column=1, end_column=min(width, 12))
    sheet.row_dimensions[1].height, sheet.row_dimensions[2].height = 28, 32
    for number, column in enumerate(table.columns, start=1):
        _heading(sheet, number, column, table.title)
    row = HEAD
    for row, (key, cells) in enumerate(table.rows.items(), start=HEAD + 1):
        _row(sheet, row, table, cells, key)
    spare = 0 if table.title == ITEMS else _SPARE
    for below in range(row + 1, row + 1 + spare):
        _row(sheet, below, table, {}, "")
    if table.title == SUBJECTS:
        _numbers(sheet, row + spare, width)
    else:
        _choices(sheet, row + spare, table, lists)
    _page(sheet, row, width, table)


def _heading(sheet: Worksheet, number: int, column: Column, table: str) -> None:
    cell = put(sheet, HEAD, number, column.title)
    cell.font, cell.fill, cell.border = Font(name="宋体", size=10, bold=True), _HEADING, _BORDER
    cell.alignment = Alignment(wrap_text=True, vertical="center", horizontal="center")
    words = _WORDS.get(column.key) if table != SUBJECTS else None
    if column.key == "measure":
        words = "\n".join(f"{measure}：{said}" for measure, said in MEASURES.items())
    elif column.key == "every":
        words = "\n".join(f"{one.value}：{one.text}" for one in Every)
    if words:
        cell.comment = Comment(words, "duban", width=360, height=24 + 18 * (words.count("\n") + 1 + len(words) // 60))
    sheet.column_dimensions[get_column_letter(number)].width = _width(column)


def _width(column: Column) -> int:
    return _WIDTHS.get(column.key, _SUBJECT_WIDTH)


def _row(sheet: Worksheet, row: int, table: Table, cells: Mapping[str, str], key: str) -> None:
    """A row of the table, or one that is still to be filled in."""
    for number, column in enumerate(table.columns, start=1):
        text = cells.get(column.key, "")
        figure = table.title == SUBJECTS and number > 1
        cell = put(sheet, row, number, float(text) if figure and text else text)
        cell.font, cell.border, cell.alignment = _SONG, _BORDER, _WRAP
        if column.kind == "open" or (not cells and column.kind == "identity"):
            cell.fill, cell.protection = _OPEN, _UNLOCKED
            if not figure:
                cell.number_format = "@"  # what is typed stays as it is: 25% is no 0.25, and = begins no formula
        if cells and column.kind == "open" and (key, column.key) not in table.own:
            cell.font = _GREY_SONG
    if table.title != SUBJECTS and cells:
        longest = max(_length(cells.get(column.key, "")) / _width(column) for column in table.columns)
        sheet.row_dimensions[row].height = 15 * min(8, 1 + int(longest))


def _length(text: str) -> int:
    """Columns that a text takes: a Chinese character takes two."""
    return sum(1 if character.isascii() else 2 for character in text)


def _choices(sheet: Worksheet, last: int, table: Table, lists: Mapping[str, tuple[str, ...]]) -> None:
    for number, column in enumerate(table.columns, start=1):
        key = "lead" if column.key in _UNITS else column.key
        if key not in lists or not lists[key]:
            continue
        letter = get_column_letter(2 + list(lists).index(key))
        rule = DataValidation(
            type="list",
            formula1=f"{HIDDEN}!${letter}$1:${letter}${len(lists[key])}",
            allow_blank=True,
            # Most lists only suggest: a threshold may be any phrase, and there may be several offices.
            showErrorMessage=column.key in _STRICT,
            errorTitle=column.title,
            error=f"请从列表中选：{'、'.join(lists[key])}"[:220],
        )
        place = get_column_letter(number)
        rule.add(f"{place}{HEAD + 1}:{place}{last}")
        sheet.add_data_validation(rule)


def _numbers(sheet: Worksheet, last: int, width: int) -> None:
    rule = DataValidation(
        type="decimal",
        operator="between",
        formula1="-1E+15",
        formula2="1E+15",
        allow_blank=True,
        showErrorMessage=True,
        errorTitle="目标",
        error="请只填数，不写计量单位；尚未下达的留空。",
    )
    rule.add(f"B{HEAD + 1}:{get_column_letter(max(2, width))}{last}")
    sheet.add_data_validation(rule)


def _about(sheet: Worksheet, book: Book) -> None:
    put(sheet, 1, 1, f"《{book.title}》修改说明").font = Font(name="黑体", size=16)
    for row, text in enumerate(_ABOUT, start=3):
        cell = put(sheet, row, 1, text)
        cell.font, cell.alignment = Font(name="宋体", size=11), _WRAP
        sheet.merge_cells(start_row=row, end_row=row, start_column=1, end_column=2)
        sheet.row_dimensions[row].height = 34
    row = len(_ABOUT) + 4
    for key, words in _WORDS.items():
        for number, text in enumerate((TITLES[key], words), start=1):
            cell = put(sheet, row, number, text)
            cell.font, cell.border, cell.alignment = Font(name="宋体", size=11, bold=number == 1), _BORDER, _WRAP
        lines = sum(1 + _length(line) // 88 for line in words.split("\n"))
        sheet.row_dimensions[row].height = 16 * lines + 4
        row += 1
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 14, 90
    sheet.protection.sheet = True
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True


def _page(sheet: Worksheet, last: int, width: int, table: Table) -> None:
    sheet.freeze_panes = sheet.cell(HEAD + 1, 4 if table.title == TARGETS else 2)
    sheet.protection.sheet = True
    for allowed in ("formatColumns", "formatRows", "autoFilter"):
        setattr(sheet.protection, allowed, False)
    sheet.auto_filter.ref = f"A{HEAD}:{get_column_letter(width)}{max(last, HEAD + 1)}"
    sheet.print_area = f"A1:{get_column_letter(width)}{max(last, HEAD + 1)}"
    sheet.print_title_rows = f"{HEAD}:{HEAD}"
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", sheet.PAPERSIZE_A3
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.oddFooter.center.text = "第 &P 页，共 &N 页"
