"""Every metric that duban may ever write, as a scraper gets it."""

from datetime import date
from pathlib import Path

from prometheus_client import Counter, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from monitor.metrics import Exposition, Meters
from monitor.snapshot import Queue
from rules.calendar import Every, period_ends
from tests.builders import AT, a_snapshot, a_source
from tests.rules.builders import a_book

DEPLOY = Path(__file__).parents[2] / "deploy"


def everything() -> str:
    """The text with a sample of every metric."""
    months = [end.item() for year in (2022, 2023, 2024) for end in period_ends(year, Every.MONTH)]
    past = {day: 100.0 * day.month for day in months}
    snapshot = a_snapshot(
        a_book({"id": "jobs", "name": "就业", "goal": "at least 1200 人"}),
        figures={("b", "jobs", ""): {**past, date(2025, 9, 30): 450.0}},
        sources=(a_source(next_pull=AT),),
        deliveries={"queued": 4},
        resting={"邮件": ""},
        queues={"邮件": Queue(2, 1, AT)},
        heartbeat=AT,
    )
    meters = Meters()
    for meter in vars(meters).values():
        if isinstance(meter, Counter | Histogram):
            labels = meter._labelnames
            one = meter.labels(*labels) if labels else meter
            one.inc() if isinstance(one, Counter) else one.observe(1)
    return b"".join(Exposition(meters).chunks(snapshot)).decode()


def families() -> dict[str, Metric]:
    """The same, by the name under which a query finds it."""
    found = {}
    for family in text_string_to_metric_families(everything()):
        found[f"{family.name}_total" if family.type == "counter" else family.name] = family
    return found


def labels(family: Metric) -> list[str]:
    """Names of the labels that tell its series apart, in alphabetical order."""
    return sorted({name for sample in family.samples for name in sample.labels} - {"le"})
