"""Letters as alerts in the payload of Alertmanager's webhook (version 4): labels identify, annotations inform."""

import hashlib
import json
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

import msgspec

from alerts.alert import State
from alerts.channels.base import Letter
from alerts.facts import MARKS, own, shape
from alerts.message import Rendered, marked, plain
from alerts.notice import Notice

ALERTNAMES = {
    "pace": "DubanTargetBehind",
    "data": "DubanFigureOwed",
    "drill": "DubanDrill",
    "heartbeat": "DubanHeartbeat",
}
SEVERITIES = {1: "warning", 2: "critical"}
_IDENTITY = ("book", "target", "subject", "kind")
_NOT_ENDED = "0001-01-01T00:00:00Z"
_OWN = ("goal", "gap", "pace", "outlook", "enough", "origin")
_ALSO_OWN = ("goal_value", "actual", "expected", "shortfall", "probability", "key", "subject", "fingerprint")
"""What each alert has for itself beside ``facts.Own``."""
_MARKS = (*MARKS, *(chr(ord(MARKS[-1]) + 1 + place) for place in range(len(_ALSO_OWN))))
_MARK = {**{name: getattr(MARKS, name) for name in _OWN}, **dict(zip(_ALSO_OWN, _MARKS[len(MARKS) :], strict=True))}
_MARKED = re.compile(f"[{''.join(_MARKS)}]")
_MARKED_BYTES = re.compile(b"|".join(mark.encode() for mark in _MARKS))
_json = msgspec.json.Encoder().encode
_text = msgspec.json.Decoder(str).decode
_figures = attrgetter("goal_value", "actual", "expected", "shortfall", "probability")
_identity = attrgetter(*_IDENTITY)


class Mould(NamedTuple):
    """Alerts of one shape: ``_MARKS`` stand where each has something for itself. ``pick`` finds what ``text`` is filled with."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    status: str
    text: bytes
    pick: Callable[[Sequence[bytes]], tuple[bytes, ...]]


class Told(NamedTuple):
    """One alert: its mould, and what it has for itself, a text for each of ``_MARKS`` as JSON writes it."""

    mould: Mould
    mine: tuple[bytes, ...]

    @property
    def json(self) -> bytes:
        return self.mould.text % self.mould.pick(self.mine)


def told(letters: Sequence[Letter]) -> list[Told]:
    """Each letter as an alert; what many of them share is put into words once."""
    moulds: dict[Hashable, Mould] = {}
    like = shape if plain() else lambda letter, _: letter.key
    found = []
    # Those of one shape mostly follow each other: to compare it is quicker than to look it up.
    for alike, run in groupby(zip(letters, _mine(letters), strict=True), lambda row: like(*row)):
        rows = list(run)
        if alike not in moulds:
            moulds[alike] = _mould(*rows[0])
        found += [Told(moulds[alike], mine) for _, mine in rows]
    return found


def group(receiver: str, alerts: Sequence[Told]) -> dict[str, Any]:
    """What Alertmanager would post of a group beside its ``alerts``: what they have in common."""
    first, *others = [alert.mine for alert in alerts]
    same = {mark for place, mark in enumerate(_MARKS) if all(mine[place] == first[place] for mine in others)}
    moulds = list({id(alert.mould): alert.mould for alert in alerts}.values())
    values = dict(zip(_MARKS, (_text(b'"%b"' % cell) for cell in first), strict=True))
    labels, facts = (
        _common(found, same, values)
        for found in ([mould.labels for mould in moulds], [mould.annotations for mould in moulds])
    )
    identity = {name: labels[name] for name in _IDENTITY if name in labels}
    names = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in identity.items())
    return {
        "version": "4",
        "groupKey": f"{{}}:{{{names}}}",
        "truncatedAlerts": 0,
        "status": "firing" if any(mould.status == "firing" for mould in moulds) else "resolved",
        "receiver": receiver,
        "groupLabels": identity,
        "commonLabels": labels,
        "commonAnnotations": facts,
        "externalURL": "",
    }


def annotations(letter: Letter, said: Rendered) -> dict[str, str]:
    """The message as it is ``said``, and its facts one by one; what is not known is left out.

    ``judged_level`` and ``corrected_*`` are of corrections alone: the level of ``period`` by the revised figure, and the
    moment, level and figure of the message that is taken back.
    """
    notice = letter.notice
    facts = {
        "title": said.title,
        "text": said.body,
        "event": notice.event,
        "cause": notice.cause,
        "reason": notice.reason,
        "name": notice.name,
        "responsible": "、".join(notice.responsible),
        "goal": notice.goal,
        "by": notice.by,
        "period": notice.period,
        "owed": notice.owed,
        "unit": notice.unit,
        "goal_value": _number(notice.goal_value),
        "actual": _number(notice.actual),
        "expected": _number(notice.expected),
        "shortfall": _number(notice.shortfall),
        "gap": notice.gap_text,
        "pace": notice.pace_text,
        "probability": _number(notice.probability),
        "outlook": notice.outlook_text,
        "rule": notice.rule,
        "clear": notice.clear_text,
        "enough": notice.enough_text,
        "edit": notice.edit,
        "judged_level": str(notice.judged) if notice.told_at else "",
        "corrected_at": notice.told_at,
        "corrected_level": "" if notice.told_level is None else str(notice.told_level),
        "corrected_actual": _number(notice.told_actual),
        "origin": notice.origin,
        "plan": notice.book_title,
        "why": letter.why,
        "key": letter.key,
        "changed_at": notice.at,
    }
    return {name: value for name, value in facts.items() if value}


def _mine(letters: Sequence[Letter]) -> Iterable[tuple[bytes, ...]]:
    """What each has for itself: see ``Told``."""
    notices = [letter.notice for letter in letters]
    figures = zip(*map(_figures, notices), strict=True)
    columns = [
        *map(_written, zip(*map(own, notices), strict=True)),
        *([b"" if value is None else b"%.15g" % value for value in column] for column in figures),
        _written([letter.key for letter in letters]),
        _written([notice.subject for notice in notices]),
        [_fingerprint(notice) for notice in notices],
    ]
    return zip(*columns, strict=True)


def _written(texts: Sequence[str]) -> list[bytes]:
    # No text has the separator in it: a quotation mark of its own is written behind a backslash.
    return _json(texts)[2:-2].split(b'","')


def _fingerprint(notice: Notice) -> bytes:
    return hashlib.sha256("\0".join(filter(None, _identity(notice))).encode()).hexdigest()[:16].encode()


def _mould(letter: Letter, mine: Sequence[bytes]) -> Mould:
    notice = letter.notice
    open_places = {name: mark for name, mark in _MARK.items() if mine[_MARKS.index(mark)]}
    facts = annotations(letter, marked(letter))
    facts |= {name: mark for name, mark in open_places.items() if name in facts}
    labels = _labels(notice) | {name: mark for name, mark in open_places.items() if name == "subject"}
    status = "resolved" if notice.state == State.RESOLVED else "firing"
    alert = {
        "status": status,
        "labels": labels,
        "annotations": facts,
        "startsAt": notice.since,
        "endsAt": notice.at if status == "resolved" else _NOT_ENDED,
        "generatorURL": "",
        "fingerprint": _MARK["fingerprint"],
    }
    text = _json(alert)
    places = [_MARKS.index(found.decode()) for found in _MARKED_BYTES.findall(text)]
    return Mould(labels, facts, status, _MARKED_BYTES.sub(b"%b", text.replace(b"%", b"%%")), itemgetter(*places))


def _labels(notice: Notice) -> dict[str, str]:
    """What the alert is. A resolved one keeps the severity that it had, so that receivers recognise it."""
    labels = {
        "alertname": ALERTNAMES.get(notice.kind, "Duban"),
        **{name: getattr(notice, name) for name in _IDENTITY},
        "severity": SEVERITIES.get(notice.level or notice.previous_level, "info"),
        "lead": "、".join(notice.lead),
        "supervisor": notice.supervisor,
        "section": notice.section,
        "item": str(notice.item or ""),
        "mark": notice.mark,
    }
    return {name: value for name, value in labels.items() if value}


def _common(found: Sequence[Mapping[str, str]], same: set[str], values: Mapping[str, str]) -> dict[str, str]:
    """What stands in all of ``found``, where the marks that are the ``same`` in all stand for ``values``."""
    return {
        name: _MARKED.sub(lambda mark: values[mark[0]], text)
        for name, text in found[0].items()
        if same.issuperset(_MARKED.findall(text)) and all(other.get(name) == text for other in found)
    }


def _number(value: float | None) -> str:
    """For machines: every digit, no ``.0``."""
    return "" if value is None else f"{value:.15g}"
