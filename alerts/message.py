"""A letter in words: templates of the kind (what is said) set in a form (how it is laid out).

``templates/<kind>.j2`` sets ``title``, ``tone``, ``summary`` and ``groups`` of
(label, value); ``templates/<form>.j2`` lays them out. A new channel with its own
markup adds a form, a new kind of alert adds its words. A site may ``use`` templates of its own in place of ours.
"""

import threading
import traceback
from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import cache, lru_cache
from itertools import product
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from jinja2 import FileSystemLoader, StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from msgspec.structs import replace

from alerts import digest
from alerts.alert import Cause, Event, Kind, State
from alerts.channels.base import Letter
from alerts.digest import Turn
from alerts.notice import Notice
from alerts.specimens import specimens
from rules import wording
from rules.document import Invalid
from rules.target import Level, quantity
from rules.verdict import Reason

TEMPLATES = Path(__file__).parent / "templates"


class Form(StrEnum):
    TEXT = "text"
    HTML = "html"
    DINGTALK = "dingtalk"
    WECOM = "wecom"
    FEISHU = "feishu"


class Rendered(NamedTuple):
    """``title`` is one line of plain text in every form, ``body`` is in the form asked for."""

    title: str
    body: str


class Headline(NamedTuple):
    """What is said before all details, in plain text on one line each. ``tone`` is red, yellow, green or blue."""

    title: str
    summary: str
    tone: str


def render(letter: Letter, form: Form, *, brief: bool = False) -> Rendered:
    """The letter in words. Equal letters give equal words, whenever they are sent.

    ``brief``: only what a message about many letters has to say of each; the robots' forms have it.
    """
    said, body = _said(letter, _template(f"{form}.j2"), brief=brief)
    return Rendered(_line(said["title"]), body)


def marked(letter: Letter) -> Rendered:
    """``render`` as text of every letter of the same ``shape``, with ``MARKS`` where each one's own facts stand."""
    if not _shapely():
        return render(letter, Form.TEXT)
    marks = {name: mark for name, mark in MARKS._asdict().items() if getattr(own(letter.notice), name)}
    facts = _facts(letter) | marks
    said, body = _set(letter.notice.kind, facts, _template(f"{Form.TEXT}.j2"), brief=False)
    return Rendered(_line(said["title"]), body)


def headline(letter: Letter) -> Headline:
    said, _ = _said(letter, _bare(), brief=True)
    return Headline(_line(said["title"]), _line(said["summary"]), said["tone"])


def facts(letter: Letter) -> dict[str, Any]:
    """All that can be said of a letter, by name: its headline, its text and every fact, "" for what is not known."""
    title, summary, tone = headline(letter)
    text = render(letter, Form.TEXT).body
    return {**_facts(letter), "title": title, "summary": summary, "tone": tone, "text": text}


def _said(letter: Letter, layout: Template, *, brief: bool) -> tuple[Mapping[str, Any], str]:
    """What the kind's template sets, and how ``layout`` sets it out."""
    facts = _facts(letter)
    if layout.name == f"{Form.HTML}.j2":
        facts["bars"] = _bars(letter.notice)
    return _set(letter.notice.kind, facts, layout, brief=brief)


def _set(kind: str, facts: Mapping[str, Any], layout: Template, *, brief: bool) -> tuple[Mapping[str, Any], str]:
    template = _template(f"{kind}.j2")
    # Shared: the facts are not copied, and templates do without what Jinja knows by itself.
    own = {"layout": layout, "brief": brief, "form": (layout.name or "").removesuffix(".j2")}
    context = template.new_context({**own, **facts}, shared=True)
    body = "".join(template.root_render_func(context))
    return context.vars, body


def _line(text: Any) -> str:
    return " ".join(str(text).split())


def use(templates: "Templates") -> None:
    """Put letters into words by these from now on."""
    _IN_FORCE[:] = [templates]


def templates(folder: Path | None) -> "Templates":
    """Ours; where ``folder`` has a file of the same name, that one. Raises Invalid where it cannot be used.

    They are tried on letters of every kind in every form, while others go on with what is in force.
    """
    if folder is None:
        return _ours()
    made = _made(folder)
    files, known = ([path.name for path in sorted(one.glob("*.j2"))] for one in (folder, TEMPLATES))
    if strangers := [name for name in files if name not in known] or ([] if files else [str(folder)]):
        raise Invalid(
            [f"templates: {folder}: {strangers[0]} 不是可以改写的模板 (no such template)；可改写：{'、'.join(known)}"]
        )
    _TRIED.templates = made
    try:
        for letter in specimens():
            _try_out(letter)
    except (TemplateError, KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise Invalid([f"templates: {_place(error, folder, made)}: 模板无法使用 (bad template): {error}"]) from None
    finally:
        _TRIED.templates = None
    return made


def _try_out(letter: Letter) -> None:
    for form, brief in product(Form, (False, True)):
        render(letter, form, brief=brief)
    if headline(letter).tone not in _TONES.values():
        raise ValueError(f"{letter.notice.kind}.j2 的 tone 应为 red、yellow、green 或 blue (bad tone)")


def _place(error: Exception, folder: Path, made: "Templates") -> str:
    """File and line of an error in a template of ``folder``; the folder where there is none."""
    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).parent == folder]
    if not frames:
        return str(folder)
    line = made.get_template(Path(frames[-1].filename).name).get_corresponding_lineno(frames[-1].lineno or 0)
    return f"{frames[-1].filename}:{line}"


class _Trial(threading.local):
    """Templates that this thread is just trying."""

    templates: "Templates | None" = None


Templates: TypeAlias = ImmutableSandboxedEnvironment
_TRIED = _Trial()
_IN_FORCE: list[Templates] = []


def _environment() -> Templates:
    return _TRIED.templates or (_IN_FORCE[0] if _IN_FORCE else _ours())


@cache
def _ours() -> Templates:
    return _made()


def _made(*before: Path) -> Templates:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader([*before, TEMPLATES]),
        undefined=StrictUndefined,
        autoescape=lambda name: name == f"{Form.HTML}.j2",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters["lines"] = _lines
    environment.filters["marks"] = marks
    environment.filters["entities"] = lambda text: text.translate(_ENTITIES)
    return environment


def _lines(group: Iterable[tuple[str, str]]) -> str:
    """What is known of a group, one on a line."""
    return "\n".join([f"{label}：{value}" for label, value in group if value])


def marks(text: str) -> str:
    """Words of a book are no markup: for chats that know no way to escape it, full-width marks stand in its place."""
    return text.translate(_MARKS)


_MARKS = str.maketrans("<>*`[]", "＜＞＊｀［］")
_ENTITIES = {ord(mark): f"&#{ord(mark)};" for mark in "&<>*_~`[]"}


def _bare() -> Template:
    return _empty(_environment())


@cache
def _empty(templates: Templates) -> Template:
    return templates.from_string("")


def _template(name: str) -> Template:
    return _environment().get_template(name)


class Own(NamedTuple):
    """What each alert has for itself, ready to print; "" for what is not known.

    Templates may ask whether one is there, and print it. ``wanted`` is the goal with the time by which it must be met.
    """

    about: str
    goal: str
    wanted: str
    actual: str
    expected: str
    gap: str
    pace: str
    outlook: str
    enough: str
    origin: str


MARKS = Own(*(chr(0xFDD0 + place) for place in range(len(Own._fields))))
"""What stands for them in ``marked``: characters that are in no text, from U+FDD0 on."""
_READ_FROM = {
    "subject",
    "goal",
    "goal_value",
    "actual",
    "actual_text",
    "expected",
    "expected_text",
    "shortfall",
    "gap_text",
    "pace_text",
    "probability",
    "outlook_text",
    "enough_text",
    "origin",
}
_shared = attrgetter(*(name for name in Notice.__struct_fields__ if name not in _READ_FROM))


def own(notice: Notice) -> Own:
    """What the alert of ``notice`` has for itself."""
    goal = notice.goal
    return Own(
        _line(f"{notice.subject}{notice.name}"),
        goal,
        goal if notice.by in goal else f"{notice.by}{goal}",
        notice.actual_text,
        notice.expected_text,
        notice.gap_text,
        notice.pace_text,
        notice.outlook_text,
        notice.enough_text,
        notice.origin,
    )


def shape(letter: Letter, mine: Iterable[str]) -> Hashable:
    """Letters of one shape say the same, but for what each alert has for itself: ``mine``, of which "" is not said."""
    if not _shapely():
        return letter.key
    notice, gap, short = letter.notice, letter.notice.gap_text, letter.notice.shortfall
    ahead = short is not None and short <= 0
    return letter.why, _shared(notice), tuple(map(bool, mine)), "目标" in gap, gap == _DONE, ahead


def _shapely() -> bool:
    """Whether templates only print what each alert has for itself: nobody knows what those of a site do with it."""
    return _environment() is _ours()


def _facts(letter: Letter) -> dict[str, Any]:
    """What templates may speak of: every fact by its own name, ready to print; "" for what is not known.

    ``of_goal`` says that the gap is one to the goal itself, or to what stands for it all year, ``done`` that there is
    none. What is read here from what each alert has for itself has its part in ``shape``.
    """
    notice = letter.notice
    return {
        **own(notice)._asdict(),
        "event": notice.event,
        "level": _LEVELS[notice.level],
        "previous_level": _LEVELS[notice.previous_level],
        "judged": _LEVELS[notice.judged],
        "changed": "因对照依据变动，" if notice.cause == Cause.COMPARED else "",
        "edit": notice.edit,
        "told_level": "" if notice.told_level is None else _LEVELS[notice.told_level],
        "told_day": _moment(notice.told_at).split()[0] if notice.told_at else "",
        "told_text": notice.told_text,
        "reason": notice.reason,
        "reason_text": wording.cause(Reason(notice.reason), notice.shortfall) if notice.reason in _REASONS else "",
        "period": notice.period,
        "status": notice.status,
        "said": f"{notice.period}，{notice.status}" if notice.period and notice.status else notice.period,
        "owed": notice.owed,
        "nil": notice.nil,
        "by": notice.by,
        "of_goal": "目标" in notice.gap_text or notice.by.endswith("全年"),
        "done": notice.gap_text == _DONE,
        "rule": notice.rule,
        "clear": notice.clear_text,
        "lines": tuple((label, value) for label, _, value in (line.partition("：") for line in notice.lines)),
        "lead": "、".join(notice.lead),
        "asked": "、".join(notice.asked),
        "unit": f"{notice.asked[0]}等{len(notice.asked)}个单位" if len(notice.asked) > 2 else "、".join(notice.asked),
        "responsible": "、".join(notice.responsible),
        "supervisor": notice.supervisor,
        "since": _moment(notice.since),
        "at": _moment(notice.at),
        "plan": notice.book_title,
        "section": notice.section,
        "item": notice.item,
        "target": f"{notice.book}/{notice.target}",
        "why": letter.why,
        "mark": notice.mark,
        "waited": notice.waited,
        "attention": notice.attention,
        "sections": _sections(letter) if notice.told else (),
    }


def _bars(notice: Notice) -> list[tuple[str, str, int]]:
    """What the figure is held against, to be drawn: label, value and length in per cent; [] where that shows nothing."""
    if notice.kind != Kind.PACE or notice.actual is None or notice.event == Event.WITHDRAWN or notice.unit == "类":
        return []
    found = {"实际数值": (notice.actual, notice.actual_text)}
    if notice.expected is not None and notice.expected != notice.goal_value:
        found["时序要求"] = (notice.expected, notice.expected_text)
    if notice.goal_value is not None:
        found["年度目标"] = (notice.goal_value, quantity(notice.goal_value, notice.unit))
    values = [value for value, _ in found.values()]
    if len(found) == 1 or min(values) < 0 or not max(values) > 0:
        return []
    return [(label, words, round(100 * value / max(values))) for label, (value, words) in found.items()]


def _sections(letter: Letter) -> list[dict[str, Any]]:
    """What a digest tells: by what stands, then by plan and section, one line an alert."""
    found: list[dict[str, Any]] = []
    for what, plan, mine in digest.sections(letter.notice.told):
        if not found or found[-1]["what"] != what:
            found.append({"what": what, "tone": _TONES.get(what, "blue"), "plans": [], "count": 0})
        found[-1]["plans"].append(
            {"title": plan, "lines": [_entry(replace(letter, notice=one), letter.notice.mark) for one in mine]}
        )
        found[-1]["count"] += len(mine)
        found[-1]["title"] = f"{what}（{found[-1]['count']}项）"
    return found


def _entry(letter: Letter, common: str) -> str:
    """One alert on one line; the mark that is ``common`` to all stands above them."""
    notice = letter.notice
    more = {"kind": notice.kind, "turn": notice.turn, "turn_text": Turn(notice.turn).text, "common": common}
    return _line(_template("entry.j2").render(_facts(letter), **more, ended=notice.state == State.RESOLVED))


_TONES = {"红色预警": "red", "黄色预警": "yellow", "已解除": "green", "更正": "blue"}


_DONE = "已完成"
_LEVELS = {level.value: level.text for level in Level}
_REASONS = frozenset(Reason)


@lru_cache(maxsize=4096)  # thousands of alerts move in one moment
def _moment(iso: str) -> str:
    """``2025-10-27T09:00:00+08:00`` -> ``2025年10月27日 09:00``, in the offset given."""
    when = datetime.fromisoformat(iso)
    return f"{when.year}年{when.month}月{when.day}日 {when.hour:02}:{when.minute:02}"
