"""Messages that tell of no single alert: an exercise, the regular word of how the system itself is, many at once."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from alerts.alert import Cause, State
from alerts.notice import Notice
from rules.target import Level


class Bulletin(StrEnum):
    """What such a message is; the same word is stored, and names its template."""

    DRILL = "drill"
    HEARTBEAT = "heartbeat"
    DIGEST = "digest"

    @property
    def text(self) -> str:
        return {Bulletin.DRILL: "演练", Bulletin.HEARTBEAT: "运行报告", Bulletin.DIGEST: "汇总"}[self]


def bulletin(what: Bulletin, name: str, lines: Sequence[str], at: datetime, supervisor: str = "") -> Notice:
    """A message with the headline ``name`` and ``lines`` of the form 标签：值; ``at`` is in the readers' time zone."""
    when = at.isoformat()
    return Notice(
        kind=what,
        event=what,
        cause=Cause.ORDINARY,
        state=State.FIRING,
        level=Level.GREEN,
        previous_level=Level.GREEN,
        judged=Level.GREEN,
        since=when,
        at=when,
        name=name,
        supervisor=supervisor,
        lines=tuple(lines),
    )
