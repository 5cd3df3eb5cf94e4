"""Hubs: a search over four beside the slowest of them alone; a download beside curl's.

    python -m benchmarks.hubs

The servers are the sandbox's, in a process of their own; of two cores they take one.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.storm import make
from geobservatory.hubs.connectors import connect
from geobservatory.hubs.federation import search
from geobservatory.hubs.model import Query
from geobservatory.sandbox.servers.asf import AsfConfig
from geobservatory.sandbox.servers.cdse import CdseConfig
from geobservatory.sandbox.servers.dhus import DhusConfig
from geobservatory.sandbox.servers.faults import Rule
from geobservatory.sandbox.servers.world import WorldConfig, read_world, serve
from geobservatory.settings.model import Hub
from geobservatory.transfer.download import download

_START = datetime(2024, 1, 1, tzinfo=UTC)
_ROUNDS = 7


def served(folder: Path, products: Path, faults: list[Rule]) -> tuple[Any, dict[str, str]]:
    """Serve products in a process of its own."""
    hubs = [
        DhusConfig(name="dhus", concurrent=9), DhusConfig(name="dhus-2"), CdseConfig(name="cdse"),
        AsfConfig(name="asf"),
    ]  # fmt: skip
    world = WorldConfig(products=products, hubs=hubs, start=_START, speed=0, faults=faults)
    path = folder / "world.json"
    path.write_text(world.model_dump_json())
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.hubs", str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def hub(name: str, address: str, folder: Path) -> Any:
    kind: Any = name.split("-")[0]
    account: Any = {"user": "sandbox", "password": "sandbox"}
    return connect(Hub(name=name, kind=kind, address=address, **account), folder)


def timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def searching(folder: Path) -> None:
    """Four hubs with latencies of their own, the slowest beside all of them."""
    products = make(folder / "many", 300)
    rules = [
        Rule(name=name, hub=name, fault={"kind": "latency", "seconds": seconds})  # type: ignore[arg-type]
        for name, seconds in (("dhus", 0.6), ("dhus-2", 0.1), ("cdse", 0.3), ("asf", 0.2))
    ]
    process, addresses = served(folder, products, rules)
    try:
        hubs = [hub(name, addresses[name], folder) for name in ("dhus", "dhus-2", "cdse", "asf")]
        alone = {
            one.name: statistics.median(
                timed(lambda one=one: search([one], Query())) for _ in range(_ROUNDS)
            )
            for one in hubs
        }
        together = statistics.median(timed(lambda: search(hubs, Query())) for _ in range(_ROUNDS))
    finally:
        process.kill()
    slowest = max(alone.values())
    print("search of 300 products:", ", ".join(f"{k} {v:.2f} s" for k, v in alone.items()))
    print(f"all four {together:.2f} s, {together / slowest:.2f} of the slowest")


def downloading(folder: Path) -> None:
    """One file, by curl and by us in turn; curl verifies nothing."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from sandbox_safe import make_safe

    products = folder / "large"
    products.mkdir()
    path = make_safe(products, _START - timedelta(days=9), size=200_000_000)
    for limit in (100e6, None):
        rules = []
        if limit is not None:
            thin: Any = {"kind": "bandwidth", "bytes_per_s": limit}
            rules = [Rule(name="line", fault=thin, path="*/$value")]
        process, addresses = served(folder, products, rules)
        try:
            for name in ("cdse", "dhus"):
                _against_curl(folder, hub(name, addresses[name], folder), path, limit)
        finally:
            process.kill()


def _against_curl(folder: Path, one: Any, path: Path, limit: float | None) -> None:
    offer = one.find(path.name.removesuffix(".zip"))
    source = one.source(offer)
    target, other = folder / "ours.zip", folder / "curl.zip"
    ours, curls, both = [], [], []
    for _ in range(_ROUNDS if limit is None else 3):
        headers = [f"-HAuthorization: {source.headers()['Authorization']}"]
        command = ["curl", "-s", *headers, "-o", str(other), source.address]
        curls.append(timed(lambda: subprocess.run(command, check=True)))  # noqa: B023
        summed = timed(
            lambda: subprocess.run(["md5sum", str(other)], check=True, capture_output=True)
        )
        both.append(curls[-1] + summed)
        target.unlink(missing_ok=True)
        ours.append(timed(lambda: download(target, [source])))
    size = path.stat().st_size
    a, b, c = (size / statistics.median(one) / 1e6 for one in (ours, curls, both))
    line = "no limit" if limit is None else f"{limit / 1e6:.0f} MB/s"
    print(
        f"{one.name}, line of {line}: ours, verified, {a:.0f} MB/s; curl {b:.0f} ({a / b:.2f});"
        f" curl and md5sum {c:.0f} ({a / c:.2f})"
    )


def main() -> None:
    if len(sys.argv) > 1:
        world = read_world(Path(sys.argv[1]))
        asyncio.run(serve(world, lambda addresses: print(json.dumps(addresses), flush=True)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        searching(Path(temporary))
        downloading(Path(temporary))


if __name__ == "__main__":
    main()
