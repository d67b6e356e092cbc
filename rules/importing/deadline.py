"""By when: 9月底前, 明年7月, 上半年, 2025年6月30日前, 5月底前动工."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date

from rules.importing.plain import plain

_YEAR = r"(?:(?P<year>20\d\d)年|(?P<next>明年|次年)|(?:今年|本年|当年))?"
_DAY = r"(?:(?P<day>\d{1,2})日|(?P<part>上旬|中旬|下旬|底|末|初)?)"
_MONTH = rf"(?P<month>1[0-2]|0?[1-9])月份?{_DAY}"
_QUARTER = r"第?(?P<quarter>[一二三四1-4])季度(?:末|底)?"
_HALF = r"(?P<half>上半年|前三季度)"
_END = r"(?:(?<=年)|(?<=[今明本]年)|(?<![\u4e00-\u9fff\d])[今本]?年|(?<=到)年)(?:底|末|内)"
_WHOLE = r"(?P<whole>全年|年内|年度内)"
_DOTTED = r"(?P<dy>20\d\d)[.\-/](?P<dm>1[0-2]|0?[1-9])(?:[.\-/](?P<dd>[0-3]?\d))?"
_LONG = r"(?P<long>长期|持续|常年|全年推进|按时序|适时)"
_ENDING = r"(?:(?:之|以)?前|以内|内|前完成)?"
_STAGES = r"完成前期|动工|开工|开建|投入使用|投入运营|投用|投产|完工|竣工|建成|完成|启动|通车|签约|验收|开园|开放|运行|交付|出台|印发|上线|主体封顶|封顶"
_TIME = re.compile(
    rf"(?:{_DOTTED}|{_YEAR}(?:{_MONTH}|{_QUARTER}|{_HALF}|{_END})|{_WHOLE}|{_LONG}){_ENDING}(?:(?:全面|正式|全部|基本)?(?P<stage>{_STAGES}))?"
)


@dataclass(frozen=True)
class Deadline:
    """Words, the last day (None for one without, 长期), and what is to be reached: 动工, or 完成."""

    words: str
    day: date | None
    stage: str = "完成"


def read(text: str, year: int = 2000) -> list[Deadline]:
    """The times of a cell or label that speaks of nothing else."""
    flat = plain(text)
    return [_deadline(match, text, year) for match in _TIME.finditer(flat)]


def within(text: str, year: int) -> list[Deadline]:
    """The times of a sentence that are deadlines: ``9月底前``, not ``9月``."""
    flat = plain(text)
    found = []
    for match in _TIME.finditer(flat):
        if match["whole"] or match["long"] or flat[: match.start()][-1:].isdigit():
            continue
        if re.search(r"前(?:完成)?$|底|末", match[0].removesuffix(match["stage"] or "")) or match["stage"]:
            found.append(_deadline(match, text, year))
    return found


def _deadline(match: re.Match[str], text: str, year: int) -> Deadline:
    words = text[match.start() : match.end()]
    return Deadline(words, _day(match, year), match["stage"] or "完成")


def _day(m: re.Match[str], year: int) -> date | None:
    if m["long"]:
        return None
    if m["dy"]:
        return _date(int(m["dy"]), int(m["dm"]), m["dd"])
    of = int(m["year"] or year + bool(m["next"]))
    if m["month"]:
        day = m["day"] or {"上旬": "10", "中旬": "20", "初": "10"}.get(m["part"] or "")
        return _date(of, int(m["month"]), day)
    if m["quarter"]:
        return _date(of, 3 * ("一二三四".find(m["quarter"]) + 1 or int(m["quarter"])), None)
    if m["half"]:
        return _date(of, 6 if m["half"] == "上半年" else 9, None)
    return date(of, 12, 31)


def _date(year: int, month: int, day: str | None) -> date | None:
    last = monthrange(year, month)[1]
    number = int(day) if day else last
    return date(year, month, number) if 1 <= number <= last else None
