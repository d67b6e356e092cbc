"""The short phrases of a book, from text to nouns: goals, thresholds, curves, publication rules.

Every function raises ValueError with what is wrong and how it should read.
"""

import math
import re
from datetime import date, time, timedelta
from itertools import pairwise
from typing import Any

from rules.calendar import Publication
from rules.target import Against, Expect, Goal, Op, Schedule, Shape, Threshold
from rules.unit import check

_NUMBER = r"(-?\d{1,15}(?:\.\d{1,15})?)"
_TOGETHER = ", January with February"
_LONGEST = 366  # periods or days that a rule may span
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ROMAN = {"Ⅰ": 1.0, "Ⅱ": 2.0, "Ⅲ": 3.0, "Ⅳ": 4.0, "Ⅴ": 5.0}
OPS = {
    "at least": Op.AT_LEAST,
    "more than": Op.MORE_THAN,
    "at most": Op.AT_MOST,
    "less than": Op.LESS_THAN,
    "exactly": Op.EXACTLY,
}


_HALF = str.maketrans("０１２３４５６７８９％．－＋，：｛｝\u3000", "0123456789%.-+,:{} ")


def half(text: str) -> str:
    """A phrase with the half-width digits and signs that an input method may have made full-width ones."""
    text = text.strip()
    if text[:1] in "“”‘’" and text:
        raise ValueError(f"{text}: 首尾是中文引号 (Chinese quotation mark)；请删去，或改用半角引号")
    return text.translate(_HALF).strip()


ANY_BREACH = Threshold(Against.UNITS, 0.0, "", 1, "any breach")


def _amount(text: str) -> tuple[float, str]:
    """``4500 人`` -> (4500.0, 人); ``Ⅲ类`` -> (3.0, 类)."""
    text = text.strip()
    if text[:1] in _ROMAN and text[1:].strip() == "类":
        return _ROMAN[text[0]], "类"
    found = re.fullmatch(rf"{_NUMBER}\s*([^\s\d.,]\S*)", text)
    if not found:
        raise ValueError(f"'{text}' 应为数值加计量单位，如 4500 人")
    return float(found[1]), check(found[2])


_LEANING = re.compile(
    rf"(at least|more than|at most|less than) the figure of (\S.*?)(?: ([+-]) {_NUMBER}( points?)?)?(?: in (\S+))?"
)


def goal(text: str) -> Goal:
    """``at least 4500 人``, ``about 5 % within 0.2``, ``done by 2025-09-30``; see the refusal for the others."""
    if found := re.fullmatch(r"done by (\S+)", text):
        return Goal(Op.AT_LEAST, 100.0, "%", by=day(found[1]))
    if re.fullmatch(r"(?:[^\s,]+ by [^\s,]+, ?)*[^\s,]+ by [^\s,]+", text):
        return _stages(text)
    if (without := _without_number(text)) is not None:
        return without
    if found := re.fullmatch(rf"between {_NUMBER} and (.+)", text):
        low = float(found[1])
        high, unit = _amount(found[2])
        if high <= low:
            raise ValueError(f"范围 '{text}' 的上限应大于下限")
        return Goal(Op.BETWEEN, low, unit, upper=high)
    if found := re.fullmatch(rf"about (.+?) within {_NUMBER}", text):
        value, unit = _amount(found[1])
        if float(found[2]) < 0:
            raise ValueError(f"'{text}': within 后应为不小于 0 的数")
        return Goal(Op.ABOUT, value, unit, tolerance=float(found[2]))
    for words, op in OPS.items():
        if text.startswith(words + " "):
            value, unit = _amount(text[len(words) :])
            return Goal(op, value, unit, upper=value if op is Op.EXACTLY else None)
    raise ValueError(
        f"看不懂的目标 '{text}' (bad goal); 应如 at least 4500 人、more than 75 家、at most 5.5 %、"
        "between 7.5 and 8 %、about 5 % within 0.2、done by 2025-12-31、签约 by 2025-03-31, 开工 by 2025-06-30、"
        "at least the figure of 全市平均增速 + 1 points；数值未下达的写 none yet 或 at least ? 亿元"
    )


def _without_number(text: str) -> Goal | None:
    """A goal that is not set yet, or that another series sets; None for any other."""
    if text == "none yet":
        return Goal(Op.AT_LEAST, math.nan, "")
    if found := re.fullmatch(r"(at least|more than|at most|less than) \? (\S+)", text):
        return Goal(OPS[found[1]], math.nan, check(found[2]))
    found = _LEANING.fullmatch(text)
    if not found:
        return None
    unit = check(found[6]) if found[6] else ""
    if found[4] and float(found[4]) < 0:
        raise ValueError(f"'{text}': + 或 - 后应为不小于 0 的数")
    if found[5] and unit not in ("", "%", "个百分点"):
        raise ValueError(f"'{text}': 以{unit}计的目标没有百分点，请只写数")
    plus = float(f"{found[3]}{found[4]}") if found[4] else 0.0
    return Goal(OPS[found[1]], math.nan, unit, reference=found[2], plus=plus)


def _stages(text: str) -> Goal:
    parts = [part.strip().split(" by ") for part in text.split(",")]
    stages = tuple((name, day(when)) for name, when in parts)
    if any(a >= b for (_, a), (_, b) in pairwise(stages)):
        raise ValueError(f"'{text}': 各阶段的日期应由早到晚")
    return Goal(Op.AT_LEAST, float(len(stages)), "个阶段", stages=stages)


def thresholds(written: Any) -> tuple[Threshold, ...]:
    """One threshold or a list of them, any of which reaches the level; ``never`` for a level that is not used."""
    texts = written if isinstance(written, list) else [written]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"应为一条阈值或若干条的列表，而不是 {written!r} (bad threshold)")
    if texts == ["never"]:
        return ()
    return tuple(threshold(half(text)) for text in texts)


def clear(written: Any) -> tuple[Threshold, ...]:
    """What must be over before an alert is solved: thresholds, or ``yellow`` for those of that level."""
    if written == "yellow":
        return ()
    found = thresholds(written)
    if not found:
        raise ValueError("clear 不能写 never：预警将无法解除 (never cleared)；与黄色阈值相同写 yellow")
    if any(one.periods > 1 for one in found):
        raise ValueError("clear 的阈值不加 for：连续期数写 clear for: 2 (periods of clear)")
    return found


_FIXED = {ANY_BREACH.text: ANY_BREACH, "overdue": Threshold(Against.OVERDUE, 0.0, "", 1, "overdue")}
_MARGINS = {
    "%": Against.SHARE,
    "point": Against.POINTS,
    "points": Against.POINTS,
    "spread": Against.SPREAD,
    "spreads": Against.SPREAD,
}
_MARGIN = re.compile(rf"(behind|below|above) {_NUMBER}\s*([^\s\d]*)(?: narrowing to {_NUMBER}\s*([^\s\d]*))?")


def threshold(text: str) -> Threshold:
    """``behind 5%``, ``behind 10 天``, ``below 6 %``, ``period below 80%``, ``late 30 days``; see the refusal for the others."""
    if text in _FIXED:
        return _FIXED[text]
    if foreseen := _foreseen(text):
        return foreseen
    if found := re.fullmatch(r"late ([1-9]\d{0,2}) (day|month)s?", text):
        return Threshold(Against.LATE, float(found[1]), {"day": "天", "month": "个月"}[found[2]], 1, text)
    running = re.search(r" for (\d{1,3})$", text)
    rule, periods = (text[: running.start()], int(running[1])) if running else (text, 1)
    if not 1 <= periods <= _LONGEST:
        raise ValueError(f"'{text}': for 后应为 1 至 {_LONGEST} 的期数")
    if rule == "behind average":
        return Threshold(Against.AVERAGE, 0.0, "", periods, text)
    if found := re.fullmatch(rf"period below {_NUMBER}%", rule):
        if not 0 < float(found[1]) <= 100:
            raise ValueError(f"'{text}': period below 后应为 0 至 100 的百分数")
        return Threshold(Against.PERIOD, round(100 - float(found[1]), 9), "", periods, text)
    if found := _MARGIN.fullmatch(rule):
        return _margin(text, found, periods)
    raise ValueError(
        f"看不懂的阈值 '{text}' (bad threshold); 应如 behind 5%、behind 3 points、behind 10 天、"
        "behind 2 spreads、behind 10% narrowing to 5%、below 6 %、above 5.5 %、period below 80%、behind average "
        "(均可加 for 2: 连续两期)、behind 5% with outlook、probability below 10%、late 30 days、late 1 month、overdue、any breach; 不设此级写 never"
    )


def _foreseen(text: str) -> Threshold | None:
    """A threshold that the forecast has a say in."""
    if found := re.fullmatch(rf"behind {_NUMBER}% with outlook", text):
        if float(found[1]) < 0:
            raise ValueError(f"'{text}': behind 后应为不小于 0 的数")
        return Threshold(Against.OUTLOOK, float(found[1]), "", 1, text)
    if not (found := re.fullmatch(rf"probability below {_NUMBER}%", text)):
        return None
    if not 0 < float(found[1]) <= 100:
        raise ValueError(f"'{text}': probability below 后应为 0 至 100 的百分数")
    return Threshold(Against.PROBABILITY, float(found[1]), "", 1, text)


def _margin(text: str, found: re.Match[str], periods: int) -> Threshold:
    word, value, unit, end = found[1], float(found[2]), found[3], found[4]
    if word != "behind":
        if end is not None:
            raise ValueError(f"'{text}': 只有 behind 可以写 narrowing to")
        return Threshold(Against(word), value, check(unit) if unit else "", periods, text)
    if value < 0:
        raise ValueError(f"'{text}': behind 后应为不小于 0 的数")
    if end is not None and (found[5] != unit or not 0 <= float(end) < value):
        raise ValueError(f"'{text}': narrowing to 后应为更小的数，单位相同，如 behind 10% narrowing to 5%")
    if not unit:
        raise ValueError(f"'{text}' 缺少单位: behind 5% (占应完成数的比例)、behind 5 points (百分点) 或 behind 5 天")
    against = _MARGINS.get(unit, Against.UNITS)
    unit = check(unit) if against is Against.UNITS else ""
    return Threshold(against, value, unit, periods, text, None if end is None else float(end))


def elapsed(text: str) -> float:
    """``25%``: a share of the year."""
    found = re.fullmatch(rf"{_NUMBER}\s*%", text)
    if not found or not 0 < float(found[1]) <= 100:
        raise ValueError(f"'{text}' 应为全年时间的百分数，如 25% (bad share)")
    return float(found[1]) / 100


def expect(text: str) -> Expect:
    """``linear``, ``workdays``, ``seasonal``, ``last year``, ``hold``, ``path from 320``, ``checkpoints {2025-06-30: 40%, 2025-12-31: 100%}``."""
    if text in (Shape.LINEAR, Shape.WORKDAYS, Shape.SEASONAL, Shape.LAST_YEAR, Shape.HOLD):
        return Expect(Shape(text), text)
    if found := re.fullmatch(rf"path from {_NUMBER}", text):
        return Expect(Shape.PATH, text, base=float(found[1]))
    if found := re.fullmatch(r"checkpoints \{(.+)\}", text):
        points = tuple(_checkpoint(part) for part in found[1].split(","))
        if any(a >= c or b > d for (a, b), (c, d) in pairwise([(date.min, 0.0), *points])):
            raise ValueError(f"'{text}': 节点日期应由早到晚，完成比例不得倒退")
        if points[-1][1] != 1:
            raise ValueError(f"'{text}': 最后一个节点应为 100%")
        return Expect(Shape.CHECKPOINTS, text, points=points)
    raise ValueError(
        f"看不懂的进度曲线 '{text}' (bad expect); 应为 linear、workdays、seasonal、last year、hold、path from 320 或 "
        "checkpoints {2025-06-30: 40%, 2025-12-31: 100%}"
    )


def _checkpoint(part: str) -> tuple[date, float]:
    found = re.fullmatch(rf"\s*(\S+?)\s*:\s*{_NUMBER}\s*%\s*", part)
    if not found:
        raise ValueError(f"节点 '{part.strip()}' 应如 2025-06-30: 40%")
    return day(found[1]), float(found[2]) / 100


def published(text: str) -> Publication:
    """``10 workdays after period``, ``day 15 of next month``, ``on 2025-04-16, 2025-07-15``; see the author's guide."""
    rule = text.removesuffix(_TOGETHER)
    together = rule != text
    if found := re.fullmatch(r"([1-9]\d{0,2}) workdays? after period", rule):
        return Publication(text, workdays=int(found[1]), january_with_february=together)
    if found := re.fullmatch(r"(\d{1,3}) days? after period", rule):
        return Publication(text, days=int(found[1]), january_with_february=together)
    found = re.fullmatch(r"day (\d{1,2}) of (next month|the month after next)", rule)
    if found and 1 <= int(found[1]) <= 31:
        months = 1 if found[2] == "next month" else 2
        return Publication(text, day=int(found[1]), months=months, january_with_february=together)
    if rule.startswith("on "):
        dates = tuple(day(part.strip()) for part in rule.removeprefix("on ").split(","))
        if any(first >= second for first, second in pairwise(dates)):
            raise ValueError(f"'{text}': 发布日期应由早到晚，不得重复 (wrong order)")
        return Publication(text, dates=dates, january_with_february=together)
    raise ValueError(
        f"看不懂的发布规则 '{text}' (bad published); 应如 10 workdays after period、1 day after period、"
        "day 15 of next month、day 28 of the month after next、on 2025-04-16, 2025-07-15, 2025-10-20, 2026-01-19，"
        "按月的可加 , January with February"
    )


def schedule(text: str) -> Schedule:
    """``every 10 minutes``, ``daily at 09:30``, ``weekdays at 09:30``, ``monday, thursday at 08:00``, ``day 15 at 10:00``."""
    if (found := re.fullmatch(r"every (\d{1,5}) (second|minute|hour)s?", text)) and int(found[1]) > 0:
        return Schedule(text, interval=timedelta(**{f"{found[2]}s": int(found[1])}))
    if found := re.fullmatch(r"(.+) at ([01]\d|2[0-3]):([0-5]\d)", text):
        at, days = time(int(found[2]), int(found[3])), found[1]
        if days in ("daily", "weekdays"):
            return Schedule(text, at=at, workdays=days == "weekdays")
        if (month := re.fullmatch(r"day ([1-9]\d?)", days)) and int(month[1]) <= 31:
            return Schedule(text, at=at, day=int(month[1]))
        named = [name.strip() for name in days.split(",")]
        if set(named) <= set(_WEEKDAYS) and len(set(named)) == len(named):
            return Schedule(text, at=at, weekdays=tuple(sorted(_WEEKDAYS.index(name) for name in named)))
    raise ValueError(
        f"看不懂的拉取时间 '{text}' (bad schedule); 应如 every 10 minutes、every 2 hours、daily at 09:30、"
        "weekdays at 09:30（工作日）、monday, thursday at 08:00、day 15 at 10:00（每月15日）"
    )


def units(text: str) -> tuple[str, ...]:
    """Units of an office's list as written: ``人力社保局、财政局`` or ``各部门及镇街``."""
    return tuple(part.strip() for part in re.split(r"[、及]", text) if part.strip())


def day(text: str) -> date:
    """An ISO date."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text}' 不是日期，应如 2025-09-30") from None
