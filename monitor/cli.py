"""The command ``duban``. Heavy imports happen inside the commands, so that a small command stays quick."""

import json
import logging
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rules.document import Invalid

if TYPE_CHECKING:
    from monitor.app import InForce
    from monitor.config import Settings

app = typer.Typer(
    help="duban 督办：监测年度目标，及早告知责任单位，直至数据表明问题解决。",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
db = typer.Typer(help="数据库。", no_args_is_help=True)
app.add_typer(db, name="db")
quarantine = typer.Typer(help="核验未通过、暂存待核的数据。", invoke_without_command=True)
app.add_typer(quarantine, name="quarantine")
connector = typer.Typer(help="数据来源。", no_args_is_help=True)
app.add_typer(connector, name="connector")
bench = typer.Typer(help="量度。", no_args_is_help=True)
app.add_typer(bench, name="bench")

Config = Annotated[
    Path | None, typer.Option("--config", help="设置文件；缺省依次为 $DUBAN_CONFIG、./duban.yaml、随附示例")
]
At = Annotated[
    str | None, typer.Option("--at", help="判定时点，如 2025-10-25 （当日终） 或 2025-10-25T09:00；缺省为现在")
]
AsJson = Annotated[bool, typer.Option("--json", help="输出 JSON")]


Number = Annotated[int, typer.Argument(help="待核数据的编号，见 duban quarantine")]
By = Annotated[str, typer.Option("--by", help="处理人姓名")]
Note = Annotated[str, typer.Option("--note", help="处理的理由")]


def main() -> None:
    """Entry point: errors of users are words on stderr and exit status 1, never a traceback."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr
    )
    from monitor.store.database import DatabaseError

    try:
        app()
    except Invalid as error:
        _fail(str(error))
    except DatabaseError as error:
        _fail(str(error))


def _fail(words: str) -> None:
    print(words, file=sys.stderr)
    raise SystemExit(1)


@app.command()
def run(config: Config = None) -> None:
    """启动守护进程：按时拉取、判定、告知，并提供网页与指标。"""
    from monitor.serve import serve

    logging.getLogger("monitor").setLevel(logging.INFO)
    serve(_config(config))


@app.command()
def tick(
    config: Config = None,
    book: Annotated[str | None, typer.Option("--book", help="只处理这一册")] = None,
    at: At = None,
) -> None:
    """拉取、判定、告知各一次，然后结束。"""
    from monitor.once import tick as tick_once

    print(tick_once(_read(config, book), at))


@app.command()
def pull(
    source: Annotated[str, typer.Argument(help="来源，写作 册号/来源名，如 national-2025/filings")],
    config: Config = None,
    first: Annotated[str | None, typer.Option("--from", help="起始期间，如 2023、2023-01；缺省为本册年份之初")] = None,
    last: Annotated[str | None, typer.Option("--to", help="截止期间，如 2024-12；缺省为本册年份之末")] = None,
) -> None:
    """立即拉取一个来源，或补取其历史数据；只入库，不判定、不告知。"""
    from rich.console import Console
    from rich.progress import Progress

    from monitor.once import pull as pull_once

    book, _, name = source.partition("/")
    force = _read(config, book)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(source, total=None)
        words, well = pull_once(
            force, name, first, last, lambda done, total: progress.update(task, completed=done, total=total)
        )
    print(words)
    if not well:
        raise typer.Exit(1)


@app.command()
def explain(
    target: Annotated[str, typer.Argument(help="目标，写作 册号/编号，如 national-2025/gdp-growth")],
    config: Config = None,
    at: At = None,
    subject: Annotated[str, typer.Option("--subject", help="对象（县、区），册内只有一处时不必写")] = "",
) -> None:
    """说明一个目标为何如此判定：数值出处、曲线、阈值与差距。"""
    from monitor.once import explain as explain_once

    book, _, name = target.partition("/")
    print(explain_once(_read(config, book), name, subject, at))


@app.command()
def check(
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """检查设置、目标册、来源与渠道；逐行指出何处有误、如何改正。"""
    from monitor.app import read
    from rules.plan import beyond_calendar

    try:
        force = read(_config(config))
        errors, books = list(force.errors), force.watch.books
    except Invalid as error:
        errors, books = list(error.errors), ()
    warnings = [
        f"{book.id}: {len(found)} 个目标的报送期限晚于 {book.workdays.known_until}，其后放假安排未知，暂按周末推算"
        " (workdays unknown)；放假通知公布后，请在册内写 holidays: 和 workdays:"
        for book in books
        if (found := beyond_calendar(book))
    ]
    if as_json:
        facts = {"errors": errors, "warnings": warnings, "books": [book.id for book in books]}
        print(json.dumps(facts, ensure_ascii=False, indent=2))
    else:
        print("\n".join([*errors, *warnings, *(f"{book.id}: {len(book.targets)} 个目标，无误" for book in books)]))
    if errors:
        raise typer.Exit(1)


@app.command()
def targets(
    book: Annotated[str, typer.Option("--book", help="册号")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """列出一册的全部目标，含无数值的任务。"""
    (found,) = _read(config, book).watch.books
    rows: list[dict[str, Any]] = [
        {
            "book": target.book,
            "item": target.item,
            "id": target.id,
            "name": target.name,
            "lead": list(target.lead),
            "responsible": list(target.responsible),
            "op": target.goal.op.value,
            "value": None if math.isnan(target.goal.value) else target.goal.value,
            "upper": target.goal.upper,
            "unit": target.goal.unit,
            "measure": target.measure.value,
            "goal": target.goal.text,
            "every": target.every.value,
            "words": target.words,
        }
        for target in found.targets
    ]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        print(
            "\n".join(
                f"{row['item'] or '-':>3} {row['id']:32} {row['name']}: {row['goal']} ({'、'.join(row['lead'])})"
                for row in rows
            )
        )


@app.command()
def status(config: Config = None, as_json: AsJson = False) -> None:
    """各来源、预警与消息的现状（读自数据库，守护进程不必在运行）。"""
    from monitor.once import status as status_once

    found = status_once(_read(config))
    print(json.dumps(found, ensure_ascii=False, indent=2) if as_json else _status_text(found))


@app.command()
def schema() -> None:
    """输出目标册的 JSON Schema，供编辑器补全与校验。"""
    from rules.spec import json_schema

    print(json.dumps(json_schema(), ensure_ascii=False, indent=2))


@db.command()
def upgrade(config: Config = None) -> None:
    """把数据库升级到本版本的结构；已是最新则不作改动。"""
    from monitor import config as settings
    from monitor.store.database import migrate, open_engine

    engine = open_engine(settings.load(_config(config)).database_url())
    migrate(engine)
    print(f"数据库已是最新: {engine.url.render_as_string(hide_password=True)}")


@quarantine.callback()
def list_quarantine(
    context: typer.Context,
    config: Config = None,
    settled: Annotated[
        bool, typer.Option("--settled", help="列出最近已放行、已驳回和来源已更正的，而不是待核的")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """列出核验未通过、等待处理的数据；放行用 release，驳回用 dismiss。"""
    if context.invoked_subcommand is not None:
        return
    from monitor.once import quarantined

    rows = quarantined(_settings(config), settled=settled)
    print(json.dumps(rows, ensure_ascii=False, indent=2) if as_json else _quarantine_text(rows))


@quarantine.command()
def release(number: Number, who: By, note: Note, config: Config = None) -> None:
    """放行：数据照原样入库，以后不再拒收同一数据。"""
    from monitor.once import decide
    from monitor.store.quarantine import release as decision

    row = decide(_settings(config), decision, number, who, note)
    print(f"已放行第{number}号：{_refused_text(row)}")


@quarantine.command()
def dismiss(number: Number, who: By, note: Note, config: Config = None) -> None:
    """驳回：数据不入库，也不再列出。"""
    from monitor.once import decide
    from monitor.store.quarantine import dismiss as decision

    row = decide(_settings(config), decision, number, who, note)
    print(f"已驳回第{number}号：{_refused_text(row)}")


@connector.command("try")
def try_source(
    source: Annotated[str, typer.Argument(help="来源，写作 册号/来源名，如 national-2025/filings")],
    config: Config = None,
    at: At = None,
    limit: Annotated[int, typer.Option("--limit", help="最多列出多少行，0 为全部；计数不受影响")] = 100,
    as_json: AsJson = False,
) -> None:
    """试读一个来源：逐格列出读到的数值、拒收的数据与改正办法；不入库、不判定。"""
    from monitor.trying import facts, show, tried

    book, _, name = source.partition("/")
    trial = tried(_read(config, book), name, at)
    if as_json:
        print(json.dumps(facts(trial), ensure_ascii=False, indent=2))
    else:
        show(trial, limit)


@bench.command()
def pace(
    file: Annotated[Path, typer.Argument(help="宽表 CSV：首列 month 为 YYYY-MM，其余每列一个序列")],
    ets: Annotated[int, typer.Option("--ets", help="用作对照的 ETS 抽样案例数，0 为不比 （ETS 很慢）")] = 400,
    seed: Annotated[int, typer.Option("--seed", help="抽样种子")] = 7,
    svg: Annotated[Path, typer.Option("--svg", help="校准图存到此文件")] = Path("var/calibration.svg"),
) -> None:
    """以真实月度序列检验年底预测：准确度、校准与耗时，并与惯用方法比较。"""
    from rich.progress import Progress

    from monitor.bench.pace import run
    from monitor.bench.report import calibration_svg, render

    try:
        with Progress(transient=True) as progress:
            task = progress.add_task("ETS", total=ets or None)
            report = run(file, ets, seed, lambda done, total: progress.update(task, completed=done, total=total))
    except (ValueError, ModuleNotFoundError) as error:
        raise Invalid([str(error)]) from None
    print(render(report))
    svg.parent.mkdir(parents=True, exist_ok=True)
    svg.write_text(calibration_svg(report), encoding="utf-8")
    print(f"校准图: {svg}")


def _settings(explicit: Path | None) -> "Settings":
    from monitor import config

    return config.load(_config(explicit))


def _quarantine_text(rows: list[dict[str, Any]]) -> str:
    waiting = sum(row["decided_at"] is None for row in rows)
    lines = [f"待核 {waiting} 条" if waiting == len(rows) else f"已了结 {len(rows)} 条"]
    lines += [f"  第{row['id']}号 {_refused_text(row)}{_decided_text(row)}" for row in rows]
    return "\n".join(lines)


def _decided_text(row: dict[str, Any]) -> str:
    from monitor.store.quarantine import State

    if row["decided_at"] is None:
        return ""
    who = "，".join(filter(None, (row["who"], row["note"])))
    when = row["decided_at"][:16].replace("T", " ")
    return f"；{State(row['state']).text}（{who}），{when}" if who else f"；{State(row['state']).text}，{when}"


def _refused_text(row: dict[str, Any]) -> str:
    from connectors.observation import Refused

    what = " ".join(filter(None, (row["subject"], row["series"], row["period"])))
    why = f"{Refused(row['reason']).said} ({row['reason']})"
    return f"{row['source']} {what}：“{row['text']}”，{why}；{row['document']} {row['cell']}，首见于 {row['first_seen'][:16].replace('T', ' ')}"


def _config(explicit: Path | None) -> Path | None:
    from monitor import config

    return config.find(explicit)


def _read(explicit: Path | None, book: str | None = None) -> "InForce":
    from monitor.app import read

    return read(_config(explicit), book)


def _status_text(found: dict[str, Any]) -> str:
    from rules.feed import DEAD

    lines = ["来源:"]
    lines += [
        f"  {row['source']}: 最近成功 {(row['last_success'] or '无')[:16].replace('T', ' ')}，新增 {row['new']}，修订 {row['revised']}，"
        f"拒收 {row['refused']}，待核 {row['quarantined']}"
        + (f"；有答复，但已{row['stale_periods']}期没有新数据" if row["stale_periods"] >= DEAD else "")
        + (f"；最近一次失败：{row['reason']} {row['detail']}" if row["reason"] else "")
        for row in found["sources"]
    ]
    lines += [f"预警 {len(found['alerts'])} 项:"]
    lines += [
        f"  [{row['level']}] {row['name']} ({row['alert']}): {row['gap'] or row['owed']}，自 {row['since'][:16].replace('T', ' ')}"
        for row in found["alerts"]
    ]
    lines += [
        f"未能送达：{row['alert']} 致 {row['receiver']}（{row['channel']}，试过 {row['attempts']} 次）：{row['answer']}"
        for row in found["dead_letters"]
    ]
    lines += ["消息: " + ("、".join(f"{name} {count}" for name, count in found["deliveries"].items()) or "无")]
    return "\n".join(lines)
