"""Verdicts: what judging found, in columns, and one of them as an object."""

from collections.abc import Collection
from datetime import date
from enum import StrEnum

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from connectors.observation import Status
from rules.target import Level, Target


class Outcome(StrEnum):
    """What is true of a target now."""

    ON_TRACK = "on_track"
    BEHIND = "behind"
    BREACHED = "breached"
    NOT_JUDGED = "not_judged"


class Reason(StrEnum):
    """Why the outcome is so. The same word is stored, logged and counted."""

    ON_SCHEDULE = "on_schedule"
    BEHIND_SCHEDULE = "behind_schedule"
    LIMIT_BREACHED = "limit_breached"
    GOAL_MISSED = "goal_missed"
    NOT_DUE = "not_due"
    ANNUAL_ONLY = "annual_only"
    LATE = "late"
    NO_DATA = "no_data"
    FAILED = "failed"
    NIL = "nil"
    NO_GOAL = "no_goal"
    TOO_EARLY = "too_early"
    NO_REFERENCE = "no_reference"
    IN_DOUBT = "in_doubt"

    @property
    def text(self) -> str:
        return _TEXTS[self]


_TEXTS = {
    Reason.ON_SCHEDULE: "符合时序进度",
    Reason.BEHIND_SCHEDULE: "未达时序进度",
    Reason.LIMIT_BREACHED: "突破红线",
    Reason.GOAL_MISSED: "期满未完成",
    Reason.NOT_DUE: "未到报送时间",
    Reason.ANNUAL_ONLY: "年度指标，不按序时考核",
    Reason.LATE: "数据逾期未报",
    Reason.NO_DATA: "到期无数据",
    Reason.FAILED: "数据来源故障",
    Reason.NIL: "尚无数据",
    Reason.NO_GOAL: "尚无目标值",
    Reason.TOO_EARLY: "未到起判时点",
    Reason.NO_REFERENCE: "对照数据未到",
    Reason.IN_DOUBT: "所报数据待核",
}

REASONS = tuple(Reason)
"""Codes of ``Verdicts.reason``, in order."""

CODE = {reason: np.int8(code) for code, reason in enumerate(REASONS)}
OUTCOME = {
    Reason.ON_SCHEDULE: Outcome.ON_TRACK,
    Reason.BEHIND_SCHEDULE: Outcome.BEHIND,
    Reason.LIMIT_BREACHED: Outcome.BREACHED,
    Reason.GOAL_MISSED: Outcome.BREACHED,
}
"""Outcome of each reason that judges; every other reason is NOT_JUDGED."""

OWED = frozenset({Reason.LATE, Reason.NO_DATA})
"""Reasons for which a unit owes a figure."""

UNSURE = frozenset({Reason.FAILED, Reason.IN_DOUBT})
"""Reasons for which nobody knows what stands: no figure was let in, and yet nobody can be said to owe one."""


class Verdicts(Struct, frozen=True):
    """Verdicts of N rows of a block, all columns (N,).

    ``reason`` indexes REASONS; ``level`` and ``pending`` are Level values
    (``pending``: a level whose ``for N`` periods are not complete yet, above
    ``level``); ``keep`` says that an alert that stands is not solved yet; ``slot`` is
    the period judged (-1 none); ``actual``, ``expected`` and ``shortfall`` (positive means behind, in the target's unit) are NaN where
    nothing is known; ``owed`` is the latest period whose figure is overdue (-1 none);
    ``nil`` the latest one, after ``slot``, for which there was nothing to report (-1
    none); ``preliminary`` says that the figure judged is not final yet; ``probability``
    (0-1) is that of meeting the goal, NaN where nothing can be said of it.
    """

    reason: NDArray[np.int8]
    level: NDArray[np.int8]
    pending: NDArray[np.int8]
    keep: NDArray[np.bool_]
    slot: NDArray[np.int16]
    owed: NDArray[np.int16]
    actual: NDArray[np.float64]
    expected: NDArray[np.float64]
    shortfall: NDArray[np.float64]
    probability: NDArray[np.float32]
    nil: NDArray[np.int16]
    preliminary: NDArray[np.bool_]

    @property
    def unsure(self) -> NDArray[np.bool_]:
        """Of which nobody knows what stands (N,)."""
        return self._are(UNSURE)

    @property
    def owing(self) -> NDArray[np.bool_]:
        """For which a unit owes a figure (N,)."""
        return self._are(OWED)

    def _are(self, reasons: Collection[Reason]) -> NDArray[np.bool_]:
        # One by one: a hundred times as fast as numpy's isin.
        found: NDArray[np.bool_] = np.logical_or.reduce([self.reason == CODE[reason] for reason in reasons])
        return found

    def part(self, rows: slice) -> "Verdicts":
        """A view of some of them."""
        return Verdicts(*(getattr(self, column)[rows] for column in self.__struct_fields__))


def empty(count: int) -> Verdicts:
    """Room for ``count`` verdicts."""
    return Verdicts(
        reason=np.empty(count, np.int8),
        level=np.empty(count, np.int8),
        pending=np.empty(count, np.int8),
        keep=np.zeros(count, np.bool_),
        slot=np.empty(count, np.int16),
        owed=np.empty(count, np.int16),
        actual=np.empty(count),
        expected=np.empty(count),
        shortfall=np.empty(count),
        probability=np.empty(count, np.float32),
        nil=np.empty(count, np.int16),
        preliminary=np.empty(count, np.bool_),
    )


def listed(values: NDArray[np.floating], known: NDArray[np.bool_]) -> list[float | None]:
    """A column (N,) as the figures of N objects: None where they are not known."""
    found = values.astype(np.object_)
    found[~known] = None
    return list(found)


class Clearing(Struct, frozen=True, gc=False):
    """A figure of the period that ends on ``period`` clears an alert from ``least`` on and up to ``most``.

    In the target's unit; None where there is no such bound.
    """

    period: date
    least: float | None
    most: float | None


class Verdict(Struct, frozen=True, gc=False):
    """One target's verdict for one subject. Figures are None where nothing is known.

    ``period`` is the last day of the period judged; ``owed`` that of the latest
    period whose figure is overdue, if one is; ``nil`` that of the latest one, after
    ``period``, for which the unit had nothing to report; ``goal`` was in force for the
    period judged, ``low`` to ``high`` is where the year will probably end, ``years`` how
    many complete earlier years are known. ``keep`` says that an alert that stands is not
    solved yet, ``preliminary`` that the figure is not final yet. ``clears`` is the figure that would solve it
    (``rules.clearing``).
    """

    target: Target
    subject: str
    reason: Reason
    level: Level
    pending: Level
    keep: bool
    period: date | None
    owed: date | None
    goal: float | None
    actual: float | None
    expected: float | None
    shortfall: float | None
    probability: float | None
    low: float | None
    high: float | None
    years: int
    nil: date | None = None
    preliminary: bool = False
    clears: Clearing | None = None

    @property
    def outcome(self) -> Outcome:
        return OUTCOME.get(self.reason, Outcome.NOT_JUDGED)

    @property
    def status(self) -> Status:
        """Of the figure judged."""
        return Status.PARTIAL if self.preliminary else Status.FINAL

    @property
    def judged(self) -> bool:
        return self.reason in OUTCOME
