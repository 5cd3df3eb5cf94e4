"""Areas as clients write them into their queries."""

import re

import shapely
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from geobservatory.errors import InputError

_ENVELOPE = re.compile(r"ENVELOPE\s*\(([^,]+),([^,]+),([^,]+),([^,]+)\)", re.IGNORECASE)


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
            return shapely.box(west, south, east, north)
        if re.fullmatch(r"[-+.\d]+\s*,\s*[-+.\d]+", text):
            latitude, longitude = (float(number) for number in text.split(","))
            return shapely.Point(longitude, latitude)
        area = shapely.from_wkt(text)
    except (ValueError, ShapelyError) as error:
        raise InputError(f"Invalid area '{text[:60]}': {error}") from error
    if area is None or area.is_empty:
        raise InputError(f"Invalid area '{text[:60]}'")
    return shapely.make_valid(area)
