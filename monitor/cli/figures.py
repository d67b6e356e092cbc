"""Commands about figures: pull, connector, quarantine, filing."""

from pathlib import Path
from typing import Annotated, Any

from monitor.cli.command import Argument, Command, Option
from monitor.cli.options import AsJson, At, By, Config, in_force, json_text, settings

figures = Command()

Number = Annotated[int, Argument("待核数据的编号，见 duban quarantine", most=2**63 - 1)]
Note = Annotated[str, Option("--note", "处理的理由")]


@figures.command()
def pull(
    source: Annotated[str, Argument("来源，写作 册号/来源名，如 national-2025/filings")],
    config: Config = None,
    first: Annotated[str | None, Option("--from", "起始期间，如 2023、2023-01；缺省为本册年份之初")] = None,
    last: Annotated[str | None, Option("--to", "截止期间，如 2024-12；缺省为本册年份之末")] = None,
) -> None:
    """立即拉取一个来源，或补取其历史数据；只入库，不判定、不告知。"""
    from rich.console import Console
    from rich.progress import Progress

    from monitor.once import pull as pull_once

    book, _, name = source.partition("/")
    force = in_force(config, book)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(source, total=None)
        words, well = pull_once(
            force, name, first, last, lambda done, total: progress.update(task, completed=done, total=total)
        )
    print(words)
    if not well:
        raise SystemExit(1)


connector = figures.group("connector", "数据来源。")


@connector.command("try")
def try_source(
    source: Annotated[str, Argument("来源，写作 册号/来源名，如 national-2025/filings")],
    config: Config = None,
    at: At = None,
    limit: Annotated[int, Option("--limit", "最多列出多少行，0 为全部；计数不受影响")] = 100,
    as_json: AsJson = False,
) -> None:
    """试读一个来源：逐格列出读到的数值、拒收的数据与改正办法；不入库、不判定。"""
    from monitor.intake.trying import facts, show, tried

    book, _, name = source.partition("/")
    trial = tried(in_force(config, book), name, at)
    if as_json:
        print(json_text(facts(trial)))
    else:
        show(trial, limit)


@figures.command()
def quarantine(
    config: Config = None,
    settled: Annotated[bool, Option("--settled", "列出最近已放行、已驳回和来源已更正的，而不是待核的")] = False,
    as_json: AsJson = False,
) -> None:
    """列出核验未通过、等待处理的数据；放行用 release，驳回用 dismiss。"""
    from monitor.once import quarantined

    rows = quarantined(settings(config), settled=settled)
    print(json_text(rows) if as_json else _quarantine_text(rows))


@quarantine.command()
def release(number: Number, who: By, note: Note, config: Config = None) -> None:
    """放行：数据照原样入库，以后不再拒收同一数据。"""
    from monitor.once import decide
    from monitor.store.quarantine import release as decision

    row = decide(settings(config), decision, number, who, note)
    print(f"已放行第{number}号：{_refused_text(row)}")


@quarantine.command()
def dismiss(number: Number, who: By, note: Note, config: Config = None) -> None:
    """驳回：数据不入库，也不再列出。"""
    from monitor.once import decide
    from monitor.store.quarantine import dismiss as decision

    row = decide(settings(config), decision, number, who, note)
    print(f"已驳回第{number}号：{_refused_text(row)}")


filing = figures.group("filing", "填报表：生成、收回。")


@filing.command("make")
def make_filing(
    unit: Annotated[str, Option("--unit", "填报单位，如 人力社保局")],
    period: Annotated[str, Option("--period", "所属期，如 2025-10、2025Q3")],
    config: Config = None,
    book: Annotated[str | None, Option("--book", "只生成这一册的；缺省为该单位应报的各册")] = None,
    out: Annotated[Path, Option("--out", "存到此文件夹")] = Path(),
) -> None:
    """生成一个单位某期的填报表（XLSX），列出应由其报送的目标。"""
    from monitor.intake.filing import make

    for made in make(in_force(config, book), unit, period, out):
        print(f"{made.path}: {made.form.unit}，{made.form.label}，{len(made.form.lines)} 项")


@filing.command("take")
def take_filing(
    file: Annotated[Path, Argument("填好的填报表")],
    config: Config = None,
    out: Annotated[Path | None, Option("--out", "回执存到此文件夹；缺省与填报表同处")] = None,
) -> None:
    """收回填好的填报表：入库，并写出回执；有数据未收的，退出码为 1。"""
    from monitor.intake.filing import take

    taken = take(in_force(config), file, out)
    print("\n".join([taken.receipt.summary, *(f"  未收 {line}" for line in taken.refused), f"回执: {taken.path}"]))
    if taken.refused:
        raise SystemExit(1)


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
