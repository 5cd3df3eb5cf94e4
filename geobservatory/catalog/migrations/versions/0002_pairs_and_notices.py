"""Why a pair was chosen, of what an interferogram was made, and who was told."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("pairs", sa.Column("score", sa.Float(), server_default="0", nullable=False))
    op.add_column("pairs", sa.Column("rank", sa.Integer(), server_default="0", nullable=False))
    op.add_column(
        "pairs",
        sa.Column(
            "spans",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default='{"events": []}',
            nullable=False,
        ),
    )
    op.add_column("pairs", sa.Column("chosen", sa.Boolean(), server_default="true", nullable=False))
    for name in ("digest", "folder", "reason"):
        column = sa.Column(name, sa.String(), server_default="", nullable=False)
        op.add_column("interferograms", column)
    op.create_check_constraint(
        op.f("ck_interferograms_failure_has_reason"),
        "interferograms",
        "state <> 'failed' OR reason <> ''",
    )
    op.create_index(
        "uq_interferograms_complete",
        "interferograms",
        ["pair_id"],
        unique=True,
        postgresql_where="state = 'complete'",
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("activation_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.String(), server_default="", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'taken', 'handed', 'sent', 'failed', 'uncertain')",
            name=op.f("ck_notices_state_known"),
        ),
        sa.CheckConstraint(
            "(sent_at IS NOT NULL) = (state = 'sent')", name=op.f("ck_notices_sent_has_time")
        ),
        sa.CheckConstraint("recipient <> ''", name=op.f("ck_notices_recipient")),
        sa.CheckConstraint(
            "state NOT IN ('failed', 'uncertain') OR error <> ''",
            name=op.f("ck_notices_why_failed"),
        ),
        sa.ForeignKeyConstraint(
            ["activation_id"], ["activations.id"], name=op.f("fk_notices_activation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint(
            "activation_id",
            "kind",
            "key",
            "recipient",
            name=op.f("uq_notices_activation_id_kind_key_recipient"),
        ),
    )
    op.create_index(
        "ix_notices_due",
        "notices",
        ["due_at"],
        postgresql_where="state IN ('waiting', 'taken')",
    )
