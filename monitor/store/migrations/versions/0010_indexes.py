"""Indexes by what is asked in every cycle, and when pulls are forgotten, in a store of many years."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_index("ix_quarantine_pull_id", "quarantine", ["pull_id"])
    columns = ["status", "finished_at", "channel", "due_at"]
    op.create_index("ix_delivery_status_finished_at_channel_due_at", "delivery", columns)
    # From here on readers wait: what takes long is done.
    op.drop_index("ix_delivery_status_channel_due_at", "delivery")
    for name, columns in (
        ("ix_delivery_bulletin_finished_at", ["bulletin", "finished_at"]),
        ("ix_delivery_digest_id", ["digest_id"]),
    ):
        few = sa.text(f"{columns[0]} IS NOT NULL")
        op.drop_index(name, "delivery")
        op.create_index(name, "delivery", columns, sqlite_where=few, postgresql_where=few)
