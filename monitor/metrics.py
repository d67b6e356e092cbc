"""What Prometheus sees.

Two kinds of figures. What the daemon *did* (pulls, cycles, attempts) is counted
in ``Meters`` as it happens. What *is* (targets, alerts, sources) is written anew
from the Snapshot at each scrape, so that what vanished from the books vanishes
here. A figure that is not known has no line; it is never written as 0.

Targets may number 430,000, so their lines are formatted from the columns, a
target's subjects at a time, without an object per sample.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from alerts.alert import State
from alerts.delivery import Status
from monitor.snapshot import Judged, Snapshot, SourceHealth
from rules.calendar import PUBLISHED
from rules.expectation import Floats
from rules.plan import Block
from rules.target import PROGRESS, Book, Level, Target

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BATCH = 1 << 17  # bytes handed out at a time, at least
_FORM = b"%.14g"
"""Shortest form of every decimal of up to 14 digits; twice as fast as repr, and 3750.0000000000005 reads 3750."""
_PULL_BUCKETS = (0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0, 60.0, 300.0)
_CYCLE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Meters:
    """Counters and histograms that the daemon moves, on a registry of its own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry() if registry is None else registry
        self.pulls = Counter(
            "duban_pulls", "Pulls by outcome: ok, or the reason of failure.", ["source", "outcome"],
            registry=self.registry,
        )  # fmt: skip
        self.refused = Counter(
            "duban_pull_refused", "Refused figures by reason, anew at each pull that states them.", ["source", "reason"],
            registry=self.registry,
        )  # fmt: skip
        self.pull_seconds = Histogram(
            "duban_pull_duration_seconds", "Time a pull took, storing included.", ["source"], buckets=_PULL_BUCKETS,
            registry=self.registry,
        )  # fmt: skip
        self.attempts = Counter(
            "duban_delivery_attempts", "Attempts to deliver a message, by result.", ["channel", "result"],
            registry=self.registry,
        )  # fmt: skip
        self.cycles = Counter("duban_cycles", "Judging cycles by outcome.", ["outcome"], registry=self.registry)
        self.cycle_seconds = Histogram(
            "duban_cycle_duration_seconds", "Time a judging cycle took.", buckets=_CYCLE_BUCKETS, registry=self.registry
        )
        self.changes = Counter(
            "duban_alert_changes", "Changes of alerts, by what happened and why.", ["event", "cause"],
            registry=self.registry,
        )  # fmt: skip
        self.job_events = Counter(
            "duban_job_events", "Scheduled jobs that failed, were missed, or were still running.", ["job", "event"],
            registry=self.registry,
        )  # fmt: skip
        self.leading = Gauge("duban_leading", "1 if this process leads, 0 if it stands by.", registry=self.registry)
        Info("duban_build", "Version of the running daemon.", registry=self.registry).info({"version": _version()})


def chunks(snapshot: Snapshot | None, meters: Meters) -> Iterator[bytes]:
    """The exposition in pieces, for a country's does not fit comfortably in memory."""
    if snapshot is not None:
        yield from _batches(_targets(snapshot))
        yield generate_latest(_State(snapshot))
    yield generate_latest(meters.registry)


def escape(value: str) -> bytes:
    """A label value as it stands between the quotes."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return escaped.encode("utf-8", errors="replace")


Column: TypeAlias = Callable[[Snapshot, Judged], NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class _Family:
    name: str
    help: str
    column: Column


def _pace_ratio(_: Snapshot, judged: Judged) -> Floats:
    """Actual to expected where the measure is progress along a plan, NaN elsewhere."""
    block, found = judged.panel.block, judged.verdicts
    progress = np.repeat([target.measure in PROGRESS for target in block.targets], np.diff(block.first_row))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(progress, found.actual / found.expected, np.nan)


def _goal(_: Snapshot, judged: Judged) -> Floats:
    return judged.panel.goals(slice(0, judged.panel.block.rows), judged.verdicts.slot)


def _data_age(snapshot: Snapshot, judged: Judged) -> Floats:
    known = judged.panel.known_at
    now = np.datetime64(snapshot.at.astimezone(UTC).replace(tzinfo=None), "s")
    return np.where(np.isnat(known), np.nan, (now - known).astype(np.int64).astype(np.float64))


_FAMILIES = (
    _Family("duban_target_actual", "Latest published figure, in the target's unit.", lambda _, j: j.verdicts.actual),
    _Family(
        "duban_target_expected",
        "What was expected at the end of the figure's own period, in the target's unit.",
        lambda _, j: j.verdicts.expected,
    ),
    _Family("duban_target_goal", "Goal in force for the figure's own period, in the target's unit.", _goal),
    _Family(
        "duban_target_probability_ratio",
        "Chance of meeting the goal, from this year's figures and earlier years'; only where there are enough of them.",
        lambda _, j: j.verdicts.probability,
    ),
    _Family(
        "duban_target_landing_low", "Lower end of the interval that holds the year's end with 80 %, in the target's unit.",
        lambda _, j: j.panel.landings.low,
    ),
    _Family(
        "duban_target_landing_high", "Upper end of the interval that holds the year's end with 80 %, in the target's unit.",
        lambda _, j: j.panel.landings.high,
    ),
    _Family("duban_target_pace_ratio", "Actual to expected; only for progress along a plan.", _pace_ratio),
    _Family(
        "duban_target_level", "0 green, 1 yellow, 2 red, -1 not judged (which is not green).",
        lambda _, j: j.verdicts.level,
    ),
    _Family("duban_target_data_age_seconds", "Time since the latest figure became known.", _data_age),
)  # fmt: skip
_INFO = _Family(
    "duban_target_info",
    "What a target is; join on book, target, subject.",
    lambda _, j: np.ones(j.panel.block.rows, dtype=np.int8),
)


@dataclass(frozen=True, slots=True)
class _Labels:
    """Label sets of a block in two halves: per target up to the subject's opening quote, per subject the rest.

    Both are halves of a ``bytes %`` template: a percent sign in a name is doubled.
    """

    heads: list[bytes]
    info_heads: list[bytes]
    tails: list[list[bytes]]


def _labels(block: Block, books: Iterable[Book]) -> _Labels:
    sections = {(book.id, item.item): item.section for book in books for item in book.items}
    tails: dict[int, list[bytes]] = {}
    for names in block.subjects:
        if id(names) not in tails:
            tails[id(names)] = [_template(name) + b'"} ' + _FORM + b"\n" for name in names]
    return _Labels(
        heads=[_head({"book": t.book, "target": t.id}) for t in block.targets],
        info_heads=[_head(_described(t, sections.get((t.book, t.item or 0), ""))) for t in block.targets],
        tails=[tails[id(names)] for names in block.subjects],
    )


def _described(target: Target, section: str) -> dict[str, str]:
    return {
        "book": target.book,
        "target": target.id,
        "name": target.name,
        "item": "" if target.item is None else str(target.item),
        "section": section,
        "lead": "、".join(target.lead),
        "unit": target.goal.unit,
        "measure": target.measure,
    }


def _head(labels: dict[str, str]) -> bytes:
    return (
        b"{"
        + b"".join(b'%s="%s",' % (name.encode(), _template(value)) for name, value in labels.items())
        + b'subject="'
    )


def _template(value: str) -> bytes:
    return escape(value).replace(b"%", b"%%")


def _targets(snapshot: Snapshot) -> Iterator[bytes]:
    labels = [_labels(judged.panel.block, snapshot.books) for judged in snapshot.judged]
    for family in (*_FAMILIES, _INFO):
        yield f"# HELP {family.name} {family.help}\n# TYPE {family.name} gauge\n".encode()
        for judged, halves in zip(snapshot.judged, labels, strict=True):
            heads = halves.info_heads if family is _INFO else halves.heads
            first_row = judged.panel.block.first_row
            yield from _lines(family.name.encode(), heads, halves.tails, first_row, family.column(snapshot, judged))


def _lines(
    name: bytes, heads: list[bytes], tails: list[list[bytes]], first_row: NDArray[np.int64], column: NDArray[np.generic]
) -> Iterator[bytes]:
    """The known figures of a column, one target's subjects at a time."""
    known = np.isfinite(column)
    for index, (labels, mine) in enumerate(zip(heads, tails, strict=True)):
        rows = slice(first_row[index], first_row[index + 1])
        here = np.flatnonzero(known[rows])
        if not len(here):
            continue
        lines = mine if len(here) == len(mine) else [mine[i] for i in here]
        head = name + labels
        yield (head + head.join(lines)) % tuple(column[rows][here].tolist())


def _batches(pieces: Iterable[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _BATCH:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)


@dataclass(frozen=True, slots=True)
class _State(Collector):
    """Alerts, sources, outbox and configuration of one snapshot."""

    snapshot: Snapshot

    def collect(self) -> Iterator[Metric]:
        snapshot = self.snapshot
        yield _alerts(snapshot)
        yield from _sources(snapshot.sources)
        deliveries = GaugeMetricFamily("duban_deliveries", "Messages in the outbox by status.", labels=["status"])
        for status in Status:
            deliveries.add_metric([status], snapshot.deliveries.get(status, 0))
        yield deliveries
        up = GaugeMetricFamily(
            "duban_delivery_up", "1 for a channel at work, 0 while it rests after failures.", labels=["channel"]
        )
        for channel, reason in snapshot.resting.items():
            up.add_metric([channel], not reason)
        yield up
        if snapshot.heartbeat is not None:
            yield GaugeMetricFamily(
                "duban_heartbeat_last_timestamp_seconds",
                "When a scheduled report on the system last arrived at a supervising office.",
                value=snapshot.heartbeat.timestamp(),
            )
        for name, text, value in (
            ("duban_cycle_last_timestamp_seconds", "The daemon's clock in the last cycle.", snapshot.at.timestamp()),
            ("duban_rehearsing", "1 while the daemon's clock is not the real one.", snapshot.rehearsing),
            (
                "duban_config_last_reload_successful",
                "0 while a refused configuration waits and the old one is in force.",
                not snapshot.config_error,
            ),
            (
                "duban_config_last_reload_timestamp_seconds",
                "When the configuration in force was loaded.",
                snapshot.config_loaded_at.timestamp(),
            ),
            (
                "duban_workdays_known_until_timestamp_seconds",
                "Start of the last day whose holidays and make-up days are known, by publication or from a book.",
                _workdays_end(snapshot.books),
            ),
        ):
            yield GaugeMetricFamily(name, text, value=value)


def _alerts(snapshot: Snapshot) -> Metric:
    """Every pair of state and level has a line: no alert is a known 0."""
    found = GaugeMetricFamily("duban_alerts", "Open alerts.", labels=["state", "level"])
    counts = dict.fromkeys(product((State.PENDING, State.FIRING), (Level.YELLOW, Level.RED)), 0)
    for open_alert in snapshot.alerts:
        pair = (open_alert.alert.state, open_alert.alert.level)
        if pair in counts:
            counts[pair] += 1
    for (state, level), count in counts.items():
        found.add_metric([state, level.name.lower()], count)
    return found


def _sources(sources: Iterable[SourceHealth]) -> Iterator[Metric]:
    labels = ["source"]
    up = GaugeMetricFamily("duban_source_up", "1 if the last pull gave figures, 0 if it failed.", labels=labels)
    success = GaugeMetricFamily(
        "duban_source_last_success_timestamp_seconds", "When the source last answered.", labels=labels
    )
    rows = GaugeMetricFamily("duban_pull_rows", "Figures of the last successful pull.", labels=[*labels, "result"])
    following = GaugeMetricFamily(
        "duban_source_next_pull_timestamp_seconds",
        "When the source is asked next, by the daemon's clock.",
        labels=labels,
    )
    stale = GaugeMetricFamily(
        "duban_source_stale_periods",
        "Periods that are due and of which the source, though it answers, brought nothing; 1 is late, 2 is a dead feed.",
        labels=labels,
    )
    kept = GaugeMetricFamily(
        "duban_quarantine", "Refused figures that wait for a decision.", labels=[*labels, "reason"]
    )
    for source in sources:
        key = [f"{source.book}/{source.name}"]
        if source.last_pull is not None:
            up.add_metric(key, not source.reason)
        if source.last_success is not None:
            success.add_metric(key, source.last_success.timestamp())
            stale.add_metric(key, source.stale_periods)
            for result in ("read", "new", "revised", "refused"):
                rows.add_metric([*key, result], getattr(source, f"rows_{result}"))
        if source.next_pull is not None:
            following.add_metric(key, source.next_pull.timestamp())
        for reason, count in source.quarantined.items():
            kept.add_metric([*key, reason], count)
    yield from (up, success, following, stale, rows, kept)


def _workdays_end(books: Iterable[Book]) -> float:
    day = max([PUBLISHED.known_until, *(book.workdays.known_until for book in books)])
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()


def _version() -> str:
    try:
        return version("duban")
    except PackageNotFoundError:
        return ""
