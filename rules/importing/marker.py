"""Numbers that stand before headings and items: 一、 (一) 1. (1) ① ▶ 第一部分, each a level of its own."""

import re
from typing import NamedTuple

from rules.importing.plain import NUMERAL, number_of, plain

_STAR = r"[★☆▲*※]*\s*"
_STYLES = (
    (0, re.compile(rf"{_STAR}第(?P<n>{NUMERAL}|\d+)(?:部分|章|篇|板块)[、:.\s]?")),
    (1, re.compile(rf"{_STAR}(?P<n>{NUMERAL})\s*[、.:]")),
    (2, re.compile(rf"{_STAR}\(\s*(?P<n>{NUMERAL})\s*\)[、.]?")),
    (3, re.compile(rf"{_STAR}(?P<n>\d{{1,3}})\s*(?:[、:]|\.(?!\d)|\)(?!\d)|(?=\s+[★☆▲※\u4e00-\u9fff“《]))")),
    (4, re.compile(rf"{_STAR}\(\s*(?P<n>\d{{1,3}})\s*\)[、.]?")),
    (5, re.compile(rf"{_STAR}(?P<n>[\u2460-\u2473])[、.]?")),
    (6, re.compile(r"(?P<n>[▶►●◆■□△◇•·○◎▪])")),
)


class Marker(NamedTuple):
    """Level (0 the highest), number, and where the text behind it begins."""

    level: int
    number: int
    end: int
    starred: bool


def marker(text: str, before: int = 0) -> Marker | None:
    """The number that a line begins with. ``before`` is that of the line before: ``2.7个断面`` behind 1. is item 2."""
    flat = plain(re.sub(r"(?<=\d)．", "、", text))
    lead = len(flat) - len(flat.lstrip())
    for level, pattern in _STYLES:
        if found := pattern.match(flat, lead):
            numeral = found["n"]
            number = 0 if level == 6 else ord(numeral) - 0x245F if level == 5 else number_of(numeral)
            end = found.end()
            stars = re.compile(r"\s*[★☆▲※*]*\s*").match(flat, end)
            assert stars is not None
            starred = bool(re.search("[★☆▲※*]", flat[lead : stars.end()]))
            return Marker(level, number, stars.end(), starred)
    if (counted := re.match(r"(\d{1,3})\.(?=\d)", flat[lead:])) and before and int(counted[1]) == before + 1:
        return Marker(3, before + 1, lead + counted.end(), starred=False)
    return None
