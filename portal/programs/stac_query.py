"""What a STAC search asks for: the same from an address and from a body.

Source: STAC API 1.0.0, item search; OGC API – Features, part 1 (bbox, datetime).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from geobservatory.errors import InputError
from geobservatory.hubs.products import read_geojson
from geobservatory.hubs.queries.areas import checked
from geobservatory.hubs.queries.terms import Among, Compare, Everything, Meets, Term, together
from portal.programs.stac_fields import ShownFields, read_fields

_MOST, _USUAL, _MOST_LISTED = 1000, 10, 200
_FURTHEST = 1_000_000
# RFC 3339, section 5.6.
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_SORTS = {
    "id": "name",
    "datetime": "start",
    "properties.datetime": "start",
    "properties.created": "published",
}


@dataclass(frozen=True)
class StacQuery:
    """What is looked for; None is anything.

    Attributes
    ----------
    since, until
        UTC; what happened then or in part then.
    order
        Of `catalog.listing.COLUMNS`, and whether downward.
    start
        How many are passed over.
    shown
        Which fields of what is found.
    """

    area: BaseGeometry | None = None
    since: datetime | None = None
    until: datetime | None = None
    ids: tuple[str, ...] | None = None
    collections: tuple[str, ...] | None = None
    limit: int = _USUAL
    start: int = 0
    order: tuple[tuple[str, bool], ...] = (("start", True),)
    shown: ShownFields = field(default_factory=ShownFields)

    @property
    def key(self) -> str:
        """Name what is looked for, apart from everything else; a geometry's `repr` is cut."""
        area = "" if self.area is None else self.area.wkb_hex
        return f"{self.order} {self.since} {self.until} {self.ids} {area}"

    def term(self) -> Term:
        """Write it as a term over the fields ``geometry start stop id``."""
        terms: list[Term] = [Everything()]
        if self.area is not None:
            terms.append(Meets("geometry", "intersects", self.area))
        if self.since is not None:
            terms.append(Compare("stop", "ge", self.since))
        if self.until is not None:
            terms.append(Compare("start", "le", self.until))
        if self.ids is not None:
            terms.append(Among("id", self.ids))
        return together(terms)


def read_query(asked: Mapping[str, Any]) -> StacQuery:
    """Read a query; lists are lists, or texts with commas.

    Raises
    ------
    InputError
        If it is none.
    """
    box, shape = asked.get("bbox"), asked.get("intersects")
    if box is not None and shape is not None:
        raise InputError("bbox and intersects exclude each other")
    area = None
    if box is not None:
        area = _box(_listed(box, "bbox"))
    elif shape is not None:
        area = _shape(shape)
    since, until = _interval(asked.get("datetime"))
    return StacQuery(
        area,
        since,
        until,
        _names(asked.get("ids"), "ids"),
        _names(asked.get("collections"), "collections"),
        _number(asked.get("limit", _USUAL), "limit", 1, _MOST),
        _number(asked.get("token", 0), "token", 0, _FURTHEST),
        _order(asked.get("sortby")),
        read_fields(asked.get("fields")),
    )


def _box(numbers: Sequence[Any]) -> BaseGeometry:
    try:
        values = [float(one) for one in numbers]
    except (TypeError, ValueError) as error:
        raise InputError("bbox: it is not of numbers") from error
    if len(values) == 6:
        values = [*values[:2], *values[3:5]]
    if len(values) != 4:
        raise InputError("bbox: it has 4 or 6 numbers")
    west, south, east, north = values
    if not all(-180 <= one <= 180 for one in (west, east)) or not -90 <= south <= north <= 90:
        raise InputError(f"bbox: {values} is not west, south, east, north in degrees")
    if west <= east:
        return _filled(shapely.box(west, south, east, north))
    # Over the antimeridian (RFC 7946, section 5.2).
    return shapely.MultiPolygon(
        [shapely.box(west, south, 180, north), shapely.box(-180, south, east, north)]
    )


def _filled(area: BaseGeometry) -> BaseGeometry:
    """Give a box without area the least there is: it is a place, or a line."""
    return area if area.is_valid and area.area > 0 else shapely.box(*area.bounds).buffer(1e-9)


def _shape(given: Any) -> BaseGeometry:
    if not isinstance(given, Mapping) or given.get("type") in (None, "Feature"):
        raise InputError("intersects: it is no GeoJSON geometry")
    try:
        return checked(read_geojson(given), f"intersects {given.get('type')}")
    except (ValueError, RecursionError) as error:
        raise InputError(f"intersects: {error}") from error


def _interval(text: Any) -> tuple[datetime | None, datetime | None]:
    if text is None:
        return None, None
    if not isinstance(text, str):
        raise InputError("datetime: it is no text")
    ends = text.split("/")
    if len(ends) == 1:
        time = _time(ends[0])
        return time, time
    if len(ends) != 2 or all(one in ("", "..") for one in ends):
        raise InputError(f"datetime: {text[:60]!r} is no interval")
    since, until = (None if one in ("", "..") else _time(one) for one in ends)
    if since is not None and until is not None and since > until:
        raise InputError(f"datetime: {text[:60]!r} ends before it begins")
    return since, until


def _time(text: str) -> datetime:
    if not _TIME.fullmatch(text):
        raise InputError(f"datetime: {text[:40]!r} is no time of RFC 3339")
    try:
        # Of more digits than it knows Python makes an error.
        short = re.sub(r"(\.\d{6})\d+", r"\1", text.upper())
        return datetime.fromisoformat(short).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InputError(f"datetime: {text[:40]!r} is no time") from error


def _listed(value: Any, name: str) -> list[Any]:
    found = value.split(",") if isinstance(value, str) else value
    if not isinstance(found, list):
        raise InputError(f"{name}: it is no list")
    return found


def _names(value: Any, name: str) -> tuple[str, ...] | None:
    if value is None:
        return None
    found = _listed(value, name)
    if len(found) > _MOST_LISTED or not all(isinstance(one, str) for one in found):
        raise InputError(f"{name}: a list of {_MOST_LISTED} names at most")
    if any(len(one) > 300 or not one.isprintable() for one in found):
        raise InputError(f"{name}: one of them is no name")
    return tuple(found)


def _number(value: Any, name: str, least: int, most: int) -> int:
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise InputError(f"{name}: {text[:20]!r} is no whole number")
    if int(text) < least:
        raise InputError(f"{name}: {text} is less than {least}")
    return min(int(text), most)


def _order(value: Any) -> tuple[tuple[str, bool], ...]:
    if value is None:
        return (("start", True),)
    order = []
    for one in _listed(value, "sortby"):
        if isinstance(one, Mapping):
            field, down = str(one.get("field")), one.get("direction", "asc") == "desc"
        else:
            field, down = str(one).lstrip("+-").strip(), str(one).startswith("-")
        if field not in _SORTS:
            raise InputError(f"sortby: {field[:60]!r} is none of {', '.join(_SORTS)}")
        order.append((_SORTS[field], down))
    return tuple(order[:5]) or (("start", True),)
