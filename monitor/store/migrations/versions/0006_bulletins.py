"""Messages that tell of no change: exercises, and the regular word of how the system is."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    with op.batch_alter_table("delivery") as table:
        table.alter_column("change_id", existing_type=sa.BigInteger(), nullable=True)
        table.add_column(sa.Column("bulletin", sa.String()))
        table.add_column(sa.Column("notice", sa.JSON()))
        table.create_index("ix_delivery_bulletin_finished_at", ["bulletin", "finished_at"])
        table.create_index("ix_delivery_change_id", ["change_id"])
