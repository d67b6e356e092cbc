"""The organisation as written: units, people, how to reach them, to whom they report, and what is told to whom when."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from msgspec import field

from alerts import digest as digests
from alerts.alert import Kind
from alerts.digest import Budget, Digest, Rhythm
from connectors.strict import Names, Phrase, Strict, near
from rules.document import Document, Invalid
from rules.spec import Units
from rules.target import Level


class Contact(NamedTuple):
    """A channel by name, and the address on it ("" where the channel needs none)."""

    channel: str
    address: str


class Of(StrEnum):
    """What stands: a target's alert of one level, or a figure that is owed."""

    YELLOW = "yellow"
    RED = "red"
    DATA = "data"

    @staticmethod
    def standing(kind: Kind, level: Level) -> "Of":
        """What an alert is that fires at ``level``."""
        if kind is Kind.DATA:
            return Of.DATA
        return Of.RED if level is Level.RED else Of.YELLOW

    @property
    def text(self) -> str:
        return {Of.YELLOW: "黄色预警", Of.RED: "红色预警", Of.DATA: "数据催报"}[self]


class Role(StrEnum):
    """Whom a target names by itself; any other addressee is written by name, or by the role that a unit gives people."""

    UNIT = "unit"  # who must act: the lead, or the reporter where a figure is owed
    RESPONSIBLE = "responsible"
    SUPERVISOR = "supervisor"
    SUBJECT = "subject"  # the unit of the name that the figure is about: 甲县
    LEADER = "leader in charge"  # the first person above the unit
    TOP = "top leader"  # the last one


class After(NamedTuple):
    """How long something must stand: ``workdays`` (0: at once), or so many ``periods`` judged running."""

    workdays: int
    periods: int
    text: str


def _contacts(value: Any) -> Any:
    """``[folder, {mail: a@b.cn}]`` -> contacts."""
    if not isinstance(value, list):
        raise ValueError("应为渠道的列表 (list expected)，如 [folder, {mail: rsj@example.gov.cn}]")
    contacts = []
    for entry in value:
        if isinstance(entry, str):
            contacts.append(Contact(entry, ""))
        elif isinstance(entry, dict) and len(entry) == 1:
            ((channel, address),) = entry.items()
            if isinstance(address, list | dict):
                raise ValueError(
                    f"{channel}: 应为一个地址 (one address)；几个地址请各写一项，如 [{{mail: a@b.cn}}, {{mail: c@b.cn}}]"
                )
            contacts.append(Contact(str(channel), "" if address is None else str(address)))
        else:
            raise ValueError(f"'{entry}' 应为渠道名，或 '渠道名: 地址' (bad contact)")
    return tuple(contacts)


_AFTER = re.compile(r"(\d+) (workday|period)s?")


def _after(value: str) -> After:
    found = _AFTER.fullmatch(value.strip())
    if value == "at once":
        return After(0, 0, "at once")
    if not found or (count := int(found[1])) < 1:
        raise ValueError(f"看不懂的时限 '{value}' (bad time); 应如 at once, 5 workdays, 2 periods")
    return After(count, 0, found[0]) if found[2] == "workday" else After(0, count, found[0])


def _every(value: str) -> int:
    found = _AFTER.fullmatch(value.strip())
    if value == "never":
        return 0
    if not found or found[2] != "workday" or (count := int(found[1])) < 1:
        raise ValueError(f"看不懂的间隔 '{value}' (bad interval); 应如 5 workdays, never")
    return count


NEVER: Final = "never"
Contacts = Annotated[tuple[Contact, ...], Phrase(_contacts, list[str | dict[str, str]])]
Time = Annotated[After, Phrase(_after)]
Interval = Annotated[int, Phrase(_every)]
DigestPhrase = Literal["never"] | Annotated[Digest, Phrase(digests.digest)]
BudgetPhrase = Annotated[Budget, Phrase(digests.budget)]


class Unit(Strict):
    """A unit. What it does not say of itself is as in ``default``; an empty list of ``contacts`` reaches nobody.

    It is told together by its ``digest``, and ``at most`` so often, the rest together.
    ``roles`` tells who of its people is what: {联络员: 张三}.
    """

    contacts: Contacts | None = None
    reports_to: str | None = field(default=None, name="reports to")
    roles: dict[str, str] = {}
    digest: DigestPhrase | None = None
    at_most: BudgetPhrase | None = field(default=None, name="at most")


class Person(Strict):
    """A person; ``reports to`` another one, or to a unit. Told as a unit is, but by nothing that ``default`` says."""

    title: str = ""
    contacts: Contacts = ()
    reports_to: str | None = field(default=None, name="reports to")
    digest: DigestPhrase | None = None
    at_most: BudgetPhrase | None = field(default=None, name="at most")


class When(Strict):
    """Which alerts are meant: all that is said must hold. ``level`` is the worse of before and now."""

    unit: Names = ()
    level: Names = ()
    book: Names = ()
    section: Names = ()
    label: Names = ()
    kind: Names = ()
    target: Names = ()
    subject: Names = ()


class RouteRule(Strict):
    """Who is told of the alerts that it is for; by a ``digest`` of the route's own where it says so."""

    when: When = When()
    to: Names
    digest: DigestPhrase | None = None


class Inhibition(Strict):
    """While one of the alerts ``by`` fires, ``holds`` wait: those of the same book, and of which ``equal`` is the same."""

    by: When
    holds: When
    equal: Names = ()


class Escalation(Strict):
    """Who is told of what stands so long."""

    of: Of
    after: Time
    to: Names

    @property
    def words(self) -> str:
        """The rule on one line: how an alert remembers that it was followed."""
        return f"{self.of} after {self.after.text} to {', '.join(self.to)}"


EQUAL = ("target", "subject", "section", "lead")
"""Facts that the alerts of an inhibition may have to share."""
_ROUTES = (RouteRule(to=(Role.UNIT, Role.SUPERVISOR)),)
# As published rules have it (三亚 2022): yellow twice is for the leader in charge, red for the top leader.
_ESCALATION = (
    Escalation(of=Of.YELLOW, after=After(0, 2, "2 periods"), to=(Role.LEADER,)),
    Escalation(of=Of.RED, after=After(0, 0, "at once"), to=(Role.TOP,)),
    Escalation(of=Of.RED, after=After(10, 0, "10 workdays"), to=(Role.TOP,)),
)


class Organisation(Strict, dict=True):  # room for what is worked out once
    """Units, people and what is told to whom. ``default`` serves every unit that is not listed.

    ``aliases`` are names as plans write them, with the units that they mean. The first of ``routes`` that is for an
    alert says who is told. An alert that one of ``inhibit`` is ``by`` waits for none of the same rule or a later one, so
    that no two wait for each other. ``reminders`` are repeated every so many working days, 0 for never.
    """

    default: Unit = Unit()
    units: dict[str, Unit] = {}
    people: dict[str, Person] = {}
    aliases: dict[str, Units] = {}
    routes: tuple[RouteRule, ...] = ()
    inhibit: tuple[Inhibition, ...] = ()
    reminders: dict[Of, Interval] = field(default_factory=lambda: {Of.RED: 5})
    escalation: tuple[Escalation, ...] = _ESCALATION

    @staticmethod
    def of_channels(channels: Iterable[str]) -> "Organisation":
        """Where nothing is said of the organisation: whatever is told to anybody goes to every channel."""
        contacts = tuple(Contact(channel, "") for channel in channels)
        return Organisation(default=Unit(contacts=contacts))

    def rules(self) -> Iterator[tuple[int, RouteRule]]:
        """The routes in order, numbered from 1; 0 is the one for everything that no other is for."""
        yield from enumerate(self.routes, 1)
        yield from ((0, rule) for rule in _ROUTES)

    def meant(self, name: str) -> tuple[str, ...]:
        """The units meant by a name as a plan writes it."""
        return self.aliases.get(name, (name,))

    def contacts(self, name: str) -> tuple[Contact, ...]:
        """How a person, or a unit, is reached."""
        if name in self.people:
            return self.people[name].contacts
        own = self.units[name].contacts if name in self.units else None
        return (self.default.contacts or ()) if own is None else own

    def above(self, unit: str) -> list[str]:
        """The people above a unit: the leader in charge first, the top leader last."""
        people: list[str] = []
        seen: set[str] = set()
        name: str | None = unit
        while name is not None and name not in seen:
            seen.add(name)
            if name in self.people:
                people.append(name)
                name = self.people[name].reports_to
            else:
                own = self.units[name].reports_to if name in self.units else None
                name = own or self.default.reports_to
        return people

    def rhythm(self, name: str) -> Rhythm:
        """How often a person, or a unit, wants to be told."""
        if name in self.people:
            digest, budget = self.people[name].digest, self.people[name].at_most
        else:
            own = self.units.get(name, self.default)
            digest, budget = own.digest or self.default.digest, own.at_most or self.default.at_most
        return Rhythm(None if digest == NEVER else digest, budget)

    @cached_property
    def budgeted(self) -> bool:
        """Whether anybody wants only so many messages a week."""
        return any(one.at_most is not None for one in self._holders)

    @cached_property
    def patient(self) -> bool:
        """Whether anybody is told anything later than at once."""
        return self.budgeted or any(one.digest is not None for one in (*self._holders, *self.routes))

    @property
    def _holders(self) -> list[Unit | Person]:
        return [self.default, *self.units.values(), *self.people.values()]

    @cached_property
    def asks_where(self) -> bool:
        """Whether it matters of which target and subject an alert is."""
        return any(rule.when.target or rule.when.subject or Role.SUBJECT in rule.to for rule in self.routes) or any(
            Role.SUBJECT in rule.to for rule in self.escalation
        )

    def roles(self) -> set[str]:
        """Roles that units give their people."""
        return {role for unit in self.units.values() for role in unit.roles}


def load(path: Path, channels: Collection[str]) -> Organisation:
    """The organisation in ``path``. Raises Invalid with every error, each with its place."""
    document = Document(path)
    found = document.parse(Organisation)
    errors = [
        *_unknown_channels(document, found, channels),
        *_unknown_names(document, found),
        *_two_meanings(document, found),
        *_circles(document, found),
        *_impossible(document, found),
    ]
    if errors:
        raise Invalid(sorted(errors, key=lambda error: int(error.removeprefix(f"{path}:").split(":")[0])))
    return found


def _unknown_channels(document: Document, found: Organisation, channels: Collection[str]) -> Iterator[str]:
    holders: list[tuple[tuple[str, ...], tuple[Contact, ...]]] = [(("default",), found.default.contacts or ())]
    holders += [(("units", name), unit.contacts or ()) for name, unit in found.units.items()]
    holders += [(("people", name), person.contacts) for name, person in found.people.items()]
    for loc, contacts in holders:
        for index, contact in enumerate(contacts):
            if contact.channel not in channels:
                place = document.place(*loc, "contacts", index)
                yield f"{place}: 没有名为 '{contact.channel}' 的渠道 (unknown channel){near(contact.channel, channels)}"


def _unknown_names(document: Document, found: Organisation) -> Iterator[str]:
    known = found.units.keys() | found.people.keys()
    named: list[tuple[tuple[str | int, ...], str | None, Collection[str]]] = [
        (("default", "reports to"), found.default.reports_to, known)
    ]
    holders: tuple[tuple[str, Mapping[str, Unit | Person]], ...] = (("units", found.units), ("people", found.people))
    for part, group in holders:
        named += [((part, name, "reports to"), one.reports_to, known) for name, one in group.items()]
    for name, unit in found.units.items():
        named += [(("units", name, "roles", role), person, found.people) for role, person in unit.roles.items()]
    for name, units in found.aliases.items():
        named += [(("aliases", name), unit, found.units) for unit in units]
    addressees = {role.value for role in Role} | known | found.roles()
    lists = {"routes": [rule.to for rule in found.routes], "escalation": [rule.to for rule in found.escalation]}
    for part, addressed in lists.items():
        for number, to in enumerate(addressed):
            named += [((part, number, "to"), name, addressees) for name in to]
    for loc, said, allowed in named:
        if said is not None and said not in allowed:
            yield f"{document.place(*loc)}: 机构中没有 '{said}' (unknown name){near(said, allowed)}"


def _two_meanings(document: Document, found: Organisation) -> Iterator[str]:
    groups = [
        ("people", found.people.keys(), found.units.keys()),
        ("aliases", found.aliases.keys(), found.units.keys() | found.people.keys()),
    ]
    for part, names, taken in groups:
        for name in names & taken:
            yield f"{document.place(part, name)}: '{name}' 已用作另一名称 (two meanings); 请改用不同的名称"


def _circles(document: Document, found: Organisation) -> Iterator[str]:
    reports = {name: one.reports_to for group in (found.units, found.people) for name, one in group.items()}
    for name, directly in reports.items():
        above, steps = directly, 0
        while above is not None and above != name and steps <= len(reports):
            above, steps = reports.get(above), steps + 1
        if above == name:
            part = "units" if name in found.units else "people"
            yield f"{document.place(part, name, 'reports to')}: '{name}' 的隶属关系绕回自身 (circle)"


def _impossible(document: Document, found: Organisation) -> Iterator[str]:
    for number, rule in enumerate(found.escalation):
        if rule.of is Of.DATA and rule.after.periods:
            place = document.place("escalation", number, "after")
            yield f"{place}: 数据催报不按期数计 (periods of data); 应如 5 workdays"
    whens: list[tuple[tuple[str | int, ...], When]] = [
        (("routes", number, "when"), rule.when) for number, rule in enumerate(found.routes)
    ]
    said: list[tuple[tuple[str | int, ...], Names, Collection[str]]] = []
    for number, held in enumerate(found.inhibit):
        whens += [(("inhibit", number, "by"), held.by), (("inhibit", number, "holds"), held.holds)]
        said.append((("inhibit", number, "equal"), held.equal, EQUAL))
    for loc, when in whens:
        said += [((*loc, "level"), when.level, ("yellow", "red")), ((*loc, "kind"), when.kind, tuple(Kind))]
    for loc, words, allowed in said:
        for word in words:
            if word not in allowed:
                yield f"{document.place(*loc)}: {loc[-1]}: 不认识 '{word}' (unknown value); 可用: {', '.join(allowed)}"
