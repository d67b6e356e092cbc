"""What is countable in a clause: quantities, and words that stand for one (全覆盖, 清零, 前3, Ⅲ类, 不发生…)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from rules.importing import sentence as words
from rules.importing.plain import NUMERAL, number_of
from rules.importing.quantity import quantities


class Kind(StrEnum):
    """A written number, or the words that stand for one."""

    NUMBER = "number"
    LIKE = "like"  # as another number
    COVER = "cover"
    CLEAR = "clear"
    DOUBLE = "double"
    POSITIVE = "positive"
    CLASS = "class"
    RANK = "rank"
    AVOID = "avoid"


@dataclass(frozen=True)
class Fact:
    """Something countable at a place of a clause; ``value`` is None where another number decides it."""

    start: int
    end: int
    kind: Kind
    value: float | None = None
    unit: str = ""
    upper: float | None = None
    chinese: bool = False


AVOID = re.compile(r"(?:不发生|零发生|不出现|坚决遏制|有效遏制|遏制|杜绝|防止发生|坚决杜绝|(?:全年|确保|实现|保持)无)")
_CLASS = re.compile(r"(?<!劣)(?P<n>[ⅠⅡⅢⅣⅤ]|I{1,3}|IV|V)类(?:水质|水体|水|标准)*(?:及?以上|标准)?")
_ROMAN = {"Ⅰ": 1, "Ⅱ": 2, "Ⅲ": 3, "Ⅳ": 4, "Ⅴ": 5, "I": 1, "II": 2, "III": 3, "IV": 4, "V": 5}
_RANK = re.compile(
    rf"(?:前(?P<n>\d{{1,3}}|{NUMERAL})(?!季度|个?月|[年期述款置天届])(?:[位名强列]|{words.ENDS})"
    r"|第(?P<m>\d{1,3}|[一二三四五六七八九十]+)[位名](?!书记))"
)
_SPOKEN = (
    (
        re.compile(
            r"(?:(?:与|同|和).{2,16}?(?:基本同步|保持同步|同步增长|同步|持平|保持一致|相适应)"
            r"|(?:不低于|高于|超过|快于|优于|不高于|低于|好于)(?:全国|全省|全市|全区|全县|全州|上级|国家|省|市|区域|周边)[^,。;]{0,10}?"
            r"(?:平均水平|平均数|平均|增速|水平|下达[^,。;]{0,6})"
            r"|(?:完成|达到)[^,。;]{0,10}?下达[^,。;]{0,8}?(?:任务|目标|指标)(?:任务|目标|数)?"
            r")(?:\d+(?:\.\d+)?个?百分点(?:以上|左右)?)?"
        ),
        Kind.LIKE,
        None,
        "",
    ),
    (re.compile(rf"(?:全覆盖|全面覆盖|100%覆盖|应[建纳接覆]?尽[建纳接覆]){words.ENDS}"), Kind.COVER, 100.0, "%"),
    (
        re.compile(
            rf"(?:“?清零”?|归零|为零|“零[^”]{{1,6}}”|零(?:发生|事故|新增|增长|死亡|伤亡|上访|欠薪|案件|失信)){words.ENDS}"
        ),
        Kind.CLEAR,
        0.0,
        "",
    ),
    (re.compile(r"翻(?:一番|番)|增长[1一]倍|倍增" + words.ENDS), Kind.DOUBLE, 100.0, "%"),
    (re.compile(r"正增长"), Kind.POSITIVE, 0.0, "%"),
)
_ENUMERATED = re.compile(r"(?:^|[(\s])\d{1,2}[.、)]")


def facts(clause: str) -> list[Fact]:
    """All of them in a plain clause, in order, none within another."""
    found = [
        Fact(match.start(), match.end(), kind, value, unit)
        for pattern, kind, value, unit in _SPOKEN
        for match in pattern.finditer(clause)
    ]
    if re.search("水|断面|河|湖|库", clause) and "%" not in clause:
        found += [Fact(m.start(), m.end(), Kind.CLASS, float(_ROMAN[m["n"]]), "类") for m in _CLASS.finditer(clause)]
    for m in _RANK.finditer(clause):
        if words.RANK_VERB.search(clause[max(m.start() - 14, 0) : m.start()]) and clause[m.end() : m.end() + 1] != "%":
            found.append(Fact(m.start(), m.end(), Kind.RANK, float(number_of(m["n"] or m["m"])), "位"))
    found += _avoided(clause)
    listed = [(m.start(), m.end()) for m in _ENUMERATED.finditer(clause)]
    for q in quantities(clause):
        enumerator = q.unit == "" and any(a <= q.start < b for a, b in listed)
        if not enumerator and not any(f.start < q.end and q.start < f.end for f in found):
            found.append(Fact(q.start, q.end, Kind.NUMBER, q.value, q.unit, q.upper, q.chinese))
    return sorted(found, key=lambda fact: fact.start)


def _avoided(clause: str) -> Iterator[Fact]:
    """``坚决遏制较大及以上安全事故``: an event that must not happen, and nothing after it."""
    for verb in AVOID.finditer(clause):
        event = re.match(r"[^,、]{1,24}", clause[verb.end() :])
        if event and (last := list(words.EVENT.finditer(event[0]))):
            tail = event[0][last[-1].end() :]
            if tail in ("", "底线", "的底线", "发生"):
                yield Fact(verb.start(), verb.end() + last[-1].end(), Kind.AVOID, 0.0, "起")
