"""The draft of a book: YAML that holds every word of the document, doubts as comments beside what they are about."""

import json
import re
from collections.abc import Iterator

from connectors.strict import Wrong, read
from rules import defaults, phrase
from rules.calendar import Every
from rules.importing import deadline
from rules.importing.commitment import Commitment
from rules.importing.deadline import Deadline
from rules.importing.doubt import DOUBTFUL, Doubt, confidence
from rules.importing.duty import Role
from rules.importing.outline import Heading, Item, Rest
from rules.importing.plan import Entry, Plan
from rules.spec import LevelsSpec, TargetSpec
from rules.target import Measure, Op
from rules.unit import KNOWN

NOBODY = "待定"
"""The lead of an item whose document names none: a book cannot be without."""
_OPS = {Op.AT_LEAST: "at least", Op.MORE_THAN: "more than", Op.AT_MOST: "at most", Op.LESS_THAN: "less than"}
_ROMAN = " ⅠⅡⅢⅣⅤ"
_SCHEDULED = (Measure.CUMULATIVE, Measure.LEVEL)
_LIKE_ANOTHER_TYPE = re.compile(r"[-+.\d][\d_.,:eE+-]*|true|false|yes|no|null|on|off|~|", re.IGNORECASE)


def draft(plan: Plan, book: str, document: str) -> str:
    """The YAML of a book. What is certain is in force; what could mislead stands as a comment, to be put right."""
    return "\n".join([*_head(plan, book, document), "", "items:", *_items(plan), "", *_targets(plan), ""])


def _head(plan: Plan, book: str, document: str) -> Iterator[str]:
    yield f"# 由《{_line(document)}》起草。请逐条核对：存疑之处以“# 存疑”标出，推定之处以“# 推定”标出，核对后删去；原文中不属于任何事项的文字照录为注释。"
    yield f"book: {book}"
    yield f"title: {_scalar(plan.title)}"
    yield f"year: {plan.year}"
    yield "timezone: Asia/Shanghai"
    yield "supervisor: 督查办"


def _items(plan: Plan) -> Iterator[str]:
    entries = {id(entry.item): entry for entry in plan.entries}
    for part in plan.outline.parts:
        if isinstance(part, Item):
            yield from _item(entries[id(part)])
        elif isinstance(part, Heading):
            yield f"\n  # ── {_line(part.text)} ──"
        elif isinstance(part, Rest):
            yield f"  # {_line(part.text)}"


def _item(entry: Entry) -> Iterator[str]:
    item = entry.item
    yield ""
    for doubt in sorted(entry.doubts):
        yield f"  # {'存疑' if entry.doubtful else '推定'}：{doubt.text}。原文：{_line(' '.join(item.duty.words)) or '（无）'}"
    if entry.untimely:
        yield f"  # 存疑：{Doubt.DEADLINE.text}。原文：{_line('；'.join(item.duty.deadlines or [d.words for d in entry.deadlines]))}"
    yield f"  - item: {item.number}"
    if item.label and str(item.number) != re.sub(r"\D", "", item.label):
        yield f"    # 原编号：{_line(item.label)}"
    if item.section:
        yield f"    section: {_scalar(item.section)}"
    yield f"    text: {_scalar(item.text or '（原文无文字）')}"
    yield f"    lead: {_units(entry.lead or (NOBODY,))}"
    if entry.responsible:
        yield f"    responsible: {_units(entry.responsible)}"
    if item.starred:
        yield "    # 原文标有星号"
    if _kept(entry):
        yield f"    # 原文：{_line(' '.join(item.duty.words))}"
    if item.beside:
        yield f"    # 原表另列：{_line(item.beside)}"


def _kept(entry: Entry) -> bool:
    """Whether the note says more than the two lists of units do."""
    said = {role for role, _ in entry.item.duty.names}
    return bool(entry.item.duty.deadlines) or not said <= {Role.LEAD, Role.CHARGE} or Role.LEAD not in said


def _targets(plan: Plan) -> Iterator[str]:
    taken: dict[str, int] = {}
    made = [line for entry in plan.entries for line in _of(entry, plan, taken)]
    in_force = any(not line.lstrip().startswith("#") and line.strip() for line in made)
    yield "targets:" if in_force else "targets: []"
    yield from made


def _of(entry: Entry, plan: Plan, taken: dict[str, int]) -> Iterator[str]:
    """Targets of one item: its numbers, or its deadline where that is not the end of the year. ``taken`` are names and their items."""
    count = len(entry.commitments)
    any_in_force = False
    for n, one in enumerate(entry.commitments, start=1):
        name = f"item-{entry.item.number:02d}" + (f"-{n}" if count > 1 else "")
        called = _name(one, entry.item.number, name, taken)
        taken[called] = entry.item.number
        lines, in_force = _number(name, called, one, entry, plan.year)
        any_in_force |= in_force
        yield ""
        yield from lines
    if not any_in_force:
        yield from _milestone(entry, plan.year)


def _name(one: Commitment, item: int, name: str, taken: dict[str, int]) -> str:
    """What messages call it: ``taken`` names, each with its item, are told apart by the item, or the words."""
    plain = _paired(one.name)
    by_item, by_words = f"{plain}（第{item}项）", f"{plain}（{_paired(one.words)}）"
    alike = [plain, by_item, by_words, f"{plain}（{name}）"]
    if taken.get(plain) == item:
        alike.remove(by_item)
    free: Iterator[str] = (each for each in alike if each not in taken)
    return next(free)


def _paired(text: str) -> str:
    """A piece of a sentence without the quotation marks that it cut in two."""
    return text if text.count("“") == text.count("”") else re.sub("[“”]", "", text)


def _number(name: str, called: str, one: Commitment, entry: Entry, year: int) -> tuple[list[str], bool]:
    """The lines of a target, commented out where it cannot stand: another year's, an unknown unit."""
    fields = {
        "id": name,
        "item": str(entry.item.number),
        "name": _scalar(called),
        "words": _scalar(one.words),
        "goal": goal(one),
        "measure": one.measure.value,
    }
    if entry.item.starred:
        fields["labels"] = '["★"]'
    day = _due(one, entry, year)
    if day is not None and one.measure in _SCHEDULED and one.op in (Op.AT_LEAST, Op.MORE_THAN):
        fields["expect"] = f'"checkpoints {{{day}: 100%}}"'
    doubts = set(one.doubts)
    if one.unit not in KNOWN and one.value is not None:
        doubts.add(Doubt.UNKNOWN_UNIT)
    why = [doubt.text for doubt in sorted(doubts)]
    out = bool({Doubt.OTHER_YEAR, Doubt.UNKNOWN_UNIT} & doubts)
    if one.words not in entry.item.text:
        fields.pop("words")
    if not out and (wrong := _wrong(fields)):
        why, out = [*why, wrong], True
    lines = [f"  - id: {name}", *(f"    {key}: {value}" for key, value in fields.items() if key != "id")]
    if out:
        lines = [f"  # {line[2:]}" for line in lines]
    mark = "存疑" if out or confidence(doubts) < DOUBTFUL else "推定"  # as the report counts them
    notes = [f"  # {mark}：{'；'.join(why)}。原文：{_line(one.words)}"] if why else []
    return [*notes, *lines], not out


def _wrong(fields: dict[str, str]) -> str:
    """What a book would refuse in a target, "" for nothing."""
    given = {key: value for key, value in fields.items() if key in ("id", "goal", "measure")}
    try:
        spec = read(TargetSpec, {**given, "name": "-"})
    except Wrong as wrong:
        return wrong.errors[0][1]
    shown = defaults.stated(spec.measure, spec.goal)
    curve = phrase.expect(fields["expect"].strip('"')) if "expect" in fields else defaults.expect(spec.measure, shown)
    levels = defaults.levels(spec.measure, LevelsSpec(), None, None)
    return "；".join(defaults.objections(spec.measure, Every.MONTH, shown, curve, levels))


def goal(one: Commitment) -> str:
    """A promise in the book's words: ``at least 4500 人``."""
    if one.value is None:
        return "none yet"
    value = f"{one.value:.15g}"
    if one.op is Op.BETWEEN and one.upper is not None:
        return f"between {value} and {one.upper:.15g} {one.unit}"
    if one.op is Op.ABOUT:
        return f"about {value} {one.unit} within {tolerance(one):.15g}"
    if one.measure is Measure.CLASS:
        return f"at most {_ROMAN[int(one.value)]}类"
    return f"{_OPS[one.op]} {value} {one.unit}"


def tolerance(one: Commitment) -> float:
    """Of a goal that is only 左右: 0.2 points, or a twentieth of the figure."""
    assert one.value is not None
    return 0.2 if one.unit in ("%", "个百分点") else round(one.value / 20, 6)


def _due(one: Commitment, entry: Entry, year: int) -> str | None:
    """The day in the year by which the number is due, where that is not its end."""
    at = entry.item.text.find(one.words)
    clause = re.split("[。；;，,]", entry.item.text[:at])[-1] + one.words if at >= 0 else one.words
    times = deadline.within(clause, year) or (entry.deadlines if entry.item.duty.deadlines else ())
    days = [time.day for time in times if time.day is not None and time.day.year == year]
    return None if not days or max(days).timetuple().tm_yday >= 365 else max(days).isoformat()


def _milestone(entry: Entry, year: int) -> Iterator[str]:
    """The deadline of an item without a number; one at the end of the year needs no target of its own."""
    by_day: dict[str, Deadline] = {}
    for one in sorted((t for t in entry.deadlines if t.day and t.day.year == year), key=lambda t: str(t.day)):
        by_day[str(one.day)] = one
    if not by_day or (len(by_day) == 1 and next(iter(by_day)).endswith("-12-31")):
        return
    yield ""
    if len(by_day) > 1:
        words = _line("；".join(one.words for one in entry.deadlines))
        yield f"  # 存疑：原文有几个时限，请核对各是什么的。第{entry.item.number}项，原文：{words}"
    stages = [(one.stage, day) for day, one in by_day.items()]
    single = len(stages) == 1 and stages[0][0] == "完成"
    yield f"  - id: item-{entry.item.number:02d}"
    yield f"    item: {entry.item.number}"
    yield f"    name: {_scalar(_paired(re.split(r'[，,。；;：:]', entry.item.text)[0] or entry.item.text))}"
    yield f"    goal: {f'done by {stages[0][1]}' if single else ', '.join(f'{name} by {day}' for name, day in stages)}"
    yield "    measure: milestone"


def _units(names: tuple[str, ...]) -> str:
    """Units as a plan lists them, as a list where a name itself holds a mark that parts names."""
    joined = "、".join(names)
    if phrase.units(joined) == names:
        return _scalar(joined)
    return "[" + ", ".join(json.dumps(name, ensure_ascii=False) for name in names) + "]"


def _scalar(text: str) -> str:
    """Plain where YAML reads it as this very text, in quotes where not."""
    text = re.sub(r"\s+", " ", text).strip()
    awkward = (
        text[:1] in "-?:,[]{}#&*!|>'\"%@`= "
        or ": " in text
        or " #" in text
        or text.endswith(":")
        or _LIKE_ANOTHER_TYPE.fullmatch(text)
        or not text.isprintable()
    )
    return json.dumps(text, ensure_ascii=False) if awkward else text


def _line(text: str) -> str:
    """One line without characters that YAML would take for a break."""
    return "".join(c if c.isprintable() else " " for c in re.sub(r"\s+", " ", text)).strip()
