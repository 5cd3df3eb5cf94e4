"""A mirror over HTTP: `geobs mirror sync` processes, several at once, killed at random.

    python -m benchmarks.mirror_storm [--products 60]

The sandbox's servers (DHuS, Data Space, ASF) with their faults; two commands synchronise at once,
and every few seconds one of them is killed (SIGKILL). At the end one runs undisturbed.
"""

import argparse
import asyncio
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import text

from benchmarks.storm import LIMIT, SECRET, make, rules
from geobservatory.catalog.database import embedded_server, open_configured_catalog
from geobservatory.mirror.archive import Archive
from geobservatory.mirror.verify import verify
from geobservatory.sandbox.servers.asf import AsfConfig
from geobservatory.sandbox.servers.cdse import CdseConfig
from geobservatory.sandbox.servers.dhus import DhusConfig
from geobservatory.sandbox.servers.offers import OfferPolicy
from geobservatory.sandbox.servers.world import WorldConfig, read_world, serve
from geobservatory.settings import load_settings

_GEOBS = (sys.executable, "-c", "from console.main import main; main()")


@dataclass
class Result:
    """What a storm left."""

    products: int
    held: int = 0
    wrong: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    kills: int = 0
    runs: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    received: int = 0
    bytes: int = 0
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether nothing went wrong."""
        bad = self.wrong, self.missing, self.findings, self.left_over, self.twice, self.secrets
        return not any(bad) and self.held == self.products


def write_world(folder: Path, products: Path) -> Path:
    """Write the world's file: three hubs, each of which lacks a part, with all faults."""
    usual: dict[str, Any] = {"accounts": {"sandbox": SECRET}, "concurrent": LIMIT}
    hubs = [
        DhusConfig(name="dhus", offer=OfferPolicy(share=0.8), **usual),
        CdseConfig(name="cdse", offer=OfferPolicy(share=0.8), linger_s=0.5, **usual),
        AsfConfig(name="asf", offer=OfferPolicy(), accounts=usual["accounts"]),
    ]
    faults = [one for one in rules() if one.fault.kind not in ("refuse", "offline")]
    world = WorldConfig(products=products, hubs=hubs, start="2022-02-01T00:00:00Z", faults=faults)
    path = folder / "world.json"
    path.write_text(world.model_dump_json())
    return path


def write_settings(folder: Path, addresses: dict[str, str]) -> Path:
    """Write settings with the hubs and a stream that wants all."""
    lines = [
        f'data_dir = "{folder / "data"}"', "[mirror]", "disk_gb = 1", "run_minutes = 10",
        "[[mirror.streams]]", 'name = "all"', "window_days = 36500",
    ]  # fmt: skip
    for name in ("dhus", "cdse", "asf"):
        lines += [
            "[[hubs]]", f'name = "{name}"', f'kind = "{name}"', f'address = "{addresses[name]}"',
            'user = "sandbox"', f'password = "{SECRET}"', f"max_concurrent_downloads = {LIMIT}",
        ]  # fmt: skip
    path = folder / "geobs.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def storm(folder: Path, products: Path, kills: int = 8, seed: int = 1) -> Result:
    """Let it come.

    Parameters
    ----------
    folder
        Where everything is kept.
    products
        Folder of SAFE zips to serve.
    kills
        After so many killed processes it is left alone.
    """
    chance, truth = random.Random(seed), {one.stem: one for one in products.glob("*.zip")}
    result = Result(len(truth), bytes=sum(one.stat().st_size for one in truth.values()))
    serving = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.mirror_storm", "--serve", *_files(folder, products)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert serving.stdout is not None
    running: list[subprocess.Popen[bytes]] = []
    logs = folder / "logs"
    logs.mkdir()
    try:
        addresses = json.loads(serving.stdout.readline())
        os.environ["GEOBS_CONFIG"] = str(write_settings(folder, addresses))
        settings, began = load_settings(), time.monotonic()
        with open_configured_catalog(settings) as catalog:
            archive = Archive(settings, catalog)
            while result.kills < kills:
                running = [one for one in running if one.poll() is None]
                while len(running) < 2:
                    running.append(_sync(logs))
                    result.runs += 1
                # A process is killed when something came since the last was, so that it gets on.
                _until_more_is_held(archive, running)
                time.sleep(chance.uniform(0.0, 0.6))
                victim = chance.choice(running)
                victim.send_signal(signal.SIGKILL)
                victim.wait()
                result.kills += 1
                if len(_held(archive)) == len(truth):
                    break
            for one in running:
                one.wait(timeout=600)
            result.faults = _faults(addresses["control"])
            requests.delete(f"{addresses['control']}/faults", timeout=30).raise_for_status()
            for _ in range(3):
                with catalog.engine.begin() as connection:
                    # What failed is tried again now, not in an hour.
                    connection.execute(text("UPDATE mirror_wanted SET retry_at = NULL"))
                _sync(logs, "--full").wait(timeout=600)
                if len(_held(archive)) == len(truth):
                    break
            result.seconds = time.monotonic() - began
            _judge(archive, truth, result, logs)
        embedded_server(settings.data_dir).stop()
    finally:
        for one in running:
            one.kill()
        serving.kill()
        serving.wait()
    return result


def _files(folder: Path, products: Path) -> list[str]:
    return [str(write_world(folder, products))]


def _sync(logs: Path, *more: str) -> "subprocess.Popen[bytes]":
    with (logs / f"{time.monotonic_ns()}.log").open("wb") as log:
        return subprocess.Popen([*_GEOBS, "mirror", "sync", *more], stdout=log, stderr=log)


def _held(archive: Archive) -> set[str]:
    return {one.name for one in archive.catalog.oldest("all")}


def _until_more_is_held(archive: Archive, running: list["subprocess.Popen[bytes]"]) -> None:
    before = len(_held(archive))
    while len(_held(archive)) == before and any(one.poll() is None for one in running):
        time.sleep(0.1)


def _faults(control: str) -> Counter[str]:
    listed = requests.get(f"{control}/faults", timeout=30).json()
    struck = Counter[str]()
    for one in listed:
        struck[one["fault"]["kind"]] += one["struck"]
    return struck


def _judge(archive: Archive, truth: dict[str, Path], result: Result, logs: Path) -> None:
    held = {one.name: one for one in archive.catalog.oldest("all")}
    result.held = len(held)
    result.missing = [name for name in truth if name not in held]
    result.wrong = [name for name, one in held.items() if _digest(one.path) != _digest(truth[name])]
    result.findings = [f"{one.name}: {one.what}" for one in verify(archive)]
    result.left_over = [
        one.name
        for one in archive.folder.rglob("*")
        if one.is_file() and not one.name.startswith("S1")
    ]
    with archive.catalog.engine.connect() as connection:
        came = connection.execute(
            text(
                "SELECT scene_name FROM mirror_changes WHERE what IN ('came', 'found')"
                " GROUP BY scene_name HAVING count(*) > 1"
            )
        )
        result.twice = list(came.scalars())
        total = connection.execute(text("SELECT sum(received_bytes) FROM downloads"))
        result.received = int(total.scalar_one())
    result.secrets = [one.name for one in logs.iterdir() if SECRET.encode() in one.read_bytes()]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def table(result: Result) -> str:
    """Write the figures."""
    faults = ", ".join(f"{name} {count}" for name, count in result.faults.most_common() if count)
    rows = [
        ("products", result.products),
        ("held, byte-identical to their source", result.held - len(result.wrong)),
        ("damaged; missing", f"{len(result.wrong)}; {len(result.missing)}"),
        ("commands begun; killed (SIGKILL)", f"{result.runs}; {result.kills}"),
        ("requests that a fault struck", f"{sum(result.faults.values())}: {faults}"),
        ("brought more than once", len(result.twice)),
        ("where the inventory is not right", len(result.findings)),
        ("files left beside the products", len(result.left_over)),
        ("logs with a secret in them", len(result.secrets)),
        ("bytes received for bytes stored", f"{result.received / result.bytes:.3f}"),
        ("seconds", round(result.seconds)),
    ]
    return "\n".join(f"| {what} | {value} |" for what, value in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=60)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        world = read_world(arguments.serve)
        asyncio.run(serve(world, lambda addresses: print(json.dumps(addresses), flush=True)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        result = storm(folder, make(folder / "products", arguments.products))
    print(table(result))
    sys.exit(not result.good)


if __name__ == "__main__":
    main()
