"""The source kind ``filing``: filing forms that units filled in and put into a folder."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from msgspec import Meta
from msgspec.structs import replace

from connectors.base import ConnectorError, Failure, Options
from connectors.drop_folder import dropped, incomplete, is_pattern, read, read_each, together
from connectors.fields import Constants
from connectors.figures import Cells, Column, objects, reading
from connectors.filing_form import (
    HIDDEN,
    KEY,
    NAME,
    NOTE,
    OF_PERIOD,
    OF_UNIT,
    STATUS,
    SUBJECT,
    UNIT,
    VALUE,
    Form,
    Line,
    opened,
    plain,
)
from connectors.number import MISSING, number
from connectors.observation import LeftOut, Original, Query, Reading, Refusal, Refused, frame
from connectors.strict import Strict
from connectors.table_layout import Wanted, nearest_header
from connectors.table_sheet import Sheet
from connectors.table_xlsx import xlsx

_ENCRYPTED = b"\xd0\xcf\x11\xe0"  # Office wraps a workbook with a password, like one of before 2007, in this
_CLASSES = {"I": "1", "II": "2", "III": "3", "IV": "4", "V": "5"}
_OTHER_UNIT = re.compile(r"[+-]?[\d,. ]*\d\s*[^\d,.\s_]+")
_PERCENT = ("%", "个百分点")
_FIELDS = {"key": KEY, "name": NAME, "subject": SUBJECT, "unit": UNIT, "status": STATUS, "note": NOTE}
_NEEDED = (NAME, UNIT, VALUE, STATUS)


def _forms(path: str) -> str:
    if Path(path).name != "*.xlsx" or is_pattern(str(Path(path).parent)):
        raise ValueError(f"path 应为文件夹加 *.xlsx，如 in/*.xlsx，而不是 {path} (bad path)")
    return path


def _elsewhere(receipts: str) -> str:
    if Path(receipts) == Path():
        raise ValueError("回执不能与填报表同在一个文件夹 (bad receipts)；请另写一个文件夹")
    return receipts


class FilingOptions(Options):
    """A folder of returned forms, and the folder beside them in which each finds its receipt."""

    path: Annotated[str, _forms]  # the returned forms: a folder and *.xlsx, relative to the book
    receipts: Annotated[str, _elsewhere] = "回执"  # folder of the receipts, relative to that of the forms
    max_mb: Annotated[int, Meta(ge=1)] = 20  # megabytes of a form, and of what it unpacks to


class Entry(NamedTuple):
    """One row as filled in. ``line`` is what it answers, None where that cannot be told: ``trouble`` says why.

    ``value`` is a number, or the words found; ``strange`` are words that state another unit than the line's.
    """

    line: Line | None
    name: str
    value: Any
    status: str
    note: str
    cell: str
    strange: str = ""
    trouble: str = ""

    @property
    def filled(self) -> bool:
        """Whether anything is stated of a figure."""
        return bool(self.status) or str(self.value).strip() not in MISSING


@dataclass(frozen=True, slots=True)
class Filing:
    """A returned form and its rows in the order found. ``trouble`` says why none of it can be taken, "" if it can."""

    form: Form
    entries: tuple[Entry, ...]
    trouble: str = ""


class FilingWorkbook:
    """Reads all forms of the folder anew at each fetch; of those that answer the same line the one last put there counts."""

    Options: ClassVar[type[Strict]] = FilingOptions

    def __init__(self, options: FilingOptions, folder: Path) -> None:
        self.folder = folder / Path(options.path).parent
        self.receipts = self.folder / options.receipts
        self.most = options.max_mb << 20
        self._path, self._base = options.path, folder
        self._seen: dict[str, Filing] = {}  # by digest: a year's forms are not taken apart again at every pull

    def files(self) -> list[Path]:
        """The forms that lie there, the latest last. Raises ConnectorError (NOT_FOUND)."""
        return dropped(self._base, self._path, (".xlsx",))

    def fetch(self, query: Query) -> Reading:
        """The figures of all forms. ConnectorError: NOT_FOUND. A form that cannot be read is refused, the others count."""
        readings, failures = read_each(self.files(), lambda file: self._read(file, query))
        here = {one.digest for one in readings}
        self._seen = {digest: filing for digest, filing in self._seen.items() if digest in here}
        return together(_without_mended(readings), failures, f"{Path(self._path).parent.as_posix()}/")

    def _read(self, file: Path, query: Query) -> Reading:
        data, fresh = read(file, self.most)
        digest = hashlib.sha256(data).hexdigest()
        try:
            filing = self._seen.get(digest) or filed(data, file.name, self.most)
        except ConnectorError as error:
            if fresh and error.reason is Failure.BAD_ANSWER:
                raise incomplete(file) from None
            raise
        self._seen[digest] = filing
        return replace(figures(filing, query, file.name, digest), originals=(Original(file.name, digest, file),))


def filed(data: bytes, document: str, most: int) -> Filing:
    """Read one returned form.

    Raises ConnectorError: BAD_ANSWER for bytes that are no workbook, MISCONFIGURED for a workbook that is no form,
    has a password or was tampered with, TOO_LARGE.
    """
    if data.startswith(_ENCRYPTED):
        raise _no_form(document, "设有打开密码，或是旧格式 (password)；请取消密码，另存为 .xlsx 后再报")
    sheet = xlsx(data, document, None, most)
    try:
        hidden = xlsx(data, document, HIDDEN, most)
    except ConnectorError as error:
        if error.reason is not Failure.MISCONFIGURED:
            raise
        raise _no_form(
            document,
            "不是填报表 (not a filing form)；请在 duban filing make 所生成的原文件中填写，不要另建或复制工作表",
        ) from None
    try:
        form = opened([str(cells[0].value) for _, cells in hidden.head if cells and cells[0].value])
    except ValueError:
        raise _no_form(document, "中的登记信息被改动 (tampered form)；请用 duban filing make 重新生成后填写") from None
    trouble = _of_another(form, sheet)
    return Filing(form, _entries(form, sheet, document), trouble)


def figures(filing: Filing, query: Query, document: str, digest: str) -> Reading:
    """The filing as an answer to ``query``."""
    trouble = filing.trouble or _of_another_book(filing.form, query)
    if trouble:
        return Reading(frame([]), (Refusal(document, Refused.WRONG_FORM, trouble),), document, digest)
    asked, unknown, lines = [], [], []
    for entry in filing.entries:
        if entry.line and (not query.series or entry.line.series in query.series):
            asked.append(entry)
            lines.append(entry.line)
        elif entry.filled:
            words = entry.trouble or f"{entry.name}（册中已无此目标）"
            unknown.append(Refusal(entry.cell, Refused.UNKNOWN_ROW, words))
    cells = Cells.rows(
        objects([entry.value for entry in asked]),
        lambda at: [asked[row].cell for row in at.tolist()],
        period=Column.of([filing.form.period] * len(asked)),
        series=Column.of([line.series for line in lines]),
        # Only where the form names subjects can a blank one be a slip.
        **({"subject": Column.of([line.subject for line in lines])} if any(line.subject for line in lines) else {}),
        unit=Column.of([line.unit for line in lines]),
        status=Column.of([entry.status for entry in asked]),
        strange=Column.of([entry.strange for entry in asked]),
    )
    answer = reading(cells, Constants(), query, document, digest)
    return replace(answer, refusals=(*answer.refusals, *unknown))


def _without_mended(readings: list[Reading]) -> list[Reading]:
    """Without the refusals of figures that a later form states anew."""
    stated: set[tuple[str, str, object]] = set()
    kept = []
    for one in reversed(readings):
        rows = one.observations
        open_still = tuple(
            it for it in one.refusals if not it.series or (it.series, it.subject, it.period) not in stated
        )
        mended = {LeftOut.SUPERSEDED: len(one.refusals) - len(open_still)}
        left_out = dict(+(Counter(one.left_out) + Counter(mended)))
        kept.append(replace(one, refusals=open_still, left_out=left_out))
        stated |= set(zip(rows["series"], rows["subject"], rows["period"].dt.date, strict=True))
        stated |= {(it.series, it.subject, it.period) for it in one.refusals}
    return kept[::-1]


def _entries(form: Form, sheet: Sheet, document: str) -> tuple[Entry, ...]:
    header = nearest_header(sheet.head, Wanted({}, [*_FIELDS.values(), VALUE], {}, None), sheet.merged)
    missing = [name for name in _NEEDED if len(header.find(name)) != 1]
    if missing:
        raise _no_form(document, f"没有列 {'、'.join(missing)} (missing column)；请勿删改表头")
    places = {field: found[0] for field, title in _FIELDS.items() if len(found := header.find(title)) == 1}
    (value,) = header.find(VALUE)
    table = sheet.table(header, places, [value])
    assert table.percent is not None
    cells = table.place(np.full(len(table.line), value), table.line)
    by_key, by_name = {line.key: line for line in form.lines}, _by_name(form)
    rows = []
    contents = map(_written, table.figures[0].tolist())
    for row, (content, percent, cell) in enumerate(zip(contents, table.percent[0], cells, strict=True)):
        words = {field: column.words(row) for field, column in table.fields.items()}
        line, trouble = _line(words, by_key, by_name)
        read, strange = _amount(content, line.unit, percent=bool(percent)) if line else (content, "")
        if line and words["unit"] and plain(words["unit"]) != plain(line.unit):
            strange = f"{content} {words['unit']}"
        status, note = words["status"], words.get("note", "")
        rows.append(Entry(line, words["name"], read, status, note, cell, strange, trouble))
    return tuple(row for row in rows if row.line or row.filled)


def _written(content: Any) -> Any:
    """A cell of a column of numbers as it stands there: nothing, a whole number, another, or words."""
    if not isinstance(content, float):
        return content
    return "" if np.isnan(content) else int(content) if content.is_integer() else content


def _line(
    words: Mapping[str, str], by_key: Mapping[str, Line], by_name: Mapping[tuple[str, ...], Line | None]
) -> tuple[Line | None, str]:
    """The line that a row answers, by its key, else by name and unit; or words why none can be told."""
    named = by_name.get(tuple(plain(words.get(field, "")) for field in ("name", "subject", "unit")))
    keyed = by_key.get(words.get("key", ""))
    if keyed and named and keyed != named:
        return None, f"{words['name']}（编号 {keyed.key} 属于“{keyed.name}{keyed.subject}”）"
    if keyed or named:
        return keyed or named, ""
    return None, " ".join(filter(None, (words["name"], words.get("subject", ""), words["unit"]))) or "没有名称的一行"


def _by_name(form: Form) -> dict[tuple[str, ...], Line | None]:
    """Lines by name, subject and unit; None where several are called the same."""
    found: dict[tuple[str, ...], Line | None] = {}
    for line in form.lines:
        called = (plain(line.name), plain(line.subject), plain(line.unit))
        found[called] = None if called in found else line
    return found


def _amount(content: Any, unit: str, *, percent: bool) -> tuple[Any, str]:
    """What stands in a cell as a number or words, without the unit of its line; and the words if they state another unit."""
    if not isinstance(content, str):
        return content, f"{content:.15g}%" if percent and unit not in _PERCENT else ""
    text = unicodedata.normalize("NFKC", content).strip()
    bare = text.removesuffix(unicodedata.normalize("NFKC", unit)).rstrip() if unit else text
    if unit == "位":
        bare = bare.removeprefix("第").lstrip()
    elif unit == "类":
        bare = _CLASSES.get(bare.upper(), bare)
    if bare.endswith("%") and unit not in _PERCENT:
        return content, content
    try:
        value = number(bare)
    except ValueError:
        return content, content if _OTHER_UNIT.fullmatch(bare) else ""
    return bare if value is None else value, ""


def _of_another(form: Form, sheet: Sheet) -> str:
    """Why the form is not what its first rows say: somebody wrote another unit or period over those it was made for."""
    for _, cells in sheet.head:
        texts = [plain(str(cell.value or "")) for cell in cells]
        if NAME in texts:
            break
        for text in texts:
            for label, made_for in ((OF_UNIT, form.unit), (OF_PERIOD, form.label)):
                if text.startswith(plain(label)) and text != plain(label + made_for):
                    return f"表头写“{text}”，而本表是为“{form.unit}，{form.label}”生成的"
    return ""


def _of_another_book(form: Form, query: Query) -> str:
    if query.book in ("", form.book):
        return ""
    return f"“{form.title}”（{form.book}）的填报表，{form.unit}，{form.label}"


def _no_form(document: str, words: str) -> ConnectorError:
    return ConnectorError(Failure.MISCONFIGURED, f"{document} {words}", retryable=False)
