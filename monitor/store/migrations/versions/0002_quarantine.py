"""Refused figures are kept until a person decides: one row each, where there was a list per pull."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    # The sources state what they stated; the next pull of each finds its refused figures again.
    op.drop_table("refusal")
    op.create_table(
        "quarantine",
        sa.Column("id", _ID, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("series", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("cell", sa.String(), nullable=False),
        sa.Column("pull_id", sa.BigInteger(), nullable=False),
        sa.Column("first_seen", _MOMENT, nullable=False),
        sa.Column("last_seen", _MOMENT, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("decided_at", _MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["pull_id"], ["pull.id"], name="fk_quarantine_pull_id"),
        sa.PrimaryKeyConstraint("id", name="pk_quarantine"),
        sa.UniqueConstraint("key", name="uq_quarantine_key"),
    )
    op.create_index("ix_quarantine_state_source", "quarantine", ["state", "source"])
