"""The contract suite, run for every built-in connector on real files and a real server."""

import csv
import json
from dataclasses import asdict
from pathlib import Path

import pytest
from openpyxl import Workbook
from pytest_httpserver import HTTPServer

from connectors.http_json import HttpJson
from connectors.table_file import TableFile
from tests.connectors.contract import ConnectorContract, Row

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
    return TableFile(TableFile.Options(path=path.name, columns=TITLES), path.parent)


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


class TestHttpJson(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _at_a_server(self, httpserver: HTTPServer, tmp_path: Path) -> None:
        self.server, self.folder = httpserver, tmp_path

    def _at(self, url: str) -> HttpJson:
        fields = {field: f"figure.{field}" for field in TITLES}
        return HttpJson(HttpJson.Options(url=url, rows="data.rows", fields=fields, retries=0), self.folder)

    def connector(self, rows: tuple[Row, ...]) -> HttpJson:
        answer = {"data": {"rows": [{"figure": asdict(row)} for row in rows]}}
        self.server.expect_request("/figures").respond_with_data(json.dumps(answer), content_type="application/json")
        return self._at(self.server.url_for("/figures"))

    def broken(self) -> HttpJson:
        return self._at("http://127.0.0.1:9/figures")
