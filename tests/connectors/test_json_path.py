"""Paths into an answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.json_path import ABSENT, dig, json_path

TREE = {
    "data": [{"城镇": 1, "wds": [{"wdcode": "sj", "code": "202401"}, {"wdcode": "zb", "code": "A01"}]}],
    "none": None,
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", TREE),
        ("data.0.城镇", 1),
        ("data.0.wds.1.code", "A01"),
        ("data[0].wds[?wdcode=='zb'] | [0].code", "A01"),
        ("[data[0]]", [TREE["data"][0]]),
        ("none", None),
        ("data.1", ABSENT),
        ("data.x", ABSENT),
        ("nothing.at.all", ABSENT),
        ("length(none)", ABSENT),
        ("data[9]", None),
    ],
)
def test_what_stands_at_a_path(path, found):
    assert dig(TREE, path) == found


@pytest.mark.parametrize("path", ["data[", "a b", "wds[?x=zb]", "a..b", "."])
def test_what_is_no_path_is_told(path):
    with pytest.raises(ValueError, match="看不懂路径"):
        dig(TREE, path)


@given(st.text(max_size=30))
def test_any_text_is_a_path_or_a_value_error(path):
    said = ""
    try:
        dig(TREE, path)
    except ValueError as error:
        said = str(error)
    assert said == "" or "看不懂路径" in said


def test_a_path_is_shown_as_jsonpath():
    assert json_path("data.1.rows") == "$.data[1].rows"
    assert json_path("[data]") == "$[data]"
    assert json_path("") == "$"
