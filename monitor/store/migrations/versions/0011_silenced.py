"""Silences of a place, of a section of the plan, of a label."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    for name in ("subject", "section", "label"):
        op.add_column("silence", sa.Column(name, sa.String(), nullable=False, server_default=""))
