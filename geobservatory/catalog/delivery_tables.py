"""The tables of what was delivered through the portal."""

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from geobservatory.catalog.tables import Base

# A product to its end; a range of it, or a file inside; the client left; it could not be brought.
OUTCOMES = ("whole", "part", "left", "broken")


class DeliveryRow(Base):
    """What somebody was sent; appended, never changed, and forgotten once it is old."""

    __tablename__ = "deliveries"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    scene_name: Mapped[str]
    # The file inside the product; empty where it is the product itself.
    part: Mapped[str] = mapped_column(server_default="")
    # As the portal knows them.
    who: Mapped[str]
    # ``archive``, or the hubs it came from, the last one last.
    origin: Mapped[str]
    began_at: Mapped[datetime]
    seconds: Mapped[float]
    first_byte_s: Mapped[float | None]
    sent_bytes: Mapped[int] = mapped_column(BigInteger)
    outcome: Mapped[str]
    # Why it broke.
    detail: Mapped[str] = mapped_column(server_default="")

    __table_args__ = (
        CheckConstraint(
            f"outcome IN ({', '.join(repr(one) for one in OUTCOMES)})", name="outcome_known"
        ),
        CheckConstraint("sent_bytes >= 0 AND seconds >= 0", name="counts"),
        Index("ix_deliveries_who", "who", "began_at"),
        Index("ix_deliveries_began_at", "began_at"),
        Index("ix_deliveries_scene_name", "scene_name"),
    )


class DeliveredDayRow(Base):
    """What was delivered on a day, of deliveries that are forgotten; to whom is not kept."""

    __tablename__ = "delivered_days"

    # UTC.
    day: Mapped[date] = mapped_column(primary_key=True)
    origin: Mapped[str] = mapped_column(primary_key=True)
    # Products to their end, and the bytes of all deliveries.
    whole: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (CheckConstraint("whole >= 0 AND bytes >= 0", name="counts"),)
