"""Why a guess may be wrong: each reason with the words the author reads and how much it takes from the confidence."""

from collections.abc import Iterable
from enum import StrEnum
from math import prod

DOUBTFUL = 0.8
"""A guess with a lower confidence is put before the author."""


class Doubt(StrEnum):
    """A reason, stored, printed and counted with the same word."""

    NO_LEAD = "no_lead"
    FIRST_AS_LEAD = "first_as_lead"
    ODD_UNIT = "odd_unit"
    BY_RULE = "by_rule"
    NO_OBJECT = "no_object"
    BY_EFFORT = "by_effort"
    NO_VERB = "no_verb"
    BRACKETED = "bracketed"
    ABOUT = "about"
    OTHER_YEAR = "other_year"
    UNKNOWN_UNIT = "unknown_unit"
    GUESSED_UNIT = "guessed_unit"
    IN_CHINESE = "in_chinese"
    ZERO = "zero"
    REFERENCE = "reference"
    STRETCH = "stretch"
    DEADLINE = "deadline"

    @property
    def text(self) -> str:
        return _TEXTS[self][1]

    @property
    def weight(self) -> float:
        return _TEXTS[self][0]


_TEXTS = {
    Doubt.NO_LEAD: (0.1, "原文未写明牵头单位，请补写"),
    Doubt.FIRST_AS_LEAD: (0.7, "原文列了几个责任单位而未写明何者牵头，暂以第一个为牵头单位"),
    Doubt.ODD_UNIT: (0.6, "不像单位名称，请核对"),
    Doubt.BY_RULE: (0.85, "单位取自原文统一的说明，而不是本项"),
    Doubt.NO_OBJECT: (0.5, "看不出是什么的数值"),
    Doubt.BY_EFFORT: (0.7, "只说推进、落实，未必是数量目标"),
    Doubt.NO_VERB: (0.75, "没有认出做什么，可能只是说明"),
    Doubt.BRACKETED: (0.75, "写在括号内，可能只是说明"),
    Doubt.ABOUT: (0.85, "“左右”的容差为推定"),
    Doubt.OTHER_YEAR: (0.3, "所说的不是本年，未列为本年目标"),
    Doubt.UNKNOWN_UNIT: (0.3, "册中没有这一计量单位，请改用已知的单位"),
    Doubt.GUESSED_UNIT: (0.7, "原文没有写计量单位，按对象推定"),
    Doubt.IN_CHINESE: (0.75, "数为汉字所写，未必是数量目标"),
    Doubt.ZERO: (0.85, "“不发生”“清零”读作 0"),
    Doubt.REFERENCE: (0.6, "对照其他数值或待下达，请写明对照的序列"),
    Doubt.STRETCH: (0.7, "同一对象写有两个数，后一个为力争，请择其一"),
    Doubt.DEADLINE: (0.6, "时限不在本年内，或看不懂"),
}


class Guess:
    """What was guessed, with the reasons to doubt it."""

    doubts: frozenset[Doubt]

    @property
    def confidence(self) -> float:
        return confidence(self.doubts)

    @property
    def doubtful(self) -> bool:
        return self.confidence < DOUBTFUL


def confidence(doubts: Iterable[Doubt]) -> float:
    """Of a guess, between 0 and 1: 0.98, less for each reason to doubt it."""
    return round(0.98 * prod(doubt.weight for doubt in doubts), 2)
