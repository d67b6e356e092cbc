"""Letters of every kind and event, to try templates on before anybody is written to."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from alerts.alert import Event, Kind
from alerts.bulletin import Bulletin, bulletin
from alerts.channels.base import Letter
from alerts.digest import Turn
from alerts.notice import Notice

_ODD = '样例"\\\n'
"""What breaks a careless template."""
_AT = datetime(2025, 10, 27, 1, tzinfo=UTC)


def specimens() -> Iterator[Letter]:
    """One letter with all facts, then letters of every kind and event, with all facts and with as few as may be."""
    full = _full()
    yield _letter(full)
    events = [(Kind.PACE, event) for event in Event if event.told]
    events += [(Kind.DATA, event) for event in (Event.FIRED, Event.RESOLVED, Event.REMINDED, Event.ESCALATED)]
    events += [(Kind.DATA, Event.WITHDRAWN)]
    told = [_of(kind, event, facts) for kind, event in events for facts in (full, _bare())]
    yield from map(_letter, told)
    yield from (_letter(bulletin(what, _ODD, ["样例：1"], _AT)) for what in (Bulletin.DRILL, Bulletin.HEARTBEAT))
    digest = bulletin(Bulletin.DIGEST, _ODD, ["样例：1", "样例：2"], _AT)
    yield _letter(replace(digest, told=tuple(replace(one, turn=turn) for one in told for turn in Turn)))


def _of(kind: Kind, event: Event, facts: Notice) -> Notice:
    ended = event in (Event.RESOLVED, Event.WITHDRAWN)
    levels = (0, 2) if ended else (1, 2) if event is Event.EASED else (2, 0) if event is Event.FIRED else (2, 1)
    state = "resolved" if ended else "firing"
    return replace(
        facts, kind=kind, event=event, state=state, level=levels[0], previous_level=levels[1], judged=levels[0]
    )


def _full() -> Notice:
    values: dict[Any, Any] = {str: _ODD, int: 1, int | None: 1, float | None: 1.0, tuple[str, ...]: (_ODD,)}
    given = {name: values[kind] for name, kind in Notice.__annotations__.items() if name != "told"}
    given |= {"kind": "pace", "event": "fired"} | dict.fromkeys(("since", "at", "told_at"), _AT.isoformat())
    return Notice(**given)


def _bare() -> Notice:
    return replace(bulletin(Bulletin.DRILL, "", (), _AT), book="样例", target="样例", name="样例")


def _letter(notice: Notice) -> Letter:
    return Letter("0" * 32, _ODD, _ODD, _ODD, notice, _AT)
