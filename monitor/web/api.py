"""The state as JSON, in the words of ``duban targets --json``."""

from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.snapshot import OpenAlert, Snapshot
from monitor.web.rows import Span, spans
from rules.verdict import Verdict


def targets(snapshot: Snapshot, book: str | None, level: int | None, offset: int, limit: int) -> dict[str, Any]:
    """One object per target and subject: ``limit`` of them from ``offset`` on, and how many there are in ``total``."""
    found = [span for one in snapshot.books if book in (None, one.id) for span in spans(snapshot, one)]
    chosen = [(span, _rows(span, level)) for span in found]
    rows = ((span, int(row)) for span, mine in chosen for row in mine)
    return {
        "at": snapshot.at.isoformat(),
        "total": sum(len(mine) for _, mine in chosen),
        "targets": [_target(span.verdict(row)) for span, row in islice(rows, offset, offset + limit)],
    }


def alerts(snapshot: Snapshot) -> dict[str, Any]:
    """Every open alert."""
    return {"at": snapshot.at.isoformat(), "alerts": [_alert(item) for item in snapshot.alerts]}


def _rows(span: Span, level: int | None) -> NDArray[np.int64]:
    if level is None:
        return np.arange(span.start, span.stop)
    return span.start + np.flatnonzero(span.levels == level)


def _target(verdict: Verdict) -> dict[str, Any]:
    target = verdict.target
    return {
        "book": target.book,
        "item": target.item,
        "id": target.id,
        "name": target.name,
        "subject": verdict.subject,
        "lead": target.lead,
        "responsible": target.responsible,
        "op": target.goal.op,
        "value": verdict.goal,
        "unit": target.goal.unit,
        "measure": target.measure,
        "level": verdict.level,
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "period": verdict.period and verdict.period.isoformat(),
        "status": verdict.status,
        "nil": verdict.nil and verdict.nil.isoformat(),
        "actual": verdict.actual,
        "expected": verdict.expected,
        "shortfall": verdict.shortfall,
        "probability": verdict.probability,
        "low": verdict.low,
        "high": verdict.high,
    }


def _alert(item: OpenAlert) -> dict[str, Any]:
    alert, notice = item.alert, item.notice
    return {
        **alert.identity._asdict(),
        "name": notice.name,
        "lead": notice.lead,
        "state": alert.state,
        "level": alert.level,
        "reason": notice.reason,
        "period": notice.period,
        "status": notice.status,
        "actual": notice.actual,
        "expected": notice.expected,
        "shortfall": notice.shortfall,
        "unit": notice.unit,
        "since": alert.since.isoformat(),
        "changed": alert.changed.isoformat(),
    }
