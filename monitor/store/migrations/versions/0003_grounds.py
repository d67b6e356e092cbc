"""What a change stood on, why it came, and which earlier change it takes back."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_DAY = sa.Date().with_variant(sa.Integer(), "sqlite")
_FACTS = {
    "sqlite": "json_set(notice, '$.cause', cause, '$.state', state, '$.judged', judged)",
    "postgresql": ("(notice::jsonb || jsonb_build_object('cause', cause, 'state', state, 'judged', judged))::json"),
}


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    for table in ("alert", "change"):
        op.add_column(table, sa.Column("period", _DAY))
        op.add_column(table, sa.Column("actual", sa.Double()))
        op.add_column(table, sa.Column("rule", sa.String(), nullable=False, server_default=""))
    op.add_column("change", sa.Column("cause", sa.String(), nullable=False, server_default="ordinary"))
    op.add_column("change", sa.Column("judged", sa.SmallInteger(), nullable=False, server_default="0"))
    op.add_column("change", sa.Column("corrects", sa.BigInteger()))
    op.execute("UPDATE change SET judged = level")
    op.execute(f"UPDATE change SET notice = {_FACTS[dialect]}")  # noqa: S608  our own words only
    if dialect == "postgresql":
        for table, column in (("alert", "rule"), ("change", "rule"), ("change", "cause"), ("change", "judged")):
            op.alter_column(table, column, server_default=None)
