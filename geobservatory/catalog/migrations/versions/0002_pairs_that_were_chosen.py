"""Why a pair was chosen, and of what an interferogram was made."""

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
