"""The source kind ``prometheus``: figures computed by a Prometheus, or what speaks its HTTP API, at each period's end."""

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from connectors.base import ConnectorError, Failure
from connectors.fields import Fields
from connectors.figures import Cells, Column, Rows, objects, reading
from connectors.http_get import Answer
from connectors.http_site import Ask, Site, bad_status
from connectors.observation import Query, Reading
from connectors.strict import Strict

log = logging.getLogger(__name__)

_DAY = timedelta(days=1)
_MONTHS = {"month": 1, "quarter": 3, "half": 6, "year": 12}
_ERRORS = {
    "bad_data": (Failure.MISCONFIGURED, "query 有误 (bad query): 请核对 PromQL", False),
    "execution": (Failure.MISCONFIGURED, "query 不能执行 (bad query): 请核对 PromQL", False),
    "timeout": (Failure.TIMEOUT, "对方没有算完 (query timeout): 请简化 query，或先做成记录规则", True),
    "canceled": (Failure.TIMEOUT, "查询被对方取消 (query canceled): 请稍候", True),
}


class PrometheusOptions(Site):
    """A server, a PromQL expression, and which labels name a figure.

    With ``every``, the expression is evaluated in the last millisecond of every
    day, month, quarter, half or year of ``timezone`` that has ended. Without
    it, it is evaluated once, and ``labels.period`` says which period each
    sample is of. ``series`` is a constant or a label (``__name__`` too).
    """

    query: str  # PromQL
    every: Literal["day", "month", "quarter", "half", "year"] | None = None
    labels: dict[Literal["series", "subject", "unit", "period", "known", "status"], str] = {}  # field -> label
    warnings: Literal["refuse", "accept"] = "refuse"
    """Whether an answer under a warning, which may be partial, is taken."""

    def __post_init__(self) -> None:
        if (self.every is None) is not ("period" in self.labels):
            raise ValueError("every 与 labels.period 须写且只写一个 (exactly one source of the period)")
        self.agree_with(Fields(**{"period": "", **self.labels}))


class _Sample(NamedTuple):
    """A value as the API sends it: which of the label sets it belongs to, when (ms since 1970), and its text."""

    labels: int
    at: int
    value: Any


class Prometheus:
    """Asks anew at each fetch. ``Reading.digest`` is the SHA-256 of the bodies in turn, the document the address."""

    Options: ClassVar[type[Strict]] = PrometheusOptions

    def __init__(self, options: PrometheusOptions, folder: Path) -> None:
        self._options = options
        self._folder = folder

    def fetch(self, query: Query) -> Reading:
        """The figures at the ends of the periods asked for. No sample there means no figure.

        ConnectorError: those of ``connectors.http_get``; DENIED, NOT_FOUND and
        RATE_LIMITED by status; MISCONFIGURED for PromQL that does not run,
        TIMEOUT for one that runs too long, BAD_ANSWER for warnings, another
        shape, or moments that were not asked for.
        """
        options, digest = self._options, hashlib.sha256()
        metrics: list[dict[str, str]] = []
        samples: list[_Sample] = []
        ends = self._ends(query)
        with options.asking(self._folder) as ask:
            for asked in _runs(list(ends)) if options.every else [[_ms(query.at)]]:
                answer = self._ask(ask, asked)
                digest.update(answer.body)
                for labels, points in _entries(self._data(answer)):
                    samples += [_Sample(len(metrics), _at(point, asked), point[1]) for point in points]
                    metrics.append(labels)
        return reading(_cells(metrics, samples, ends, options), options, query, options.document, digest.hexdigest())

    def _ends(self, query: Query) -> dict[int, date]:
        """The periods that have ended, by the moment at which each is looked at."""
        days = [query.first + n * _DAY for n in range((query.last - query.first).days + 1)]
        months = _MONTHS.get(self._options.every or "")
        if months:
            days = [day for day in days if (day + _DAY).day == 1 and day.month % months == 0]
        ends = {_last_moment(day, self._options.timezone): day for day in days}
        return {moment: day for moment, day in ends.items() if moment <= _ms(query.at)}

    def _ask(self, ask: Ask, moments: Sequence[int]) -> Answer:
        if len(moments) == 1:
            return ask("/api/v1/query", {"query": self._options.query, "time": _seconds(moments[0])})
        start, end, step = moments[0], moments[-1], moments[1] - moments[0]
        span = {"start": _seconds(start), "end": _seconds(end), "step": _seconds(step)}
        return ask("/api/v1/query_range", {"query": self._options.query, **span})

    def _data(self, answer: Answer) -> Any:
        """What a good answer holds; a ConnectorError with the server's words for a bad one."""
        try:
            tree = json.loads(answer.body, parse_constant=str)
            status, warnings = tree["status"], tree.get("warnings") or []
        except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
            raise bad_status(answer) if answer.status != 200 else _wrong_shape("不是其应有的 JSON") from None
        if status != "success":
            reason, words, later = _ERRORS.get(
                tree.get("errorType"), (Failure.BAD_ANSWER, "对方报错 (server error): 请查看其日志", True)
            )
            raise ConnectorError(reason, f"{words}；对方说：{tree.get('error')}", retryable=later)
        if warnings and self._options.warnings == "refuse":
            raise ConnectorError(
                Failure.BAD_ANSWER,
                f"答复带有警告，可能不完整 (warnings): {'；'.join(map(str, warnings))}；确可采用的，请写 warnings: accept",
                retryable=True,
            )
        for warning in warnings:
            log.warning("action=prometheus_warning url=%s %s", self._options.document, warning)
        return tree.get("data")


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _last_moment(day: date, zone: tzinfo) -> int:
    """The last millisecond of ``day``: a day's own samples count, the first one of the next day does not."""
    return _ms(datetime.combine(day + _DAY, time(), zone)) - 1


def _seconds(ms: int) -> str:
    return f"{ms // 1000}.{ms % 1000:03d}"


def _runs(moments: Sequence[int]) -> list[list[int]]:
    """The moments in runs of equal steps, each of which one range query answers."""
    runs: list[list[int]] = []
    for moment in moments:
        run = runs[-1] if runs else []
        if len(run) == 1 or (run and moment - run[-1] == run[1] - run[0]):
            run.append(moment)
        else:
            runs.append([moment])
    return runs


def _entries(data: Any) -> Iterator[tuple[dict[str, str], list[Any]]]:
    """Label sets with their points, whether the answer is a vector, a matrix or a scalar."""
    try:
        kind, result = data["resultType"], data["result"]
        if kind == "scalar":
            yield {}, [result]
        elif kind in ("vector", "matrix"):
            for entry in result:
                if "histogram" in entry or "histograms" in entry:
                    raise ConnectorError(
                        Failure.MISCONFIGURED,
                        "结果是直方图，不是数值 (histogram): 请在 query 里用 histogram_sum 等函数取数",
                        retryable=False,
                    )
                yield entry["metric"], entry["values"] if kind == "matrix" else [entry["value"]]
        else:
            raise _wrong_shape(f"结果类型为 {kind}")
    except (LookupError, TypeError):
        raise _wrong_shape("缺少 data.result") from None


def _at(point: Any, asked: Sequence[int]) -> int:
    """When the point is of, in ms. Some servers move the moments to steps of their own: that would be other figures."""
    try:
        at = round(float(point[0]) * 1000)
        point[1]
    except (LookupError, TypeError, ValueError):
        raise _wrong_shape("样本不是 [时刻, 数值]") from None
    if at not in asked:
        raise _wrong_shape(f"样本的时刻 {point[0]} 不是所问的；query 请勿写成区间 (如 x[1h])，代理请勿改动时刻")
    return at


def _wrong_shape(words: str) -> ConnectorError:
    return ConnectorError(Failure.BAD_ANSWER, f"答复的结构不符 (wrong shape): {words}", retryable=False)


def _cells(
    metrics: Sequence[dict[str, str]], samples: Sequence[_Sample], ends: dict[int, date], options: PrometheusOptions
) -> Cells:
    """One row per sample, called by its label set."""
    codes = np.array([sample.labels for sample in samples], dtype=np.intp)
    fields = {
        name: Column([labels.get(label, "") for labels in metrics], codes) for name, label in options.labels.items()
    }
    if options.every:
        fields["period"] = Column.of([ends[sample.at] for sample in samples])

    def place(at: Rows) -> list[str]:
        found = [samples[row] for row in at.tolist()]
        return [_selector(metrics[one.labels]) + (f" @{ends[one.at]}" if options.every else "") for one in found]

    return Cells.rows(objects(["" if one.value is None else one.value for one in samples]), place, **fields)


def _selector(labels: dict[str, str]) -> str:
    """The label set as PromQL writes it."""
    inner = ", ".join(
        f"{name}={json.dumps(text, ensure_ascii=False)}" for name, text in labels.items() if name != "__name__"
    )
    return f"{labels.get('__name__', '')}{{{inner}}}"
