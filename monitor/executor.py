"""Where sources are asked and letters are carried: in the daemon's own threads, or somewhere else."""

from collections.abc import Sequence
from typing import Protocol

from alerts.channels.base import Channel, Letter
from alerts.delivery import Attempt
from connectors.observation import Query, Reading
from monitor.wiring import Feed


class Executor(Protocol):
    """Does what needs another machine. It is called from many threads at once, each of which waits for its answer."""

    def fetch(self, feed: Feed, query: Query) -> Reading:
        """Ask a source. Raises ConnectorError as its connector does."""

    def send(self, name: str, sender: Channel, letters: Sequence[Letter]) -> list[Attempt]:
        """Have the channel ``name`` carry letters; answers as ``Channel.send`` does."""

    def close(self) -> None:
        """Wait for nothing any more."""


class Threads:
    """In the thread that calls: the lanes of the pulls, and one for each channel."""

    def fetch(self, feed: Feed, query: Query) -> Reading:
        return feed.connector.fetch(query)

    def send(self, _name: str, sender: Channel, letters: Sequence[Letter]) -> list[Attempt]:
        return sender.send(letters)

    def close(self) -> None:
        pass


THREADS = Threads()
