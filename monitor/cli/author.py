"""Commands of the rule author: import-plan, check, test, explain, rehearse, diff, book, targets, schema, bench."""

import math
import sys
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from monitor.cli.command import Argument, Command, Option
from monitor.cli.options import AsJson, At, Config, Junit, in_force, json_text, settings_file

author = Command()


@author.command("import-plan")
def import_plan(
    file: Annotated[Path, Argument("方案文件：TXT、DOCX 或 PDF")],
    out: Annotated[Path | None, Option("--out", "草稿存到此文件夹；缺省为以册号命名的文件夹")] = None,
    book: Annotated[str | None, Option("--book", "册号；缺省为 plan-年份")] = None,
    year: Annotated[
        int | None, Option("--year", "方案的年份，2000 至 2100；缺省读自标题", least=2000, most=2100)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """由公布的分解方案起草目标册：事项、单位、时限、数量目标；存疑之处一一列出，请逐条核对。"""
    from monitor.author.importing import import_file

    print(import_file(file, out, book, year, as_json=as_json))


@author.command()
def check(
    config: Config = None,
    as_json: AsJson = False,
    strict: Annotated[bool, Option("--strict", "有疑点（D1xx）时退出状态为 3")] = False,
    junit: Junit = None,
) -> None:
    """检查设置、目标册、来源与渠道；逐行指出何处有误、何处可疑、如何改正。"""
    from monitor.author.checking import cases, checked
    from monitor.config import EXAMPLE

    file = settings_file(config)
    if config is None and file == EXAMPLE:
        print("此处没有设置文件 duban.yaml，以下检查的是随附示例；设置文件的写法见规则员手册", file=sys.stderr)
    found = checked(file)
    warnings = [one.line for one in found.findings]
    if as_json:
        facts = {
            "errors": list(found.errors),
            "warnings": warnings,
            "findings": [one._asdict() for one in found.findings],
            "books": [book.id for book in found.books],
        }
        print(json_text(facts))
    else:
        fine = [f"{book.id}: {len(book.targets)} 个目标，{_doubts(found.within(book))}" for book in found.books]
        print("\n".join([*found.errors, *warnings, *fine]))
        if found.unread:
            print(found.unread)
    if junit is not None:
        from monitor.author.junit import write

        write(junit, cases(found, strict=strict))
    if found.errors:
        raise SystemExit(1)
    if strict and found.findings:
        raise SystemExit(3)


def _doubts(count: int) -> str:
    return f"{count} 处疑点" if count else "无误"


@author.command("test")
def try_cases(
    files: Annotated[list[Path] | None, Argument("测试文件或文件夹；缺省为各册 tests 文件夹中的全部")] = None,
    config: Config = None,
    junit: Junit = None,
) -> None:
    """以测试数据检验目标册：何时为何级别、有何预警、告知谁、怎么说；不读写数据库，不发送。"""
    from monitor.author.testing import run, words

    found = run(settings_file(config), files or [])
    print(words(found))
    if junit is not None:
        from monitor.author.junit import write

        write(junit, [case for case, _ in found])
    if any(case.failure for case, _ in found):
        raise SystemExit(1)


@author.command()
def explain(
    target: Annotated[str, Argument("目标，写作 册号/编号，如 national-2025/gdp-growth")],
    config: Config = None,
    at: At = None,
    subject: Annotated[str, Option("--subject", "对象（县、区），册内只有一处时不必写")] = "",
) -> None:
    """说明一个目标为何如此判定：数值出处、曲线、阈值与差距。"""
    from monitor.once import explain as explain_once
    from rules.document import Invalid

    book, _, name = target.partition("/")
    if not name:
        raise Invalid([f"看不懂的目标 '{target}' (bad target); 应写作 册号/编号，如 national-2025/gdp-growth"])
    print(explain_once(in_force(config, book), name, subject, at))


@author.command()
def rehearse(
    book: Annotated[str, Argument("册号")],
    config: Config = None,
    first: Annotated[str | None, Option("--from", "自何时起，如 2022、2022-03；缺省为有数据的最近五年")] = None,
    last: Annotated[str | None, Option("--to", "至何时止，如 2024、2024-06")] = None,
    figures: Annotated[
        Path | None, Option("--figures", "宽表 CSV：首列 month 为 YYYY-MM，其余每列一个序列；缺省用库中数据")
    ] = None,
    to_date: Annotated[bool, Option("--to-date", "宽表中的数值为年初以来累计，不是当月数")] = False,
    against: Annotated[Path | None, Option("--against", "另一册（如旧册）的文件夹，比较二者")] = None,
    sweep: Annotated[str | None, Option("--sweep", "逐一试调一个阈值，如 yellow.behind=2..20")] = None,
    budget: Annotated[float | None, Option("--budget", "每周至多多少条消息；与 --sweep 同用")] = None,
    fail_if: Annotated[
        list[str] | None, Option("--fail-if", "条件成立则退出状态为 3，如 messages_per_week>5；可写多次")
    ] = None,
    html: Annotated[Path | None, Option("--html", "另存为网页，可单独打开")] = None,
    as_json: AsJson = False,
) -> None:
    """推演：若本册在往年生效，何时会告知谁、虚警漏报几何、提前多少天；不发送、不入库。"""
    from monitor.rehearsal.command import Asked, command

    asked = Asked(first, last, figures, to_date, against, sweep, budget, fail_if or (), html, as_json)
    found, failed = command(in_force(config, book), asked)
    if as_json:
        print(json_text(found))
    if failed:
        raise SystemExit(3)


@author.command("diff")
def show_difference(
    old: Annotated[str, Argument("原来的册：文件夹，或 git 版本:文件夹，如 HEAD~1:rules/books")],
    new: Annotated[str, Argument("改后的册，写法相同")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """比较两版目标册：改了什么；有数据库时，按库中数据将多提示、少提示几次。"""
    from monitor.author.comparing import compared, words

    found = compared(old, new, settings_file(config))
    facts = {**found, "changes": [one._asdict() for one in found["changes"]]}
    print(json_text(facts) if as_json else words(found))


book = author.group("book", "用表格修改目标册。")


@book.command("export")
def export_book(
    file: Annotated[Path, Argument("写入这个文件，如 目标册.xlsx；已有的不覆盖")],
    name: Annotated[str, Option("--book", "册号")],
    config: Config = None,
) -> None:
    """把目标册导出为工作簿：目标、阈值、责任单位、报送时限，以及各对象的目标，可在表中修改。"""
    from monitor.author.book_import import export

    print(export(settings_file(config), name, file))


@book.command("import")
def import_book(
    file: Annotated[Path, Argument("改好的工作簿")],
    config: Config = None,
    write: Annotated[bool, Option("--write", "写入目标册；不写此项只列出改动")] = False,
    by: Annotated[str, Option("--by", "修改人姓名，记入改动记录")] = "",
    why: Annotated[str, Option("--why", "修改的缘由，记入改动记录")] = "",
    since: Annotated[date | None, Option("--since", "改动的目标自此日起生效，此前各期仍按原目标判定")] = None,
    delete: Annotated[bool, Option("--delete", "表中删去的目标、对象，也从目标册中删去")] = False,
    as_json: AsJson = False,
) -> None:
    """列出工作簿改了什么、按库中数据将多提示几次；加 --write 写入目标册，注释与次序不变。"""
    from monitor.author.book_import import Signed, bring, words

    found = bring(settings_file(config), file, since, Signed(by, why), write=write, delete=delete)
    facts = {**found, "changes": [one._asdict() for one in found["changes"]]}
    print(json_text(facts) if as_json else words(found, write=write))


@author.command()
def targets(
    book: Annotated[str | None, Option("--book", "册号；缺省为各册")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """列出全部目标，含无数值的任务。"""
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
        for found in in_force(config, book).books
        for target in found.targets
    ]
    lines = (
        f"{row['item'] or '-':>3} {row['book'] + '/' + row['id']:48} {row['name']}: {row['goal']} ({'、'.join(row['lead'])})"
        for row in rows
    )
    print(json_text(rows) if as_json else "\n".join(lines))


@author.command()
def schema() -> None:
    """输出目标册的 JSON Schema，供编辑器补全与校验。"""
    from rules.schema import json_schema

    print(json_text(json_schema()))


bench = author.group("bench", "量度。")


@bench.command()
def pace(
    file: Annotated[Path, Argument("宽表 CSV：首列 month 为 YYYY-MM，其余每列一个序列")],
    ets: Annotated[int, Option("--ets", "用作对照的 ETS 抽样案例数，0 为不比 （ETS 很慢）")] = 400,
    seed: Annotated[int, Option("--seed", "抽样种子")] = 7,
    svg: Annotated[Path, Option("--svg", "校准图存到此文件")] = Path("var/calibration.svg"),
) -> None:
    """以真实月度序列检验年底预测：准确度、校准与耗时，并与惯用方法比较。"""
    from rich.progress import Progress

    from monitor.bench.pace import run
    from monitor.bench.report import calibration_svg, render

    with Progress(transient=True) as progress:
        task = progress.add_task("ETS", total=ets or None)
        report = run(file, ets, seed, lambda done, total: progress.update(task, completed=done, total=total))
    print(render(report))
    svg.parent.mkdir(parents=True, exist_ok=True)
    svg.write_text(calibration_svg(report), encoding="utf-8")
    print(f"校准图: {svg}")
