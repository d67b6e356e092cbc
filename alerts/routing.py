"""Who must hear of an alert, by which way, and why."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from alerts.alert import Event, Identity, Kind
from alerts.digest import Rhythm
from alerts.notice import Notice, section
from alerts.organisation import NEVER, Organisation, Role, When
from rules.target import Book, Level, Target


class Route(NamedTuple):
    """One way to one receiver. ``why`` tells the receiver why the message came to them."""

    receiver: str
    channel: str
    address: str
    why: str


class Matter(NamedTuple):
    """What a message is about, as far as it decides who must hear of it. Units are as the plan writes them."""

    book: str
    section: str
    labels: tuple[str, ...]
    kind: Kind
    level: Level
    asked: tuple[str, ...]
    lead: tuple[str, ...]
    responsible: tuple[str, ...]
    supervisor: str
    target: str = ""
    subject: str = ""

    @staticmethod
    def of(said: Notice) -> "Matter":
        # Who heard of red must hear of its end.
        level = Level(max(said.level, said.previous_level, said.judged))
        kind = Kind(said.kind)
        return Matter(
            said.book,
            said.section,
            said.labels,
            kind,
            level,
            said.asked,
            said.lead,
            said.responsible,
            said.supervisor,
            said.target,
            said.subject,
        )

    @staticmethod
    def about(identity: Identity, level: Level, book: Book, target: Target) -> "Matter":
        """What an alert about ``target`` of ``book`` is at ``level``."""
        kind = identity.kind
        return Matter(
            book.id,
            section(book, target),
            target.labels,
            kind,
            level,
            target.reporter if kind is Kind.DATA else target.lead,
            target.lead,
            target.responsible,
            book.supervisor,
            target.id,
            identity.subject,
        )

    def seen_by(self, organisation: Organisation) -> "Matter":
        """As far as the organisation looks at it: where it does not ask for the place, all places are the same."""
        return self if organisation.asks_where else self._replace(target="", subject="")


def routes(matter: Matter, organisation: Organisation) -> list[Route]:
    """Who is told of ``matter`` by the first route that is for it; [] if that reaches nobody."""
    number, rule = next((n, rule) for n, rule in organisation.rules() if is_for(rule.when, matter, organisation))
    return to(rule.to, matter, organisation, f"机构文件第{number}条路由")


def higher(addressees: Iterable[str], matter: Matter, organisation: Organisation, reason: str) -> list[Route]:
    """Who is told because an alert goes on standing; ``reason`` stands in every why."""
    found = to(addressees, matter, organisation, "机构文件的升级规则")
    return [route._replace(why=f"{route.why}；{reason}") for route in found]


def to(addressees: Iterable[str], matter: Matter, organisation: Organisation, by: str) -> list[Route]:
    """Every way to each of ``addressees``, each way once; ``by`` names the rule that asks for those named in it.

    An address is told once, however many receivers have it.
    """
    found: dict[tuple[str, str, str], Route] = {}
    for addressee in addressees:
        for receiver, why in _receivers(addressee, matter, organisation, by):
            for contact in organisation.contacts(receiver):
                one = "" if contact.address else receiver
                found.setdefault((one, *contact), Route(receiver, contact.channel, contact.address, why))
    return list(found.values())


def _receivers(addressee: str, matter: Matter, organisation: Organisation, by: str) -> Iterator[tuple[str, str]]:
    """Units and people that are meant, each with why."""
    asked = list(_units(matter.asked, organisation))
    match addressee:
        case Role.UNIT:
            for unit, written in asked:
                part = "是该目标的牵头单位" if written in matter.lead else "负责报送该目标的数据"
                yield unit, f"{_as_written(unit, written)}{part}"
        case Role.RESPONSIBLE:
            for unit, written in _units(matter.responsible, organisation):
                yield unit, f"{_as_written(unit, written)}是该目标的责任单位"
        case Role.SUBJECT:
            for unit in organisation.meant(matter.subject) if matter.subject else ():
                yield unit, f"{_as_written(unit, matter.subject)}是该项数据所属的对象"
        case Role.SUPERVISOR:
            # What serves everybody serves the unit already; the office is told where it has an entry of its own.
            own = (unit for unit in organisation.meant(matter.supervisor) if unit in organisation.units)
            yield from ((unit, f"{unit}负责督办本方案") for unit in own)
        case Role.LEADER:
            above = ((unit, organisation.above(unit)) for unit, _ in asked)
            yield from ((people[0], f"{people[0]}分管{unit}") for unit, people in above if people)
        case Role.TOP:
            chains = (organisation.above(unit) for unit, _ in asked)
            yield from ((people[-1], f"{people[-1]}为主要领导") for people in chains if people)
        case _:
            yield from _named(addressee, (unit for unit, _ in asked), organisation, by)


def _named(name: str, asked: Iterable[str], organisation: Organisation, by: str) -> Iterator[tuple[str, str]]:
    """A unit or person by name, or who has the role of that name in the units asked."""
    if name in organisation.units or name in organisation.people:
        yield name, f"{name}按{by}接收"
        return
    for unit in asked:
        if unit in organisation.units and name in organisation.units[unit].roles:
            person = organisation.units[unit].roles[name]
            yield person, f"{person}是{unit}的{name}"


def _units(names: Iterable[str], organisation: Organisation) -> Iterator[tuple[str, str]]:
    """Units, each with the name that the plan writes for it."""
    return ((unit, name) for name in names for unit in organisation.meant(name))


def _as_written(unit: str, written: str) -> str:
    return unit if unit == written else f"{unit}（方案写作“{written}”）"


def rhythm(matter: Matter, event: str, receiver: str, organisation: Organisation) -> Rhythm:
    """How often ``receiver`` is told of such a matter: as the route says, else as they wish for all that they get."""
    own, budget = organisation.rhythm(receiver)
    if event == Event.ESCALATED:
        return Rhythm(own, budget)
    _, rule = next((n, rule) for n, rule in organisation.rules() if is_for(rule.when, matter, organisation))
    return Rhythm(own if rule.digest is None else None if rule.digest == NEVER else rule.digest, budget)


def is_for(when: When, matter: Matter, organisation: Organisation) -> bool:
    """Whether all that is said of the alerts meant holds for this one."""
    return (
        (not when.level or matter.level.name.lower() in when.level)
        and (not when.kind or matter.kind in when.kind)
        and (not when.book or matter.book in when.book)
        and (not when.target or matter.target in when.target)
        and (not when.subject or matter.subject in when.subject)
        and (not when.section or matter.section in when.section)
        and (not when.label or not set(when.label).isdisjoint(matter.labels))
        and (not when.unit or not _named_by(matter, organisation).isdisjoint(when.unit))
    )


def _named_by(matter: Matter, organisation: Organisation) -> set[str]:
    """The units that must act and those that lead, as written and as meant."""
    return {name for written in (*matter.asked, *matter.lead) for name in (written, *organisation.meant(written))}
