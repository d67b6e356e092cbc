"""A judge of one target that is slow and plain: the words of the design, one after the other, without columns."""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from rules.calendar import PUBLISHED
from rules.plan import Block
from rules.target import HARD, PROGRESS, Against, Level, Measure, Op, Shape, Target, Threshold
from rules.verdict import Reason

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Answer:
    reason: Reason
    level: Level
    pending: Level


@dataclass(frozen=True)
class NaiveJudge:
    """``figures`` by number of the period, 1 is the first; ``ends`` and ``dues`` are the days of all periods.

    ``peers`` are the figures of all subjects of the target, its own among them.
    """

    target: Target
    goal: float
    figures: Mapping[int, float]
    ends: list[date]
    dues: list[date]
    peers: tuple[Mapping[int, float], ...]

    @staticmethod
    def of(
        block: Block, row: int, figures: Mapping[int, float], peers: tuple[Mapping[int, float], ...] = ()
    ) -> "NaiveJudge":
        target, _ = block.target_at(row)
        ends = [end.item() for end in block.ends]
        dues = [target.goal.by or target.published.due(block.ends)[i].item() for i in range(len(ends))]
        return NaiveJudge(target, target.goal.value, figures, ends, dues, peers)

    def expected(self, period: int) -> float:
        match self.target.expect.shape:
            case Shape.HOLD:
                return self.goal
            case Shape.CHECKPOINTS:
                return self.goal * self._share_by(self.ends[period - 1])
            case Shape.STAGES:
                return sum(when <= self.ends[period - 1] for _, when in self.target.goal.stages)
            case Shape.WORKDAYS:
                return self.goal * _workdays_until(self.ends[period - 1]) / _workdays_until(self.ends[-1])
            case Shape.LINEAR | Shape.PATH:
                base = self.target.expect.base
                return base + (self.goal - base) * period / len(self.ends)

    def _share_by(self, day: date) -> float:
        before, done = date(day.year - 1, 12, 31), 0.0
        for when, share in self.target.expect.points:
            if day <= when:
                return done + (share - done) * ((day - before) / (when - before))
            before, done = when, share
        return done

    def shortfall(self, period: int) -> float:
        """How far behind, what the goal forgives taken off."""
        goal, actual, expected = self.target.goal, self.figures[period], self.expected(period)
        low, high = expected - actual, actual - expected
        match goal.op:
            case Op.AT_LEAST | Op.MORE_THAN:
                return low
            case Op.AT_MOST | Op.LESS_THAN:
                return high
            case Op.ABOUT:
                return low - self.forgiven(expected)
            case Op.BETWEEN | Op.EXACTLY:
                assert goal.upper is not None
                return max(low, actual - goal.upper)

    def forgiven(self, expected: float) -> float:
        """The tolerance of the goal: of what grows from nothing in proportion to what is expected."""
        whole = self.target.expect.shape in (Shape.HOLD, Shape.PATH) or not self.goal
        return self.target.goal.tolerance * (1 if whole else min(abs(expected / self.goal), 1))

    def exceeds(self, shortfall: float, allowed: float) -> bool:
        """More than is allowed; a goal that must be surpassed is not reached by being equal."""
        small = _ROUNDING * max(abs(self.goal), 1.0)
        if self.target.goal.op in (Op.MORE_THAN, Op.LESS_THAN):
            return shortfall > allowed - small
        return shortfall > allowed + small

    def reached(self, threshold: Threshold, period: int) -> bool:
        value, short = threshold.value, self.shortfall(period)
        if threshold.narrows_to is not None:
            value += (threshold.narrows_to - value) * period / len(self.ends)
        match threshold.against:
            case Against.SHARE:
                return self.exceeds(short, value / 100 * abs(self.expected(period)))
            case Against.POINTS if self.target.measure in PROGRESS and self.target.goal.unit != "%":
                return self.exceeds(short, value / 100 * abs(self.goal))
            case Against.POINTS | Against.UNITS:
                return self.exceeds(short, value)
            case Against.BELOW:
                return self.figures[period] < value
            case Against.ABOVE:
                return self.figures[period] > value
            case Against.OVERDUE:
                points = self.target.expect.points
                over = self.ends[period - 1] >= points[-1][0] if points else period == len(self.ends)
                return over and self.exceeds(short, 0)
            case _:
                return self.behind_otherwise(threshold, period) > _ROUNDING * max(abs(self.goal), 1.0)

    def behind_otherwise(self, threshold: Threshold, period: int) -> float:
        """Behind what is not the plan at this date, beyond what is allowed; here nothing need be surpassed."""
        goal, actual = self.target.goal, self.figures[period]
        if threshold.against is Against.LATE:
            return sum(_later(when, threshold) <= self.ends[period - 1] for _, when in goal.stages) - actual
        if threshold.against is Against.AVERAGE:
            known = [figures[period] for figures in self.peers if period in figures]
            sign = -1 if goal.op in (Op.AT_MOST, Op.LESS_THAN) else 1
            average = sum(known) / len(known)
            return sign * (average - actual) - self.forgiven(average)
        # What was added since the figure before, against what was planned for the same time.
        base = self.target.expect.base
        before = max((p for p in self.figures if p < period), default=None)
        done = actual - (base if before is None else self.figures[before])
        planned = self.expected(period) - (base if before is None else self.expected(before))
        return planned - done - self.forgiven(planned) - threshold.value / 100 * abs(planned)

    def holds(self, thresholds: tuple[Threshold, ...]) -> bool:
        """Any of them was reached at each of the last published periods that it asks for."""
        judged = [period for period in sorted(self.figures) if not self.too_early(period)]
        for threshold in thresholds:
            last = judged[-threshold.periods :]
            if len(last) == threshold.periods and all(self.reached(threshold, period) for period in last):
                return True
        return False

    def too_early(self, period: int) -> bool:
        return period / len(self.ends) < self.target.levels.not_before - 1e-9

    def answer(self, today: date) -> Answer:
        owed = [period for period, due in enumerate(self.dues, start=1) if today >= due + timedelta(days=1)]
        newest = max(self.figures, default=0)
        if owed and max(owed) > newest:
            return _none(Reason.LATE if self.figures else Reason.NO_DATA)
        if not self.figures:
            yearly = len(self.ends) == 1 and self.target.goal.by is None
            return _none(Reason.ANNUAL_ONLY if yearly else Reason.NOT_DUE)

        if self.too_early(newest):
            return _none(Reason.TOO_EARLY)
        levels = self.target.levels
        missed = newest == len(self.ends) and self.exceeds(self.shortfall(newest), 0)
        level = (
            Level.RED
            if self.holds(levels.red)
            else Level.YELLOW
            if missed or self.holds(levels.yellow)
            else Level.GREEN
        )
        if self.target.goal.by and level is not Level.GREEN and today <= self.target.goal.by:
            return _none(Reason.NOT_DUE)
        now = Level.GREEN
        for candidate, thresholds in ((Level.YELLOW, levels.yellow), (Level.RED, levels.red)):
            if any(self.reached(threshold, newest) for threshold in thresholds):
                now = candidate
        return Answer(self._reason(level, missed=missed), level, now if now > level else Level.GREEN)

    def _reason(self, level: Level, *, missed: bool) -> Reason:
        if level is Level.GREEN:
            return Reason.ON_SCHEDULE
        if self.target.measure in HARD:
            return Reason.LIMIT_BREACHED
        return Reason.GOAL_MISSED if missed else Reason.BEHIND_SCHEDULE


def _workdays_until(end: date) -> int:
    return sum(PUBLISHED.include(date(end.year, 1, 1) + timedelta(days=n)) for n in range(end.timetuple().tm_yday))


def _later(day: date, threshold: Threshold) -> date:
    if threshold.unit == "天":
        return day + timedelta(days=threshold.value)
    for _ in range(int(threshold.value)):
        first_of_next = date(day.year, day.month, monthrange(day.year, day.month)[1]) + timedelta(days=1)
        last_of_next = monthrange(first_of_next.year, first_of_next.month)[1]
        day = first_of_next.replace(day=min(day.day, last_of_next))
    return day


def _none(reason: Reason) -> Answer:
    return Answer(reason, Level.NOT_JUDGED, Level.GREEN)


NAIVE_MEASURES = sorted(set(Measure) - {Measure.GOOD_DAYS})
"""Good days are counted by the panel and tested there."""
