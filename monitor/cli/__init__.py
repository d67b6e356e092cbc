"""The command ``duban``. Heavy imports happen inside the commands, so that a small command stays quick."""

import logging
import os
import sys

import typer
from typer._click import exceptions as wrong
from typer.models import CommandInfo

from monitor.cli.alerting import alerting
from monitor.cli.author import author
from monitor.cli.daemon import daemon
from monitor.cli.figures import figures
from monitor.cli.usage import translate, words

app = typer.Typer(
    help="duban 督办：监测年度目标，及早告知责任单位，直至数据表明问题解决。",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
PARTS = (daemon, figures, alerting, author)
for part in PARTS:
    app.add_typer(part)


def main() -> None:
    """Entry point: errors of users are words on stderr and exit status 1 (2 for the command line itself), never a traceback."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr
    )
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # or it asks every package that is installed
    translate()
    _keep(sys.argv[1] if len(sys.argv) > 1 else "")
    try:
        code = app(standalone_mode=False)
    except wrong.NoArgsIsHelpError as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except wrong.UsageError as error:
        print(words(error), file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except Exception as error:
        # Only now: both are slow to load, and small commands need none.
        from rules.document import Invalid

        if not isinstance(error, Invalid):
            from monitor.store.database import DatabaseError

            if not isinstance(error, DatabaseError):
                raise
        _fail(str(error))
    raise SystemExit(code)


def _keep(name: str) -> None:
    """Forgets all commands but the one of this name, if there is one: building them all takes longer than most run."""
    commands = {part: [one for one in part.registered_commands if _name(one) == name] for part in PARTS}
    groups = {part: [one for one in part.registered_groups if one.name == name] for part in PARTS}
    if any((*commands.values(), *groups.values())):
        for part in PARTS:
            part.registered_commands, part.registered_groups = commands[part], groups[part]


def _name(command: CommandInfo) -> str:
    assert command.callback is not None
    return command.name or command.callback.__name__


def _fail(words: str) -> None:
    print(words, file=sys.stderr)
    raise SystemExit(1)
