"""Deliveries: one change on its way to one receiver through one channel, at least once."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from alerts.notice import Notice

MAX_ATTEMPTS = 24
"""A little more than a day of trying; then the delivery is a dead letter that people must look at."""
LEASE = timedelta(minutes=2)
"""How long a sender that took a delivery may be silent before another one takes it."""
_FIRST, _LONGEST = timedelta(seconds=5), timedelta(hours=2)


class Status(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"
    SUPPRESSED = "suppressed"

    @property
    def text(self) -> str:
        return {
            Status.QUEUED: "待发",
            Status.SENDING: "正在发送",
            Status.SENT: "已送达",
            Status.DEAD: "未能送达",
            Status.SUPPRESSED: "缓发",
        }[self]


UNSENT = tuple(status for status in Status if status is not Status.SENT)
"""What has not arrived. What has is all that ever did: to count it takes ever longer."""


class Result(StrEnum):
    """What came of one attempt. The same word is stored, logged and counted."""

    SENT = "sent"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    REJECTED = "rejected"
    THROTTLED = "throttled"
    MISCONFIGURED = "misconfigured"
    INTERNAL = "internal"
    REDRIVEN = "redriven"  # no attempt: a person had a dead letter tried again

    @property
    def text(self) -> str:
        return {
            Result.SENT: "已送达",
            Result.UNREACHABLE: "无法连接",
            Result.TIMEOUT: "超时未答",
            Result.REJECTED: "对方拒收",
            Result.THROTTLED: "对方限流",
            Result.MISCONFIGURED: "配置有误",
            Result.INTERNAL: "内部错误",
            Result.REDRIVEN: "重新投递",
        }[self]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try. ``answer`` holds the receiver's own words; ``retry_after`` its wish, if it had one.

    A permanent failure is not tried again.
    """

    result: Result
    answer: str
    permanent: bool = False
    retry_after: timedelta | None = None


class Delivery(Struct, frozen=True, gc=False):
    """A row of the outbox, taken by a sender. ``attempts`` counts the earlier tries, ``notice`` is what it says."""

    id: int
    key: str
    receiver: str
    channel: str
    address: str
    why: str
    attempts: int
    notice: Notice


@dataclass(frozen=True, slots=True)
class Try:
    """One try; also, as ``Result.REDRIVEN``, the order to try again, its ``answer`` the name of who gave it."""

    at: datetime
    result: Result
    answer: str


@dataclass(frozen=True, slots=True)
class Sending:
    """One message to one receiver. ``about`` is book/target/subject/kind of its alert, or what else it is (drill).

    ``suppressed`` is why it waited, or waits until ``due_at``, "" for one that never did; ``digest`` is the number of
    the message that tells it together with others;
    ``due_at`` is its next try while it is queued; ``finished_at`` is set once it is sent or given up.
    """

    id: int
    change_id: int | None
    about: str
    event: str
    receiver: str
    channel: str
    address: str
    why: str
    status: Status
    attempts: int
    due_at: datetime
    finished_at: datetime | None
    suppressed: str
    digest: int | None
    tries: tuple[Try, ...]


def key(change: int | str, receiver: str, channel: str, address: str) -> str:
    """What a receiver may use to recognise a repetition: the same for every attempt of one delivery."""
    return hashlib.sha256(f"{change}|{receiver}|{channel}|{address}".encode()).hexdigest()[:32]


def after(delivery: Delivery, attempt: Attempt, at: datetime) -> tuple[Status, datetime]:
    """What becomes of a delivery after an attempt, and when it is due again."""
    if attempt.result is Result.SENT:
        return Status.SENT, at
    if attempt.permanent or delivery.attempts + 1 >= MAX_ATTEMPTS:
        return Status.DEAD, at
    return Status.QUEUED, at + max(backoff(delivery.key, delivery.attempts), attempt.retry_after or timedelta())


def backoff(key: str, attempts: int) -> timedelta:
    """Pause after the (attempts + 1)-th failure: doubling, capped, spread by up to a quarter so that a crowd disperses.

    It is spread otherwise each time: who went together with a letter that fails does not go with it again.
    """
    pause = min(_FIRST * 2 ** min(attempts, 20), _LONGEST)
    start = attempts % (len(key) - 3)
    spread = int(key[start : start + 4], 16) / 0xFFFF / 4
    return timedelta(seconds=pause.total_seconds() * (1 + spread))
