"""What people write, read strictly: a plain tree becomes a Struct by its annotations, and every error has its place."""

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from functools import cache, partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, Union, dataclass_transform, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, Struct, StructMeta, field, structs

T = TypeVar("T")
_UNKNOWN = "未知的键"
"""An unknown key, until all is known of what holds it."""
Reader: TypeAlias = Callable[[Any], Any]
"""From what is written to what is meant. Raises ValueError with words of how it should be."""
Error: TypeAlias = tuple[tuple[str | int, ...], str]
"""The keys and numbers that lead to a value, and what is wrong with it."""


class Wrong(ValueError):
    """Everything that is wrong in a tree."""

    def __init__(self, errors: Sequence[Error]) -> None:
        super().__init__("\n".join(words for _, words in errors))
        self.errors = tuple(errors)


class _Named(StructMeta):
    """Fields are given by name, so that one without a default may follow one that has it."""

    def __new__(cls, name: str, bases: tuple[type, ...], members: dict[str, Any], **config: Any) -> Any:
        return super().__new__(cls, name, bases, members, kw_only=True, **config)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
class Strict(Struct, metaclass=_Named, frozen=True):
    """Base of what is written as keys and values: a key that it does not know is an error.

    What is special to a field stands in its annotation: ``Annotated[int, Meta(ge=1)]``, one of the marks below, or a
    function that returns the value as it is, or put right. Of a ``pattern``, the ``description`` tells people how the
    text should look. ``field(name="not before")`` has another key than its name, and one with the key "" takes whatever
    is under unknown keys. Functions, and ``__post_init__`` for fields that do not agree, raise ValueError.
    """


class Phrase(Struct, frozen=True):
    """Mark of a field that ``parse`` reads by itself, from what is ``written``."""

    parse: Reader
    written: Any = str


class Before(Struct, frozen=True):
    """Mark of a field that may be ``written`` in short: ``unfold`` makes of it what the type asks for."""

    unfold: Reader
    written: Any


def listed(written: Any) -> Any:
    """One text as a list of one."""
    if isinstance(written, str):
        return [written]
    if not isinstance(written, list | tuple):
        raise ValueError("应为文字或列表 (not a list)")
    return written


Names = Annotated[tuple[str, ...], Before(listed, str | list[str])]
"""One name or a list of names."""


class Field(Struct, frozen=True):
    """A field of a Struct: its name, its annotation, and whether it must be written."""

    name: str
    hint: Any
    needed: bool
    read: Reader


@cache
def fields(kind: type[Strict]) -> dict[str, Field]:
    """The fields by their keys."""
    return {one.encode_name: Field(one.name, one.type, one.required, _reader(one.type)) for one in structs.fields(kind)}


def read(kind: type[T], written: Any) -> T:
    """What is written, as ``kind``. Raises Wrong."""
    try:
        found: T = _reader(kind)(written)
    except Wrong as wrong:
        raise Wrong(
            [(loc, _unknown(str(loc[-1]), kind) if words is _UNKNOWN else words) for loc, words in wrong.errors]
        ) from None
    except ValueError as error:
        raise Wrong([((), str(error))]) from None
    return found


def near(name: str, known: Iterable[str]) -> str:
    """``; 是否应为 'x'?`` for the known name that is most like ``name``, or ""."""
    import difflib  # only a slip needs it

    found = difflib.get_close_matches(name, list(known), n=1)
    return f"; 是否应为 '{found[0]}'?" if found else ""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("应为文字 (not a text)；纯数字的请加引号")
    return value


def _integer(value: Any) -> int:
    # Numbers and truths may be texts as well: the environment knows nothing else.
    if isinstance(value, bool) or not re.fullmatch("[-+]?[0-9]+", str(value)):
        raise ValueError(f"{_shown(value)}应为整数 (not an integer)")
    return int(value)


def _number(value: Any) -> float:
    with suppress(ValueError, TypeError):
        if not isinstance(value, bool):
            return float(value)
    raise ValueError(f"{_shown(value)}应为数 (not a number)")


def _truth(value: Any) -> bool:
    word = str(value).lower()
    if word not in _TRUTHS:
        raise ValueError(f"{_shown(value)}应为 true 或 false (not a truth)")
    return _TRUTHS[word]


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"未知的时区 '{name}', 应如 Asia/Shanghai") from None


def _shown(value: Any) -> str:
    return f"值 {value!r} " if isinstance(value, str | int | float) else ""  # what is larger may hold what is secret


_TRUTHS = {
    word: truth for truth, words in {True: "true yes on 1", False: "false no off 0"}.items() for word in words.split()
}
_PLAIN: dict[Any, Reader] = {
    Any: lambda value: value,
    str: _text,
    int: _integer,
    float: _number,
    bool: _truth,
    Path: lambda value: value if isinstance(value, Path) else Path(_text(value)),
    ZoneInfo: lambda value: _zone(_text(value)),
}
_BOUNDS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "ge": ("应不小于", operator.ge),
    "gt": ("应大于", operator.gt),
    "le": ("应不大于", operator.le),
    "min_length": ("长度应不小于", lambda value, least: len(value) >= least),
    "max_length": ("长度应不大于", lambda value, most: len(value) <= most),
}


def _reader(hint: Any) -> Reader:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        kind, *marks = args
        found: Reader = str if isinstance(marks[0], Phrase) else _reader(kind)
        for mark in marks:
            found = _marked(found, mark)
        return found
    if origin in (UnionType, Union):
        return partial(_either, [_reader(one) for one in args if one is not NoneType], NoneType in args)
    if origin is Literal:
        return partial(_one_of, {one: one for one in args})
    if origin in (tuple, list):
        return partial(_several, origin, _reader(args[0]))
    if origin in (dict, Mapping):
        return partial(_mapping, *map(_reader, args))
    if issubclass(hint, Strict):
        return partial(_struct, hint)
    return partial(_one_of, {one.value: one for one in hint}) if issubclass(hint, Enum) else _PLAIN[hint]


def _marked(inner: Reader, mark: Any) -> Reader:
    if isinstance(mark, Phrase):
        return partial(_phrase, mark.parse) if mark.written is str else mark.parse
    first, then = inner, mark
    if isinstance(mark, Before):
        first, then = mark.unfold, inner
    elif isinstance(mark, Meta):
        then = partial(_bounded, mark, [name for name in _BOUNDS if getattr(mark, name) is not None])
    return lambda value: then(first(value))


def _phrase(parse: Reader, value: Any) -> Any:
    found = parse(str(value))  # whose words tell best how it should read
    if not isinstance(value, str):
        raise ValueError(f"应为一句文字，而不是 {value!r} (not a text)")
    return found


def _bounded(meta: Meta, bounds: Iterable[str], value: Any) -> Any:
    if meta.pattern is not None and not re.search(meta.pattern, value):
        raise ValueError(f"'{value}' 写法不对 (bad pattern); {meta.description}")
    for name in bounds:
        words, holds = _BOUNDS[name]
        if not holds(value, getattr(meta, name)):
            raise ValueError(f"值 {value!r} {words} {getattr(meta, name)} (out of bounds)")
    return value


def _either(readers: Sequence[Reader], optional: bool, value: Any) -> Any:
    if value is None and optional:
        return None
    for one in readers[:-1]:
        with suppress(ValueError):
            return one(value)
    return readers[-1](value)


def _one_of(known: Mapping[Any, Any], value: Any) -> Any:
    if not isinstance(value, str | int) or value not in known:
        raise ValueError(f"不认识 '{value}' (unknown value); 可用: {', '.join(map(repr, known))}")
    return known[value]


def _several(make: Callable[[list[Any]], Any], one: Reader, value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise ValueError("应为列表 (not a list)")
    return make(_each([(number, one, item) for number, item in enumerate(value)]))


def _mapping(key: Reader, one: Reader, value: Any) -> Any:
    parts = [part for name, item in _keyed(value).items() for part in ((name, key, name), (name, one, item))]
    found = _each(parts)
    return dict(zip(found[::2], found[1::2], strict=True))


def _struct(kind: type[Strict], value: Any) -> Any:
    known, given = fields(kind), _keyed(value)
    made, rest = dict[str, Any](), dict[Any, Any]()
    missing = [key for key, one in known.items() if one.needed and key not in given]
    errors: list[Error] = [((key,), f"缺少必填项 '{key}' (missing key)") for key in missing]
    for key, item in given.items():
        if (one := known.get(key) if key else None) is None:
            rest[key] = item
            continue
        try:
            made[one.name] = one.read(item)
        except ValueError as error:
            errors += _under(key, item, error)
    if rest and "" in known:
        made[known[""].name] = rest
    elif rest:
        errors += [((key,), _UNKNOWN) for key in rest]
    if errors:
        raise Wrong(errors)
    return kind(**made)


def _keyed(value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("应为“键: 值” (not a mapping)")
    return value


def _each(parts: Iterable[tuple[Any, Reader, Any]]) -> list[Any]:
    """What each value, by its key, is read as. Raises Wrong."""
    found, errors = [], list[Error]()
    for key, one, value in parts:
        try:
            found.append(one(value))
        except ValueError as error:
            errors += _under(key, value, error)
    if errors:
        raise Wrong(errors)
    return found


def _under(key: Any, value: Any, error: ValueError) -> Iterator[Error]:
    """The errors of a value as those of what holds it, each named by the nearest key."""
    nothing = "没有写值 (missing value)；请写明，或删去这一键"
    for loc, words in error.errors if isinstance(error, Wrong) else [((), nothing if value is None else str(error))]:
        named = not isinstance(key, str) or any(isinstance(part, str) for part in loc)
        yield (key, *loc), words if named else f"{key}: {words}"


def _unknown(key: str, kind: Any) -> str:
    known = _keys(kind)
    if key in known:
        return f"键 '{key}' 不能写在此处 (unknown key)；请检查缩进和括号，含逗号的值请加引号"
    return f"{_UNKNOWN} '{key}' (unknown key){near(key, known)}"


def _keys(hint: Any) -> set[str]:
    """Every key that may be written anywhere inside."""
    own = fields(hint) if isinstance(hint, type) and issubclass(hint, Strict) else {}
    return set(own).union(*map(_keys, (*get_args(hint), *(one.hint for one in own.values()))))
