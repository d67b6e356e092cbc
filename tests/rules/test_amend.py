"""Single values of a YAML text are changed; every other character stays."""

import copy
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rules.amend import END, amend, written
from rules.document import Document

BOOKS = Path(__file__).parents[2] / "rules" / "books"
ORDER = ("id", "name", "lead", "goal", "levels", "changes", "yellow", "red", "clear")
TEXT = """\
# above
targets:

  # ── one ──

  - id: a     # the first
    goal: at least 5 %   # as promised
    levels: {yellow: behind 5%, red: behind 15% for 2}   # half a point is much

  # before b
  - id: b
    lead:
      - 甲局
      - 乙局   # second
    goal: "at least 5 %"
    levels:
      yellow: behind 5%     # tail
      # a remark
      red: behind 15%

  # after b
every: month
"""


def plain(text):
    return Document(Path("book.yaml"), text).node


def changed(edits, text=TEXT):
    """The lines that go and those that come."""
    old, new = text.splitlines(), amend(text, edits, ORDER).splitlines()
    return [line for line in old if line not in new], [line for line in new if line not in old]


def test_no_edit_changes_nothing():
    assert amend(TEXT, {}) == TEXT
    assert amend(TEXT, {"targets": {0: {}, 1: {"levels": {}}}}) == TEXT


def test_a_value_is_replaced_and_its_comment_stays():
    assert changed({"targets": {0: {"goal": "at least 6 %"}}}) == (
        ["    goal: at least 5 %   # as promised"],
        ["    goal: at least 6 %   # as promised"],
    )
    assert changed({"targets": {1: {"levels": {"yellow": "behind 3%"}}}})[1] == ["      yellow: behind 3%     # tail"]


def test_a_new_key_stands_in_order():
    text = amend(TEXT, {"targets": {0: {"lead": "甲局、乙局"}, 1: {"levels": {"clear": "behind 3%"}}}}, ORDER)
    assert "  - id: a     # the first\n    lead: 甲局、乙局\n    goal: at least 5 %" in text
    assert "      red: behind 15%\n      clear: behind 3%\n\n  # after b\n" in text
    flow = amend(TEXT, {"targets": {0: {"levels": {"clear": "behind 3%"}}}}, ORDER)
    assert "red: behind 15% for 2, clear: behind 3%}   # half" in flow


def test_a_key_goes_with_its_line_or_its_comma():
    assert changed({"targets": {1: {"lead": None}}}) == (["    lead:", "      - 甲局", "      - 乙局   # second"], [])
    assert "levels: {red: behind 15% for 2}   # half" in amend(TEXT, {"targets": {0: {"levels": {"yellow": None}}}})
    assert "levels: {yellow: behind 5%}   # half" in amend(TEXT, {"targets": {0: {"levels": {"red": None}}}})


def test_a_mapping_of_which_nothing_stays_goes_whole():
    gone = {"yellow": None, "red": None}
    assert changed({"targets": {0: {"levels": gone}}}) == ([TEXT.splitlines()[7]], [])
    assert "levels: {clear: behind 1%}   # half" in amend(
        TEXT, {"targets": {0: {"levels": {**gone, "clear": "behind 1%"}}}}
    )


def test_an_entry_of_a_list_goes_and_comments_around_it_stay():
    text = amend(TEXT, {"targets": {0: None}})
    assert plain(text)["targets"] == plain(TEXT)["targets"][1:]
    assert "  # ── one ──\n\n  # before b\n" in text
    assert plain(amend(TEXT, {"targets": {1: None}}))["targets"] == plain(TEXT)["targets"][:1]


def test_entries_are_added_below_the_last():
    new = {"id": "c", "goal": "at least 1 家", "levels": {"yellow": ["behind 5%", "below 3 家"]}}
    text = amend(TEXT, {"targets": {END: [new, {"id": "d"}], 1: {"changes": {END: [{"from": "2025-07-01"}]}}}}, ORDER)
    assert plain(text)["targets"][2:] == [new, {"id": "d"}]
    assert (
        "      red: behind 15%\n    changes:\n      - from: 2025-07-01\n\n  - id: c\n    goal: at least 1 家\n" in text
    )


def test_a_text_of_one_line_and_one_without_a_last_line_end_can_be_amended():
    assert (
        amend("{a: [{b: 1}], c: 2}", {"a": {0: {"b": "x: y"}, END: [{"b": 3}]}, "c": None})
        == '{a: [{b: "x: y"}, {b: 3}]}'
    )
    assert amend("a: 1", {"b": "x"}) == "a: 1\nb: x"
    assert amend("", {"b": {END: [{"c": "x"}]}}) == "b:\n  - c: x\n"
    assert amend("a:\nb: 1\n", {"a": "x"}) == "a: x\nb: 1\n"


def test_line_ends_stay_as_they_are():
    text = TEXT.replace("\n", "\r\n")
    edits = {"targets": {0: {"lead": "甲局", "goal": "x"}, END: [{"id": "c"}]}}
    assert amend(text, edits, ORDER) == amend(TEXT, edits, ORDER).replace("\n", "\r\n")


def test_what_stands_elsewhere_is_refused():
    with pytest.raises(ValueError, match="alias"):
        amend("a: &x behind 5%\nb: *x\n", {"b": "behind 3%"})
    assert amend("a: &x 1\nb: *x\n", {"c": 2}) == "a: &x 1\nb: *x\nc: 2\n"


WORDS = st.text("ab:#-{}[],&*!|>'\"%@` 局、5?=~\n", max_size=12).map(str.strip)
VALUES = st.one_of(WORDS, st.integers(0, 9), st.lists(WORDS, min_size=1, max_size=3))


@given(VALUES)
@example("]#")
def test_any_value_is_read_as_it_was_written(value):
    assert plain(f"x: {written(value)}") == {"x": value}
    assert plain(f"x: [{written(value, flow=True)}, 1]") == {"x": [value, 1]}


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_real_book_means_what_the_edits_say_and_keeps_its_comments(data):
    path = BOOKS / "wansheng-2025" / "targets.yaml"
    text = path.read_text("utf-8")
    start = data.draw(st.integers(0, 70))
    # A few targets are enough, and quick to read.
    head, *targets = text.split("\n  - id:")
    text = head + "".join("\n  - id:" + one for one in targets[start : start + 5])
    before = plain(text)
    after, edits = copy.deepcopy(before), {}
    for number, target in enumerate(before["targets"]):
        for key in data.draw(st.sets(st.sampled_from(["goal", "lead", "published", "clear"]), max_size=3)):
            value = data.draw(VALUES)
            edits.setdefault(number, {})[key] = value
            after["targets"][number][key] = value
        for key in data.draw(st.sets(st.sampled_from(sorted(target.keys() - {"id"})), max_size=3)):
            edits.setdefault(number, {})[key] = None
            after["targets"][number].pop(key, None)
    new = amend(text, {"targets": edits}, ORDER)
    assert plain(new) == after
    own = [line for line in text.splitlines() if line.strip().startswith("#")]
    assert [line for line in new.splitlines() if line.strip().startswith("#")] == own
