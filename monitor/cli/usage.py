"""What is wrong with a command line, in the words of who typed it; the library's own words in a help page."""

import gettext
from typing import Any

from typer._click import Command, Context, HelpFormatter
from typer._click import exceptions as wrong
from typer.core import TyperOption, _TyperParameter

_HEADINGS = {
    "Arguments": "参数",
    "Options": "选项",
    "Commands": "命令",
    "[required]": "[必填]",
    "[default: {}]": "[缺省: {}]",
}
_VALUES = {
    "bool": "",
    "str": "文字",
    "path": "路径",
    "int": "整数",
    "int range": "整数",
    "float": "数",
    "%Y-%m-%d": "日期",
}
_help_option, _display_type = Command.get_help_option, _TyperParameter.display_type


class _Usage(HelpFormatter):
    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        said = args.replace("[OPTIONS]", "[选项]").replace("COMMAND [ARGS]...", "命令 [参数]")
        super().write_usage(prog, said, prefix or "用法：")


def translate() -> None:
    """Have help pages be Chinese as a whole.

    The headings ask a catalogue, and one of so few words needs no compiled file; all else asks nobody.
    """
    gettext.dgettext = lambda _, message: _HEADINGS.get(message, message)  # type: ignore[assignment]
    Context.formatter_class = _Usage
    Command.get_help_option = _help  # type: ignore[assignment]
    _TyperParameter.display_type = _value  # type: ignore[assignment]


def _help(command: Command, context: Context) -> TyperOption | None:
    option = _help_option(command, context)
    if option is not None:
        option.help = "显示这一说明"
    return option


def _value(param: _TyperParameter, context: Context) -> str:
    """What to write after an option, "" for one that takes nothing."""
    name = _display_type(param, context).strip("<>").removeprefix("list[").removesuffix("]").lower()
    said = _VALUES.get(name, name)
    return f"<{said}>" if said else ""


def words(error: wrong.UsageError) -> str:
    """What is wrong, and where to read how it should be."""
    where = f"\n用法见 {error.ctx.command_path} --help" if error.ctx else ""
    return f"{_said(error)}{where}"


def _said(error: wrong.UsageError) -> str:
    from connectors.strict import near  # slow to load, and help needs none

    match error:
        case wrong.MissingParameter(param=param) if param is not None:
            kind = "参数" if param.param_type_name == "argument" else "选项"
            return f"缺少{kind} {_name(param)} (missing {param.param_type_name})：{getattr(param, 'help', '')}"
        case wrong.NoSuchOption():
            known = [name for param in error.ctx.command.params for name in param.opts] if error.ctx else []
            return f"没有选项 {error.option_name} (no such option){near(error.option_name, known)}"
        case wrong.BadParameter(param=param) if param is not None:
            return f"{_name(param)} 的值不对 (bad value)：{_meant(error)}"
        case wrong.BadParameter():
            return error.message
        case wrong.BadOptionUsage() if "requires" in error.message:
            return f"选项 {error.option_name} 之后缺少值 (missing value)"
        case wrong.BadOptionUsage():
            return f"选项 {error.option_name} 不带值 (no value expected)"
    if error.message.startswith("No such command"):
        name = error.message.split("'")[1]
        return f"没有命令 '{name}' (no such command){near(name, getattr(error.ctx.command, 'commands', ()) if error.ctx else ())}"
    if error.message.startswith("Got unexpected extra"):
        return f"多余的参数 {error.message.partition('(s) ')[2] or error.message} (extra argument)；含空格的请加引号"
    if error.message.startswith("Missing command"):
        return "缺少命令 (missing command)"
    return error.message


def _name(param: Any) -> str:
    return str(param.opts[0] if param.param_type_name == "option" else param.name)


def _meant(error: wrong.BadParameter) -> str:
    """What the value should be: the library's finding, or our own words."""
    cause: Any = error.__cause__
    if not hasattr(cause, "errors"):
        return error.message
    found = cause.errors()[0]
    if "formats" in found["msg"]:
        return f"'{found['input']}' 不是日期，应如 2025-09-30"
    should = {"int_parsing": "应为整数", "float_parsing": "应为数"}.get(found["type"], found["msg"])
    bounds = {"ge": "应不小于", "le": "应不大于"}
    return f"'{found['input']}' {next((f'{bounds[k]} {v}' for k, v in found.get('ctx', {}).items() if k in bounds), should)}"
