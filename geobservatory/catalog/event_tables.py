"""The tables of events, of what was decided about them, and of activations."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from geobservatory.catalog.tables import Base, Boxed, boxed, one_of
from geobservatory.events.model import Action, ActivationState, EventType


class ActivationRow(Boxed, Base):
    """A request to respond to events, and where it stands."""

    __tablename__ = "activations"

    id: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    state_reason: Mapped[str] = mapped_column(server_default="")
    request: Mapped[dict[str, Any]]
    # Decided by criteria, and no person has asked for it: a revision may take it back.
    automatic: Mapped[bool] = mapped_column(server_default="false")
    priority: Mapped[int] = mapped_column(server_default="0")
    flow_run_id: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        one_of("state", ActivationState),
        *boxed(),
        CheckConstraint(
            "state NOT IN ('failed', 'waiting', 'withdrawn') OR state_reason <> ''",
            name="reason_given",
        ),
        Index("ix_activations_box", "west", "east", "south", "north"),
        Index("ix_activations_state", "state", "updated_at"),
    )


class ActivationChangeRow(Base):
    """Every state an activation has had, appended and never changed."""

    __tablename__ = "activation_changes"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    activation_id: Mapped[str] = mapped_column(ForeignKey("activations.id"), index=True)
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    state: Mapped[str]
    reason: Mapped[str]
    flow_run_id: Mapped[str | None]

    __table_args__ = (one_of("state", ActivationState),)


class EventRow(Base):
    """An event as it is known now; it belongs to one activation at most."""

    __tablename__ = "events"

    id: Mapped[str] = mapped_column(primary_key=True)
    activation_id: Mapped[str | None] = mapped_column(ForeignKey("activations.id"), index=True)
    event_type: Mapped[str]
    time: Mapped[datetime] = mapped_column(index=True)
    longitude: Mapped[float]
    latitude: Mapped[float]
    magnitude: Mapped[float | None]
    depth_km: Mapped[float | None]
    name: Mapped[str] = mapped_column(server_default="")
    # Two that an agency has found to be one: this one is the other.
    same_as: Mapped[str | None] = mapped_column(ForeignKey("events.id"))

    __table_args__ = (
        one_of("event_type", EventType),
        CheckConstraint("same_as <> id", name="same_as_another"),
        CheckConstraint("longitude BETWEEN -180 AND 180", name="longitude"),
        CheckConstraint("latitude BETWEEN -90 AND 90", name="latitude"),
    )


class EventRevisionRow(Base):
    """What each source said of an event, each time it said something new; append-only."""

    __tablename__ = "event_revisions"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    event_id: Mapped[str] = mapped_column(ForeignKey("events.id"), index=True)
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    source: Mapped[str]
    source_id: Mapped[str | None]
    content: Mapped[dict[str, Any]]
    digest: Mapped[str]
    # By the agency's own clock; a person's report has none.
    reported_at: Mapped[datetime | None]
    magnitude_type: Mapped[str] = mapped_column(server_default="")
    # Why the agency says that there was no such earthquake; empty where it says there was.
    retracted: Mapped[str] = mapped_column(server_default="")
    flow_run_id: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("event_id", "digest"),
        Index("ix_event_revisions_source", "source", "source_id"),
    )


class EventNameRow(Base):
    """An identifier that a source uses for an event: of one event only."""

    __tablename__ = "event_names"

    source: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(ForeignKey("events.id"), index=True)

    __table_args__ = (CheckConstraint("source <> '' AND name <> ''", name="given"),)


class EventDecisionRow(Base):
    """What was decided of an earthquake, by which rule and why, each time it changed."""

    __tablename__ = "event_decisions"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    event_id: Mapped[str] = mapped_column(ForeignKey("events.id"))
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    activate: Mapped[bool]
    rule: Mapped[str]
    reason: Mapped[str]
    criteria: Mapped[list[Any]] = mapped_column(JSONB)
    action: Mapped[str]
    activation_id: Mapped[str | None] = mapped_column(ForeignKey("activations.id"))

    __table_args__ = (
        one_of("action", Action),
        CheckConstraint("reason <> ''", name="reason_given"),
        CheckConstraint(
            "(action = 'none') = (activation_id IS NULL)", name="action_has_activation"
        ),
        Index("ix_event_decisions_event", "event_id", "id"),
    )


class FeedRow(Base):
    """How far a feed of earthquakes has been followed."""

    __tablename__ = "feeds"

    name: Mapped[str] = mapped_column(primary_key=True)
    # Up to this revision, by the agency's clock, the feed's service has been read.
    seen_until: Mapped[datetime]
    read_at: Mapped[datetime] = mapped_column(server_default=func.now())
