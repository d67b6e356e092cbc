"""Numbers with their units as sentences have them: 4500人, 7.5%—8%, 60万, 1.2万张, 三个."""

import re
from dataclasses import dataclass

from rules.importing.plain import NUMERAL, number_of
from rules.unit import KNOWN

_UNITS = (
    "个百分点 百分点 % ‰ 亿美元 万美元 美元 元 平方公里 平方千米 平方米 立方米 公里 千米 米 亩 公顷 公斤 吨标准煤 吨标煤 吨 "
    "千瓦时 千瓦 兆瓦 千伏安 微克/立方米 毫克/升 人次 场次 车次 班次 架次 人 名 户次 户 标箱 TEU 标准箱 床 个工作日 工作日 小时 分钟 个月 "
    "年 月 日 天 个 家 座 所 处 台 套 辆 张 项 件 次 起 位 条 只 头 羽 株 棵 尾 匹 对 支 场 期 批 部 间 栋 幢 块 片 口 盏 艘 架 班 "
    "门 款 例 宗 笔 份 册 集 站 届 道 列 倍 分 级 村 镇 类 度 强 盘 席 篇 组 队 样 大 岁 周 号 楼 层"
).split()
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?)"
_UNIT = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
_SCALE = r"[十百千]?(?:万亿|万|亿)|[百千]"
_QUANTITY = re.compile(
    rf"(?<![\dA-Za-z.×xX第+\-])(?<!\d\*)(?P<low>{_NUMBER})"
    rf"(?:(?P<scale0>{_SCALE})?(?P<unit0>{_UNIT})?\s*[—~\-至到]\s*(?P<high>{_NUMBER}))?"
    rf"\s*(?:余|多|来)?(?P<scale>{_SCALE})?(?:余|多)?\s*(?:(?P<unit>{_UNIT}|[\u4e00-\u9fff](?=$|[,;。、]))|(?![\d.]))(?![A-Za-z×])"
)
_PERCENT = re.compile(rf"百分之(?P<low>{NUMERAL})")
_COUNTERS = "个|家|所|座|处|台|套|辆|项|件(?!事)|条|名|场|支|户|人(?!口)|对|部|间|栋|只|株|张"
_COUNTED = re.compile(rf"(?<![\u4e00-\u9fff]第)(?P<low>[一二两三四五六七八九十百千万]+)(?P<unit>{_COUNTERS})")
_SCALES = {
    "": 1.0,
    "百": 1e2,
    "千": 1e3,
    "万": 1e4,
    "十万": 1e5,
    "百万": 1e6,
    "千万": 1e7,
    "亿": 1e8,
    "十亿": 1e9,
    "百亿": 1e10,
    "千亿": 1e11,
    "万亿": 1e12,
}
_SAME = {
    "百分点": "个百分点",
    "平方千米": "平方公里",
    "千米": "公里",
    "标准箱": "标箱",
    "TEU": "标箱",
    "吨标煤": "吨标准煤",
    "工作日": "个工作日",
}
TIMES = frozenset("年 月 日 个月 小时 分钟 天 个工作日 周 岁 期 届 号 楼 层".split())
NAMES = frozenset("级 大 强 度 盘 席 组 队 样 类".split())
COUNTS = frozenset(
    "个 家 座 所 处 台 套 辆 张 项 件 次 起 条 只 头 羽 株 棵 尾 匹 对 支 场 批 部 间 栋 幢 块 片 口 盏 艘 架 班 门 款 例 宗 笔 份 册 集 站 道 列 "
    "村 镇 户 人 名 人次 场次 床 篇".split()
)


@dataclass(frozen=True)
class Quantity:
    """A number with its unit and its place in the sentence; ``upper`` for a range; ``unit`` "" where none is written."""

    start: int
    end: int
    value: float
    unit: str
    upper: float | None = None
    chinese: bool = False


def quantities(text: str) -> list[Quantity]:
    """All numbers of a plain text, in order. Years, days and names are among them: the reader of the sentence decides."""
    found = [_read(match) for match in _QUANTITY.finditer(text)]
    found += [
        Quantity(m.start(), m.end(), float(number_of(m["low"])), "%", chinese=True) for m in _PERCENT.finditer(text)
    ]
    taken = [(one.start, one.end) for one in found]
    for match in _COUNTED.finditer(text):
        numeral = match["low"]
        if "万" not in numeral and not any(a < match.end() and match.start() < b for a, b in taken):
            found.append(Quantity(match.start(), match.end(), float(number_of(numeral)), match["unit"], chinese=True))
    return sorted(found, key=lambda one: one.start)


def _read(match: re.Match[str]) -> Quantity:
    low, high = float(match["low"].replace(",", "")), match["high"]
    scale, unit = match["scale"] or "", _SAME.get(match["unit"] or "", match["unit"] or "")
    if high is None:
        value, unit = in_known(low, scale, unit)
        return Quantity(match.start(), match.end(), value, unit)
    upper, of = in_known(float(high.replace(",", "")), scale, unit)
    low_scale = match["scale0"] or ("" if match["unit0"] else scale)
    low_unit = _SAME.get(match["unit0"] or "", match["unit0"] or unit)
    low, low_of = in_known(low, low_scale, low_unit)
    if of != low_of:
        low = low * _SCALES[low_scale] / _SCALES[scale] if low_unit == unit else low
    return Quantity(match.start(), match.end(), low, of, upper=upper if upper > low else None)


def in_known(value: float, scale: str, unit: str) -> tuple[float, str]:
    """The figure with the scale in its unit where there is such a unit (万亩), else in its number (1.2万张: 12000)."""
    if unit == "" and scale in ("亿", "万亿", "千亿", "百亿"):
        return round(value * _SCALES[scale] / 1e8, 9), "亿"
    if unit == "" and scale == "万":
        return value, "万"
    if scale + unit in KNOWN or not scale:
        return value, scale + unit
    for whole in ("亿", "万"):
        if scale.endswith(whole) and whole + unit in KNOWN:
            return round(value * _SCALES[scale] / _SCALES[whole], 9), whole + unit
    return round(value * _SCALES[scale], 9), unit
