"""What every connector must keep. Subclass ``ConnectorContract`` in a test and give it your source; pytest runs the rest.

Ships with the connectors so that those of third parties can be held to it too.
It is the only module here that needs pytest; nothing that runs imports it.
"""

from abc import abstractmethod
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import ClassVar

import pandas as pd
import pytest
from msgspec.structs import replace

from connectors.base import Connector, ConnectorError
from connectors.observation import COLUMNS, STATUSES, Query, Reading, Refused, Status, frame

YEAR = Query(at=datetime(2026, 1, 31, tzinfo=UTC), first=date(2025, 1, 1), last=date(2025, 12, 31))


@dataclass(frozen=True)
class Row:
    """A figure as people write it; ``value`` None is a blank cell, ``known`` a publication date."""

    period: str = "2025-09"
    value: str | float | None = 1.5
    series: str = "城镇新增就业"
    subject: str = "万东镇"
    unit: str = "人"
    known: str = "2025-10-20"
    status: str = ""


MIXED = (
    Row(),
    Row(series="地区生产总值", value="1,234.5", unit="亿元"),
    Row(subject="南桐镇", value=None),
    Row(period="2025年10月", value="—", known="2025-11-20"),
    Row(period="2025年10月", subject="南桐镇", value="大约三千", known="2025-11-20"),
    Row(period="2025-13", value=8),
    Row(period="2025-11", value=9, known="快了"),
    Row(period="2025Q4", value="７８９", known="2026-01-20"),
    Row(value=2.5),
)
"""Three observations, four refusals and two blanks."""


class ConnectorContract:
    """Give ``connector`` (a source that holds exactly these rows, all seven fields mapped) and ``broken``.

    A source that cannot say when a figure was published sets ``dated`` to False.
    """

    dated: ClassVar[bool] = True

    @abstractmethod
    def connector(self, rows: tuple[Row, ...]) -> Connector: ...

    @abstractmethod
    def broken(self) -> Connector:
        """A connector whose source cannot be reached."""

    @pytest.fixture
    def _dated(self) -> None:
        if not self.dated:
            pytest.skip("the source states no publication dates")

    def read(self, *rows: Row, query: Query = YEAR) -> Reading:
        return self.connector(rows).fetch(query)

    def test_columns_and_dtypes_are_as_documented(self) -> None:
        found = self.read(*MIXED).observations
        assert list(found.columns) == list(COLUMNS)
        assert found.dtypes.to_dict() == frame([]).dtypes.to_dict()

    def test_columns_and_dtypes_are_the_same_without_any_figure(self) -> None:
        found = self.read(Row(value=None)).observations
        assert len(found) == 0
        assert found.dtypes.to_dict() == frame([]).dtypes.to_dict()

    def test_a_figure_is_read_with_all_that_belongs_to_it(self) -> None:
        found = self.read(Row()).observations.iloc[0]
        assert (found.series, found.subject, found.value, found.unit) == ("城镇新增就业", "万东镇", 1.5, "人")
        assert found.period == pd.Timestamp(2025, 9, 30)
        assert found.cell

    @pytest.mark.usefixtures("_dated")
    def test_a_publication_date_is_an_aware_midnight_of_its_place(self) -> None:
        assert self.read(Row()).observations.known_at[0] == pd.Timestamp("2025-10-20", tz="Asia/Shanghai")

    @pytest.mark.parametrize("blank", [None, "", "-", "—", "…", "\xa0"])
    def test_what_is_missing_is_never_zero(self, blank: str | None) -> None:
        found = self.read(Row(value=blank), Row(subject="南桐镇"))
        assert found.observations.value.tolist() == [1.5]
        assert found.refusals == ()

    @pytest.mark.parametrize("row", [Row(value="无"), Row(value=None, status="无"), Row(value="—", status="零报告")])
    def test_nothing_to_report_is_stated_and_is_no_number(self, row: Row) -> None:
        found = self.read(row, Row(subject="南桐镇")).observations
        assert found.value.isna().tolist() == [True, False]
        assert [STATUSES[code] for code in found.status] == [Status.NIL, Status.FINAL]
        assert self.read(row).observations.cell[0]

    def test_a_figure_is_final_unless_it_is_said_to_be_preliminary(self) -> None:
        words = ("", "核定", "初步数", "快报", "P")
        found = self.read(*(Row(status=word, subject=f"{word}镇") for word in words)).observations
        assert [STATUSES[code].value for code in found.status] == ["final", "final", "partial", "partial", "partial"]

    def test_a_status_that_nobody_knows_is_refused(self) -> None:
        (refusal,) = self.read(Row(), Row(subject="南桐镇", status="待定")).refusals
        assert (refusal.reason, refusal.text, refusal.period) == (Refused.BAD_STATUS, "待定", date(2025, 9, 30))

    def test_a_number_beside_nothing_to_report_is_refused(self) -> None:
        found = self.read(Row(value=0, status="无"))
        assert len(found.observations) == 0
        assert [refusal.reason for refusal in found.refusals] == [Refused.CONFLICT]

    def test_nothing_to_report_conflicts_with_a_figure_and_not_with_itself(self) -> None:
        found = self.read(Row(value="无"), Row(value="无"), Row(value=3))
        assert found.observations.value.isna().tolist() == [True]
        assert [refusal.text.split(" ≠ ")[1][:1] for refusal in found.refusals] == ["无"]

    def test_zero_is_a_figure(self) -> None:
        assert self.read(Row(value=0)).observations.value.tolist() == [0.0]

    @pytest.mark.parametrize("value", ["大约三千", "12人", "1_000", "NaN", "12,34"])
    def test_words_where_a_number_belongs_are_refused_with_cell_and_words(self, value: str) -> None:
        found = self.read(Row(), Row(subject="南桐镇", value=value))
        (refusal,) = found.refusals
        assert (refusal.reason, refusal.text) == (Refused.NOT_A_NUMBER, value)
        assert (refusal.series, refusal.subject) == ("城镇新增就业", "南桐镇")
        assert refusal.cell
        assert refusal.cell != found.observations.cell[0]

    def test_each_wrong_part_is_refused_with_its_own_reason(self) -> None:
        reasons = {refusal.reason: refusal.text for refusal in self.read(*MIXED).refusals}
        bad_date = {Refused.BAD_DATE: "快了"} if self.dated else {}
        assert reasons == {
            Refused.NOT_A_NUMBER: "大约三千",
            Refused.BAD_PERIOD: "2025-13",
            **bad_date,
            Refused.CONFLICT: reasons[Refused.CONFLICT],
        }
        assert "2.5 人 ≠ 1.5 人" in reasons[Refused.CONFLICT]

    def test_nothing_is_lost(self) -> None:
        found = self.read(*MIXED)
        blanks = [row for row in MIXED if row.value in (None, "—")]
        assert len(MIXED) == len(found.observations) + len(found.refusals) + len(blanks)

    def test_no_series_name_is_a_refusal(self) -> None:
        found = self.read(Row(), Row(series="", period="2025-08"))
        assert [refusal.reason for refusal in found.refusals] == [Refused.UNKNOWN_SERIES]

    def test_a_subject_left_blank_is_not_taken_for_the_whole(self) -> None:
        found = self.read(Row(), Row(subject="", period="2025-08"))
        assert [refusal.reason for refusal in found.refusals] == [Refused.WRONG_DIMENSION]

    def test_of_two_figures_for_one_thing_the_first_stays(self) -> None:
        found = self.read(Row(value=1), Row(period="2025年9月", value=2), Row(value=1))
        assert found.observations.value.tolist() == [1.0]
        assert [refusal.reason for refusal in found.refusals] == [Refused.CONFLICT]

    @pytest.mark.usefixtures("_dated")
    def test_a_revision_is_no_conflict(self) -> None:
        found = self.read(Row(value=1), Row(value=2, known="2025-12-20"))
        assert found.observations.value.tolist() == [1.0, 2.0]

    def test_the_same_source_reads_the_same_twice(self) -> None:
        connector = self.connector(MIXED)
        first, second = connector.fetch(YEAR), connector.fetch(YEAR)
        pd.testing.assert_frame_equal(first.observations, second.observations)
        assert first.refusals == second.refusals
        assert first.digest == second.digest
        assert len(first.digest) == 64

    @pytest.mark.usefixtures("_dated")
    def test_what_is_not_published_yet_is_left_out_and_not_refused(self) -> None:
        query = replace(YEAR, at=datetime(2025, 11, 1, tzinfo=UTC))
        found = self.read(Row(), Row(period="2025-10", known="2025-11-20"), query=query)
        assert found.observations.period.tolist() == [pd.Timestamp(2025, 9, 30)]
        assert found.refusals == ()

    @pytest.mark.usefixtures("_dated")
    def test_a_figure_is_public_from_the_first_second_of_its_day(self) -> None:
        midnight = datetime(2025, 10, 19, 16, tzinfo=UTC)
        assert len(self.read(Row(), query=replace(YEAR, at=midnight)).observations) == 1
        before = datetime(2025, 10, 19, 15, 59, 59, tzinfo=UTC)
        assert len(self.read(Row(), query=replace(YEAR, at=before)).observations) == 0

    def test_only_periods_that_are_asked_for_are_answered(self) -> None:
        query = replace(YEAR, first=date(2025, 9, 30), last=date(2025, 9, 30))
        rows = [Row(period=period) for period in ("2025-08", "2025-09", "2025-10", "2024年")]
        assert self.read(*rows, query=query).observations.period.tolist() == [pd.Timestamp(2025, 9, 30)]

    def test_a_source_out_of_reach_is_one_error_with_a_reason_and_no_traceback(self) -> None:
        with pytest.raises(ConnectorError) as caught:
            self.broken().fetch(YEAR)
        assert caught.value.reason
        assert "Traceback" not in caught.value.detail
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
