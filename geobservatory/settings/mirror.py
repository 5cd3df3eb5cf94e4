"""The settings of the mirror: what it keeps, for how long, and on how much of a disk."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from geobservatory.settings.section import Name, Section


class Stream(Section):
    """One kind of product that the mirror keeps; what is None or empty is anything."""

    name: Name
    missions: tuple[str, ...] = Field(default=(), description="S1A to S1D; all if empty")
    product_type: str | None = Field(default="SLC", description="SLC, GRD, RAW, OCN")
    mode: str | None = Field(default="IW", description="IW, EW, WV, S1 to S6")
    polarisation: str | None = Field(default=None, description="Channel it must have, as VV")
    relative_orbits: tuple[int, ...] = Field(default=(), description="Tracks; all if empty")
    direction: Literal["ascending", "descending"] | None = None
    filter: str | None = Field(default=None, description="Pattern of the name, as *_1SDV_*")
    area: dict[str, Any] | None = Field(
        default=None, description="GeoJSON area; mirror.area if not set"
    )
    window_days: int = Field(default=30, ge=1, description="How long products are kept")
    disk_share: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Share of the mirror's disk; an equal part of the rest",
    )
    hubs: tuple[Name, ...] = Field(default=(), description="Upstream hubs in order; all if empty")
    first: Literal["newest", "oldest"] = Field(
        default="newest", description="Which of what is missing is fetched first"
    )
    after: Literal["nothing", "annotation"] = Field(
        default="nothing",
        description="What stays of a product whose time is over; its annotation and quicklook",
    )
    updated: Literal["replace", "keep"] = Field(
        default="replace", description="What is done with a product that was processed again"
    )
    withdrawn: Literal["keep", "remove"] = Field(
        default="keep", description="What is done with a product that no upstream has any more"
    )


class Mirror(Section):
    """The rolling archive; without a stream there is none."""

    area: dict[str, Any] | None = Field(default=None, description="GeoJSON area of interest")
    disk_gb: float = Field(default=500, gt=0, description="Never larger than this")
    high_water: float = Field(
        default=0.95, gt=0, le=1, description="Share of the disk at which nothing more is taken in"
    )
    low_water: float = Field(
        default=0.85, gt=0, lt=1, description="Share of the disk down to which the oldest goes"
    )
    overlap_hours: float = Field(
        default=48, gt=0, description="How far back each look at an upstream begins before the last"
    )
    full_look_hours: float = Field(
        default=24, gt=0, description="Hours between two looks at all of the window"
    )
    downloads: int = Field(default=4, ge=1, le=16, description="Downloads of a run at once")
    run_minutes: float = Field(
        default=50, gt=0, description="When a run begins no further download; the next goes on"
    )
    scrub_mb_per_s: float = Field(default=20, gt=0, description="How fast the archive is re-read")
    keep_days: int = Field(default=400, ge=1, description="How long it is known what became of it")
    streams: tuple[Stream, ...] = ()

    @property
    def shares(self) -> dict[str, float]:
        """The share of the disk of each stream; what is not given is shared equally."""
        given = [one.disk_share for one in self.streams if one.disk_share is not None]
        others = len(self.streams) - len(given)
        rest = max(0.0, 1 - sum(given)) / others if others else 0.0
        return {
            one.name: rest if one.disk_share is None else one.disk_share for one in self.streams
        }

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.low_water >= self.high_water:
            raise ValueError("low_water is not below high_water")
        if self.streams and (sum(self.shares.values()) > 1 + 1e-9 or not all(self.shares.values())):
            raise ValueError("streams: their disk_share leave no room, or add up to more than 1")
        return self
