"""The command ``duban``. Heavy imports happen inside the commands, so that a small command stays quick."""

import json
import logging
import math
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from monitor.cli_author import AsJson, Config, author
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
silence = typer.Typer(help="静默：暂不发送某些预警消息。", no_args_is_help=True)
app.add_typer(silence, name="silence")
deliveries = typer.Typer(help="每一条消息及其历次投递。", invoke_without_command=True)
app.add_typer(deliveries, name="deliveries")
route = typer.Typer(help="谁会收到什么。", no_args_is_help=True)
app.add_typer(route, name="route")
filing = typer.Typer(help="填报表：生成、收回。", no_args_is_help=True)
app.add_typer(filing, name="filing")
bench = typer.Typer(help="量度。", no_args_is_help=True)
app.add_typer(bench, name="bench")
app.add_typer(author)

At = Annotated[
    str | None, typer.Option("--at", help="判定时点，如 2025-10-25 （当日终） 或 2025-10-25T09:00；缺省为现在")
]


Word = TypeVar("Word", bound=StrEnum)
Number = Annotated[int, typer.Argument(help="待核数据的编号，见 duban quarantine")]
By = Annotated[str, typer.Option("--by", help="处理人姓名")]
Note = Annotated[str, typer.Option("--note", help="处理的理由")]


def main() -> None:
    """Entry point: errors of users are words on stderr and exit status 1, never a traceback."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr
    )
    try:
        app()
    except Invalid as error:
        _fail(str(error))
    except Exception as error:
        from monitor.store.database import DatabaseError  # only now: it is slow to load, and small commands need none

        if not isinstance(error, DatabaseError):
            raise
        _fail(str(error))


def _fail(words: str) -> None:
    print(words, file=sys.stderr)
    raise SystemExit(1)


@app.command()
def run(config: Config = None) -> None:
    """启动守护进程：按时拉取、判定、告知，并提供网页与指标。"""
    from monitor.serve import serve

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
def rehearse(
    book: Annotated[str, typer.Argument(help="册号")],
    config: Config = None,
    first: Annotated[
        str | None, typer.Option("--from", help="自何时起，如 2022、2022-03；缺省为有数据的最近五年")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="至何时止，如 2024、2024-06")] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", help="宽表 CSV：首列 month 为 YYYY-MM，其余每列一个序列；缺省用库中数据")
    ] = None,
    to_date: Annotated[bool, typer.Option("--to-date", help="宽表中的数值为年初以来累计，不是当月数")] = False,
    against: Annotated[Path | None, typer.Option("--against", help="另一册（如旧册）的文件夹，比较二者")] = None,
    sweep: Annotated[str | None, typer.Option("--sweep", help="逐一试调一个阈值，如 yellow.behind=2..20")] = None,
    budget: Annotated[float | None, typer.Option("--budget", help="每周至多多少条消息；与 --sweep 同用")] = None,
    fail_if: Annotated[
        list[str] | None, typer.Option("--fail-if", help="条件成立则退出状态为 3，如 messages_per_week>5；可写多次")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="另存为网页，可单独打开")] = None,
    as_json: AsJson = False,
) -> None:
    """推演：若本册在往年生效，何时会告知谁、虚警漏报几何、提前多少天；不发送、不入库。"""
    from monitor.rehearsal.command import Asked, command

    asked = Asked(first, last, figures, to_date, against, sweep, budget, fail_if or (), html, as_json)
    found, failed = command(_read(config, book), asked)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    if failed:
        raise typer.Exit(3)


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


@app.command("import-plan")
def import_plan(
    file: Annotated[Path, typer.Argument(help="方案文件：TXT、DOCX 或 PDF")],
    out: Annotated[Path | None, typer.Option("--out", help="草稿存到此文件夹；缺省为以册号命名的文件夹")] = None,
    book: Annotated[str | None, typer.Option("--book", help="册号；缺省为 plan-年份")] = None,
    year: Annotated[int | None, typer.Option("--year", min=2000, max=2100, help="方案的年份；缺省读自标题")] = None,
    as_json: AsJson = False,
) -> None:
    """由公布的分解方案起草目标册：事项、单位、时限、数量目标；存疑之处一一列出，请逐条核对。"""
    from monitor.importing import import_file

    print(import_file(file, out, book, year, as_json=as_json))


@app.command()
def status(config: Config = None, as_json: AsJson = False) -> None:
    """各来源、预警与消息的现状（读自数据库，守护进程不必在运行）。"""
    from monitor.once import status as status_once

    found = status_once(_read(config))
    print(json.dumps(found, ensure_ascii=False, indent=2) if as_json else _status_text(found))


@app.command()
def doctor(config: Config = None, as_json: AsJson = False) -> None:
    """逐项检查设置、接收人、日历、磁盘、数据库、时钟、来源与渠道，说明如何处理；不作任何改动。"""
    from monitor.doctor import Health, examine

    found = examine(_config(config))
    if as_json:
        print(json.dumps([one._asdict() for one in found], ensure_ascii=False, indent=2))
    else:
        for one in found:
            print(f"[{one.health.text}] {one.part}：{one.words}" + (f"\n       处理：{one.cure}" if one.cure else ""))
    if any(one.health is Health.ILL for one in found):
        raise typer.Exit(1)


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


@db.command()
def backup(
    file: Annotated[Path, typer.Argument(help="备份文件，不得已存在")],
    config: Config = None,
) -> None:
    """备份 SQLite 数据库为一个文件；守护进程运行时亦可，备份出自同一时刻。PostgreSQL 请用 pg_dump。"""
    from monitor import config as settings
    from monitor.store.backup import backup as copy
    from monitor.store.database import open_engine

    size = copy(open_engine(settings.load(_config(config)).database_url()), file)
    print(
        f"已备份到 {file}，{size / 1e6:.1f} MB；恢复时停止守护进程，以此文件替换数据库文件，并删除同名的 -wal、-shm 文件"
    )


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


@app.command()
def drill(
    config: Config = None,
    unit: Annotated[
        str | None, typer.Option("--unit", help="只发给这一单位或人员；缺省为机构中的全部单位、人员和督办单位")
    ] = None,
    channel: Annotated[str | None, typer.Option("--channel", help="只用这一渠道")] = None,
    as_json: AsJson = False,
) -> None:
    """演练：经真实的渠道发出标明“演练”的消息，不计入预警。有一条未送达则退出状态为 1。"""
    from monitor.bulletins import drill as send

    sent, left = send(_read(config), unit, channel)
    if as_json:
        print(json.dumps(sent, ensure_ascii=False, indent=2))
    else:
        print(_deliveries_text(sent))
        if left:
            print("守护进程正在运行，由它发送；结果见 duban deliveries")
    if not left and any(row["status"] != "sent" for row in sent):
        raise typer.Exit(1)


@app.command()
def alerts(
    config: Config = None,
    book: Annotated[str | None, typer.Option("--book", help="只列这一册")] = None,
    target: Annotated[str | None, typer.Option("--target", help="只列这一目标，写编号")] = None,
    state: Annotated[str | None, typer.Option("--state", help="pending、firing 或 resolved")] = None,
    since: Annotated[str | None, typer.Option("--since", help="只列此日以后有变动的，如 2025-10-01")] = None,
    as_json: AsJson = False,
) -> None:
    """列出预警，含已解除的，及其每一次变动：时间、缘由、级别、数值。"""
    from alerts.alert import State
    from monitor.records import alerts as found

    rows = found(_settings(config), book, target, _word(State, state, "--state"), since)
    print(json.dumps(rows, ensure_ascii=False, indent=2) if as_json else _alerts_text(rows))


@silence.command()
def add(
    book: Annotated[str, typer.Option("--book", help="目标册")],
    until: Annotated[str, typer.Option("--until", help="到何时为止，如 2025-11-30 （当日终）")],
    who: By,
    reason: Annotated[str, typer.Option("--reason", help="静默的理由")],
    target: Annotated[str, typer.Option("--target", help="只静默这一目标，写编号")] = "",
    unit: Annotated[str, typer.Option("--unit", help="只静默须由这一单位处置的预警")] = "",
    level: Annotated[str, typer.Option("--level", help="yellow 只静默黄色，red 连红色一并静默")] = "yellow",
    config: Config = None,
) -> None:
    """新设静默：消息照记不发，到期后预警仍在的再发。"""
    from monitor.holding import ordered

    wanted = {"book": book, "target": target, "unit": unit, "level": level, "until": until, "who": who}
    print(f"已设第{ordered(_read(config), wanted | {'reason': reason})}号静默")


@silence.command("list")
def list_silences(config: Config = None, as_json: AsJson = False) -> None:
    """列出生效中的静默。"""
    from monitor.holding import listed

    rows = listed(_settings(config))
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    print(f"静默 {len(rows)} 项")
    for row in rows:
        what = " ".join(filter(None, (row["book"], row["target"], row["unit"], row["level"])))
        print(f"  第{row['id']}号 {what}，至 {_shown(row['until'])}，{row['by']}：{row['reason']}")


@silence.command("end")
def end_silence(number: Annotated[int, typer.Argument(help="静默的编号")], who: By, config: Config = None) -> None:
    """提前结束静默；因此未发而预警仍在的消息随即发送。"""
    from monitor.holding import ended

    ended(_settings(config), number, who)
    print(f"已结束第{number}号静默")


@deliveries.callback()
def list_deliveries(
    context: typer.Context,
    config: Config = None,
    state: Annotated[str | None, typer.Option("--state", help="queued、sending、sent、dead 或 suppressed")] = None,
    channel: Annotated[str | None, typer.Option("--channel", help="只列这一渠道")] = None,
    receiver: Annotated[str | None, typer.Option("--receiver", help="只列发给这一单位的")] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="最多列出多少条，最近的在前；0 为全部")] = 100,
    as_json: AsJson = False,
) -> None:
    """列出消息及其历次投递与答复；未能送达的用 redrive 重新投递。"""
    if context.invoked_subcommand is not None:
        return
    from alerts.delivery import Status
    from monitor.records import deliveries as found

    rows = found(_settings(config), _word(Status, state, "--state"), channel, receiver, limit or None)
    print(json.dumps(rows, ensure_ascii=False, indent=2) if as_json else _deliveries_text(rows))


@deliveries.command()
def redrive(
    who: By,
    numbers: Annotated[list[int] | None, typer.Argument(help="消息的编号，见 duban deliveries --state dead")] = None,
    every: Annotated[bool, typer.Option("--all-dead", help="全部未能送达的消息")] = False,
    config: Config = None,
) -> None:
    """把未能送达的消息重新排队投递，记下处理人；由守护进程或下一次 tick 发送。"""
    from monitor.records import redrive as queue

    if bool(numbers) == every:
        raise typer.BadParameter("请写消息的编号，或写 --all-dead，二者取一 (which)")
    rows = queue(_settings(config), numbers or (), who)
    print(f"已重新排队 {len(rows)} 条\n{_deliveries_text(rows)}" if rows else "没有未能送达的消息")


@route.command("test")
def try_route(
    target: Annotated[str, typer.Argument(help="目标，写作 册号/编号，如 wansheng-2025/urban-jobs")],
    level: Annotated[str, typer.Argument(help="级别：yellow 或 red")],
    config: Config = None,
    at: At = None,
    subject: Annotated[str, typer.Option("--subject", help="对象（县、区），册内只有一处时不必写")] = "",
    kind: Annotated[str, typer.Option("--kind", help="pace 为进度预警，data 为数据催报")] = "pace",
    as_json: AsJson = False,
) -> None:
    """试一项预警：如一直未解除，此后 30 个工作日内何时告知谁、经何渠道、因何缘由；不发送。"""
    from monitor.route import facts, show, tried

    book, _, name = target.partition("/")
    trial = tried(_read(config, book), name, level, subject, kind, at)
    if as_json:
        print(json.dumps(facts(trial), ensure_ascii=False, indent=2))
    else:
        show(trial)


@filing.command("make")
def make_filing(
    unit: Annotated[str, typer.Option("--unit", help="填报单位，如 人力社保局")],
    period: Annotated[str, typer.Option("--period", help="所属期，如 2025-10、2025Q3")],
    config: Config = None,
    book: Annotated[str | None, typer.Option("--book", help="只生成这一册的；缺省为该单位应报的各册")] = None,
    out: Annotated[Path, typer.Option("--out", help="存到此文件夹")] = Path(),
) -> None:
    """生成一个单位某期的填报表（XLSX），列出应由其报送的目标。"""
    from monitor.filing import make

    for made in make(_read(config, book), unit, period, out):
        print(f"{made.path}: {made.form.unit}，{made.form.label}，{len(made.form.lines)} 项")


@filing.command("take")
def take_filing(
    file: Annotated[Path, typer.Argument(help="填好的填报表")],
    config: Config = None,
    out: Annotated[Path | None, typer.Option("--out", help="回执存到此文件夹；缺省与填报表同处")] = None,
) -> None:
    """收回填好的填报表：入库，并写出回执；有数据未收的，退出码为 1。"""
    from monitor.filing import take

    taken = take(_read(config), file, out)
    print("\n".join([taken.receipt.summary, *(f"  未收 {line}" for line in taken.refused), f"回执: {taken.path}"]))
    if taken.refused:
        raise typer.Exit(1)


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


def _word(words: type[Word], given: str | None, option: str) -> Word | None:
    """The enum's member for an option's value. Raises BadParameter."""
    try:
        return None if given is None else words(given)
    except ValueError:
        raise typer.BadParameter(f"{option} 应为 {'、'.join(words)} 之一，而不是 '{given}' (unknown word)") from None


def _alerts_text(rows: list[dict[str, Any]]) -> str:
    lines = [f"预警 {len(rows)} 项"]
    for row in rows:
        lines.append(f"[{row['level']}] {row['name']} ({row['alert']})，{'、'.join(row['lead'])}，{row['state']}")
        for step in row["changes"]:
            lines.append(f"    {_shown(step['at'])} {_step_text(step)}")
            late = [one for one in step["messages"] if one["suppressed"]]
            lines += [f"        致 {one['receiver']}（{one['channel']}）{_late_text(one)}" for one in late]
    return "\n".join(lines)


def _step_text(step: dict[str, Any]) -> str:
    levels = f"{step['previous_level']}→{step['level']}"
    facts = (step["period"], step["figure"], step["gap"], step["edit"], step["rule"])
    return f"{step['event']} ({step['cause']}) {levels}：{'；'.join(filter(None, facts))}"


def _deliveries_text(rows: list[dict[str, Any]]) -> str:
    lines = [f"消息 {len(rows)} 条"]
    for row in rows:
        way = f"{row['channel']} {row['address']}".strip()
        lines.append(f"第{row['id']}号 [{row['status']}] {row['about']} {row['event']} 致 {row['receiver']}（{way}）")
        lines += [f"    {_shown(one['at'])} {one['result']} {one['answer']}".rstrip() for one in row["tries"]]
        if row["suppressed"]:
            lines.append(f"    {_late_text(row)}")
        if row["next_try"] is not None:
            lines.append(f"    下次投递 {_shown(row['next_try'])}")
    return "\n".join(lines)


def _late_text(row: dict[str, Any]) -> str:
    """Why a message was not sent at once, and what became of it."""
    from alerts.suppression import Reason

    told = f"，见第{row['digest']}号" if row["digest"] is not None else ""
    return f"未即时发送：{Reason(row['suppressed']).text} ({row['suppressed']}){told} [{row['status']}]"


def _shown(iso: str) -> str:
    """To the minute, with the offset: an operator's machine often goes by another clock than the office."""
    return f"{iso[:10]} {iso[11:16]}{iso[19:]}"


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
    if found["waiting"]:
        lines += ["未即时发送: " + "、".join(f"{why} {count}" for why, count in found["waiting"].items())]
    return "\n".join(lines)
