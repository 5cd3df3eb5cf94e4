"""Messages of agencies for the tests: one earthquake, however revised."""

from datetime import UTC, datetime, timedelta
from typing import Any

TIME = datetime(2023, 9, 8, 22, 11, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def emsc(unid: str = "20230908_0000162", after: timedelta = 5 * MINUTE, **changes: Any) -> Any:
    """Make a Feature of EMSC; `after` the earthquake it was revised, `origin` when that was."""
    given: dict[str, Any] = {
        "mag": 6.8, "depth": 19.0, "lat": 31.06, "lon": -8.39, "magtype": "m", "evtype": "ke",
        "flynn_region": "MOROCCO", "unid": unid, "auth": "EMSC", "source_id": "1",
    }  # fmt: skip
    origin = changes.pop("origin", TIME)
    given |= {"time": f"{origin:%FT%T}.0Z", "lastupdate": f"{origin + after:%FT%T}.0Z"}
    given |= changes
    place = [given["lon"], given["lat"], -(given["depth"] or 0)]
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": place},
        "id": unid,
        "properties": given,
    }


def message(feature: Any, action: str = "create") -> dict[str, Any]:
    """Make a message of EMSC's WebSocket."""
    return {"action": action, "data": feature}


def usgs(identity: str = "us7000kufc", after: timedelta = 12 * MINUTE, **changes: Any) -> Any:
    """Make a Feature of USGS."""
    origin = changes.pop("origin", TIME + timedelta(seconds=3))
    place = [changes.pop("lon", -8.35), changes.pop("lat", 31.0), changes.pop("depth", 26.0)]
    given: dict[str, Any] = {
        "mag": 6.7, "place": "Al Haouz, Morocco", "status": "automatic", "magType": "mb",
        "type": "earthquake", "ids": f",{identity},", "net": identity[:2], "code": identity[2:],
        "time": round(origin.timestamp() * 1000),
        "updated": round((origin + after).timestamp() * 1000),
    }  # fmt: skip
    geometry = {"type": "Point", "coordinates": place}
    return {"type": "Feature", "id": identity, "properties": given | changes, "geometry": geometry}
