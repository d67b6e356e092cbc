"""What an alert remembers of how it was followed up, and the labels of a target in what is said of it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
_LABELLED = {
    "sqlite": "json_set(notice, '$.labels', json('[]'))",
    "postgresql": "(notice::jsonb || jsonb_build_object('labels', '[]'::jsonb))::json",
}


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    op.add_column("alert", sa.Column("reminded", _MOMENT))
    op.add_column("alert", sa.Column("steps", sa.String(), nullable=False, server_default=""))
    op.execute(f"UPDATE change SET notice = {_LABELLED[dialect]}")  # noqa: S608  our own words only
    if dialect == "postgresql":
        op.alter_column("alert", "steps", server_default=None)
