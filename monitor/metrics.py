"""What Prometheus sees.

Two kinds of figures. What the daemon *did* (pulls, cycles, attempts) is counted
in ``Meters`` as it happens. What *is* (targets, alerts, sources) is written anew
from the Snapshot at each scrape, so that what vanished from the books vanishes
here. A figure that is not known has no line; it is never written as 0.

Targets may number 430,000, so their lines are kept between scrapes and only
what changed is written (``monitor.exposition``).
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
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
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from alerts.alert import State
from alerts.delivery import UNSENT
from monitor.config import TARGET_LABELS, TARGET_SERIES
from monitor.exposition import Form, Layout, Lines, Texts, real
from monitor.snapshot import Judged, Queue, Snapshot, SourceHealth
from rules.calendar import PUBLISHED
from rules.expectation import Floats
from rules.plan import Block
from rules.target import PROGRESS, Book, Level, Target
from rules.verdict import REASONS

_HOUR = 3600
_LAG_BUCKETS = (0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
_PULL_BUCKETS = (0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0, 60.0, 300.0)
_CYCLE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Format(Enum):
    """What a scraper may ask for, as its content type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


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
            unit="seconds", registry=self.registry,
        )  # fmt: skip
        self.pull_lag = Histogram(
            "duban_pull_lag_seconds", "Time from a source's turn to the start of its pull.", buckets=_LAG_BUCKETS,
            unit="seconds", registry=self.registry,
        )  # fmt: skip
        self.attempts = Counter(
            "duban_delivery_attempts", "Attempts to deliver a message, by result.", ["channel", "result"],
            registry=self.registry,
        )  # fmt: skip
        self.cycles = Counter("duban_cycles", "Judging cycles by outcome.", ["outcome"], registry=self.registry)
        self.cycle_seconds = Histogram(
            "duban_cycle_duration_seconds", "Time a judging cycle took.", buckets=_CYCLE_BUCKETS, unit="seconds",
            registry=self.registry,
        )  # fmt: skip
        self.changes = Counter(
            "duban_alert_changes", "Changes of alerts, by what happened and why.", ["event", "cause"],
            registry=self.registry,
        )  # fmt: skip
        self.job_events = Counter(
            "duban_job_events", "Tasks that failed, were missed, were still running, or were put off.", ["task", "event"],
            registry=self.registry,
        )  # fmt: skip
        self.reloads = Counter(
            "duban_config_reloads", "Reloads of the configuration: ok or refused.", ["outcome"], registry=self.registry
        )
        ProcessCollector(namespace="duban", registry=self.registry)
        self.leading = Gauge("duban_leading", "1 if this process leads, 0 if it stands by.", registry=self.registry)
        Info("duban_build", "Version of the running daemon.", registry=self.registry).info({"version": _version()})


class Exposition:
    """All metrics as text. ``series`` and ``labels`` say what is written of each target (see Settings).

    Scrapes may overlap: then a later one may bring lines up to date that an earlier one has not handed out yet.
    """

    def __init__(
        self, meters: Meters, series: Sequence[str] = TARGET_SERIES, labels: Sequence[str] = TARGET_LABELS
    ) -> None:
        self._meters = meters
        self._families = [family for family in _FAMILIES if family.series in series]
        self._labels, self._per_target = labels, bool(series)
        self._lock = threading.Lock()
        self._blocks: list[Block] = []
        self._lines: list[list[Lines]] = []

    def chunks(self, snapshot: Snapshot | None, form: Format = Format.TEXT) -> Iterator[bytes]:
        """The exposition in pieces, for a country's does not fit comfortably in memory."""
        if snapshot is not None:
            with self._lock:
                self._show(snapshot)
                shown = list(zip(self._families, self._lines, strict=True))
            for family, lines in shown:
                yield family.heading(form)
                for one in lines:
                    segments = one.segments()
                    while True:
                        with self._lock:  # no line is handed out while it is written
                            segment = next(segments, None)
                        if segment is None:
                            break
                        yield segment
        collector = _All(self._meters.registry, snapshot, per_target=self._per_target)
        if form is Format.OPENMETRICS:
            yield openmetrics.generate_latest(collector)  # type: ignore[no-untyped-call]
        else:
            yield generate_latest(collector)

    def _show(self, snapshot: Snapshot) -> None:
        blocks = [judged.panel.block for judged in snapshot.judged]
        if len(blocks) != len(self._blocks) or any(a is not b for a, b in zip(blocks, self._blocks, strict=True)):
            plain = [_layout(block, snapshot.books, None) for block in blocks]
            self._lines = [
                [
                    Lines(family.name.encode(), layout, family.form)
                    for layout in (
                        plain
                        if family.series != "info"
                        else [_layout(block, snapshot.books, self._labels) for block in blocks]
                    )
                ]
                for family in self._families
            ]
            self._blocks = blocks
        for family, lines in zip(self._families, self._lines, strict=True):
            for judged, one in zip(snapshot.judged, lines, strict=True):
                one.show(family.column(snapshot, judged))


def escape(value: str) -> bytes:
    """A label value as it stands between the quotes."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return escaped.encode("utf-8", errors="replace")


Column: TypeAlias = Callable[[Snapshot, Judged], NDArray[np.generic]]


def _level(column: NDArray[np.generic]) -> Texts:
    """Two bytes: -1, 00, 01, 02."""
    return _LEVELS[column.astype(np.int64) + 1]


def _one(column: NDArray[np.generic]) -> Texts:
    return np.full(len(column), b"1", "S1")


_LEVELS = np.array([b"%02d" % level for level in sorted(Level)], "S2")


@dataclass(frozen=True, slots=True)
class _Family:
    """A gauge of every target: the word for it in the settings, and where its figures are found."""

    series: str
    help: str
    column: Column
    unit: str = ""
    form: Form = real

    @property
    def name(self) -> str:
        return "_".join(filter(None, ("duban_target", self.series, self.unit)))

    def heading(self, form: Format) -> bytes:
        """What stands before the lines; OpenMetrics has a type of its own for descriptions, and names units."""
        name, kind, unit = self.name, "gauge", ""
        if form is Format.OPENMETRICS:
            unit = f"# UNIT {name} {self.unit}\n" if self.unit else ""
            if self.series == "info":
                name, kind = name.removesuffix("_info"), "info"
        return f"# HELP {name} {self.help}\n# TYPE {name} {kind}\n{unit}".encode()


def _pace_ratio(_: Snapshot, judged: Judged) -> Floats:
    """Actual to expected where the measure is progress along a plan, NaN elsewhere."""
    block, found = judged.panel.block, judged.verdicts
    progress = np.repeat([target.measure in PROGRESS for target in block.targets], np.diff(block.first_row))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(progress, found.actual / found.expected, np.nan)


def _goal(_: Snapshot, judged: Judged) -> Floats:
    return judged.panel.goals(slice(0, judged.panel.block.rows), judged.verdicts.slot)


def _data_age(snapshot: Snapshot, judged: Judged) -> Floats:
    """In whole hours, which is enough for figures of days and months, and moves few lines between two scrapes."""
    known = judged.panel.known_at
    now = np.datetime64(snapshot.at.astimezone(UTC).replace(tzinfo=None), "s")
    hours: NDArray[np.int64] = (now - known).astype(np.int64) // _HOUR
    return np.where(np.isnat(known), np.nan, hours * float(_HOUR))


def _probability(_: Snapshot, judged: Judged) -> Floats:
    return judged.verdicts.probability.astype(np.float64).round(4)


_FAMILIES = (
    _Family("actual", "Latest published figure, in the target's unit.", lambda _, j: j.verdicts.actual),
    _Family(
        "expected",
        "What was expected at the end of the figure's own period, in the target's unit.",
        lambda _, j: j.verdicts.expected,
    ),
    _Family("goal", "Goal in force for the figure's own period, in the target's unit.", _goal),
    _Family(
        "probability",
        "Chance of meeting the goal, from this year's figures and earlier years'; only where there are enough of them.",
        _probability,
        "ratio",
    ),
    _Family(
        "landing_low",
        "Lower end of the interval that holds the year's end with 80 %, in the target's unit.",
        lambda _, j: j.panel.landings.low,
    ),
    _Family(
        "landing_high",
        "Upper end of the interval that holds the year's end with 80 %, in the target's unit.",
        lambda _, j: j.panel.landings.high,
    ),
    _Family("pace", "Actual to expected; only for progress along a plan.", _pace_ratio, "ratio"),
    _Family(
        "level",
        "0 green, 1 yellow, 2 red, -1 not judged (which is not green).",
        lambda _, j: j.verdicts.level,
        form=_level,
    ),
    _Family("data_age", "Time since the latest figure became known, in whole hours.", _data_age, "seconds"),
    _Family(
        "info",
        "What a target is; join on book, target, subject.",
        lambda _, j: np.ones(j.panel.block.rows, dtype=np.int8),
        form=_one,
    ),
)


def _layout(block: Block, books: Iterable[Book], described: Sequence[str] | None) -> Layout:
    """The labels of a block: per target up to the subject's opening quote, per subject the rest.

    ``described`` are the labels that say what a target is, None for none of them.
    """
    sections = {(book.id, item.item): item.section for book in books for item in book.items}
    tails: dict[int, list[bytes]] = {}
    for names in block.subjects:
        if id(names) not in tails:
            tails[id(names)] = [escape(name) + b'"}' for name in names]
    heads = []
    for target in block.targets:
        labels = {"book": target.book, "target": target.id}
        if described is not None:
            said = _described(target, sections.get((target.book, target.item or 0), ""))
            labels |= {name: said[name] for name in TARGET_LABELS if name in described}
        heads.append(_head(labels))
    return Layout(heads, [tails[id(names)] for names in block.subjects], block.first_row)


def _described(target: Target, section: str) -> dict[str, str]:
    return {
        "name": target.name,
        "item": "" if target.item is None else str(target.item),
        "section": section,
        "lead": "、".join(target.lead),
        "unit": target.goal.unit,
        "measure": target.measure,
    }


def _head(labels: dict[str, str]) -> bytes:
    pairs = (b'%s="%s",' % (name.encode(), escape(value)) for name, value in labels.items())
    return b"{" + b"".join(pairs) + b'subject="'


@dataclass(frozen=True, slots=True)
class _All(Collector):
    """What the daemon did, and what is but for the figures of each target."""

    registry: CollectorRegistry
    snapshot: Snapshot | None
    per_target: bool

    def collect(self) -> Iterator[Metric]:
        if self.snapshot is not None:
            if self.per_target:
                yield _standing(self.snapshot)
            yield from _counted(self.snapshot)
            yield from _State(self.snapshot).collect()
        yield from self.registry.collect()


def _standing(snapshot: Snapshot) -> Metric:
    """Only what stands: there are far fewer alerts than targets."""
    found = GaugeMetricFamily(
        "duban_alert_level",
        "Level of each open alert, 1 yellow or 2 red.",
        labels=["book", "target", "subject", "kind", "state"],
    )
    for alert in (one.alert for one in snapshot.alerts):
        found.add_metric([*alert.identity, alert.state], alert.level)
    return found


def _counted(snapshot: Snapshot) -> Iterator[Metric]:
    """How many targets stand where: these few lines serve a page that 430,000 would not fit on."""
    sections = {(book.id, item.item): item.section for book in snapshot.books for item in book.items}
    levels: dict[tuple[str, str, str], NDArray[np.int64]] = {}
    reasons: dict[str, NDArray[np.int64]] = {}
    for judged in snapshot.judged:
        block, found = judged.panel.block, judged.verdicts
        sizes, count = np.diff(block.first_row), len(block.targets)
        target = np.repeat(np.arange(count), sizes)
        by_level = np.bincount(target * len(Level) + found.level + 1, minlength=count * len(Level))
        by_reason = np.bincount(target * len(REASONS) + found.reason, minlength=count * len(REASONS))
        for one, its_levels, its_reasons in zip(
            block.targets, by_level.reshape(count, -1), by_reason.reshape(count, -1), strict=True
        ):
            group = (one.book, sections.get((one.book, one.item or 0), ""), "、".join(one.lead))
            levels[group] = levels.get(group, 0) + its_levels
            reasons[one.book] = reasons.get(one.book, 0) + its_reasons
    targets = GaugeMetricFamily(
        "duban_targets",
        "Targets by level, one for every subject, by section of the plan and lead unit.",
        labels=["book", "section", "lead", "level"],
    )
    for group, counts in levels.items():
        for level, number in zip(sorted(Level), counts.tolist(), strict=True):
            targets.add_metric([*group, level.name.lower()], number)
    verdicts = GaugeMetricFamily("duban_verdicts", "Targets by reason of their verdict.", labels=["book", "reason"])
    for book, counts in reasons.items():
        for reason, number in zip(REASONS, counts.tolist(), strict=True):
            verdicts.add_metric([book, reason], number)
    yield from (targets, verdicts)


@dataclass(frozen=True, slots=True)
class _State(Collector):
    """Alerts, sources, outbox and configuration of one snapshot."""

    snapshot: Snapshot

    def collect(self) -> Iterator[Metric]:
        snapshot = self.snapshot
        yield _alerts(snapshot)
        yield from _sources(snapshot.sources)
        deliveries = GaugeMetricFamily("duban_deliveries", "Messages not sent, by status.", labels=["status"])
        for status in UNSENT:
            deliveries.add_metric([status], snapshot.deliveries.get(status, 0))
        yield deliveries
        waiting = GaugeMetricFamily(
            "duban_deliveries_held", "Messages that were not sent at once and wait, by reason.", labels=["reason"]
        )
        for why, count in snapshot.waiting.items():
            waiting.add_metric([why], count)
        yield waiting
        yield from _queues(snapshot)
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
        yield GaugeMetricFamily(
            "duban_database_size_bytes", "Room that the database takes.", value=snapshot.database_bytes
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


def _queues(snapshot: Snapshot) -> Iterator[Metric]:
    labels = ["channel"]
    waiting = GaugeMetricFamily("duban_delivery_waiting", "Messages that are not sent yet.", labels=labels)
    retrying = GaugeMetricFamily("duban_delivery_retrying", "Of these, those that failed before.", labels=labels)
    overdue = GaugeMetricFamily(
        "duban_delivery_overdue_seconds", "How long the longest due message has waited for its turn.", labels=labels
    )
    for channel in snapshot.resting.keys() | snapshot.queues.keys():
        queue = snapshot.queues.get(channel, Queue(0, 0, None))
        waiting.add_metric([channel], queue.waiting)
        retrying.add_metric([channel], queue.retrying)
        late = (snapshot.at - queue.due).total_seconds() if queue.due is not None else 0
        overdue.add_metric([channel], max(late, 0))
    yield from (waiting, retrying, overdue)


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
