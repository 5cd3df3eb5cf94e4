"""The area that a form says: a place and a radius, or a geometry drawn or taken from a file."""

import math

from shapely.geometry.base import BaseGeometry
from starlette.datastructures import FormData, UploadFile

from geobservatory.errors import InputError
from geobservatory.events.area_files import MOST_BYTES, area_in
from geobservatory.globe import circle


def text_of(form: FormData, name: str, most: int = 200) -> str:
    """Read a field.

    Raises
    ------
    InputError
        If it is longer than it may be.
    """
    given = form.get(name, "")
    if not isinstance(given, str) or len(given) > most:
        raise InputError(f"{name}: longer than {most} characters")
    return given.strip()


def number_of(form: FormData, name: str) -> float | None:
    """Read a number; None where the field is empty.

    Raises
    ------
    InputError
        If it is none.
    """
    text = text_of(form, name, 40)
    if not text:
        return None
    try:
        value = float(text.replace("−", "-").replace(",", "."))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{name}: {text!r} is no number")
    return value


async def area_of(form: FormData) -> BaseGeometry | None:
    """Read the geometry of a form: its file, else what was drawn; None where there is neither.

    Raises
    ------
    InputError
        If it is no area.
    """
    file = form.get("file")
    if isinstance(file, UploadFile) and file.filename:
        content = await file.read(MOST_BYTES + 1)
        return area_in(file.filename, content)
    drawn = text_of(form, "area", 1_000_000)
    return area_in("the drawn area", drawn.encode()) if drawn else None


def circle_of(form: FormData) -> BaseGeometry | None:
    """Read a place and a radius; None where neither is given.

    Raises
    ------
    InputError
        If something of it is missing, or cannot be.
    """
    latitude, longitude, radius = (
        number_of(form, name) for name in ("latitude", "longitude", "radius_km")
    )
    if latitude is None and longitude is None:
        return None
    if latitude is None or longitude is None or radius is None:
        raise InputError("latitude, longitude and radius go together")
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise InputError("latitude is within ±90, longitude within ±180")
    if not 1 <= radius <= 5000:
        raise InputError("the radius is from 1 to 5000 km")
    return circle(longitude, latitude, radius * 1000)
