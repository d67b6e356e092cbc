"""Against a model too simple to be wrong: a list of what was said when, searched from its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from monitor.store.observations import Figures, known, last_position, since
from tests.monitor.store.samples import hours, reading, registered, store

PERIODS = [date(2025, 8, 31), date(2025, 9, 30), date(2025, 10, 31)]
MOMENTS = list(range(8))


class Said(NamedTuple):
    series: str
    period: date
    value: float
    stated: int | None


Key = tuple[str, date]

figure = st.builds(
    Said,
    st.sampled_from("甲乙"),
    st.sampled_from(PERIODS),
    st.sampled_from([1.0, 2.0, 3.0]),
    st.none() | st.sampled_from(MOMENTS),
)
document = st.lists(figure, max_size=6, unique_by=lambda said: (said.series, said.period, said.stated))
pulls = st.lists(st.tuples(st.sampled_from(MOMENTS), document), max_size=6)


class Model:
    """Every vintage as (moment, value) per series and period, in the order of storing."""

    def __init__(self) -> None:
        self.stored: dict[Key, list[tuple[int, float]]] = {}

    def append(self, at: int, said: list[Said]) -> tuple[int, int, int]:
        counts = [0, 0, 0]
        for key in {(row.series, row.period) for row in said}:
            mine = [(at if row.stated is None else min(row.stated, at), row.value) for row in said if row[:2] == key]
            mine.sort(key=lambda row: row[0])
            start = self.latest(key, at)
            for place, (stated, value) in enumerate(mine):
                before = self.latest(key, at)
                old = start is not None and stated <= start[0]
                if before is None:
                    counts[0] += 1
                    self.stored.setdefault(key, []).append((stated, value))
                elif value == before[1] or (old and place < len(mine) - 1):
                    counts[2] += 1
                else:
                    counts[1] += 1
                    self.stored[key].append((at if old else stated, value))
        return counts[0], counts[1], counts[2]

    def latest(self, key: Key, at: int) -> tuple[int, float] | None:
        found = [
            (moment, place, value) for place, (moment, value) in enumerate(self.stored.get(key, [])) if moment <= at
        ]
        return (max(found)[0], max(found)[2]) if found else None

    def known(self, at: int) -> dict[Key, float]:
        return {key: latest[1] for key in self.stored if (latest := self.latest(key, at))}


@contextmanager
def undone(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        yield connection
        connection.rollback()


def _frame(said: list[Said]):
    return reading(*((s.series, "", s.period, s.value, None if s.stated is None else hours(s.stated)) for s in said))


def _by_key(connection: Connection, figures: Figures) -> list[tuple[Key, float]]:
    names = registered(connection)
    return [
        ((names[number][1], period), value)
        for number, period, value in zip(
            figures.series.tolist(), figures.period.tolist(), figures.value.tolist(), strict=True
        )
    ]


def _known(connection: Connection, at: datetime) -> dict[Key, float]:
    found = _by_key(connection, known(connection, at, PERIODS[0], PERIODS[-1]))
    assert len(dict(found)) == len(found)
    return dict(found)


relaxed = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


@relaxed
@given(pulls)
def test_what_is_known_at_any_moment_is_what_the_model_knows(
    engine: Engine, steps: list[tuple[int, list[Said]]]
) -> None:
    model = Model()
    with undone(engine) as connection:
        for at, said in steps:
            new, revised, unchanged = model.append(at, said)
            assert store(connection, hours(at), _frame(said))[:4] == (len(said), new, revised, unchanged)
        for at in MOMENTS:
            assert _known(connection, hours(at)) == model.known(at)


@relaxed
@given(pulls)
def test_the_feed_leads_to_what_is_known(engine: Engine, steps: list[tuple[int, list[Said]]]) -> None:
    position = 0
    replayed: dict[Key, float] = {}
    with undone(engine) as connection:
        for at, said in sorted(steps, key=lambda step: step[0]):
            position = position or last_position(connection, hours(at))
            store(connection, hours(at), _frame(said))
            feed = since(connection, position, hours(at))
            replayed.update(_by_key(connection, feed))
            position = max([position, *feed.id.tolist()])
            assert replayed == _known(connection, hours(at))


@relaxed
@given(pulls)
def test_what_is_known_and_what_the_feed_has_from_there_on_is_all_there_is(
    engine: Engine, steps: list[tuple[int, list[Said]]]
) -> None:
    with undone(engine) as connection:
        for at, said in sorted(steps, key=lambda step: step[0]):
            store(connection, hours(at), _frame(said))
        for at in MOMENTS:
            found = _known(connection, hours(at))
            found.update(_by_key(connection, since(connection, last_position(connection, hours(at)), hours(8))))
            assert found == _known(connection, hours(8))


@relaxed
@given(pulls)
def test_pulling_the_same_again_stores_nothing(engine: Engine, steps: list[tuple[int, list[Said]]]) -> None:
    with undone(engine) as connection:
        for at, said in sorted(steps, key=lambda step: step[0]):
            store(connection, hours(at), _frame(said))
            end = last_position(connection, hours(at))
            assert store(connection, hours(at), _frame(said))[1:3] == (0, 0)
            assert last_position(connection, hours(at)) == end
