"""Units of targets and figures: which exist, and how a figure in one is read in another."""

from typing import NamedTuple


class _Unit(NamedTuple):
    dimension: str
    factor: float
    offset: float = 0.0


_UNITS = {
    "元": _Unit("money", 1),
    "万元": _Unit("money", 1e4),
    "亿元": _Unit("money", 1e8),
    "人": _Unit("people", 1),
    "万人": _Unit("people", 1e4),
    "人次": _Unit("visits", 1),
    "万人次": _Unit("visits", 1e4),
    "亿人次": _Unit("visits", 1e8),
    "平方米": _Unit("area", 1),
    "亩": _Unit("area", 2000 / 3),
    "万平方米": _Unit("area", 1e4),
    "平方公里": _Unit("area", 1e6),
    "万亩": _Unit("area", 2e7 / 3),
    "米": _Unit("length", 1),
    "公里": _Unit("length", 1e3),
    "吨": _Unit("mass", 1),
    "万吨": _Unit("mass", 1e4),
    "亿吨": _Unit("mass", 1e8),
    "公顷": _Unit("area", 1e4),
    "立方米": _Unit("volume", 1),
    "万立方米": _Unit("volume", 1e4),
    "亿立方米": _Unit("volume", 1e8),
    "吨标准煤": _Unit("coal", 1),
    "万吨标准煤": _Unit("coal", 1e4),
    "千瓦": _Unit("power", 1),
    "兆瓦": _Unit("power", 1e3),
    "万千瓦": _Unit("power", 1e4),
    "千瓦时": _Unit("energy", 1),
    "万千瓦时": _Unit("energy", 1e4),
    "亿千瓦时": _Unit("energy", 1e8),
    "美元": _Unit("dollars", 1),
    "万美元": _Unit("dollars", 1e4),
    "亿美元": _Unit("dollars", 1e8),
    "标箱": _Unit("boxes", 1),
    "万标箱": _Unit("boxes", 1e4),
    "名": _Unit("people", 1),
    "%": _Unit("percent", 1),
    "个百分点": _Unit("percent", 1),
    # An index whose base year stands at 100 states growth: 105.2 is 5.2 %.
    "上年=100": _Unit("percent", 1, -100),
    **{
        name: _Unit(name, 1)
        for name in (
            "家 户 个 张 座 台 项 件 次 起 位 类 天 条 只 村 所 处 套 辆 部 场 期 头 羽 株 棵 对 支 栋 间 口 片 块 例 艘 架 门 笔 款 床 "
            "岁 份 班 镇 车次 架次 班次 户次 场次 小时 分钟 个工作日 倍 分 微克/立方米 个阶段"
        ).split()
    },
}
KNOWN = tuple(_UNITS)
COUNTED = frozenset(
    "人 名 人次 家 户 个 张 座 台 项 件 次 起 位 天 条 只 村 所 处 套 辆 部 场 期 头 羽 株 棵 对 支 栋 间 口 片 块 例 艘 架 门 笔 款 床 份 班 镇 "
    "车次 架次 班次 户次 场次".split()
)
"""Units of things that come whole."""


def check(unit: str) -> str:
    """Return ``unit`` if it is known; ValueError with the known ones otherwise."""
    if unit not in _UNITS:
        raise ValueError(f"未知的计量单位 '{unit}' (unknown unit); 可用: {' '.join(KNOWN)}")
    return unit


def conversion(have: str, want: str) -> tuple[float, float] | None:
    """Factor and offset with ``want = have * factor + offset``; None where the two do not measure the same thing.

    A source that states no unit is taken to speak the target's own; a target without one takes figures as they are.
    """
    if "" in (have, want) or have == want:
        return 1.0, 0.0
    a, b = _UNITS.get(have), _UNITS.get(want)
    if a is None or b is None or a.dimension != b.dimension or b.offset:
        return None
    return a.factor / b.factor, a.offset / b.factor
