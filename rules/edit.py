"""The rule behind a verdict in words, a condition a line, and what an edit of the book changed in it."""

from functools import lru_cache
from typing import NamedTuple

from rules import wording
from rules.target import Target, number
from rules.verdict import Verdict

_ENGLISH = {
    "年度目标": "goal",
    "计量方式": "measure",
    "进度安排": "expected course",
    "起判时点": "first judged",
    "黄色阈值": "yellow threshold",
    "红色阈值": "red threshold",
    "解除条件": "clear condition",
    "数据来源": "source",
    "报送时限": "due day",
}

_MEANING = ("计量方式", "数据来源")
"""What a figure is; the other conditions say what is asked of it."""


class Edit(NamedTuple):
    """One condition of a rule before and after."""

    label: str
    before: str
    now: str

    @property
    def text(self) -> str:
        """黄色阈值由“落后应完成数超过5%”改为“落后应完成数超过10%”."""
        return f"{self.label}由“{self.before}”改为“{self.now}”"

    @property
    def english(self) -> str:
        """For the log, conditions in the words they are told in: yellow threshold changed from … to …."""
        return f"{_ENGLISH[self.label]} changed from {self.before} to {self.now}"


def of_pace(verdict: Verdict) -> str:
    """All that decides how a figure of the verdict's target and subject is judged."""
    return f"年度目标：{_on_one_line(_goal(verdict))}\n{_of_all_subjects(verdict.target)}"


@lru_cache(maxsize=4096)
def _of_all_subjects(target: Target) -> str:
    levels = target.levels
    return _lines(
        {
            "计量方式": _measure(target),
            "进度安排": wording.shape(target.expect, target),
            "起判时点": wording.not_before(target) or "首期起判",
            "黄色阈值": wording.thresholds(levels.yellow, target),
            "红色阈值": wording.thresholds(levels.red, target),
            "解除条件": wording.clearing(target) or "不再达到预警阈值",
            "数据来源": f"{target.source}：{target.series}" if target.source else "未设",
        }
    )


def of_filing(verdict: Verdict) -> str:
    """When a figure of the verdict's target is owed."""
    return _lines({"报送时限": wording.publication(verdict.target.published, verdict.target)})


def edits(before: str, now: str) -> list[Edit]:
    """The conditions that differ between two rules in words."""
    old, new = _conditions(before), _conditions(now)
    return [Edit(label, old.get(label, "未设"), words) for label, words in new.items() if old.get(label) != words]


def comparable(before: str, now: str) -> bool:
    """Whether figures mean the same under both rules, which may judge them otherwise."""
    return not any(found.label in _MEANING for found in edits(before, now))


def _goal(verdict: Verdict) -> str:
    """The goal as the book has it, not as in force for one period: that is no edit."""
    target = verdict.target
    if target.goal.reference:
        return target.goal.text
    return wording.goals(target) if target.changes else wording.goal(verdict)


def _measure(target: Target) -> str:
    good = "" if target.counts is None else f"，不高于{number(target.counts)}为优良"
    return f"{wording.MEASURES[target.measure]}（{target.goal.unit}{good}）"


def _lines(conditions: dict[str, str]) -> str:
    return "\n".join(f"{label}：{_on_one_line(words)}" for label, words in conditions.items())


def _on_one_line(words: str) -> str:
    return " ".join(words.split())


def _conditions(rule: str) -> dict[str, str]:
    return {label: words for label, _, words in (line.partition("：") for line in rule.splitlines())}
