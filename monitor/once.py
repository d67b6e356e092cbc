"""The commands that do the daemon's work once: tick and explain."""

import re
from calendar import monthrange
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from msgspec import structs
from sqlalchemy import Connection

from alerts.circuit import Circuit
from alerts.delivery import Status
from connectors.base import Stepwise
from connectors.strict import near
from monitor import pipeline
from monitor.app import open_store
from monitor.cache import Cache
from monitor.clock import Clock, parse_moment
from monitor.config import Settings
from monitor.explain import explanation, summary
from monitor.force import InForce, source_of, target_of
from monitor.moves import local_day
from monitor.snapshot import Trail
from monitor.store import alerts as alert_store
from monitor.store import letters, observations, outbox, pulls, quarantine, silences
from monitor.store.database import reading
from monitor.store.leader import leadership
from monitor.store.pulls import Pulled
from monitor.watch import Watch
from rules import feed as feed_rules
from rules import inherited, loader
from rules.document import Invalid
from rules.target import Book, Target

Decision: TypeAlias = Callable[[Connection, int, str, str, datetime], quarantine.Kept]
"""``quarantine.release`` or ``quarantine.dismiss``."""


def tick(force: InForce, at: str | None) -> str:
    """Pull, judge and deliver once; returns what was found, in words.

    Judging a moment that lies before changes already saved, or beside a running
    daemon, only looks: history is never rewritten.
    """
    engine, clock = open_store(force.settings)
    moment = _moment(at, clock, force.watch)
    lines = [f"未启用：{error}" for error in force.errors]
    with leadership(engine) as leading:
        if leading:
            for feed in force.feeds.values():
                if not feed.pushed:
                    lines.append(_pulled(feed.source.key, pipeline.pull(engine, feed, moment, force.settings.archive)))
                    if feed.filed:
                        from monitor.intake.receipts import acknowledge  # what writes workbooks is large

                        acknowledge(engine, feed, moment)
        cache = Cache(force.settings.cache)
        cache.load(force.watch, engine, moment)
        with reading(engine) as connection:
            latest = alert_store.latest_change(connection, [book.id for book in force.books])
            failed, doubted = pulls.failing(connection), quarantine.doubted(connection, moment)
        if leading and (latest is None or latest <= moment):
            judged, moves = pipeline.judge(
                engine, force.watch, force.organisation, failed, moment, force.settings.quiet, force.crowds
            )
            cache.keep(force.watch, engine, moment)
            lines.append(f"预警变动 {len(moves)} 项")
            for name, channel in force.channels.items():
                pipeline.deliver(engine, name, channel, clock, Circuit())
        else:
            judged = pipeline.verdicts_at(force.watch, failed, moment, doubted)
            why = "库中已有此后的预警变动" if leading else "守护进程正在运行，由它拉取和告知"
            lines.append(f"只判定，不改动预警：{why}")
    return "\n".join([*lines, "", summary(force.watch, judged, moment)])


def pull(
    force: InForce, name: str, first: str | None, last: str | None, told: Callable[[int, int], object]
) -> tuple[str, bool]:
    """Ask the source ``name`` of the one book in force now, for the periods ``first`` to ``last`` if given.

    A source that asks period by period is asked so, each stored before the next; ``told`` hears how many of how many
    are done. Returns what came of it in words, and whether all of it did. Raises Invalid beside a running daemon.
    """
    feed = source_of(force, name)
    days = span(first, last, feed.book.year)
    engine, clock = open_store(force.settings)
    at = clock.now()
    with leadership(engine) as leading:
        if not leading:
            raise Invalid(["守护进程正在运行，由它拉取 (already running)；补取历史数据请先停止守护进程"])
        with reading(engine) as connection:
            query = pipeline.asked(feed, at, pipeline.earlier(connection, feed, at))
        if days is not None:
            query = structs.replace(query, first=days[0], last=days[1])
        steps = feed.connector.steps(query) if isinstance(feed.connector, Stepwise) else [query]
        done: list[Pulled] = []
        for place, step in enumerate(steps):
            told(place, len(steps))
            found = pipeline.pull(engine, feed, at, force.settings.archive, step)
            if found.failed:
                where = f"{step.first} 至 {step.last}，"
                rest = f"；此前各期已入库，可用 --from {step.first} 续取" if place else ""
                return "\n".join(
                    [*_summed(feed.source.key, done), where + _pulled(feed.source.key, found) + rest]
                ), False
            done.append(found)
        told(len(steps), len(steps))
    return "\n".join(_summed(feed.source.key, done)) or f"{feed.source.key}：所问期间尚未开始，未拉取", True


def _summed(key: str, done: Sequence[Pulled]) -> list[str]:
    """One line for all that was read; none for nothing."""
    counts = ("rows_read", "rows_new", "rows_revised", "rows_unchanged", "rows_refused")
    total = {name: sum(getattr(one, name) for one in done) for name in counts}
    return [_pulled(key, replace(done[-1], **total))] if done else []


def span(first: str | None, last: str | None, year: int) -> tuple[date, date] | None:
    """The days that ``--from`` and ``--to`` name, the book's year for the one left out; None for neither."""
    if first is None and last is None:
        return None
    try:
        begin, end = (_month(text or str(year)) for text in (first, last))
    except ValueError:
        raise Invalid(["--from、--to 应如 2023、2023-01 或 2023-01-15 (bad period)"]) from None
    if begin[0] > end[1]:
        raise Invalid([f"--from {begin[0]} 晚于 --to {end[1]} (wrong order)"])
    return begin[0], end[1]


def _month(text: str) -> tuple[date, date]:
    """First and last day of a year, a month or a day."""
    found = re.fullmatch(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", text)
    if not found:
        raise ValueError(text)
    year, month, day = (int(part) if part else None for part in found.groups())
    assert year is not None
    if day is not None and month is not None:
        return (one := date(year, month, day)), one
    end = month or 12
    return date(year, month or 1, 1), date(year, end, monthrange(year, end)[1])


def explain(force: InForce, target: str, subject: str, at: str | None) -> str:
    """Why a target of the one book in force stands as it does. Asks its sources if they were never asked before."""
    (book,) = force.books
    found = target_of(book, target)
    place = force.watch.place(book.id, target, subject)
    if place is None:
        raise Invalid([f"{found.key} 没有对象 '{subject}' (unknown subject){near(subject, book.subjects)}"])
    engine, clock = open_store(force.settings)
    moment = _moment(at, clock, force.watch)
    wanted = {f"{book.id}/{read.source}" for read in book.needed(found)}
    with reading(engine) as connection:
        asked = pulls.latest(connection)
    for key in sorted(wanted & force.feeds.keys() - asked.keys()):
        if force.feeds[key].pushed:
            continue
        pipeline.pull(engine, force.feeds[key], moment, force.settings.archive)
    Cache(force.settings.cache).load(force.watch, engine, moment)
    with reading(engine) as connection:
        vintages = observations.vintages(
            connection,
            f"{book.id}/{found.source}",
            found.series,
            subject,
            date(book.year, 1, 1),
            date(book.year, 12, 31),
        )
        failed, doubted = pulls.failing(connection), quarantine.doubted(connection, moment)
        trail = _trail(connection, found, subject)
    block, row = place
    judged = pipeline.verdicts_at(force.watch, failed, moment, doubted)[block]
    return explanation(force.watch, judged, row, vintages, moment, _origins(book, found), trail)


def _trail(connection: Connection, target: Target, subject: str) -> Trail:
    """All changes of a target's alerts, of either kind, and the messages about them."""
    known = alert_store.histories(connection, book=target.book, target=target.id, subject=subject)
    changes = [step for _, steps in known for step in steps]
    changes.sort(key=lambda step: step[0])
    return Trail(changes, letters.sendings(connection, changes=[number for number, *_ in changes])[::-1])


def _origins(book: Book, target: Target) -> dict[str, str] | None:
    """Where the settings of a target were written; None for a task that the loader made of an item."""
    written = loader.read(book.folder)
    site = next((site for site in inherited.sites(book, written) if site.target.id == target.id), None)
    return None if site is None else inherited.origins(site, written)


def status(force: InForce) -> dict[str, Any]:
    """Sources, open alerts and deliveries as the store has them."""
    engine, clock = open_store(force.settings)
    zone = ZoneInfo(force.books[0].timezone)
    with reading(engine) as connection:
        records = pulls.latest(connection)
        opened = alert_store.open_alerts(connection)
        counts = outbox.counts(connection)
        held = silences.waiting(connection)
        given_up = letters.sendings(connection, status=Status.DEAD)
        waiting = quarantine.counts(connection)
    now = clock.now()
    Cache(force.settings.cache).load(force.watch, engine, now)
    stale = feed_rules.stale((panel, local_day(panel, now)) for panel in force.watch.panels)
    return {
        "sources": [
            {
                "source": key,
                "last_pull": _local(record.last_pull, zone),
                "last_success": record.last_success and _local(record.last_success, zone),
                "new": record.rows_new,
                "revised": record.rows_revised,
                "refused": record.rows_refused,
                "stale_periods": 0 if record.reason else stale.get(key, 0),
                "quarantined": sum(waiting.get(key, {}).values()),
                "reason": record.reason,
                "detail": record.detail,
            }
            for key, record in records.items()
        ],
        "alerts": [
            {
                "alert": "/".join(found.alert.identity),
                "name": found.notice.name,
                "state": found.alert.state.value,
                "level": found.alert.level.text,
                "since": _local(found.alert.since, zone),
                "gap": found.notice.gap_text,
                "owed": found.notice.owed,
                "lead": list(found.notice.lead),
            }
            for found in opened
        ],
        "deliveries": {name: count for name, count in counts.items() if count},
        "waiting": {why.value: count for why, count in held.items() if count},
        "dead_letters": [
            {
                "id": letter.id,
                "alert": letter.about,
                "receiver": letter.receiver,
                "channel": letter.channel,
                "address": letter.address,
                "attempts": letter.attempts,
                "given_up": letter.finished_at and _local(letter.finished_at, zone),
                "answer": letter.tries[-1].answer if letter.tries else "",
            }
            for letter in given_up
        ],
        "errors": list(force.errors),
    }


def _local(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).isoformat(timespec="seconds")


_LISTED = 100


def quarantined(settings: Settings, *, settled: bool = False) -> list[dict[str, Any]]:
    """Refused figures that wait for a decision, or those last settled."""
    engine, _ = open_store(settings)
    with reading(engine) as connection:
        rows = quarantine.settled(connection, _LISTED) if settled else quarantine.opened(connection)
        return [_refused(row) for row in rows]


def decide(settings: Settings, decision: Decision, number: int, who: str, note: str) -> dict[str, Any]:
    """Release or dismiss a refused figure, in the name of ``who``. Raises Invalid."""
    if not who.strip() or not note.strip():
        raise Invalid(["处理人（--by）与说明（--note）不能为空 (name_and_note)"])
    engine, clock = open_store(settings)
    try:
        with engine.begin() as connection:
            return _refused(decision(connection, number, who.strip(), note.strip(), clock.now()))
    except quarantine.Undecidable as error:
        raise Invalid([str(error)]) from None


def _refused(row: quarantine.Kept) -> dict[str, Any]:
    times = {name: getattr(row, name) for name in ("first_seen", "last_seen", "decided_at")}
    return {
        **{name: getattr(row, name) for name in row.__slots__},
        # A list of all books has no zone of its own: the clock on the operator's wall.
        **{name: at.astimezone().isoformat(timespec="seconds") if at else None for name, at in times.items()},
    }


def _moment(at: str | None, clock: Clock, watch: Watch) -> datetime:
    if at is None:
        return clock.now()
    try:
        return parse_moment(at, watch.books[0].timezone)
    except ValueError as error:
        raise Invalid([str(error)]) from None


def _pulled(key: str, result: Pulled) -> str:
    if result.failed:
        return f"拉取 {key}：失败（{result.reason}）{result.detail}"
    return f"拉取 {key}：读取 {result.rows_read}，新增 {result.rows_new}，修订 {result.rows_revised}，未变 {result.rows_unchanged}，拒收 {result.rows_refused}"
