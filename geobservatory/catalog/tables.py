"""The tables, with the constraints that make nonsense impossible.

Footprints are GeoJSON beside a bounding box of four numbers; a footprint over the antimeridian has
west > east. The embedded server has no PostGIS, so nothing here needs it; where a server has it,
views add geometry (see `geobservatory.catalog.migrate`).
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from geobservatory.events.model import Action, ActivationState, EventType


def _one_of(column: str, values: Any) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def _box() -> tuple[CheckConstraint, ...]:
    return (
        CheckConstraint("south <= north AND south >= -90 AND north <= 90", name="latitudes"),
        CheckConstraint(
            "west BETWEEN -180 AND 180 AND east BETWEEN -180 AND 180", name="longitudes"
        ),
    )


class Base(DeclarativeBase):
    """What all tables share: names of constraints, and the types of Python's types."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy reads it as a class attribute
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
    }


class _Boxed:
    west: Mapped[float]
    south: Mapped[float]
    east: Mapped[float]
    north: Mapped[float]


class ActivationRow(_Boxed, Base):
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
        _one_of("state", ActivationState),
        *_box(),
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

    __table_args__ = (_one_of("state", ActivationState),)


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
        _one_of("event_type", EventType),
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
        _one_of("action", Action),
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


class SceneRow(_Boxed, Base):
    """One product of a satellite, whoever holds it."""

    __tablename__ = "scenes"

    name: Mapped[str] = mapped_column(primary_key=True)
    mission: Mapped[str]
    product_type: Mapped[str]
    start_time: Mapped[datetime]
    stop_time: Mapped[datetime]
    relative_orbit: Mapped[int | None]
    absolute_orbit: Mapped[int | None]
    direction: Mapped[str | None]
    polarisations: Mapped[str | None]
    footprint: Mapped[dict[str, Any]]
    flow_run_id: Mapped[str | None]

    __table_args__ = (
        *_box(),
        CheckConstraint("start_time < stop_time", name="times_in_order"),
        CheckConstraint("relative_orbit BETWEEN 1 AND 175", name="relative_orbit"),
        CheckConstraint("direction IN ('ascending', 'descending')", name="direction_known"),
        Index("ix_scenes_track", "relative_orbit", "start_time"),
        Index("ix_scenes_box", "west", "east", "south", "north"),
    )


class OfferRow(Base):
    """Which hub has which scene, since when, and whether it can be had at once."""

    __tablename__ = "offers"

    scene_name: Mapped[str] = mapped_column(ForeignKey("scenes.name"), primary_key=True)
    hub: Mapped[str] = mapped_column(primary_key=True)
    hub_id: Mapped[str]
    published_at: Mapped[datetime | None] = mapped_column(index=True)
    first_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    online: Mapped[bool | None]
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    checksum: Mapped[str | None]
    # Whether how late it was published is among the measurements.
    measured: Mapped[bool] = mapped_column(server_default="false")
    flow_run_id: Mapped[str | None]

    __table_args__ = (
        CheckConstraint("size_bytes >= 0", name="size"),
        CheckConstraint("first_seen_at <= last_seen_at", name="seen_in_order"),
        Index("ix_offers_hub", "hub", "published_at"),
        Index("ix_offers_unmeasured", "hub", postgresql_where="NOT measured"),
    )


class DownloadRow(Base):
    """One attempt to fetch a product or a part of it."""

    __tablename__ = "downloads"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    scene_name: Mapped[str] = mapped_column(ForeignKey("scenes.name"), index=True)
    hub: Mapped[str]
    part: Mapped[str] = mapped_column(server_default="")
    state: Mapped[str]
    received_bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    total_bytes: Mapped[int | None] = mapped_column(BigInteger)
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
    error: Mapped[str | None]
    flow_run_id: Mapped[str | None]

    __table_args__ = (
        _one_of("state", ("queued", "running", "complete", "failed")),
        CheckConstraint("received_bytes >= 0", name="received"),
        CheckConstraint("received_bytes <= total_bytes", name="not_more_than_all"),
        CheckConstraint(
            "state <> 'complete' OR (total_bytes IS NOT NULL AND received_bytes = total_bytes)",
            name="complete_is_all",
        ),
        CheckConstraint("(ended_at IS NOT NULL) = (state IN ('complete', 'failed'))", name="ended"),
        # One transfer of a part at a time, whoever asks.
        Index(
            "uq_downloads_open",
            "scene_name",
            "part",
            unique=True,
            postgresql_where="state IN ('queued', 'running')",
        ),
        Index("ix_downloads_hub", "hub", "started_at"),
    )


class PairRow(Base):
    """Two acquisitions of one track, and why they were chosen."""

    __tablename__ = "pairs"

    id: Mapped[str] = mapped_column(primary_key=True)
    activation_id: Mapped[str] = mapped_column(ForeignKey("activations.id"), index=True)
    kind: Mapped[str]
    relative_orbit: Mapped[int]
    direction: Mapped[str]
    reference_time: Mapped[datetime]
    secondary_time: Mapped[datetime]
    reference: Mapped[dict[str, Any]]
    secondary: Mapped[dict[str, Any]]
    score: Mapped[float] = mapped_column(server_default="0")
    rank: Mapped[int] = mapped_column(server_default="0")
    spans: Mapped[dict[str, Any]] = mapped_column(server_default='{"events": []}')
    reason: Mapped[str]
    chosen: Mapped[bool] = mapped_column(server_default="true")
    flow_run_id: Mapped[str | None]

    __table_args__ = (
        _one_of("kind", ("co-event", "pre-event", "post-event")),
        _one_of("direction", ("ascending", "descending")),
        CheckConstraint("reference_time < secondary_time", name="reference_is_earlier"),
        CheckConstraint("relative_orbit BETWEEN 1 AND 175", name="relative_orbit"),
    )


class InterferogramRow(Base):
    """An interferogram of a pair: its state, quality and provenance; versions supersede."""

    __tablename__ = "interferograms"

    id: Mapped[str] = mapped_column(primary_key=True)
    pair_id: Mapped[str] = mapped_column(ForeignKey("pairs.id"))
    version: Mapped[int]
    engine: Mapped[str]
    digest: Mapped[str] = mapped_column(server_default="")
    folder: Mapped[str] = mapped_column(server_default="")
    state: Mapped[str]
    reason: Mapped[str] = mapped_column(server_default="")
    verdict: Mapped[str | None]
    quality: Mapped[dict[str, Any]]
    parameters: Mapped[dict[str, Any]]
    provenance: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    flow_run_id: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("pair_id", "engine", "version"),
        _one_of("state", ("running", "complete", "failed", "superseded")),
        CheckConstraint("verdict IN ('good', 'usable with care', 'not usable')", name="verdict"),
        CheckConstraint("state <> 'complete' OR verdict IS NOT NULL", name="complete_is_judged"),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint("state <> 'failed' OR reason <> ''", name="failure_has_reason"),
        # Of a pair one version counts: the others are superseded.
        Index(
            "uq_interferograms_complete",
            "pair_id",
            unique=True,
            postgresql_where="state = 'complete'",
        ),
    )


class ProductFileRow(Base):
    """A file of an interferogram."""

    __tablename__ = "product_files"

    interferogram_id: Mapped[str] = mapped_column(ForeignKey("interferograms.id"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(unique=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]

    __table_args__ = (
        CheckConstraint("size_bytes > 0", name="size"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        CheckConstraint("path <> ''", name="path"),
    )


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


class MirrorRow(Base):
    """What the rolling archive holds."""

    __tablename__ = "mirror_inventory"

    scene_name: Mapped[str] = mapped_column(ForeignKey("scenes.name"), primary_key=True)
    stream: Mapped[str]
    state: Mapped[str]
    path: Mapped[str] = mapped_column(unique=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    checksum: Mapped[str]
    stored_at: Mapped[datetime] = mapped_column(server_default=func.now())
    verified_at: Mapped[datetime | None]
    pins: Mapped[int] = mapped_column(server_default="0")
    flow_run_id: Mapped[str | None]

    __table_args__ = (
        _one_of("state", ("held", "reduced", "quarantined", "evicted")),
        CheckConstraint("size_bytes >= 0", name="size"),
        CheckConstraint("pins >= 0", name="pins"),
        CheckConstraint("pins = 0 OR state <> 'evicted'", name="pinned_is_kept"),
        Index("ix_mirror_inventory_stream", "stream", "state", "stored_at"),
    )


class SubscriptionRow(_Boxed, Base):
    """Somebody who wants to be told."""

    __tablename__ = "subscriptions"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    address: Mapped[str]
    area: Mapped[dict[str, Any]]
    magnitude: Mapped[float | None]
    confirmed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (*_box(), CheckConstraint("address <> ''", name="address"))


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
        _one_of("state", ("waiting", "taken", "handed", "sent", "failed", "uncertain")),
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
