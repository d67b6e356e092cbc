"""What every channel must do, whatever it carries letters with. A channel's own tests subclass ChannelContract."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

import pytest

from alerts.bulletin import Bulletin, bulletin
from alerts.channels.base import Channel
from alerts.delivery import Result
from alerts.digest import compose
from tests.alerts.builders import data_notice, key, letter, milestone_notice, pace_notice, send

TIMEOUT = 1.0
"""Seconds a channel under test may take for one letter."""
AT = datetime.fromisoformat("2025-10-27T09:00:00+08:00")
SECRET = "s3cret-Key-of-ours"


class Receiver(Protocol):
    """A real receiver at the other end, and a channel that leads to it."""

    channel: Channel
    address: str

    def letters(self) -> list[str]:
        """All that a reader sees of each letter, one a key; an attempt repeated under the same key counts once."""

    def refuse(self) -> None:
        """From now on, take nothing; say the secret in the refusal, if there is a way to say anything."""

    def stall(self) -> None:
        """From now on, answer nothing in time."""

    def vanish(self) -> None:
        """Be gone."""

    def recover(self) -> None:
        """From now on, take letters again after ``refuse``."""


class ChannelContract:
    """Subclasses give ``receiver``."""

    @pytest.fixture
    def receiver(self) -> Iterator[Receiver]:
        raise NotImplementedError

    def test_a_digest_arrives_with_all_its_alerts(self, receiver):
        said = [
            pace_notice(target="jobs", name="城镇就业"),
            data_notice(target="gdp", name="生产总值"),
            pace_notice("resolved", target="trade", name="进出口额"),
        ]
        ((notice, _),) = compose(enumerate(said), AT)
        attempt = send(receiver.channel, letter(notice, address=receiver.address))
        assert attempt.result is Result.SENT, attempt
        text = half_width("\n".join(receiver.letters()))
        assert [name for name in ("城镇就业", "2576人", "生产总值", "进出口额", "4180人") if name not in text] == []

    def test_a_letter_arrives_with_all_its_facts(self, receiver):
        sent = letter(pace_notice(), address=receiver.address)
        attempt = send(receiver.channel, sent)
        assert attempt.result is Result.SENT, attempt
        (text,) = map(half_width, receiver.letters())
        notice = sent.notice
        facts = [notice.name, notice.goal, notice.by, notice.actual_text, notice.period, notice.expected_text]
        facts += [notice.gap_text, notice.pace_text, notice.rule, notice.origin, notice.mark, notice.section]
        facts += [*notice.lead, *notice.responsible, sent.why, f"第{notice.item}项", notice.book_title]
        missing = [fact for fact in facts if half_width(fact) not in text]
        assert not missing

    def test_the_same_key_twice_is_one_letter_at_a_receiver_that_honours_it(self, receiver):
        sent = letter(address=receiver.address)
        assert send(receiver.channel, sent).result is Result.SENT
        assert send(receiver.channel, sent).result is Result.SENT
        assert len(receiver.letters()) == 1

    def test_different_keys_are_different_letters(self, receiver):
        for number in range(20):
            sent = letter(key=key(number), address=receiver.address)
            assert send(receiver.channel, sent).result is Result.SENT
        assert len(receiver.letters()) == 20

    def test_every_kind_and_event_arrives(self, receiver):
        notices = [pace_notice(event) for event in ("fired", "worsened", "eased", "resolved")]
        notices += [pace_notice(event) for event in ("corrected", "corrected past", "edited", "withdrawn")]
        notices += [data_notice("fired"), data_notice("resolved"), data_notice("withdrawn"), milestone_notice()]
        notices += [bulletin(Bulletin.HEARTBEAT, "一切正常", ["消息：待发0条"], AT)]
        for number, notice in enumerate(notices):
            attempt = send(receiver.channel, letter(notice, key=key(number), address=receiver.address))
            assert attempt.result is Result.SENT
        assert len(receiver.letters()) == len(notices)

    def test_an_exercise_says_that_it_is_one_before_anything_else(self, receiver):
        said = bulletin(Bulletin.DRILL, "督办消息渠道演练", ["演练范围：全部接收单位"], AT)
        assert send(receiver.channel, letter(said, address=receiver.address)).result is Result.SENT
        (text,) = receiver.letters()
        assert "【演练】督办消息渠道演练" in text
        assert "预警" not in text

    def test_words_of_every_script_arrive_unharmed(self, receiver):
        odd = "綦江区·㐂𠮷 «é» 😀 <b>&\"'\\ 100%"
        notice = pace_notice(name=odd, subject="綦江区", lead=("龘局", "Ⅲ类处"), origin="数据/九月 (终版).xlsx")
        sent = letter(notice, receiver="党工委、管委会", address=receiver.address)
        assert send(receiver.channel, sent).result is Result.SENT
        (text,) = receiver.letters()
        assert odd in text
        assert "龘局、Ⅲ类处" in text

    def test_a_refusal_is_an_attempt_and_never_an_exception(self, receiver):
        receiver.refuse()
        attempt = send(receiver.channel, letter(address=receiver.address))
        assert attempt.result is not Result.SENT
        assert attempt.answer

    def test_a_receiver_that_is_gone_is_worth_another_attempt(self, receiver):
        receiver.vanish()
        attempt = send(receiver.channel, letter(address=receiver.address))
        assert attempt.result is Result.UNREACHABLE, attempt
        assert not attempt.permanent
        assert attempt.answer

    def test_a_channel_goes_on_after_a_failure(self, receiver):
        receiver.refuse()
        assert send(receiver.channel, letter(address=receiver.address)).result is not Result.SENT
        receiver.recover()
        assert send(receiver.channel, letter(address=receiver.address)).result is Result.SENT
        assert len(receiver.letters()) == 1

    def test_a_slow_receiver_is_left_within_the_timeout(self, receiver):
        receiver.stall()
        started = time.monotonic()
        attempt = send(receiver.channel, letter(address=receiver.address))
        assert time.monotonic() - started < TIMEOUT * 2
        assert attempt.result is Result.TIMEOUT, attempt
        assert not attempt.permanent

    def test_no_secret_stands_in_an_answer_or_a_repr(self, receiver):
        receiver.refuse()
        attempt = send(receiver.channel, letter(address=receiver.address))
        for shown in (repr(attempt), attempt.answer, repr(receiver.channel), str(receiver.channel)):
            assert SECRET not in shown

    def test_an_answer_is_one_line_of_at_most_500_characters(self, receiver):
        receiver.refuse()
        answer = send(receiver.channel, letter(address=receiver.address)).answer
        assert len(answer) <= 500
        assert "\n" not in answer

    def test_a_closed_channel_may_be_closed_again_and_used_again(self, receiver):
        send(receiver.channel, letter(address=receiver.address))
        receiver.channel.close()
        receiver.channel.close()
        attempt = send(receiver.channel, letter(key="f" * 32, address=receiver.address))
        assert attempt.result is Result.SENT


def half_width(text: str) -> str:
    """``text`` with the marks that commands and pages use."""
    for full, half in {"\uff0c": ", ", "\uff1a": ": ", "\uff08": "(", "\uff09": ")"}.items():
        text = text.replace(full, half)
    return text
