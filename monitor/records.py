"""What the store remembers, for people and scripts: alerts with all their changes, messages with all their tries."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from alerts.alert import Change, State
from alerts.delivery import Sending, Status
from alerts.notice import Notice
from alerts.suppression import Reason
from monitor.app import open_store
from monitor.clock import parse_moment
from monitor.config import Settings
from monitor.force import InForce
from monitor.store import alerts as alert_store
from monitor.store import letters, outbox
from monitor.store.database import reading
from rules.document import Invalid

_ZONE = "Asia/Shanghai"


def alerts(
    settings: Settings, book: str | None, target: str | None, state: State | None, since: str | None
) -> list[dict[str, Any]]:
    """Alerts, open or not, with every change. Raises Invalid for a day that is none."""
    engine, _ = open_store(settings)
    try:
        moment = None if since is None else parse_moment(since if "T" in since else f"{since}T00:00", _ZONE)
    except ValueError as error:
        raise Invalid([str(error)]) from None
    with reading(engine) as connection:
        found = alert_store.histories(connection, book=book, target=target, state=state, since=moment)
        told: dict[int | None, list[Sending]] = {}
        for one in letters.sendings(connection, changes=[number for _, steps in found for number, *_ in steps]):
            told.setdefault(one.change_id, []).append(one)
    return [
        {
            "alert": "/".join(alert.identity),
            "name": steps[-1][2].name,
            "lead": list(steps[-1][2].lead),
            "state": alert.state.value,
            "level": alert.level.text,
            "since": _local(alert.since),
            "changes": [
                _step(number, change, notice, reversed(told.get(number, []))) for number, change, notice in steps
            ],
        }
        for alert, steps in found
    ]


def deliveries(
    settings: Settings, status: Status | None, channel: str | None, receiver: str | None, most: int | None
) -> list[dict[str, Any]]:
    """Messages with every try, the latest first."""
    engine, _ = open_store(settings)
    with reading(engine) as connection:
        found = letters.sendings(connection, status=status, channel=channel, receiver=receiver, most=most)
    return [sending_facts(sending) for sending in found]


def redrive(force: InForce, ids: Collection[int], who: str) -> list[dict[str, Any]]:
    """Queue dead letters again, all of them if no ``ids`` are given, in the name of ``who``. Raises Invalid.

    They go where their receivers are reached by now: a wrong address may be why they never arrived.
    """
    if not who.strip():
        raise Invalid(["处理人（--by）不能为空 (no name)"])
    engine, clock = open_store(force.settings)
    with engine.begin() as connection:
        taken = outbox.redrive(connection, ids, who.strip(), clock.now())
        if left := sorted(set(ids) - set(taken)):
            raise Invalid([f"第 {left[0]} 号不是未能送达的消息 (not dead)；见 duban deliveries --state dead"])
        letters.readdress(connection, force.organisation.contacts)
        return [sending_facts(sending) for sending in letters.sendings(connection, ids=taken)]


def sending_facts(sending: Sending) -> dict[str, Any]:
    """One message as JSON."""
    return {
        "id": sending.id,
        "about": sending.about,
        "event": sending.event,
        "receiver": sending.receiver,
        "channel": sending.channel,
        "address": sending.address,
        "why": sending.why,
        "status": sending.status.value,
        "attempts": sending.attempts,
        "suppressed": sending.suppressed,
        "digest": sending.digest,
        "next_try": _local(sending.due_at) if _waits(sending) else None,
        "finished": _local(sending.finished_at) if sending.finished_at else None,
        "tries": [{"at": _local(one.at), "result": one.result.value, "answer": one.answer} for one in sending.tries],
    }


def _waits(sending: Sending) -> bool:
    """Whether there is a moment at which it is tried next: what another message tells, or an alert holds, has none."""
    ours = sending.digest is None and sending.suppressed != Reason.INHIBITED
    return sending.finished_at is None and (
        sending.status is Status.QUEUED or (sending.status is Status.SUPPRESSED and ours)
    )


def _step(number: int, change: Change, notice: Notice, told: Iterable[Sending]) -> dict[str, Any]:
    return {
        "id": number,
        "at": _local(change.at),
        "event": change.event.value,
        "cause": change.cause.value,
        "state": change.state.value,
        "level": change.level.text,
        "previous_level": change.previous_level.text,
        "period": change.basis.period.isoformat() if change.basis.period else None,
        "actual": change.basis.actual,
        "figure": notice.actual_text,
        "gap": notice.gap_text,
        "owed": notice.owed,
        "rule": notice.rule,
        "edit": notice.edit,
        "reason": notice.reason,
        "corrects": change.corrects,
        "messages": [
            {
                "id": one.id,
                "receiver": one.receiver,
                "channel": one.channel,
                "status": one.status.value,
                "suppressed": one.suppressed,
                "digest": one.digest,
            }
            for one in told
        ],
    }


def _local(moment: datetime) -> str:
    # A list of all books has no zone of its own: the clock on the operator's wall.
    return moment.astimezone().isoformat(timespec="seconds")
