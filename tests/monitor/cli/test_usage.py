"""What is said to who types a command wrongly."""

import re
import subprocess
import sys
from functools import reduce

import pytest
from rich.cells import cell_len

from monitor.cli import app
from tests.monitor.cli.shell import typed


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
def test_a_wrong_command_line_is_told_in_chinese_with_status_two(words, said):
    done = typed(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") <= 2


def _names(command, path=()):
    yield path
    for name, one in command.commands.items():
        yield from _names(one, (*path, name))


PAGES = [*_names(app)]


@pytest.mark.parametrize("names", PAGES, ids=" ".join)
def test_every_page_of_help_is_chinese(names):
    done = typed(*names, "--help")
    out = done.stdout
    assert done.returncode == 0
    assert "用法：" in out
    assert " ".join(names) in out
    assert "显示这一说明" in out
    said = "usage show message exit options arguments commands command args required default bool str path int float"
    assert not {*said.split()} & {*re.findall(r"(?<![\w$./-])[a-z]+(?![\w/.:-])", out.lower())}


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_every_page_of_help_fits_the_terminal_and_says_all(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    for names in PAGES:
        page = typed(*names, "--help").stdout
        assert max(map(cell_len, page.splitlines())) <= columns
        assert not re.search(r"^\s*[，。；：、）”\]]", page, re.MULTILINE)
        command = reduce(lambda group, name: group.commands[name], names, app)
        for one in (command, *command.parameters(), *command.commands.values()):
            assert "".join(one.meaning.split()) in "".join(page.split())


def test_a_help_page_marks_what_must_be_given_and_what_it_is_otherwise():
    out = typed("silence", "add", "--help").stdout
    assert "[必填]" in out
    assert "[缺省: yellow]" in out
    assert "<文字>" in out


def test_without_a_command_the_commands_are_listed():
    done = typed()
    assert done.returncode == 2
    assert "import-plan" in done.stderr
    assert "缺少命令 (missing command)" in done.stderr


def _status(*words):
    return subprocess.run([sys.executable, "-m", "monitor", *words], stdout=subprocess.DEVNULL).returncode


def test_a_command_that_ends_with_a_status_ends_the_process_with_it(tmp_path):
    (tmp_path / "a.txt").write_text("没有事项", encoding="utf-8")
    assert _status("import-plan", str(tmp_path / "a.txt")) == 1


def test_a_command_that_ends_well_ends_the_process_with_nothing():
    assert _status("schema") == 0


def test_a_reader_that_has_seen_enough_is_no_error():
    process = subprocess.Popen(
        [sys.executable, "-m", "monitor", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    assert process.communicate()[1] == ""
    assert process.returncode == 1


def test_a_command_that_is_interrupted_ends_without_a_word():
    code = (
        "import signal\nfrom monitor.cli import app, main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # who runs the tests may have it ignored
        "app.command('wait')(lambda: signal.raise_signal(signal.SIGINT))\nmain(['wait'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_the_targets_of_all_books_are_listed_where_none_is_named():
    listed = typed("targets").stdout
    assert "national-2025/gdp-growth" in listed
    assert "wansheng-2025/" in listed
