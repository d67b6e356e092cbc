"""Commands are functions: the signature says what a shell may give, the docstring what is done with it.

Every parameter is ``Annotated`` with an ``Argument`` or ``Option``. What has a default need not be given, a ``bool`` is an
option without a value, and a ``list`` takes any number.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin

if TYPE_CHECKING:
    from inspect import Parameter


class UsageError(Exception):
    """A command line that is wrong, in the words of who typed it."""


class Argument:
    """Said by its place; ``least`` and ``most`` bound a number."""

    def __init__(self, meaning: str, *, least: int | None = None, most: int | None = None) -> None:
        self.meaning, self.least, self.most = meaning, least, most


class Option(Argument):
    """Said by its name, such as ``--out``."""

    def __init__(self, name: str, meaning: str, *, least: int | None = None, most: int | None = None) -> None:
        super().__init__(meaning, least=least, most=most)
        self.name = name


class Command:
    """A function to call, commands by their names, or both: then the function is what is called without a name."""

    def __init__(self, meaning: str = "", function: Callable[..., None] | None = None) -> None:
        self.meaning = meaning
        self.commands: dict[str, Command] = {}
        self._function = function

    def group(self, name: str, meaning: str) -> "Command":
        """A new command that only groups others."""
        found = self.commands[name] = Command(meaning)
        return found

    def command(self, name: str = "") -> Callable[[Callable[..., None]], "Command"]:
        """Makes a function a command, by its own name where none is given."""

        def made(function: Callable[..., None]) -> Command:
            found = self.commands[name or function.__name__] = Command(function.__doc__ or "", function)
            return found

        return made

    def __call__(self, words: Sequence[str], path: str) -> None:
        """Does what ``words`` say after ``path``. Raises UsageError and whatever the function raises."""
        if words and words[0] in self.commands:
            self.commands[words[0]](words[1:], f"{path} {words[0]}")
        elif "--help" in words:
            print(self._page(path))
        else:
            try:
                given = self._given(words)
                if self._function is not None:
                    self._function(**given)
                    return
            except UsageError as error:
                raise UsageError(f"{error}\n用法见 {path} --help") from None
            raise UsageError(f"{self._page(path)}\n\n缺少命令 (missing command)")

    def parameters(self) -> list["_Parameter"]:
        """What the function takes, in its order."""
        from inspect import signature  # slow to load, and a page that only lists commands needs none

        return [_Parameter(one) for one in signature(self._function).parameters.values()] if self._function else []

    def _given(self, words: Sequence[str]) -> dict[str, Any]:
        """The function's arguments, those that were given. Raises UsageError."""
        parameters = self.parameters()
        given, loose = _sorted(words, {one.name: one for one in parameters if one.named})
        left = iter(loose)
        for one in parameters:
            if not one.named:
                for word in left if one.many else islice(left, 1):
                    one.take(word, given)
        if extra := [*left]:
            if self.commands and extra[0] == words[0]:
                from connectors.strict import near  # slow to load, and only who errs needs it

                raise UsageError(f"没有命令 '{extra[0]}' (no such command){near(extra[0], self.commands)}")
            raise UsageError(f"多余的参数 ({' '.join(extra)}) (extra argument)；含空格的请加引号")
        for one in parameters:
            if one.required and one.key not in given:
                kind, key = ("选项", "option") if one.named else ("参数", "argument")
                raise UsageError(f"缺少{kind} {one.name} (missing {key})：{one.meaning}")
        return given

    def _page(self, path: str) -> str:
        from shutil import get_terminal_size

        width = get_terminal_size().columns
        parameters = self.parameters()
        arguments = [one for one in parameters if not one.named]
        places = [f"{{{one.name}}}" if one.required else f"[{one.name}]" + "..." * one.many for one in arguments]
        usage = " ".join(["[选项]", *places, *(["命令 [参数]"] if self.commands else [])])
        tables = {
            "参数": {one.label: one.told for one in arguments},
            "选项": {one.label: one.told for one in parameters if one.named} | {"--help": "显示这一说明"},
            "命令": {name: one.meaning for name, one in self.commands.items()},
        }
        lines = [_laid(f"用法：{path} ", usage, 6, width), "", _laid("", self.meaning, 0, width)]
        for title, rows in tables.items():
            if rows:
                left = max(map(_width, rows)) + 4
                lines += ["", f"{title}：", *(_laid(f"  {label}", text, left, width) for label, text in rows.items())]
        return "\n".join(lines)


_KINDS: dict[type, tuple[str, str, Callable[[str], Any]]] = {
    str: ("文字", "", str),
    Path: ("路径", "", Path),
    int: ("整数", "应为整数", int),
    float: ("数", "应为数", float),
    date: ("日期", "不是日期，应如 2025-09-30", lambda word: datetime.strptime(word, "%Y-%m-%d").date()),  # noqa: DTZ007 - a day
}
"""What a value of a type is called, what is said of one that is none, and how it is read."""


class _Parameter:
    """One of a function's: its ``key`` there, its ``name`` for the shell, what it means and how it is read."""

    def __init__(self, one: "Parameter") -> None:
        kind, declared = get_args(one.annotation)
        if isinstance(kind, UnionType):  # with None
            kind = get_args(kind)[0]
        self.many = get_origin(kind) is list
        self.kind: type = get_args(kind)[0] if self.many else kind
        self.key, self.default = one.name, one.default
        self.required = one.default is one.empty
        self.named = isinstance(declared, Option)
        self.name: str = getattr(declared, "name", one.name)
        self.meaning: str = declared.meaning
        self._least, self._most = declared.least, declared.most

    def take(self, word: str, given: dict[str, Any]) -> None:
        """Puts what the word means with what was given. Raises UsageError."""
        _, wrong, read = _KINDS[self.kind]
        try:
            value = read(word)
        except ValueError:
            raise self._bad(word, wrong) from None
        if self._least is not None and value < self._least:
            raise self._bad(word, f"应不小于 {self._least}")
        if self._most is not None and value > self._most:
            raise self._bad(word, f"应不大于 {self._most}")
        given[self.key] = [*given.get(self.key, ()), value] if self.many else value

    def _bad(self, word: str, wrong: str) -> UsageError:
        return UsageError(f"{self.name} 的值不对 (bad value)：'{word}' {wrong}")

    @property
    def label(self) -> str:
        return self.name if self.kind is bool else f"{self.name} <{_KINDS[self.kind][0]}>"

    @property
    def told(self) -> str:
        plain = self.kind is bool or self.default in (None, "")
        return self.meaning + (" [必填]" if self.required else "" if plain else f" [缺省: {self.default}]")


def _sorted(words: Sequence[str], options: dict[str, _Parameter]) -> tuple[dict[str, Any], list[str]]:
    """What the options among the words mean, and the other words. Raises UsageError."""
    given: dict[str, Any] = {}
    loose: list[str] = []
    rest = iter(words)
    for word in rest:
        name, equals, text = word.partition("=")
        if word == "--":
            loose += rest
        elif word == "-" or not word.startswith("-"):
            loose.append(word)
        elif name not in options:
            from connectors.strict import near  # slow to load, and only who errs needs it

            raise UsageError(f"没有选项 {name} (no such option){near(name, [*options, '--help'])}")
        elif options[name].kind is bool:
            if equals:
                raise UsageError(f"选项 {name} 不带值 (no value expected)")
            given[options[name].key] = True
        else:
            value = text if equals else next(rest, None)
            if value is None or (value in options and not equals):
                raise UsageError(f"选项 {name} 之后缺少值 (missing value)")
            options[name].take(value, given)
    return given, loose


_PIECE = r"(?:\[[^]]+]|[（“]*(?:[!-~]+|[^!-~\s]))[，。；：、）”]*\s*"
"""What no line breaks: words in brackets, a word, or one Chinese character, with the punctuation that stands with it."""


def _laid(head: str, text: str, left: int, width: int) -> str:
    """``text`` beside its ``head``, in lines that start at column ``left`` and end before ``width``."""
    lines = [head.ljust(left + len(head) - _width(head))]
    for piece in re.findall(_PIECE, text):
        if _width(lines[-1] + piece.rstrip()) > width:
            lines.append(" " * left)
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def _width(text: str) -> int:
    """Columns on a terminal."""
    from unicodedata import east_asian_width

    return len(text) + sum(east_asian_width(character) in "WF" for character in text)
