"""The tables of who wants to be told, and of the links in their mails."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, func
from sqlalchemy.orm import Mapped, mapped_column

from geobservatory.catalog.tables import Base, Boxed, boxed


class SubscriptionRow(Boxed, Base):
    """Somebody who wants to be told."""

    __tablename__ = "subscriptions"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    address: Mapped[str]
    area: Mapped[dict[str, Any]]
    magnitude: Mapped[float | None]
    confirmed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (*boxed(), CheckConstraint("address <> ''", name="address"))


class SubscriptionLinkRow(Base):
    """A link by which a subscription is confirmed, looked at and ended; each mail has its own.

    The secret in it stands in that mail only: what is kept is its SHA-256.
    """

    __tablename__ = "subscription_links"

    digest: Mapped[str] = mapped_column(primary_key=True)
    subscription_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("subscriptions.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (CheckConstraint("digest ~ '^[0-9a-f]{64}$'", name="digest"),)
