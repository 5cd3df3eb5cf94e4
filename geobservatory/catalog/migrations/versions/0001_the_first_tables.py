"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "activations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("state_reason", sa.String(), server_default="", nullable=False),
        sa.Column("request", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("flow_run_id", sa.String(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("west", sa.Float(), nullable=False),
        sa.Column("south", sa.Float(), nullable=False),
        sa.Column("east", sa.Float(), nullable=False),
        sa.Column("north", sa.Float(), nullable=False),
        sa.CheckConstraint(
            "state IN ('requested', 'running', 'waiting', 'complete', 'failed', 'withdrawn')",
            name=op.f("ck_activations_state_known"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('failed', 'waiting', 'withdrawn') OR state_reason <> ''",
            name=op.f("ck_activations_reason_given"),
        ),
        sa.CheckConstraint(
            "south <= north AND south >= -90 AND north <= 90", name=op.f("ck_activations_latitudes")
        ),
        sa.CheckConstraint(
            "west BETWEEN -180 AND 180 AND east BETWEEN -180 AND 180",
            name=op.f("ck_activations_longitudes"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activations")),
    )
    op.create_index(
        "ix_activations_box", "activations", ["west", "east", "south", "north"], unique=False
    )
    op.create_index("ix_activations_state", "activations", ["state", "updated_at"], unique=False)
    op.create_table(
        "measurements",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hub", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("product_type", sa.String(), nullable=True),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("flow_run_id", sa.String(), nullable=True),
        sa.CheckConstraint(
            "NOT ok OR value IS NOT NULL", name=op.f("ck_measurements_success_has_value")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measurements")),
    )
    op.create_index("ix_measurements_hub", "measurements", ["hub", "kind", "at"], unique=False)
    op.create_index(
        "ix_measurements_time", "measurements", ["at"], unique=False, postgresql_using="brin"
    )
    op.create_table(
        "scenes",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("mission", sa.String(), nullable=False),
        sa.Column("product_type", sa.String(), nullable=False),
        sa.Column("start_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stop_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("relative_orbit", sa.Integer(), nullable=True),
        sa.Column("absolute_orbit", sa.Integer(), nullable=True),
        sa.Column("direction", sa.String(), nullable=True),
        sa.Column("polarisations", sa.String(), nullable=True),
        sa.Column("footprint", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("flow_run_id", sa.String(), nullable=True),
        sa.Column("west", sa.Float(), nullable=False),
        sa.Column("south", sa.Float(), nullable=False),
        sa.Column("east", sa.Float(), nullable=False),
        sa.Column("north", sa.Float(), nullable=False),
        sa.CheckConstraint(
            "direction IN ('ascending', 'descending')", name=op.f("ck_scenes_direction_known")
        ),
        sa.CheckConstraint(
            "relative_orbit BETWEEN 1 AND 175", name=op.f("ck_scenes_relative_orbit")
        ),
        sa.CheckConstraint(
            "south <= north AND south >= -90 AND north <= 90", name=op.f("ck_scenes_latitudes")
        ),
        sa.CheckConstraint("start_time < stop_time", name=op.f("ck_scenes_times_in_order")),
        sa.CheckConstraint(
            "west BETWEEN -180 AND 180 AND east BETWEEN -180 AND 180",
            name=op.f("ck_scenes_longitudes"),
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_scenes")),
    )
    op.create_index("ix_scenes_box", "scenes", ["west", "east", "south", "north"], unique=False)
    op.create_index("ix_scenes_track", "scenes", ["relative_orbit", "start_time"], unique=False)
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("area", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("magnitude", sa.Float(), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("west", sa.Float(), nullable=False),
        sa.Column("south", sa.Float(), nullable=False),
        sa.Column("east", sa.Float(), nullable=False),
        sa.Column("north", sa.Float(), nullable=False),
        sa.CheckConstraint("address <> ''", name=op.f("ck_subscriptions_address")),
        sa.CheckConstraint(
            "south <= north AND south >= -90 AND north <= 90",
            name=op.f("ck_subscriptions_latitudes"),
        ),
        sa.CheckConstraint(
            "west BETWEEN -180 AND 180 AND east BETWEEN -180 AND 180",
            name=op.f("ck_subscriptions_longitudes"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
    )
    op.create_table(
        "activation_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("activation_id", sa.String(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("flow_run_id", sa.String(), nullable=True),
        sa.CheckConstraint(
            "state IN ('requested', 'running', 'waiting', 'complete', 'failed', 'withdrawn')",
            name=op.f("ck_activation_changes_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["activation_id"], ["activations.id"], name=op.f("fk_activation_changes_activation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activation_changes")),
    )
    op.create_index(
        op.f("ix_activation_changes_activation_id"),
        "activation_changes",
        ["activation_id"],
        unique=False,
    )
    op.create_table(
        "downloads",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("scene_name", sa.String(), nullable=False),
        sa.Column("hub", sa.String(), nullable=False),
        sa.Column("part", sa.String(), server_default="", nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("received_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("total_bytes", sa.BigInteger(), nullable=True),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("flow_run_id", sa.String(), nullable=True),
        sa.CheckConstraint(
            "(ended_at IS NOT NULL) = (state IN ('complete', 'failed'))",
            name=op.f("ck_downloads_ended"),
        ),
        sa.CheckConstraint(
            "state <> 'complete' OR (total_bytes IS NOT NULL AND received_bytes = total_bytes)",
            name=op.f("ck_downloads_complete_is_all"),
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'complete', 'failed')",
            name=op.f("ck_downloads_state_known"),
        ),
        sa.CheckConstraint(
            "received_bytes <= total_bytes", name=op.f("ck_downloads_not_more_than_all")
        ),
        sa.CheckConstraint("received_bytes >= 0", name=op.f("ck_downloads_received")),
        sa.ForeignKeyConstraint(
            ["scene_name"], ["scenes.name"], name=op.f("fk_downloads_scene_name")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_downloads")),
    )
    op.create_index(op.f("ix_downloads_scene_name"), "downloads", ["scene_name"], unique=False)
    op.create_index(
        "uq_downloads_open",
        "downloads",
        ["scene_name", "part"],
        unique=True,
        postgresql_where="state IN ('queued', 'running')",
    )
    op.create_table(
        "events",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("activation_id", sa.String(), nullable=True),
        sa.Column("event_type", sa.String(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=False),
        sa.Column("magnitude", sa.Float(), nullable=True),
        sa.Column("depth_km", sa.Float(), nullable=True),
        sa.Column("name", sa.String(), server_default="", nullable=False),
        sa.CheckConstraint(
            "event_type IN ('earthquake', 'volcano', 'landslide', 'other')",
            name=op.f("ck_events_event_type_known"),
        ),
        sa.CheckConstraint("latitude BETWEEN -90 AND 90", name=op.f("ck_events_latitude")),
        sa.CheckConstraint("longitude BETWEEN -180 AND 180", name=op.f("ck_events_longitude")),
        sa.ForeignKeyConstraint(
            ["activation_id"], ["activations.id"], name=op.f("fk_events_activation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_activation_id"), "events", ["activation_id"], unique=False)
    op.create_index(op.f("ix_events_time"), "events", ["time"], unique=False)
    op.create_table(
        "mirror_inventory",
        sa.Column("scene_name", sa.String(), nullable=False),
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.String(), nullable=False),
        sa.Column(
            "stored_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pins", sa.Integer(), server_default="0", nullable=False),
        sa.Column("flow_run_id", sa.String(), nullable=True),
        sa.CheckConstraint(
            "pins = 0 OR state <> 'evicted'", name=op.f("ck_mirror_inventory_pinned_is_kept")
        ),
        sa.CheckConstraint(
            "state IN ('held', 'reduced', 'quarantined', 'evicted')",
            name=op.f("ck_mirror_inventory_state_known"),
        ),
        sa.CheckConstraint("pins >= 0", name=op.f("ck_mirror_inventory_pins")),
        sa.CheckConstraint("size_bytes >= 0", name=op.f("ck_mirror_inventory_size")),
        sa.ForeignKeyConstraint(
            ["scene_name"], ["scenes.name"], name=op.f("fk_mirror_inventory_scene_name")
        ),
        sa.PrimaryKeyConstraint("scene_name", name=op.f("pk_mirror_inventory")),
        sa.UniqueConstraint("path", name=op.f("uq_mirror_inventory_path")),
    )
    op.create_index(
        "ix_mirror_inventory_stream",
        "mirror_inventory",
        ["stream", "state", "stored_at"],
        unique=False,
    )
    op.create_table(
        "offers",
        sa.Column("scene_name", sa.String(), nullable=False),
        sa.Column("hub", sa.String(), nullable=False),
        sa.Column("hub_id", sa.String(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "first_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "last_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("online", sa.Boolean(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("checksum", sa.String(), nullable=True),
        sa.Column("flow_run_id", sa.String(), nullable=True),
        sa.CheckConstraint("first_seen_at <= last_seen_at", name=op.f("ck_offers_seen_in_order")),
        sa.CheckConstraint("size_bytes >= 0", name=op.f("ck_offers_size")),
        sa.ForeignKeyConstraint(["scene_name"], ["scenes.name"], name=op.f("fk_offers_scene_name")),
        sa.PrimaryKeyConstraint("scene_name", "hub", name=op.f("pk_offers")),
    )
    op.create_index(op.f("ix_offers_published_at"), "offers", ["published_at"], unique=False)
    op.create_table(
        "pairs",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("activation_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("relative_orbit", sa.Integer(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("reference_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("secondary_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reference", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("secondary", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("flow_run_id", sa.String(), nullable=True),
        sa.CheckConstraint(
            "direction IN ('ascending', 'descending')", name=op.f("ck_pairs_direction_known")
        ),
        sa.CheckConstraint(
            "kind IN ('co-event', 'pre-event', 'post-event')", name=op.f("ck_pairs_kind_known")
        ),
        sa.CheckConstraint(
            "reference_time < secondary_time", name=op.f("ck_pairs_reference_is_earlier")
        ),
        sa.CheckConstraint(
            "relative_orbit BETWEEN 1 AND 175", name=op.f("ck_pairs_relative_orbit")
        ),
        sa.ForeignKeyConstraint(
            ["activation_id"], ["activations.id"], name=op.f("fk_pairs_activation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pairs")),
    )
    op.create_index(op.f("ix_pairs_activation_id"), "pairs", ["activation_id"], unique=False)
    op.create_table(
        "event_revisions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("source_id", sa.String(), nullable=True),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("flow_run_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name=op.f("fk_event_revisions_event_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_revisions")),
        sa.UniqueConstraint("event_id", "digest", name=op.f("uq_event_revisions_event_id_digest")),
    )
    op.create_index(
        op.f("ix_event_revisions_event_id"), "event_revisions", ["event_id"], unique=False
    )
    op.create_index(
        "ix_event_revisions_source", "event_revisions", ["source", "source_id"], unique=False
    )
    op.create_table(
        "interferograms",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("pair_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("engine", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("quality", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("parameters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("provenance", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("flow_run_id", sa.String(), nullable=True),
        sa.CheckConstraint(
            "state <> 'complete' OR verdict IS NOT NULL",
            name=op.f("ck_interferograms_complete_is_judged"),
        ),
        sa.CheckConstraint(
            "state IN ('running', 'complete', 'failed', 'superseded')",
            name=op.f("ck_interferograms_state_known"),
        ),
        sa.CheckConstraint(
            "verdict IN ('good', 'usable with care', 'not usable')",
            name=op.f("ck_interferograms_verdict"),
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_interferograms_version")),
        sa.ForeignKeyConstraint(["pair_id"], ["pairs.id"], name=op.f("fk_interferograms_pair_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_interferograms")),
        sa.UniqueConstraint(
            "pair_id", "engine", "version", name=op.f("uq_interferograms_pair_id_engine_version")
        ),
    )
    op.create_table(
        "product_files",
        sa.Column("interferogram_id", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.CheckConstraint("path <> ''", name=op.f("ck_product_files_path")),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name=op.f("ck_product_files_sha256")),
        sa.CheckConstraint("size_bytes > 0", name=op.f("ck_product_files_size")),
        sa.ForeignKeyConstraint(
            ["interferogram_id"],
            ["interferograms.id"],
            name=op.f("fk_product_files_interferogram_id"),
        ),
        sa.PrimaryKeyConstraint("interferogram_id", "role", name=op.f("pk_product_files")),
        sa.UniqueConstraint("path", name=op.f("uq_product_files_path")),
    )
