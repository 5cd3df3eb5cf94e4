"""How long from an agency's message to the activation in the catalogue.

    python -m benchmarks.watch

The sandbox's EMSC, in a process of its own, sends strong alerts on its WebSocket at known times;
the watcher records, decides and activates in a real PostgreSQL that holds years of earthquakes
already. Each alert is of a magnitude and depth that was not met before, so nothing is remembered.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from geobservatory.catalog.database import open_catalog
from geobservatory.catalog.embedded import EmbeddedPostgres
from geobservatory.catalog.hearing import Heard
from geobservatory.events.watcher import Watcher
from geobservatory.sandbox.servers.emsc import EmscConfig
from geobservatory.sandbox.servers.world import WorldConfig, read_world, serve
from geobservatory.settings.model import Feeds, Settings

_ALERTS, _EVERY_S, _LEAD_S = 100, 0.25, 8.0
_KNOWN = 20_000
_NOBODY = "http://127.0.0.1:9"


def alert(number: int, sent: datetime) -> dict[str, object]:
    """Alerts far from each other, on land, each a new activation."""
    properties = {
        "unid": f"alert-{number}", "lastupdate": f"{sent:%FT%T.%f}Z", "mag": 6.2 + number / 1000,
        "time": f"{sent - timedelta(minutes=5):%FT%T}Z", "lat": -20.0 + 5 * (number % 10),
        "lon": 15.0 + 1.5 * (number // 10), "depth": 5 + number / 100, "magtype": "mw",
        "flynn_region": "A REGION", "evtype": "ke",
    }  # fmt: skip
    return {"action": "create", "data": {"type": "Feature", "properties": properties}}


def fill(url: str) -> None:
    """Put years of earthquakes into the catalogue, each with an identifier and a revision."""
    with open_catalog(url) as catalog, catalog.engine.begin() as connection:
        rows = {"number": _KNOWN}
        for statement in (
            "INSERT INTO events (id, event_type, time, longitude, latitude, magnitude, depth_km)"
            " SELECT 'old-' || n, 'earthquake', now() - n * interval '3 hours', n % 360 - 180,"
            " n % 170 - 85, 4 + n % 14 / 10.0, 10 FROM generate_series(1, :number) n",
            "INSERT INTO event_names SELECT 'EMSC', 'old-' || n, 'old-' || n"
            " FROM generate_series(1, :number) n",
            "INSERT INTO event_revisions (event_id, source, source_id, content, digest)"
            " SELECT 'old-' || n, 'EMSC', 'old-' || n, '{}', 'old-' || n"
            " FROM generate_series(1, :number) n",
            "ANALYZE",
        ):
            connection.execute(text(statement), rows if ":number" in statement else {})


def main() -> None:
    if len(sys.argv) > 1:
        world = read_world(Path(sys.argv[1]))
        asyncio.run(serve(world, lambda addresses: print(json.dumps(addresses), flush=True)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)
        server = EmbeddedPostgres(folder / "postgres")
        url = server.start()
        try:
            fill(url)
            measure(folder, url)
        finally:
            server.stop()


def measure(folder: Path, url: str) -> None:
    begin = datetime.now(UTC) + timedelta(seconds=_LEAD_S)
    sent = {
        f"alert-{number}": begin + timedelta(seconds=number * _EVERY_S) for number in range(_ALERTS)
    }
    lines = [json.dumps(alert(n, time)) for n, time in enumerate(sent.values())]
    (folder / "emsc.jsonl").write_text("\n".join(lines))
    world = WorldConfig(hubs=[EmscConfig(name="emsc", conversation=folder / "emsc.jsonl")])
    (folder / "world.json").write_text(world.model_dump_json())
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.watch", str(folder / "world.json")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    address = json.loads(process.stdout.readline())["emsc"]
    late: list[float] = []
    done = threading.Event()

    def told(heard: Heard) -> None:
        assert heard.activation is not None and heard.starts, heard.reason
        identity = heard.activation.request.event.source_id
        assert identity is not None
        late.append((datetime.now(UTC) - sent[identity]).total_seconds())
        if len(late) == _ALERTS:
            done.set()

    feeds = Feeds(
        emsc_websocket=f"{address.replace('http', 'ws')}/standing_order/websocket",
        emsc_fdsn=f"{address}/fdsnws/event/1/query",
        usgs=_NOBODY,
        usgs_fdsn=_NOBODY,
        catch_up_s=3600,
    )
    watcher = Watcher(Settings(feeds=feeds), lambda: open_catalog(url), told)
    began = time.perf_counter()
    thread = threading.Thread(target=watcher.run)
    thread.start()
    try:
        assert done.wait(_LEAD_S + _ALERTS * _EVERY_S + 60), f"{len(late)} of {_ALERTS} were heard"
    finally:
        watcher.stop()
        thread.join()
        process.kill()
    assert time.perf_counter() - began > _EVERY_S * _ALERTS
    late.sort()
    print(
        f"message to activation, {_ALERTS} alerts, {_KNOWN} earthquakes in the catalogue:"
        f" median {1000 * statistics.median(late):.0f} ms,"
        f" 95 % within {1000 * late[int(0.95 * _ALERTS)]:.0f} ms, longest {1000 * late[-1]:.0f} ms"
    )


if __name__ == "__main__":
    main()
