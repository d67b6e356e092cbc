"""What goes to a worker and what comes back is the same on both sides."""

import json
from datetime import UTC, date, datetime, timedelta

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert, to_builtins

from connectors.observation import (
    STATUSES,
    LeftOut,
    Observation,
    Original,
    Query,
    Reading,
    Refusal,
    Refused,
    Status,
    frame,
)
from monitor.carrying import digest, read, written

START = datetime(2000, 1, 1, tzinfo=UTC)
WORDS = st.text(max_size=6)
ROWS = st.lists(
    st.builds(
        Observation,
        series=WORDS,
        subject=WORDS,
        period=st.dates(date(1990, 1, 1), date(2050, 1, 1)),
        value=st.floats(),
        unit=WORDS,
        known_at=st.none() | st.timedeltas(timedelta(), timedelta(days=9999)).map(lambda later: START + later),
        cell=WORDS,
        status=st.sampled_from(STATUSES),
    ),
    max_size=5,
)


def carried(reading):
    return read(json.loads(json.dumps(written(reading))))


@given(ROWS)
def test_figures_come_back_as_they_were(rows):
    sent = Reading(frame(rows), (), "", "")
    pd.testing.assert_frame_equal(carried(sent).observations, sent.observations, check_like=True)


def test_all_that_stands_beside_the_figures_comes_back(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xff\0")
    refusal = Refusal("第2行", Refused.JUMP, "9", "就业", "甲区", date(2025, 9, 30), 9.0, "人", Status.PARTIAL)
    sent = Reading(
        frame([]),
        (refusal, Refusal("第3行", Refused.TORN_ROW, "x")),
        "http://x/a.csv",
        "ab",
        {LeftOut.NOTE: 2},
        ("另表",),
        (Original("a.csv", "ab", tmp_path / "a.csv"), Original("b", "cd", b"\xfe")),
    )
    found = carried(sent)
    assert (found.refusals, found.document, found.digest) == (sent.refusals, "http://x/a.csv", "ab")
    assert (found.left_out, found.unread) == ({LeftOut.NOTE: 2}, ("另表",))
    assert found.originals == (Original("a.csv", "ab", b"\xff\0"), Original("b", "cd", b"\xfe"))


def test_a_query_comes_back_as_it_was():
    query = Query(datetime(2025, 10, 1, 3, tzinfo=UTC), date(2020, 1, 1), date(2025, 12, 31), ("甲", "乙"), "b")
    assert convert(json.loads(json.dumps(to_builtins(query))), Query) == query


def test_a_print_tells_what_is_written_not_in_which_order():
    assert digest("http_json", {"url": "x", "timeout": 5}) == digest("http_json", {"timeout": 5, "url": "x"})
    assert digest("http_json", {"url": "x"}) != digest("http_json", {"url": "y"}) != digest("sql", {"url": "y"})
