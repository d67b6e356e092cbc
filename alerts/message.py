"""A letter in words: templates of the kind (what is said) set in a form (how it is laid out).

``templates/<kind>.j2`` sets ``title``, ``tone``, ``summary`` and ``groups`` of
(label, value); ``templates/<form>.j2`` lays them out. A new channel with its own
markup adds a form, a new kind of alert adds its words. A site may ``use`` templates of its own in place of ours.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from jinja2 import FileSystemLoader, StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment
from msgspec.structs import replace

from alerts import digest
from alerts.alert import State
from alerts.channels.base import Letter
from alerts.digest import Turn
from alerts.facts import MARKS, bars, facts_of, line, own

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
    return Rendered(line(said["title"]), body)


def marked(letter: Letter) -> Rendered:
    """``render`` as text of every letter of the same ``shape``, with ``MARKS`` where each one's own facts stand."""
    if not plain():
        return render(letter, Form.TEXT)
    marks = {name: mark for name, mark in MARKS._asdict().items() if getattr(own(letter.notice), name)}
    facts = _facts(letter) | marks
    said, body = _set(letter.notice.kind, facts, _template(f"{Form.TEXT}.j2"), brief=False)
    return Rendered(line(said["title"]), body)


def headline(letter: Letter) -> Headline:
    said, _ = _said(letter, _bare(), brief=True)
    return Headline(line(said["title"]), line(said["summary"]), said["tone"])


def facts(letter: Letter) -> dict[str, Any]:
    """All that can be said of a letter, by name: its headline, its text and every fact, "" for what is not known."""
    title, summary, tone = headline(letter)
    text = render(letter, Form.TEXT).body
    return {**_facts(letter), "title": title, "summary": summary, "tone": tone, "text": text}


def _said(letter: Letter, layout: Template, *, brief: bool) -> tuple[Mapping[str, Any], str]:
    """What the kind's template sets, and how ``layout`` sets it out."""
    facts = _facts(letter)
    if layout.name == f"{Form.HTML}.j2":
        facts["bars"] = bars(letter.notice)
    return _set(letter.notice.kind, facts, layout, brief=brief)


def _set(kind: str, facts: Mapping[str, Any], layout: Template, *, brief: bool) -> tuple[Mapping[str, Any], str]:
    template = _template(f"{kind}.j2")
    # Shared: the facts are not copied, and templates do without what Jinja knows by itself.
    own = {"layout": layout, "brief": brief, "form": (layout.name or "").removesuffix(".j2")}
    context = template.new_context({**own, **facts}, shared=True)
    body = "".join(template.root_render_func(context))
    return context.vars, body


def use(templates: "Templates") -> None:
    """Put letters into words by these from now on."""
    _IN_FORCE[:] = [templates]


@contextmanager
def trying(templates: "Templates") -> Iterator[None]:
    """Have this thread put letters into words by these, while others go on with what is in force."""
    _TRIED.templates = templates
    try:
        yield
    finally:
        _TRIED.templates = None


def plain() -> bool:
    """Whether templates only print what each alert has for itself: nobody knows what those of a site do with it."""
    return _environment() is ours()


class _Trial(threading.local):
    """Templates that this thread is just trying."""

    templates: "Templates | None" = None


Templates: TypeAlias = ImmutableSandboxedEnvironment
_TRIED = _Trial()
_IN_FORCE: list[Templates] = []


def _environment() -> Templates:
    return _TRIED.templates or (_IN_FORCE[0] if _IN_FORCE else ours())


@cache
def ours() -> Templates:
    """The templates of this folder."""
    return made()


def made(*before: Path) -> Templates:
    """Templates as they stand in these folders, the first that has one of a name; then ours."""
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


def _facts(letter: Letter) -> dict[str, Any]:
    return facts_of(letter) | {"sections": _sections(letter) if letter.notice.told else ()}


def _sections(letter: Letter) -> list[dict[str, Any]]:
    """What a digest tells: by what stands, then by plan and section, one line an alert."""
    found: list[dict[str, Any]] = []
    for what, plan, mine in digest.sections(letter.notice.told):
        if not found or found[-1]["what"] != what:
            found.append({"what": what, "tone": TONES.get(what, "blue"), "plans": [], "count": 0})
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
    return line(_template("entry.j2").render(_facts(letter), **more, ended=notice.state == State.RESOLVED))


TONES = {"红色预警": "red", "黄色预警": "yellow", "已解除": "green", "更正": "blue"}
