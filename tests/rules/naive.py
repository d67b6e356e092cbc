"""A judge of one target that is slow and plain: the words of the design, one after the other, without columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

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
    """``figures`` by number of the period, 1 is the first; ``ends`` and ``dues`` are the days of all periods."""

    target: Target
    goal: float
    figures: Mapping[int, float]
    ends: list[date]
    dues: list[date]

    @staticmethod
    def of(block: Block, row: int, figures: Mapping[int, float]) -> "NaiveJudge":
        target, _ = block.target_at(row)
        ends = [end.item() for end in block.ends]
        dues = [target.goal.by or target.published.due(block.ends)[i].item() for i in range(len(ends))]
        return NaiveJudge(target, target.goal.value, figures, ends, dues)

    def expected(self, period: int) -> float:
        match self.target.expect.shape:
            case Shape.HOLD:
                return self.goal
            case Shape.CHECKPOINTS:
                return self.goal * self._share_by(self.ends[period - 1])
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
                return low - goal.tolerance
            case Op.BETWEEN | Op.EXACTLY:
                assert goal.upper is not None
                return max(low, actual - goal.upper)

    def exceeds(self, shortfall: float, allowed: float) -> bool:
        """More than is allowed; a goal that must be surpassed is not reached by being equal."""
        small = _ROUNDING * max(abs(self.goal), 1.0)
        if self.target.goal.op in (Op.MORE_THAN, Op.LESS_THAN):
            return shortfall > allowed - small
        return shortfall > allowed + small

    def reached(self, threshold: Threshold, period: int) -> bool:
        value, short = threshold.value, self.shortfall(period)
        match threshold.against:
            case Against.SHARE:
                return self.exceeds(short, value / 100 * abs(self.expected(period)))
            case Against.POINTS if self.target.measure in PROGRESS:
                return self.exceeds(short, value / 100 * abs(self.goal))
            case Against.POINTS | Against.UNITS:
                return self.exceeds(short, value)
            case Against.BELOW:
                return self.figures[period] < value
            case Against.ABOVE:
                return self.figures[period] > value

    def holds(self, threshold: Threshold | None) -> bool:
        """Reached at each of the last published periods that the threshold asks for."""
        if threshold is None:
            return False
        last = sorted(self.figures)[-threshold.periods :]
        return len(last) == threshold.periods and all(self.reached(threshold, period) for period in last)

    def answer(self, today: date) -> Answer:
        owed = [period for period, due in enumerate(self.dues, start=1) if today >= due + timedelta(days=1)]
        newest = max(self.figures, default=0)
        if owed and max(owed) > newest:
            return _none(Reason.LATE if self.figures else Reason.NO_DATA)
        if not self.figures:
            yearly = len(self.ends) == 1 and self.target.goal.by is None
            return _none(Reason.ANNUAL_ONLY if yearly else Reason.NOT_DUE)

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
        for candidate, threshold in ((Level.YELLOW, levels.yellow), (Level.RED, levels.red)):
            if threshold is not None and self.reached(threshold, newest):
                now = candidate
        return Answer(self._reason(level, missed=missed), level, now if now > level else Level.GREEN)

    def _reason(self, level: Level, *, missed: bool) -> Reason:
        if level is Level.GREEN:
            return Reason.ON_SCHEDULE
        if self.target.measure in HARD:
            return Reason.LIMIT_BREACHED
        return Reason.GOAL_MISSED if missed else Reason.BEHIND_SCHEDULE


def _none(reason: Reason) -> Answer:
    return Answer(reason, Level.NOT_JUDGED, Level.GREEN)


NAIVE_MEASURES = sorted(set(Measure) - {Measure.GOOD_DAYS})
"""Good days are counted by the panel and tested there."""
