"""What is said to who types a command wrongly."""

import gettext
import re
import sys

import pytest
import typer
from typer._click import Command, Context
from typer.core import _TyperParameter
from typer.main import get_command
from typer.testing import CliRunner

from monitor import cli


@pytest.fixture
def typed(monkeypatch, capsys):
    """Runs the command as the shell does: exit status, and what stands on stdout and stderr."""
    own = (
        (gettext, "dgettext"),
        (Context, "formatter_class"),
        (Command, "get_help_option"),
        (_TyperParameter, "display_type"),
    )
    for where, name in own:
        monkeypatch.setattr(where, name, getattr(where, name))  # put back afterwards, as what else a process forgets
    # Its headings are looked up as it is imported, which another test may have done.
    monkeypatch.delitem(sys.modules, "typer.rich_utils", raising=False)
    monkeypatch.delattr(typer, "rich_utils", raising=False)
    for part in cli.PARTS:
        monkeypatch.setattr(part, "registered_commands", part.registered_commands)
        monkeypatch.setattr(part, "registered_groups", part.registered_groups)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["duban", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return left.value.code or 0, said.out, said.err

    return run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["explain"], "缺少参数 target (missing argument)：目标，写作 册号/编号，如 national-2025/gdp-growth"),
        (["book", "export", "x.xlsx"], "缺少选项 --book (missing option)：册号"),
        (["check", "--strikt"], "没有选项 --strikt (no such option); 是否应为 '--strict'?"),
        (["chekc"], "没有命令 'chekc' (no such command); 是否应为 'check'?"),
        (["check", "a", "b"], "多余的参数 (a b) (extra argument)；含空格的请加引号"),
        (["check", "--junit"], "选项 --junit 之后缺少值 (missing value)"),
        (["check", "--json=3"], "选项 --json 不带值 (no value expected)"),
        (["rehearse", "b", "--budget", "five"], "--budget 的值不对 (bad value)：'five' 应为数"),
        (["import-plan", "x", "--year", "1900"], "--year 的值不对 (bad value)：'1900' 应不小于 2000"),
        (
            ["quarantine", "release", "9" * 20],
            f"number 的值不对 (bad value)：'{'9' * 20}' 应不大于 9223372036854775807",
        ),
        (
            ["book", "import", "x", "--since", "7月1日"],
            "--since 的值不对 (bad value)：'7月1日' 不是日期，应如 2025-09-30",
        ),
        (["deliveries", "--state", "lost"], "--state 应为 queued、sending、sent、dead、suppressed 之一"),
    ],
)
def test_a_wrong_command_line_is_told_in_chinese_with_status_two(typed, words, said):
    code, out, error = typed(*words)
    assert (code, out) == (2, "")
    assert error.startswith(said)
    assert error.count("\n") <= 2


def _names(group, path=()):
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from _names(command, (*path, name))


@pytest.mark.parametrize("names", [*_names(get_command(cli.app))], ids=" ".join)
def test_every_page_of_help_is_chinese(typed, names):
    code, out, _ = typed(*names, "--help")
    assert code == 0
    assert "用法：" in out
    assert " ".join(names) in out
    assert "显示这一说明" in out
    said = "usage show message exit options arguments commands command args required default bool str path int float"
    assert not {*said.split()} & {*re.findall(r"(?<![\w$./-])[a-z]+(?![\w/.:-])", out.lower())}


def test_a_help_page_marks_what_must_be_given_and_what_it_is_otherwise(typed):
    _, out, _ = typed("silence", "add", "--help")
    assert "[必填]" in out
    assert "[缺省: yellow]" in out
    assert "<文字>" in out


def test_without_a_command_the_commands_are_listed(typed):
    code, out, error = typed()
    assert code == 2
    assert "import-plan" in out + error


def test_a_command_that_ends_with_a_status_ends_the_process_with_it(typed, tmp_path):
    (tmp_path / "a.txt").write_text("没有事项", encoding="utf-8")
    assert typed("import-plan", str(tmp_path / "a.txt"))[0] == 1


def test_a_command_that_ends_well_ends_the_process_with_nothing(typed):
    assert typed("schema")[0] == 0


def test_the_targets_of_all_books_are_listed_where_none_is_named():
    listed = CliRunner().invoke(cli.app, ["targets"]).output
    assert "national-2025/gdp-growth" in listed
    assert "wansheng-2025/" in listed
