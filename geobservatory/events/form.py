"""What a person fills in to start an activation: in the Prefect UI, or as a request file."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from geobservatory.events.area import area_of_interest
from geobservatory.events.geojson import polygonal, to_geojson
from geobservatory.events.model import (
    ActivationRequest,
    Also,
    EventType,
    GeohazardEvent,
    UtcDatetime,
)
from geobservatory.globe import circle
from geobservatory.settings.engine import EngineName

# Around a place of which no more is known, metres.
_RADIUS_M = 50_000.0


class ActivationForm(BaseModel):
    """An activation as a person asks for it; the descriptions are the help the Prefect UI shows."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    event_type: EventType = Field(
        default=EventType.EARTHQUAKE, description="What happened", json_schema_extra={"position": 0}
    )
    event_time: UtcDatetime = Field(
        description="When it happened, with its time zone (origin time of an earthquake)",
        json_schema_extra={"position": 1},
    )
    latitude: float | None = Field(
        default=None,
        ge=-90,
        le=90,
        description="Degrees north; the middle of the area when absent",
        json_schema_extra={"position": 2},
    )
    longitude: float | None = Field(
        default=None,
        ge=-180,
        le=180,
        description="Degrees east; the middle of the area when absent",
        json_schema_extra={"position": 3},
    )
    radius_km: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        description="Without an area: how far around the place to look, kilometres; by the"
        " magnitude and depth of an earthquake when absent, else 50",
        json_schema_extra={"position": 4},
    )
    name: str = Field(
        default="",
        max_length=200,
        description="What people call it",
        json_schema_extra={"position": 5},
    )
    magnitude: float | None = Field(
        default=None,
        ge=-2,
        le=10,
        description="Moment magnitude",
        json_schema_extra={"position": 6},
    )
    depth_km: float | None = Field(
        default=None,
        ge=-10,
        le=800,
        description="Depth of the hypocentre, kilometres, positive down",
        json_schema_extra={"position": 7},
    )
    area: dict[str, Any] | None = Field(
        default=None,
        description="Area of interest: a GeoJSON Polygon or MultiPolygon (longitude, latitude)",
        json_schema_extra={"position": 8},
    )
    tracks: tuple[int, ...] = Field(
        default=(),
        description="Relative orbits (1 to 175) to use; all of them when empty",
        json_schema_extra={"position": 9},
    )
    engine: EngineName | None = Field(
        default=None,
        description="Who makes the interferogram; the configured engine when absent",
        json_schema_extra={"position": 10},
    )
    days_before: int | None = Field(
        default=None,
        ge=1,
        le=3650,
        description="How far back to look for images",
        json_schema_extra={"position": 11},
    )
    days_after: int | None = Field(
        default=None,
        ge=1,
        le=3650,
        description="How long to wait for images",
        json_schema_extra={"position": 12},
    )
    priority: int = Field(
        default=0,
        ge=-100,
        le=100,
        description="Higher goes first",
        json_schema_extra={"position": 13},
    )
    also: tuple[Also, ...] = Field(
        default=(),
        description="Further pairs to make: from after the event, or each image with the next",
        json_schema_extra={"position": 14},
    )
    source: str = Field(
        default="request",
        min_length=1,
        max_length=100,
        description="Who reported the event",
        json_schema_extra={"position": 15},
    )
    source_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="The reporter's own identifier of the event",
        json_schema_extra={"position": 16},
    )

    @field_validator("event_time", mode="before")
    @classmethod
    def _time_is_text(cls, value: Any) -> Any:
        if isinstance(value, int | float):
            raise ValueError("must be ISO 8601 text, not a number")
        return value

    @field_validator("tracks")
    @classmethod
    def _tracks_exist(cls, tracks: tuple[int, ...]) -> tuple[int, ...]:
        for track in tracks:
            if not 1 <= track <= 175:
                raise ValueError(f"{track} is no relative orbit (1 to 175)")
        return tuple(sorted(set(tracks)))

    @field_validator("area")
    @classmethod
    def _area_is_polygonal(cls, area: dict[str, Any] | None) -> dict[str, Any] | None:
        return None if area is None else to_geojson(polygonal(area))

    @model_validator(mode="after")
    def _has_a_place(self) -> Self:
        if (self.longitude is None) != (self.latitude is None):
            raise ValueError("longitude and latitude come together or not at all")
        if self.area is None and self.longitude is None:
            raise ValueError("needs a place: latitude and longitude, or an area")
        return self

    def to_request(self) -> ActivationRequest:
        """Complete the form: the area from the place, or the place from the area."""
        if self.longitude is not None and self.latitude is not None:
            longitude, latitude = self.longitude, self.latitude
        else:
            middle = shape(self.area).representative_point()
            longitude, latitude = middle.x, middle.y
        area = self.area or to_geojson(self._around(longitude, latitude))
        event = GeohazardEvent(
            event_type=self.event_type,
            time=self.event_time,
            longitude=longitude,
            latitude=latitude,
            name=self.name,
            magnitude=self.magnitude,
            depth_km=self.depth_km,
            source=self.source,
            source_id=self.source_id,
        )
        return ActivationRequest(
            event=event,
            area=area,
            tracks=self.tracks,
            engine=self.engine,
            days_before=self.days_before,
            days_after=self.days_after,
            priority=self.priority,
            also=self.also,
        )

    def _around(self, longitude: float, latitude: float) -> BaseGeometry:
        if self.radius_km is not None:
            return circle(longitude, latitude, self.radius_km * 1000)
        if self.event_type is EventType.EARTHQUAKE and self.magnitude is not None:
            return area_of_interest(longitude, latitude, self.magnitude, self.depth_km)
        return circle(longitude, latitude, _RADIUS_M)

    @classmethod
    def from_request(cls, request: ActivationRequest) -> Self:
        """Fill the form that asks for `request` again, as a resumed flow run does."""
        event = request.event.model_dump(exclude={"time"})
        rest = request.model_dump(exclude={"event"})
        return cls(event_time=request.event.time, **event, **rest)
