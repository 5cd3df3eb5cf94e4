"""The doors for client programs under load: downloads at once and searches, with percentiles.

    python -m benchmarks.programs [--clients 120] [--products 12] [--mb 8]

Everything is real: the portal (`geobs portal`) and the sandbox's hubs in processes of their own,
PostgreSQL, HTTP through sockets. Prints a table for docs/programs.md.
"""

import argparse
import asyncio
import hashlib
import json
import multiprocessing
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import numpy as np
import requests

from geobservatory.catalog.database import open_configured_catalog
from geobservatory.hubs.access import Hubs
from geobservatory.sandbox.servers.dhus import DhusConfig
from geobservatory.sandbox.servers.world import WorldConfig, serve
from geobservatory.settings import load_settings
from geobservatory.settings.portal import Role
from portal.access.passwords import hashed

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from sandbox_safe import make_safe

USER, PASSWORD = "load", "correct-horse-battery"
START = datetime(2024, 6, 1, tzinfo=UTC)
AUTH = {"Authorization": aiohttp.encode_basic_auth(USER, PASSWORD)}
# Clients come so soon after each other; most are there before the first has all.
_EVERY_S = 0.05
_HUBS = ("dhus", "dhus-2", "dhus-3")


def _serve_hubs(world: str, told: str) -> None:
    def ready(addresses: dict[str, str]) -> None:
        Path(told).write_text(json.dumps(addresses))

    asyncio.run(serve(WorldConfig.model_validate_json(Path(world).read_text()), ready))


def _until_it_answers(address: str) -> None:
    for _ in range(300):
        try:
            if requests.get(address, timeout=5).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise SystemExit(f"{address} does not answer")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _settings(folder: Path, addresses: dict[str, str], port: int, clients: int) -> Path:
    lines = [f'data_dir = "{folder / "data"}"', "[services]", f"portal_port = {port}",
             "[portal.limits]", f"downloads_at_once = {2 * clients}",
             "requests_per_minute = 10000000"]  # fmt: skip
    for name in _HUBS:
        lines += ["[[hubs]]", f'name = "{name}"', 'kind = "dhus"',
                  f'address = "{addresses[name]}"', 'user = "sandbox"', 'password = "sandbox"',
                  "max_concurrent_downloads = 16"]  # fmt: skip
    path = folder / "geobs.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


class _Clients:
    def __init__(self, address: str, sums: dict[str, str]) -> None:
        self._address, self._sums = address, sums
        self.ids: dict[str, str] = {}

    async def find(self, session: aiohttp.ClientSession) -> None:
        asked = {"q": "platformname:Sentinel-1 AND beginposition:[2023-01-01T00:00:00Z TO *]",
                 "rows": "100", "format": "json"}  # fmt: skip
        async with session.get(f"{self._address}/dhus/search", params=asked) as answer:
            feed = (await answer.json())["feed"]
        self.ids = {one["title"]: one["id"] for one in feed["entry"]}

    async def download(self, session: aiohttp.ClientSession, name: str) -> tuple[float, float]:
        began, first, digest = time.monotonic(), 0.0, hashlib.sha256()
        url = f"{self._address}/odata/v1/Products({self.ids[name]})/$value"
        async with session.get(url) as answer:
            if answer.status != 200:
                raise SystemExit(f"{answer.status}: {await answer.text()}")
            async for piece in answer.content.iter_any():
                first = first or time.monotonic() - began
                digest.update(piece)
        assert digest.hexdigest() == self._sums[name], name
        return first, time.monotonic() - began

    async def search(self, session: aiohttp.ClientSession, number: int) -> tuple[float, float]:
        began = time.monotonic()
        day = f"2023-01-{1 + number % 20:02d}"
        asked = {"q": f"beginposition:[{day}T00:00:00Z TO *] AND producttype:SLC",
                 "rows": "20", "format": "json"}  # fmt: skip
        async with session.get(f"{self._address}/dhus/search", params=asked) as answer:
            answer.raise_for_status()
            await answer.read()
        took = time.monotonic() - began
        return took, took


async def _at_once(
    count: int, one: Callable[[aiohttp.ClientSession, int], Awaitable[tuple[float, float]]]
) -> tuple[np.ndarray, float]:
    limits = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None, sock_read=300)
    began = time.monotonic()

    async def _arriving(session: aiohttp.ClientSession, number: int) -> tuple[float, float]:
        await asyncio.sleep(number * _EVERY_S)
        return await one(session, number)

    async with aiohttp.ClientSession(connector=limits, headers=AUTH, timeout=timeout) as session:
        took = await asyncio.gather(*(_arriving(session, number) for number in range(count)))
    return np.array(took), time.monotonic() - began


def _line(what: str, took: np.ndarray, wall: float, mb: float) -> str:
    cells = [f"{np.percentile(took[:, column], part):.2f}"
             for column in (0, 1) for part in (50, 95, 99)]  # fmt: skip
    speed = f"{mb / wall:.0f}" if mb else "—"
    return f"| {what} | {len(took)} | {' | '.join(cells)} | {speed} |"


async def _measure(
    clients: _Clients, names: list[str], count: int, mb: float, folder: Path
) -> list[str]:
    async with aiohttp.ClientSession(headers=AUTH) as session:
        await clients.find(session)
    lines = []

    async def fetch(session: aiohttp.ClientSession, number: int) -> tuple[float, float]:
        return await clients.download(session, names[number % len(names)])

    took, wall = await _at_once(count, fetch)
    lines.append(_line("downloads through hubs (3 hubs, 16 places each)", took, wall, count * mb))
    await asyncio.to_thread(_hold, folder, names)
    took, wall = await _at_once(count, fetch)
    lines.append(_line("downloads from the archive", took, wall, count * mb))
    took, wall = await _at_once(4 * count, clients.search)
    lines.append(_line("searches at once", took, wall, 0))
    return lines


def _hold(folder: Path, names: list[str]) -> None:
    settings = load_settings()
    with open_configured_catalog(settings) as catalog:
        hubs = Hubs(settings, catalog)
        for name in names:
            hubs.fetch(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=120)
    parser.add_argument("--products", type=int, default=12)
    parser.add_argument("--mb", type=int, default=8)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="geobs-programs-") as name:
        folder = Path(name)
        products = folder / "products"
        products.mkdir()
        made = [
            make_safe(products, datetime(2023, 1, 1, tzinfo=UTC) + timedelta(days=number),
                      size=given.mb << 20)
            for number in range(given.products)
        ]  # fmt: skip
        sums = {one.name.removesuffix(".zip").removesuffix(".SAFE"):
                hashlib.sha256(one.read_bytes()).hexdigest() for one in made}  # fmt: skip
        world = WorldConfig(
            products=products,
            hubs=[DhusConfig(name=hub, concurrent=200) for hub in _HUBS],
            start=START,
            speed=0,
        )
        (folder / "world.json").write_text(world.model_dump_json())
        told = folder / "addresses.json"
        hubs = multiprocessing.get_context("spawn").Process(
            target=_serve_hubs, args=(str(folder / "world.json"), str(told)), daemon=True
        )
        hubs.start()
        while not told.exists():
            time.sleep(0.1)
        time.sleep(0.2)
        port = _free_port()
        config = _settings(folder, json.loads(told.read_text()), port, given.clients)
        os.environ["GEOBS_CONFIG"] = str(config)
        with open_configured_catalog(load_settings()) as catalog:
            catalog.add_account(USER, Role.DOWNLOADER, hashed(PASSWORD))
        portal = subprocess.Popen(
            [sys.executable, "-c", "from console.main import main; main()", "portal"],
            stdout=subprocess.PIPE,
        )
        try:
            assert portal.stdout is not None
            portal.stdout.readline()
            _until_it_answers(f"http://127.0.0.1:{port}/healthz")
            names = list(sums)
            random.Random(1).shuffle(names)
            clients = _Clients(f"http://127.0.0.1:{port}", sums)
            lines = asyncio.run(_measure(clients, names, given.clients, float(given.mb), folder))
        finally:
            portal.terminate()
            portal.wait()
            hubs.terminate()
            from geobservatory.catalog.database import embedded_server

            embedded_server(folder / "data").stop()
    print("| what | at once | first byte 50 % | 95 % | 99 % | whole 50 % | 95 % | 99 % | MB/s |")
    print("|---|---|---|---|---|---|---|---|---|")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
