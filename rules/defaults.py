"""What a target inherits when its author is silent, and what its measure allows."""

from msgspec.structs import replace

from rules.calendar import Every
from rules.phrase import ANY_BREACH, OPS, thresholds
from rules.spec import LevelsSpec
from rules.target import (
    AT_MOST,
    FORECAST,
    HARD,
    LEARNT,
    PERCENT,
    PROGRESS,
    Against,
    Expect,
    Goal,
    Levels,
    Measure,
    Shape,
    Threshold,
)
from rules.unit import conversion

_LEVELS = {
    **dict.fromkeys(PROGRESS, Levels(thresholds("behind 5%"), thresholds("behind 15%"))),
    **dict.fromkeys(
        (Measure.GROWTH, Measure.SHARE), Levels(thresholds("behind 0 points"), thresholds("behind 1 points"))
    ),
    **dict.fromkeys(HARD | {Measure.MILESTONE}, Levels((), (ANY_BREACH,))),
    Measure.RANK: Levels((ANY_BREACH,), ()),
}
_LINEAR = frozenset({Measure.CUMULATIVE, Measure.GOOD_DAYS, Measure.REDUCTION})
_UNITS = {
    Measure.GROWTH: "%",
    Measure.SHARE: "%",
    Measure.REDUCTION: "%",
    Measure.RANK: "位",
    Measure.CLASS: "类",
    Measure.GOOD_DAYS: "天",
}
_PHRASES = {op: words for words, op in OPS.items()}


def levels(measure: Measure, target: LevelsSpec, by_measure: LevelsSpec | None, book: LevelsSpec | None) -> Levels:
    """Thresholds in force, most specific first: the target, the book's entry for the measure, the book, the table above.

    The book's general ``levels`` reach progress measures only: 5 % of a growth rate means nothing.
    """
    layers = [layer for layer in (target, by_measure, book if measure in PROGRESS else None) if layer is not None]
    silent = _LEVELS[measure]
    return Levels(
        yellow=next((layer.yellow for layer in layers if layer.yellow is not None), silent.yellow),
        red=next((layer.red for layer in layers if layer.red is not None), silent.red),
        not_before=next((layer.not_before for layer in layers if layer.not_before is not None), silent.not_before),
        clear=next((layer.clear for layer in layers if layer.clear is not None), silent.clear),
        clear_for=next((layer.clear_for for layer in layers if layer.clear_for is not None), silent.clear_for),
    )


def expect(measure: Measure, goal: Goal) -> Expect:
    """The curve of a target whose author names none."""
    if goal.stages:
        points = tuple((when, number / goal.value) for number, (_, when) in enumerate(goal.stages, start=1))
        return Expect(Shape.STAGES, Shape.STAGES.value, points=points)
    shape = Shape.LINEAR if measure in _LINEAR and not goal.reference else Shape.HOLD
    return Expect(shape, shape.value)


def stated(measure: Measure, goal: Goal) -> Goal:
    """The goal in the unit of its measure, where its author names none: a rate is in percent."""
    return goal if goal.unit else replace(goal, unit=_UNITS.get(measure, ""))


def objections(measure: Measure, every: Every, goal: Goal, expect: Expect, levels: Levels) -> list[str]:
    """What does not go together in one target, each with its cure."""
    found = []
    unit = _UNITS.get(measure)
    if unit and conversion(goal.unit, unit) is None:
        found.append(f"goal: {measure} 的计量单位应为 {unit}，而不是 {goal.unit} (unit mismatch)")
    if (measure is Measure.MILESTONE) != (goal.by is not None or bool(goal.stages)):
        found.append("goal: 节点任务应写 measure: milestone 和 goal: done by 日期，二者缺一不可 (milestone)")
    if goal.reference and not goal.unit:
        found.append(
            f"goal: 请在末尾写明计量单位，如 {_PHRASES[goal.op]} the figure of {goal.reference} in 亿元 (missing unit)"
        )
    if goal.by is not None and every is not Every.YEAR:
        found.append("every: 节点任务应写 every: year (milestone)")
    wanted = {Measure.FLOOR: "at least", Measure.CEILING: "at most", Measure.ZERO: "at most", Measure.RANK: "at most"}
    if measure in wanted and (goal.op in AT_MOST) != (wanted[measure] == "at most"):
        found.append(f"goal: {measure} 的目标应写 {wanted[measure]} (direction)")
    found += _curve_objections(measure, goal, expect)
    for name, thresholds_of in (("yellow", levels.yellow), ("red", levels.red), ("clear", levels.clear)):
        why = (_threshold_objection(measure, every, goal, expect, threshold) for threshold in thresholds_of)
        found += [f"{name}: {words}" for words in why if words]
    found += [
        f"clear: '{one.text}' 不严于 '{level.text}'，不起作用 (clear too loose)；应写比预警阈值更好的数"
        for one in levels.clear
        for level in levels.yellow or levels.red
        if (one.against, one.unit) == (level.against, level.unit) and not _better(one, level)
    ]
    if levels.clear_for > 1 and every is Every.YEAR:
        found.append("clear for: 每年只有一期的目标不能要求连续几期 (one period)")
    return found


def _better(clear: Threshold, level: Threshold) -> bool:
    """Whether a figure must be better to be over ``clear`` than to be over ``level``."""
    larger = level.against in (Against.BELOW, Against.PROBABILITY)
    return clear.value > level.value if larger else clear.value < level.value


def _curve_objections(measure: Measure, goal: Goal, expect: Expect) -> list[str]:
    found = []
    if goal.stages and expect.shape is not Shape.STAGES:
        found.append("expect: 分阶段的节点任务以各阶段的日期为曲线，不另写 expect (stages)")
    if goal.reference and expect.shape is not Shape.HOLD:
        found.append("expect: 对照其他序列的目标各期与同期数相比，不另写 expect (leaning)")
    if expect.shape is Shape.CHECKPOINTS and goal.op in AT_MOST:
        found.append("expect: checkpoints 只用于越多越好的目标；逐步下降请写 path from 起点 (direction)")
    if expect.shape in LEARNT and measure not in PROGRESS:
        found.append(f"expect: {expect.text} 只用于逐期推进的指标，{measure} 请写 hold (seasonal)")
    return found


def _threshold_objection(measure: Measure, every: Every, goal: Goal, expect: Expect, level: Threshold) -> str | None:
    if level.against is Against.PERIOD and (
        measure not in PROGRESS or expect.shape is Shape.HOLD or goal.op in AT_MOST
    ):
        return f"当期任务只用于逐期推进、越多越好的指标 ('{level.text}')"
    if level.against is Against.SPREAD and expect.shape is not Shape.SEASONAL:
        return f"spreads 以往年同期的波动为尺度，只用于 expect: seasonal ('{level.text}')"
    if words := _foresight_objection(measure, every, goal, level):
        return words
    if level.against is Against.LATE and expect.shape is not Shape.STAGES:
        return f"late 只用于分阶段的节点任务，goal 应如 开工 by 2025-06-30 ('{level.text}')"
    if level.against is Against.LATE:
        return None
    if level.against is Against.POINTS and goal.reference and measure in PROGRESS and goal.unit not in PERCENT:
        return f"对照其他序列的目标没有全年目标值，请写 behind 5% 或 behind 5 {goal.unit} ('{level.text}')"
    if level.against is Against.SHARE and measure not in PROGRESS:
        return f"{measure} 不按比例比较，请写 behind {level.value:g} points 或 behind {level.value:g} {goal.unit} ('{level.text}')"
    if level.against is Against.POINTS and measure not in PROGRESS and conversion(goal.unit, "%") is None:
        return f"以{goal.unit}计的指标没有百分点，请写 behind {level.value:g} {goal.unit} ('{level.text}')"
    if level.unit and conversion(level.unit, goal.unit) is None:
        return f"阈值单位 {level.unit} 与目标单位 {goal.unit} 不能换算 ('{level.text}')"
    return None


def _foresight_objection(measure: Measure, every: Every, goal: Goal, level: Threshold) -> str | None:
    if level.against in (Against.PROBABILITY, Against.OUTLOOK) and goal.reference:
        return f"对照其他序列的目标不作年底预测，不能用 probability、with outlook ('{level.text}')"
    if level.against is Against.PROBABILITY and (measure not in FORECAST or every is Every.YEAR):
        return f"{measure} 不作年底预测，不能用 probability ('{level.text}')"
    if level.against is Against.OUTLOOK and (measure not in PROGRESS or every is Every.YEAR):
        return f"with outlook 只用于按进度比较、作年底预测的指标 ('{level.text}')"
    return None
