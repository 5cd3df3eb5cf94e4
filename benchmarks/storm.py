"""Hundreds of downloads from hubs on their worst day, by processes that are killed at random.

    python -m benchmarks.storm [--products 300] [--page docs/storm.md]

Writes the figures to the page. Everything is real: HTTP through sockets to the sandbox's servers,
PostgreSQL, SIGKILL.
"""

import argparse
import asyncio
import hashlib
import json
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import select

from geobservatory.catalog.database import Catalog, embedded_server, open_configured_catalog
from geobservatory.catalog.scene_tables import DownloadRow
from geobservatory.errors import GeobservatoryError, TransientError
from geobservatory.hubs.access import Hubs
from geobservatory.hubs.model import Query
from geobservatory.sandbox.servers.asf import AsfConfig
from geobservatory.sandbox.servers.cdse import CdseConfig
from geobservatory.sandbox.servers.dhus import DhusConfig
from geobservatory.sandbox.servers.faults import Rule
from geobservatory.sandbox.servers.offers import OfferPolicy
from geobservatory.sandbox.servers.world import WorldConfig, read_world, serve
from geobservatory.settings import load_settings

SECRET = "correct-horse-battery-staple"  # noqa: S105  (looked for in every log)
LIMIT = 2
_THREADS = 3
_START = datetime(2024, 1, 1, tzinfo=UTC)
# Sandbox seconds a real second: an hour on tape takes six seconds.
_SPEED = 600.0
_VALUE, _SIGNED = "*/$value", "/signed/*"


@dataclass
class Result:
    """What a storm left."""

    products: int
    bytes: int
    delivered: int = 0
    wrong: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    most_at_once: dict[str, int] = field(default_factory=dict)
    kills: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    served: int = 0
    attempts: Counter[str] = field(default_factory=Counter)
    fetched_again: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether nothing went wrong."""
        within = all(count <= LIMIT for count in self.most_at_once.values())
        bad = (self.wrong, self.missing, self.left_over, self.secrets, self.fetched_again)
        return within and not any(bad) and self.delivered == self.products


def rules() -> list[Rule]:
    """Mix all faults of the sandbox."""
    both: list[tuple[dict[str, Any], float]] = [
        ({"kind": "latency", "seconds": 0.3}, 0.10),
        ({"kind": "bandwidth", "bytes_per_s": 400_000}, 0.15),
        ({"kind": "status", "code": 503, "retry_after_s": 1}, 0.06),
        ({"kind": "status", "code": 429, "retry_after_s": 1}, 0.05),
        ({"kind": "status", "code": 500}, 0.05),
        ({"kind": "reset"}, 0.12),
        ({"kind": "truncate"}, 0.08),
        ({"kind": "flip"}, 0.05),
        ({"kind": "wrong_length", "by": -3000}, 0.03),
        ({"kind": "wrong_length", "by": 3000}, 0.03),
        ({"kind": "expired_token"}, 0.04),
        ({"kind": "maintenance"}, 0.04),
    ]
    made: list[dict[str, Any]] = [
        {"fault": one, "path": path, "probability": chance, "seed": number}
        for number, (one, chance) in enumerate(both)
        for path in (_VALUE, _SIGNED)
    ]
    for one, chance in (
        ({"kind": "offline"}, 0.05),
        ({"kind": "wrong_checksum"}, 0.05),
        ({"kind": "stale_listing", "age_s": 86_400}, 0.05),
        ({"kind": "skew", "seconds": 900}, 0.2),
        ({"kind": "status", "code": 502}, 0.03),
        ({"kind": "maintenance"}, 0.02),
    ):
        made.append({"fault": one, "probability": chance})
    # One hub is away for ten seconds, and another later.
    for number, hub in enumerate(("dhus", "cdse")):
        since = _START + timedelta(seconds=_SPEED * (10 + 15 * number))
        until = since + timedelta(seconds=_SPEED * 10)
        made.append({"fault": {"kind": "refuse"}, "hub": hub, "since": since, "until": until})
    return [Rule(name=f"{one['fault']['kind']} {number}", **one) for number, one in enumerate(made)]


def write_world(folder: Path, products: Path) -> Path:
    """Write the world's file."""
    account = {"sandbox": SECRET}
    usual = {"accounts": account, "concurrent": LIMIT}
    world = WorldConfig(
        products=products,
        hubs=[
            DhusConfig(name="dhus", offer=OfferPolicy(share=0.7), **usual),
            DhusConfig(name="dhus-2", offer=OfferPolicy(share=0.5), **usual),
            CdseConfig(name="cdse", offer=OfferPolicy(share=0.6), linger_s=0.5, **usual),
            AsfConfig(name="asf", offer=OfferPolicy(share=0.4), accounts=account),
            DhusConfig(
                name="dhus-tape",
                offer=OfferPolicy(offline_after_days=1, retrieval_s=3600),
                retrievals=50,
                **usual,
            ),
        ],
        start=_START,
        speed=_SPEED,
        faults=rules(),
    )
    path = folder / "world.json"
    path.write_text(world.model_dump_json())
    return path


def write_settings(folder: Path, addresses: dict[str, str]) -> Path:
    """Write settings with all hubs; the smallest number of downloads that does."""
    lines = [f'data_dir = "{folder / "data"}"']
    for name, address in addresses.items():
        if (kind := name.split("-")[0]) in ("dhus", "cdse", "asf"):
            lines += [
                "[[hubs]]", f'name = "{name}"', f'kind = "{kind}"', f'address = "{address}"',
                'user = "sandbox"', f'password = "{SECRET}"', f"max_concurrent_downloads = {LIMIT}",
            ]  # fmt: skip
    path = folder / "geobs.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def work(names: list[str]) -> None:
    """Fetch until all is here; what fails for now is asked for again."""
    settings = load_settings()
    with open_configured_catalog(settings) as catalog:
        hubs = Hubs(settings, catalog)

        def one(name: str) -> bool:
            try:
                hubs.fetch(name, patience_s=60)
            except TransientError:
                return False
            except GeobservatoryError as error:
                print(f"{name}: {error}", flush=True)
                return False
            return True

        left = list(names)
        while left:
            random.shuffle(left)
            with ThreadPoolExecutor(_THREADS) as pool:
                done = dict(zip(left, pool.map(one, left), strict=True))
            left = [name for name in left if not done[name]]


class _Watch(threading.Thread):
    """Sees how many places are taken at each hub, and what the servers saw."""

    def __init__(self, control: str, hubs: Hubs, names: list[str]) -> None:
        super().__init__(daemon=True)
        self.most: Counter[str] = Counter()
        self.requests: dict[tuple[str, str, str, str], dict[str, Any]] = {}
        self._control, self._slots, self._hubs = control, hubs.slots, names
        self._end = threading.Event()

    def run(self) -> None:
        turn = 0
        while not self._end.wait(0.02):
            for name in self._hubs:
                self.most[name] = max(self.most[name], self._slots.in_use(name))
            turn += 1
            if turn % 25 == 0:
                self.read()

    def read(self) -> None:
        told = requests.get(f"{self._control}/requests", timeout=30).json()
        for hub, entries in told.items():
            for entry in entries:
                key = (hub, entry["time"], entry["path"], str(entry["range"]))
                self.requests[key] = entry

    def end(self) -> None:
        self._end.set()
        self.join()
        self.read()


def storm(folder: Path, products: Path, workers: int = 3, seed: int = 1) -> Result:
    """Let it come.

    Parameters
    ----------
    folder
        Where everything is kept.
    products
        Folder of SAFE zips to serve.
    workers
        Processes that fetch at once.
    """
    chance = random.Random(seed)
    serving = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.storm", "--serve", str(write_world(folder, products))],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert serving.stdout is not None
    processes: list[subprocess.Popen[bytes]] = []
    try:
        addresses = json.loads(serving.stdout.readline())
        os.environ["GEOBS_CONFIG"] = str(write_settings(folder, addresses))
        settings = load_settings()
        with open_configured_catalog(settings) as catalog:
            hubs = Hubs(settings, catalog)
            names = _deliverable(hubs)
            truth = {name: products / f"{name}.zip" for name in names}
            result = Result(len(names), sum(path.stat().st_size for path in truth.values()))
            watch = _Watch(addresses["control"], hubs, [one.name for one in settings.hubs])
            watch.start()
            began = time.monotonic()
            wanted = folder / "names.json"
            wanted.write_text(json.dumps(names))
            logs = folder / "logs"
            logs.mkdir()
            while _left(settings.data_dir, names):
                processes = [one for one in processes if one.poll() is None]
                while len(processes) < workers:
                    processes.append(_start(wanted, logs / f"{time.monotonic_ns()}.log"))
                time.sleep(chance.uniform(1.0, 4.0))
                if chance.random() < 0.7:
                    victim = chance.choice(processes)
                    victim.send_signal(signal.SIGKILL)
                    victim.wait()
                    result.kills += 1
            for one in processes:
                one.wait(timeout=300)
            result.seconds = time.monotonic() - began
            watch.end()
            _judge(result, settings.data_dir, truth, watch, logs)
            result.fetched_again = _fetched_again(catalog)
        embedded_server(settings.data_dir).stop()
        return result
    finally:
        for one in processes:
            one.kill()
        serving.kill()


def _deliverable(hubs: Hubs) -> list[str]:
    """List what some hub has, asked until all of them answer on one of their better moments."""
    for _ in range(50):
        found = hubs.search(Query(product_type=None, mode=None))
        if found.complete:
            return [scene.product.name for scene in found.scenes]
    raise TransientError("the hubs never answered all at once")


def _start(wanted: Path, log: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "benchmarks.storm", "--work", str(wanted)]
    with log.open("wb") as file:
        return subprocess.Popen(command, stdout=file, stderr=file)


def _fetched_again(catalog: Catalog) -> list[str]:
    """List products that were brought to their end more than once."""
    # Killed between the last byte and the final name, a process leaves all of it: nothing comes.
    complete = select(DownloadRow.scene_name).where(
        DownloadRow.state == "complete", DownloadRow.received_bytes > 0
    )
    with catalog.engine.connect() as connection:
        brought = Counter(connection.execute(complete).scalars())
    return [name for name, count in brought.items() if count > 1]


def _left(data: Path, names: list[str]) -> int:
    return len(names) - sum(1 for _ in (data / "archive").rglob("*.SAFE.zip"))


def _judge(result: Result, data: Path, truth: dict[str, Path], watch: _Watch, logs: Path) -> None:
    there = {path.name.removesuffix(".SAFE.zip"): path for path in data.rglob("*.SAFE.zip")}
    for name, path in truth.items():
        if name not in there:
            result.missing.append(name)
        elif _digest(there[name]) != _digest(path):
            result.wrong.append(name)
        else:
            result.delivered += 1
    archive = data / "archive"
    result.left_over = [
        one.name for one in archive.rglob("*") if one.is_file() and not one.name.startswith("S1")
    ]
    text = SECRET.encode()
    result.secrets = [one.name for one in logs.iterdir() if text in one.read_bytes()]
    result.most_at_once = dict(watch.most)
    for (hub, _, path, _), entry in watch.requests.items():
        result.faults.update(one.rsplit(" ", 1)[0] for one in entry["faults"])
        sent = entry.get("sent") or 0
        if entry["status"] in (200, 206) and sent and ("$value" in path or "signed" in path):
            result.served += sent
            result.attempts[hub] += 1


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=300)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        world = read_world(arguments.serve)
        asyncio.run(serve(world, lambda addresses: print(json.dumps(addresses), flush=True)))
        return
    if arguments.work is not None:
        logging.basicConfig(level=logging.DEBUG)
        work(json.loads(arguments.work.read_text()))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        result = storm(folder, make(folder / "products", arguments.products))
    text = page(result)
    print(text)
    if arguments.page is not None:
        arguments.page.write_text(text)
    sys.exit(not result.good)


def page(result: Result) -> str:
    """Write the figures."""
    faults = ", ".join(f"{name} {count}" for name, count in result.faults.most_common())
    most = ", ".join(f"{hub} {count}" for hub, count in sorted(result.most_at_once.items()))
    rows = [
        ("products that some hub could deliver", result.products),
        ("delivered, byte-identical to their source", result.delivered),
        ("damaged; missing", f"{len(result.wrong)}; {len(result.missing)}"),
        ("processes killed (SIGKILL)", result.kills),
        ("requests that a fault struck", f"{sum(result.faults.values())}: {faults}"),
        ("downloads that servers began", sum(result.attempts.values())),
        ("brought to the end more than once", len(result.fetched_again)),
        ("bytes served for bytes needed", f"{result.served / result.bytes:.3f}"),
        (f"most transfers at a hub at once (limit {LIMIT})", most),
        ("logs with a secret in them", len(result.secrets)),
        ("files left beside the products", len(result.left_over)),
        ("seconds", round(result.seconds)),
    ]
    lines = [f"| {what} | {value} |" for what, value in rows]
    return f"""# The storm

Written by `make storm`, never by hand; {datetime.now(UTC):%Y-%m-%d}.
{"Everything came as it should." if result.good else "**Something went wrong.**"}

Three processes with three downloads each fetch the same products, in orders of their own, from
five hubs of the sandbox (three DHuS, one of them with a long-term archive; a Data Space; an ASF),
whose faults are all in force at once and mixed. Every few seconds one of the processes is killed
and another started. Real HTTP, real PostgreSQL, debug logs of every library.

| | |
|---|---|
{chr(10).join(lines)}
"""


def make(folder: Path, count: int) -> Path:
    """Write products of random bytes, each of some hundred kilobytes."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from sandbox_safe import make_safe

    folder.mkdir(parents=True)
    chance = random.Random(3)
    for number in range(count):
        start = datetime(2022, 1, 1, tzinfo=UTC) + timedelta(hours=number)
        make_safe(folder, start, track=7, direction="ASCENDING", size=chance.randint(10**5, 10**6))
    return folder


if __name__ == "__main__":
    main()
