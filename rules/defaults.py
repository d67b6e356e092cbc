"""What a target inherits when its author is silent, and what its measure allows."""

from rules.calendar import Every
from rules.phrase import ANY_BREACH, threshold
from rules.spec import LevelsSpec
from rules.target import HARD, PROGRESS, Against, Expect, Goal, Levels, Measure, Op, Shape, Threshold
from rules.unit import conversion

_LEVELS = {
    **dict.fromkeys(PROGRESS, Levels(threshold("behind 5%"), threshold("behind 15%"))),
    **dict.fromkeys(
        (Measure.GROWTH, Measure.SHARE), Levels(threshold("behind 0 points"), threshold("behind 1 points"))
    ),
    **dict.fromkeys(HARD | {Measure.MILESTONE}, Levels(None, ANY_BREACH)),
    Measure.RANK: Levels(ANY_BREACH, None),
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
_AT_MOST = frozenset({Op.AT_MOST, Op.LESS_THAN})


def levels(measure: Measure, target: LevelsSpec, by_measure: LevelsSpec | None, book: LevelsSpec | None) -> Levels:
    """Thresholds in force, most specific first: the target, the book's entry for the measure, the book, the table above.

    The book's general ``levels`` reach progress measures only: 5 % of a growth rate means nothing.
    """
    layers = [target, by_measure, book if measure in PROGRESS else None, _LEVELS[measure]]
    return Levels(
        yellow=next((layer.yellow for layer in layers if layer and layer.yellow), None),
        red=next((layer.red for layer in layers if layer and layer.red), None),
    )


def expect(measure: Measure) -> Expect:
    """The curve of a measure whose author names none."""
    shape = Shape.LINEAR if measure in _LINEAR else Shape.HOLD
    return Expect(shape, shape.value)


def objections(measure: Measure, every: Every, goal: Goal, expect: Expect, levels: Levels) -> list[str]:
    """What does not go together in one target, each with its cure."""
    found = []
    unit = _UNITS.get(measure)
    if unit and conversion(goal.unit, unit) is None:
        found.append(f"goal: {measure} 的计量单位应为 {unit}，而不是 {goal.unit} (unit mismatch)")
    if (measure is Measure.MILESTONE) != (goal.by is not None):
        found.append("goal: 节点任务应写 measure: milestone 和 goal: done by 日期，二者缺一不可 (milestone)")
    if measure is Measure.MILESTONE and every is not Every.YEAR:
        found.append("every: 节点任务应写 every: year (milestone)")
    wanted = {Measure.FLOOR: "at least", Measure.CEILING: "at most", Measure.ZERO: "at most", Measure.RANK: "at most"}
    if measure in wanted and (goal.op in _AT_MOST) != (wanted[measure] == "at most"):
        found.append(f"goal: {measure} 的目标应写 {wanted[measure]} (direction)")
    if expect.shape is Shape.CHECKPOINTS and goal.op in _AT_MOST:
        found.append("expect: checkpoints 只用于越多越好的目标；逐步下降请写 path from 起点 (direction)")
    for name, level in (("yellow", levels.yellow), ("red", levels.red)):
        if level is not None and (why := _threshold_objection(measure, goal, level)):
            found.append(f"{name}: {why}")
    return found


def _threshold_objection(measure: Measure, goal: Goal, level: Threshold) -> str | None:
    if level.against is Against.SHARE and measure not in PROGRESS:
        return f"{measure} 不按比例比较，请写 behind {level.value:g} points 或 behind {level.value:g} {goal.unit} ('{level.text}')"
    if level.against is Against.POINTS and measure not in PROGRESS and conversion(goal.unit, "%") is None:
        return f"以{goal.unit}计的指标没有百分点，请写 behind {level.value:g} {goal.unit} ('{level.text}')"
    if level.unit and conversion(level.unit, goal.unit) is None:
        return f"阈值单位 {level.unit} 与目标单位 {goal.unit} 不能换算 ('{level.text}')"
    return None
