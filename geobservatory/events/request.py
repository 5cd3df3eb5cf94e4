"""Request files: an activation asked for by hand, as GeoJSON.

A Feature, or a FeatureCollection of Features that do not contradict each other, whose geometry is
the area of interest and whose properties are those of `ActivationForm`. Everything that can be
wrong with such a file is refused here, before anything is recorded, with the place in the file.
"""

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from shapely.ops import unary_union

from geobservatory.errors import InputError
from geobservatory.events.form import ActivationForm
from geobservatory.events.geojson import features, load_json, polygonal, to_geojson

# What the geometry says in a request file is not said again among the properties.
_SAID_BY_GEOMETRY = {"area", "radius_km"}
_KNOWN = [name for name in ActivationForm.model_fields if name not in _SAID_BY_GEOMETRY]


def read_request(path: Path) -> ActivationForm:
    """Read a request file.

    Raises
    ------
    InputError
        If the file cannot be read, is not JSON, not GeoJSON, or asks for something impossible;
        the message names the file and the place in it.
    """
    document = load_json(path)
    try:
        return parse_request(document)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def parse_request(document: Any) -> ActivationForm:
    """Turn a decoded request file into an `ActivationForm`.

    Raises
    ------
    InputError
        With the place in the document, as in ``features[0].properties.event_time``.
    """
    listed = features(document)
    place, properties = _shared_properties(listed)
    areas = []
    for where, feature in listed:
        try:
            areas.append(polygonal(feature.get("geometry")))
        except ValueError as error:
            raise InputError(f"{where}geometry: {error}") from error
    area = to_geojson(unary_union(areas) if len(areas) > 1 else areas[0])
    try:
        return ActivationForm.model_validate(properties | {"area": area})
    except ValidationError as error:
        raise InputError(f"{place}properties{first_error(error)}") from error


def _shared_properties(listed: list[tuple[str, dict[str, Any]]]) -> tuple[str, dict[str, Any]]:
    """Take the first Feature's properties; the others only add area and may not contradict it."""
    place, first = listed[0]
    given = first.get("properties")
    if not isinstance(given, dict):
        raise InputError(f"{place}properties: missing; event_time and event_type are needed")
    for key in ("event_time", "event_type"):
        if given.get(key) is None:
            raise InputError(f"{place}properties.{key}: missing")
    for key in given:
        if key not in _KNOWN:
            raise InputError(f"{place}properties.{key}: unknown; known are {', '.join(_KNOWN)}")
    for other_place, feature in listed[1:]:
        other = feature.get("properties") or {}
        if not isinstance(other, dict):
            raise InputError(f"{other_place}properties: not an object")
        for key, value in other.items():
            if given.get(key) != value:
                raise InputError(
                    f"{other_place}properties.{key}: differs from the first Feature's; "
                    "one request file asks for one activation"
                )
    return place, given


def first_error(error: ValidationError) -> str:
    """Say the first thing that is wrong: ``.field: what (got …)``, or ``: what`` of the whole."""
    first = error.errors(include_url=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    place = ".".join(str(part) for part in first["loc"])
    # An error of the whole form has no place, and its input is the whole form.
    return f".{place}: {message} (got {first['input']!r})" if place else f": {message}"
