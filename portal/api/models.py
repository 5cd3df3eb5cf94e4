"""What programs are told, as the OpenAPI document describes it."""

from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from fastapi import Request
from pydantic import BaseModel, Field

from geobservatory.catalog.browsing import ListedEvent, ListedProduct, Reported
from geobservatory.catalog.interferograms import File
from geobservatory.catalog.pairs import Pair
from geobservatory.events.model import Activation, ActivationState, Also, EventType
from portal.api.asking import address
from portal.results import file_name, media_type

T = TypeVar("T")


class PageOf(BaseModel, Generic[T]):
    """A page of a list."""

    items: list[T]
    matched: int | None = Field(
        description="How many there are on all pages; null where areas are looked for in a box"
    )
    next: str | None = Field(description="Address of the next page; null on the last")


class EventOut(BaseModel):
    """An event as it is known now."""

    id: str
    event_type: EventType
    time: datetime
    longitude: float
    latitude: float
    magnitude: float | None
    depth_km: float | None
    name: str
    activation_id: str | None

    @classmethod
    def of(cls, one: ListedEvent) -> "EventOut":
        """Tell of an event."""
        event = one.event.model_dump(exclude={"source", "source_id"})
        return cls(id=one.id, activation_id=one.activation_id, **event)


class ReportOut(BaseModel):
    """What a source said of an event, once."""

    source: str
    source_id: str | None
    received_at: datetime
    reported_at: datetime | None
    time: datetime
    longitude: float
    latitude: float
    magnitude: float | None
    magnitude_type: str
    depth_km: float | None
    name: str
    retracted: str = Field(description="Why the source takes it back; empty where it does not")

    @classmethod
    def of(cls, one: Reported) -> "ReportOut":
        """Tell of a report."""
        return cls(
            received_at=one.received_at,
            reported_at=one.reported_at,
            magnitude_type=one.magnitude_type,
            retracted=one.retracted,
            **one.event.model_dump(exclude={"event_type"}),
        )


class EventInFull(EventOut):
    """An event with all that was reported of it."""

    reports: list[ReportOut]


class ActivationOut(BaseModel):
    """An activation, and where it stands."""

    id: str
    state: ActivationState
    state_reason: str
    event: dict[str, Any] = Field(description="As it was when it was asked for")
    area: dict[str, Any] = Field(description="GeoJSON geometry, EPSG:4326")
    tracks: list[int]
    engine: str | None
    days_before: int | None
    days_after: int | None
    priority: int
    also: list[Also]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, one: Activation) -> "ActivationOut":
        """Tell of an activation."""
        asked = one.request.model_dump(mode="json")
        return cls(**asked, **one.model_dump(exclude={"request", "flow_run_id"}))


class StateOut(BaseModel):
    """A state that an activation has had."""

    at: datetime
    state: ActivationState
    reason: str


class PairOut(BaseModel):
    """A pair of passes that was chosen."""

    id: str
    kind: str
    relative_orbit: int
    direction: str
    reference_time: datetime
    secondary_time: datetime
    reference: list[str] = Field(description="Names of the slices of the earlier pass")
    secondary: list[str]
    score: float
    rank: int = Field(description="0 for the best of its kind and track")
    spans: list[str] = Field(description="Events between the images")
    reason: str

    @classmethod
    def of(cls, one: Pair) -> "PairOut":
        """Tell of a pair."""
        return cls.model_validate(
            vars(one)
            | {name: list(getattr(one, name)) for name in ("reference", "secondary", "spans")}
        )


class FileOut(BaseModel):
    """A file of a product."""

    name: str
    role: str
    media_type: str
    size: int = Field(description="Bytes")
    sha256: str
    href: str = Field(description="Where it is; ranges are answered")


class ProductOut(BaseModel):
    """An interferogram."""

    id: str
    activation_id: str
    pair: PairOut
    version: int
    engine: str
    state: str = Field(description="running, complete, failed or superseded")
    reason: str
    verdict: str | None = Field(description="good, usable with care or not usable")
    created_at: datetime
    geometry: dict[str, Any] = Field(description="GeoJSON geometry, EPSG:4326")
    quality: dict[str, Any]
    provenance: dict[str, Any]
    files: list[FileOut]

    @classmethod
    def of(cls, request: Request, one: ListedProduct) -> "ProductOut":
        """Tell of a product."""
        made = one.interferogram
        names = ("id", "version", "engine", "state", "reason", "verdict", "created_at")
        return cls(
            **{name: getattr(made, name) for name in names},
            activation_id=one.activation_id,
            pair=PairOut.of(one.pair),
            geometry=dict(one.geometry),
            quality=dict(made.quality),
            provenance={key: told for key, told in made.provenance.items() if key != "flow_run_id"},
            files=[
                _file(request, made.id, role, file) for role, file in sorted(made.files.items())
            ],
        )


class IncidentOut(BaseModel):
    """A time in which a hub was not as it should be."""

    hub: str
    aspect: str
    began_at: datetime
    ended_at: datetime | None
    cause: str


class HubOut(BaseModel):
    """A hub, and how it does."""

    name: str
    kind: str
    missions: list[str]
    keeps_days: int | None = Field(description="How long it keeps products; null for ever")
    state: str = Field(description="well, troubled, down or not probed")
    expected_delivery_s: float | None = Field(
        description="Until a product of usual size would be here"
    )
    last_asked: datetime | None
    incidents: list[IncidentOut] = Field(description="Open, or ended in the last day")


class MeasurementOut(BaseModel):
    """One thing measured of a hub; the value is in the unit of its kind (docs/probing.md)."""

    at: datetime
    kind: str
    value: float | None
    ok: bool
    cause: str
    product_type: str | None


class HourOut(BaseModel):
    """The measurements of an hour; quantiles are of those that were well."""

    hour: datetime
    kind: str
    product_type: str
    asked: int
    good: int
    mean: float | None
    median: float | None
    p90: float | None


class Started(BaseModel):
    """What asking for an activation led to."""

    activation: ActivationOut
    created: bool = Field(description="False where it was known already")
    started: str = Field(description="What was done to start it")


class Me(BaseModel):
    """Who asks, as the portal knows them."""

    name: str
    role: str | None
    scopes: list[str]
    shown_by: str


class AuditOut(BaseModel):
    """Something that somebody did, or tried to."""

    at: datetime
    who: str
    address: str
    action: str
    object: str
    outcome: str


def _file(request: Request, product: str, role: str, file: File) -> FileOut:
    name = file_name(file)
    place = f"/api/products/{quote(product, safe='')}/files/{quote(name, safe='')}"
    return FileOut(
        name=name,
        role=role,
        media_type=media_type(name),
        size=file.size,
        sha256=file.sha256,
        href=address(request, place),
    )
