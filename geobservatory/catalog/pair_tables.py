"""The tables of pairs, and of the interferograms made of them."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from geobservatory.catalog.tables import Base, boxed, one_of


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
        one_of("kind", ("co-event", "pre-event", "post-event")),
        one_of("direction", ("ascending", "descending")),
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
    # Of the data, and the box about it; none until it is complete, nor of those of older versions.
    footprint: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    west: Mapped[float | None]
    south: Mapped[float | None]
    east: Mapped[float | None]
    north: Mapped[float | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    flow_run_id: Mapped[str | None]

    __table_args__ = (
        *boxed(),
        CheckConstraint(
            "num_nulls(footprint, west, south, east, north) IN (0, 5)", name="footprint_has_box"
        ),
        UniqueConstraint("pair_id", "engine", "version"),
        one_of("state", ("running", "complete", "failed", "superseded")),
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
