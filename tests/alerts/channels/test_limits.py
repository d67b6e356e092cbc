import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.channels import limits
from alerts.channels.limits import Limit, Slots, shorten, size, split

waits = st.lists(st.tuples(st.floats(0, 40), st.integers(1, 4)), max_size=80)
texts = st.lists(
    st.lists(st.text("甲乙a𠮷，", min_size=1, max_size=12), min_size=1, max_size=5), min_size=1, max_size=6
)


@pytest.mark.parametrize("most", [1, 3, 20])
@given(waits=waits)
def test_whatever_the_arrivals_no_window_holds_more_than_its_limit(most, waits):
    now, sent = 0.0, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "clock", lambda: now)
        slots = Slots(Limit(most, 60.0), Limit(max(most // 4, 1), 5.0))
        for wait, count in waits:
            now += wait
            if slots.take(count):
                sent += [now] * count
    for seconds, allowed in ((60.0, most), (5.0, max(most // 4, 1))):
        for first in sent:
            assert sum(first <= moment < first + seconds for moment in sent) <= allowed


@given(st.lists(st.floats(0, 40), min_size=5, max_size=60))
def test_room_that_was_refused_costs_nothing(waits):
    """Whoever asks again and again is let in as soon as the oldest message is a minute old."""
    now, sent = 0.0, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "clock", lambda: now)
        slots = Slots(Limit(2, 60.0))
        for wait in waits:
            now += wait
            free = sum(moment > now - 62 for moment in sent) < 2
            assert slots.take() is free
            if free:
                sent.append(now)


def test_one_robot_has_one_count_whoever_sends():
    minute = Limit(20, 60.0)
    assert limits.slots("http://a 1", minute) is limits.slots("http://a 1", minute)
    assert limits.slots("http://a 1", minute) is not limits.slots("http://a 2", minute)


@given(texts, st.integers(60, 200))
def test_a_text_is_cut_between_lines_and_none_is_lost(sections, most):
    lines = [line for section in sections for line in section]
    text = "\n\n".join("\n".join(section) for section in sections)
    parts = split(text, most)
    assert all(size(part) <= most for part in parts)
    assert [line for part in parts for line in part.split("\n") if line] == lines


@given(texts, st.integers(60, 200))
def test_a_section_that_fits_stays_whole(sections, most):
    text = "\n\n".join("\n".join(section) for section in sections)
    parts = split(text, most)
    for section in ("\n".join(section) for section in sections):
        assert any(section in part for part in parts) or size(section) > most


@given(st.text("甲乙a𠮷", max_size=60), st.integers(10, 60))
def test_a_line_too_long_by_itself_ends_in_an_ellipsis_and_halves_no_character(line, most):
    short = shorten(line, most)
    assert size(short) <= most
    assert short == line or (short.endswith("……") and line.startswith(short.removesuffix("……")))
