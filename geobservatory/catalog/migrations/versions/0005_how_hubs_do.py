"""How hubs do: measurements rolled up by the hour, incidents, notices about hubs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "rollups",
        sa.Column("hub", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("product_type", sa.String(), nullable=False),
        sa.Column("hour", _TIME, nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("good", sa.Integer(), nullable=False),
        sa.Column("total", sa.Float(), nullable=False),
        sa.Column("buckets", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint(
            "good >= 0 AND good <= asked AND asked > 0", name=op.f("ck_rollups_counts")
        ),
        sa.PrimaryKeyConstraint("hub", "kind", "product_type", "hour", name=op.f("pk_rollups")),
    )
    op.create_index("ix_rollups_hour", "rollups", ["hour", "kind"])
    op.create_table(
        "rollups_due",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("hub", sa.String(), nullable=False),
        sa.Column("hour", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollups_due")),
    )
    # Appended, never updated: who measures waits for nobody, and what is marked while the hour is
    # being counted stays marked.
    op.execute(
        "CREATE FUNCTION mark_rollups_due() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO rollups_due (hub, hour)"
        " SELECT DISTINCT hub, date_trunc('hour', at, 'UTC') FROM added; RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER mark_rollups_due AFTER INSERT ON measurements"
        " REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION mark_rollups_due()"
    )
    op.execute(
        "INSERT INTO rollups_due (hub, hour)"
        " SELECT DISTINCT hub, date_trunc('hour', at, 'UTC') FROM measurements"
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("hub", sa.String(), nullable=False),
        sa.Column("aspect", sa.String(), nullable=False),
        sa.Column("began_at", _TIME, nullable=False),
        sa.Column("noticed_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("cause <> ''", name=op.f("ck_incidents_cause_given")),
        sa.CheckConstraint("began_at <= noticed_at", name=op.f("ck_incidents_noticed_after")),
        sa.CheckConstraint("ended_at >= began_at", name=op.f("ck_incidents_ended_after")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
    )
    op.create_index("ix_incidents_hub", "incidents", ["hub", "began_at"])
    op.create_index(
        "uq_incidents_open",
        "incidents",
        ["hub", "aspect"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.add_column(
        "offers", sa.Column("measured", sa.Boolean(), server_default="false", nullable=False)
    )
    op.create_index("ix_offers_hub", "offers", ["hub", "published_at"])
    op.create_index(
        "ix_offers_unmeasured", "offers", ["hub"], postgresql_where=sa.text("NOT measured")
    )
    op.create_index("ix_downloads_hub", "downloads", ["hub", "started_at"])
    op.alter_column("notices", "activation_id", nullable=True)
    op.create_index(
        "uq_notices_of_hubs",
        "notices",
        ["kind", "key", "recipient"],
        unique=True,
        postgresql_where=sa.text("activation_id IS NULL"),
    )
