"""The tables of the rolling archive: what lies there, what should, and what became of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from geobservatory.catalog.tables import Base, one_of

# `coming` and `leaving`: somebody is at work on it, or was and died; what lies there is counted.
STATES = ("coming", "held", "part", "reduced", "leaving", "quarantined")


class MirrorRow(Base):
    """A product that lies in the archive, comes or goes; what is gone has no row."""

    __tablename__ = "mirror_inventory"

    scene_name: Mapped[str] = mapped_column(ForeignKey("scenes.name"), primary_key=True)
    # Whose share of the disk it takes; empty where it is of none.
    stream: Mapped[str] = mapped_column(server_default="")
    state: Mapped[str]
    path: Mapped[str] = mapped_column(unique=True)
    sensed_at: Mapped[datetime]
    # On the disk; of one that comes what is reserved for it.
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    # `blake3:…` of the whole product, computed from the disk; empty where it is not whole.
    checksum: Mapped[str] = mapped_column(server_default="")
    # What upstream told of it when it came: size, checksums, when it was published.
    upstream: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    stored_at: Mapped[datetime] = mapped_column(server_default=func.now())
    verified_at: Mapped[datetime | None]
    # Why upstream has another one under the same name; empty where it has not.
    outdated: Mapped[str] = mapped_column(server_default="")

    __table_args__ = (
        one_of("state", STATES),
        CheckConstraint("size_bytes >= 0", name="size"),
        CheckConstraint("state <> 'held' OR checksum <> ''", name="held_is_verified"),
        Index("ix_mirror_inventory_stream", "stream", "state", "sensed_at"),
        Index("ix_mirror_inventory_scrub", "verified_at", postgresql_where="state = 'held'"),
        Index("ix_mirror_inventory_stored", "stored_at"),
    )


class MirrorWantedRow(Base):
    """A product that upstreams have, or had, and that a stream wants."""

    __tablename__ = "mirror_wanted"

    stream: Mapped[str] = mapped_column(primary_key=True)
    scene_name: Mapped[str] = mapped_column(ForeignKey("scenes.name"), primary_key=True)
    state: Mapped[str] = mapped_column(server_default="wanted")
    sensed_at: Mapped[datetime]
    # What products of one acquisition share.
    acquisition: Mapped[str]
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    # First at any upstream, by its clock; when we learned of it; when it was last listed.
    published_at: Mapped[datetime]
    learned_at: Mapped[datetime]
    listed_at: Mapped[datetime]
    # When it first lay in the archive.
    held_at: Mapped[datetime | None]
    # When it was last taken away to make room, or because its time was over.
    evicted_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(server_default="0")
    retry_at: Mapped[datetime | None]
    # Why it is not there, or not wanted.
    reason: Mapped[str] = mapped_column(server_default="")

    __table_args__ = (
        one_of("state", ("wanted", "superseded", "withdrawn")),
        CheckConstraint("state = 'wanted' OR reason <> ''", name="reason_given"),
        Index("ix_mirror_wanted_order", "stream", "state", "sensed_at"),
        Index("ix_mirror_wanted_acquisition", "stream", "acquisition"),
        Index("ix_mirror_wanted_name", "scene_name"),
        Index(
            "ix_mirror_wanted_gone",
            "stream",
            "sensed_at",
            postgresql_where="state = 'wanted' AND evicted_at IS NOT NULL",
        ),
    )


class MirrorLookRow(Base):
    """How far a stream has followed an upstream."""

    __tablename__ = "mirror_looks"

    stream: Mapped[str] = mapped_column(primary_key=True)
    hub: Mapped[str] = mapped_column(primary_key=True)
    # Of what the stream is, so that another definition is looked for from the beginning.
    definition: Mapped[str]
    # Up to this publication, by the hub's clock, all has been read.
    seen_until: Mapped[datetime | None]
    looked_at: Mapped[datetime]
    # The last two looks at all of the window that came to their end.
    full_at: Mapped[datetime | None]
    full_before_at: Mapped[datetime | None]
    found: Mapped[int]
    failure: Mapped[str] = mapped_column(server_default="")


class MirrorPinRow(Base):
    """Somebody who wants a product kept."""

    __tablename__ = "mirror_pins"

    scene_name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(server_default="")
    pinned_at: Mapped[datetime] = mapped_column(server_default=func.now())
    until: Mapped[datetime | None]

    __table_args__ = (CheckConstraint("holder <> ''", name="holder"),)


class MirrorChangeRow(Base):
    """What happened to a product in the archive, or upstream; appended and never changed."""

    __tablename__ = "mirror_changes"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime]
    stream: Mapped[str]
    scene_name: Mapped[str]
    what: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    detail: Mapped[str] = mapped_column(server_default="")

    __table_args__ = (
        Index("ix_mirror_changes_at", "at"),
        Index("ix_mirror_changes_scene", "scene_name"),
    )
