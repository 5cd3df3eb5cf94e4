"""Subscriptions that people confirm and end themselves; results that were handed out, by the day."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column(
        "subscriptions",
        sa.Column("token", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
    )
    op.create_unique_constraint(op.f("uq_subscriptions_token"), "subscriptions", ["token"])
    op.create_table(
        "handed_out",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("activation_id", sa.String(), nullable=False),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("files >= 0 AND bytes >= 0", name=op.f("ck_handed_out_counts")),
        sa.ForeignKeyConstraint(
            ["activation_id"], ["activations.id"], name=op.f("fk_handed_out_activation_id")
        ),
        sa.PrimaryKeyConstraint("day", "activation_id", name=op.f("pk_handed_out")),
    )
