"""One door to all hubs: products by an identifier of ours, all checksums, what was delivered."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"

_TIME = sa.DateTime(timezone=True)
# As in catalog/scene_tables.py.
_UUID = "(OVERLAY(OVERLAY(md5(name) PLACING '8' FROM 13) PLACING '8' FROM 17))::uuid"


def upgrade() -> None:
    op.add_column("scenes", sa.Column("uuid", sa.Uuid(), sa.Computed(_UUID, persisted=True)))
    op.create_index("ix_scenes_uuid", "scenes", ["uuid"])
    op.create_index("ix_scenes_start_time", "scenes", ["start_time", "name"])
    op.add_column(
        "offers",
        sa.Column(
            "checksums",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
        ),
    )
    op.execute(
        "UPDATE offers SET checksums = jsonb_build_object(split_part(checksum, ':', 1),"
        " split_part(checksum, ':', 2)) WHERE checksum IS NOT NULL"
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("scene_name", sa.String(), nullable=False),
        sa.Column("part", sa.String(), server_default="", nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("began_at", _TIME, nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("first_byte_s", sa.Float(), nullable=True),
        sa.Column("sent_bytes", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), server_default="", nullable=False),
        sa.CheckConstraint(
            "outcome IN ('whole', 'part', 'left', 'broken')",
            name=op.f("ck_deliveries_outcome_known"),
        ),
        sa.CheckConstraint("sent_bytes >= 0 AND seconds >= 0", name=op.f("ck_deliveries_counts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    op.create_index("ix_deliveries_who", "deliveries", ["who", "began_at"])
    op.create_index("ix_deliveries_began_at", "deliveries", ["began_at"])
    op.create_index("ix_deliveries_scene_name", "deliveries", ["scene_name"])
