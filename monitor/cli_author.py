"""Commands of the rule author: check, test, diff, book."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

author = typer.Typer()
book = typer.Typer(help="用表格修改目标册。", no_args_is_help=True)
author.add_typer(book, name="book")

Config = Annotated[
    Path | None, typer.Option("--config", help="设置文件；缺省依次为 $DUBAN_CONFIG、./duban.yaml、随附示例")
]
AsJson = Annotated[bool, typer.Option("--json", help="输出 JSON")]
Junit = Annotated[Path | None, typer.Option("--junit", help="另把结果以 JUnit XML 存到此文件")]


def find(explicit: Path | None) -> Path | None:
    """The settings file in force."""
    from monitor import config

    return config.find(explicit)


@author.command()
def check(
    config: Config = None,
    as_json: AsJson = False,
    strict: Annotated[bool, typer.Option("--strict", help="有疑点（D1xx）时退出状态为 3")] = False,
    junit: Junit = None,
) -> None:
    """检查设置、目标册、来源与渠道；逐行指出何处有误、何处可疑、如何改正。"""
    from monitor.checking import cases, checked

    found = checked(find(config))
    warnings = [one.line for one in found.findings]
    if as_json:
        facts = {
            "errors": list(found.errors),
            "warnings": warnings,
            "findings": [one._asdict() for one in found.findings],
            "books": [book.id for book in found.books],
        }
        print(json.dumps(facts, ensure_ascii=False, indent=2))
    else:
        fine = [f"{book.id}: {len(book.targets)} 个目标，无误" for book in found.books]
        print("\n".join([*found.errors, *warnings, *fine]))
        if found.unread:
            print(found.unread)
    if junit is not None:
        from monitor.junit import write

        write(junit, cases(found, strict=strict))
    if found.errors:
        raise typer.Exit(1)
    if strict and found.findings:
        raise typer.Exit(3)


@author.command("test")
def try_cases(
    files: Annotated[
        list[Path] | None, typer.Argument(help="测试文件或文件夹；缺省为各册 tests 文件夹中的全部")
    ] = None,
    config: Config = None,
    junit: Junit = None,
) -> None:
    """以测试数据检验目标册：何时为何级别、有何预警、告知谁、怎么说；不读写数据库，不发送。"""
    from monitor.testing import run, words

    found = run(find(config), files or [])
    print(words(found))
    if junit is not None:
        from monitor.junit import write

        write(junit, [case for case, _ in found])
    if any(case.failure for case, _ in found):
        raise typer.Exit(1)


@author.command("diff")
def show_difference(
    old: Annotated[str, typer.Argument(help="原来的册：文件夹，或 git 版本:文件夹，如 HEAD~1:rules/books")],
    new: Annotated[str, typer.Argument(help="改后的册，写法相同")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """比较两版目标册：改了什么；有数据库时，按库中数据将多提示、少提示几次。"""
    from monitor.comparing import compared, words

    found = compared(old, new, find(config))
    if as_json:
        facts = {**found, "changes": [one._asdict() for one in found["changes"]]}
        print(json.dumps(facts, ensure_ascii=False, indent=2))
    else:
        print(words(found))


@book.command("export")
def export_book(
    file: Annotated[Path, typer.Argument(help="写入这个文件，如 目标册.xlsx；已有的不覆盖")],
    name: Annotated[str, typer.Option("--book", help="册号")],
    config: Config = None,
) -> None:
    """把目标册导出为工作簿：目标、阈值、责任单位、报送时限，以及各对象的目标，可在表中修改。"""
    from monitor.book_import import export

    print(export(find(config), name, file))


@book.command("import")
def import_book(
    file: Annotated[Path, typer.Argument(help="改好的工作簿")],
    config: Config = None,
    write: Annotated[bool, typer.Option("--write", help="写入目标册；不写此项只列出改动")] = False,
    by: Annotated[str, typer.Option("--by", help="修改人姓名，记入改动记录")] = "",
    why: Annotated[str, typer.Option("--why", help="修改的缘由，记入改动记录")] = "",
    since: Annotated[
        datetime | None,
        typer.Option("--since", formats=["%Y-%m-%d"], help="改动的目标自此日起生效，此前各期仍按原目标判定"),
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="表中删去的目标、对象，也从目标册中删去")] = False,
    as_json: AsJson = False,
) -> None:
    """列出工作簿改了什么、按库中数据将多提示几次；加 --write 写入目标册，注释与次序不变。"""
    from monitor.book_import import Signed, bring, words

    day = since.date() if since else None
    found = bring(find(config), file, day, Signed(by, why), write=write, delete=delete)
    if as_json:
        facts = {**found, "changes": [one._asdict() for one in found["changes"]]}
        print(json.dumps(facts, ensure_ascii=False, indent=2))
    else:
        print(words(found, write=write))
