"""`make demo`: the system at work on an earthquake, with no account and no network.

So far the demonstration is the first slice: a request becomes an activation that a flow takes up,
and that waits for what this version cannot do yet.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from console.environment import CHECKOUT

# Al Haouz, Morocco, 2023-09-08: origin time, place and depth after the USGS event page us7000kufc.
_EVENT = {
    "type": "Feature",
    "geometry": {
        "type": "Polygon",
        "coordinates": [[[-9.0, 30.7], [-8.0, 30.7], [-8.0, 31.4], [-9.0, 31.4], [-9.0, 30.7]]],
    },
    "properties": {
        "event_time": "2023-09-08T22:11:01Z",
        "event_type": "earthquake",
        "name": "Al Haouz, Morocco",
        "latitude": 31.06,
        "longitude": -8.39,
        "magnitude": 6.8,
        "depth_km": 19,
    },
}
_LIMIT_S = 120


def main() -> None:
    """Start everything, trigger the event, wait for the flow, show what came of it."""
    # An interrupted demonstration goes on in the same folder.
    os.environ.setdefault("GEOBS_DATA_DIR", str(CHECKOUT / "var" / "demo"))
    port = os.environ.setdefault("GEOBS_SERVICES__PREFECT_PORT", "4210")
    if not json.loads(_geobs("status", "--json", quiet=True))["services"]:
        _geobs("up", "--detach")
    try:
        identifier = _trigger()
        activation = _wait(identifier)
        _geobs("show", identifier)
        print(f"\nThe flow, its timeline and its report: http://127.0.0.1:{port}/runs")
        print(f"In the catalogue: {identifier} is {activation['state']}.\n")
        if sys.stdin.isatty():
            input("Look around; Enter stops everything. ")
    finally:
        _geobs("down")


def _trigger() -> str:
    with tempfile.TemporaryDirectory() as folder:
        request = Path(folder) / "al-haouz.geojson"
        request.write_text(json.dumps(_EVENT))
        answer = json.loads(_geobs("trigger", str(request), "--json", quiet=True))
    print(f"triggered {answer['id']}: {answer['started']}")
    return str(answer["id"])


def _wait(identifier: str) -> dict[str, Any]:
    deadline = time.monotonic() + _LIMIT_S
    while time.monotonic() < deadline:
        found: dict[str, Any] = json.loads(_geobs("show", identifier, "--json", quiet=True))
        if found["state"] not in ("requested", "running"):
            return found
        time.sleep(1)
    sys.exit(f"demo: {identifier} was not taken up within {_LIMIT_S} s; see the logs")


def _geobs(*arguments: str, quiet: bool = False) -> str:
    command = [sys.executable, "-c", "from console.main import main; main()", *arguments]
    if not quiet:
        print(f"\n$ geobs {' '.join(arguments)}", flush=True)
    done = subprocess.run(
        command, stdout=subprocess.PIPE if quiet else None, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(done.returncode)
    return done.stdout or ""


if __name__ == "__main__":
    main()
