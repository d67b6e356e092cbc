"""Settings of one installation: a YAML file, each scalar overridable by an environment variable DUBAN_<NAME>."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, field

from alerts import suppression
from alerts.suppression import Quiet
from connectors.strict import Phrase, Strict, Wrong, fields, near, read
from rules.document import Document, Invalid
from rules.spec import SchedulePhrase

CONFIG_ENV = "DUBAN_CONFIG"
_ROOT = Path(__file__).parent.parent
EXAMPLE = _ROOT / "deploy" / "example" / "duban.yaml"


TARGET_SERIES = (
    "actual", "expected", "goal", "probability", "landing_low", "landing_high", "pace", "level", "data_age", "info",
)  # fmt: skip
"""What is written of each target; the metric of one is named ``duban_target_<series>``, and its unit."""
TARGET_LABELS = ("name", "item", "section", "lead", "unit", "measure")
"""What ``duban_target_info`` says of a target besides its identity."""

AT_ONCE = ("books", "organisation", "channels", "archive", "keep", "heartbeat", "quiet", "crowd", "templates")
"""Settings that a reload puts in force. The others are read when a process starts."""


class Executors(StrEnum):
    """Who asks sources on other machines and delivers: the daemon's threads, or ``duban worker`` on any host."""

    THREADS = "threads"
    CLUSTER = "cluster"


class Log(StrEnum):
    """How the log is written."""

    TEXT = "text"
    JSON = "json"


class ChannelSpec(Strict):
    """A channel by name: its kind, and the options of that kind."""

    kind: str
    options: dict[str, Any] = field(default_factory=dict, name="")


def _moment(text: str) -> datetime:
    with suppress(ValueError):
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return found
    raise ValueError(f"'{text}' 不是带时区的时刻 (no offset)；应如 2025-10-27T09:00:00+08:00")


def _chosen(known: Sequence[str]) -> Callable[[str], str]:
    """A check that a phrase names some of ``known``, ``all`` or ``none``."""

    def check(value: str) -> str:
        for word in [] if value in ("all", "none") else _words(value):
            if word not in known:
                raise ValueError(
                    f"看不懂的名称 '{word}' (unknown name){near(word, known)}；应为 all、none 或其中若干：{', '.join(known)}"
                )
        return value

    return check


def _words(value: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value.split(","))


def _these(value: str, known: tuple[str, ...]) -> tuple[str, ...]:
    return {"all": known, "none": ()}[value] if value in ("all", "none") else _words(value)


class Settings(Strict):
    """All settings; README has the table. Relative paths start from the folder in which the command runs."""

    books: Path = _ROOT / "rules" / "books"
    """Folder of the books, one sub-folder each."""
    database: str = "sqlite:///var/duban.db"
    """`sqlite:///FILE` or `postgresql://USER@HOST/NAME`."""
    database_file: Path | None = None
    """File that holds the database's address; wins over `database` (for one with a password)."""
    listen: Annotated[str, Meta(pattern=r"^[^:]+:\d+$", description="应如 127.0.0.1:9105")] = "127.0.0.1:8000"
    """Address of the page, the metrics and the API."""
    cycle: Annotated[int, Meta(ge=1)] = 15
    """Seconds between judging cycles; news is judged at once."""
    takeover: Annotated[int, Meta(ge=2)] = 15
    """Seconds without a sign of life after which a stand-by replaces a leader that hangs."""
    keep: Annotated[int, Meta(ge=100)] = 400
    """Days for which pulls that brought nothing and turns that are done stay in the ledger."""
    archive: Path | None = Path("var/archive")
    """Folder that keeps every file that figures were read from, by its SHA-256."""
    cache: Path | None = Path("var/duban.cache")
    """File that keeps what is known of many figures, for a quick start; it may be deleted at any time."""
    pulls_at_once: Annotated[int, Meta(ge=1)] = 16
    """Sources asked at the same time."""
    pulls_per_host: Annotated[int, Meta(ge=1)] = 4
    """Of these, how many may be on one host."""
    executor: Executors = Executors.THREADS
    """Who asks sources on other machines and delivers: the daemon's own `threads`, or the `duban worker` processes of a
    `cluster`."""
    reload_endpoint: bool = False
    """Whether `POST /-/reload` exists."""
    silence_token_file: Path | None = None
    """File with the token for `/api/v1/silences`, which does not exist without it."""
    heartbeat: SchedulePhrase | None = None
    """When the supervising office is told how the system is, as `daily at 09:00`; never if not set."""
    quiet: Annotated[Quiet, Phrase(suppression.quiet)] | None = None
    """When only red is told, as `nights 20:00-08:00, days off`; the rest waits for the morning, and red as well with `,
    red too` at the end."""
    crowd: Annotated[int, Meta(ge=1)] = 20
    """Messages to one receiver by one channel at one moment that are told one by one; more go together in a digest. A
    web hook and Alertmanager are told every alert by itself."""
    log: Log = Log.TEXT
    """Form of the log on stderr, `text` or `json` (one object a line)."""
    clock: Annotated[datetime, Phrase(_moment)] | None = None
    """Moment at which a demonstration clock starts; the real time if it is not set."""
    clock_speed: Annotated[int, Meta(ge=1, le=86_400)] = 1
    """Seconds that a demonstration clock goes in a real one, 86400 for a day; kept for a database's life."""
    channels: dict[str, ChannelSpec] = field(
        default_factory=lambda: {"folder": ChannelSpec(kind="folder", options={"path": "var/alerts"})}
    )
    """Channels: a name, its `kind`, and the options of that kind."""
    organisation: Path | None = None
    """File of units, people and who is told what; without it all is told on every channel."""

    templates: Path | None = None
    """Folder of message templates of one's own, in place of those of the same name in alerts/templates."""

    target_series: Annotated[str, _chosen(TARGET_SERIES)] = "all"
    """Metrics of each target: `all`, `none`, or some, as `actual, expected, level`."""
    target_labels: Annotated[str, _chosen(TARGET_LABELS)] = "all"
    """Labels of `duban_target_info`: `all`, `none`, or some, as `name, lead`."""

    grafana: (
        Annotated[str, Meta(pattern=r"^https?://\S*[^/\s]$", description="应如 https://grafana.example，末尾不写 /")]
        | None
    ) = None
    """Address of Grafana with the shipped dashboards, as `http://grafana:3000`, for links to them."""

    def __post_init__(self) -> None:
        if self.clock_speed != 1 and self.clock is None:
            words = "只用于演示，须同时写明 clock (speed without clock)；正式使用时删去 clock_speed"
            raise Wrong([(("clock_speed",), f"clock_speed: {words}")])

    @property
    def host(self) -> str:
        return self.listen.rsplit(":", 1)[0]

    @property
    def port(self) -> int:
        return int(self.listen.rsplit(":", 1)[1])

    @property
    def series(self) -> tuple[str, ...]:
        """``target_series``, one by one."""
        return _these(self.target_series, TARGET_SERIES)

    @property
    def labels(self) -> tuple[str, ...]:
        """``target_labels``, one by one."""
        return _these(self.target_labels, TARGET_LABELS)

    def database_url(self) -> str:
        """The address of the database, read from ``database_file`` if that is set. Raises Invalid."""
        if self.database_file is None:
            return self.database
        try:
            return self.database_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Invalid([f"{self.database_file}: 无法读取 database_file (cannot read): {error.strerror}"]) from None

    def has_database(self) -> bool:
        """Whether there may be a database already: a server, or SQLite's file. Raises Invalid."""
        file = re.fullmatch(r"sqlite(?:\+pysqlite)?:///(.+)", self.database_url())
        return file is None or Path(file[1]).is_file()

    def silence_token(self) -> str:
        """The token of those who may set silences over HTTP; "" where nobody may. Raises Invalid."""
        if self.silence_token_file is None:
            return ""
        try:
            token = self.silence_token_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            words = f"无法读取 silence_token_file (cannot read): {error.strerror}"
            raise Invalid([f"{self.silence_token_file}: {words}"]) from None
        if not token:
            raise Invalid([f"{self.silence_token_file}: silence_token_file 是空文件 (empty)"])
        return token


def find(explicit: Path | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The settings file in force: the one named, $DUBAN_CONFIG, ./duban.yaml, the example; None for built-in defaults."""
    named = explicit or (Path(environ[CONFIG_ENV]) if environ.get(CONFIG_ENV) else None)
    if named is not None:
        return named
    return next((path for path in (Path("duban.yaml"), EXAMPLE) if path.is_file()), None)


def load(path: Path | None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from ``path`` and the environment. Raises Invalid with every error, each with its place."""
    document = None if path is None else Document(path)
    names = {f"DUBAN_{name.upper()}": name for name in fields(Settings) if name != "channels"}
    given = {names[variable]: value for variable, value in environ.items() if variable in names}
    try:
        return read(Settings, {**(document.node if document else {}), **given})
    except Wrong as wrong:
        errors = []
        for loc, words in wrong.errors:
            name = str(loc[0])
            place = document.place(*loc) if document and name not in given else f"环境变量 DUBAN_{name.upper()}"
            errors.append(f"{place}: {words}")
        raise Invalid(errors) from None
