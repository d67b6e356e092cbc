"""Reads what people and providers write of a figure's standing: 核定, 快报, 无报送事项."""

import unicodedata

from connectors.observation import Status

_WORDS = {
    Status.FINAL: (
        "",
        "核定",
        "核定数",
        "终核",
        "最终核实",
        "最终核实数",
        "年报",
        "正式",
        "正式数",
        "终值",
        "FINAL",
        "A",
    ),
    Status.PARTIAL: (
        *("快报", "快报数", "初步", "初步数", "初步核算", "初步核算数", "初值", "预计", "预计数"),
        *("PARTIAL", "PRELIMINARY", "PROVISIONAL", "P"),
    ),
    Status.NIL: ("无", "无报送事项", "零报告", "NIL"),
}
_MEANS = {word: status for status, words in _WORDS.items() for word in words}


def status(text: object) -> Status:
    """What ``text`` says; no word is final. Raises ValueError, in Chinese with the cure, for a word that is not known."""
    words = unicodedata.normalize("NFKC", str(text)).strip().upper()
    if words not in _MEANS:
        raise ValueError(f"看不懂状态“{text}” (bad status): 请写作 核定、初步数 或 无，正式数据可留空")
    return _MEANS[words]
