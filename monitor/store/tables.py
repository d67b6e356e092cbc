"""The tables. Migrations make them; a test proves that both agree.

Observations and changes are only ever added. Columns that hold an enum hold its word. What comes by the ten thousand in
one moment has no foreign keys: the one writer takes the ids from rows of the same transaction, and checking them costs
a server as much as writing the row.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    text,
)

from monitor.store.moments import Day, Moment

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# SQLite numbers rows by itself only where the type is exactly INTEGER.
_Id = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column[int]:
    return Column("id", _Id, primary_key=True)


def _where(rows: str) -> dict[str, Any]:
    """An index of these rows alone."""
    return {"sqlite_where": text(rows), "postgresql_where": text(rows)}


series = Table(
    "series",
    metadata,
    _id(),
    Column("source", String, nullable=False),
    Column("name", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("unit", String, nullable=False),
    UniqueConstraint("source", "name", "subject"),
    # Covers the look-up of all series of a source, which every pull begins with.
    Index(None, "source", "name", "unit", "subject"),
)

# The id is the feed position: rows become visible in its order. ``status`` is a place in ``STATUSES``, the default is
# final; a nil report has no value: NaN, which SQLite keeps as NULL.
observation = Table(
    "observation",
    metadata,
    _id(),
    Column("series_id", BigInteger, nullable=False),
    Column("period", Day, nullable=False),
    Column("value", Double),
    Column("known_at", Moment, nullable=False),
    Column("pull_id", BigInteger, nullable=False),
    Column("cell", String, nullable=False),
    Column("status", SmallInteger, nullable=False, server_default="0"),
    # Period first: figures arrive and are read a period at a time, so neighbours stay neighbours. Not unique: a source
    # may correct itself within one moment (a repeated tick at the same hour); then the higher id is the newer.
    Index(None, "period", "series_id", "known_at"),
)

pull = Table(
    "pull",
    metadata,
    _id(),
    Column("source", String, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("outcome", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("detail", String, nullable=False),
    Column("document", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("rows_read", Integer, nullable=False),
    Column("rows_new", Integer, nullable=False),
    Column("rows_revised", Integer, nullable=False),
    Column("rows_unchanged", Integer, nullable=False),
    Column("rows_refused", Integer, nullable=False),
    Index(None, "source", "outcome", "id"),
)

# A refused figure, once however often its source states it; ``key`` is made of what it states and why it was refused.
# ``period`` is the ISO day or "", ``pull_id`` the pull that met it first, which knows the document.
quarantine = Table(
    "quarantine",
    metadata,
    _id(),
    Column("source", String, nullable=False),
    Column("key", String, nullable=False, unique=True),
    Column("series", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("period", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("text", String, nullable=False),
    Column("value", Double),
    Column("unit", String, nullable=False),
    Column("cell", String, nullable=False),
    Column("pull_id", BigInteger, ForeignKey("pull.id"), nullable=False, index=True),
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Column("state", String, nullable=False),
    Column("who", String, nullable=False),
    Column("note", String, nullable=False),
    Column("decided_at", Moment),
    Column("status", String, nullable=False),
    Index(None, "state", "source"),
)

# ``period``, ``actual`` and ``rule`` are what the alert's last change stood on; the rule is kept up with the book.
# Since that change: when people were last ``reminded``, and the escalations followed, a line each (``steps``).
alert = Table(
    "alert",
    metadata,
    _id(),
    Column("book", String, nullable=False),
    Column("target", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("level", SmallInteger, nullable=False),
    Column("since", Moment, nullable=False),
    Column("changed", Moment, nullable=False),
    Column("last_change_id", BigInteger, nullable=False),
    Column("period", Day),
    Column("actual", Double),
    Column("rule", String, nullable=False),
    Column("reminded", Moment),
    Column("steps", String, nullable=False),
    UniqueConstraint("book", "target", "subject", "kind"),
)

# ``judged`` is the level of ``period``; ``corrects`` the id of the change that is taken back.
change = Table(
    "change",
    metadata,
    _id(),
    Column("alert_id", BigInteger, nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("event", String, nullable=False),
    Column("state", String, nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("previous_level", SmallInteger, nullable=False),
    Column("since", Moment, nullable=False),
    Column("notice", JSON, nullable=False),
    Column("cause", String, nullable=False),
    Column("judged", SmallInteger, nullable=False),
    Column("period", Day),
    Column("actual", Double),
    Column("rule", String, nullable=False),
    Column("corrects", BigInteger),
)

# due_at is when a row is to be taken next: its next try while queued, the end of its sender's lease while sending.
# attempts counts the tries begun; it only grows while the row is not dead, and so it also tells whose lease it is.
# A suppressed row waits until due_at; finished_at is set when what it says is no longer worth telling.
# An inhibited one waits while an alert fires that the change ``inhibitor`` has moved last; one that is told in a digest
# has the digest's own row as digest_id, and becomes sent with it.
# bulletin and notice are of a message that tells of no change, and are NULL in any other.
# Nearly all that was ever queued was sent long ago: what is asked in every cycle passes that by, and the indexes of what
# few messages have hold those alone.
delivery = Table(
    "delivery",
    metadata,
    _id(),
    Column("change_id", BigInteger),
    Column("receiver", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("address", String, nullable=False),
    Column("why", String, nullable=False),
    Column("key", String, nullable=False),
    Column("status", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("bulletin", String),
    Column("notice", JSON),
    Column("suppressed", String),
    Column("silence_id", BigInteger),
    Column("inhibitor", BigInteger),
    Column("digest_id", BigInteger),
    # A message is queued once. New rows come last in this index; in one of the keys, anywhere: each on another page.
    Index(None, "change_id", "receiver", "channel", "address", unique=True),
    Index(None, "key", unique=True, **_where("bulletin IS NOT NULL")),
    Index(None, "status", "finished_at", "channel", "due_at"),
    Index(None, "bulletin", "finished_at", **_where("bulletin IS NOT NULL")),
    Index(None, "digest_id", **_where("digest_id IS NOT NULL")),
)

silence = Table(
    "silence",
    metadata,
    _id(),
    Column("book", String, nullable=False),
    Column("target", String, nullable=False),
    Column("unit", String, nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("until", Moment, nullable=False),
    Column("who", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("ended_by", String, nullable=False),
    Column("subject", String, nullable=False, server_default=""),
    Column("section", String, nullable=False, server_default=""),
    Column("label", String, nullable=False, server_default=""),
)

attempt = Table(
    "attempt",
    metadata,
    _id(),
    Column("delivery_id", BigInteger, nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("result", String, nullable=False),
    Column("answer", String, nullable=False),
)

run = Table(
    "run",
    metadata,
    Column("job", String, primary_key=True),
    Column("slot", Moment, primary_key=True),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("outcome", String, nullable=False),
    Column("detail", String, nullable=False),
)

clock = Table(
    "clock",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("wall_at", Moment, nullable=False),
    Column("clock_at", Moment, nullable=False),
)

# One row. ``term`` grows by one with each leader; ``beat`` grows as long as the leader lives; ``holder`` is host:pid.
leader = Table(
    "leader",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("term", Integer, nullable=False),
    Column("beat", BigInteger, nullable=False),
    Column("holder", String, nullable=False),
)
