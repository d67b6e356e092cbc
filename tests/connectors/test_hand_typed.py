"""Tables of real people, read right by mapping alone: each quirk with the cell that has it and what is read there."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from connectors import strict
from connectors.observation import LeftOut, Query, Reading, Refused
from connectors.table_file import TableFile
from tests.connectors.test_table_file import rested

DATA = Path(__file__).parent / "data"
ALL = Query(datetime(2026, 6, 30, tzinfo=UTC), date(2014, 1, 1), date(2026, 12, 31))
WORKBOOK = "hand_typed_macro.xlsx"
TRADE = {
    "path": WORKBOOK,
    "sheet": "出口",
    "columns": {"subject": "A列"},
    "across": {"year": 1, "series": 3, "period": 5},
    "to_date": "累计",
}
MONTHLY = {"path": WORKBOOK, "columns": {"period": "月份"}, "dates": "month"}
MAPPINGS = {
    "financing": MONTHLY
    | {
        "sheet": "社会融资规模增量统计",
        "values": {"社会融资规模增量(亿元)": "社融", "人民币贷款(亿元)": "贷款", "外币贷款(折合人民币)": "外币贷款"},
    },
    "investment": {
        "path": WORKBOOK,
        "sheet": "固投月度增长",
        "columns": {"series": "指标"},
        "across": {"period": 1},
        "dates": "month",
    },
    "currency": MONTHLY
    | {"sheet": "USD-CNY", "columns": {"period": "日期"}, "values": {"收盘": "汇率", "涨跌幅": "涨跌"}},
    "retail": MONTHLY
    | {
        "sheet": "消费（没有1-2月）",
        "values": {"月度社会消费品零售总额（亿元）": "社零", "服务业生产指数(当月同比增速%)": "服务业"},
    },
    "money": MONTHLY | {"sheet": "M2", "values": {"货币和准货币(M2)/数量(亿元)": "M2", "货币(M1)/同比增长": "M1增速"}},
    "pmi": MONTHLY | {"sheet": "PMI", "columns": {"period": "A列"}, "values": {"PMI": "PMI", "生产": "生产"}},
    "prices": MONTHLY | {"sheet": "工业品出厂价格指数(PPI)", "values": {"当月": "PPI", "当月同比增长": "PPI增速"}},
    "loans": MONTHLY
    | {"sheet": "新增信贷数据（亿元）", "values": {"当月(亿元)": "新增", "环比增长": "环比", "F列": "累计增速"}},
    "industry": MONTHLY | {"sheet": "工业增加值增长（没有一月）", "values": {"同比增长": "当月", "累计增长": "累计"}},
    "trade": TRADE | {"skip": ["累计比去年同期±％"]},
    "growth": {
        "path": WORKBOOK,
        "sheet": "出口",
        "header": "1-5",
        "columns": {"subject": "A列"},
        "values": {"2025/累计比去年同期±％/出口": {"series": "出口增速", "period": "2025年1—11月"}},
    },
    "homes": MONTHLY
    | {
        "sheet": "新房价指数",
        "columns": {"period": "日期", "subject": "城市"},
        "fill": ["period"],
        "values": {"新建商品住宅价格指数/环比": "新房", "二手住宅价格指数/同比": "二手房", "H列": "定基"},
    },
    "gdp": {
        "path": "nbs_quarterly_gdp_current_prices.csv",
        "columns": {"series": "Indicators"},
        "across": {"period": 3},
        "unit": "亿元",
    },
    "gdp-indices": {
        "path": "nbs_quarterly_gdp_indices.csv",
        "columns": {"series": "Indicators"},
        "across": {"period": 3},
        "unit": "上年=100",
    },
    "air": {
        "path": "chongqing_daily_2025.csv",
        "columns": {"subject": "city", "period": "date"},
        "values": {"AQI": "AQI", "PM2.5": "PM2.5"},
    },
    "air-headless": {
        "path": "chongqing_daily_2015-07_2016-11.csv",
        "header": 0,
        "columns": {"period": "A列", "value": "B列"},
        "series": "AQI",
        "subject": "重庆",
    },
    "air-snapshot": {
        "path": "waqi_snapshot_20251209.csv",
        "columns": {"subject": "city_cn", "period": "update_time"},
        "values": {"aqi": "AQI", "co": "CO"},
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files as they lie in an office: for a while."""
    place = tmp_path_factory.mktemp("files")
    for mapping in MAPPINGS.values():
        rested(Path(shutil.copyfile(DATA / mapping["path"], place / mapping["path"])))
    return place


@pytest.fixture(scope="module")
def read(folder):
    readings: dict[str, Reading] = {}

    def reading(name: str) -> Reading:
        if name not in readings:
            readings[name] = TableFile(strict.read(TableFile.Options, MAPPINGS[name]), folder).fetch(ALL)
        return readings[name]

    return reading


FINANCING, FAI, RETAIL, LOANS, IP = (
    "社会融资规模增量统计",
    "固投月度增长",
    "消费（没有1-2月）",
    "新增信贷数据（亿元）",
    "工业增加值增长（没有一月）",
)
GDP = "Gross Domestic Product, Accumulated (100 million yuan)"


@pytest.mark.parametrize(
    ("name", "cell", "series", "subject", "period", "value", "unit"),
    [
        pytest.param("financing", f"{FINANCING}!B5", "社融", "", "2025-10-31", 8161, "亿元", id="line break in a title"),
        pytest.param("financing", f"{FINANCING}!C134", "贷款", "", "2015-01-31", 14708, "亿元", id="header of 3 merged rows"),
        pytest.param("financing", f"{FINANCING}!D6", "外币贷款", "", "2025-09-30", -129, "亿元", id="unit of the heading above"),
        pytest.param("investment", f"{FAI}!B2", "制造业固定资产投资额累计增长(%)", "", "2025-11-30", 1.9, "%", id="dates across"),
        pytest.param("currency", "USD-CNY!B2", "汇率", "", "2025-12-31", 6.9888, "", id="a day that stands for its month"),
        pytest.param("currency", "USD-CNY!F2", "涨跌", "", "2025-12-31", -1.22, "%", id="-0.0122 shown as -1.22%"),
        pytest.param("retail", f"{RETAIL}!B2", "社零", "", "2025-09-30", 41971, "亿元", id="unit in full-width brackets"),
        pytest.param("retail", f"{RETAIL}!H2", "服务业", "", "2025-09-30", 5.6, "%", id="hard blank behind a title"),
        pytest.param("money", "M2!B3", "M2", "", "2025-11-30", 3369890.52, "亿元", id="title under a merged one"),
        pytest.param("money", "M2!F3", "M1增速", "", "2025-11-30", 4.9, "%", id="0.049 shown as 4.90%"),
        pytest.param("pmi", "PMI!B3", "PMI", "", "2017-12-31", 51.6, "", id="blank header cell, oldest first"),
        pytest.param("prices", "工业品出厂价格指数(PPI)!C2", "PPI增速", "", "2025-11-30", -2.2, "%", id="NBSP inside 月份"),
        pytest.param("loans", f"{LOANS}!D2", "环比", "", "2025-11-30", 2760, "%", id="27.6 shown as 2760%"),
        pytest.param("loans", f"{LOANS}!F2", "累计增速", "", "2025-11-30", -7.87, "%", id="two columns of one name"),
        pytest.param("industry", f"{IP}!C11", "累计", "", "2025-02-28", 5.9, "%", id="no January"),
        pytest.param("trade", "出口!B6", "进出口", "总值", "2025-11-30", 389868989, "万元", id="number as text, NBSP behind"),
        pytest.param("trade", "出口!E7", "出口累计", "美国", "2025-11-30", 276472620, "万元", id="1至11月 beside 11月"),
        pytest.param("trade", "出口!N8", "出口累计", "东南亚国家联盟", "2024-11-30", 374374355, "万元", id="years side by side"),
        pytest.param("growth", "出口!I6", "出口增速", "总值", "2025-11-30", 6.2, "%", id="a period that no cell states"),
        pytest.param("homes", "新房价指数!C4", "新房", "上海", "2025-11-30", 100.1, "", id="serial date, filled forward"),
        pytest.param("homes", "新房价指数!G42", "二手房", "上海", "2024-04-30", 92.5, "", id="last row"),
        pytest.param("gdp", "第5行C列", GDP, "", "2025-12-31", 1401879.2, "亿元", id="TAB+comma, comma in a name"),
        pytest.param("gdp-indices", "第5行D列", "Indices of Gross Domestic Product (preceding year=100) , Accumulated", "", "2025-09-30", 105.2, "上年=100", id="3Q 2025"),
        pytest.param("air", "第2行C列", "AQI", "重庆", "2025-01-01", 133.625, "", id="daily"),
        pytest.param("air-headless", "第519行", "AQI", "重庆", "2016-11-30", 102, "", id="no header"),
        pytest.param("air-snapshot", "第25行C列", "AQI", "上海", "2025-12-09", 53, "", id="time of day"),
    ],
)  # fmt: skip
def test_a_quirk_is_read_as_it_is_meant(read, name, cell, series, subject, period, value, unit):
    found = read(name).observations.set_index("cell").loc[cell]
    assert (found.series, found.subject, found.unit) == (series, subject, unit)
    assert found.value == pytest.approx(value, rel=1e-12)
    assert f"{found.period:%Y-%m-%d}" == period


@pytest.mark.parametrize(
    ("name", "observations", "refused", "left_out"),
    [
        ("financing", 390, {}, {LeftOut.BLANK: 3}),
        ("investment", 155, {Refused.BAD_PERIOD: 5}, {LeftOut.BLANK: 10}),
        ("retail", 138, {Refused.BAD_PERIOD: 1}, {}),
        ("pmi", 194, {}, {LeftOut.BLANK: 2, LeftOut.REPEATED: 4}),
        ("industry", 191, {}, {LeftOut.BLANK: 9}),
        ("trade", 72, {}, {LeftOut.BLANK: 12}),
        ("homes", 80, {}, {LeftOut.BLANK: 40}),
        ("gdp", 32 * 18, {}, {}),
        ("gdp-indices", 32 * 18, {}, {}),
        ("air", 2 * 263, {}, {}),
        ("air-headless", 519, {}, {}),
    ],
)
def test_what_is_not_taken_is_counted(read, name, observations, refused, left_out):
    found = read(name)
    reasons = [refusal.reason for refusal in found.refusals]
    assert len(found.observations) == observations
    assert {reason: reasons.count(reason) for reason in set(reasons)} == refused
    assert {why: found.left_out.get(why, 0) for why in left_out} == left_out


def test_figures_under_a_blank_date_are_refused_where_they_stand(read):
    assert [refusal.cell for refusal in read("investment").refusals] == [f"{FAI}!AI{row}" for row in range(2, 7)]
    assert [refusal.cell for refusal in read("retail").refusals] == [f"{RETAIL}!A71"]


def test_columns_that_nobody_asked_for_are_named(read):
    assert read("air").unread == ("CO", "NO2", "O3", "PM10", "SO2")
    assert read("trade").unread[0] == "2025/累计比去年同期±％/进出口"


def test_a_month_and_the_year_to_date_are_not_mixed(folder):
    mixed = {name: option for name, option in TRADE.items() if name != "to_date"} | {"skip": ["累计比去年同期±％"]}
    found = TableFile(strict.read(TableFile.Options, mixed), folder).fetch(ALL)
    assert {refusal.reason for refusal in found.refusals} == {Refused.CONFLICT}
    assert len(found.observations) + len(found.refusals) == 72


def test_a_title_that_is_no_period_is_refused_unless_it_is_skipped_or_explained(folder):
    said = {"2025/累计比去年同期±％/进出口": {"series": "进出口增速", "period": "1—11月"}}
    found = TableFile(strict.read(TableFile.Options, {**TRADE, "values": said}), folder).fetch(ALL)
    assert {refusal.text for refusal in found.refusals} == {
        "2025年出口",
        "2025年进口",
        "2024年进出口",
        "2024年出口",
        "2024年进口",
    }
    growth = found.observations.set_index("cell").loc["出口!H6"]
    assert (growth.series, growth.value, growth.unit) == ("进出口增速", 3.6, "%")
