"""The command as a shell gets it, without a process of its own."""

from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from subprocess import CompletedProcess

from monitor.cli import main


def typed(*words: object) -> CompletedProcess[str]:
    """What ``duban`` with these words prints, and the status that it ends with."""
    status, out, err = 0, StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(word) for word in words])
        except SystemExit as left:
            status = left.code
    return CompletedProcess(["duban", *words], status, out.getvalue(), err.getvalue())
