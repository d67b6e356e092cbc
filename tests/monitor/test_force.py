"""What is in force, asked for by name."""

import pytest

from monitor.force import target_of
from rules.document import Invalid
from tests.rules.builders import a_book


def test_a_target_that_is_asked_for_by_its_name_is_answered_with_its_id():
    book = a_book({"name": "城镇新增就业"})
    assert target_of(book, "t0").name == "城镇新增就业"
    with pytest.raises(Invalid, match=r"没有目标 '城镇新增就业' \(unknown target\); 名为此的目标，编号为 't0'"):
        target_of(book, "城镇新增就业")
    with pytest.raises(Invalid, match="是否应为 't0'"):
        target_of(book, "t00")
