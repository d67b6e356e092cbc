"""What leans on other figures: derived series, goals that follow a series, goals that were changed. Names find their series here."""

from collections.abc import Collection, Iterable, Mapping
from graphlib import CycleError
from itertools import pairwise

from msgspec.structs import replace

from connectors.strict import near
from rules import defaults
from rules.calendar import Every
from rules.derived import DERIVED, Derived, Series, in_order, named, ring
from rules.spec import DerivedSpec, TargetSpec
from rules.target import ChangedGoal, Op, Target
from rules.unit import conversion

_CHANGED = frozenset({Op.AT_LEAST, Op.MORE_THAN, Op.AT_MOST, Op.LESS_THAN, Op.ABOUT})
_FINENESS = list(Every)


def derived_series(
    written: Iterable[tuple[DerivedSpec, str]],
    sources: Collection[str],
    default: str | None,
    every: Every | None,
    errors: list[str],
) -> dict[str, Derived]:
    """The derived series (each with its place in the book), each after those that it needs; what is wrong joins ``errors``.

    ``default`` is the source of the names that say none, ``every`` the frequency of the series that say none.
    """
    written = list(written)
    names = {spec.series for spec, _ in written}
    found: dict[str, Derived] = {}
    for spec, place in written:
        inputs = [named(name, names, sources, spec.source or default) for name in spec.formula.names]
        problems = [
            f"formula: 不知序列 '{name}' 出自哪个来源 (unknown series)；请写 from: 来源，或在公式中写 来源.序列{near(name, names)}"
            for name, read in zip(spec.formula.names, inputs, strict=True)
            if read is None
        ]
        if spec.source is not None and spec.source not in sources:
            problems = [f"from: 没有名为 '{spec.source}' 的来源 (unknown source){near(spec.source, sources)}"]
        if spec.series in found:
            problems.append(f"推算序列 '{spec.series}' 与 {found[spec.series].place} 重复 (duplicate series)")
        errors += [f"{place}: {problem}" for problem in problems]
        known = tuple(read for read in inputs if read is not None)
        if not problems:
            found[spec.series] = Derived(
                spec.series, spec.unit, spec.every or every or Every.MONTH, spec.formula, known, place
            )
    try:
        return {one.series: one for one in in_order(found)}
    except CycleError as error:
        place = found[error.args[1][0]].place
        errors.append(f"{place}: 推算序列互为因果：{ring(error)} (cycle)；来源中的同名序列请写 来源.序列")
        return {}


def with_goals(
    target: Target,
    spec: TargetSpec,
    year: int,
    sources: Collection[str],
    default: str | None,
    derived: Mapping[str, Derived],
) -> tuple[Target, list[str]]:
    """The target with what its goal leans on and with its later goals, and what is wrong with those.

    A series without a source is the target's own source's, or of the ``default`` one.
    """
    goal, problems = target.goal, list[str]()
    if goal.reference:
        found = named(goal.reference, derived, sources, target.source if target.source in sources else default)
        if found is None:
            problems.append(f"goal: 不知序列 '{goal.reference}' 出自哪个来源 (unknown series)；请写 来源.序列")
        elif found == target.reads:
            problems.append(f"goal: 目标不能与自己的序列 '{found.series}' 对照 (leaning)")
        else:
            target = replace(target, leans_on=found, goal=replace(goal, reference=found.series))
            problems += wrongly_derived(target, found, derived)
    changes = tuple(
        ChangedGoal(change.since, defaults.stated(target.measure, change.goal), change.why) for change in spec.changes
    )
    if changes and not goal.unit:
        # Nothing was set yet: what is measured is known from the first goal that is.
        target = replace(target, goal=replace(changes[0].goal, value=goal.value))
    target = replace(target, changes=changes)
    return target, problems + _wrong_changes(target, year)


def wrongly_derived(target: Target, read: Series, derived: Mapping[str, Derived]) -> list[str]:
    """What is wrong with ``target`` reading ``read``, if that is a derived series."""
    if read.source != DERIVED:
        return []
    one = derived.get(read.series)
    if one is None:
        return [f"source: 没有推算序列 '{read.series}' (unknown series){near(read.series, derived)}"]
    if conversion(one.unit, target.goal.unit) is None:
        return [f"推算序列 '{one.series}' 的单位 {one.unit} 与目标单位 {target.goal.unit} 不能换算 (unit mismatch)"]
    if _FINENESS.index(one.every) > _FINENESS.index(target.every):
        return [f"every: 推算序列 '{one.series}' 每 {one.every} 一个数，目标不能每 {target.every} 判定 (too coarse)"]
    return []


def _wrong_changes(target: Target, year: int) -> list[str]:
    if not target.changes:
        return []
    days = [change.since for change in target.changes]
    found = [f"changes: 日期 {day} 不在 {year} 年内 (wrong year)" for day in days if day.year != year]
    if any(first >= second for first, second in pairwise(days)):
        found.append("changes: 日期应由早到晚，不得重复 (wrong order)")
    goals = (target.goal, *(change.goal for change in target.changes))
    if any(goal.nodes or goal.reference or goal.op not in _CHANGED for goal in goals):
        found.append("changes: 只用于 at least、more than、at most、less than、about 的数值目标 (changed goal)")
    elif any(replace(goal, value=0.0) != replace(target.goal, value=0.0) for goal in goals):
        found.append("changes: 调整后的目标应与原目标方向、计量单位、容差相同，只改数值 (changed goal)")
    return found
