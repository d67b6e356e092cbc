"""What every connector is: a class made from checked options that answers a query or says why it cannot."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from connectors.observation import Query, Reading, storable
from connectors.strict import Strict


class Options(Strict):
    """Base of a connector's options. None is shown, for some may be secret."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class Failure(StrEnum):
    """Why a pull failed as a whole. The same word is stored, logged and counted."""

    NOT_FOUND = "not_found"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    TIMEOUT = "timeout"
    DENIED = "denied"
    RATE_LIMITED = "rate_limited"
    FORBIDDEN_ADDRESS = "forbidden_address"
    BAD_ANSWER = "bad_answer"
    TOO_LARGE = "too_large"
    MISCONFIGURED = "misconfigured"
    INCOMPLETE = "incomplete"
    INTERNAL = "internal"


class ConnectorError(Exception):
    """A pull that gave nothing: a reason, words for the reader, and whether trying again may help."""

    def __init__(self, reason: Failure, detail: str, *, retryable: bool) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = storable(detail)
        self.retryable = retryable


class Connector(Protocol):
    """Asks one source. Made with its options and the folder that relative paths start from."""

    Options: ClassVar[type[Strict]]

    def __init__(self, options: Any, folder: Path) -> None: ...

    def fetch(self, query: Query) -> Reading:
        """Answer ``query``. Raises ConnectorError; refuses single figures in ``Reading.refusals``."""
        ...


@runtime_checkable
class Stepwise(Protocol):
    """A connector that asks period by period can be asked for a long time in steps, each stored before the next."""

    def steps(self, query: Query) -> Sequence[Query]:
        """Queries that together ask for what ``query`` asks, oldest first."""
        ...


@runtime_checkable
class Remote(Protocol):
    """A connector that asks another machine names it, so that no machine is asked by too many at once."""

    host: str
