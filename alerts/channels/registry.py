"""Channel kinds by name. Built-in kinds and those of third parties come by the same entry points."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from alerts.channels.base import Channel

GROUP = "duban.channels"


@cache
def _known() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def kinds() -> list[str]:
    """Every channel kind that is installed, sorted."""
    return sorted(_known())


def channel_class(kind: str) -> type[Channel]:
    """The class behind ``kind``, imported on first use. Raises LookupError for a kind nobody installed."""
    point = _known().get(kind)
    if point is None:
        raise LookupError(f"没有名为 {kind} 的渠道 (unknown channel); 已安装: {'、'.join(kinds())}")
    loaded: type[Channel] = point.load()
    return loaded
