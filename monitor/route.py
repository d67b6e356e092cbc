"""Who would be told of an alert, when and why, before it is in earnest; and whom the organisation cannot reach."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from alerts import escalation
from alerts.alert import Alert, Event, Identity, Kind, State
from alerts.channels.base import Channel
from alerts.digest import Budget
from alerts.escalation import Office
from alerts.moving import others, step_routes
from alerts.notice import section
from alerts.organisation import Organisation, Person, Role, Unit
from alerts.routing import Matter, Route, rhythm, routes
from alerts.suppression import Held, paced
from connectors.strict import near
from monitor.clock import Clock, parse_moment
from monitor.force import InForce, target_of
from rules.calendar import Every, period_ends
from rules.document import Invalid
from rules.target import Book, Level, Target

_AHEAD = 30
"""Working days that are looked ahead."""
_LISTED = 5
_SAID = {Event.FIRED: "预警", Event.REMINDED: "催办", Event.ESCALATED: "提请领导关注"}


class Telling(NamedTuple):
    """One message that would be sent; without a ``route`` there is nobody to send it to.

    ``held`` is why it would not go at once, and until when; the receiver may want it only ``within`` so many a week.
    """

    at: datetime
    event: Event
    waited: str
    route: Route | None
    held: Held | None = None
    within: Budget | None = None


class Trial(NamedTuple):
    """What would be told of an alert that fires at ``at`` and goes on standing."""

    alert: Alert
    name: str
    told: list[Telling]


def tried(force: InForce, name: str, level: str, subject: str, kind: str, at: str | None) -> Trial:
    """Who would hear of an alert about the target ``name`` of the one book in force. Raises Invalid."""
    (book,) = force.books
    target = target_of(book, name)
    if subject not in book.subjects:
        raise Invalid([f"{target.key} 没有对象 '{subject}' (unknown subject){near(subject, book.subjects)}"])
    for said, allowed, what in ((level, ("yellow", "red"), "级别"), (kind, tuple(Kind), "种类")):
        if said not in allowed:
            raise Invalid([f"不认识的{what} '{said}' (unknown value); 可用: {', '.join(allowed)}"])
    try:
        when = parse_moment(at, book.timezone) if at else (force.settings.clock or Clock.real())
    except ValueError as error:
        raise Invalid([str(error)]) from None
    asked = Level.YELLOW if kind == Kind.DATA else Level[level.upper()]
    identity = Identity(book.id, target.id, subject, Kind(kind))
    alert = Alert(identity, State.FIRING, asked, when, when)
    return Trial(alert, target.name, list(_told(alert, book, target, force)))


def _told(alert: Alert, book: Book, target: Target, force: InForce) -> Iterator[Telling]:
    for one in _steps(alert, book, target, force.organisation):
        if one.route is None:
            yield one
            continue
        matter = Matter.about(alert.identity, alert.level, book, target)
        wanted = rhythm(matter, one.event, one.route.receiver, force.organisation)
        held = paced(alert.level, alert.level, one.at, force.settings.quiet, book.workdays, wanted)
        yield one._replace(held=held, within=wanted.budget)


def _steps(alert: Alert, book: Book, target: Target, organisation: Organisation) -> Iterator[Telling]:
    matter, office = (
        Matter.about(alert.identity, alert.level, book, target),
        Office(book.workdays, ZoneInfo(book.timezone)),
    )
    fired = routes(matter, organisation)
    yield from _each(alert.changed.astimezone(office.zone), Event.FIRED, "", fired)
    figures = _later_figures(alert, book, target, office)
    now: datetime | None = alert.changed
    end = escalation.moment(alert.changed, _AHEAD, office)
    while now is not None and now <= end:
        periods = 1 + sum(figure <= now for figure in figures)
        steps, later = escalation.due(alert, periods, organisation, office, now)
        for step in steps:
            alert, _ = escalation.take(alert, step, now)
            asked = step_routes(step, matter, organisation)
            found = others(asked, fired) if now == alert.changed else asked
            if found or not asked:
                yield from _each(now.astimezone(office.zone), step.event, step.waited, found)
        if not steps:
            coming = [figure for figure in figures if figure > now]
            now = min([*coming[:1], *([later] if later else [])], default=None)


def _each(at: datetime, event: Event, waited: str, found: Sequence[Route]) -> Iterator[Telling]:
    if not found:
        yield Telling(at, event, waited, None)
    yield from (Telling(at, event, waited, route) for route in found)


def _later_figures(alert: Alert, book: Book, target: Target, office: Office) -> list[datetime]:
    """When the next figures come if they come in time; of daily ones, the first of every month."""
    ends = period_ends(book.year, target.every)
    if target.every is Every.DAY:
        ends = ends[np.append(False, np.diff(ends.astype("datetime64[M]")) != np.timedelta64(0, "M"))]
    days = target.published.due(ends, book.workdays)
    opened = (datetime.combine(day, escalation.OPENS, office.zone) for day in days.tolist())
    return sorted(when for when in opened if when > alert.changed)


def facts(trial: Trial) -> dict[str, Any]:
    """All of it, for a script."""
    book, target, subject, kind = trial.alert.identity
    return {
        "target": f"{book}/{target}",
        "subject": subject,
        "kind": kind.value,
        "level": trial.alert.level.name.lower(),
        "messages": [
            {
                "at": one.at.isoformat(timespec="minutes"),
                "event": one.event.value,
                "waited": one.waited,
                **(one.route or Route("", "", "", "无人接收"))._asdict(),
                "suppressed": one.held.reason.value if one.held else "",
                "goes": (one.held.until if one.held else one.at).isoformat(timespec="minutes"),
                "at_most": one.within.most if one.within else None,
            }
            for one in trial.told
        ],
    }


def show(trial: Trial) -> None:
    """The same for people: one row a message, in the order of time."""
    from rich.console import Console
    from rich.table import Table

    alert, console = trial.alert, Console()
    what = "数据催报" if alert.identity.kind is Kind.DATA else f"{alert.level.text}预警"
    table = Table(title=f"{alert.identity.subject}{trial.name}{what}，此后{_AHEAD}个工作日一直未解除")
    for heading in ("时间", "事项", "接收人", "渠道", "地址", "发送", "缘由"):
        table.add_column(heading, overflow="fold")
    for one in trial.told:
        route = one.route or Route("无人接收", "", "", "")
        when, why = f"{one.at:%Y-%m-%d %H:%M}", route.why.replace("[", r"\[")
        table.add_row(when, _SAID[one.event], *route[:3], _goes(one), why)
    console.print(table)


def _goes(one: Telling) -> str:
    """When it leaves, as far as that is known beforehand."""
    if one.route is None:
        return ""
    sent = f"{one.held.until:%Y-%m-%d %H:%M} {one.held.reason.text} ({one.held.reason})" if one.held else "即时"
    return f"{sent}；每周至多{one.within.most}条" if one.within else sent


def objections(force: InForce) -> list[str]:
    """What the organisation leaves open for the books in force."""
    organisation, books, place = force.organisation, force.books, str(force.settings.organisation or "")
    found = [*_unreached(organisation, books)]
    found += (f"{place or 'channels'}: {words}" for words in _bad_addresses(organisation, force.channels))
    if place:
        found += chain(
            _unknown_units(organisation, books),
            (f"{place}: {words}" for words in _without_contact(organisation)),
            (f"{place}: {words}" for words in _without_leader(organisation, books)),
            (f"{place}: {words}" for words in _for_nothing(organisation, books)),
        )
    return found


def _unreached(organisation: Organisation, books: Sequence[Book]) -> Iterator[str]:
    for book in books:
        for target in book.targets:
            for kind, level in ((Kind.PACE, Level.YELLOW), (Kind.PACE, Level.RED), (Kind.DATA, Level.YELLOW)):
                matters = (
                    Matter.about(Identity(book.id, target.id, name, kind), level, book, target)
                    for name in (book.subjects if organisation.asks_where else book.subjects[:1])
                )
                matter = next((one for one in matters if not routes(one, organisation)), None)
                if matter is not None:
                    what = "数据催报" if kind is Kind.DATA else f"{level.text}预警"
                    asked = "、".join(matter.asked)
                    yield f"{target.place}: {target.key} 的{what}无人接收 (reaches nobody)；请为{asked}填写联系方式"
                    break


def _bad_addresses(organisation: Organisation, channels: Mapping[str, Channel]) -> Iterator[str]:
    holders: dict[str, Unit | Person] = {"default": organisation.default, **organisation.units, **organisation.people}
    for name, holder in holders.items():
        for contact in holder.contacts or ():
            channel = channels.get(contact.channel)
            if channel is not None and (words := channel.objection(contact.address)):
                yield f"{name}的联系方式 {contact.channel}: {words}"


def _unknown_units(organisation: Organisation, books: Sequence[Book]) -> Iterator[str]:
    known = organisation.units.keys() | organisation.aliases.keys()
    said: set[str] = set()
    for book in books:
        for target in book.targets:
            for unit in (*target.lead, *target.reporter, *target.responsible):
                if unit not in known and unit not in said:
                    said.add(unit)
                    yield f"{target.place}: 机构文件中没有单位 '{unit}' (unknown unit){near(unit, known)}；按 default 处理"


def _without_contact(organisation: Organisation) -> Iterator[str]:
    for name, person in organisation.people.items():
        if not person.contacts:
            yield f"{name}没有联系方式 (no contact)"
    for name, unit in organisation.units.items():
        if unit.contacts is None and not organisation.default.contacts:
            yield f"{name}没有联系方式，default 也没有 (no contact)"


def _without_leader(organisation: Organisation, books: Sequence[Book]) -> Iterator[str]:
    if not any(name in (Role.LEADER, Role.TOP) for rule in organisation.escalation for name in rule.to):
        return
    leads = dict.fromkeys(unit for book in books for target in book.targets for unit in target.lead)
    units = dict.fromkeys(unit for name in leads for unit in organisation.meant(name))
    lost = [unit for unit in units if not organisation.above(unit)]
    if lost:
        names = "、".join(lost[:_LISTED]) + ("等" if len(lost) > _LISTED else "")
        yield f"{len(lost)}个牵头单位没有分管领导，预警不会升级 (no leader)：{names}；请写 reports to"


def _for_nothing(organisation: Organisation, books: Sequence[Book]) -> Iterator[str]:
    known = {
        "book": {book.id for book in books},
        "section": {section(book, target) for book in books for target in book.targets},
        "label": {label for book in books for target in book.targets for label in target.labels},
        "unit": organisation.units.keys()
        | organisation.aliases.keys()
        | {unit for book in books for target in book.targets for unit in (*target.lead, *target.reporter)},
    }
    known["target"] = {target.id for book in books for target in book.targets}
    known["subject"] = {name for book in books for name in book.subjects}
    whens = [(f"第{number}条路由", rule.when) for number, rule in enumerate(organisation.routes, 1)]
    for number, held in enumerate(organisation.inhibit, 1):
        whens += [(f"第{number}条 inhibit 中 by ", held.by), (f"第{number}条 inhibit 中 holds ", held.holds)]
    for which, when in whens:
        for key, names in known.items():
            for name in getattr(when, key):
                if name not in names:
                    yield f"{which}的 {key}: 目标册中没有 '{name}' (matches nothing){near(name, names)}"
