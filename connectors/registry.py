"""Connector kinds by name. Built-in kinds and those of third parties come by the same entry points."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from connectors.base import Connector, ConnectorError, Failure

GROUP = "duban.connectors"


@cache
def _known() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def kinds() -> list[str]:
    """Every connector kind that is installed, sorted."""
    return sorted(_known())


def connector_class(kind: str) -> type[Connector]:
    """The class behind ``kind``, imported on first use. Raises ConnectorError for a kind nobody installed."""
    point = _known().get(kind)
    if point is None:
        known = "、".join(kinds())
        raise ConnectorError(
            Failure.MISCONFIGURED, f"没有名为 {kind} 的连接器 (unknown connector); 已安装: {known}", retryable=False
        )
    loaded: type[Connector] = point.load()
    return loaded
