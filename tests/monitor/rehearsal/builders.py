"""A book of real monthly series, its organisation, and the daemon's own cycle run day by day."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd

from alerts.alert import Change
from alerts.circuit import Circuit
from alerts.delivery import Attempt, Result
from alerts.organisation import Organisation
from alerts.suppression import Quiet
from connectors.strict import read
from monitor import pipeline
from monitor.clock import Clock
from monitor.rehearsal.figures import Released
from monitor.watch import Watch
from monitor.wiring import Feed
from rules.loader import load_book
from rules.target import Book

RETAIL = Path(__file__).parent / "data" / "retail.csv"
ZONE = ZoneInfo("Asia/Shanghai")
# Sums of 2018: 461, 366, 432, 332.
GOALS = {"服装零售额": 470, "百货零售额": 365, "电器零售额": 455, "家具零售额": 320}


def a_retail_book(folder: Path, *, year: int = 2018, **levels: Any) -> Book:
    """Four targets over the branches of retail, two of them on a straight line, two on their season."""
    targets = [
        {
            "id": f"retail-{number}",
            "name": name,
            "lead": ("商务局", "市场局")[number % 2],
            "goal": f"at least {goal} 亿元",
            "measure": "cumulative",
            "expect": ("linear", "seasonal")[number // 2],
            "source": "filings",
        }
        for number, (name, goal) in enumerate(GOALS.items())
    ]
    written = {
        "book": f"retail-{year}",
        "title": f"{year}年零售目标",
        "year": year,
        "published": "10 workdays after period",
        "levels": {"yellow": "behind 2%", "red": "behind 6% for 2", **levels},
        "targets": targets,
        "sources": {"filings": {"connector": "table_file", "path": "filings.csv"}},
    }
    folder.mkdir(exist_ok=True)
    (folder / "filings.csv").touch()
    (folder / "book.yaml").write_text(json.dumps(written, ensure_ascii=False, indent=1), encoding="utf-8")
    return load_book(folder)


def an_organisation(**keys: Any) -> Organisation:
    """Two units, the supervising office with a digest, a leader; reminders and escalations as usual unless said."""
    return read(
        Organisation,
        {
            "default": {"contacts": [{"robot": ""}]},
            "units": {
                "商务局": {"contacts": [{"robot": "a"}], "reports to": "张市长", "at most": "2 a week except red"},
                "市场局": {"contacts": [{"robot": "b"}, {"mail": "b@x"}], "reports to": "张市长"},
                "督查办": {"contacts": [{"mail": "d@x"}], "digest": "weekly monday 09:00 except red"},
            },
            "people": {"张市长": {"contacts": [{"mail": "z@x"}], "digest": "daily 09:00"}},
            **keys,
        },
    )


class Sent(NamedTuple):
    """A message that went out."""

    at: datetime
    receiver: str
    channel: str
    address: str
    event: str


class Post:
    """A channel that notes what it is given."""

    repeat = slots = None

    def __init__(self, name: str, at_once: int) -> None:
        self.name, self.at_once, self.now, self.sent = name, at_once, datetime.now(UTC), list[Sent]()

    def send(self, letters: Any) -> list[Attempt]:
        self.sent += [Sent(self.now, one.receiver, self.name, one.address, one.notice.kind) for one in letters]
        return [Attempt(Result.SENT, "ok") for _ in letters]


class Fixed(Clock):
    """A clock that shows what it is set to."""

    def __init__(self, now: datetime) -> None:
        super().__init__(now, self.real())
        self._now = now

    def now(self) -> datetime:
        return self._now


class Lived(NamedTuple):
    changes: list[Change]
    sent: list[Sent]


def lived(
    engine: Any,
    book: Book,
    tables: Mapping[str, pd.DataFrame],
    organisation: Organisation,
    days: tuple[date, date],
    quiet: Quiet | None = None,
    hours: tuple[int, ...] = (0, 9),
) -> Lived:
    """What the daemon does from the first day to the last: every day at these hours it pulls, judges and delivers."""
    feeds = [Feed(book, book.sources[name], Released(table)) for name, table in tables.items()]  # type: ignore[arg-type]
    watch = Watch([book], complete=True)
    posts = {name: Post(name, at_once) for name, at_once in (("robot", 20), ("mail", 1), ("folder", 1))}
    circuits = {name: Circuit() for name in posts}
    changes: list[Change] = []
    day = days[0]
    while day <= days[1]:
        for hour in hours if day < days[1] else (0,):
            at = datetime.combine(day, time(hour), ZONE).astimezone(UTC)
            for feed in feeds:
                pipeline.pull(engine, feed, at)
            if not watch.position and not changes and day == days[0] and hour == hours[0]:
                watch.load(engine, at)
            _, moves = pipeline.judge(engine, watch, organisation, (), at, quiet)
            changes += [move.change for move in moves]
            for name, post in posts.items():
                post.now = at
                pipeline.deliver(engine, name, post, Fixed(at), circuits[name])  # type: ignore[arg-type]
        day += timedelta(days=1)
    return Lived(changes, [one for post in posts.values() for one in post.sent])
