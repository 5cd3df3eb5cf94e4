"""The tables of who may: accounts, tokens, sessions, and what was done.

No secret stands in them: of a password its argon2 digest, of a token and a session the SHA-256 of
32 random bytes.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from geobservatory.catalog.tables import Base
from geobservatory.settings.portal import Role

_DIGEST = "digest ~ '^[0-9a-f]{64}$'"
_ROLES = ", ".join(f"'{role}'" for role in Role)


class AccountRow(Base):
    """Somebody who is known by name: of ours, or vouched for by an institution."""

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    # Argon2id; none where somebody else vouches.
    password: Mapped[str | None]
    # Who vouches, and whom they mean.
    subject: Mapped[str | None] = mapped_column(unique=True)
    # Where they work, in English, for the statistics; where nobody has told, none.
    country: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    disabled_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(f"role IN ({_ROLES})", name="role_known"),
        CheckConstraint("name = lower(name) AND name <> ''", name="name"),
        CheckConstraint("password LIKE '$argon2id$%'", name="password_hashed"),
        CheckConstraint("password IS NULL OR subject IS NULL", name="one_who_vouches"),
        CheckConstraint("country <> ''", name="country"),
    )


class ApiTokenRow(Base):
    """A token of an account, for programs."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    name: Mapped[str]
    # The first characters, by which a person knows it again.
    start: Mapped[str]
    digest: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(_DIGEST, name="digest"),
        CheckConstraint("name <> ''", name="name"),
        CheckConstraint("jsonb_typeof(scopes) = 'array'", name="scopes"),
    )


class WebSessionRow(Base):
    """Somebody who has logged in on the web."""

    __tablename__ = "web_sessions"

    digest: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)

    __table_args__ = (CheckConstraint(_DIGEST, name="digest"),)


class AuditRow(Base):
    """Something that somebody did, or tried to; appended and never changed."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    # As they called themselves; the account may be gone, or never have been.
    who: Mapped[str]
    address: Mapped[str]
    action: Mapped[str]
    object: Mapped[str]
    outcome: Mapped[str]

    __table_args__ = (
        CheckConstraint("outcome IN ('done', 'refused', 'failed')", name="outcome_known"),
        CheckConstraint("action <> ''", name="action"),
        Index("ix_audit_time", "at"),
        Index("ix_audit_who", "who", "at"),
    )
