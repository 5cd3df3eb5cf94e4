"""`make demo`: an earthquake alert becomes deformation maps, with no account and no network.

Everything that runs is what runs in production: PostgreSQL, Prefect's server and worker, the
watcher, the flows, the engine. Only the world is not real: the sandbox simulates the satellite's
images of the Al Haouz earthquake and speaks for the hubs, the orbit archive, the heights and the
agencies. Because it knows the truth, the demonstration ends with how far the maps are from it.
"""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import requests

from console.environment import CHECKOUT
from console.output import print_table
from console.sandbox import prepare_world
from geobservatory.sandbox.compare import compare
from geobservatory.sandbox.profile import write_profile
from geobservatory.sandbox.scenario import Scenario, find_scenario
from geobservatory.sandbox.servers.world import Addresses, running, usual_world

_SCENARIO, _SIZE = "al-haouz-2023", "small"
_LIMIT_S = 900.0
_MOST_ERROR_MM = 2.0
# The alert is heard a minute after the clock is set going; by then the last image has been hours
# in every archive.
_BEFORE, _LATER = timedelta(minutes=1), timedelta(days=12)
_REAL = """
With real hubs: write these lines into geobs.toml, and `geobs up` does the same for the Earth.

    [[hubs]]
    name = "dataspace"
    kind = "cdse"
    address = "https://catalogue.dataspace.copernicus.eu"
    user = "you@example.org"
    password = "…"
"""


def main() -> None:
    """Simulate a world, start everything, let the earthquake happen, hold the maps to the truth."""
    started = time.monotonic()
    signal.signal(signal.SIGTERM, _interrupted)
    # An interrupted demonstration goes on in the same folder.
    folder = Path(os.environ.get("GEOBS_DEMO_DIR", CHECKOUT / "var" / "demo")).resolve()
    scenario = find_scenario(_SCENARIO)
    port = os.environ.setdefault("GEOBS_SERVICES__PREFECT_PORT", "4210")
    portal = os.environ.setdefault("GEOBS_SERVICES__PORTAL_PORT", "8090")
    _say("Simulating what the satellite sees of the ground, before and after (a minute)")
    world = folder / "world"
    prepare_world(scenario, _SIZE, world)
    with running(usual_world(world, scenario.event.time - _BEFORE, speed=0)) as addresses:
        profile = write_profile(addresses, folder / "data", folder / "geobs.toml")
        os.environ["GEOBS_CONFIG"] = str(profile)
        _say(f"Hubs, agencies and archives of the sandbox answer; settings: {profile}")
        # Whatever an interrupted demonstration left running knows the addresses of its own world.
        _geobs("down", quiet=True)
        _geobs("up", "--detach")
        try:
            identifier = _respond(addresses, scenario)
            _show(identifier, world)
            print(f"\nIt took {time.monotonic() - started:.0f} s.")
            print(f"\nThe flows, their timelines and reports: http://127.0.0.1:{port}/runs")
            print(
                f"The portal, for everybody else: http://127.0.0.1:{portal}/activations/{identifier}"
            )
            print(f"The map: {_activation(identifier)['page']}\n{_REAL}")
            if sys.stdin.isatty():
                input("Look around; Enter stops everything. ")
        finally:
            _geobs("down")


def _respond(addresses: Addresses, scenario: Scenario) -> str:
    """Let the earthquake happen, or go on with what was begun; wait until its maps are made."""
    begun = json.loads(_geobs("events", "--json", quiet=True))
    _set_clock(addresses, scenario, speed=0)
    if begun:
        identifier = str(begun[0]["id"])
        _say(f"{identifier} was begun before: going on")
        if begun[0]["state"] != "complete":
            _geobs("retry", identifier)
    else:
        _wait_for(lambda: _watched(addresses), "the watcher to listen")
        _say(f"The earthquake happens: {scenario.title}")
        _set_clock(addresses, scenario, speed=1)
        identifier = _wait_for(_activated, "the alert to activate")
        _geobs("events", "--heard")
    seen = ""
    deadline = time.monotonic() + _LIMIT_S
    while (found := _activation(identifier))["state"] in ("requested", "running"):
        if time.monotonic() > deadline:
            sys.exit(f"demo: {identifier} is {found['state']} after {_LIMIT_S:.0f} s; see the logs")
        seen = _progress(found, seen)
        time.sleep(1)
    _progress(found, seen)
    if found["state"] != "complete":
        sys.exit(f"demo: {identifier} is {found['state']}: {found['reason']}")
    return identifier


def _set_clock(addresses: Addresses, scenario: Scenario, speed: float) -> None:
    """Move the sandbox's clock: to when all images are published, and let it run."""
    if speed == 0:
        return
    last = max(
        one.time + timedelta(days=date.days) for one in scenario.passes for date in one.acquisitions
    )
    asked = {"now": (last + _LATER).isoformat(), "speed": speed}
    requests.post(f"{addresses['control']}/time", json=asked, timeout=10).raise_for_status()


def _watched(addresses: Addresses) -> bool:
    log = requests.get(f"{addresses['control']}/requests", timeout=10).json()
    return any("websocket" in one["path"] for one in log["emsc"])


def _activated() -> str | None:
    found = json.loads(_geobs("events", "--json", quiet=True))
    return str(found[0]["id"]) if found else None


def _activation(identifier: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_geobs("show", identifier, "--json", quiet=True))
    return found


def _progress(found: dict[str, Any], seen: str) -> str:
    """Say what has changed: pairs chosen, maps begun and made."""
    states = {one["pair_id"]: one["state"] for one in found["interferograms"]}
    maps = [
        f"{one['kind']} {one['relative_orbit']} {states.get(one['id'], 'fetching images')}"
        for one in found["pairs"]
        if one["rank"] == 0
    ]
    said = f"{found['state']}: {', '.join(maps) or 'looking for images'}"
    if said != seen:
        _say(said)
    return said


def _show(identifier: str, world: Path) -> None:
    """Print the maps, and how far each is from the truth."""
    found = _activation(identifier)
    rows = []
    for one in found["interferograms"]:
        if one["state"] != "complete":
            continue
        made = Path(found["page"]).parents[1] / one["folder"]
        against = compare(made, world)
        rows.append(
            (
                one["pair_id"],
                one["verdict"],
                f"{against.moved_mm:+.0f}",
                f"{against.error_mm:.2f}",
                f"{against.sky_mm:.1f}",
                against.cells,
            )
        )
    print_table(
        "Maps, held up to the truth of the simulation (millimetres along the line of sight)",
        ("map", "verdict", "greatest true motion", "error, RMS", "sky's share, RMS", "cells"),
        rows,
    )
    if not rows or any(float(row[3]) > _MOST_ERROR_MM for row in rows):
        sys.exit(f"demo: a map is off by more than {_MOST_ERROR_MM} mm, or there is none")


def _wait_for(condition: Any, what: str) -> Any:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.5)
    sys.exit(f"demo: waited two minutes for {what}; see the logs")


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


def _say(line: str) -> None:
    print(f"· {line}", flush=True)


def _interrupted(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\ndemo: interrupted; `make demo` goes on with it")
