"""One turn of the daemon's way from figures to letters, to be run in a process that may be killed anywhere on it."""

from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path

from alerts.channels.webhook import Webhook, WebhookOptions
from alerts.circuit import Circuit
from alerts.organisation import Organisation
from connectors.strict import read
from monitor import pipeline
from monitor.clock import Clock
from monitor.store import outbox
from monitor.store.database import open_engine
from monitor.watch import Watch
from tests.rules.builders import a_book

TARGETS = 40
BOOK = a_book(
    *(
        {"name": f"指标{n:02d}", "source": "filings", "goal": "at least 1200 个", "lead": f"单位{n % 3}"}
        | {"published": "25 days after period", "levels": {"yellow": "behind 5%", "red": "behind 15%"}}
        for n in range(TARGETS)
    ),
    sources={"filings": {"connector": "table_file"}},
)
ORGANISATION = read(Organisation, {"default": {"contacts": ["hook"]}, "reminders": {}, "escalation": []})


def live(url: str, address: str, at: datetime, ready: Connection) -> None:
    """Take up what another one left, judge as of ``at``, send what is owed; ``ready`` is told when it begins."""
    engine, channel = open_engine(url), Webhook(WebhookOptions(url=address, most=5), Path())
    watch = Watch([BOOK])
    ready.send(None)
    with engine.begin() as connection:
        outbox.release(connection)
    watch.load(engine, at)
    pipeline.judge(engine, watch, ORGANISATION, (), at)
    pipeline.deliver(engine, "hook", channel, Clock(), Circuit())
