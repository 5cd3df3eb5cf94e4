"""The events the system responds to, and what an activation asks for."""

import hashlib
from datetime import UTC
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

UtcDatetime = Annotated[AwareDatetime, AfterValidator(lambda time: time.astimezone(UTC))]


# The sources of reports that no person has written.
FEEDS = "EMSC", "USGS"


class EventType(StrEnum):
    """What happened."""

    EARTHQUAKE = "earthquake"
    VOLCANO = "volcano"
    LANDSLIDE = "landslide"
    OTHER = "other"


class ActivationState(StrEnum):
    """Where an activation stands; its `state_reason` says why."""

    REQUESTED = "requested"  # recorded; no flow run has taken it up yet
    RUNNING = "running"  # a flow run is at work on it
    WAITING = "waiting"  # nothing to do until something outside comes (a pass, a product)
    COMPLETE = "complete"
    FAILED = "failed"  # a flow run gave up; `state_reason` says what to do
    WITHDRAWN = "withdrawn"  # a revision or a person took the request back


class Action(StrEnum):
    """What a report of an earthquake led to."""

    NONE = "none"  # it starts nothing
    ACTIVATE = "activate"  # an activation of its own, or its own again after it was withdrawn
    JOIN = "join"  # it became part of the activation of its sequence
    WIDEN = "widen"  # the area of its activation grew
    KEEP = "keep"  # its activation stands as it was
    WITHDRAW = "withdraw"  # its activation had not started and is taken back


class Also(StrEnum):
    """Pairs of images that are made beside those that show an event."""

    POST_EVENT = "post-event"  # from after it: does it go on?
    CHAIN = "chain"  # each image with the next


class GeohazardEvent(BaseModel):
    """One earthquake, eruption, landslide or other event, as one source reported it.

    Place is longitude and latitude in degrees (EPSG:4326), depth in kilometres, positive down.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    event_type: EventType
    time: UtcDatetime
    longitude: float = Field(ge=-180, le=180)
    latitude: float = Field(ge=-90, le=90)
    name: str = ""
    magnitude: float | None = Field(default=None, ge=-2, le=10)
    depth_km: float | None = Field(default=None, ge=-10, le=800)
    source: str = Field(default="request", description="Who reported it, e.g. EMSC or request")
    source_id: str | None = Field(
        default=None, description="The source's own identity of the event, e.g. EMSC unid"
    )

    @property
    def slug(self) -> str:
        """Readable identifier: type, time to the second, and four digits that tell places apart."""
        place = f"{self.longitude:.2f},{self.latitude:.2f}"
        digest = hashlib.sha256(place.encode()).hexdigest()[:4]
        return f"{self.event_type}-{self.time:%Y%m%dT%H%M%S}-{digest}"


class ActivationRequest(BaseModel):
    """An event and what is to be done about it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: GeohazardEvent
    area: dict[str, Any] = Field(description="Area of interest, a GeoJSON geometry (EPSG:4326)")
    tracks: tuple[int, ...] = Field(
        default=(), description="Relative orbits (1 to 175) to use; all of them when empty"
    )
    engine: str | None = Field(default=None, description="Engine; the configured one when absent")
    days_before: int | None = Field(default=None, ge=1, le=3650)
    days_after: int | None = Field(default=None, ge=1, le=3650)
    priority: int = Field(default=0, ge=-100, le=100, description="Higher goes first")
    also: tuple[Also, ...] = Field(default=(), description="Further pairs to make")


class Activation(BaseModel):
    """A request the catalogue holds, and where it stands."""

    model_config = ConfigDict(frozen=True)

    id: str
    state: ActivationState
    state_reason: str
    request: ActivationRequest
    flow_run_id: str | None = None
    created_at: UtcDatetime
    updated_at: UtcDatetime
