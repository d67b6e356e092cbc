"""A letter in words: templates of the kind (what is said) set in a form (how it is laid out).

``templates/<kind>.j2`` sets ``title``, ``tone``, ``summary`` and ``groups`` of
(label, value); ``templates/<form>.j2`` lays them out. A new channel with its own
markup adds a form, a new kind of alert adds its words.
"""

from datetime import datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import FileSystemLoader, StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from alerts.channels.base import Letter
from rules import wording
from rules.target import Level
from rules.verdict import Reason

TEMPLATES = Path(__file__).parent / "templates"


class Form(StrEnum):
    TEXT = "text"
    HTML = "html"


class Rendered(NamedTuple):
    """``title`` is one line of plain text in every form, ``body`` is in the form asked for."""

    title: str
    body: str


def render(letter: Letter, form: Form) -> Rendered:
    """The letter in words. Equal letters give equal words, whenever they are sent."""
    template = _template(f"{letter.notice.kind}.j2")
    context = template.new_context({"layout": _template(f"{form}.j2"), **_facts(letter)})
    body = "".join(template.root_render_func(context))
    return Rendered(" ".join(str(context.vars["title"]).split()), body)


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=lambda name: name == f"{Form.HTML}.j2",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )


@cache
def _template(name: str) -> Template:
    return _environment().get_template(name)


def _facts(letter: Letter) -> dict[str, Any]:
    """What templates may speak of: every fact by its own name, ready to print; "" for what is not known."""
    notice = letter.notice
    return {
        "event": notice.event,
        "about": f"{notice.subject}{notice.name}",
        "level": _LEVELS[notice.level],
        "previous_level": _LEVELS[notice.previous_level],
        "reason": notice.reason,
        "reason_text": wording.cause(Reason(notice.reason), notice.shortfall) if notice.reason in _REASONS else "",
        "period": notice.period,
        "status": notice.status,
        "said": f"{notice.period}，{notice.status}" if notice.period and notice.status else notice.period,
        "owed": notice.owed,
        "nil": notice.nil,
        "goal": notice.goal,
        "by": notice.by,
        "actual": notice.actual_text,
        "expected": notice.expected_text,
        "gap": notice.gap_text,
        "pace": notice.pace_text,
        "rule": notice.rule,
        "lead": "、".join(notice.lead),
        "asked": "、".join(notice.asked),
        "unit": f"{notice.asked[0]}等{len(notice.asked)}个单位" if len(notice.asked) > 2 else "、".join(notice.asked),
        "responsible": "、".join(notice.responsible),
        "supervisor": notice.supervisor,
        "since": _moment(notice.since),
        "at": _moment(notice.at),
        "origin": notice.origin,
        "plan": notice.book_title,
        "section": notice.section,
        "item": notice.item,
        "target": f"{notice.book}/{notice.target}",
        "why": letter.why,
        "mark": notice.mark,
    }


_LEVELS = {level.value: level.text for level in Level}
_REASONS = frozenset(Reason)


def _moment(iso: str) -> str:
    """``2025-10-27T09:00:00+08:00`` -> ``2025年10月27日 09:00``, in the offset given."""
    when = datetime.fromisoformat(iso)
    return f"{when.year}年{when.month}月{when.day}日 {when.hour:02}:{when.minute:02}"
