"""USGS, the second witness: its summary feed, and its FDSN service for what was missed or deleted.

Both answer in GeoJSON: ``id`` and ``properties.ids`` (all identifiers that were found to be of one
earthquake, with commas on both sides), ``mag``, ``magType``, ``place``, ``time`` and ``updated``
(milliseconds since 1970), ``status`` (``automatic``, ``reviewed``, ``deleted``), ``type``; the
coordinates are longitude, latitude and depth (kilometres, positive down).
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from geobservatory.errors import InputError, TransientError
from geobservatory.events.report import Report, Retraction, checked_name, make_report
from geobservatory.events.service import Answer, ask

SOURCE = "USGS"
_REVISED_FOR = timedelta(days=30)
# Its service gives no more at once.
_LIMIT = 20_000
_MOST_NAMES = 50
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_feature(feature: Any) -> Report | Retraction:
    """Read a Feature of the feed or of the FDSN service.

    Raises
    ------
    InputError
        If something in it is missing or cannot be.
    """
    given = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(given, dict):
        raise InputError("not a Feature: no properties")
    own = checked_name(feature.get("id"))
    updated = _time(given.get("updated"))
    names = tuple(dict.fromkeys((own, *_names(given.get("ids")))))
    if given.get("status") == "deleted":
        # Others of its identifiers may be alive.
        return Retraction(SOURCE, (own,), updated, "deleted by USGS")
    kind = given.get("type")
    if kind != "earthquake":
        return Retraction(
            SOURCE, names, updated, f"not an earthquake for USGS, but a {str(kind)[:40]}"
        )
    longitude, latitude, depth_km = _place(own, feature)
    return make_report(
        SOURCE,
        own,
        time=_time(given.get("time")),
        updated=updated,
        longitude=longitude,
        latitude=latitude,
        depth_km=depth_km,
        magnitude=given.get("mag"),
        magnitude_type=given.get("magType"),
        place=given.get("place"),
        names=names,
    )


def revised_since(session: requests.Session, address: str, since: datetime) -> list[Any]:
    """Ask the FDSN service for what has been made, revised or deleted since a time, oldest first.

    Raises
    ------
    TransientError
        If it does not answer as it should.
    """
    answer = ask(
        session,
        address,
        {
            "format": "geojson",
            "starttime": f"{since - _REVISED_FOR:%Y-%m-%dT%H:%M:%S}",
            "updatedafter": f"{since:%Y-%m-%dT%H:%M:%S}",
            "includedeleted": "true",
            "limit": str(_LIMIT),
            "orderby": "time",
        },
    )
    return features(address, answer)[::-1]


def features(address: str, answer: Answer) -> list[Any]:
    """Take the Features of an answer; none where it had nothing new.

    Raises
    ------
    TransientError
        If it lists none.
    """
    if answer.document is None:
        return []
    found = answer.document.get("features") if isinstance(answer.document, dict) else None
    if not isinstance(found, list):
        raise TransientError(f"{address}: the answer lists no features")
    return found


def _place(own: str, feature: dict[str, Any]) -> tuple[Any, Any, Any]:
    geometry = feature.get("geometry")
    place = geometry.get("coordinates") if isinstance(geometry, dict) else None
    if not isinstance(place, list) or len(place) != 3:
        raise InputError(f"{own}: its geometry is no place with a depth")
    return place[0], place[1], place[2]


def _names(ids: Any) -> list[str]:
    if not isinstance(ids, str):
        return []
    return [checked_name(name) for name in ids.split(",") if name][:_MOST_NAMES]


def _time(value: Any) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"not a time in milliseconds: {str(value)[:40]!r}")
    try:
        return _EPOCH + timedelta(milliseconds=value)
    except OverflowError as error:
        raise InputError(f"not a time in milliseconds: {value}") from error
