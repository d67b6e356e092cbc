"""What a figure is: final, preliminary, or a report that there is none."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # What is stored already was stated plainly: final.
    with op.batch_alter_table("observation") as table:
        table.add_column(sa.Column("status", sa.SmallInteger(), nullable=False, server_default="0"))
        table.alter_column("value", existing_type=sa.Double(), nullable=True)
    with op.batch_alter_table("quarantine") as table:
        table.add_column(sa.Column("status", sa.String(), nullable=False, server_default="final"))
    with op.batch_alter_table("quarantine") as table:
        table.alter_column("status", existing_type=sa.String(), existing_nullable=False, server_default=None)
