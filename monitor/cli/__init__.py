"""The command ``duban``. Heavy imports happen inside the commands, so that a small command stays quick."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from monitor.cli.alerting import alerting
from monitor.cli.author import author
from monitor.cli.command import Command, UsageError
from monitor.cli.daemon import daemon
from monitor.cli.figures import figures

app = Command("duban 督办：监测年度目标，及早告知责任单位，直至数据表明问题解决。")
for part in (daemon, figures, alerting, author):
    app.commands |= part.commands


def main(words: Sequence[str] | None = None) -> None:
    """Entry point: errors of users are words on stderr and exit status 1 (2 for the command line itself), never a traceback."""
    try:
        app(sys.argv[1:] if words is None else words, "duban")
        sys.stdout.flush()
    except UsageError as error:
        _fail(error, 2)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:  # who reads has seen enough, such as head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or what is left is complained of at the end
        raise SystemExit(1) from None
    except Exception as error:
        # Only now: both are slow to load, and small commands need none.
        from rules.document import Invalid

        if not isinstance(error, Invalid):
            from monitor.store.database import DatabaseError

            if not isinstance(error, DatabaseError):
                raise
        _fail(error, 1)


def _fail(error: Exception, status: int) -> NoReturn:
    print(error, file=sys.stderr)
    raise SystemExit(status)
