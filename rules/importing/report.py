"""What was found in a plan, what is doubtful and what has no number, for people and for scripts."""

from typing import Any

from rules.importing.commitment import Commitment
from rules.importing.doubt import Doubt, confidence
from rules.importing.draft import goal
from rules.importing.duty import Role
from rules.importing.outline import Rest
from rules.importing.plan import Entry, Plan


def facts(plan: Plan) -> dict[str, Any]:
    """The report as data: counts, items, and the doubtful, each with the words it came from."""
    promised = [one for entry in plan.entries for one in entry.commitments]
    return {
        "title": plan.title,
        "year": plan.year,
        "counts": {
            "items": len(plan.entries),
            "items_with_lead": sum(bool(entry.lead) for entry in plan.entries),
            "numbers": len(promised),
            "doubtful": len(_doubtful(plan)),
            "items_without_number": sum(not entry.commitments for entry in plan.entries),
            "numbers_left": sum(len(entry.left) for entry in plan.entries),
            "lines_outside_items": len(_rest(plan)),
        },
        "items": [_entry(entry) for entry in plan.entries],
        "doubtful": _doubtful(plan),
        "without_number": [entry.item.number for entry in plan.entries if not entry.commitments],
        "numbers_outside_items": [_number(one) for one in plan.loose],
        "rules": plan.outline.rules,
        "outside_items": _rest(plan),
    }


def text(plan: Plan) -> str:
    """The report as an office reads it."""
    found = facts(plan)
    counts = found["counts"]
    lines = [
        f"{plan.title}（{plan.year}年）",
        (
            f"事项 {counts['items']} 个，其中写明牵头或责任单位的 {counts['items_with_lead']} 个；数量目标 {counts['numbers']} 个；"
            f"存疑 {counts['doubtful']} 处；没有数量的事项 {counts['items_without_number']} 个；"
            f"未作目标的数 {counts['numbers_left']} 个；不属于事项的文字 {counts['lines_outside_items']} 段（照录在草稿中）。"
        ),
    ]
    if found["rules"]:
        lines += ["", "原文统一说明、已用于各项的：", *(f"  {rule}" for rule in found["rules"])]
    if found["doubtful"]:
        lines += ["", "存疑，请逐条核对："]
        lines += [
            f"  第{one['item']}项 {one['guess']}：{'；'.join(one['why'])}。原文：“{one['words']}”（把握{one['confidence']:.0%}）"
            for one in found["doubtful"]
        ]
    if found["without_number"]:
        lines += ["", f"没有数量、列为年底任务的事项：第{'、'.join(map(str, found['without_number']))}项"]
    left = [(entry.item.number, one) for entry in plan.entries for one in entry.left]
    if left:
        lines += ["", "未作目标的数：", *(f"  第{n}项 {one.reason.text}：“{one.words}”" for n, one in left)]
    if plan.loose:
        lines += ["", "不属于任何事项、而似有数量目标的文字：", *(f"  “{one.words}”" for one in plan.loose)]
    return "\n".join(lines)


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "item": entry.item.number,
        "label": entry.item.label,
        "section": entry.item.section,
        "text": entry.item.text,
        "lead": list(entry.lead),
        "responsible": list(entry.responsible),
        "leaders": list(entry.item.duty.of(Role.LEADER)),
        "offices": list(entry.item.duty.of(Role.OFFICE)),
        "deadlines": [
            {"words": one.words, "day": one.day.isoformat() if one.day else None, "stage": one.stage}
            for one in entry.deadlines
        ],
        "words": entry.item.duty.words,
        "confidence": entry.confidence,
        "why": [doubt.value for doubt in sorted(entry.doubts)],
        "numbers": [_number(one) for one in entry.commitments],
        "left": [{"words": one.words, "reason": one.reason.value} for one in entry.left],
    }


def _number(one: Commitment) -> dict[str, Any]:
    return {
        "name": one.name,
        "words": one.words,
        "op": one.op.value,
        "value": one.value,
        "upper": one.upper,
        "unit": one.unit,
        "measure": one.measure.value,
        "confidence": one.confidence,
        "why": [doubt.value for doubt in sorted(one.doubts)],
    }


def _doubtful(plan: Plan) -> list[dict[str, Any]]:
    """Every guess whose confidence is low: units of an item, or a number."""
    found = []
    for entry in plan.entries:
        if entry.doubtful:
            names = "、".join(entry.lead) or "无"
            why = [doubt.text for doubt in sorted(entry.doubts)]
            said = " ".join(" ".join(entry.item.duty.words).split())
            found.append(_doubt(entry, f"牵头单位 {names}", why, said or entry.item.text[:40], entry.confidence))
        if entry.untimely:
            said = "；".join(entry.item.duty.deadlines or [one.words for one in entry.deadlines])
            found.append(_doubt(entry, "时限", [Doubt.DEADLINE.text], said, confidence([Doubt.DEADLINE])))
        for one in entry.commitments:
            if one.doubtful:
                why = [doubt.text for doubt in sorted(one.doubts)]
                found.append(_doubt(entry, f"{one.name} {goal(one)}", why, one.words, one.confidence))
    return found


def _doubt(entry: Entry, guess: str, why: list[str], words: str, sure: float) -> dict[str, Any]:
    return {"item": entry.item.number, "guess": guess, "why": why, "words": words, "confidence": sure}


def _rest(plan: Plan) -> list[str]:
    return [part.text for part in plan.outline.parts if isinstance(part, Rest)]
