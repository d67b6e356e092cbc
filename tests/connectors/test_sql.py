"""Real databases, good and bad: SQLite files and a PostgreSQL server."""

import gc
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from connectors.base import ConnectorError, Failure
from connectors.observation import Query, Reading, Refused
from connectors.sql import Sql
from connectors.strict import Wrong, read
from tests.acceptance.running import until
from tests.servers.postgres import Postgres

AT = datetime(2026, 1, 31, tzinfo=UTC)
YEAR = Query(AT, date(2025, 1, 1), date(2025, 12, 31), ("就业",))
FIGURES = "CREATE TABLE figures (series text, period text, value double precision, unit text)"
SELECT = "SELECT * FROM figures"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator["Made"]:
    """An empty database of either kind, on which ``run`` writes and ``fetch`` reads."""
    if request.param == "sqlite":
        (tmp_path / "stat.db").touch()
        yield Made("sqlite:///stat.db", tmp_path)
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = server.create()
    yield Made(server.url(name), tmp_path)
    server.drop(name)


class Made:
    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.folder / "stat.db", isolation_level=None)) as connection:
                return [connection.execute(statement) for statement in statements][-1].fetchall()
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursors = [connection.execute(statement) for statement in statements]
            return cursors[-1].fetchall() if cursors[-1].description else []

    def source(self, query: str = SELECT, **options: Any) -> Sql:
        return Sql(read(Sql.Options, {"url": self.url, "query": query, **options}), self.folder)

    def fetch(self, query: str = SELECT, asked: Query = YEAR, **options: Any) -> Reading:
        return self.source(query, **options).fetch(asked)

    def failure(self, query: str = SELECT, **options: Any) -> ConnectorError:
        with pytest.raises(ConnectorError) as caught:
            self.fetch(query, **options)
        assert caught.value.__cause__ is None
        return caught.value


def one(select: str) -> str:
    """A query of one figure whose value is ``select``."""
    return f"SELECT 'x' AS series, '2025-09' AS period, {select} AS value"


def test_columns_are_found_by_the_names_of_the_fields(database):
    database.run(FIGURES, "INSERT INTO figures VALUES ('就业', '2025-09', 1.5, '人')")
    row = database.fetch().observations.iloc[0]
    assert (row.series, row.value, row.unit, row.subject, row.cell) == ("就业", 1.5, "人", "", "第1行")


def test_columns_with_other_names_are_mapped_and_constants_complete_them(database):
    database.run("CREATE TABLE t (月份 text, 人数 integer)", "INSERT INTO t VALUES ('2025-09', 7)")
    found = database.fetch(
        "SELECT * FROM t", columns={"period": "月份", "value": "人数"}, series="就业", unit="人", subject="万东镇"
    ).observations.iloc[0]
    assert (found.series, found.value, found.unit, found.subject) == ("就业", 7, "人", "万东镇")


@pytest.mark.parametrize("period", ["'2025-09'", "'2025Q3'", "'2025年前三季度'", "202509", "20250930", "'2025-09-30'"])
def test_any_period_that_the_house_understands_is_read(database, period):
    found = database.fetch(f"SELECT 'x' AS series, {period} AS period, 1 AS value")
    assert found.observations.period.dt.date.tolist() == [date(2025, 9, 30)]


def test_null_is_missing_and_zero_is_a_figure(database):
    database.run(FIGURES, "INSERT INTO figures VALUES ('a', '2025-09', NULL, '人'), ('b', '2025-09', 0, '人')")
    found = database.fetch()
    assert found.observations.series.tolist() == ["b"]
    assert found.observations.value.tolist() == [0.0]
    assert found.refusals == ()


def test_no_rows_are_an_answer_too(database):
    database.run(FIGURES)
    assert len(database.fetch().observations) == 0


def test_parameters_are_bound_never_pasted(database):
    database.run(FIGURES, "INSERT INTO figures VALUES ('就业', '2025-09', 1, '人'), ('o''x', '2025-10', 2, '人')")
    asked = Query(AT, date(2025, 10, 1), date(2025, 12, 31), ("o'x", "'; DROP TABLE figures; --"))
    found = database.fetch("SELECT * FROM figures WHERE series IN :series", asked)
    assert found.observations.series.tolist() == ["o'x"]
    assert len(database.run(SELECT)) == 2


def test_no_series_asked_for_is_an_empty_list(database):
    database.run(FIGURES, "INSERT INTO figures VALUES ('就业', '2025-09', 1, '人')")
    asked = Query(AT, YEAR.first, YEAR.last)
    assert len(database.fetch("SELECT * FROM figures WHERE series IN :series", asked).observations) == 0


def test_the_first_and_last_period_are_dates(database):
    database.run(
        "CREATE TABLE t (series text, period date, value integer)",
        "INSERT INTO t VALUES ('x', '2024-12-31', 1), ('x', '2025-01-31', 2), ('x', '2025-12-31', 3)",
    )
    query = "SELECT * FROM t WHERE period BETWEEN :first AND :last ORDER BY period"
    source = database.source(query, max_rows=2)
    assert source.fetch(YEAR).observations.value.tolist() == [2, 3]


def test_times_are_bound_as_local_times(database):
    database.run(
        "CREATE TABLE t (series text, period text, value integer, changed timestamp)",
        "INSERT INTO t VALUES ('a', '2025-01', 1, '2026-01-31 07:59:59'), ('b', '2025-01', 2, '2026-01-31 08:00:01')",
    )
    found = database.fetch("SELECT series, period, value FROM t WHERE changed <= :at")
    assert found.observations.series.tolist() == ["a"]


def changes(database: Made) -> Sql:
    database.run(
        "CREATE TABLE t (series text, period text, value integer, changed timestamp)",
        "INSERT INTO t VALUES ('old', '2025-01', 1, '2025-02-10 00:00:00'), ('new', '2025-12', 2, '2026-01-20 00:00:00')",
    )
    return database.source("SELECT series, period, value FROM t WHERE changed >= :since", again="60 days")


def later(query: Query, **parts: int) -> Query:
    return Query(query.at + timedelta(**parts), query.first, query.last, query.series)


def test_a_new_source_reads_all_and_then_only_its_window_again(database):
    source = changes(database)
    assert source.fetch(YEAR).observations.series.tolist() == ["old", "new"]
    assert source.fetch(later(YEAR, minutes=10)).observations.series.tolist() == ["new"]


def test_after_an_outage_the_window_begins_before_the_last_answer(database):
    source = changes(database)
    source.fetch(YEAR)
    assert source.fetch(later(YEAR, days=300)).observations.series.tolist() == ["new"]
    assert source.fetch(later(YEAR, days=301)).observations.series.tolist() == []


def test_a_failed_pull_does_not_move_the_window(database):
    source = changes(database)
    source.fetch(YEAR)
    database.run("ALTER TABLE t RENAME TO away")
    with pytest.raises(ConnectorError):
        source.fetch(later(YEAR, days=300))
    database.run("ALTER TABLE away RENAME TO t")
    assert source.fetch(later(YEAR, days=301)).observations.series.tolist() == ["new"]


@pytest.mark.parametrize(
    "other",
    [
        Query(AT - timedelta(days=1), YEAR.first, YEAR.last, YEAR.series),
        Query(AT, YEAR.first, YEAR.last, ("就业", "又一个")),
        Query(AT, date(2024, 1, 1), YEAR.last, YEAR.series),
    ],
    ids=["an earlier moment", "another series", "another year"],
)
def test_another_question_reads_all(database, other):
    source = changes(database)
    source.fetch(YEAR)
    assert source.fetch(other).observations.series.tolist() == ["old", "new"]


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO figures VALUES ('x', '2025-09', 1, '人')",
        "DELETE FROM figures RETURNING series, period, value, unit",
        "DROP TABLE figures",
        "SELECT * FROM figures; DELETE FROM figures",
        "SELECT * FROM figures; COMMIT; DELETE FROM figures",
    ],
)
def test_a_query_that_writes_is_refused_by_the_database(database, query):
    database.run(FIGURES, "INSERT INTO figures VALUES ('就业', '2025-09', 1, '人')")
    error = database.failure(query)
    assert error.reason is Failure.MISCONFIGURED
    assert "SELECT" in error.detail
    assert not error.retryable
    assert len(database.run(SELECT)) == 1


def test_a_function_that_writes_is_refused_by_the_database(postgres, tmp_path):
    made = Made(postgres.url(postgres.create()), tmp_path)
    made.run(
        FIGURES,
        "CREATE FUNCTION sly() RETURNS integer LANGUAGE sql AS "
        "$$ INSERT INTO figures VALUES ('x', '2025-09', 1, '人') RETURNING 1 $$",
    )
    assert "试图写入" in made.failure(one("sly()")).detail
    error = made.failure("WITH gone AS (DELETE FROM figures RETURNING *) SELECT * FROM gone")
    assert "只读" in error.detail
    assert made.run(SELECT) == []


def test_a_query_makes_no_file(tmp_path):
    Made(f"sqlite:///{tmp_path}/stat.db", tmp_path).run(FIGURES)
    error = Made("sqlite:///stat.db", tmp_path).failure(f"ATTACH DATABASE '{tmp_path}/new.db' AS new")
    assert error.reason is Failure.MISCONFIGURED
    assert [path.name for path in tmp_path.iterdir()] == ["stat.db"]


def test_a_missing_table_and_a_missing_column_are_named(database):
    database.run(FIGURES)
    for query, name in (("SELECT * FROM nowhere", "nowhere"), ("SELECT nothing FROM figures", "nothing")):
        error = database.failure(query)
        assert error.reason is Failure.MISCONFIGURED
        assert name in error.detail
        assert "请核对" in error.detail


@pytest.mark.parametrize(
    ("query", "options", "words"),
    [
        ("SELECT 'x' AS series, '2025-09' AS period", {}, "没有列 value"),
        ("SELECT '2025-09' AS period, 1 AS value", {}, "没有列 series"),
        (one("1"), {"columns": {"unit": "单位"}}, "没有列 单位"),
        (one("1") + ", 'x' AS county", {}, "county 没有用处"),
        (one("1") + ", 2 AS value", {}, "value 没有用处"),
        (one("1") + ", '人' AS unit", {"unit": "户"}, "unit 既是常量又有来源"),
        (one("1"), {"series": "y"}, "series 既是常量又有来源"),
    ],
)
def test_a_result_whose_columns_are_not_the_fields_is_told_with_those_it_has(database, query, options, words):
    error = database.failure(query, **options)
    assert error.reason is Failure.MISCONFIGURED
    assert words in error.detail


def test_a_huge_result_is_cut_off_and_told(database):
    database.run(FIGURES)
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
    error = database.failure(f"{numbers} SELECT 'x' AS series, '2025-09' AS period, i AS value FROM n", max_rows=20_000)
    assert error.reason is Failure.TOO_LARGE
    assert "max_rows" in error.detail


def test_a_slow_query_is_a_timeout(database):
    database.run(FIGURES)
    forever = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i % 1000 + 1 FROM n) SELECT count(*) FROM n"
    error = database.failure(one(f"({forever})"), timeout=0.2)
    assert error.reason is Failure.TIMEOUT
    assert "0.2 秒" in error.detail
    assert error.retryable


def test_values_of_other_kinds_are_refused_with_their_words(database):
    for select, text in (("'1_000'", "1_000"), ("'大约'", "大约"), ("'NaN'", "NaN")):
        (refusal,) = database.fetch(one(select)).refusals
        assert (refusal.reason, refusal.text) == (Refused.NOT_A_NUMBER, text)


class TestPostgres:
    @pytest.fixture
    def made(self, postgres, tmp_path):
        return Made(postgres.url("postgres"), tmp_path)

    def test_a_decimal_is_read_as_written(self, made):
        assert made.fetch(one("1234.5::numeric")).observations.value.tolist() == [1234.5]

    @pytest.mark.parametrize(
        "select", ["true", "'NaN'::numeric", "'NaN'::float8", "'Infinity'::float8", "'{1}'::int[]"]
    )
    def test_what_is_no_number_is_refused(self, made, select):
        found = made.fetch(one(select))
        assert [refusal.reason for refusal in found.refusals] == [Refused.NOT_A_NUMBER]
        assert found.refusals[0].text

    @pytest.mark.parametrize(
        "period",
        ["date '2025-09-30'", "202509::numeric", "timestamptz '2025-09-29 16:30+00'", "timestamp '2025-09-30 23:00'"],
    )
    def test_its_own_types_of_periods_are_read_as_local_days(self, made, period):
        found = made.fetch(f"SELECT 'x' AS series, {period} AS period, 1 AS value")
        assert found.observations.period.dt.date.tolist() == [date(2025, 9, 30)]

    @pytest.mark.parametrize("period", ["'NaN'::numeric", "NULL", "true", "'{1}'::int[]"])
    def test_what_is_no_period_is_refused(self, made, period):
        found = made.fetch(f"SELECT 'x' AS series, {period} AS period, 1 AS value")
        assert [refusal.reason for refusal in found.refusals] == [Refused.BAD_PERIOD]

    @pytest.mark.parametrize(
        "known", ["timestamptz '2025-10-20 01:30+00'", "timestamp '2025-10-20 09:30'", "'2025-10-20 09:30'"]
    )
    def test_a_publication_time_is_local_unless_it_says_otherwise(self, made, known):
        found = made.fetch(one("1") + f", {known} AS known")
        assert found.observations.known_at[0] == datetime(2025, 10, 20, 1, 30, tzinfo=UTC)

    def test_a_time_of_the_server_is_compared_with_local_times(self, made):
        found = made.fetch(
            "SELECT 'x' AS series, '2025-09' AS period, 1 AS value "
            "WHERE timestamptz '2026-01-31 00:00+00' = :at AND timestamp '2026-01-31 08:00' = :at"
        )
        assert len(found.observations) == 1

    def test_bad_data_inside_the_query_is_told(self, made):
        error = made.failure(one("('a' || now()::text)::numeric"))
        assert error.reason is Failure.BAD_ANSWER
        assert "invalid input syntax" in error.detail

    def test_a_date_that_the_driver_cannot_hold_is_bad_data_and_no_lost_connection(self, made):
        error = made.failure("SELECT 'x' AS series, date 'infinity' AS period, 1 AS value")
        assert (error.reason, error.retryable) == (Failure.BAD_ANSWER, False)


@pytest.fixture(scope="module")
def guarded():
    """A server of its own, which asks for a password and is killed."""
    with Postgres() as server:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE ROLE reader LOGIN PASSWORD 's3cret'")
            connection.execute("CREATE TABLE hidden (series text)")
            connection.execute("CHECKPOINT")
        rules = server.folder / "data" / "pg_hba.conf"
        rules.write_text(f"host all reader 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
        server.kill()
        server.start()
        yield server


class TestAccess:
    def made(self, server, folder):
        return Made(server.url("postgres").replace("postgres@", "reader@"), folder)

    def test_the_password_comes_from_a_file(self, guarded, tmp_path):
        (tmp_path / "password").write_text("s3cret\n")
        made = self.made(guarded, tmp_path)
        found = made.fetch(one("1"), password_file="password")
        assert found.observations.value.tolist() == [1]
        assert found.document == made.url

    def test_the_whole_address_may_come_from_a_file(self, guarded, tmp_path):
        made = self.made(guarded, tmp_path)
        (tmp_path / "url").write_text(made.url.replace("reader@", "reader:s3cret@"))
        found = made.fetch(one("1"), url=None, url_file="url")
        assert found.observations.value.tolist() == [1]
        assert "s3cret" not in found.document

    def test_a_wrong_password_is_denied_and_not_shown(self, guarded, tmp_path):
        (tmp_path / "password").write_text("wr0ng")
        error = self.made(guarded, tmp_path).failure(one("1"), password_file="password")
        assert error.reason is Failure.DENIED
        assert "password_file" in error.detail
        assert "wr0ng" not in error.detail
        assert not error.retryable

    def test_no_password_is_denied(self, guarded, tmp_path):
        assert self.made(guarded, tmp_path).failure(one("1")).reason is Failure.DENIED

    def test_a_table_without_permission_is_denied(self, guarded, tmp_path):
        (tmp_path / "password").write_text("s3cret")
        error = self.made(guarded, tmp_path).failure("SELECT * FROM hidden", password_file="password")
        assert error.reason is Failure.DENIED
        assert "hidden" in error.detail

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_a_server_that_dies_under_the_query_is_unreachable(self, guarded, tmp_path):
        made = Made(guarded.url("postgres"), tmp_path)

        def asleep() -> bool:
            return bool(made.run("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))

        def kill() -> None:
            until(asleep)
            guarded.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        error = made.failure(one("1") + " FROM pg_sleep(60)")
        killer.join()
        assert error.reason is Failure.UNREACHABLE
        assert error.retryable
        gone = made.failure(one("1"))
        assert gone.reason is Failure.UNREACHABLE
        assert "refused" in gone.detail
        guarded.start()
        gc.collect()  # the driver cannot close the cursor of a dead connection, and says so when that one goes


def test_a_host_that_nobody_has_is_unreachable(tmp_path):
    error = Made("postgresql://reader@no-such-host.invalid/stat", tmp_path).failure()
    assert error.reason is Failure.UNREACHABLE
    assert error.detail.startswith("postgresql://reader@no-such-host.invalid/stat: ")


def test_a_sqlite_file_that_is_not_there_is_not_made(tmp_path):
    assert Made("sqlite:///stat.db", tmp_path).failure().reason is Failure.NOT_FOUND
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / "stat.db").write_text("series,period,value\n" * 100)
    assert Made("sqlite:///stat.db", tmp_path).failure().reason is Failure.BAD_ANSWER


def test_a_database_that_another_one_writes_to_is_a_timeout_to_try_again(tmp_path):
    made = Made("sqlite:///stat.db", tmp_path)
    made.run(FIGURES)
    with closing(sqlite3.connect(tmp_path / "stat.db", isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        error = made.failure(timeout=0.1)
    assert error.reason is Failure.TIMEOUT
    assert error.retryable


def test_a_path_with_odd_characters_is_a_path(tmp_path):
    with closing(sqlite3.connect(tmp_path / "统计 #%41.db")) as connection:
        connection.execute(FIGURES)
    assert len(Made("sqlite:///统计 #%2541.db", tmp_path).fetch().observations) == 0


class _OtherDialect(SQLiteDialect_pysqlite):
    """SQLite under another name: a database whose read-only mode is not known here."""

    name = "other"
    supports_statement_cache = True


def test_on_a_database_without_known_guards_that_is_logged_and_nothing_is_kept(tmp_path, caplog):
    registry.register("other", __name__, "_OtherDialect")
    registry.impls["other"] = lambda: _OtherDialect
    made = Made("sqlite:///stat.db", tmp_path)
    made.run(FIGURES, "INSERT INTO figures VALUES ('就业', '2025-09', 1, '人')")
    made.url = f"other:///{tmp_path}/stat.db"
    assert made.fetch().observations.value.tolist() == [1]
    assert "action=sql_guard_missing" in caplog.text
    assert len(made.fetch("DELETE FROM figures RETURNING series, period, value, unit").observations) == 1
    made.url = "sqlite:///stat.db"
    assert len(made.run(SELECT)) == 1


def test_a_driver_that_is_not_installed_is_named(tmp_path):
    error = Made("postgresql+psycopg2://reader@127.0.0.1/stat", tmp_path).failure()
    assert error.reason is Failure.MISCONFIGURED
    assert "psycopg2" in error.detail


@pytest.mark.parametrize("option", ["url_file", "password_file"])
def test_a_secret_file_that_cannot_be_read_is_named(tmp_path, option):
    options = {"url": None} if option == "url_file" else {}
    error = Made("postgresql://reader@127.0.0.1:9/stat", tmp_path).failure(**{**options, option: "secret"})
    assert error.reason is Failure.MISCONFIGURED
    assert "secret" in error.detail


def test_an_address_file_that_holds_none_is_told_without_its_contents(tmp_path):
    (tmp_path / "url").write_text("no address but s3cret")
    error = Made("", tmp_path).failure(url=None, url_file="url")
    assert error.reason is Failure.MISCONFIGURED
    assert "s3cret" not in error.detail


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": None}, "url 与 url_file"),
        ({"url_file": "url"}, "url 与 url_file"),
        ({"url": "postgresql://reader:s3cret@127.0.0.1/stat"}, "password in url"),
        ({"url": "nonsense"}, "bad database url"),
        ({"url": "nosuch://127.0.0.1/stat"}, "bad database url"),
        ({"query": "SELECT * FROM figures WHERE period > :fist"}, "未知的参数 :fist"),
        ({"again": "2 months"}, "看不懂 again"),
        ({"columns": {"unit": "单位"}, "unit": "人"}, "unit 既是常量又有来源"),
        ({"columns": {"units": "单位"}}, "units: 不认识"),
        ({"timeout": 0}, "timeout"),
        ({"max_rows": 0}, "max_rows"),
    ],
)
def test_options_that_cannot_work_are_refused(options, words):
    with pytest.raises(Wrong, match=words) as caught:
        read(Sql.Options, {"url": "sqlite:///stat.db", "query": SELECT, **options})
    assert "s3cret" not in str(caught.value)


def test_a_cast_and_an_escaped_colon_are_no_parameters():
    read(
        Sql.Options,
        {"url": "sqlite:///x.db", "query": "SELECT '2025-09'::text AS period, ' \\:x' AS series, 1 AS value"},
    )


def test_what_no_number_can_hold_is_refused(tmp_path):
    made = Made("sqlite:///stat.db", tmp_path)
    (tmp_path / "stat.db").touch()
    (refusal,) = made.fetch(one("9e999")).refusals
    assert (refusal.reason, refusal.text) == (Refused.NOT_A_NUMBER, "inf")
