"""The contract suite, run for every built-in connector on real files and a real server."""

import csv
import json
import sqlite3
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import psycopg
import pytest
import xlwt
from openpyxl import Workbook
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from connectors.contract import ConnectorContract, Row
from connectors.http_json import HttpJson
from connectors.prometheus import Prometheus
from connectors.push import FIELDS, Batch, Push
from connectors.sdmx import Sdmx
from connectors.sql import Sql
from connectors.strict import read
from connectors.table_file import TableFile
from tests.servers.postgres import Postgres

TITLES = {
    "series": "指标",
    "subject": "地区",
    "period": "期间",
    "value": "数值",
    "unit": "单位",
    "known": "发布日期",
    "status": "状态",
}


def _table(path: Path) -> TableFile:
    return TableFile(read(TableFile.Options, {"path": path.name, "columns": TITLES}), path.parent)


class TestCsv(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _in_a_folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "figures.csv"

    def connector(self, rows: tuple[Row, ...]) -> TableFile:
        with self.path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(TITLES.values())
            writer.writerows([asdict(row)[field] for field in TITLES] for row in rows)
        return _table(self.path)

    def broken(self) -> TableFile:
        return _table(self.path)


class TestXlsx(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _in_a_folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "figures.xlsx"

    def connector(self, rows: tuple[Row, ...]) -> TableFile:
        book = Workbook()
        book.active.append(list(TITLES.values()))
        for row in rows:
            book.active.append([asdict(row)[field] for field in TITLES])
        book.save(self.path)
        return _table(self.path)

    def broken(self) -> TableFile:
        return _table(self.path)


class TestPushed(ConnectorContract):
    def connector(self, rows: tuple[Row, ...]) -> Batch:
        said = [{name: text for name, text in asdict(row).items() if name in FIELDS} for row in rows]
        return self._batch(json.dumps({"observations": said}).encode())

    def broken(self) -> Batch:
        return self._batch(b"")

    def _batch(self, body: bytes) -> Batch:
        return Push(read(Push.Options, {"token_env": "TOKEN"}), Path()).handed_in(body, table=False)


class TestXls(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _in_a_folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "figures.xls"

    def connector(self, rows: tuple[Row, ...]) -> TableFile:
        book = xlwt.Workbook()
        sheet = book.add_sheet("表")
        for line, cells in enumerate(
            [list(TITLES.values()), *([asdict(row)[field] for field in TITLES] for row in rows)]
        ):
            for place, content in enumerate(cells):
                sheet.write(line, place, content)
        book.save(str(self.path))
        return _table(self.path)

    def broken(self) -> TableFile:
        return _table(self.path)


class TestFolderOfFiles(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _in_a_folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "files"

    def connector(self, rows: tuple[Row, ...]) -> TableFile:
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "figures.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(TITLES.values())
            writer.writerows([asdict(row)[field] for field in TITLES] for row in rows)
        return self.broken()

    def broken(self) -> TableFile:
        return TableFile(read(TableFile.Options, {"path": "files/*.csv", "columns": TITLES}), self.folder.parent)


class TestHttpJson(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _at_a_server(self, httpserver: HTTPServer, tmp_path: Path) -> None:
        self.server, self.folder = httpserver, tmp_path

    def _at(self, url: str) -> HttpJson:
        fields = {field: f"figure.{field}" for field in TITLES}
        return HttpJson(
            read(HttpJson.Options, {"url": url, "rows": "data.rows", "fields": fields, "retries": 0}), self.folder
        )

    def connector(self, rows: tuple[Row, ...]) -> HttpJson:
        answer = {"data": {"rows": [{"figure": asdict(row)} for row in rows]}}
        self.server.expect_request("/figures").respond_with_data(json.dumps(answer), content_type="application/json")
        return self._at(self.server.url_for("/figures"))

    def broken(self) -> HttpJson:
        return self._at("http://127.0.0.1:9/figures")


class TestSqlite(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _in_a_folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "figures.db"

    def connector(self, rows: tuple[Row, ...]) -> Sql:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("DROP TABLE IF EXISTS figures")
            connection.execute("CREATE TABLE figures (series, subject, period, value, unit, known, status)")
            sent = [tuple(asdict(row)[field] for field in TITLES) for row in rows]
            connection.executemany("INSERT INTO figures VALUES (?, ?, ?, ?, ?, ?, ?)", sent)
        return self._at("sqlite:///figures.db")

    def broken(self) -> Sql:
        return self._at("sqlite:///nowhere.db")

    def _at(self, url: str) -> Sql:
        return Sql(read(Sql.Options, {"url": url, "query": "SELECT * FROM figures ORDER BY rowid"}), self.path.parent)


@pytest.fixture(scope="module")
def postgres_url(postgres: Postgres) -> str:
    return postgres.url(postgres.create())


class TestPostgres(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _at_a_server(self, postgres_url: str) -> None:
        self.url = postgres_url

    def connector(self, rows: tuple[Row, ...]) -> Sql:
        with psycopg.connect(self.url) as connection:
            connection.execute("DROP TABLE IF EXISTS figures")
            names = ", ".join(f"{field} text" for field in TITLES)
            connection.execute(f"CREATE TABLE figures (row serial, {names})")
            for row in rows:
                sent = [asdict(row)[field] for field in TITLES]
                connection.execute(
                    f"INSERT INTO figures ({', '.join(TITLES)}) VALUES (%s, %s, %s, %s, %s, %s, %s)",
                    [None if cell is None else str(cell) for cell in sent],
                )
        return self._at(self.url)

    def broken(self) -> Sql:
        return self._at("postgresql://127.0.0.1:9/stat")

    def _at(self, url: str) -> Sql:
        query = f"SELECT {', '.join(TITLES)} FROM figures ORDER BY row"
        return Sql(read(Sql.Options, {"url": url, "query": query}), Path())


class TestPrometheus(ConnectorContract):
    """Samples that state their period; the same figure twice comes from two instances."""

    @pytest.fixture(autouse=True)
    def _at_a_server(self, httpserver: HTTPServer) -> None:
        self.server = httpserver

    def _at(self, url: str) -> Prometheus:
        labels = {field: field for field in TITLES if field != "value"}
        return Prometheus(
            read(Prometheus.Options, {"url": url, "query": "figures", "labels": labels, "retries": 0}), Path()
        )

    def connector(self, rows: tuple[Row, ...]) -> Prometheus:
        def answer(request: Request) -> Response:
            found = []
            for number, row in enumerate(rows):
                metric = {"__name__": "figures", "instance": f"host{number}", **asdict(row)}
                value = metric.pop("value")
                found.append({"metric": metric, "value": [float(request.args["time"]), value]})
            return Response(json.dumps({"status": "success", "data": {"resultType": "vector", "result": found}}))

        self.server.expect_request("/api/v1/query").respond_with_handler(answer)
        return self._at(self.server.url_for(""))

    def broken(self) -> Prometheus:
        return self._at("http://127.0.0.1:9")


class TestSdmx(ConnectorContract):
    """SDMX-JSON; the same figure twice stands under two values of a dimension that nobody maps."""

    @pytest.fixture(autouse=True)
    def _in_a_folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def connector(self, rows: tuple[Row, ...]) -> Sdmx:
        names = ["row", "series", "subject", "unit", "known", "status"]
        listed = [{"row": str(number), **asdict(row)} for number, row in enumerate(rows)]
        values = {name: [row[name] for row in listed] for name in [*names, "period"]}
        message = {
            "header": {"id": "x", "test": False, "prepared": "2025-10-20T00:00:00Z", "sender": {"id": "S"}},
            "dataSets": [
                {
                    "action": "Information",
                    "series": {
                        ":".join([str(place)] * len(names)): {
                            "attributes": [],
                            "observations": {str(place): [row["value"]]},
                        }
                        for place, row in enumerate(listed)
                    },
                }
            ],
            "structure": {
                "dimensions": {
                    "series": [_dimension(name, place, values[name]) for place, name in enumerate(names)],
                    "observation": [_dimension("TIME_PERIOD", len(names), values["period"])],
                },
                "attributes": {"dataSet": [], "series": [], "observation": []},
            },
        }
        (self.folder / "figures.json").write_text(json.dumps(message), encoding="utf-8")
        return self.broken()

    def broken(self) -> Sdmx:
        dimensions = {name: name for name in ("series", "subject", "unit", "known", "status")}
        return Sdmx(read(Sdmx.Options, {"path": "figures.json", "dimensions": dimensions}), self.folder)


def _dimension(name: str, place: int, values: list[str]) -> dict[str, object]:
    return {"id": name, "name": name, "keyPosition": place, "values": [{"id": one, "name": one} for one in values]}
