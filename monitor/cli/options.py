"""What the commands share: options, and the settings they mean."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from monitor.cli.command import Option, UsageError

if TYPE_CHECKING:
    from monitor.config import Settings
    from monitor.force import InForce

Config = Annotated[Path | None, Option("--config", "设置文件；缺省依次为 $DUBAN_CONFIG、./duban.yaml、随附示例")]
AsJson = Annotated[bool, Option("--json", "输出 JSON")]
Junit = Annotated[Path | None, Option("--junit", "另把结果以 JUnit XML 存到此文件")]
At = Annotated[str | None, Option("--at", "判定时点，如 2025-10-25 （当日终） 或 2025-10-25T09:00；缺省为现在")]
By = Annotated[str, Option("--by", "处理人姓名")]
Word = TypeVar("Word", bound=StrEnum)


def settings_file(explicit: Path | None) -> Path | None:
    """The settings file in force."""
    from monitor import config

    return config.find(explicit)


def settings(explicit: Path | None) -> "Settings":
    """The settings in force. Raises Invalid."""
    from monitor import config

    return config.load(settings_file(explicit))


def in_force(explicit: Path | None, book: str | None = None) -> "InForce":
    """The settings and books in force, or one book of them, and their templates in use. Raises Invalid."""
    from alerts import message
    from monitor.force import read

    force = read(settings_file(explicit), book)
    message.use(force.templates)
    return force


def word(words: type[Word], given: str | None, option: str) -> Word | None:
    """The enum's member for an option's value. Raises UsageError."""
    try:
        return None if given is None else words(given)
    except ValueError:
        raise UsageError(f"{option} 应为 {'、'.join(words)} 之一，而不是 '{given}' (unknown word)") from None


def json_text(facts: Any) -> str:
    """What ``--json`` prints."""
    import json

    return json.dumps(facts, ensure_ascii=False, indent=2)


def short(row: dict[str, Any]) -> str:
    """What an alert is about: how far behind, what is owed."""
    return "；".join(filter(None, (row["gap"], row["owed"] and f"{row['owed']}未报")))


def shown(iso: str) -> str:
    """To the minute, with the offset: an operator's machine often goes by another clock than the office."""
    return f"{iso[:10]} {iso[11:16]}{iso[19:]}"
