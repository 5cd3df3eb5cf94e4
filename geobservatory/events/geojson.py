"""GeoJSON files that people hand in: read with care, refused with the place in the file."""

import json
from pathlib import Path
from typing import Any

from shapely import force_2d
from shapely.errors import ShapelyError
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union
from shapely.validation import explain_validity

from geobservatory.errors import InputError

# An area or a request is a page of JSON; a file of this size is something else.
_MAX_BYTES = 5_000_000


def load_json(path: Path) -> Any:
    """Decode a JSON file.

    Raises
    ------
    InputError
        If it cannot be read, is too large or is not JSON; the message names the place.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path}: larger than {_MAX_BYTES} bytes; this is no GeoJSON of ours")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8 text") from error
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{path}: {place}: not JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {error}") from error


def read_area(path: Path) -> BaseGeometry:
    """Read an area of interest: a polygon, a Feature or all Features of a FeatureCollection.

    Raises
    ------
    InputError
        If the file holds no valid area; the message names the file and the place in it.
    """
    document = load_json(path)
    try:
        return area_of(document)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def area_of(document: Any) -> BaseGeometry:
    """Read the area of a decoded document, as `read_area` does.

    Raises
    ------
    InputError
        If it holds no valid area; the message names the place in it.
    """
    if isinstance(document, dict) and document.get("type") in ("Polygon", "MultiPolygon"):
        parts: list[tuple[str, Any]] = [("", document)]
    else:
        parts = [(f"{at}geometry", one.get("geometry")) for at, one in features(document)]
    return unary_union([_polygonal_at(place, geometry) for place, geometry in parts])


def features(document: Any) -> list[tuple[str, dict[str, Any]]]:
    """List the Features of a document, each with its place in it.

    Raises
    ------
    InputError
        If it is neither a Feature nor a FeatureCollection.
    """
    if not isinstance(document, dict):
        raise InputError("the document is not a GeoJSON object")
    match document.get("type"):
        case "Feature":
            return [("", document)]
        case "FeatureCollection":
            listed = document.get("features")
            if not isinstance(listed, list) or not listed:
                raise InputError("features: must be a list of at least one Feature")
            for number, feature in enumerate(listed):
                if not isinstance(feature, dict) or feature.get("type") != "Feature":
                    raise InputError(f"features[{number}]: not a GeoJSON Feature")
            return [(f"features[{number}].", feature) for number, feature in enumerate(listed)]
        case other:
            raise InputError(f"type: must be Feature or FeatureCollection, not {other!r}")


def polygonal(geometry: Any) -> BaseGeometry:
    """Read a GeoJSON Polygon or MultiPolygon as a valid area of interest.

    Raises
    ------
    ValueError
        If it is anything else, empty, invalid or not on the globe (EPSG:4326, longitude first).
    """
    if not isinstance(geometry, dict):
        raise ValueError("missing; it is the area of interest, a GeoJSON geometry")
    kind = geometry.get("type")
    if kind not in ("Polygon", "MultiPolygon"):
        raise ValueError(f"its type must be Polygon or MultiPolygon, not {kind!r}")
    try:
        area = force_2d(shape(geometry))
    except (ShapelyError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ValueError(f"its coordinates are not a {kind}: {error}") from error
    if area.is_empty:
        raise ValueError("the area is empty")
    if not area.is_valid:
        raise ValueError(f"not a valid polygon: {explain_validity(area)}")
    west, south, east, north = area.bounds
    if not (-180 <= west and east <= 180 and -90 <= south and north <= 90):
        raise ValueError(
            "outside longitude ±180, latitude ±90 (EPSG:4326, longitude first); "
            "an area over the antimeridian is a MultiPolygon split there"
        )
    return area


def to_geojson(area: BaseGeometry) -> dict[str, Any]:
    """Write an area as a GeoJSON geometry of plain lists."""
    plain: dict[str, Any] = json.loads(json.dumps(mapping(area)))
    return plain


def _polygonal_at(place: str, geometry: Any) -> BaseGeometry:
    try:
        return polygonal(geometry)
    except ValueError as error:
        raise InputError(f"{place}: {error}" if place else str(error)) from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")
