"""Links of subscriptions by their digest only; deliveries summed by the day, so that they may go."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "subscription_links",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("digest ~ '^[0-9a-f]{64}$'", name=op.f("ck_subscription_links_digest")),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_subscription_links_subscription_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_subscription_links")),
    )
    op.create_index(
        op.f("ix_subscription_links_subscription_id"), "subscription_links", ["subscription_id"]
    )
    # Links in mails that were sent stay good.
    op.execute(
        "INSERT INTO subscription_links (digest, subscription_id)"
        " SELECT encode(sha256(convert_to(token::text, 'UTF8')), 'hex'), id FROM subscriptions"
    )
    # The question whether an address is to be told had the secret in its key and its content.
    op.execute(
        "UPDATE notices SET key = s.id || ' ' || split_part(key, ' ', 2)"
        " FROM subscriptions s WHERE kind = 'confirm-subscription'"
        " AND split_part(key, ' ', 1) = s.token::text"
    )
    op.execute(
        "UPDATE notices SET key = 'ended ' || id WHERE kind = 'confirm-subscription'"
        " AND split_part(key, ' ', 1) ~ '^[0-9a-f]{8}-'"
    )
    op.execute(
        "UPDATE notices SET content = content || '{\"link\": null}'::jsonb"
        " WHERE kind = 'confirm-subscription'"
    )
    # It holds on to the column, and is made anew.
    op.execute("DROP VIEW IF EXISTS subscriptions_map")
    op.drop_constraint(op.f("uq_subscriptions_token"), "subscriptions")
    op.drop_column("subscriptions", "token")
    op.create_table(
        "delivered_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("whole", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("whole >= 0 AND bytes >= 0", name=op.f("ck_delivered_days_counts")),
        sa.PrimaryKeyConstraint("day", "origin", name=op.f("pk_delivered_days")),
    )
