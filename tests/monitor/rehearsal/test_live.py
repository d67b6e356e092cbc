"""A rehearsal agrees to the alert, and to the message, with the daemon that is fed the same figures day by day."""

from collections import Counter
from datetime import UTC, date, datetime, time
from pathlib import Path

import pandas as pd
import pytest

from alerts.alert import Cause, Event, Kind
from alerts.organisation import Organisation
from alerts.suppression import quiet
from connectors.observation import Reading
from connectors.strict import read
from monitor import pipeline, wiring
from monitor.rehearsal.figures import Stock, begins, from_file, from_sources
from monitor.rehearsal.replay import Replay, Setting, ends, play
from monitor.rehearsal.year import redated
from monitor.store.database import in_memory, migrate, open_engine
from monitor.wiring import Feed
from rules.loader import load_book
from tests.monitor.rehearsal.builders import RETAIL, ZONE, Lived, a_retail_book, an_organisation, lived

AIR = Path(__file__).parents[3] / "rules" / "books" / "chongqing-air-2025"
LED = read(
    Organisation,
    {
        "default": {"contacts": ["robot"], "reports to": "张市长"},
        "people": {"张市长": {"contacts": [{"mail": "z@x"}]}},
        "escalation": [{"of": "yellow", "after": "3 workdays", "to": ["leader in charge"]}],
    },
)
NIGHTS = quiet("nights 20:00-09:00, days off")


def change_facts(change):
    return (change.identity, change.event, change.cause, change.level, change.basis.period, change.at)


def rehearsed(book, stock, organisation, hours=None, until=None):
    """What the rehearsal finds, in the daemon's nouns, and the period it looked at."""
    watch = Replay(book)
    start, end = begins(book).astimezone(UTC), until or ends(watch)
    memory = in_memory()
    watch.feed(stock.known(memory, book, start, end))
    return play(memory, watch, Setting(organisation, hours), start, end), end


def assert_alike(played, live: Lived):
    assert [change_facts(one) for one in played.changes] == [change_facts(one) for one in live.changes]
    told = Counter((one.at, *one.told[:3]) for one in played.messages.elements())
    assert told == Counter(tuple(one[:4]) for one in live.sent)


@pytest.fixture
def store(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}/live.db")
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def retail(tmp_path_factory):
    """The book, and its figures as they became known: some late, one revised after it was told of, one never."""
    book = a_retail_book(tmp_path_factory.mktemp("books") / "retail")
    stock = from_file(RETAIL, book, to_date=False)
    (table,) = stock.stated(book).values()
    key = table["series"].astype(str) + table["period"].dt.strftime(" %Y-%m")
    known = table["known_at"]
    known = known.mask(key == "服装零售额 2018-03", known + pd.Timedelta(days=12))
    known = known.mask(key == "百货零售额 2018-06", known - pd.Timedelta(days=3))
    table = table.assign(known_at=known)
    wrong = key == "家具零售额 2018-07"
    right = table[wrong].assign(known_at=known[wrong] + pd.Timedelta(days=40))
    table = table.assign(value=table["value"].mask(wrong, table["value"] * 0.9))
    return book, {"filings": pd.concat([table[key != "家具零售额 2018-05"], right], ignore_index=True)}


@pytest.mark.parametrize(
    ("organisation", "hours"),
    [
        (Organisation.of_channels(["folder"]), None),
        (LED, None),
        (an_organisation(reminders={"red": "3 workdays", "yellow": "8 workdays"}), NIGHTS),
    ],
    ids=["all told at once", "leaders told at once", "digests, budgets and quiet nights"],
)
def test_a_year_of_monthly_series_comes_out_as_the_daemon_would_have_lived_it(retail, organisation, hours, store):
    book, tables = retail
    played, end = rehearsed(book, Stock(tables), organisation, hours)
    live = lived(store, book, tables, organisation, (date(2018, 1, 1), end.astimezone(ZONE).date()), hours)
    assert_alike(played, live)
    events = Counter(change.event for change in played.changes)
    assert {Event.FIRED, Event.RESOLVED, Event.WORSENED, Event.CORRECTED} <= events.keys()
    assert Counter(change.identity.kind for change in played.changes)[Kind.DATA] >= 3
    assert played.cycles < 400, "of the daemon's many thousand"


@pytest.mark.parametrize(("year", "last"), [(2022, "01-20"), (2023, "06-05"), (2024, "04-05")])
def test_days_of_air_come_out_as_the_daemon_would_have_lived_them(year, last, store):
    book = redated(load_book(AIR), year)
    errors: list[str] = []
    stock = from_sources(book, wiring.feeds([book], errors).values(), datetime(2025, 10, 1, tzinfo=UTC))
    end = datetime.combine(date.fromisoformat(f"{year}-{last}"), time(), ZONE).astimezone(UTC)
    organisation = an_organisation()
    played, _ = rehearsed(book, stock, organisation, until=end)
    live = lived(store, book, stock.stated(book), organisation, (date(year, 1, 1), end.astimezone(ZONE).date()))
    assert_alike(played, live)
    assert bool(played.changes) == (year > 2022)
    assert all(change.cause in (Cause.ORDINARY, Cause.STANDING) for change in played.changes)


def test_what_is_in_the_store_is_replayed_as_it_became_known(retail, store):
    book, tables = retail
    organisation = an_organisation()
    end = datetime(2018, 6, 1, tzinfo=ZONE)
    live = lived(store, book, tables, organisation, (date(2018, 1, 1), end.date()))
    played, _ = rehearsed(book, Stock(engine=store), organisation, until=end.astimezone(UTC))
    assert_alike(played, live)


class Unsaid:
    """A source that does not say when it published its figures."""

    def __init__(self, table):
        self.table = table

    def fetch(self, _query):
        return Reading(self.table, (), "filings.csv", "")


def test_figures_fetched_long_afterwards_are_taken_as_known_when_they_were_due(retail, store):
    book, _ = retail
    plain = from_file(RETAIL, book, to_date=False).stated(book)["filings"]
    unsaid = plain.assign(known_at=pd.Series(pd.NaT, index=plain.index, dtype="datetime64[us, UTC]"))
    pipeline.pull(store, Feed(book, book.sources["filings"], Unsaid(unsaid)), datetime(2019, 9, 2, tzinfo=UTC))
    played, _ = rehearsed(book, Stock({"filings": unsaid}), an_organisation())
    from_store, _ = rehearsed(book, Stock(engine=store), an_organisation())
    assert played.changes
    assert [change_facts(one) for one in from_store.changes] == [change_facts(one) for one in played.changes]
