"""Areas as clients write them into their queries."""

import math
import re

import numpy as np
import shapely
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from geobservatory.errors import InputError

_ENVELOPE = re.compile(r"ENVELOPE\s*\(([^,]+),([^,]+),([^,]+),([^,]+)\)", re.IGNORECASE)
# A reader of well-known text goes into itself for each parenthesis.
_DEEPEST, _MOST_VERTICES = 8, 20_000


def read_area(text: str) -> BaseGeometry:
    """Read an area: well-known text, ENVELOPE(west, east, north, south), or ``lat, lon``.

    Raises
    ------
    InputError
        If it is none, or empty.
    """
    text = text.strip()
    try:
        if envelope := _ENVELOPE.fullmatch(text):
            west, east, north, south = (float(number) for number in envelope.groups())
            return checked(shapely.box(west, south, east, north), text)
        if re.fullmatch(r"[-+.\d]+\s*,\s*[-+.\d]+", text):
            latitude, longitude = (float(number) for number in text.split(","))
            return checked(shapely.Point(longitude, latitude), text)
        if _depth(text) > _DEEPEST:
            raise InputError(f"Invalid area '{text[:60]}': nested too deeply")
        with np.errstate(over="ignore"):
            area = shapely.from_wkt(text)
    except (ValueError, ShapelyError) as error:
        raise InputError(f"Invalid area '{text[:60]}': {error}") from error
    return checked(area, text)


def checked(area: BaseGeometry | None, text: str) -> BaseGeometry:
    """Give a valid area on the globe; `InputError` where it is none, or has too many corners."""
    if area is None or area.is_empty:
        raise InputError(f"Invalid area '{text[:60]}'")
    if shapely.get_num_coordinates(area) > _MOST_VERTICES:
        raise InputError(f"Invalid area: more than {_MOST_VERTICES} corners; simplify it")
    west, south, east, north = area.bounds
    if not all(map(math.isfinite, area.bounds)) or not (-90 <= south and north <= 90):
        raise InputError(f"Invalid area '{text[:60]}': latitudes are within ±90")
    if west < -180 or east > 180:
        raise InputError(f"Invalid area '{text[:60]}': longitudes are within ±180")
    try:
        return shapely.make_valid(area)
    except ShapelyError as error:
        raise InputError(f"Invalid area '{text[:60]}': {error}") from error


def _depth(text: str) -> int:
    deepest = depth = 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        deepest = max(deepest, depth)
    return deepest
