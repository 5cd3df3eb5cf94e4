"""Who may: accounts, tokens, sessions, what was done; where interferograms lie."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"

_TIME = sa.DateTime(timezone=True)
_DIGEST = "digest ~ '^[0-9a-f]{64}$'"


def _number() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def _created() -> sa.Column[Any]:
    return sa.Column("created_at", _TIME, server_default=sa.text("now()"), nullable=False)


def _account(table: str) -> tuple[sa.Column[int], sa.ForeignKeyConstraint]:
    name = op.f(f"fk_{table}_account_id")
    return (
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=name),
    )


def upgrade() -> None:
    op.create_table(
        "accounts",
        _number(),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("password", sa.String(), nullable=True),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("country", sa.String(), nullable=True),
        _created(),
        sa.Column("disabled_at", _TIME, nullable=True),
        sa.CheckConstraint(
            "role IN ('reader', 'downloader', 'operator')", name=op.f("ck_accounts_role_known")
        ),
        sa.CheckConstraint("name = lower(name) AND name <> ''", name=op.f("ck_accounts_name")),
        sa.CheckConstraint("password LIKE '$argon2id$%'", name=op.f("ck_accounts_password_hashed")),
        sa.CheckConstraint(
            "password IS NULL OR subject IS NULL", name=op.f("ck_accounts_one_who_vouches")
        ),
        sa.CheckConstraint("country <> ''", name=op.f("ck_accounts_country")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_accounts_name")),
        sa.UniqueConstraint("subject", name=op.f("uq_accounts_subject")),
    )
    op.create_table(
        "api_tokens",
        _number(),
        *_account("api_tokens"),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("start", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        _created(),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("revoked_at", _TIME, nullable=True),
        sa.Column("used_at", _TIME, nullable=True),
        sa.CheckConstraint(_DIGEST, name=op.f("ck_api_tokens_digest")),
        sa.CheckConstraint("name <> ''", name=op.f("ck_api_tokens_name")),
        sa.CheckConstraint("jsonb_typeof(scopes) = 'array'", name=op.f("ck_api_tokens_scopes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_tokens_digest")),
    )
    op.create_index(op.f("ix_api_tokens_account_id"), "api_tokens", ["account_id"])
    op.create_table(
        "web_sessions",
        sa.Column("digest", sa.String(), nullable=False),
        *_account("web_sessions"),
        _created(),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.CheckConstraint(_DIGEST, name=op.f("ck_web_sessions_digest")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_web_sessions")),
    )
    op.create_index(op.f("ix_web_sessions_account_id"), "web_sessions", ["account_id"])
    op.create_index(op.f("ix_web_sessions_expires_at"), "web_sessions", ["expires_at"])
    op.create_table(
        "audit",
        _number(),
        sa.Column("at", _TIME, server_default=sa.text("clock_timestamp()"), nullable=False),
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("who", "address", "action", "object", "outcome")
        ),
        sa.CheckConstraint(
            "outcome IN ('done', 'refused', 'failed')", name=op.f("ck_audit_outcome_known")
        ),
        sa.CheckConstraint("action <> ''", name=op.f("ck_audit_action")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_time", "audit", ["at"])
    op.create_index("ix_audit_who", "audit", ["who", "at"])
    op.add_column(
        "interferograms",
        sa.Column("footprint", postgresql.JSONB(none_as_null=True, astext_type=sa.Text())),
    )
    for side in ("west", "south", "east", "north"):
        op.add_column("interferograms", sa.Column(side, sa.Float()))
    for name, condition in (
        ("latitudes", "south <= north AND south >= -90 AND north <= 90"),
        ("longitudes", "west BETWEEN -180 AND 180 AND east BETWEEN -180 AND 180"),
        ("footprint_has_box", "num_nulls(footprint, west, south, east, north) IN (0, 5)"),
    ):
        op.create_check_constraint(op.f(f"ck_interferograms_{name}"), "interferograms", condition)
