"""A YAML file with the lines of its keys, so that every error can say where it is."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from yaml import MappingNode, MarkedYAMLError, Node, ScalarNode, SequenceNode, YAMLError
from yaml.reader import ReaderError

from connectors.strict import Wrong, read

T = TypeVar("T")


class Invalid(Exception):
    """Everything wrong with what was written, one ``file:line: 说明`` a line; nothing of it is in force."""

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = tuple(errors)


class _Exact(yaml.BaseLoader):
    """Reads plain words as YAML 1.2 does (``no`` and ``12:30`` are texts), and dates as the phrases that they are here."""


class _Quick(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # type: ignore[misc]
    """The same by libyaml where it is there, at a tenth of the time; what it says of an error is less exact."""


_TAG = "tag:yaml.org,2002:"
_PLAIN = {
    "null": ("~nN", r"~|null|Null|NULL|"),
    "bool": ("tTfF", r"true|True|TRUE|false|False|FALSE"),
    "int": ("-+0123456789", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    "float": (
        "-+.0123456789",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    ),
}
"""How a plain word that is no text begins, and how it looks."""
for _kind, (_first, _looks) in _PLAIN.items():
    for _loader in (_Exact, _Quick):
        _loader.add_implicit_resolver(_TAG + _kind, re.compile(f"(?:{_looks})$"), [*_first, ""])
_READ: dict[str, Callable[[str], Any]] = {
    _TAG + "null": lambda _: None,
    _TAG + "bool": lambda word: word.lower() == "true",
    _TAG + "int": lambda word: int(word, 0 if word.startswith(("0o", "0x")) else 10),
    _TAG + "float": lambda word: float(re.sub(r"\.(?=[a-z])", "", word.lower())),
    _TAG + "str": str,
}


def compose(text: str) -> Node | None:
    """The tree of a YAML text, each part with the place where it starts and ends. Raises YAMLError."""
    found: Node | None
    try:
        found = yaml.compose(text, _Quick)
    except YAMLError:
        found = yaml.compose(text, _Exact)
    return found


_SLIPS = (
    (r" *[\t\u00a0\u3000]", "缩进里有制表符或全角空格；请改用半角空格"),
    (r"[ -]*[\w -]+：", "键之后的冒号是全角的；请改为半角冒号加空格"),
    (r"[^#]*\{[^}]*[，：]", "花括号内有全角的逗号或冒号；请改为半角的，其后加空格"),
    (r".*: *[“”‘’]|.*[\"'][^\"']*[”’]\s*$", "引号是中文的；请改用半角引号，首尾一致"),
    (r"[ -]*[a-z][a-z ]*:[^\s/]", "冒号之后没有空格；请加一个空格"),
)
"""What people write by mistake where YAML sees something else, and the cure."""
_FOUND = (
    ("expected <block end>", "缩进与上文不一致，或这一行缺少“键: ”"),
    ("mapping values are not allowed", "缩进与上文不一致，或值中有冒号加空格；有冒号的值请加引号"),
    ("found unexpected end of stream", "引号没有配对"),
    ("could not find expected ':'", "这一行缺少冒号加空格"),
    ("expected ',' or", "括号没有配对，或各项之间缺少逗号"),
    ("undefined alias", "以 * 开头的值请加引号"),
    ("expected alphabetic or numeric", "以 * 或 & 开头的值请加引号"),
    ("cannot start any token", "以特殊符号开头的值请加引号"),
    ("expected a comment", "以 > 或 | 开头的值请加引号"),
    ("document", "一个文件只写一册的内容，请删去 --- 与 ...，并检查缩进"),
    ("expected the node content", "缺少值"),
)
"""What YAML says it found, in the author's words; the first that fits."""


class _Reading:
    """Makes the values of a tree; ``lines`` has the first line of each part of a value, by the value's ``id``."""

    def __init__(self, path: Path) -> None:
        self.lines: dict[int, dict[Any, int]] = {}
        self.errors: list[str] = []
        self._path = path
        self._made: dict[Node, Any] = {}  # what an alias names again is the same value

    def value(self, node: Node) -> Any:
        if node in self._made:
            return self._made[node]
        if isinstance(node, MappingNode):
            return self._mapping(node)
        if isinstance(node, SequenceNode):
            found = self._made[node] = list[Any]()
            found += map(self.value, node.value)
            self.lines[id(found)] = {number: _line(one) for number, one in enumerate(node.value)}
            return found
        try:
            return _READ[node.tag](node.value)
        except (KeyError, ValueError):
            self._wrong(node, f"标签 {node.tag} 不能这样用 (bad tag)；请删去以 ! 开头的词")

    def _mapping(self, node: MappingNode) -> dict[Any, Any]:
        found = self._made[node] = dict[Any, Any]()
        lines = self.lines[id(found)] = {}
        for name, value in node.value:
            key = self.value(name) if isinstance(name, ScalarNode) else None
            if key is None:
                self._wrong(name, "键应为一个词 (bad key)；含有特殊字符的请加引号")
            elif key in found:
                self._wrong(name, f"键 '{key}' 重复 (duplicate key); 同一处只能写一次")
            else:
                found[key], lines[key] = self.value(value), _line(name)
        return found

    def _wrong(self, node: Node, words: str) -> None:
        self.errors.append(f"{self._path}:{_line(node)}: {words}")


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


class Document:
    """One YAML file whose top is a mapping."""

    def __init__(self, path: Path, text: str | None = None) -> None:
        """``text`` is what is to stand in the file instead. Raises Invalid for a file that cannot be read or is not YAML."""
        self.path = path
        try:
            content = path.read_text(encoding="utf-8") if text is None else text
            root = compose(content)
        except OSError as error:
            raise Invalid([f"{path}:1: 无法读取 (cannot read): {error.strerror}"]) from None
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise Invalid([f"{path}:{line}: 不是 UTF-8 编码 (not utf-8); 请另存为 UTF-8"]) from None
        except ReaderError as error:
            line = content.count("\n", 0, error.position) + 1
            raise Invalid([f"{path}:{line}: 含有控制字符 (control character); 请删除"]) from None
        except MarkedYAMLError as error:
            raise Invalid([self._slip(content, error)]) from None
        reading = _Reading(path)
        self.node = {} if root is None else reading.value(root)
        self._lines = reading.lines
        if reading.errors:
            raise Invalid(reading.errors)
        if not isinstance(self.node, dict):
            raise Invalid([f"{path}:1: 文件顶层应为 '键: 值' (mapping expected)"])

    def _slip(self, content: str, error: MarkedYAMLError) -> str:
        """What is wrong, and how to mend it where a line at or before the mark has one of the usual slips."""
        lines, mark = content.split("\n"), self._mark(error)
        line = int(mark.rpartition(":")[2]) - 1
        for number in (line, line - 1):
            for pattern, cure in _SLIPS:
                if 0 <= number < len(lines) and re.match(pattern, lines[number]):
                    return f"{self.path}:{number + 1}: YAML 语法错误 (yaml syntax): {cure}"
        problem = error.problem or ""
        said = next((words for found, words in _FOUND if found in problem), problem)
        return f"{mark}: YAML 语法错误 (yaml syntax): {said}；请检查缩进、引号和冒号"

    def _mark(self, error: MarkedYAMLError) -> str:
        # A quote or bracket that is never closed is found at the end of the file, a key without its colon at the next
        # line; where either begins is what the author needs.
        begun = re.search("end of stream|stream end|expected ':'", error.problem or "")
        mark = error.context_mark if begun and error.context_mark else error.problem_mark
        return f"{self.path}:{mark.line + 1 if mark else 1}"

    def place(self, *loc: str | int) -> str:
        """``file:line`` of the value at ``loc``, or of the nearest thing around it."""
        node, line = self.node, 1
        for key in loc:
            lines = self._lines.get(id(node), {})
            if key not in lines:
                break
            node, line = node[key], lines[key]
        return f"{self.path}:{line}"

    def starts(self, *loc: str | int) -> Iterable[int]:
        """The first lines of everything that stands directly at ``loc``."""
        node: Any = self.node
        for key in loc:
            node = node[key]
        return self._lines.get(id(node), {}).values()

    def parse(self, kind: type[T], *loc: str | int) -> T:
        """The document, or the part at ``loc``, as ``kind``. Raises Invalid with every error in it."""
        part: Any = self.node
        for key in loc:
            part = part[key]
        try:
            return read(kind, part)
        except Wrong as found:
            raise Invalid([f"{self.place(*loc, *where)}: {words}" for where, words in found.errors]) from None
