"""A filing form: what a unit is asked for, and how the workbook itself keeps that, so that it is known when it returns."""

import base64
import hashlib
import json
import unicodedata
import zlib
from dataclasses import asdict, dataclass

KIND = "filing"
"""The kind of the sources that read them."""
HIDDEN = "_duban"
"""The sheet in which the form lies, in texts below each other."""
KEY, NAME, SUBJECT, UNIT, SCOPE = "目标编号", "名称", "对象", "计量单位", "口径"
LAST, VALUE, STATUS, NOTE = "上期数", "本期数", "状态", "说明"
OF_UNIT, OF_PERIOD = "填报单位：", "所属期："
"""What stands before the unit's and the period's name above the table."""

_FORMAT = "duban-filing-1"
_PIECE = 30_000  # characters: a cell holds 32,767
_PIECES = 90  # rows that are read to find a header are read here too
_UNPACKED = 64 << 20


@dataclass(frozen=True, slots=True)
class Line:
    """One figure that is asked for.

    ``key`` names it within the form; ``scope`` says what it counts, ``last`` what was filed before, both as shown.
    A figure is not below ``least`` nor above ``most`` (None: no bound), and comes ``whole`` or not.
    """

    key: str
    series: str
    subject: str
    name: str
    unit: str
    scope: str = ""
    last: str = ""
    least: float | None = None
    most: float | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """All that ``unit`` owes to one source (``book/name``) for one period: ``period`` is its last day (ISO)."""

    book: str
    title: str
    source: str
    unit: str
    period: str
    label: str
    lines: tuple[Line, ...]


def sealed(form: Form) -> list[str]:
    """The form as texts for ``HIDDEN``: the first tells whether the others are as they were made. ValueError if it is too long."""
    data = base64.b64encode(zlib.compress(json.dumps(asdict(form)).encode(), 9)).decode()
    pieces = [data[start : start + _PIECE] for start in range(0, len(data), _PIECE)]
    if len(pieces) > _PIECES:
        raise ValueError(f"{form.unit} 的填报表有 {len(form.lines)} 行，过长 (too long)；请分设来源")
    return [f"{_FORMAT} {_digest(data)}", *pieces]


def opened(texts: list[str]) -> Form:
    """The form behind ``sealed`` texts. Raises ValueError where they were changed."""
    mark, data = "".join(texts[:1]), "".join(texts[1:])
    if mark != f"{_FORMAT} {_digest(data)}":
        raise ValueError("登记信息被改动")
    told = json.loads(zlib.decompressobj().decompress(base64.b64decode(data), _UNPACKED))
    lines = tuple(Line(**line) for line in told.pop("lines"))
    return Form(**told, lines=lines)


def plain(text: str) -> str:
    """Words as they are compared: in half width, without blanks."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def _digest(data: str) -> str:
    return hashlib.sha256(data.encode()).hexdigest()[:32]
