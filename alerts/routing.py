"""Who must hear of a change: the units asked to act, and the office that supervises the book."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

DEFAULT = "default"
"""The receiver entry that serves every unit without one of its own."""


_LEADS, _REPORTS = "是该目标的牵头单位", "负责报送该目标的数据"


class Route(NamedTuple):
    """One way to one receiver. ``why`` tells the receiver why the message came to them."""

    receiver: str
    channel: str
    address: str
    why: str


class Contact(NamedTuple):
    """A channel by name, and the address on it ("" where the channel needs none)."""

    channel: str
    address: str


def routes(
    asked: Sequence[str], lead: Sequence[str], supervisor: str, contacts: Mapping[str, Sequence[Contact]]
) -> list[Route]:
    """Every contact of every unit ``asked``, then of the supervising office where it has an entry of its own.

    A unit without an entry is reached through ``DEFAULT``; an empty list means
    that nobody can be reached.
    """
    found = [
        Route(unit, contact.channel, contact.address, f"{unit}{_LEADS if unit in lead else _REPORTS}")
        for unit in asked
        for contact in contacts.get(unit, contacts.get(DEFAULT, ()))
    ]
    if supervisor not in asked:
        found += [
            Route(supervisor, contact.channel, contact.address, f"{supervisor}负责督办本方案")
            for contact in contacts.get(supervisor, ())
        ]
    return found
