"""The tables of scenes, of who offers them, and of their downloads."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Computed, ForeignKey, Identity, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from geobservatory.catalog.tables import Base, Boxed, boxed, one_of

# Made of the name alone, so that it is the same in every installation: MD5 with the marks of a UUID
# of version 8 (RFC 9562, section 5.8).
SCENE_UUID = "(OVERLAY(OVERLAY(md5(name) PLACING '8' FROM 13) PLACING '8' FROM 17))::uuid"


class SceneRow(Boxed, Base):
    """One product of a satellite, whoever holds it."""

    __tablename__ = "scenes"

    name: Mapped[str] = mapped_column(primary_key=True)
    # What client programs call it, whichever hub holds it.
    uuid: Mapped[UUID | None] = mapped_column(Computed(SCENE_UUID, persisted=True))
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
        *boxed(),
        CheckConstraint("start_time < stop_time", name="times_in_order"),
        CheckConstraint("relative_orbit BETWEEN 1 AND 175", name="relative_orbit"),
        CheckConstraint("direction IN ('ascending', 'descending')", name="direction_known"),
        # As unique as the name, and not said to be: of two who enter a product at once, one would
        # fail at it, since ON CONFLICT waits at the index of the name alone.
        Index("ix_scenes_uuid", "uuid"),
        Index("ix_scenes_start_time", "start_time", "name"),
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
    # All that it tells, by algorithm; `checksum` is the best of them.
    checksums: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
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
        one_of("state", ("queued", "running", "complete", "failed")),
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
