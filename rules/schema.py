"""JSON Schema of a book file, for completion and checks in editors."""

from collections.abc import Mapping
from enum import Enum
from inspect import getdoc
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from zoneinfo import ZoneInfo

from msgspec import Meta

from connectors.strict import Before, Phrase, Strict, fields
from rules.spec import BookFile

_PLAIN = {ZoneInfo: "string", str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}
_LIMITS = {"ge": "minimum", "le": "maximum", "pattern": "pattern", "description": "description"}


def json_schema() -> dict[str, Any]:
    """The schema of ``BookFile``; what stands in it by name is under ``$defs``."""
    named: dict[str, Any] = {}
    top = _struct(BookFile, named)
    return {"$defs": dict(sorted(named.items())), **top}


def _schema(hint: Any, named: dict[str, Any]) -> dict[str, Any]:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        written = next((mark.written for mark in args[1:] if isinstance(mark, Phrase | Before)), args[0])
        marks = [mark for mark in args[1:] if isinstance(mark, Meta)]
        limits = {word: getattr(mark, name) for mark in marks for name, word in _LIMITS.items()}
        return _schema(written, named) | {word: limit for word, limit in limits.items() if limit is not None}
    if origin in (UnionType, Union):
        parts = [_schema(one, named) for one in args]
        return {"anyOf": [one for part in parts for one in part.get("anyOf", [part])]}
    if origin is Literal:
        return {"enum": list(args)}
    if origin in (tuple, list):
        return {"type": "array", "items": _schema(args[0], named)}
    if origin in (dict, Mapping):
        keys = {} if args[0] is str else {"propertyNames": _schema(args[0], named)}
        return {"type": "object", **keys, "additionalProperties": _schema(args[1], named)}
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if hint.__name__ not in named:
        named[hint.__name__] = _struct(hint, named) if issubclass(hint, Strict) else _enum(hint)
    return {"$ref": f"#/$defs/{hint.__name__}"}


def _struct(kind: type[Strict], named: dict[str, Any]) -> dict[str, Any]:
    known = {key: one for key, one in fields(kind).items() if key}
    found = {
        "description": getdoc(kind),
        "type": "object",
        "properties": {key: _schema(one.hint, named) for key, one in known.items()},
        "additionalProperties": "" in fields(kind),
    }
    needed = [key for key, one in known.items() if one.needed]
    return {**found, "required": needed} if needed else found


def _enum(kind: type[Enum]) -> dict[str, Any]:
    return {"description": getdoc(kind), "enum": [one.value for one in kind], "type": "string"}
