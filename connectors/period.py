"""Reads the periods and publication dates that people and providers write.

A period is known by its last day, so ``2025年前三季度``, ``2025Q3`` and
``2025-09`` all read as 2025-09-30. What can be understood in two ways
(``2025.1`` is January, or October that lost its zero) is refused, not guessed.
"""

import re
import unicodedata
from calendar import monthrange
from collections.abc import Callable
from datetime import date, datetime, timedelta, tzinfo

_CURE = "请写成 2025-10、2025年10月、2025年1—10月、2025Q3、2025年前三季度、2025年上半年、2025 或 2025-10-31"
_DAY_CURE = "请写成 2025-10-20 或 2025-10-20 09:30"
_DASHES = str.maketrans(dict.fromkeys("—–−‒―~〜至到", "-"))
_QUARTERS = {"一": 1, "二": 2, "三": 3, "四": 4, "1": 1, "2": 2, "3": 3, "4": 4}
_SERIALS = range(32874, 73051)  # Excel's day numbers of 1990-01-01 to 2099-12-31
_SERIAL_ZERO = date(1899, 12, 30)

_SINCE_JANUARY = re.compile(
    r"(?<![\d-])0?1月?-(?:[2-9]|1[0-2])(?!\d)|前[一二三四\d]|1-[2-4]季|一-[二三四]季|上半年|累计"
)

_YEAR = r"(?P<year>(?:19|20|21)\d\d)"
_CLOCK = r"(?P<clock>[T ]\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?(?P<zone>Z|[+-]\d\d:?\d\d)?)?"
_DAYS = (
    rf"{_YEAR}(?P<sep>[-/.])(?P<month>\d{{1,2}})(?P=sep)(?P<day>\d{{1,2}}){_CLOCK}",
    rf"(?:{_YEAR}年)?(?P<month>\d{{1,2}})月(?P<day>\d{{1,2}})[日号]?{_CLOCK}",
    rf"{_YEAR}(?P<month>\d\d)(?P<day>\d\d){_CLOCK}",
)


def _month(found: re.Match[str]) -> int:
    return int(found["month"])


def _months(found: re.Match[str]) -> int:
    last = int(found["month"])
    return last if found["start"] is None or 1 <= int(found["start"]) < last else 0


def _quarter(found: re.Match[str]) -> int:
    return 3 * _QUARTERS.get(found["quarter"], 0)


def _half(found: re.Match[str]) -> int:
    return {"上": 6, "1": 6, "下": 12, "2": 12}.get(found["half"], 0)


def _december(_found: re.Match[str]) -> int:
    return 12


# Each form of a period that is no single day, and what finds its last month (a month outside 1-12 is refused).
_FORMS: tuple[tuple[str, Callable[[re.Match[str]], int]], ...] = (
    (rf"{_YEAR}[-/](?P<month>\d{{1,2}})", _month),
    (rf"{_YEAR}\.(?P<month>\d\d|[2-9])", _month),
    (rf"{_YEAR}(?P<month>\d\d)", _month),
    (rf"(?:{_YEAR}[-年/. ])?(?:(?P<start>\d{{1,2}})月?-|前)?(?P<month>\d{{1,2}})个?月份?[底末]?(?:累计)?", _months),
    (rf"(?:{_YEAR}[-年/. ]?)?(?:前|第?[一1]-第?|第)?(?P<quarter>[一二三四\d])季度?(?:累计)?", _quarter),
    (rf"{_YEAR}年?[-/ ]?Q(?P<quarter>\d)", _quarter),
    (rf"(?P<quarter>\d)Q[-/]?{_YEAR}", _quarter),
    (rf"Q(?P<quarter>\d)[-/ ]?{_YEAR}", _quarter),
    (rf"(?:{_YEAR}年?)?(?P<half>[上下])半年", _half),
    (rf"{_YEAR}年?[-/]?H(?P<half>\d)", _half),
    (rf"{_YEAR}(?:年|年度|年?全年|年[底末])?", _december),
    (r"(?P<year>)(?:全年|年度|年[底末])", _december),
)


def period_end(text: str | date | float, year: int | None = None) -> date:
    """The last day of the period that ``text`` names.

    Numbers are years (2025), months (202510), days (20250920) or Excel's day
    numbers (45962). ``year`` is used where the text names none (``1—10月``).
    Raises ValueError, in Chinese with the cure, for what is no period, names
    no year, does not exist, or can be understood in two ways.
    """
    if isinstance(text, datetime):
        return text.date()
    if isinstance(text, date):
        return text
    if not isinstance(text, str):
        serial = _serial(text)
        return serial or period_end(_plain_number(text), year)
    words = _tidy(text)
    for pattern in _DAYS:
        if found := re.fullmatch(pattern, words):
            if found["zone"] in ("Z", "+00:00", "+0000"):
                raise ValueError(f"“{text}”是世界时，当地日期不明 (time in UTC): 请改用当地日期的字段")
            return _real_day(found, text, year)
    for pattern, last_month in _FORMS:
        if found := re.fullmatch(pattern, words):
            return _month_end(_year_of(found, text, year), last_month(found), text)
    if re.fullmatch(rf"{_YEAR}\.1", words):
        raise ValueError(f"“{text}”可能是1月，也可能是10月 (ambiguous month): 请写成 {words[:4]}-01 或 {words[:4]}-10")
    raise ValueError(f"看不懂期间“{text}” (bad period): {_CURE}")


def in_year(text: str | date | float, year: str | float, title: str = "") -> str | date | float:
    """``text`` with its year, where a column of years stands beside one of months; as it is where it names one.

    A bare number is a month or a quarter if the ``title`` of its column says so.
    """
    words = str(text) if isinstance(text, str) else ""
    if isinstance(text, int | float) and text in range(1, 13):
        words = f"{int(text)}{'月' if '月' in title else '季度' if '季' in title else ''}"
    elif words.strip().isdecimal():
        words = f"{words.strip()}{'月' if '月' in title else '季度' if '季' in title else ''}"
    if not words or re.match(r"\s*(?:19|20|21)\d\d", words):
        return text
    return f"{_plain_number(year) if isinstance(year, int | float) else year.strip().removesuffix('年')}年{words}"


def period_until(text: str | date | float, kind: str) -> str | date | float:
    """A day as the month, quarter or year (``kind``) that it stands for; what is no period as it is."""
    try:
        day = period_end(text)
    except ValueError:
        return text
    months = {"month": 1, "quarter": 3, "year": 12}[kind]
    month = -(-day.month // months) * months
    return date(day.year, month, monthrange(day.year, month)[1])


def since_january(text: str | date | float) -> bool:
    """Whether the words say that a figure runs from January on: ``1—10月``, ``前三季度``, ``上半年``, ``累计``."""
    return isinstance(text, str) and bool(_SINCE_JANUARY.search(_tidy(text)))


def period_in(text: str) -> str:
    """The longest period that names its year in a title such as ``2025年1—10月主要指标``; ``text`` where there is none."""
    for found in re.finditer(r"(?:19|20|21)\d\d", text):
        for end in range(len(text), found.end(), -1):
            try:
                period_end(text[found.start() : end])
            except ValueError:
                continue
            return text[found.start() : end]
    return text


def moment(text: str | date | float, zone: tzinfo) -> datetime | None:
    """When a figure became known, aware; None for an empty text.

    A plain date means 00:00 of that day in ``zone``; a time without an offset
    is a time of ``zone``. Raises ValueError, in Chinese with the cure, for
    what is no date: a month (``2025-10``) does not say on which day.
    """
    if isinstance(text, datetime):
        return text if text.tzinfo else text.replace(tzinfo=zone)
    if isinstance(text, date):
        return _midnight(text, zone)
    if not isinstance(text, str):
        serial = _serial(text)
        return _midnight(serial, zone) if serial else moment(_plain_number(text), zone)
    words = _tidy(text)
    if not words:
        return None
    for pattern in _DAYS:
        found = re.fullmatch(pattern, words)
        if found and found["year"]:
            day = _real_day(found, text, None)
            if not found["clock"]:
                return _midnight(day, zone)
            try:
                at = datetime.fromisoformat(f"{day}T{found['clock'][1:].zfill(5)}")
            except ValueError:
                break
            return at if at.tzinfo else at.replace(tzinfo=zone)
    raise ValueError(f"看不懂发布日期“{text}” (bad date): {_DAY_CURE}")


def _tidy(text: str) -> str:
    """Half width, capitals, one kind of dash, no blanks but a single one between two digits (``2025 1`` is not 20251)."""
    words = re.sub(r"-+", "-", unicodedata.normalize("NFKC", text).translate(_DASHES)).strip().upper()
    return re.sub(r"(?<!\d)\s+|\s+(?!\d)", "", re.sub(r"\s+", " ", words))


def _plain_number(number: float) -> str:
    return str(int(number)) if isinstance(number, int) or number.is_integer() else repr(number)


def _serial(number: float) -> date | None:
    """The day behind Excel's day number (its fraction is the time of day), None for any other number."""
    return _SERIAL_ZERO + timedelta(days=int(number)) if number // 1 in _SERIALS else None


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _year_of(found: re.Match[str], text: str, year: int | None) -> int:
    if found["year"]:
        return int(found["year"])
    if year is None:
        raise ValueError(f"期间“{text}”没有年份 (no year): 请在文字里写明年份，如 2025年10月，或在配置里写 year")
    return year


def _month_end(year: int, month: int, text: str) -> date:
    try:
        return date(year, month, monthrange(year, month)[1])
    except ValueError:
        raise ValueError(f"期间“{text}”不存在 (no such period): {_CURE}") from None


def _real_day(found: re.Match[str], text: str, year: int | None) -> date:
    in_year = _year_of(found, text, year)
    try:
        return date(in_year, int(found["month"]), int(found["day"]))
    except ValueError:
        raise ValueError(f"日期“{text}”不存在 (no such date): {_DAY_CURE}") from None
