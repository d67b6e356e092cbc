"""Connections that go only where they may, and only as long as they may.

They are kept and used again by all sources. What may not be shared is not:
cookies and credentials belong to one client, the TLS settings name the pool,
and a connection that is used again is checked against the border anew.
"""

import socket
from contextvars import ContextVar
from functools import cache
from typing import Any, NamedTuple

from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from connectors.border import Border
from connectors.deadline import Deadline

_HOSTS_KEPT = 256  # hosts whose idle connections are kept; the least used ones are closed
_CONNECTIONS_KEPT = 16  # idle connections per host


class Terms(NamedTuple):
    """What holds for the call that this thread is making."""

    deadline: Deadline
    border: Border


TERMS: ContextVar[Terms] = ContextVar("terms")


class _Adapter(HTTPAdapter):
    """Opens every connection, proxied or not, under the terms of the call that needs it."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = _under_terms(pool.ConnectionCls)
        return pool


@cache
def _under_terms(plain: Any) -> Any:
    if getattr(plain, "under_terms", False):
        return plain

    class UnderTerms(plain):  # type: ignore[misc]
        under_terms = True

        def _new_conn(self) -> socket.socket:
            terms = TERMS.get()
            opened = super()._new_conn() if self.proxy else _opened(self, super()._new_conn, terms)
            terms.deadline.hold(opened)
            return opened

        def request(self, *args: Any, **kwargs: Any) -> None:
            if self.sock is not None:  # kept from an earlier call, or just connected for TLS
                terms = TERMS.get()
                if not self.proxy:  # a proxy is the operator's own choice; beyond it the proxy decides
                    terms.border.check(self.sock)
                terms.deadline.hold(self.sock)
            super().request(*args, **kwargs)

    return UnderTerms


def _opened(connection: Any, connect: Any, terms: Terms) -> socket.socket:
    """Connect to an address that was checked, and not to what the name may mean a moment later."""
    name = connection._dns_host  # noqa: SLF001  # what urllib3 looks up, apart from the host that it greets
    try:
        addresses = terms.border.addresses(name, connection.port)
    except OSError as error:
        raise NameResolutionError(name, connection, error) from error  # type: ignore[arg-type]
    try:
        for address in addresses[:-1]:
            connection._dns_host = address  # noqa: SLF001
            try:
                found: socket.socket = connect()
            except (NewConnectionError, ConnectTimeoutError):
                if terms.deadline.left() <= 0:
                    raise
            else:
                return found
        connection._dns_host = addresses[-1]  # noqa: SLF001
        last: socket.socket = connect()
        return last
    finally:
        connection._dns_host = name  # noqa: SLF001


ADAPTER = _Adapter(pool_connections=_HOSTS_KEPT, pool_maxsize=_CONNECTIONS_KEPT, max_retries=0)
