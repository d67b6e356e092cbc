"""The nouns of stage 1: what is asked of a source, what it answered, what was refused.

A figure travels as one row of a frame, because a source may answer with one
figure or with 430,000. A period is known by its **last day**: the figures of
September, of the third quarter and of January to September all end on
30 September, and a figure is judged at the end of its own period.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("series", "subject", "period", "value", "unit", "known_at", "cell", "status")


class Status(StrEnum):
    """What a source says of a figure: 核定, 初步数, or 无: there is nothing to report for the period, and no figure."""

    FINAL = "final"
    PARTIAL = "partial"
    NIL = "nil"

    @property
    def text(self) -> str:
        """In Chinese, where it has to be said: a final figure is a plain figure."""
        return _TEXTS[self]


_TEXTS = {Status.FINAL: "", Status.PARTIAL: "初步数", Status.NIL: "无报送事项"}


_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
STATUSES = tuple(Status)
"""What the codes of a column ``status`` stand for."""
FINAL, PARTIAL, NIL = range(len(STATUSES))


class Query(Struct, frozen=True):
    """What a pull asks for: figures of ``first`` to ``last`` (inclusive period ends) as published at ``at``.

    ``series`` are the names that the books read from this source; a connector
    may answer with more, and must not answer with figures known after ``at``
    where the source says when they became known. ``book`` is the book that asks.
    """

    at: datetime
    first: date
    last: date
    series: tuple[str, ...] = ()
    book: str = ""


class Observation(NamedTuple):
    """One published figure.

    ``value`` is in ``unit`` as the source states it ("" where it states none),
    ``known_at`` the moment of publication (aware) or None where the source does
    not say, ``cell`` the place inside the document (``第12行``, ``Sheet1!C7``,
    ``$.data[3]``). A nil report has no number: its ``value`` is NaN.
    """

    series: str
    subject: str
    period: date
    value: float
    unit: str
    known_at: datetime | None
    cell: str
    status: Status = Status.FINAL


class Refused(StrEnum):
    """Why a figure was not taken. The same word is stored, logged and counted."""

    NOT_A_NUMBER = "not_a_number"
    BAD_PERIOD = "bad_period"
    BAD_DATE = "bad_date"
    BAD_STATUS = "bad_status"
    FUTURE_PERIOD = "future_period"
    UNKNOWN_SERIES = "unknown_series"
    UNKNOWN_UNIT = "unknown_unit"
    WRONG_DIMENSION = "wrong_dimension"
    TORN_ROW = "torn_row"
    CONFLICT = "conflict"
    NO_RESULT = "no_result"
    BROKEN_FILE = "broken_file"
    WRONG_FORM = "wrong_form"
    UNKNOWN_ROW = "unknown_row"
    UNKNOWN_SUBJECT = "unknown_subject"
    OUT_OF_RANGE = "out_of_range"
    WRONG_SCALE = "wrong_scale"
    CUMULATIVE_FELL = "cumulative_fell"
    JUMP = "jump"
    REPEATED = "repeated"
    MISLABELLED = "mislabelled"

    @property
    def said(self) -> str:
        """What is wrong, in Chinese."""
        return _WORDS[self][0]

    @property
    def cure(self) -> str:
        """How to mend it, for the person who typed the figure."""
        return _WORDS[self][1]


_WORDS = {
    Refused.NOT_A_NUMBER: ("不是数值", "请填写数字，无数据请留空"),
    Refused.BAD_PERIOD: ("期间无法识别", "请写作 2025-10、2025Q3 或 2025-10-31"),
    Refused.BAD_DATE: ("发布日期无法识别", "请写作 2025-10-20"),
    Refused.BAD_STATUS: ("状态无法识别", "请写作 核定、初步数 或 无，正式数据可留空"),
    Refused.FUTURE_PERIOD: ("期间尚未到来", "请核对期间"),
    Refused.UNKNOWN_SERIES: ("没有指标名称", "请补填"),
    Refused.UNKNOWN_UNIT: ("计量单位与该序列已入库的不同", "请改回，或另立指标"),
    Refused.WRONG_DIMENSION: ("计量单位或对象与目标不符", "请核对"),
    Refused.TORN_ROW: ("行列错位", "请检查是否多了分隔符"),
    Refused.CONFLICT: ("同一数据前后不一", "请只留一个"),
    Refused.NO_RESULT: ("公式无结果", "请用 Excel 打开后保存，或填写数值"),
    Refused.BROKEN_FILE: ("文件读不出", "请按所说改正后重新放入"),
    Refused.WRONG_FORM: ("不是本册本期的填报表", "请用为本册本期生成的填报表填报"),
    Refused.UNKNOWN_ROW: ("与填报表所列目标对不上", "请勿改动编号和名称，在原行填写"),
    Refused.UNKNOWN_SUBJECT: ("目标册中没有这一对象", "请核对名称，或在对象表中补列"),
    Refused.OUT_OF_RANGE: ("超出可能的范围", "请核对数值，确属无误的请放行"),
    Refused.WRONG_SCALE: ("疑为万、亿错位", "请核对计量单位，确属无误的请放行"),
    Refused.CUMULATIVE_FELL: ("累计数较前期减少", "请核对是否填了当期数，确属无误的请放行"),
    Refused.JUMP: ("较前期骤变", "请核对数值，确属无误的请放行"),
    Refused.REPEATED: ("与上期数据完全相同，疑为旧数据", "请核对来源是否已更新，确属无误的请放行"),
    Refused.MISLABELLED: ("疑错标一期", "请核对来源的期间是所属期还是发布期，确属无误的请放行"),
}


def storable(text: str) -> str:
    """``text`` with U+FFFD for what no database keeps: NUL, and halves of characters, which JSON may hold."""
    return _UNSTORABLE.sub("\ufffd", text)


def where(document: str, cell: str) -> str:
    """Where a figure was read, in one line. A document that is a folder ends in ``/``; its cells begin with the file."""
    return f"{document}{cell}" if document.endswith("/") else f"{document} {cell}"


class Refusal(Struct, frozen=True):
    """A figure that stays outside the store, with its place and the words found there.

    ``period``, ``value`` and ``unit`` are given where the figure itself could be read.
    """

    cell: str
    reason: Refused
    text: str
    series: str = ""
    subject: str = ""
    period: date | None = None
    value: float | None = None
    unit: str = ""
    status: Status = Status.FINAL

    def line(self, document: str) -> str:
        """One line with the place and the cure."""
        return f"{where(document, self.cell)}：“{self.text}”{self.reason.said}，{self.reason.cure} ({self.reason})"


class LeftOut(StrEnum):
    """Why a cell that was read is neither a figure nor refused."""

    BLANK = "blank"
    NOTE = "note"
    SKIPPED = "skipped"
    OUTSIDE = "outside"
    UNPUBLISHED = "unpublished"
    REPEATED = "repeated"
    SUPERSEDED = "superseded"

    @property
    def said(self) -> str:
        """The same in Chinese."""
        return _LEFT_OUT[self]


_LEFT_OUT = {
    LeftOut.BLANK: "无数据",
    LeftOut.NOTE: "表下注释",
    LeftOut.SKIPPED: "按 skip 略去",
    LeftOut.OUTSIDE: "不在所问期间",
    LeftOut.UNPUBLISHED: "尚未公布",
    LeftOut.REPEATED: "重复",
    LeftOut.SUPERSEDED: "已由较新的文件更新",
}


class Original(NamedTuple):
    """A file as it was read: its name, its SHA-256, and where it lies, or its bytes."""

    name: str
    digest: str
    content: Path | bytes


class Reading(Struct, frozen=True):
    """The answer of one source to one query.

    ``observations`` has the columns ``COLUMNS``: str, str, datetime64 (midnight
    of the period's last day), float64 (NaN for nil), str, datetime64 UTC (NaT
    where the source does not say), ``Places``, int8 (its place in ``STATUSES``).
    ``document`` names the file or address read, ``digest`` is the SHA-256 of
    its bytes. ``left_out`` counts figures that are neither observations nor
    refused; ``unread`` names what the source holds and nobody asked for;
    ``originals`` are the files behind it all.
    """

    observations: "pd.DataFrame"
    refusals: tuple[Refusal, ...]
    document: str
    digest: str
    left_out: Mapping[LeftOut, int] = {}
    unread: tuple[str, ...] = ()
    originals: tuple[Original, ...] = ()


def refuse(rows: "pd.DataFrame", reasons: Iterable[Refused]) -> list[Refusal]:
    """The figures of ``rows`` (columns ``COLUMNS``) refused, each for its reason."""
    return [
        Refusal(cell, reason, f"{value:.15g}{unit}", series, subject, period.date(), value, unit, STATUSES[status])
        if status != NIL
        else Refusal(cell, reason, "无", series, subject, period.date(), None, unit, Status.NIL)
        for series, subject, period, value, unit, _, cell, status, reason in zip(
            *(rows[name] for name in COLUMNS), reasons, strict=True
        )
    ]


def frame(rows: Iterable[Observation]) -> "pd.DataFrame":
    """Put single observations into the columns of ``Reading.observations``."""
    import pandas as pd  # who only judges figures need not load it

    from connectors.places import Places

    table = pd.DataFrame(list(rows), columns=list(COLUMNS))
    return table.astype({"series": "str", "subject": "str", "value": "float64", "unit": "str"}).assign(
        period=pd.to_datetime(table["period"]).astype("datetime64[s]"),
        known_at=pd.to_datetime(table["known_at"], utc=True).astype("datetime64[us, UTC]"),
        cell=Places.of(table["cell"]),
        status=table["status"].map({status: code for code, status in enumerate(STATUSES)}).astype("int8"),
    )
