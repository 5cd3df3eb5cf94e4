"""The tables of what is measured of hubs, and of their incidents."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from geobservatory.catalog.tables import Base


class MeasurementRow(Base):
    """One thing measured of a hub; years of them, so found by time through a BRIN index."""

    __tablename__ = "measurements"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime]
    hub: Mapped[str]
    kind: Mapped[str]
    product_type: Mapped[str | None]
    value: Mapped[float | None]
    ok: Mapped[bool]
    detail: Mapped[dict[str, Any] | None]
    flow_run_id: Mapped[str | None]

    __table_args__ = (
        CheckConstraint("NOT ok OR value IS NOT NULL", name="success_has_value"),
        Index("ix_measurements_hub", "hub", "kind", "at"),
        Index("ix_measurements_time", "at", postgresql_using="brin"),
    )


class RollupRow(Base):
    """The measurements of one hour, counted; kept when they themselves are gone."""

    __tablename__ = "rollups"

    hub: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    # Empty where the measurement is of no one type.
    product_type: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    asked: Mapped[int]
    good: Mapped[int]
    # Of the good ones: sum, and how many in each bucket (`geobservatory.catalog.measurements`).
    total: Mapped[float]
    buckets: Mapped[dict[str, Any]]

    __table_args__ = (
        CheckConstraint("good >= 0 AND good <= asked AND asked > 0", name="counts"),
        Index("ix_rollups_hour", "hour", "kind"),
    )


class RollupDueRow(Base):
    """An hour of a hub that has new measurements; appended by a trigger, so by whoever measures."""

    __tablename__ = "rollups_due"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    hub: Mapped[str]
    hour: Mapped[datetime]


class IncidentRow(Base):
    """A time in which a hub was not as it should be; one of a kind is open at a time."""

    __tablename__ = "incidents"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    hub: Mapped[str]
    aspect: Mapped[str]
    began_at: Mapped[datetime]
    noticed_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    cause: Mapped[str]
    evidence: Mapped[dict[str, Any]]

    __table_args__ = (
        CheckConstraint("cause <> ''", name="cause_given"),
        CheckConstraint("began_at <= noticed_at", name="noticed_after"),
        CheckConstraint("ended_at >= began_at", name="ended_after"),
        Index(
            "uq_incidents_open", "hub", "aspect", unique=True, postgresql_where="ended_at IS NULL"
        ),
        Index("ix_incidents_hub", "hub", "began_at"),
    )
