"""Hundreds of readers at once: how long the portal takes, beside a plain file server.

Each reader keeps its connection and asks again as soon as it is answered, so the numbers are those
of a portal that is never idle. The plain file server is Python's own, a thread for each connection.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import aiohttp
import numpy as np

from geobservatory.catalog.browsing import Sought
from geobservatory.catalog.database import embedded_server, open_catalog
from geobservatory.events.form import ActivationForm

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

_EVENTS = 500
_BOX = "/ogc/collections/events/items?bbox=0,0,20,50"
_READERS = (10, 100, 300)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="Of each measurement")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _portal(Path(folder)) as (address, product):
        file = f"/api/products/{quote(product)}/files/los_displacement.tif"
        with _plain(Path(folder)) as plain:
            print("| what | readers | answers a second | median | 95 % | 99 % | longest |")
            print("|---|---|---|---|---|---|---|")
            for what, url in (
                ("a file of 100 kB, plain server", f"{plain}/los_displacement.tif"),
                ("the same file by the portal", f"{address}{file}"),
                ("a range of 16 kB of it", f"{address}{file}#range"),
                ("100 events (`/api/events`)", f"{address}/api/events"),
                ("events in a box, as GeoJSON", f"{address}{_BOX}"),
                ("an activation", f"{address}/api/activations?limit=1"),
                ("the page of the hubs", f"{address}/hubs"),
                ("the page of the login", f"{address}/login"),
            ):
                for readers in _READERS:
                    times, failed, took = asyncio.run(_read(url, readers, wanted.seconds))
                    _print(what, readers, times, failed, took)


async def _read(url: str, readers: int, seconds: float) -> tuple[list[float], int, float]:
    address, _, part = url.partition("#")
    headers = {"Range": "bytes=20000-36383"} if part else {}
    times: list[float] = []
    failed = 0
    began = time.perf_counter()

    async def reader(session: aiohttp.ClientSession) -> None:
        nonlocal failed
        while time.perf_counter() - began < seconds:
            asked = time.perf_counter()
            try:
                async with session.get(address, headers=headers) as answer:
                    await answer.read()
                    failed += answer.status not in (200, 206)
            except (aiohttp.ClientError, TimeoutError):
                failed += 1
            times.append(time.perf_counter() - asked)

    patience = aiohttp.ClientTimeout(total=20)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=patience) as session:
        await asyncio.gather(*(reader(session) for _ in range(readers)))
    return times, failed, time.perf_counter() - began


def _print(what: str, readers: int, times: Sequence[float], failed: int, took: float) -> None:
    told = [f"{1000 * np.quantile(times, one):.0f} ms" for one in (0.5, 0.95, 0.99, 1)]
    note = f" ({failed} failed)" if failed else ""
    print("| " + " | ".join((what, str(readers), f"{len(times) / took:.0f}{note}", *told)) + " |")


@contextmanager
def _portal(folder: Path) -> Iterator[tuple[str, str]]:
    """Run `geobs portal` over a catalogue of some hundred events; gives its address, a product."""
    from mail_servers import free_port
    from portal_world import fill

    data = folder / "data"
    server = embedded_server(data)
    url = server.start()
    with open_catalog(url) as catalog:
        fill(catalog, data)
        for number in range(_EVENTS):
            form = ActivationForm(
                event_time=datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=7 * number),
                longitude=-180 + number * 0.7,
                latitude=-60 + number * 0.2,
                magnitude=5 + number % 30 / 10,
            )
            catalog.request_activation(form.to_request())
        product = catalog.browse_products(Sought(), 1, None).items[0]
    port = free_port()
    environment = {
        **os.environ,
        "GEOBS_DATA_DIR": str(data),
        "GEOBS_SERVICES__PORTAL_PORT": str(port),
        "GEOBS_PORTAL__LIMITS__REQUESTS_PER_MINUTE": "100000000",
        "XDG_CONFIG_HOME": str(folder),
    }
    portal = subprocess.Popen(
        [sys.executable, "-c", "from console.main import main; main()", "portal"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert portal.stdout is not None
        address = portal.stdout.readline().strip()
        asyncio.run(_until_it_answers(f"{address}/healthz"))
        made = product.interferogram
        shown = data / "products" / made.folder / "los_displacement.tif"
        (folder / "plain").mkdir()
        (folder / "plain" / shown.name).write_bytes(shown.read_bytes())
        yield address, made.id
    finally:
        portal.terminate()
        portal.wait()
        server.stop()


async def _until_it_answers(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(200):
            try:
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


@contextmanager
def _plain(folder: Path) -> Iterator[str]:
    from mail_servers import free_port

    port = free_port()
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--protocol", "HTTP/1.1"]
    server = subprocess.Popen(
        [*command, "--directory", str(folder / "plain"), str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        asyncio.run(_until_it_answers(f"http://127.0.0.1:{port}/los_displacement.tif"))
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
