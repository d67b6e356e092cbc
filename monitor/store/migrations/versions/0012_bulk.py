"""What a storm of alerts adds is written without looking up foreign keys, and in the order of its indexes."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    for name, referred in (("change", "alert"), ("delivery", "change"), ("attempt", "delivery")):
        with op.batch_alter_table(name) as table:
            table.drop_constraint(f"fk_{name}_{referred}_id", type_="foreignkey")
            if name == "delivery":
                table.drop_constraint("uq_delivery_key", type_="unique")
                table.drop_index("ix_delivery_change_id")
    columns = ["change_id", "receiver", "channel", "address"]
    op.create_index("ix_delivery_change_id_receiver_channel_address", "delivery", columns, unique=True)
    few = sa.text("bulletin IS NOT NULL")
    op.create_index("ix_delivery_key", "delivery", ["key"], unique=True, sqlite_where=few, postgresql_where=few)
