"""What a number is of, which way it points, and what kind of number it is."""

import re
from dataclasses import dataclass

from rules.importing import sentence as words
from rules.importing.fact import AVOID, Fact, Kind
from rules.importing.plain import split_outside
from rules.importing.quantity import COUNTS
from rules.target import AT_MOST, PERCENT, Measure, Op

_SPOKEN = {
    Kind.COVER: (Op.AT_LEAST, Measure.SHARE),
    Kind.CLEAR: (Op.AT_MOST, Measure.LEVEL),
    Kind.AVOID: (Op.AT_MOST, Measure.ZERO),
    Kind.RANK: (Op.AT_MOST, Measure.RANK),
    Kind.CLASS: (Op.AT_MOST, Measure.CLASS),
    Kind.DOUBLE: (Op.AT_LEAST, Measure.GROWTH),
    Kind.POSITIVE: (Op.MORE_THAN, Measure.GROWTH),
}
_STOCK = re.compile(r"余额|存量|人均|平均|(?<!固定)资产|所有|每个?|床位|脱贫")
_MERELY = re.compile(
    rf"(?:第?[一二三四]|前[二三两])季度|上半年|下半年|全年|\d{{1,2}}月(?:底|末)?|总数|总量|累计|(?:{words.PRODUCE})+"
)
"""What names no object of its own: by when, how many in all, what is done."""
_BARE = re.compile(rf"(?:{words.MORE}|{words.LEAST}|{words.MOST}|增长|约|[\s])*")
_PREDICATE = re.compile(
    rf"(?:{words.MOST}|达到或优于|达到或好于|保持|稳定|达到|达|实现|全面|动态|排名|进入|位居|力争|确保)$"
)
_PLACED = re.compile(r"(?:保持|进入|位居|位列|稳居|名列|跻身|力争|确保|居|列)+(?=[全省市区县国州]|$)")
_PAIR = re.compile(
    r"(?P<a>[\u4e00-\u9fff]{3,10})和(?P<b>[\u4e00-\u9fff]{3,10}?)(?P<rate>(?:安全)?[\u4e00-\u9fff]{2}率)"
)
_ALL_OF = re.compile(r"[均都](?:达到?|突破|超过?|在|保持|稳定)?$")


@dataclass(frozen=True)
class Object:
    """What a number is of, the verb before it, and its unit: what a bare number behind it is of too."""

    name: str = ""
    verb: str = ""
    unit: str = ""
    grows: bool = False


@dataclass(frozen=True)
class Setting:
    """The words around a fact: ``segment`` before it, ``bound`` (以上) behind it, ``noun`` where it stands first."""

    fact: Fact
    segment: str
    bound: re.Match[str] | None
    noun: str
    last: Object

    @property
    def stated(self) -> re.Match[str] | None:
        """The direction before the number: 不低于, 突破."""
        return words.BEFORE.search(self.segment) if self.fact.kind is Kind.NUMBER else None

    @property
    def core(self) -> str:
        """The segment without its direction."""
        return self.segment[: self.stated.start()] if self.stated else self.segment

    @property
    def bare(self) -> bool:
        """Whether it names no object of its own and goes on with the last."""
        if self.noun or self.fact.kind in (Kind.AVOID, Kind.LIKE):
            return False
        return _BARE.fullmatch(self.core.strip(" “")) is not None

    @property
    def object(self) -> str:
        return self.last.name if self.bare else self.core.strip()

    def goes_on(self) -> Object:
        """What a bare number behind this one is of."""
        verb = words.NEW.search(self.segment)
        said = verb[0] if verb else (self.last.verb if self.bare else "")
        name = stem(self.object)
        if not name or _MERELY.fullmatch(name):
            name = self.last.name or name
        return Object(name, said, self.fact.unit, grows=self.grows)

    @property
    def grows(self) -> bool:
        """Whether it says how much something grows; a bare number of percent behind one that does, does too."""
        goes_on = self.bare and self.last.grows and self.fact.unit == self.last.unit
        return words.GROWTH.search(self.core) is not None or goes_on


def sense(at: Setting) -> tuple[Op, Measure]:
    """Direction and kind."""
    if at.fact.kind is Kind.LIKE:
        share = re.search("率|占比|比重|比例", at.segment)
        return Op.AT_LEAST, Measure.SHARE if share else Measure.GROWTH
    if at.fact.kind in _SPOKEN:
        return _SPOKEN[at.fact.kind]
    op = _direction(at)
    return op, _of_percent(at, op) if at.fact.unit in (*PERCENT, "‰") else _of_amount(at, op)


def _direction(at: Setting) -> Op:
    bound, stated = at.bound, at.stated
    if at.fact.upper is not None:
        return Op.BETWEEN
    if bound and (bound["about"] or bound["most"]):
        return Op.ABOUT if bound["about"] else Op.AT_MOST
    if stated and stated["most"]:
        return Op.AT_MOST
    if stated and stated["less"]:
        return Op.LESS_THAN
    if stated and stated["more"] and not bound:
        return Op.MORE_THAN
    if words.WITHIN.search(at.segment) and not bound and not words.FALL.search(at.segment):
        return Op.AT_MOST
    return Op.AT_LEAST


def _of_percent(at: Setting, op: Op) -> Measure:
    if at.grows and (op is not Op.AT_MOST or "涨" in at.core):
        return Measure.GROWTH
    if words.FALL.search(at.core) or words.FALL_FIRST.match(at.core):
        return Measure.REDUCTION
    if op in AT_MOST:
        return Measure.CEILING
    rate = words.RATE.search(at.core + at.object)
    return Measure.SHARE if rate or at.fact.unit != "个百分点" else Measure.GROWTH


def _of_amount(at: Setting, op: Op) -> Measure:
    if op in AT_MOST:
        return Measure.CEILING
    if "优良" in at.core and at.fact.unit == "天":
        return Measure.GOOD_DAYS
    if words.FLOOR.search(at.core) and op is Op.AT_LEAST:
        return Measure.FLOOR
    if words.NEW.search(at.core) or (at.bare and at.last.verb):
        return Measure.CUMULATIVE
    if _STOCK.search(at.object):
        return Measure.LEVEL
    things = at.fact.unit in COUNTS and at.fact.unit not in ("人", "人次")
    reached = words.HELD.search(at.segment) or (things and re.search(rf"(?:{words.MORE}|达到?|保持|稳定)", at.segment))
    return Measure.LEVEL if reached and not words.FLOWS.search(at.object) else Measure.CUMULATIVE


def names(at: Setting, measure: Measure) -> list[str]:
    """What the number is called; several where 均 joins objects before one number, or one rate is of two alike."""
    core = at.core
    change = words.GROWTH.search(core) or words.FALL.search(core)
    if (change and re.search("均|都", change[0])) or _ALL_OF.search(core):
        listed = core[: change.start()] if change else re.sub(r"[均都].*$", "", core)
        each = [part for a, b in split_outside(listed, "、和") if (part := listed[a:b])]
        if len(each) > 1:
            return [f"{one}{'增速' if measure is Measure.GROWTH else ''}" for one in each]
    pair = _PAIR.fullmatch(core)
    if pair and pair["a"][-1] == pair["b"][-1]:
        return [pair["a"] + pair["rate"], pair["b"] + pair["rate"]]
    return [_name(at, measure)]


def _name(at: Setting, measure: Measure) -> str:
    fact, last = at.fact, at.last
    if fact.kind is Kind.AVOID:
        return AVOID.sub("", at.noun)
    if fact.kind is Kind.RANK:
        return f"{last.name}{_PLACED.sub('', stem(at.object))}位次"
    of = stem(at.object) or last.name
    if last.name and _MERELY.fullmatch(of):
        return f"{last.name}（{of}）"
    if at.bare and fact.unit != last.unit and last.name and measure not in (Measure.GROWTH, Measure.REDUCTION):
        return of if last.unit in PERCENT else f"{of}（{fact.unit}）"
    if at.noun:
        verb = words.PRODUCING.search(at.object[-8:])
        return f"{verb[0] if verb else ''}{at.noun}"
    if measure is Measure.GROWTH and of:
        return f"{of}提高" if fact.unit == "个百分点" else f"{of}增速"
    if measure is Measure.REDUCTION and of and "降" not in of:
        return f"{of}降幅"
    return of or "未写明对象"


def stem(object_: str) -> str:
    """The object without the predicate that leads to its number, and without the examples before 等."""
    found = words.GROWTH.sub("", object_)
    if found == object_:
        found = words.FALL.sub("", object_)
    found = _PREDICATE.sub("", found).strip(" 、,")
    if found.count("(") != found.count(")"):
        found = re.split("[()]", found)[-1]
    listed = re.fullmatch(r"(?P<verb>.{0,4}?)(?:[^、]+、)+[^、]+?等(?P<kind>.{2,})", found)
    if not listed:
        return found
    verb = words.NEW.match(found)
    return f"{verb[0] if verb else ''}{listed['kind']}"
