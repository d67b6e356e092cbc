"""Numbers that promise nothing: dates, names, sizes of projects, what only describes, what is past."""

import re
from enum import StrEnum

from rules.importing import sentence as words
from rules.importing.fact import Fact, Kind
from rules.importing.plain import split_outside
from rules.importing.quantity import COUNTS, NAMES, TIMES


class Passed(StrEnum):
    """Why a number is no promise."""

    DATE = "date"
    NAME = "name"
    SIZE = "size"
    ATTRIBUTE = "attribute"
    DESCRIPTION = "description"
    PAST = "past"
    BARE = "bare"

    @property
    def text(self) -> str:
        return {
            Passed.DATE: "日期、时长",
            Passed.NAME: "名称中的数",
            Passed.SIZE: "项目的规模",
            Passed.ATTRIBUTE: "修饰另一个数所说的对象",
            Passed.DESCRIPTION: "只作说明",
            Passed.PAST: "已经完成的，或上年的",
            Passed.BARE: "没有计量单位",
        }[self]


_ALLOWED_TIMES = ("小时", "分钟", "天", "个工作日")
_LIVE = ("头", "羽", "只", "株")


def guessed_unit(before: str) -> str:
    """The unit of a number written without one, "" for none to guess."""
    if re.search(r"率|系数|强度", before):
        return ""
    if re.search(r"价格(?:总水平|总)?指数", before):
        return "上年=100"
    if re.search(r"人口|人数|就业|人员|用户|居民|农民工|学生|劳动力|群众", before):
        return "人"
    return "元" if re.search(r"收入|产值|总额|投资|资金|税收|贷款|增加值|生产总值|GDP|交易额|营收", before) else ""


def no_promise(
    clause: str, cursor: int, fact: Fact, following: Fact | None, *, quoted: bool, listing: bool, year: int
) -> Passed | None:
    """Why the fact is none, or None for a promise. ``cursor`` ends the fact before it.

    ``quoted``: it stands within quotation marks; ``listing``: an object before it is there to go on from.
    """
    before, after = clause[cursor : fact.start], clause[fact.end :]
    if quoted and fact.kind in (Kind.NUMBER, Kind.RANK, Kind.CLASS):
        return Passed.NAME
    if _past(clause[: fact.start], year):
        return Passed.PAST
    if fact.kind is Kind.CLASS and following is not None and re.match(r"[^、和及与,]{2,}", after):
        return Passed.ATTRIBUTE
    if fact.kind is not Kind.NUMBER:
        return None
    if (of_unit := _by_unit(fact, before, after)) is not None:
        return of_unit
    if fact.unit in TIMES:
        return None
    return _describing(clause, fact, following, before, listing=listing)


def _past(before: str, year: int) -> bool:
    """What is said of an earlier year, or as done already."""
    before = words.BASE.sub("", before)
    years = [int(one) for one in re.findall(r"(20\d\d)年", before)]
    return bool(words.PAST.search(before)) or (bool(years) and max(years) < year)


def _by_unit(fact: Fact, before: str, after: str) -> Passed | None:
    """What the unit, or the lack of one, says."""
    bound, stated = words.AFTER.match(after), words.BEFORE.search(before)
    if fact.unit == "位" and before.endswith("后"):
        return Passed.NAME
    if fact.unit == "岁" and "寿命" in before:
        return None
    if fact.unit in TIMES:
        limit = fact.unit in _ALLOWED_TIMES and (bound or stated)
        return None if limit and re.match(r"\s*(?:以上|以下|以内|之内|左右)?$", after) else Passed.DATE
    if re.search(r"[A-Za-z×]$", before) or re.match(r"[A-Za-z×]", after) or fact.unit in NAMES:
        return Passed.NAME
    if fact.unit in ("", "万", "亿") and not guessed_unit(before):
        if not fact.unit:
            return Passed.NAME if re.match(r"[\u4e00-\u9fffA-Za-z]", after) else Passed.BARE
        return None if bound or stated or words.WITHIN.search(before) else Passed.BARE
    return None


def _describing(clause: str, fact: Fact, following: Fact | None, before: str, *, listing: bool) -> Passed | None:
    """Whether the number only says how large or how many things are that the sentence is about."""
    bound = words.AFTER.match(clause[fact.end :])
    end = fact.end + (bound.end() if bound else 0)
    rest = clause[end:]
    if words.SIZE.search(before) and not re.search(r"(?:完成|新增|实现|突破|超过?|不低于)[^,]{0,8}$", before):
        return Passed.SIZE
    if rest.startswith("的") or (following is not None and _of_another(clause[end : following.start], following)):
        return Passed.ATTRIBUTE
    if fact.unit not in COUNTS:
        sized = words.SIZED.match(rest) and not words.DIRECT.search(before)
        return Passed.SIZE if sized else None
    if re.match(r"[\u4e00-\u9fffA-Za-z“]", rest) and not bound:
        return _counted(fact, before, rest, listing=listing)
    said = bound or words.BEFORE.search(before) or words.PRODUCING.search(before)
    return Passed.NAME if fact.chinese and not said else None


def _of_another(gap: str, following: Fact) -> bool:
    """Whether only a noun stands between two numbers: ``10亿元以上企业2家`` promises the second alone."""
    if following.unit in TIMES or following.kind in (Kind.LIKE, Kind.AVOID) or not gap:
        return False
    told = r"^\s*(?:增长|下降|同比|占|提高|降低|增速)|完成|新增|新建|建成|实现|改造|力争|确保|培育|增长|下降"
    return not re.search(rf"[、(]|[和及与并]$|{told}", gap)


def _counted(fact: Fact, before: str, rest: str, *, listing: bool) -> Passed | None:
    """``2座人行天桥`` is promised where something is done to them, ``A、B、C3个板块`` only sums up what was listed."""
    listed = len(split_outside(re.sub(r"等$", "", before), "、"))
    if listed > 1 and fact.value == listed:
        return Passed.DESCRIPTION
    if words.SIZED.match(rest) and fact.unit in _LIVE:
        return Passed.SIZE
    if fact.chinese and not words.PRODUCING.search(before[-6:]):
        return Passed.NAME
    tail = before[-16:]
    if words.BEFORE.search(before) or words.TREATED.search(before) or words.PRODUCING.search(tail):
        return None
    told = listing or re.search(r"[\u4e00-\u9fff]", before)
    merely = words.DESCRIBING.search(tail) or words.EXISTING.search(before)
    return None if told and not merely else Passed.DESCRIPTION
