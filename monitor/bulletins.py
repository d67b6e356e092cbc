"""Messages about the system itself: exercises on demand, and a report on schedule whose absence is a message too."""

from collections import Counter
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import Connection

from alerts.alert import Kind, State
from alerts.bulletin import Bulletin, bulletin
from alerts.circuit import Circuit
from alerts.delivery import Result, Status
from alerts.notice import Notice
from alerts.organisation import Organisation
from alerts.routing import Route
from connectors.strict import near
from monitor import pipeline
from monitor.app import open_store
from monitor.force import InForce
from monitor.records import sending_facts
from monitor.snapshot import Snapshot
from monitor.store import letters, outbox
from monitor.store.database import reading
from monitor.store.leader import leadership
from monitor.web.lines import failure
from rules.document import Invalid
from rules.target import Book, Level

_NAMED = 5
"""Names told of many."""


def drill(force: InForce, unit: str | None, channel: str | None) -> tuple[list[dict[str, Any]], bool]:
    """Send an exercise by the real way; returns its messages, and whether they are left to a running daemon.

    To everybody in the organisation and to the supervising offices, or to ``unit`` (or person) alone; on every
    channel, or on ``channel`` alone.
    Raises Invalid where that is nobody.
    """
    ways = _ways(force, unit, channel)
    engine, clock = open_store(force.settings)
    now = clock.now()
    local = now.astimezone(ZoneInfo(force.books[0].timezone))
    said = bulletin(Bulletin.DRILL, "督办消息渠道演练", [f"演练范围：{unit or '全部接收单位'}"], local)
    with engine.begin() as connection:
        ids = outbox.announce(connection, said, ways, now)
    with leadership(engine) as leading:
        if leading:
            for name in dict.fromkeys(way.channel for way in ways):
                if name in force.channels:
                    pipeline.deliver(engine, name, force.channels[name], clock, Circuit())
                    force.channels[name].close()
    with reading(engine) as connection:
        return [sending_facts(one) for one in reversed(letters.sendings(connection, ids=ids))], not leading


def _ways(force: InForce, unit: str | None, channel: str | None) -> list[Route]:
    settings = force.settings
    if channel is not None and channel not in settings.channels:
        raise Invalid([f"没有名为 '{channel}' 的渠道 (unknown channel){near(channel, settings.channels)}"])
    organisation = force.organisation
    everybody = dict.fromkeys([*organisation.units, *organisation.people, *offices(force.books)])
    written = {name for book in force.books for one in book.targets for name in (*one.lead, *one.reporter)}
    known = everybody.keys() | organisation.aliases.keys() | written
    if unit is not None and unit not in known:
        raise Invalid([f"机构与目标册中没有 '{unit}' (unknown name){near(unit, known)}"])
    units = everybody if unit is None else organisation.meant(unit)
    ways = [
        Route(name, contact.channel, contact.address, "演练，检验消息能否送达")
        for name in units
        for contact in organisation.contacts(name)
        if channel in (None, contact.channel)
    ]
    if not ways:
        who = unit or "任何单位"
        raise Invalid([f"机构中{who}没有可用的渠道 (nobody to reach)"])
    return ways


def heartbeat(connection: Connection, snapshot: Snapshot, supervisor: str, organisation: Organisation) -> list[int]:
    """Queue the report to the office that supervises some of the books; returns the ids of its messages."""
    why = f"{supervisor}负责督办，按时接收系统报告"
    ways = [Route(supervisor, c.channel, c.address, why) for c in organisation.contacts(supervisor)]
    return outbox.announce(connection, report(snapshot, supervisor), ways, snapshot.at)


def report(snapshot: Snapshot, supervisor: str) -> Notice:
    """How the targets of a supervising office stand, what is owed, and how the system is."""
    books = [book for book in snapshot.books if book.supervisor == supervisor]
    unwell = [f"{one.book}/{one.name}：{failure(one.reason)}" for one in snapshot.sources if one.reason]
    resting = [f"{name}：{Result(why).text}" for name, why in snapshot.resting.items() if why]
    dead, waiting = snapshot.deliveries.get(Status.DEAD, 0), snapshot.deliveries.get(Status.QUEUED, 0)
    ids = {book.id for book in books}
    open_now = [one for one in snapshot.alerts if one.alert.identity.book in ids and one.alert.state is State.FIRING]
    pace = Counter(one.alert.level for one in open_now if one.alert.identity.kind is Kind.PACE)
    owed = [one.notice for one in open_now if one.alert.identity.kind is Kind.DATA]
    troubles = len(unwell) + len(resting) + bool(dead) + bool(snapshot.config_error)
    lines = [
        *(f"目标判定：《{book.title}》{_levels(snapshot, book)}" for book in books),
        f"未解除预警：红色{pace[Level.RED]}项、黄色{pace[Level.YELLOW]}项",
        f"逾期未报：{_named([f'{one.subject}{one.name}（{one.owed}）' for one in owed], '项')}",
        f"数据来源：{_named(unwell, '个不正常') if unwell else f'{len(snapshot.sources)}个均正常'}",
        f"发送渠道：{_named(resting, '个暂停') if resting else f'{len(snapshot.resting)}个均正常'}",
        f"消息：待发{waiting}条，未能送达{dead}条",
        *(["新配置：未生效，仍按原配置运行"] if snapshot.config_error else []),
    ]
    local = snapshot.at.astimezone(ZoneInfo(books[0].timezone))
    name = f"有{troubles}处异常" if troubles else "一切正常"
    return bulletin(Bulletin.HEARTBEAT, name, lines, local, supervisor)


def offices(books: Sequence[Book]) -> dict[str, ZoneInfo]:
    """The supervising offices, each with the time zone of its first book."""
    return {book.supervisor: ZoneInfo(book.timezone) for book in reversed(books)}


def slot_name(supervisor: str) -> str:
    """The job of a supervising office in the ledger."""
    return f"{Bulletin.HEARTBEAT}:{supervisor}"


def _levels(snapshot: Snapshot, book: Book) -> str:
    counts = dict.fromkeys((Level.RED, Level.YELLOW, Level.GREEN, Level.NOT_JUDGED), 0)
    for judged in snapshot.judged:
        block = judged.panel.block
        mine = np.repeat([target.book == book.id for target in block.targets], np.diff(block.first_row))
        for level in counts:
            counts[level] += int(np.count_nonzero(mine & (judged.verdicts.level == level)))
    return "、".join(f"{level.text}{count}项" for level, count in counts.items())


def _named(names: Sequence[str], counted: str) -> str:
    if not names:
        return "无"
    more = "等" if len(names) > _NAMED else ""
    return f"{len(names)}{counted}（{'、'.join(names[:_NAMED])}{more}）"
