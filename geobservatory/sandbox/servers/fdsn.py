"""Select events as the FDSN event service of EMSC does (fdsnws-event 1.2, answers in JSON)."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from pyproj import Geod

from geobservatory.errors import InputError

Feature = Mapping[str, Any]
_WGS84 = Geod(ellps="WGS84")
_METRES_A_DEGREE = 111_195.0

# The long names of parameters, and the short ones that stand for them.
_SHORT = {
    "start": "starttime",
    "end": "endtime",
    "minmag": "minmagnitude",
    "maxmag": "maxmagnitude",
    "minlat": "minlatitude",
    "maxlat": "maxlatitude",
    "minlon": "minlongitude",
    "maxlon": "maxlongitude",
    "lat": "latitude",
    "lon": "longitude",
}
_ORDERS: dict[str, tuple[str, bool]] = {
    "time": ("time", True),
    "time-desc": ("time", True),
    "time-asc": ("time", False),
    "magnitude": ("mag", True),
    "magnitude-desc": ("mag", True),
    "magnitude-asc": ("mag", False),
}


def select(features: Iterable[Feature], query: Mapping[str, str]) -> Feature | None:
    """Answer a query.

    Parameters
    ----------
    features
        The newest state of every event.
    query
        Parameters of the request.

    Returns
    -------
    Feature, FeatureCollection or None
        The event whose ``eventid`` was asked for; or those that fit; None where none does.

    Raises
    ------
    InputError
        If a parameter is unknown or its value is wrong.
    """
    asked = {_SHORT.get(name, name): value for name, value in query.items()}
    if asked.pop("format", "xml") != "json":
        raise InputError("the sandbox answers format=json only")
    offset, limit = _whole(asked, "offset", 1), _whole(asked, "limit", 20_000)
    key, falling = _order(asked.pop("orderby", "time"))
    if "eventid" in asked:
        wanted = asked.pop("eventid")
        return next((one for one in features if one["properties"]["unid"] == wanted), None)
    tests = [*_near(asked), *(_test(name, text) for name, text in asked.items())]
    found = [one for one in features if all(test(one["properties"]) for test in tests)]
    found.sort(key=lambda one: one["properties"][key], reverse=falling)
    page = found[offset - 1 : offset - 1 + limit]
    if not page:
        return None
    return {"type": "FeatureCollection", "metadata": {"count": len(found)}, "features": page}


def _test(name: str, text: str) -> Callable[[Feature], bool]:
    limits = {"magnitude": "mag", "latitude": "lat", "longitude": "lon", "depth": "depth"}
    if name[:3] in ("min", "max") and name[3:] in limits:
        field, limit = limits[name[3:]], _number(name, text)
        if name.startswith("min"):
            return lambda event: bool(event[field] >= limit)
        return lambda event: bool(event[field] <= limit)
    times = {"starttime": "time", "endtime": "time", "updatedafter": "lastupdate"}
    if name in times:
        field, moment = times[name], _time(text)
        if name == "endtime":
            return lambda event: _time(event[field]) <= moment
        return lambda event: _time(event[field]) >= moment
    raise InputError(f"Unknown parameter: {name}")


def _near(asked: dict[str, str]) -> list[Callable[[Feature], bool]]:
    """Take the parameters of a circle: its centre and radii, degrees."""
    names = ("latitude", "longitude", "minradius", "maxradius")
    given = {name: _number(name, asked.pop(name)) for name in names if name in asked}
    if not given:
        return []
    if not {"latitude", "longitude"} <= set(given):
        raise InputError("a circle needs latitude and longitude")

    def near(event: Feature) -> bool:
        places = event["lon"], event["lat"], given["longitude"], given["latitude"]
        degrees = _WGS84.inv(*places)[2] / _METRES_A_DEGREE
        return bool(given.get("minradius", 0) <= degrees <= given.get("maxradius", 180))

    return [near]


def _order(text: str) -> tuple[str, bool]:
    if text not in _ORDERS:
        raise InputError(f"Bad value for orderby: {text}")
    return _ORDERS[text]


def _whole(asked: dict[str, str], name: str, default: int) -> int:
    text = asked.pop(name, str(default))
    if not text.isdecimal() or len(text) > 9 or int(text) < 1:
        raise InputError(f"Bad value for {name}: {text[:20]}")
    return int(text)


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"Bad value for {name}: {text[:20]}") from error


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"Bad time: {text[:40]}") from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time
