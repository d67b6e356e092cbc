"""Verdicts and rules as an office would say them, in Chinese. One place, for messages, pages and commands alike."""

import math
from datetime import date
from functools import lru_cache

from msgspec.structs import replace

from connectors.observation import Status
from rules.calendar import PERIOD_NAMES, PUBLISHED, Every, Publication, Workdays, label
from rules.derived import DERIVED
from rules.pace import Pace
from rules.pace import pace as pace_of
from rules.target import (
    AT_MOST,
    FORECAST,
    HARD,
    LEARNT,
    PERCENT,
    PROGRESS,
    SUMS,
    Against,
    Book,
    Expect,
    Level,
    Measure,
    Op,
    Shape,
    Target,
    Threshold,
    number,
    quantity,
)
from rules.unit import COUNTED
from rules.verdict import Clearing, Reason, Verdict

MEASURES = {
    Measure.CUMULATIVE: "累计完成",
    Measure.LEVEL: "期末达到",
    Measure.GOOD_DAYS: "优良天数",
    Measure.REDUCTION: "压降幅度",
    Measure.GROWTH: "增长速度",
    Measure.SHARE: "占比",
    Measure.RANK: "位次",
    Measure.FLOOR: "底线",
    Measure.CEILING: "上限",
    Measure.CLASS: "类别",
    Measure.ZERO: "零发生",
    Measure.MILESTONE: "节点任务",
}


def goal(verdict: Verdict) -> str:
    """The goal of the verdict's own subject, as in force for the period judged."""
    return verdict.target.goal.of(math.nan if verdict.goal is None else verdict.goal)


def goals(target: Target) -> str:
    """All goals of the year, with the day from which each holds and why. Empty where the goal was never changed."""
    if not target.changes:
        return ""
    later = (f"自{_day(one.since)}起{one.goal.text}（{one.why}）" for one in target.changes)
    return "；".join((target.goal.text, *later))


def _day(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def deadline(target: Target, year: int) -> str:
    """By when the goal must be met: 2025年底, 2025年全年 for what holds at any time, the day of a milestone."""
    stages = target.goal.stages
    by = stages[-1][1] if stages else target.goal.by
    if by is not None:
        return _day(by)
    return f"{year}年{'全年' if target.expect.shape is Shape.HOLD else '底'}"


_TWO_SIDED = frozenset({Op.BETWEEN, Op.EXACTLY})
_PLACES = {Measure.RANK: ("位次", "落后", "靠前"), Measure.CLASS: ("类别", "差", "好")}
"""What is counted in places: its name, and what is said of worse and better ones."""


def gap(verdict: Verdict) -> str:
    """Actual against expected: 比时序进度少1200人（低于应完成数35.6%）、低于目标0.9个百分点. Empty where not known."""
    short, expected = verdict.shortfall, verdict.expected
    if short is None or expected is None:
        return ""
    target, goal = verdict.target, verdict.target.goal
    if goal.stages:
        return _stage(verdict)
    if target.measure is Measure.MILESTONE:
        return "已完成" if short <= 0 else f"尚差{number(short)}%"
    held, over = target.expect.shape is Shape.HOLD, False
    if goal.op in _TWO_SIDED and verdict.actual is not None:
        over = short > 0 and verdict.actual > expected
        if short < 0 and held:
            return "在目标范围内"
        short = expected - verdict.actual if short <= 0 else short
    if abs(short) < 1e-9:
        return "与预期持平" + {Op.MORE_THAN: "，尚未超过", Op.LESS_THAN: "，尚未低于"}.get(goal.op, "")
    if found := _PLACES.get(target.measure):
        noun, worse, better = found
        return f"比目标{noun}{worse if short > 0 else better}{number(abs(short))}个{noun}"
    percent = goal.unit in PERCENT
    amount = f"{number(abs(short))}{'个百分点' if percent else goal.unit}"
    low = (short > 0) == (goal.op not in AT_MOST) and not over
    other = goal.reference and f"{goal.reference}{'的要求' if goal.plus else ''}"
    if target.measure in PROGRESS:
        words = f"比{other or ('目标' if held or over else '时序进度')}{'少' if low else '多'}{amount}"
        if expected and not percent and not over:
            words += f"（{'低' if low else '高'}{'' if held else '于应完成数'}{number(abs(short / expected) * 100)}%）"
        return words
    bound = other or ("红线" if target.measure in HARD else "目标" if held else "时序进度")
    return f"{'低' if low else '高'}于{bound}{amount}"


def _stage(verdict: Verdict) -> str:
    """Where a task in stages stands at the end of its period: 已到“签约”；“开工”应于6月30日前完成，逾期31天."""
    assert verdict.actual is not None
    assert verdict.period is not None
    stages, reached = verdict.target.goal.stages, int(max(verdict.actual, 0))
    if reached >= len(stages):
        return "已完成"
    name, day = stages[reached]
    so_far = f"已到“{stages[reached - 1][0]}”；" if reached else ""
    late = (verdict.period - day).days
    return f"{so_far}“{name}”应于{day.month}月{day.day}日前完成" + (f"，逾期{late}天" if late > 0 else "")


def actual(verdict: Verdict) -> str:
    """The figure judged: 500人（初步数）. Empty where nothing is known."""
    if verdict.actual is None:
        return ""
    said = verdict.status.text
    return verdict.target.goal.figure(verdict.actual) + (f"（{said}）" if said else "")


def period(verdict: Verdict) -> str:
    """The period of the figure judged, with what else is to be said of that figure: 2025年9月，初步数."""
    if verdict.period is None:
        return ""
    return "，".join(filter(None, (label(verdict.target.every, verdict.period), verdict.status.text)))


def owed(verdict: Verdict) -> str:
    """Of what the figure is overdue: 2025年9月; 完成情况 of a task with a deadline. Empty where none is."""
    if verdict.owed is None:
        return ""
    return "完成情况" if verdict.target.goal.by is not None else label(verdict.target.every, verdict.owed)


def nil(verdict: Verdict) -> str:
    """The latest period for which there was nothing to report: 2025年9月无报送事项."""
    return f"{label(verdict.target.every, verdict.nil)}{Status.NIL.text}" if verdict.nil else ""


def cause(why: Reason, shortfall: float | None, *, held: bool = False) -> str:
    """The reason alone. Who is not behind the plan missed another yardstick: the period's task, the average, a bound.

    What is ``held`` to its goal all year has no schedule to be behind of.
    """
    if why is not Reason.BEHIND_SCHEDULE:
        return why.text
    if shortfall is not None and shortfall <= 0:
        return "达到预警条件"
    return "未达目标要求" if held else why.text


def because(verdict: Verdict) -> str:
    """The same of a verdict; a task waits for its deadline, not for a figure."""
    if verdict.target.goal.by is not None and verdict.reason in (Reason.NOT_DUE, Reason.ANNUAL_ONLY):
        return "未到完成时限"
    return cause(verdict.reason, verdict.shortfall, held=verdict.target.expect.shape is Shape.HOLD)


def reason(verdict: Verdict) -> str:
    """Why the verdict is so: 数据逾期未报，应报2025年9月; 符合时序进度，本期已达红色条件，待连续期数确认."""
    words = because(verdict)
    if verdict.nil is not None:
        words += f"，{nil(verdict)}"
    if verdict.owed is not None:
        words += f"，应报{owed(verdict)}"
    if verdict.pending > Level.GREEN:
        words += f"，本期已达{verdict.pending.text}条件，待连续期数确认"
    return words


def pace(verdict: Verdict, workdays: Workdays = PUBLISHED) -> str:
    """What is needed from here, by period and by working day, against what was done so far. Empty where it has no meaning.

    此后每月需完成546人、每个工作日9人（前期月均318.22人、工作日均15.65人，余3个月、61个工作日）.
    """
    if verdict.goal is None or verdict.actual is None or verdict.period is None or verdict.target.goal.reference:
        return ""
    target, unit = verdict.target, verdict.target.goal.unit
    # From here on leads to the goal that will be in force, as the outlook has it.
    goal = target.changes[-1].goal.value if target.changes else verdict.goal
    found = pace_of(target, goal, verdict.actual, verdict.period, workdays)
    if found is None:
        return ""
    if target.measure is Measure.GOOD_DAYS:
        return _good_days(found, goal, verdict.actual, verdict.period)
    periods = PERIOD_NAMES[target.every]
    each = periods.removeprefix("个")
    needed = f"每{each}需完成{_enough(found.needed, unit)}"
    before = "" if found.so_far is None else f"前期{each}均{quantity(found.so_far, unit)}"
    left = f"余{found.left}{periods}"
    # Where less than one comes a working day, that says nothing of things that come whole.
    if found.daily is not None and target.every is not Every.DAY and (unit not in COUNTED or found.daily > 1):
        needed += f"、每个工作日{_enough(found.daily, unit)}"
        before += "" if found.daily_so_far is None else f"、工作日均{quantity(found.daily_so_far, unit)}"
        left += f"、{found.workdays}个工作日"
    return f"此后{needed}（{before and f'{before}，'}{left}）"


def _enough(value: float, unit: str) -> str:
    """A quantity that is needed, rounded so that it suffices: what is counted to whole ones."""
    return quantity(math.ceil(value) if unit in COUNTED else value, unit)


def _good_days(found: Pace, goal: float, actual: float, period: date) -> str:
    """The pace of good days as people count them: 余102天中需有81天优良，至多可差21天；全年可差40天，已差19天，为时序的0.66倍."""
    year = (date(period.year, 12, 31) - date(period.year - 1, 12, 31)).days
    gone = (period - date(period.year - 1, 12, 31)).days
    left = year - gone
    needed = math.ceil(round(found.needed * found.left, 6))  # 7 / 25 * 25 is a little more than 7
    words = (
        f"余{left}天中需有{needed}天优良，至多可差{left - needed}天" if needed <= left else f"余{left}天，已无法完成"
    )
    allowed, used = year - goal, gone - actual
    rate = f"，为时序的{number(used / (allowed * gone / year))}倍" if allowed > 0 else ""
    return f"{words}；全年可差{number(allowed)}天，已差{number(used)}天{rate}"


def outlook(verdict: Verdict) -> str:
    """Where the year will land: 预计全年1.2万—1.25万人（八成把握），完成目标的可能性约35%. Empty where nothing is foreseen."""
    target, period = verdict.target, verdict.period
    if target.measure not in FORECAST or target.every is Every.YEAR or verdict.goal is None or period is None:
        return ""
    if target.goal.reference:
        return ""  # nobody foresees where the other series will end
    if (period.month, period.day) == (12, 31):
        return ""
    if verdict.probability is None or verdict.low is None or verdict.high is None:
        return f"往年数据不足（完整的有{verdict.years}年），暂不预测"
    if target.measure in SUMS and verdict.low == verdict.high:
        return ""
    chance = "不足1%" if verdict.probability < 0.01 else "超过99%" if verdict.probability > 0.99 else ""
    chance = chance or f"约{verdict.probability:.0%}"
    unit = target.goal.unit
    span = f"{_rounded(verdict.low, unit)}—{_rounded(verdict.high, unit)}{unit}"
    return f"预计全年{'达到' if target.measure in SUMS else '为'}{span}（八成把握），完成目标的可能性{chance}"


def _rounded(value: float, unit: str) -> str:
    """A foreseen figure pretends no more than three digits; what is counted is whole."""
    digits = 2 - math.floor(math.log10(abs(value))) if value else 0
    return number(round(value, min(digits, 0) if unit in COUNTED else digits))


def thresholds(levels: tuple[Threshold, ...], target: Target) -> str:
    """The thresholds of one level in words: 落后应完成数超过5%，连续2期；或当期完成数低于当期应完成数的80%."""
    return "；或".join(threshold(level, target) for level in levels) or "未设"


@lru_cache(maxsize=4096)  # of one target, for all its subjects
def clearing(target: Target) -> str:
    """When an alert that stands is solved: 无落后应完成数超过3%的情形，连续2期. Empty: as soon as no level is reached."""
    keeping = target.levels.keeping
    if not keeping:
        return ""
    over = "、".join(threshold(replace(level, periods=1), target) for level in keeping)
    running = target.levels.clear_for
    return f"无{over}的情形" + (f"，连续{running}期" if running > 1 else "")


def enough(verdict: Verdict) -> str:
    """The figure of the next period that solves an alert: 2025年10月累计不低于3563人. Empty where it cannot be told.

    A sum by days has none: no single day makes up for what is missing.
    """
    target, found = verdict.target, verdict.clears
    if found is None or target.measure is Measure.MILESTONE or (target.every is Every.DAY and target.measure in SUMS):
        return ""
    return f"{label(target.every, found.period)}{_within(target, found)}"


def _within(target: Target, found: Clearing) -> str:
    """The bounds of a figure that clears, rounded to the safe side."""
    unit = target.goal.unit
    scale = 1 if unit in COUNTED else 100
    # What binary fractions add is no reason to ask for one more.
    least = None if found.least is None else math.ceil(round(found.least * scale, 4)) / scale
    most = None if found.most is None else math.floor(round(found.most * scale, 4)) / scale
    sum_of = "累计" if target.measure in SUMS else ""
    if most is None and least is not None:
        return f"{sum_of}{'高于' if target.goal.op is Op.MORE_THAN else '不低于'}{quantity(least, unit)}"
    if most is not None and target.measure is Measure.RANK:
        return f"进入前{number(most)}位"
    if most is not None and target.measure is Measure.CLASS:
        return f"达到或优于{quantity(most, unit)}"
    if most is not None and least is not None:
        return f"{sum_of}在{number(least)}—{quantity(most, unit)}之间"
    return f"{sum_of}{'低于' if target.goal.op is Op.LESS_THAN else '不超过'}{quantity(most or 0, unit)}"


def threshold(level: Threshold, target: Target) -> str:
    """A threshold in words: 落后应完成数超过5%，连续2期."""
    unit, value = level.unit or target.goal.unit, number(level.value)
    match level.against:
        case Against.SHARE | Against.POINTS | Against.UNITS | Against.OUTLOOK:
            by_now = "目标" if target.expect.shape is Shape.HOLD else "时序进度"
            words = _margin(level, "个位次" if unit == "位" else unit, by_now)
        case Against.BELOW:
            words = f"低于{quantity(level.value, unit)}"
        case Against.ABOVE:
            words = f"高于{quantity(level.value, unit)}"
        case Against.SPREAD:
            words = f"落后超过往年同期波动的{value}倍"
        case Against.PROBABILITY:
            words = f"完成目标的可能性低于{value}%"
        case Against.PERIOD:
            words = f"当期完成数低于当期应完成数的{number(100 - level.value)}%" if level.value else "未完成当期任务"
        case Against.AVERAGE:
            words = f"{'高' if target.goal.op in AT_MOST else '低'}于各对象平均数"
        case Against.LATE:
            words = f"应到阶段逾期满{value}{unit}"
        case Against.OVERDUE:
            words = "到最后时限仍未完成"
    return f"{words}，连续{level.periods}期" if level.periods > 1 else words


_AT_ONCE = {
    Against.SHARE: "未达应完成数",
    Against.OUTLOOK: "未达应完成数",
    Against.POINTS: "未达{}",
    Against.UNITS: "未达目标即预警",
}


def _margin(level: Threshold, unit: str, by_now: str) -> str:
    """How far behind is too far: 落后超过10个百分点, 落后应完成数超过10%（至年底收窄为5%）."""
    foreseen = "（年底预测有把握的从预测）" if level.against is Against.OUTLOOK else ""
    if not level.value:
        return _AT_ONCE[level.against].format(by_now) + foreseen
    unit = {Against.SHARE: "%", Against.OUTLOOK: "%", Against.POINTS: "个百分点"}.get(level.against, unit)
    of = "应完成数" if level.against in (Against.SHARE, Against.OUTLOOK) else ""
    words = f"落后{of}超过{number(level.value)}{unit}{foreseen}"
    return words if level.narrows_to is None else f"{words}（至年底收窄为{number(level.narrows_to)}{unit}）"


def not_before(target: Target) -> str:
    """From when on the target is judged: 全年时间过25%后起判. Empty where it is judged from the first figure on."""
    share = target.levels.not_before
    return f"全年时间过{number(share * 100)}%后起判" if share else ""


def curve(verdict: Verdict) -> str:
    """The plan curve in words, and what stands in for one that cannot be read from earlier years."""
    target = verdict.target
    words = shape(target.expect, target)
    if verdict.years < LEARNT.get(target.expect.shape, 0):
        return f"{words}（往年数据不足，暂按时间均匀推进）"
    return words


def shape(expect: Expect, target: Target) -> str:
    """The plan curve as the book has it."""
    match expect.shape:
        case Shape.LINEAR:
            return "按时间均匀推进"
        case Shape.WORKDAYS:
            return "按工作日均匀推进"
        case Shape.SEASONAL:
            return "按往年同期进度推进"
        case Shape.LAST_YEAR:
            return "按上年同期进度推进"
        case Shape.HOLD if target.goal.reference:
            return f"各期均与{target.goal.reference}的同期数相比"
        case Shape.HOLD:
            return "全年任何时点均应达到目标" if target.goal.by is None else "到时限时应已完成"
        case Shape.PATH:
            return f"自年初{quantity(expect.base, target.goal.unit)}均匀推进至目标"
        case Shape.CHECKPOINTS:
            nodes = "、".join(f"{day.month}月{day.day}日前{number(share * 100)}%" for day, share in expect.points)
            return f"按节点推进：{nodes}"
        case Shape.STAGES:
            return f"按阶段推进：{target.goal.text}"


def source(book: Book, target: Target) -> str:
    """Where the figures come from: filings: 城镇新增就业; of a derived series the formula; of a leaning goal its series."""
    if target.source is None:
        return ""
    made = next((one for one in book.derived if target.reads == (DERIVED, one.series)), None)
    read = f"{target.series} = {made.formula.text}（推算）" if made else f"{target.source}: {target.series}"
    return f"{read}；对照 {target.leans_on.source}: {target.leans_on.series}" if target.leans_on else read


def publication(rule: Publication, target: Target) -> str:
    """When a figure is due, in words."""
    if target.goal.by is not None:
        return "完成时限当日"
    together = "（1月与2月合并）" if rule.january_with_february else ""
    if rule.workdays is not None:
        return f"期末后{rule.workdays}个工作日内{together}"
    if rule.days is not None:
        return f"期末后{rule.days}日内{together}"
    if rule.dates:
        return f"{_dates(rule.dates)}{together}"
    month = "次月" if rule.months == 1 else "期末后第二个月"
    return f"{month}{rule.day}日前{together}"


def _dates(dates: tuple[date, ...]) -> str:
    """Days of a list, the year where it is new: 2025年4月16日、7月15日、2026年1月19日."""
    years = [None, *(day.year for day in dates)]
    return "、".join(
        f"{'' if day.year == before else f'{day.year}年'}{day.month}月{day.day}日"
        for before, day in zip(years, dates, strict=False)
    )
