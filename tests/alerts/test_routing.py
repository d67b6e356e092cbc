"""Who hears of a change: every unit asked to act, and the office that supervises."""

from collections.abc import Sequence

import pytest

from alerts.routing import DEFAULT, Contact, Route, routes

MAIL, FOLDER = Contact("email", "jobs@example.org"), Contact("folder", "")
CONTACTS = {
    "人力社保局": [MAIL, FOLDER],
    "财政局": [Contact("webhook", "http://example.org/cz")],
    "督查办": [Contact("folder", "")],
    "无人值守局": [],
    DEFAULT: [Contact("folder", "all")],
}


def _told(lead: Sequence[str], supervisor: str = "督查办") -> list[tuple[str, str, str]]:
    return [route[:3] for route in routes(lead, lead, supervisor, CONTACTS)]


@pytest.mark.parametrize(
    ("lead", "told"),
    [
        (["人力社保局"], [("人力社保局", "email", "jobs@example.org"), ("人力社保局", "folder", "")]),
        (["财政局"], [("财政局", "webhook", "http://example.org/cz")]),
        (["商务局"], [("商务局", "folder", "all")]),
        (["财政局", "商务局"], [("财政局", "webhook", "http://example.org/cz"), ("商务局", "folder", "all")]),
        (["无人值守局"], []),
    ],
    ids=["each contact of a unit", "one contact", "the default", "several leads", "a unit that wants nothing"],
)
def test_every_lead_unit_hears_by_each_of_its_contacts(lead: list[str], told: list[tuple[str, str, str]]) -> None:
    assert _told(lead) == [*told, ("督查办", "folder", "")]


def test_an_office_that_leads_itself_hears_once() -> None:
    assert _told(["督查办"]) == [("督查办", "folder", "")]


def test_a_supervisor_without_an_entry_of_its_own_is_not_told_through_the_default() -> None:
    assert _told(["财政局"], supervisor="政府办") == [("财政局", "webhook", "http://example.org/cz")]


def test_without_any_contact_nobody_can_be_reached() -> None:
    assert routes(["财政局"], ["财政局"], "督查办", {}) == []


def test_each_receiver_is_told_why() -> None:
    reporter, lead, supervisor = routes(
        ["人力社保局", "财政局"], ["财政局"], "督查办", {**CONTACTS, "人力社保局": [MAIL]}
    )
    assert reporter == Route("人力社保局", "email", "jobs@example.org", "人力社保局负责报送该目标的数据")
    assert lead == Route("财政局", "webhook", "http://example.org/cz", "财政局是该目标的牵头单位")
    assert supervisor.why == "督查办负责督办本方案"
