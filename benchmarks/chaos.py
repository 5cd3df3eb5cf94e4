"""Kill the system at random while it makes maps; hold what comes out against an undisturbed run.

An earthquake of the sandbox is responded to twice: once left alone, once while processes are
killed (SIGKILL) at random moments: flow runs, worker, Prefect's server, PostgreSQL, the watcher,
and the supervisor that starts all of them again. Whatever was killed, nobody helps but what runs by
itself in production: the supervisor, `geobs up` where that one was killed, and the schedule of
`revisit-activations`, here every few seconds instead of minutes.

`make chaos` runs it; `python -m benchmarks.chaos --kills 30 --page docs/chaos.md` writes the page.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import requests

from console.sandbox import prepare_world
from geobservatory.sandbox.profile import write_profile
from geobservatory.sandbox.scenario import Scenario, find_scenario
from geobservatory.sandbox.servers.world import Addresses, running, usual_world

_LIMIT_S = 1500.0
# What differs between two runs of the same: when, how long, and by which flow run.
_OF_THE_RUN = ("created", "geobs:processing_seconds")
_CORNERS = [[-9, 30.7], [-8, 30.7], [-8, 31.4], [-9, 31.4], [-9, 30.7]]
_AREA = {"type": "Polygon", "coordinates": [_CORNERS]}


@dataclass
class Told:
    """Who was told of what: a webhook that counts."""

    counts: Counter[str] = field(default_factory=Counter)
    address: str = ""

    def serve(self) -> ThreadingHTTPServer:
        """Begin to listen."""
        counts = self.counts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                counts[f"{body['type']} {body['key']}"] += 1
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{server.server_address[1]}/hook"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server


class System:
    """A `geobs up` in a folder of its own, over the sandbox's servers."""

    def __init__(self, folder: Path, addresses: Addresses, hook: str, port: int) -> None:
        folder.mkdir(parents=True)
        self.folder, self.port = folder, port
        self.profile = write_profile(addresses, folder / "data", folder / "geobs.toml")
        with self.profile.open("a") as file:
            file.write(f'\n[notification]\nwebhook = "{hook}"\n')
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("GEOBS_", "PREFECT_"))}
        self.environment = {
            **plain,
            "GEOBS_CONFIG": str(self.profile),
            "GEOBS_SERVICES__PREFECT_PORT": str(port),
            "GEOBS_SERVICES__PORTAL_PORT": str(port + 1000),
        }

    def geobs(self, *arguments: str) -> str:
        """Run a command; what it printed."""
        command = [sys.executable, "-c", "from console.main import main; main()", *arguments]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"geobs {' '.join(arguments)}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def activation(self) -> dict[str, Any] | None:
        """Ask the catalogue; None where it does not answer just now."""
        try:
            listed = json.loads(self.geobs("events", "--json"))
            found: dict[str, Any] = json.loads(self.geobs("show", listed[0]["id"], "--json"))
        except (RuntimeError, IndexError):
            return None
        return found

    def revisit(self) -> None:
        """Do what the schedule does every five minutes."""
        api = f"http://127.0.0.1:{self.port}/api"
        with suppress(requests.RequestException, KeyError, ValueError):
            name = "revisit-activations/revisit"
            found = requests.get(f"{api}/deployments/name/{name}", timeout=10).json()
            requests.post(f"{api}/deployments/{found['id']}/create_flow_run", json={}, timeout=10)

    def processes(self) -> list[tuple[str, psutil.Process]]:
        """List every process of this system, and what it is."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                line = " ".join(process.cmdline())
                ours = process.environ().get("GEOBS_CONFIG") == str(self.profile)
                if not ours and str(self.folder) not in line:
                    continue
                found.append((_kind(process, line), process))
        return found


def _kind(process: psutil.Process, line: str) -> str:
    if "PREFECT__FLOW_RUN_ID" in process.environ():
        return "flow run"
    if "postgres" in line and "-D" in line:
        return "postgresql"
    for words, kind in {
        "server start": "prefect server",
        "worker start": "worker",
        "main() watch": "watcher",
        "main() up": "supervisor",
    }.items():
        if words in line:
            return kind
    return "other"


def respond(system: System, kills: int, chance: random.Random) -> tuple[Counter[str], float]:
    """Respond to the event, killing so often; give what was killed, and how long all took."""
    killed: Counter[str] = Counter()
    system.geobs("up", "--detach")
    event = system.folder / "event.json"
    properties = {
        "event_type": "earthquake",
        "event_time": "2023-09-08T22:11:01Z",
        "magnitude": 6.8,
        "name": "Al Haouz",
        "latitude": 31.06,
        "longitude": -8.39,
    }
    event.write_text(json.dumps({"type": "Feature", "geometry": _AREA, "properties": properties}))
    system.geobs("trigger", str(event))
    started = time.monotonic()
    while time.monotonic() - started < _LIMIT_S:
        if killed.total() < kills:
            time.sleep(chance.uniform(0.5, 6.0))
            killed[_kill_one(system, chance)] += 1
        else:
            time.sleep(3)
        if not any(kind == "supervisor" for kind, _ in system.processes()):
            with suppress(RuntimeError):
                system.geobs("up", "--detach")
        system.revisit()
        found = system.activation()
        if found is not None and found["state"] == "complete" and killed.total() >= kills:
            return killed, time.monotonic() - started
        if found is not None and found["state"] == "complete" and killed.total() < kills:
            # Done too soon: make it do all of it again.
            with suppress(RuntimeError):
                system.geobs("retry", found["id"])
    raise RuntimeError(f"not complete after {_LIMIT_S:.0f} s: {system.activation()}")


def _kill_one(system: System, chance: random.Random) -> str:
    """Kill one process; flow runs as often as all the others together."""
    processes = [one for one in system.processes() if one[0] != "other"]
    flows = [one for one in processes if one[0] == "flow run"]
    group = flows if flows and chance.random() < 0.5 else processes
    if not group:
        return "nothing"
    kind, process = chance.choice(sorted(group, key=lambda one: one[1].pid))
    with suppress(psutil.Error):
        process.send_signal(signal.SIGKILL)
    return kind


def products(system: System) -> dict[str, str]:
    """Name every file that was published, with a digest of what does not depend on the run."""
    found = {}
    for path in sorted((system.folder / "data" / "products").rglob("*")):
        if path.is_file():
            name = str(path.relative_to(system.folder / "data" / "products"))
            found[name] = hashlib.sha256(_content(path)).hexdigest()
    return found


def _content(path: Path) -> bytes:
    if path.name == "SHA256SUMS":
        # Of files whose bytes are compared themselves; of metadata the times are in it.
        return b"".join(sorted(line[66:] for line in path.read_bytes().splitlines()))
    if path.name == "metadata.json":
        item = json.loads(path.read_text())
        for name in _OF_THE_RUN:
            item["properties"].pop(name)
        return json.dumps(item, sort_keys=True).encode()
    return path.read_bytes()


def check(calm: System, wild: System, told: Told) -> list[str]:
    """Hold what came out of the disturbed run against the other; list what is wrong."""
    straight, crooked = products(calm), products(wild)
    wrong = [
        f"{name} differs, or is there in one run only"
        for name in sorted(straight.keys() | crooked.keys())
        if straight.get(name) != crooked.get(name)
    ]
    found = wild.activation() or {}
    complete = Counter(
        one["pair_id"] for one in found["interferograms"] if one["state"] == "complete"
    )
    wanted = {one["id"] for one in found["pairs"] if one["rank"] == 0}
    if set(complete) != wanted or set(complete.values()) != {1}:
        wrong.append(f"the catalogue has {dict(complete)} of {sorted(wanted)}")
    left = [
        str(path.relative_to(wild.folder))
        for path in (wild.folder / "data").rglob("*")
        if path.name == ".work" or path.name.endswith(".part")
    ]
    if left:
        wrong.append(f"left behind: {', '.join(left)}")
    twice = [what for what, count in told.counts.items() if count > 1]
    if twice:
        wrong.append(f"told more than once: {', '.join(twice)}")
    return wrong


def stop(system: System) -> list[str]:
    """Stop the system; list what still runs."""
    with suppress(RuntimeError):
        system.geobs("down")
    deadline = time.monotonic() + 60
    while (left := system.processes()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return [f"still running: {kind} {process.pid}" for kind, process in left]


def run(folder: Path, kills: int, seed: int) -> tuple[Counter[str], dict[str, Any], list[str]]:
    """Run both; give what was killed, figures, and what is wrong."""
    chance = random.Random(seed)
    scenario: Scenario = find_scenario("al-haouz-2023")
    world = folder / "world"
    prepare_world(scenario, "small", world)
    now = scenario.event.time + timedelta(days=20)
    quiet, told = Told(), Told()
    hooks = [quiet.serve(), told.serve()]
    with running(usual_world(world, now, speed=1)) as addresses:
        calm = System(folder / "calm", addresses, quiet.address, 4230)
        _, undisturbed = respond(calm, 0, chance)
        wrong = stop(calm)
        wild = System(folder / "wild", addresses, told.address, 4231)
        killed, disturbed = respond(wild, kills, chance)
        # Whoever was still at work when all was complete comes to an end.
        time.sleep(5)
        wrong += check(calm, wild, told) + stop(wild)
    for hook in hooks:
        hook.shutdown()
    figures = {
        "files": len(products(wild)),
        "undisturbed_s": undisturbed,
        "disturbed_s": disturbed,
        "told": told.counts.total(),
        "told_undisturbed": quiet.counts.total(),
    }
    return killed, figures, wrong


def page(killed: Counter[str], figures: dict[str, Any], wrong: list[str], seed: int) -> str:
    kinds = ", ".join(f"{count} × {kind}" for kind, count in sorted(killed.items()))
    outcome = "\n".join(f"- {one}" for one in wrong) or "Nothing was wrong."
    return f"""# Killed at random

Written by `make chaos` (`benchmarks/chaos.py`), seed {seed}.

The sandbox's Al Haouz earthquake was responded to twice, once undisturbed and once with
{killed.total()} kills (SIGKILL) at random moments: {kinds}. Nobody helped but what runs by itself
in production: the supervisor, `geobs up` where that was killed, and `revisit-activations`.

| | undisturbed | killed |
|---|---|---|
| until complete | {figures["undisturbed_s"]:.0f} s | {figures["disturbed_s"]:.0f} s |
| files published | {figures["files"]} | {figures["files"]} |
| messages to the webhook | {figures["told_undisturbed"]} | {figures["told"]} |

Held against each other: every published file byte for byte (of `metadata.json` all but the time of
making and its duration), one complete interferogram of each pair in the catalogue, nothing
half-written, nobody told twice, no process left.

{outcome}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--folder", type=Path, help="kept afterwards; else a temporary one")
    parser.add_argument("--page", type=Path, help="write the figures to this file")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="geobs-chaos-"))
    print(f"seed {given.seed}, {folder}", flush=True)
    killed, figures, wrong = run(folder, given.kills, given.seed)
    print(page(killed, figures, wrong, given.seed))
    if given.page is not None:
        given.page.write_text(page(killed, figures, wrong, given.seed))
    if given.folder is None and not wrong:
        shutil.rmtree(folder)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
