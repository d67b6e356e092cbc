"""Messages held by another alert, and messages told together in a digest."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    with op.batch_alter_table("delivery") as table:
        table.add_column(sa.Column("inhibitor", sa.BigInteger()))
        table.add_column(sa.Column("digest_id", sa.BigInteger()))
        table.create_index("ix_delivery_digest_id", ["digest_id"])
