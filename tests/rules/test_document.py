"""A YAML text is read as YAML 1.2, every part with its line, by libyaml and without it alike."""

import random
import re
from pathlib import Path

import pytest
import yaml

from rules import document
from rules.document import Document, Invalid

BOOKS = Path(__file__).parents[2] / "rules" / "books"
FILES = sorted(BOOKS.glob("**/*.yaml"))


def read(text):
    return Document(Path("a.yaml"), text).node


def errors(text):
    with pytest.raises(Invalid) as refusal:
        read(text)
    return list(refusal.value.errors)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2025-13-01", "2025-13-01"),
        ("1_000", "1_000"),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("-3", -3),
        ("4.50", 4.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-.inf", float("-inf")),
        ("True", True),
        ("false", False),
        ("~", None),
        ("", None),
        ("=", "="),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("&a [1, 2]", [1, 2]),
    ],
)
def test_a_word_is_what_yaml_1_2_says(word, value):
    assert read(f"x: {word}\n") == {"x": value}


def test_an_alias_names_the_same_value_again_where_it_first_stood():
    found = Document(Path("a.yaml"), "a: &one\n  b: 1\nc: *one\n")
    assert found.node == {"a": {"b": 1}, "c": {"b": 1}}
    assert found.place("c", "b") == "a.yaml:2"


def test_an_alias_to_what_holds_it_does_no_harm():
    found = read("a: &one [*one]\n")["a"]
    assert found[0] is found


def test_every_part_has_its_line_or_that_of_what_is_around_it():
    found = Document(Path("a.yaml"), "# above\n2025-01: 1\nb:\n  - c: 1\n    d: [5,\n      6]\n  -\n    c: 2\n")
    places = [("2025-01",), ("b",), ("b", 0), ("b", 0, "d"), ("b", 0, "d", 1), ("b", 1), ("b", 1, "c"), ("b", 1, "x")]
    assert [int(found.place(*loc).partition(":")[2]) for loc in places] == [2, 3, 4, 5, 6, 8, 8, 8]
    assert list(found.starts("b")) == [4, 8]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2\na: 3\nb: 4\n", ["3: 键 'a' 重复 (duplicate key)", "4: 键 'b' 重复 (duplicate key)"]),
        ("a: {1: x, 1: y}\n", ["1: 键 '1' 重复"]),
        ("a: 1\n? [b]\n: 2\n", ["2: 键应为一个词 (bad key)"]),
        ("a: !!int 甲\n", ["1: 标签 tag:yaml.org,2002:int 不能这样用 (bad tag)"]),
        ("a: 1\nb: !secret c\n", ["2: 标签 !secret 不能这样用 (bad tag)"]),
        ("a: 1\nb: [1,\nc: 2\n", ["2: YAML 语法错误 (yaml syntax): 括号没有配对"]),
        ("a: *b\n", ["1: YAML 语法错误 (yaml syntax): 以 * 开头的值请加引号"]),
        ("a: 1\n---\nb: 2\n", ["2: YAML 语法错误 (yaml syntax): 一个文件只写一册的内容"]),
        ("甲: 文\x01字\n", ["1: 含有控制字符 (control character)"]),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text, told):
    found = errors(text)
    assert len(found) == len(told)
    assert all(error.startswith(f"a.yaml:{words}") for error, words in zip(found, told, strict=True)), found


def outcome(text):
    try:
        found = Document(Path("a.yaml"), text)
    except Invalid as refusal:
        return refusal.errors
    return repr(found.node), [found.place("targets", number, "goal") for number in range(3)]


def test_libyaml_reads_what_is_read_without_it(monkeypatch):
    assert issubclass(document._Quick, yaml.CBaseLoader)
    dice = random.Random("a slip")
    texts = [path.read_text("utf-8") for path in FILES]
    for text in [one for one in texts if len(one) < 2000 for _ in range(30)]:
        at = dice.randrange(len(text))
        texts.append(text[:at] + dice.choice([":", "\n", "  ", "- ", "'", "[", "}", "#", "&a "]) + text[at:])
    quick = [outcome(text) for text in texts]
    monkeypatch.setattr(document, "_Quick", document._Exact)
    assert [outcome(text) for text in texts] == quick
    assert sum(isinstance(one[0], str) and re.match(r"a\.yaml:\d+: YAML", one[0]) is not None for one in quick) > 20
