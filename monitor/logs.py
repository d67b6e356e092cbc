"""The log: one line an event, led by ``action=``, as text or as JSON. Secrets never come near it."""

import json
import logging
import re
import sys
from datetime import datetime

from monitor.config import Log

_NAMED = re.compile(r"(?:(?<!\S)(\w+)=)?%[sdr]")
_ACTION = re.compile(r"action=(\S+)")


def setup(form: Log) -> None:
    """Write the log of the daemon to stderr; of libraries, only what is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json() if form is Log.JSON else _TEXT)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("monitor").setLevel(logging.INFO)


class Json(logging.Formatter):
    """One object a line: ``time`` (ISO 8601 with offset), ``level``, ``logger``, ``action``, ``message``.

    Every ``name=%s`` of the event stands there by its name too, and ``exception`` where there is one.
    """

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        action = _ACTION.match(message)
        told = {
            "time": datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            **({"action": action[1]} if action else {}),
            **_fields(record),
            "message": message,
            **({"exception": self.formatException(record.exc_info)} if record.exc_info else {}),
        }
        return json.dumps(told, ensure_ascii=False, default=str)


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """The arguments of an event that it names; numbers stay numbers."""
    values = record.args if isinstance(record.args, tuple) else ()
    named = zip(_NAMED.findall(str(record.msg)), values, strict=False)
    return {name: value if isinstance(value, int | float) else str(value) for name, value in named if name}


_TEXT = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")
