"""Hundreds of readers at once: how long the portal takes, beside a plain file server.

The readers are wrk's (Debian: apt-get install wrk). Each keeps its connection and asks again as
soon as it is answered, so the numbers are those of a portal that is never idle. The plain file
server is Python's own, a thread for each connection.
"""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import aiohttp

from geobservatory.catalog.browsing import Sought
from geobservatory.catalog.database import embedded_server, open_catalog
from geobservatory.events.form import ActivationForm

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

_EVENTS = 500
_BOX = "/ogc/collections/events/items?bbox=0,0,20,50"
_READERS = (10, 100, 300)
# wrk counts microseconds; what is not answered within 20 s, or not with 2xx or 3xx, has failed.
_TELL = """
done = function(summary, latency, requests)
   local e = summary.errors
   io.write(string.format("told %f %d %f %f %f %f\\n",
      summary.requests * 1e6 / summary.duration,
      e.connect + e.read + e.write + e.status + e.timeout,
      latency:percentile(50), latency:percentile(95), latency:percentile(99), latency.max))
end
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="Of each measurement")
    wanted = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is not here (Debian: apt-get install wrk): nothing is measured")
        return
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
                    told = _read(url, readers, wanted.seconds)
                    print(f"| {what} | {readers} | {' | '.join(told)} |")


def _read(url: str, readers: int, seconds: int) -> list[str]:
    """Let so many read for some seconds; gives answers a second and percentiles."""
    address, _, part = url.partition("#")
    command = ["wrk", "-t", "2", "-c", str(readers), "-d", f"{seconds}s", "--timeout", "20s"]
    headers = ["-H", "Range: bytes=20000-36383"] if part else []
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_TELL)
        script.flush()
        told = subprocess.run(
            [*command, "-s", script.name, *headers, address],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
    rate, failed, *times = told.split("told ")[1].split()
    note = f" ({failed} failed)" if int(failed) else ""
    return [f"{float(rate):.0f}{note}", *(f"{float(one) / 1000:.0f} ms" for one in times)]


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
