"""Units as headers and titles state them: ``金额（亿元）``, ``同比增长％``, ``单位：万元``."""

import re
import unicodedata

_MEASURES = (
    "元 美元 港元 欧元 人次 人天 人 户 家 个百分点 个 项 件 起 次 张 座 台 套 辆 所 处 条 只 头 羽 株 村 天 "
    "亩 公顷 平方米 平方公里 立方米 公里 千米 米 公斤 千克 克 吨 吨标准煤 千瓦时 千瓦 度 微克/立方米"
)
_UNIT = (
    rf"(?:(?:[十百千万亿]*(?:{'|'.join(sorted(_MEASURES.split(), key=len, reverse=True))})"
    r"(?:/[\u4e00-\u9fff]{1,3})?)(?:人民币)?|上年(?:同期|同月)?=100|%|‰)"
)
_ONLY = re.compile(_UNIT)
_LAST = re.compile(rf"\((?:计量)?(?:单位:)?(?P<unit>{_UNIT})\)$|%\)?$")
_LINE = re.compile(rf"(?:^|[(\s])(?:计量)?单位:(?P<unit>{_UNIT})\)?$")


def unit_of(title: str) -> str:
    """The unit that a title ends with, in brackets or as %, "" where it states none."""
    found = _LAST.search(_plain(title))
    return _named(found["unit"] or "%") if found else ""


def unit_line(text: str) -> str:
    """The unit of a line such as ``单位：亿元``, "" where the text is none (``填报单位：统计局``)."""
    found = _LINE.search(_plain(text))
    return _named(found["unit"]) if found else ""


def is_unit_line(text: str) -> bool:
    """Whether a cell states the unit of the table and nothing else."""
    found = _LINE.search(_plain(text))
    return found is not None and found.start() == 0


def _named(unit: str) -> str:
    return re.sub("上年同[期月]", "上年", unit.removesuffix("人民币"))


def _plain(text: str) -> str:
    return re.sub(r"\s*([:()=])\s*", r"\1", unicodedata.normalize("NFKC", text)).strip()
