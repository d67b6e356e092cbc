"""``duban doctor``: what the daemon needs, looked at piece by piece, each trouble with its cure. Changes nothing."""

import shutil
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, func, select, text

from alerts.delivery import Status
from monitor.clock import Clock
from monitor.config import Executors, Settings
from monitor.force import InForce, read
from monitor.route import objections
from monitor.store import database, errands, letters, outbox, pulls, quarantine
from monitor.store.database import DatabaseError, reading
from monitor.store.leader import alive
from monitor.store.tables import pull
from rules.document import Invalid
from rules.plan import beyond_calendar

_GIB = 1 << 30
_LEAST_SHARE = 0.05
_DRIFT = timedelta(seconds=5)
"""By how much our clock and the database's may differ before it matters for what was known when."""


class Health(StrEnum):
    WELL = "well"
    DOUBTFUL = "doubtful"
    ILL = "ill"

    @property
    def text(self) -> str:
        return {Health.WELL: "正常", Health.DOUBTFUL: "注意", Health.ILL: "异常"}[self]


class Finding(NamedTuple):
    """One look at one part; ``cure`` says what to do, "" where nothing is to be done."""

    part: str
    health: Health
    words: str
    cure: str = ""


def examine(path: Path | None) -> list[Finding]:
    """Settings and books, organisation, calendars, disk, database, daemon, workers, clock, sources, deliveries, in order."""
    try:
        force = read(path)
    except Invalid as error:
        return [Finding("设置", Health.ILL, line, "按所指的位置改正，再执行 duban check") for line in error.errors]
    found = [Finding("设置", Health.ILL, line, "按所指的位置改正，再执行 duban check") for line in force.errors]
    books = "、".join(f"{book.id}（{len(book.targets)}个目标）" for book in force.books)
    found = found or [Finding("设置", Health.WELL, f"目标册 {books}")]
    return [*found, *_organisation(force), *_calendars(force), *_disk(force.settings), *_stored(force)]


def _organisation(force: InForce) -> Iterator[Finding]:
    told = objections(force)
    for words in told:
        yield Finding("接收人", Health.DOUBTFUL, words, "补全机构文件，用 duban route test 核对")
    if not told:
        yield Finding("接收人", Health.WELL, "每个目标都有人接收")


def _calendars(force: InForce) -> Iterator[Finding]:
    beyond = [book for book in force.books if beyond_calendar(book)]
    for book in beyond:
        words = f"{book.id} 的报送期限晚于 {book.workdays.known_until}，其后放假安排未知，暂按周末推算"
        yield Finding(
            "日历", Health.DOUBTFUL, words, "放假通知公布后升级 chinesecalendar，或在册内写 holidays: 和 workdays:"
        )
    if not beyond:
        until = min(book.workdays.known_until for book in force.books)
        yield Finding("日历", Health.WELL, f"放假安排已知至 {until}")


def _disk(settings: Settings) -> Iterator[Finding]:
    places = [settings.archive] if settings.archive else []
    if settings.database_file is None and settings.database.startswith("sqlite:///"):
        places.append(Path(settings.database.removeprefix("sqlite:///")).parent)
    for folder in dict.fromkeys(_existing(place) for place in places):
        usage = shutil.disk_usage(folder)
        words = f"{folder} 余 {usage.free / _GIB:.1f} GiB（{usage.free / usage.total:.0%}）"
        scarce = usage.free < _GIB or usage.free < _LEAST_SHARE * usage.total
        cure = "清理磁盘，或把 archive 与数据库移到更大的磁盘" if scarce else ""
        yield Finding("磁盘", Health.ILL if scarce else Health.WELL, words, cure)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there already."""
    folder = folder.absolute()
    return folder if folder.exists() else _existing(folder.parent)


def _stored(force: InForce) -> Iterator[Finding]:
    """What the database says, if it can be asked."""
    try:
        engine = database.open_engine(force.settings.database_url())
        revision, newest = database.revision(engine), database.newest()
    except (DatabaseError, Invalid) as error:
        yield Finding("数据库", Health.ILL, str(error), "核对 database 或 database_file，确认数据库已启动、账号可用")
        return
    try:
        shown = database.shown(engine.url)
        if revision != newest:
            words = f"{shown} 尚未建表" if revision is None else f"{shown} 的结构为 {revision}，本版本为 {newest}"
            yield Finding("数据库", Health.DOUBTFUL, words, "执行 duban db upgrade；守护进程启动时也会自动升级")
            return
        yield Finding("数据库", Health.WELL, f"{shown}，结构 {revision}")
        yield _daemon(alive(engine))
        with reading(engine) as connection:
            yield from _workers(connection, force.settings)
            yield from _clock(engine, connection, force.settings)
            yield from _sources(connection, force)
            yield from _deliveries(connection, force.settings.channels)
    finally:
        engine.dispose()


def _daemon(leader: str) -> Finding:
    if leader:
        return Finding("守护进程", Health.WELL, f"正在运行，由 {leader} 值守")
    return Finding("守护进程", Health.DOUBTFUL, "未在运行", "执行 duban run，或 systemctl start duban")


def _workers(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """Who asks and carries for the daemon, where it leaves that to others."""
    if settings.executor is not Executors.CLUSTER:
        return
    from monitor.cluster import require

    try:
        require(settings)
    except Invalid as error:
        yield Finding("分担", Health.ILL, str(error), "改正后重新启动守护进程")
        return
    if count := errands.workers(connection, settings.takeover):
        yield Finding("分担", Health.WELL, f"{count} 个 worker 正在受理")
    else:
        yield Finding("分担", Health.ILL, "没有 worker 受理，拉取与投递都在等待", "启动 duban worker，查看其日志")


def _clock(engine: Engine, connection: Connection, settings: Settings) -> Iterator[Finding]:
    if settings.clock is not None:
        yield Finding("时钟", Health.DOUBTFUL, "使用演示时钟，不是真实时间", "正式使用时删去设置中的 clock")
        return
    now, last = Clock.real(), connection.scalar(select(func.max(pull.c.started_at)))
    if last is not None and last > now + _DRIFT:
        words = f"本机时间 {_local(now)} 早于库中最近一次拉取 {_local(last)}"
        yield Finding("时钟", Health.ILL, words, "校正本机时间（timedatectl），启用时间同步")
        return
    theirs = connection.scalar(text("SELECT now()")) if engine.dialect.name == "postgresql" else now
    drift = abs(theirs - now)
    words = f"本机时间 {_local(now)}" + (f"，与数据库相差{drift.total_seconds():.0f}秒" if drift > _DRIFT else "")
    cure = "两台机器都启用时间同步" if drift > _DRIFT else ""
    yield Finding("时钟", Health.DOUBTFUL if drift > _DRIFT else Health.WELL, words, cure)


def _sources(connection: Connection, force: InForce) -> Iterator[Finding]:
    records, waiting = pulls.latest(connection), quarantine.counts(connection)
    for key in force.feeds:
        record = records.get(key)
        kept = sum(waiting.get(key, {}).values())
        if record is None:
            yield Finding("来源", Health.DOUBTFUL, f"{key} 从未拉取", f"执行 duban connector try {key} 查看能读到什么")
        elif record.reason:
            said = f"：{record.detail}" if record.detail else ""
            words = f"{key} 最近一次拉取失败（{record.reason}）{said}"
            yield Finding("来源", Health.ILL, words, f"执行 duban connector try {key} 查看详情")
        elif kept:
            yield Finding("来源", Health.DOUBTFUL, f"{key} 有 {kept} 条数据待核", "见 duban quarantine，放行或驳回")
        else:
            at = _local(record.last_success) if record.last_success else ""
            yield Finding("来源", Health.WELL, f"{key} 最近成功拉取于 {at}，读到 {record.rows_read} 条")


def _deliveries(connection: Connection, channels: Collection[str]) -> Iterator[Finding]:
    for channel, (waiting, *_) in outbox.queues(connection).items():
        if channel not in channels:
            words = f"设置中没有渠道 {channel}，尚有 {waiting} 条消息等待它 (no such channel)"
            yield Finding(
                "渠道",
                Health.ILL,
                words,
                f"恢复渠道 {channel} 并重载，消息随即发送；见 duban deliveries --state queued",
            )
    for channel in channels:
        dead = len(letters.sendings(connection, status=Status.DEAD, channel=channel, most=1000))
        (last,) = letters.sendings(connection, status=Status.SENT, channel=channel, most=1) or (None,)
        if dead:
            cure = f"见 duban deliveries --state dead --channel {channel}；排除原因后执行 duban deliveries redrive"
            yield Finding("渠道", Health.ILL, f"{channel} 有 {dead} 条消息未能送达", cure)
        elif last is None or last.finished_at is None:
            yield Finding("渠道", Health.DOUBTFUL, f"{channel} 尚未送达过消息", "执行 duban drill 发送一次演练")
        else:
            yield Finding("渠道", Health.WELL, f"{channel} 最近送达于 {_local(last.finished_at)}")


def _local(moment: datetime) -> str:
    return f"{moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(ZoneInfo('Asia/Shanghai')):%Y-%m-%d %H:%M:%S}"
