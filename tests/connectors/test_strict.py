"""What is written becomes a Struct by its annotations, or every error is told with its place."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, field
from msgspec.structs import replace

from connectors.base import Options
from connectors.strict import Before, Names, Phrase, Strict, Wrong, near, read


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def _even(value):
    if value % 2:
        raise ValueError(f"{value} 不是偶数 (odd)")
    return value


class Leaf(Strict):
    size: Annotated[int, Meta(ge=1, le=9)]
    not_before: float = field(default=0.0, name="not before")
    colour: Colour | None = None


class Tree(Strict):
    id: Annotated[str, Meta(pattern="^[a-z]+$", description="应为小写字母")]
    leaf: Leaf = Leaf(size=1)
    leaves: tuple[Leaf, ...] = ()
    by_colour: dict[Colour, Leaf] = {}
    names: Names = ()
    root: Annotated[Leaf, Before(lambda it: {"size": it} if isinstance(it, int) else it, int | Leaf)] | None = None
    day: Annotated[tuple[str, ...], Phrase(lambda text: tuple(text.split("-")))] | None = None
    pair: Annotated[int, _even] = 0
    either: str | int | float | None = None
    kind: Literal["oak", "elm"] = "oak"
    alive: bool = True
    file: Path | None = None
    zone: ZoneInfo = ZoneInfo("UTC")
    words: Annotated[list[str], Meta(min_length=1)] = field(default_factory=lambda: ["-"])

    def __post_init__(self):
        if self.kind == "elm" and not self.alive:
            raise ValueError("榆树须活 (dead elm)")


class Open(Strict):
    kind: str
    rest: dict[str, Any] = field(default_factory=dict, name="")


def errors(**written):
    with pytest.raises(Wrong) as told:
        read(Tree, {"id": "a", **written})
    return [(".".join(map(str, loc)), words) for loc, words in told.value.errors]


@pytest.mark.parametrize(
    ("written", "name", "value"),
    [
        ({"leaf": {"size": 2, "not before": 1}}, "leaf", Leaf(size=2, not_before=1.0)),
        ({"leaves": [{"size": 1}, {"size": 2, "colour": "red"}]}, "leaves", (Leaf(size=1), Leaf(size=2, colour="red"))),
        ({"by_colour": {"blue": {"size": 3}}}, "by_colour", {Colour.BLUE: Leaf(size=3)}),
        ({"names": "甲"}, "names", ("甲",)),
        ({"names": ["甲", "乙"]}, "names", ("甲", "乙")),
        ({"root": 5}, "root", Leaf(size=5)),
        ({"root": {"size": 5}}, "root", Leaf(size=5)),
        ({"root": None}, "root", None),
        ({"day": "2025-01"}, "day", ("2025", "01")),
        ({"either": "5"}, "either", "5"),
        ({"either": 5}, "either", 5),
        ({"either": 0.5}, "either", 0.5),
        ({"alive": False}, "alive", False),
        ({"file": "a/b"}, "file", Path("a/b")),
        ({"zone": "Asia/Shanghai"}, "zone", ZoneInfo("Asia/Shanghai")),
    ],
)
def test_a_value_is_what_its_annotation_says(written, name, value):
    found = getattr(read(Tree, {"id": "a", **written}), name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [("-8", "pair", -8), ("true", "alive", True), ("Off", "alive", False), ("0", "alive", False)],
)
def test_numbers_and_truths_may_be_texts_as_the_environment_has_them(text, name, value):
    assert getattr(read(Tree, {"id": "a", name: text}), name) == value


@pytest.mark.parametrize(
    ("written", "place", "words"),
    [
        ({"id": "A1"}, "id", "id: 'A1' 写法不对 (bad pattern); 应为小写字母"),
        ({"id": 5}, "id", "id: 应为文字 (not a text)；纯数字的请加引号"),
        ({"id": None}, "id", "id: 没有写值 (missing value)；请写明，或删去这一键"),
        ({"leaf": {}}, "leaf.size", "缺少必填项 'size' (missing key)"),
        ({"leaf": []}, "leaf", "leaf: 应为“键: 值” (not a mapping)"),
        ({"leaf": {"size": 0}}, "leaf.size", "size: 值 0 应不小于 1 (out of bounds)"),
        ({"leaf": {"size": "ten"}}, "leaf.size", "size: 值 'ten' 应为整数 (not an integer)"),
        ({"leaf": {"size": 1.0}}, "leaf.size", "size: 值 1.0 应为整数 (not an integer)"),
        ({"leaf": {"size": True}}, "leaf.size", "size: 值 True 应为整数 (not an integer)"),
        ({"leaf": {"size": 1, "not before": "x"}}, "leaf.not before", "not before: 值 'x' 应为数 (not a number)"),
        (
            {"leaf": {"size": 1, "colour": "rot"}},
            "leaf.colour",
            "colour: 不认识 'rot' (unknown value); 可用: 'red', 'blue'",
        ),
        ({"leaves": {}}, "leaves", "leaves: 应为列表 (not a list)"),
        ({"leaves": [{"size": 1}, 2]}, "leaves.1", "leaves: 应为“键: 值” (not a mapping)"),
        ({"leaves": [{"size": 10}]}, "leaves.0.size", "size: 值 10 应不大于 9 (out of bounds)"),
        (
            {"by_colour": {"rot": {"size": 1}}},
            "by_colour.rot",
            "rot: 不认识 'rot' (unknown value); 可用: 'red', 'blue'",
        ),
        ({"names": 5}, "names", "names: 应为文字或列表 (not a list)"),
        ({"names": ["甲", 5]}, "names.1", "names: 应为文字 (not a text)；纯数字的请加引号"),
        ({"day": 2025}, "day", "day: 应为一句文字，而不是 2025 (not a text)"),
        ({"pair": 7}, "pair", "pair: 7 不是偶数 (odd)"),
        ({"either": []}, "either", "either: 应为数 (not a number)"),
        ({"kind": ["oak"]}, "kind", "kind: 不认识 '['oak']' (unknown value); 可用: 'oak', 'elm'"),
        ({"alive": "dead"}, "alive", "alive: 值 'dead' 应为 true 或 false (not a truth)"),
        ({"zone": "Mars"}, "zone", "zone: 未知的时区 'Mars', 应如 Asia/Shanghai"),
        ({"words": []}, "words", "words: 值 [] 长度应不小于 1 (out of bounds)"),
        ({"kind": "elm", "alive": False}, "", "榆树须活 (dead elm)"),
        ({"leeves": []}, "leeves", "未知的键 'leeves' (unknown key); 是否应为 'leaves'?"),
        ({"xyz": 1}, "xyz", "未知的键 'xyz' (unknown key)"),
        ({"size": 1}, "size", "键 'size' 不能写在此处 (unknown key)；请检查缩进和括号，含逗号的值请加引号"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_its_cure(written, place, words):
    assert errors(**written) == [(place, words)]


def test_everything_that_is_wrong_is_told_at_once():
    found = errors(id="A", leaf={"size": 0, "age": 1}, leaves=[{}, {"size": "x"}], by_colour={"rot": {"size": 0}})
    places = ["id", "leaf.size", "leaf.age", "leaves.0.size", "leaves.1.size", "by_colour.rot", "by_colour.rot.size"]
    assert [place for place, _ in found] == places


def test_keys_that_no_field_has_are_kept_where_one_field_takes_the_rest():
    assert read(Open, {"kind": "a", "rest": 1, "x": [2]}).rest == {"rest": 1, "x": [2]}
    assert read(Open, {"kind": "a"}).rest == {}


def test_what_is_not_written_is_not_shared():
    first, second = read(Tree, {"id": "a"}), read(Tree, {"id": "b"})
    first.words.append("x")
    assert second.words == ["-"]


def test_a_field_without_a_default_may_follow_one_with_it():
    class Later(Leaf):
        name: str

    assert read(Later, {"size": 1, "name": "a"}) == Later(size=1, name="a")
    with pytest.raises(AttributeError):
        Later(size=1, name="a").name = "b"
    with pytest.raises(ValueError, match="dead elm"):
        replace(Tree(id="a", kind="elm"), alive=False)


def test_no_option_is_shown():
    class Hidden(Options):
        url: str
        query: dict[str, str | int] = {}

    assert "s3cret" not in repr(read(Hidden, {"url": "s3cret", "query": {"key": "s3cret"}}))
    with pytest.raises(Wrong) as told:
        read(Hidden, {"url": ["s3cret"], "query": {"key": ["s3cret"]}})
    assert len(told.value.errors) == 2
    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize(("name", "cure"), [("grwoth", "; 是否应为 'growth'?"), ("xyz", "")])
def test_the_name_that_is_most_like_is_offered(name, cure):
    assert near(name, ["growth", "level"]) == cure


KEYS = st.sampled_from([*Tree.__struct_encode_fields__, *Leaf.__struct_encode_fields__, *Colour, "x"])
TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 12)
    | st.floats()
    | st.sampled_from(["a", "red", "1", "elm", "", "UTC"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, TREES, max_size=8))
def test_whatever_is_written_is_read_or_refused_at_a_place_that_is_there(written):
    try:
        found = read(Tree, written)
    except Wrong as wrong:
        for loc, words in wrong.errors:
            assert words
            at: Any = written
            for number, key in enumerate(loc):
                if not isinstance(at, dict | list):  # written in short
                    break
                there = at if isinstance(at, dict) else range(len(at))
                assert key in there or ("missing key" in words and number == len(loc) - 1)
                at = at[key] if key in there else None
    else:
        assert isinstance(found, Tree)
