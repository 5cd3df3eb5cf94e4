"""Scenes as a file: GeoJSON Features with product names and footprints."""

from datetime import datetime
from pathlib import Path
from typing import Any

from geobservatory.errors import InputError
from geobservatory.events.geojson import features, load_json, polygonal
from geobservatory.hubs.model import Product
from geobservatory.hubs.products import make_product
from geobservatory.sentinel1.names import parse_name


def read_scenes(path: Path) -> list[Product]:
    """Read a FeatureCollection of scenes.

    Each Feature has the product's name in `properties.name` and its footprint as geometry. A
    `properties.relative_orbit` counts where the name alone is not sure; a `properties.direction`
    that is not given follows from the time of day.

    Raises
    ------
    InputError
        If the file is none such; the message names the place in it.
    """
    document = load_json(path)
    try:
        return [_product(place, feature) for place, feature in features(document)]
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _product(place: str, feature: dict[str, Any]) -> Product:
    given = feature.get("properties")
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise InputError(f"{place}properties.name: missing; it is the name of a product")
    try:
        footprint = polygonal(feature.get("geometry"))
        start = parse_name(given["name"]).start
        orbit, direction = given.get("relative_orbit"), given.get("direction")
        if orbit is not None and type(orbit) is not int:
            raise ValueError(f"relative_orbit is {orbit!r}, no whole number")
        direction = str(direction or direction_at(start, footprint.centroid.x)).lower()
        if direction not in ("ascending", "descending"):
            raise ValueError(f"direction is {direction!r}; it is ascending or descending")
        return make_product(given["name"], footprint, relative_orbit=orbit, direction=direction)
    except (ValueError, InputError) as error:
        raise InputError(f"{place[:-1] or 'the document'}: {error}") from error


def direction_at(time: datetime, longitude: float) -> str:
    """Tell the direction of flight from the time of day, where nobody tells it.

    The orbit follows the terminator: it crosses the equator northward at 18 h of local solar time
    and southward at 6 h (Torres et al., 2012), and within an hour of it wherever IW is taken.

    Parameters
    ----------
    time
        UTC.
    longitude
        Degrees.
    """
    solar_hour = (time.hour + time.minute / 60 + longitude / 15) % 24
    return "ascending" if 12 <= solar_hour < 24 else "descending"
