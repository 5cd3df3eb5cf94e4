"""Request files: an activation asked for by hand, as GeoJSON.

A Feature, or a FeatureCollection of one or more Features that share their properties, whose
geometry is the area of interest and whose properties hold at least `event_time` and `event_type`.
Everything that can be wrong with such a file is refused here, before anything is recorded, with
the reason and the place in the file.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from shapely import GeometryCollection, force_2d
from shapely.errors import ShapelyError
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union
from shapely.validation import explain_validity

from geobservatory.errors import InputError
from geobservatory.events.model import ActivationRequest, EventType, GeohazardEvent, UtcDatetime

# A request is a page of JSON; a file of this size is something else.
_MAX_BYTES = 5_000_000


class RequestProperties(BaseModel):
    """The properties of a request file's Feature; the file's words, before they become ours."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    event_time: UtcDatetime
    event_type: EventType
    name: str = Field(default="", max_length=200)
    magnitude: float | None = Field(default=None, ge=-2, le=10)
    depth_km: float | None = Field(default=None, ge=-10, le=800)
    longitude: float | None = Field(default=None, ge=-180, le=180)
    latitude: float | None = Field(default=None, ge=-90, le=90)
    tracks: tuple[int, ...] = ()
    engine: str | None = None
    days_before: int | None = Field(default=None, ge=1, le=3650)
    days_after: int | None = Field(default=None, ge=1, le=3650)
    priority: int = Field(default=0, ge=-100, le=100)
    source: str = "request"
    source_id: str | None = None


def read_request(path: Path) -> ActivationRequest:
    """Read a request file.

    Parameters
    ----------
    path
        GeoJSON file.

    Raises
    ------
    InputError
        If the file cannot be read, is not JSON, not GeoJSON, or asks for something impossible;
        the message names the file and the place in it.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path}: larger than {_MAX_BYTES} bytes; this is no request file")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8 text") from error
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{path}: {place}: not JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {error}") from error
    try:
        return parse_request(document)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def parse_request(document: Any) -> ActivationRequest:
    """Turn a decoded request file into an `ActivationRequest`.

    Raises
    ------
    InputError
        With the place in the document, as in ``features[0].properties.event_time``.
    """
    features = _features(document)
    properties = _shared_properties(features)
    area = _area([(place, feature.get("geometry")) for place, feature in features])
    if (properties.longitude is None) != (properties.latitude is None):
        raise InputError("properties: longitude and latitude come together or not at all")
    centre = area.representative_point()
    try:
        event = GeohazardEvent(
            event_type=properties.event_type,
            time=properties.event_time,
            longitude=centre.x if properties.longitude is None else properties.longitude,
            latitude=centre.y if properties.latitude is None else properties.latitude,
            name=properties.name,
            magnitude=properties.magnitude,
            depth_km=properties.depth_km,
            source=properties.source,
            source_id=properties.source_id,
        )
        return ActivationRequest(
            event=event,
            area=json.loads(json.dumps(mapping(area))),
            tracks=tuple(sorted(set(properties.tracks))),
            engine=properties.engine,
            days_before=properties.days_before,
            days_after=properties.days_after,
            priority=properties.priority,
        )
    except ValidationError as error:
        raise InputError(f"properties.{_first_error(error)}") from error


def _features(document: Any) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(document, dict):
        raise InputError("the document is not a GeoJSON object")
    match document.get("type"):
        case "Feature":
            return [("", document)]
        case "FeatureCollection":
            features = document.get("features")
            if not isinstance(features, list) or not features:
                raise InputError("features: must be a list of at least one Feature")
            for number, feature in enumerate(features):
                if not isinstance(feature, dict) or feature.get("type") != "Feature":
                    raise InputError(f"features[{number}]: not a GeoJSON Feature")
            return [(f"features[{number}].", feature) for number, feature in enumerate(features)]
        case other:
            raise InputError(f"type: must be Feature or FeatureCollection, not {other!r}")


def _shared_properties(features: list[tuple[str, dict[str, Any]]]) -> RequestProperties:
    """Read the first Feature's properties; the others only add area and may not contradict it."""
    place, first = features[0]
    given = first.get("properties")
    if not isinstance(given, dict):
        raise InputError(f"{place}properties: missing; event_time and event_type are needed")
    for other_place, feature in features[1:]:
        other = feature.get("properties") or {}
        if not isinstance(other, dict):
            raise InputError(f"{other_place}properties: not an object")
        for key, value in other.items():
            if given.get(key) != value:
                raise InputError(
                    f"{other_place}properties.{key}: differs from the first Feature's; "
                    "one request file asks for one activation"
                )
    if isinstance(given.get("event_time"), int | float):
        raise InputError(f"{place}properties.event_time: must be ISO 8601 text, not a number")
    try:
        properties = RequestProperties.model_validate(given)
    except ValidationError as error:
        raise InputError(f"{place}properties.{_first_error(error)}") from error
    for track in properties.tracks:
        if not 1 <= track <= 175:
            raise InputError(f"{place}properties.tracks: {track} is no relative orbit (1 to 175)")
    return properties


def _area(geometries: list[tuple[str, Any]]) -> BaseGeometry:
    parts = []
    for place, geometry in geometries:
        where = f"{place}geometry"
        if not isinstance(geometry, dict):
            raise InputError(f"{where}: missing; it is the area of interest")
        kind = geometry.get("type")
        if kind not in ("Polygon", "MultiPolygon"):
            raise InputError(f"{where}.type: must be Polygon or MultiPolygon, not {kind!r}")
        try:
            part = force_2d(shape(geometry))
        except (ShapelyError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise InputError(f"{where}.coordinates: not a {kind}: {error}") from error
        if part.is_empty:
            raise InputError(f"{where}: the area is empty")
        if not part.is_valid:
            raise InputError(f"{where}: not a valid polygon: {explain_validity(part)}")
        west, south, east, north = part.bounds
        if not (-180 <= west and east <= 180 and -90 <= south and north <= 90):
            raise InputError(
                f"{where}: outside longitude ±180, latitude ±90 (EPSG:4326, longitude first); "
                "an area over the antimeridian is given as a MultiPolygon split there"
            )
        parts.append(part)
    return unary_union(GeometryCollection(parts)) if len(parts) > 1 else parts[0]


def _first_error(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"{place}: missing"
    if first["type"] == "extra_forbidden":
        known = ", ".join(RequestProperties.model_fields)
        return f"{place}: unknown; known are {known}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message} (got {first['input']!r})"


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")
