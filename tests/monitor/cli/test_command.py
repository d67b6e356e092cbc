"""What words mean to the function that they call."""

from datetime import date
from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.cli.command import Argument, Command, Option, UsageError

WORDS = st.text(st.characters(exclude_categories=["Cs"]))


def meant(*words):
    """What the function of a command is given by the words."""
    seen = {}
    commands = Command()

    @commands.command()
    def go(
        first: Annotated[str, Argument("首项")],
        files: Annotated[list[Path] | None, Argument("文件")] = None,
        why: Annotated[str, Option("--why", "缘由")] = "",
        limits: Annotated[list[int] | None, Option("--limit", "上限", least=1, most=9)] = None,
        since: Annotated[date | None, Option("--since", "自何日起")] = None,
        share: Annotated[float, Option("--share", "比重")] = 0.5,
        fast: Annotated[bool, Option("--fast", "从速")] = False,
    ) -> None:
        seen.update(locals())
        del seen["seen"]

    commands(["go", *words], "duban")
    return seen


def test_what_is_not_given_is_what_the_signature_says():
    assert meant("a") == {
        "first": "a", "files": None, "why": "", "limits": None, "since": None, "share": 0.5, "fast": False
    }  # fmt: skip


def test_words_are_read_as_their_types_wherever_the_options_stand():
    seen = meant("--limit", "3", "a", "--fast", "b", "--since=2025-09-30", "--limit=1", "c", "--share", "-1")
    assert seen["files"] == [Path("b"), Path("c")]
    assert (seen["limits"], seen["since"], seen["share"], seen["fast"]) == ([3, 1], date(2025, 9, 30), -1, True)


@given(WORDS, WORDS, st.lists(WORDS))
def test_any_text_is_taken_as_it_is_after_an_equals_sign_and_after_two_dashes(why, first, files):
    seen = meant(f"--why={why}", "--", first, *files)
    assert (seen["why"], seen["first"], seen["files"]) == (why, first, [Path(one) for one in files] or None)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a", "--why", "--fast"], "选项 --why 之后缺少值"),
        (["a", "--limit", "10"], "应不大于 9"),
        (["a", "--limit=0"], "应不小于 1"),
        (["a", "--limit", "1.5"], "'1.5' 应为整数"),
        (["a", "--fas"], "没有选项 --fas (no such option); 是否应为 '--fast'?"),
        (["--fast"], "缺少参数 first (missing argument)：首项"),
    ],
)
def test_words_that_mean_nothing_are_refused_with_the_place_where_to_read_more(words, said):
    with pytest.raises(UsageError) as refusal:
        meant(*words)
    assert said in str(refusal.value)
    assert str(refusal.value).endswith("\n用法见 duban go --help")
