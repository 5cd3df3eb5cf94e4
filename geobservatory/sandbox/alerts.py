"""What two agencies would have said of a scenario's earthquake, message by message."""

import json
from datetime import datetime, timedelta
from pathlib import Path

from geobservatory.files import written_whole
from geobservatory.sandbox.scenario import Event, Scenario


def write_conversations(scenario: Scenario, folder: Path) -> None:
    """Write ``events.jsonl`` as EMSC sends it and ``events-usgs.jsonl`` as USGS publishes it.

    EMSC: a first solution five minutes after the event, too strong and too shallow; the final
    magnitude and depth a quarter of an hour later; an aftershock. USGS: an automatic solution after
    twelve minutes, and the reviewed one with its moment magnitude after forty. Both are empty where
    nothing quaked.
    """
    for name, messages in (
        ("events.jsonl", _emsc(scenario.event)),
        ("events-usgs.jsonl", _usgs(scenario.event)),
    ):
        with written_whole(folder / name) as beside:
            beside.write_text("".join(json.dumps(one) + "\n" for one in messages))


def _emsc(event: Event) -> list[dict[str, object]]:
    if event.magnitude is None:
        return []
    first = event.magnitude + 0.1
    depth = event.depth_km or 10.0
    minute = timedelta(minutes=1)
    after = event.time + 20 * minute
    return [
        _message("create", event, 1, event.time, 5 * minute, first, 10.0, 0.02),
        _message("update", event, 1, event.time, 20 * minute, event.magnitude, depth, 0.0),
        _message("create", event, 2, after, 28 * minute, event.magnitude - 1.9, 10.0, 0.05),
    ]


def _usgs(event: Event) -> list[dict[str, object]]:
    if event.magnitude is None:
        return []
    minute = timedelta(minutes=1)
    depth = event.depth_km or 10.0
    return [
        _feature(event, 12 * minute, event.magnitude - 0.1, "mb", depth + 8, 0.06, "automatic"),
        _feature(event, 40 * minute, event.magnitude, "mww", depth, 0.01, "reviewed"),
    ]


def _feature(
    event: Event,
    after: timedelta,
    magnitude: float,
    magnitude_type: str,
    depth_km: float,
    off_deg: float,
    status: str,
) -> dict[str, object]:
    identity = f"us7000{event.time:%H%M}"
    latitude, longitude = round(event.latitude - off_deg, 4), round(event.longitude + off_deg, 4)
    origin, updated = (round(one.timestamp() * 1000) for one in (event.time, event.time + after))
    return {
        "type": "Feature",
        "properties": {
            "mag": round(magnitude, 1),
            "place": event.name,
            "time": origin,
            "updated": updated,
            "status": status,
            "net": "us",
            "code": identity.removeprefix("us"),
            "ids": f",{identity},",
            "sources": ",us,",
            "magType": magnitude_type,
            "type": "earthquake",
        },
        "geometry": {"type": "Point", "coordinates": [longitude, latitude, depth_km]},
        "id": identity,
    }


def _message(
    action: str,
    event: Event,
    number: int,
    origin: datetime,
    after: timedelta,
    magnitude: float,
    depth_km: float,
    off_deg: float,
) -> dict[str, object]:
    identity = f"{event.time:%Y%m%d}_{number:07d}"
    latitude, longitude = round(event.latitude + off_deg, 3), round(event.longitude - off_deg, 3)
    return {
        "action": action,
        "data": {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [longitude, latitude, -depth_km]},
            "id": identity,
            "properties": {
                "source_id": str(number),
                "source_catalog": "EMSC-RTS",
                "lastupdate": f"{event.time + after:%Y-%m-%dT%H:%M:%S}.0Z",
                "time": f"{origin:%Y-%m-%dT%H:%M:%S}.0Z",
                "flynn_region": event.name.upper(),
                "lat": latitude,
                "lon": longitude,
                "depth": depth_km,
                "evtype": "ke",
                "auth": "EMSC",
                "mag": round(magnitude, 1),
                "magtype": "mw" if action == "update" else "m",
                "unid": identity,
            },
        },
    }
