"""What a seismological centre would have said of a scenario's earthquake, message by message."""

import json
from datetime import datetime, timedelta
from pathlib import Path

from geobservatory.files import written_whole
from geobservatory.sandbox.scenario import Event, Scenario


def write_conversation(scenario: Scenario, folder: Path) -> Path:
    """Write ``events.jsonl``, in the format of EMSC's WebSocket; empty where nothing quaked.

    A first solution five minutes after the event, too strong and too shallow; the final magnitude
    and depth a quarter of an hour later; an aftershock.
    """
    event = scenario.event
    path = folder / "events.jsonl"
    if event.magnitude is None:
        with written_whole(path) as beside:
            beside.write_text("")
        return path
    first = event.magnitude + 0.1
    depth = event.depth_km or 10.0
    minute = timedelta(minutes=1)
    after = event.time + 20 * minute
    messages = [
        _message("create", event, 1, event.time, 5 * minute, first, 10.0, 0.02),
        _message("update", event, 1, event.time, 20 * minute, event.magnitude, depth, 0.0),
        _message("create", event, 2, after, 8 * minute, event.magnitude - 1.9, 10.0, 0.05),
    ]
    with written_whole(path) as beside:
        beside.write_text("".join(json.dumps(one) + "\n" for one in messages))
    return path


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
