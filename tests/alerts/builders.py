"""Notices and letters as the pipeline makes them, any fact replaced at will."""

import hashlib
from datetime import datetime
from typing import Any

from alerts.channels.base import Channel, Letter
from alerts.delivery import Attempt
from alerts.notice import Notice

KEY = "0123456789abcdef0123456789abcdef"

_FIRED: dict[str, Any] = {
    "book": "wansheng-2025",
    "book_title": "2025年管委会工作报告目标任务分解方案",
    "target": "urban-jobs",
    "subject": "",
    "name": "城镇新增就业",
    "item": 6,
    "section": "一、主要预期目标",
    "lead": ("人力社保局",),
    "responsible": ("相关部门", "镇街"),
    "asked": ("人力社保局",),
    "supervisor": "督查办",
    "kind": "pace",
    "event": "fired",
    "cause": "ordinary",
    "state": "firing",
    "level": 2,
    "previous_level": 0,
    "judged": 2,
    "reason": "behind_schedule",
    "period": "2025年9月",
    "status": "",
    "owed": "",
    "nil": "",
    "unit": "人",
    "goal": "不低于4500人",
    "goal_value": 4500.0,
    "by": "2025年底",
    "actual": 2576.0,
    "actual_text": "2576人",
    "expected": 3375.0,
    "expected_text": "3375人",
    "shortfall": 799.0,
    "gap_text": "比时序进度少799人（低于应完成数23.67%）",
    "pace_text": "此后每月需完成642人、每个工作日32人（前期月均286.22人、工作日均13.78人，余3个月、61个工作日）",
    "probability": None,
    "outlook_text": "",
    "enough_text": "2025年10月累计不低于3563人",
    "rule": "落后应完成数超过15%，连续2期",
    "since": "2025-10-27T09:00:00+08:00",
    "at": "2025-10-27T09:00:00+08:00",
    "origin": "figures/演示数据.csv 第412行",
    "mark": "演示数据",
}
_EVENTS: dict[str, dict[str, Any]] = {
    "fired": {},
    "worsened": {
        "event": "worsened",
        "previous_level": 1,
        "probability": 0.08,
        "outlook_text": "预计全年达到3480—3890人（八成把握），完成目标的可能性约8%",
        "since": "2025-09-15T09:00:00+08:00",
    },
    "eased": {
        "event": "eased",
        "level": 1,
        "previous_level": 2,
        "judged": 1,
        "period": "2025年10月",
        "actual": 3400.0,
        "actual_text": "3400人",
        "expected": 3750.0,
        "expected_text": "3750人",
        "shortfall": 350.0,
        "gap_text": "比时序进度少350人（低于应完成数9.33%）",
        "pace_text": "此后每月需完成550人、每个工作日26人（前期月均340人、工作日均16.59人，余2个月、43个工作日）",
        "enough_text": "2025年11月累计不低于3919人",
        "rule": "落后应完成数超过5%",
        "at": "2025-11-14T09:00:00+08:00",
    },
    "resolved": {
        "event": "resolved",
        "state": "resolved",
        "level": 0,
        "previous_level": 1,
        "judged": 0,
        "reason": "on_schedule",
        "period": "2025年11月",
        "actual": 4180.0,
        "actual_text": "4180人",
        "expected": 4125.0,
        "expected_text": "4125人",
        "shortfall": -55.0,
        "gap_text": "比时序进度多55人（高于应完成数1.33%）",
        "pace_text": "此后每月需完成320人、每个工作日14人（前期月均380人、工作日均18.58人，余1个月、23个工作日）",
        "enough_text": "",
        "rule": "落后应完成数超过5%",
        "at": "2025-12-12T09:00:00+08:00",
    },
}
_REVISED: dict[str, Any] = {
    "event": "corrected",
    "cause": "revised",
    "state": "resolved",
    "level": 0,
    "previous_level": 1,
    "judged": 0,
    "reason": "on_schedule",
    "actual": 3900.0,
    "actual_text": "3900人",
    "shortfall": -525.0,
    "gap_text": "比时序进度多525人（高于应完成数15.56%）",
    "pace_text": "此后每月需完成200人、每个工作日10人（前期月均433.33人、工作日均20.86人，余3个月、61个工作日）",
    "enough_text": "",
    "rule": "落后应完成数超过5%",
    "since": "2025-10-15T09:00:00+08:00",
    "at": "2025-10-27T09:00:00+08:00",
    "told_at": "2025-10-15T09:00:00+08:00",
    "told_level": 1,
    "told_actual": 3200.0,
    "told_text": "3200人",
}
_EVENTS["corrected"] = _REVISED
_EVENTS["corrected past"] = {**_REVISED, "state": "firing", "level": 2, "previous_level": 2}
_EVENTS["edited"] = {
    **_EVENTS["resolved"],
    "cause": "rule_edited",
    "edit": "黄色阈值由“落后应完成数超过5%”改为“落后应完成数超过10%”",
    "rule": "落后应完成数超过10%",
    "period": "2025年9月",
    "actual": 3200.0,
    "actual_text": "3200人",
    "expected": 3375.0,
    "expected_text": "3375人",
    "shortfall": 175.0,
    "gap_text": "比时序进度少175人（低于应完成数5.19%）",
    "pace_text": "此后每月需完成434人、每个工作日22人（前期月均355.56人、工作日均17.11人，余3个月、61个工作日）",
    "at": "2025-10-28T09:00:00+08:00",
}
_EVENTS["withdrawn"] = {
    "event": "withdrawn",
    "cause": "target_removed",
    "state": "resolved",
    "level": 0,
    "previous_level": 2,
    "judged": 0,
    "at": "2025-11-03T09:00:00+08:00",
}
_EVENTS["reminded"] = {
    "event": "reminded",
    "cause": "standing",
    "previous_level": 2,
    "waited": "已满5个工作日",
    "at": "2025-11-03T09:00:00+08:00",
}
_EVENTS["escalated"] = {
    **_EVENTS["reminded"],
    "event": "escalated",
    "waited": "已满10个工作日",
    "attention": "主要领导",
    "at": "2025-11-10T09:00:00+08:00",
}
_OWED: dict[str, Any] = {
    "kind": "data",
    "level": 1,
    "judged": 1,
    "reason": "late",
    "period": "2025年8月",
    "owed": "2025年9月",
    "actual": 2350.0,
    "actual_text": "2350人",
    "expected": 3000.0,
    "expected_text": "3000人",
    "shortfall": 650.0,
    "gap_text": "比时序进度少650人（低于应完成数21.67%）",
    "pace_text": "此后每月需完成538人、每个工作日26人（前期月均293.75人、工作日均14.33人，余4个月、84个工作日）",
    "enough_text": "",
    "rule": "数据应于期末后10个工作日内报送",
}


def pace_notice(what: str = "fired", /, **facts: Any) -> Notice:
    """A target behind its plan: red in September, yellow in October, on schedule in November.

    Otherwise September's figure is revised while it is the newest or later, the threshold is edited, the target removed.
    """
    return Notice(**{**_FIRED, **_EVENTS[what], **facts})


def data_notice(event: str = "fired", **facts: Any) -> Notice:
    """September's figure, owed since the first day after the holidays' tenth working day; handed in on 5 November."""
    if event == "resolved":
        filed = {
            "event": "resolved",
            "state": "resolved",
            "judged": 0,
            "level": 0,
            "previous_level": 1,
            "reason": "behind_schedule",
            "owed": "",
        }
        facts = {**filed, "at": "2025-11-05T09:00:00+08:00", **facts}
        september = {name: fact for name, fact in _FIRED.items() if name in _OWED and name not in ("kind", "rule")}
        return Notice(**{**_FIRED, **_OWED, **september, **facts})
    if event == "withdrawn":
        facts = {**_EVENTS[event], "previous_level": 1, **facts}
    return Notice(**{**_FIRED, **_OWED, "event": event, **facts})


def milestone_notice(**facts: Any) -> Notice:
    """A task with a date that has passed."""
    task = {
        "target": "item-24",
        "name": "城市更新提升行动",
        "item": 24,
        "section": "(五)推动城乡融合发展",
        "lead": ("住房城乡建委",),
        "responsible": (),
        "asked": ("住房城乡建委",),
        "reason": "goal_missed",
        "level": 1,
        "judged": 1,
        "period": "2025年9月30日",
        "unit": "%",
        "goal": "2025年9月30日前完成",
        "goal_value": 100.0,
        "by": "2025年9月30日",
        "actual": 60.0,
        "actual_text": "60%",
        "expected": 100.0,
        "expected_text": "100%",
        "shortfall": 40.0,
        "gap_text": "尚差40%",
        "pace_text": "",
        "enough_text": "",
        "rule": "期满未达目标",
        "origin": "",
        "mark": "",
    }
    return Notice(**{**_FIRED, **task, **facts})


def key(number: int) -> str:
    """A key as deliveries have them."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:32]


def letter(notice: Notice | None = None, **parts: Any) -> Letter:
    """``notice`` on its way to the lead unit."""
    usual: dict[str, Any] = {
        "key": KEY,
        "receiver": "人力社保局",
        "address": "",
        "why": "人力社保局是该目标的牵头单位",
        "notice": notice or pace_notice(),
        "sent_at": datetime.fromisoformat("2025-10-27T09:00:05+08:00"),
    }
    return Letter(**{**usual, **parts})


def send(channel: Channel, one: Letter) -> Attempt:
    """What comes of one letter on its own."""
    (attempt,) = channel.send([one])
    return attempt
