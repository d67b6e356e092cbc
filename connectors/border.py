"""Where requests may go: how far inside our own network the address lies that is really connected to."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from connectors.base import ConnectorError, Failure
from connectors.strict import Before, Phrase, listed

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

# Where clouds tell a machine its own secrets, outside of the link-local range that most of them use.
_METADATA = frozenset(
    ip_address(text) for text in ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)
_THIS_NETWORK = IPv4Network("0.0.0.0/8")
_NAT64 = IPv6Network("64:ff9b::/96")


class Depth(IntEnum):
    """How far inside an address lies; what may go so far may go anywhere before it."""

    PUBLIC = 0
    PRIVATE = 1
    LOOPBACK = 2
    FORBIDDEN = 3


def depth(address: Address) -> Depth:
    """Where ``address`` lies; an IPv6 address that only carries an IPv4 one lies where that one does."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return depth(inner)
    if address.is_loopback:
        return Depth.LOOPBACK
    if (
        address in _METADATA
        or address.is_link_local
        or address.is_unspecified
        or address.is_multicast
        or address.is_reserved
        or address in _THIS_NETWORK
    ):
        return Depth.FORBIDDEN
    return Depth.PUBLIC if address.is_global else Depth.PRIVATE


@dataclass(frozen=True, slots=True)
class Border:
    """What a request may reach: everything up to ``reach``, and ``allowed`` networks.

    Offices live in private networks, so these are open to any address that an
    author writes. The machine itself is open only to an author who names it
    (``127.0.0.1``, ``localhost``): a name that turns out to be it is a trick.
    """

    reach: Depth
    allowed: tuple[Network, ...] = ()

    @classmethod
    def around(cls, url: str, allowed: tuple[Network, ...]) -> "Border":
        """The border for an address as its author wrote it."""
        host = urlsplit(url).hostname or ""
        literal = _literal(host)
        itself = host == "localhost" or (literal is not None and depth(literal) is Depth.LOOPBACK)
        return cls(Depth.LOOPBACK if itself else Depth.PRIVATE, allowed)

    def behind(self, host: str) -> "Border":
        """The border for an address that ``host`` sends us to: no further inside than ``host`` itself lies."""
        try:
            found = max(depth(address) for address in _resolved(host, None))
        except (OSError, ValueError):
            found = Depth.PUBLIC
        return Border(min(self.reach, found), self.allowed)

    def admits(self, address: Address) -> bool:
        return depth(address) <= self.reach or any(address in network for network in self.allowed)

    def check_literal(self, host: str) -> None:
        """Raise ConnectorError for a host that is itself an address beyond the border; names are looked up later."""
        address = _literal(host)
        if address is not None and not self.admits(address):
            raise _beyond(address)

    def check(self, opened: socket.socket) -> None:
        """Raise ConnectorError where ``opened`` leads beyond the border."""
        address = ip_address(opened.getpeername()[0])
        if not self.admits(address):
            raise _beyond(address)

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of ``host`` that may be connected to. Raises ConnectorError if none may, OSError if it has none."""
        found = _resolved(host, port)
        admitted = [str(address) for address in found if self.admits(address)]
        if not admitted:
            raise _beyond(found[0])
        return admitted


def _network(written: str) -> Network:
    try:
        return ip_network(written, strict=False)
    except ValueError:
        raise ValueError(f"看不懂地址段 '{written}' (bad network): 应如 169.254.169.254 或 127.0.0.0/8") from None


Networks = Annotated[tuple[Annotated[Network, Phrase(_network)], ...], Before(listed, str | list[str])]
"""One network or several, as ``127.0.0.0/8`` or a single address."""


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _resolved(host: str, port: int | None) -> list[Address]:
    found: Iterable[str] = (str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    return [ip_address(text) for text in dict.fromkeys(found)]


def _beyond(address: Address) -> ConnectorError:
    return ConnectorError(
        Failure.FORBIDDEN_ADDRESS,
        f"不得访问地址 {address} (forbidden address): 它指向本机、链路本地或云主机元数据，"
        f"或由外网改道至内网；确需访问请写 allow: ['{address}']",
        retryable=False,
    )
