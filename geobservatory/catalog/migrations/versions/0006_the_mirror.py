"""The mirror: what lies in the archive, what streams want, how far they follow, pins, changes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

_TIME = sa.DateTime(timezone=True)
_STATES = "'coming', 'held', 'part', 'reduced', 'leaving', 'quarantined'"


def upgrade() -> None:
    # The first sketch of it: nothing ever wrote there.
    op.drop_table("mirror_inventory")
    op.create_table(
        "mirror_inventory",
        sa.Column("scene_name", sa.String(), nullable=False),
        sa.Column("stream", sa.String(), server_default="", nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("sensed_at", _TIME, nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.String(), server_default="", nullable=False),
        sa.Column(
            "upstream",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
        ),
        sa.Column("stored_at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("verified_at", _TIME, nullable=True),
        sa.Column("outdated", sa.String(), server_default="", nullable=False),
        sa.CheckConstraint(f"state IN ({_STATES})", name=op.f("ck_mirror_inventory_state_known")),
        sa.CheckConstraint("size_bytes >= 0", name=op.f("ck_mirror_inventory_size")),
        sa.CheckConstraint(
            "state <> 'held' OR checksum <> ''", name=op.f("ck_mirror_inventory_held_is_verified")
        ),
        sa.ForeignKeyConstraint(
            ["scene_name"], ["scenes.name"], name=op.f("fk_mirror_inventory_scene_name")
        ),
        sa.PrimaryKeyConstraint("scene_name", name=op.f("pk_mirror_inventory")),
        sa.UniqueConstraint("path", name=op.f("uq_mirror_inventory_path")),
    )
    op.create_index(
        "ix_mirror_inventory_stream", "mirror_inventory", ["stream", "state", "sensed_at"]
    )
    op.create_index(
        "ix_mirror_inventory_scrub",
        "mirror_inventory",
        ["verified_at"],
        postgresql_where=sa.text("state = 'held'"),
    )
    op.create_index("ix_mirror_inventory_stored", "mirror_inventory", ["stored_at"])
    op.create_table(
        "mirror_wanted",
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("scene_name", sa.String(), nullable=False),
        sa.Column("state", sa.String(), server_default="wanted", nullable=False),
        sa.Column("sensed_at", _TIME, nullable=False),
        sa.Column("acquisition", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("published_at", _TIME, nullable=False),
        sa.Column("learned_at", _TIME, nullable=False),
        sa.Column("listed_at", _TIME, nullable=False),
        sa.Column("held_at", _TIME, nullable=True),
        sa.Column("evicted_at", _TIME, nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retry_at", _TIME, nullable=True),
        sa.Column("reason", sa.String(), server_default="", nullable=False),
        sa.CheckConstraint(
            "state = 'wanted' OR reason <> ''", name=op.f("ck_mirror_wanted_reason_given")
        ),
        sa.CheckConstraint(
            "state IN ('wanted', 'superseded', 'withdrawn')",
            name=op.f("ck_mirror_wanted_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["scene_name"], ["scenes.name"], name=op.f("fk_mirror_wanted_scene_name")
        ),
        sa.PrimaryKeyConstraint("stream", "scene_name", name=op.f("pk_mirror_wanted")),
    )
    op.create_index("ix_mirror_wanted_order", "mirror_wanted", ["stream", "state", "sensed_at"])
    op.create_index("ix_mirror_wanted_acquisition", "mirror_wanted", ["stream", "acquisition"])
    op.create_index("ix_mirror_wanted_name", "mirror_wanted", ["scene_name"])
    op.create_index(
        "ix_mirror_wanted_gone",
        "mirror_wanted",
        ["stream", "sensed_at"],
        postgresql_where=sa.text("state = 'wanted' AND evicted_at IS NOT NULL"),
    )
    op.create_table(
        "mirror_looks",
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("hub", sa.String(), nullable=False),
        sa.Column("definition", sa.String(), nullable=False),
        sa.Column("seen_until", _TIME, nullable=True),
        sa.Column("looked_at", _TIME, nullable=False),
        sa.Column("full_at", _TIME, nullable=True),
        sa.Column("full_before_at", _TIME, nullable=True),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("failure", sa.String(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("stream", "hub", name=op.f("pk_mirror_looks")),
    )
    op.create_table(
        "mirror_pins",
        sa.Column("scene_name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), server_default="", nullable=False),
        sa.Column("pinned_at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("until", _TIME, nullable=True),
        sa.CheckConstraint("holder <> ''", name=op.f("ck_mirror_pins_holder")),
        sa.PrimaryKeyConstraint("scene_name", "holder", name=op.f("pk_mirror_pins")),
    )
    op.create_table(
        "mirror_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("scene_name", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("detail", sa.String(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mirror_changes")),
    )
    op.create_index("ix_mirror_changes_at", "mirror_changes", ["at"])
    op.create_index("ix_mirror_changes_scene", "mirror_changes", ["scene_name"])
