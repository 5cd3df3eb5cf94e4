"""The table of what people are told."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    UniqueConstraint,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from geobservatory.catalog.tables import Base, one_of


class NoticeRow(Base):
    """Something that somebody is told, once."""

    __tablename__ = "notices"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    # None where it is of a hub.
    activation_id: Mapped[str | None] = mapped_column(ForeignKey("activations.id"))
    kind: Mapped[str]
    key: Mapped[str]
    recipient: Mapped[str]
    content: Mapped[dict[str, Any]]
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(server_default="0")
    error: Mapped[str] = mapped_column(server_default="")
    # What receivers know it by: unlike the number it is no other database's too.
    token: Mapped[UUID] = mapped_column(unique=True, server_default=func.gen_random_uuid())
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("activation_id", "kind", "key", "recipient"),
        one_of("state", ("waiting", "taken", "handed", "sent", "failed", "uncertain")),
        CheckConstraint("(sent_at IS NOT NULL) = (state = 'sent')", name="sent_has_time"),
        CheckConstraint("recipient <> ''", name="recipient"),
        CheckConstraint("state NOT IN ('failed', 'uncertain') OR error <> ''", name="why_failed"),
        Index(
            "uq_notices_of_hubs",
            "kind",
            "key",
            "recipient",
            unique=True,
            postgresql_where="activation_id IS NULL",
        ),
        Index("ix_notices_due", "due_at", postgresql_where="state IN ('waiting', 'taken')"),
    )
