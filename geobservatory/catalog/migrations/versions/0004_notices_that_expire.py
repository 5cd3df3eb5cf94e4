"""What receivers know a notice by, until when it is worth sending, and what it says in parts."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    random = sa.text("gen_random_uuid()")
    op.add_column("notices", sa.Column("token", sa.Uuid(), server_default=random, nullable=False))
    op.create_unique_constraint(op.f("uq_notices_token"), "notices", ["token"])
    op.add_column("notices", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE notices SET expires_at = created_at + interval '2 days'")
    op.alter_column("notices", "expires_at", nullable=False)
    # What was said is in parts now, so that it is written as text and as HTML.
    op.execute(
        "UPDATE notices SET content = (content - 'text') || jsonb_build_object("
        "'said', jsonb_build_array(content->>'text'), 'points', '[]'::jsonb,"
        " 'event', '[]'::jsonb, 'details', '{}'::jsonb, 'link', NULL)"
    )
