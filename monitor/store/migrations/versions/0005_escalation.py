"""What an alert remembers of how it was followed up."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.add_column("alert", sa.Column("reminded", _MOMENT))
    op.add_column("alert", sa.Column("steps", sa.String(), nullable=False, server_default=""))
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("alert", "steps", server_default=None)
