"""Commands of who runs duban: run, tick, status, doctor, db."""

from pathlib import Path
from typing import Annotated, Any

from monitor.cli.command import Argument, Command, Option
from monitor.cli.options import AsJson, At, Config, in_force, json_text, settings, settings_file, short

daemon = Command()


@daemon.command()
def run(config: Config = None) -> None:
    """启动守护进程：按时拉取、判定、告知，并提供网页与指标。"""
    from monitor.serve import serve

    serve(settings_file(config))


@daemon.command()
def worker(config: Config = None) -> None:
    """分担守护进程的拉取与投递，可在多台主机上各启动若干个；设置中须有 executor: cluster。"""
    from monitor.cluster import work

    work(settings_file(config))


@daemon.command()
def tick(
    config: Config = None, book: Annotated[str | None, Option("--book", "只处理这一册")] = None, at: At = None
) -> None:
    """拉取、判定、告知各一次，然后结束。"""
    from monitor.once import tick as tick_once

    print(tick_once(in_force(config, book), at))


@daemon.command()
def status(config: Config = None, as_json: AsJson = False) -> None:
    """各来源、预警与消息的现状（读自数据库，守护进程不必在运行）。"""
    from monitor.once import status as status_once

    found = status_once(in_force(config))
    print(json_text(found) if as_json else _status_text(found))


@daemon.command()
def doctor(config: Config = None, as_json: AsJson = False) -> None:
    """逐项检查设置、接收人、日历、磁盘、数据库、分担、时钟、来源与渠道，说明如何处理；不作任何改动。"""
    from monitor.doctor import Health, examine

    parts = examine(settings_file(config))
    if as_json:
        print(json_text([one._asdict() for one in parts]))
    else:
        for one in parts:
            print(f"[{one.health.text}] {one.part}：{one.words}" + (f"\n       处理：{one.cure}" if one.cure else ""))
    if any(one.health is Health.ILL for one in parts):
        raise SystemExit(1)


db = daemon.group("db", "数据库。")


@db.command()
def upgrade(config: Config = None) -> None:
    """把数据库升级到本版本的结构；已是最新则不作改动。"""
    from monitor.store.database import migrate, open_engine

    engine = open_engine(settings(config).database_url())
    migrate(engine)
    print(f"数据库已是最新: {engine.url.render_as_string(hide_password=True)}")


@db.command()
def backup(file: Annotated[Path, Argument("备份文件，不得已存在")], config: Config = None) -> None:
    """备份 SQLite 数据库为一个文件；守护进程运行时亦可，备份出自同一时刻。PostgreSQL 请用 pg_dump。"""
    from monitor.store.backup import backup as copy
    from monitor.store.database import open_engine

    size = copy(open_engine(settings(config).database_url()), file)
    print(
        f"已备份到 {file}，{size / 1e6:.1f} MB；恢复时停止守护进程，以此文件替换数据库文件，并删除同名的 -wal、-shm 文件"
    )


def _status_text(found: dict[str, Any]) -> str:
    from alerts.delivery import Status
    from alerts.suppression import Reason
    from rules.feed import DEAD

    lines = ["来源:"]
    lines += [
        f"  {row['source']}: 最近成功 {(row['last_success'] or '无')[:16].replace('T', ' ')}，新增 {row['new']}，修订 {row['revised']}，"
        f"拒收 {row['refused']}，待核 {row['quarantined']}"
        + (f"；有答复，但已{row['stale_periods']}期没有新数据" if row["stale_periods"] >= DEAD else "")
        + (f"；最近一次失败（{row['reason']}）：{row['detail']}" if row["reason"] else "")
        for row in found["sources"]
    ]
    lines += [f"预警 {len(found['alerts'])} 项:"]
    lines += [
        f"  [{row['level']}] {row['name']} ({row['alert']}): {short(row)}，自 {row['since'][:16].replace('T', ' ')}"
        for row in found["alerts"]
    ]
    lines += [
        f"未能送达：{row['alert']} 致 {row['receiver']}（{row['channel']}，试过 {row['attempts']} 次）：{row['answer']}"
        for row in found["dead_letters"]
    ]
    lines += [
        "消息: " + ("、".join(f"{Status(name).text} {count}" for name, count in found["deliveries"].items()) or "无")
    ]
    if found["waiting"]:
        lines += ["未即时发送: " + "；".join(f"{Reason(why).text} {count}" for why, count in found["waiting"].items())]
    return "\n".join(lines)
