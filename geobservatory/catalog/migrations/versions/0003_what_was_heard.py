"""What agencies said of earthquakes, what was decided of them and why."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column(
        "activations", sa.Column("automatic", sa.Boolean(), server_default="false", nullable=False)
    )
    op.add_column("events", sa.Column("same_as", sa.String(), nullable=True))
    op.create_foreign_key(op.f("fk_events_same_as"), "events", "events", ["same_as"], ["id"])
    op.create_check_constraint(op.f("ck_events_same_as_another"), "events", "same_as <> id")
    op.add_column(
        "event_revisions", sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True)
    )
    for name in ("magnitude_type", "retracted"):
        column = sa.Column(name, sa.String(), server_default="", nullable=False)
        op.add_column("event_revisions", column)
    op.create_table(
        "event_names",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.CheckConstraint("source <> '' AND name <> ''", name=op.f("ck_event_names_given")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_event_names_event_id")),
        sa.PrimaryKeyConstraint("source", "name", name=op.f("pk_event_names")),
    )
    op.create_index(op.f("ix_event_names_event_id"), "event_names", ["event_id"], unique=False)
    # Until now the revisions alone told which identifier was whose; the first one holds.
    op.execute(
        "INSERT INTO event_names (source, name, event_id)"
        " SELECT DISTINCT ON (source, source_id) source, source_id, event_id FROM event_revisions"
        " WHERE source_id <> '' AND source <> '' ORDER BY source, source_id, id"
    )
    op.create_table(
        "event_decisions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("activate", sa.Boolean(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("criteria", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("activation_id", sa.String(), nullable=True),
        sa.CheckConstraint(
            "action IN ('none', 'activate', 'join', 'widen', 'keep', 'withdraw')",
            name=op.f("ck_event_decisions_action_known"),
        ),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_event_decisions_reason_given")),
        sa.CheckConstraint(
            "(action = 'none') = (activation_id IS NULL)",
            name=op.f("ck_event_decisions_action_has_activation"),
        ),
        sa.ForeignKeyConstraint(
            ["activation_id"], ["activations.id"], name=op.f("fk_event_decisions_activation_id")
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name=op.f("fk_event_decisions_event_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_decisions")),
    )
    op.create_index("ix_event_decisions_event", "event_decisions", ["event_id", "id"], unique=False)
    op.create_table(
        "feeds",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("seen_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "read_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_feeds")),
    )
