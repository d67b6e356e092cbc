"""What an alert remembers of how it was followed up."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("alert") as table:
        table.add_column(sa.Column("reminded", _MOMENT))
        table.add_column(sa.Column("steps", sa.String(), nullable=False, server_default=""))
    with op.batch_alter_table("alert") as table:
        table.alter_column("steps", existing_type=sa.String(), existing_nullable=False, server_default=None)
