"""Direct download: through from hubs at once, hubs that fail on the way, limits, what is kept."""

import hashlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from databases import fresh_database
from hub_process import hub_process
from hub_world import START, fault, make_products, world
from programs_world import WHO, portal_over
from sandbox_safe import make_safe
from sentinelsat import SentinelAPI

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.embedded import EmbeddedPostgres
from geobservatory.sandbox.servers.cdse import CdseConfig
from geobservatory.sandbox.servers.dhus import DhusConfig
from geobservatory.sandbox.servers.world import Addresses, WorldConfig
from geobservatory.settings.portal import Portal, PortalLimits
from geobservatory.settings.programs import Programs

SPAN = ("20230901", "20231001")
SIZE = 12 << 20
VALUE = "*/$value"
Door = tuple[str, Catalog]


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One product of 12 MiB, and some small ones."""
    folder = tmp_path_factory.mktemp("direct") / "products"
    make_products(folder, 3)
    make_safe(folder, datetime(2023, 8, 11, 6, 37, 30, tzinfo=UTC), size=SIZE)
    return folder


@pytest.fixture(scope="module")
def addresses(products: Path) -> Iterator[Addresses]:
    hubs = (
        DhusConfig(name="dhus", concurrent=8),
        DhusConfig(name="dhus-2", concurrent=8),
        CdseConfig(name="cdse", linger_s=0.0, concurrent=8),
    )
    with world(products, hubs) as opened:
        yield opened


@pytest.fixture(scope="module")
def door(
    addresses: Addresses, embedded: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    limits = Portal(limits=PortalLimits(downloads_at_once=3))
    folder = tmp_path_factory.mktemp("portal")
    with (
        fresh_database(embedded.status().url or "") as url,
        portal_over(addresses, url, folder, portal=limits) as opened,
    ):
        yield opened


def big(products: Path) -> Path:
    (path,) = products.glob("*_20230811T*.zip")
    return path


def address_of(door: str, path: Path) -> str:
    api = SentinelAPI(*WHO, f"{door}/dhus", show_progressbars=False)
    (uuid,) = api.query(raw=f"identifier:{path.name.removesuffix('.zip').removesuffix('.SAFE')}")
    return f"{door}/dhus/odata/v1/Products('{uuid}')/$value"


def settled(catalog: Catalog, since: datetime, count: int) -> list[Any]:
    """Wait until so many deliveries are recorded."""
    for _ in range(200):
        found = catalog.deliveries(since)
        if len(found) >= count:
            return found
        time.sleep(0.05)
    raise AssertionError(found)


def test_a_hub_killed_on_the_way_is_not_noticed(
    products: Path, embedded: EmbeddedPostgres, tmp_path: Path
) -> None:
    """Two processes of hubs; the one that sends is killed in mid-download."""
    content, clients = big(products).read_bytes(), 3
    slow = {"name": "slow", "path": VALUE, "fault": {"kind": "bandwidth", "bytes_per_s": 4_000_000}}

    def one(name: str) -> WorldConfig:
        hubs = [DhusConfig(name=name, concurrent=8)]
        return WorldConfig(products=products, hubs=hubs, start=START, speed=0, faults=[slow])

    with (
        hub_process(one("dhus"), tmp_path / "one") as (first, at_first),
        hub_process(one("dhus-2"), tmp_path / "two") as (second, at_second),
        fresh_database(embedded.status().url or "") as url,
        portal_over({**at_first, **at_second}, url, tmp_path) as (door, catalog),
    ):
        address, since = address_of(door, big(products)), datetime.now(UTC)
        came = [0] * clients

        def fetch(number: int) -> bytes:
            got = bytearray()
            with requests.get(address, auth=WHO, stream=True, timeout=60) as answer:
                answer.raise_for_status()
                for piece in answer.iter_content(1 << 16):
                    got += piece
                    came[number] = len(got)
            return bytes(got)

        with ThreadPoolExecutor(clients) as pool:
            wanted = [pool.submit(fetch, number) for number in range(clients)]
            while min(came) < SIZE // 6:
                time.sleep(0.02)
            # Whichever sends: those of the other hub go on, and those of this one change over.
            first.kill()
            got = [one.result() for one in wanted]
        assert all(one == content for one in got)
        sent = settled(catalog, since, clients)
        assert [one.outcome for one in sent] == ["whole"] * clients
        assert any(one.origin == "dhus, dhus-2" for one in sent)
        tries = catalog.transfers(since, ["dhus", "dhus-2"])
        assert {one.outcome.value for one in tries if one.hub == "dhus"} >= {"broken"}
        assert second.poll() is None


def test_broken_lines_are_mended_at_the_same_byte(
    door: Door, addresses: Addresses, products: Path
) -> None:
    content = big(products).read_bytes()
    address = address_of(door[0], big(products))
    for kind in ("reset", "truncate"):
        broken = {"kind": kind, "after_bytes": 4_000_000}
        with fault(addresses, "breaks", broken, path=VALUE, times=2):
            got = requests.get(address, auth=WHO, timeout=60)
        assert got.status_code == 200 and got.content == content


def test_what_is_wrong_never_looks_complete(
    door: Door, addresses: Addresses, products: Path
) -> None:
    """Flipped on the way: the last bytes do not come, and who goes on is told to begin anew."""
    content, since = big(products).read_bytes(), datetime.now(UTC)
    address = address_of(door[0], big(products))
    got = bytearray()
    with (
        fault(addresses, "noise", {"kind": "flip", "count": 1}, path=VALUE),
        requests.get(address, auth=WHO, stream=True, timeout=60) as answer,
        pytest.raises(requests.exceptions.ChunkedEncodingError),
    ):
        assert answer.headers["Content-Length"] == str(len(content))
        for piece in answer.iter_content(1 << 16):
            got += piece
    assert 0 < len(got) < len(content)
    (sent,) = settled(door[1], since, 1)
    assert sent.outcome == "broken" and "checksum" in sent.detail
    rest = {"Range": f"bytes={len(got)}-"}
    spoiled = requests.get(address, auth=WHO, headers=rest, timeout=60)
    assert spoiled.status_code == 409 and "beginning" in spoiled.headers["cause-message"]
    assert requests.get(address, auth=WHO, timeout=60).content == content
    assert requests.get(address, auth=WHO, headers=rest, timeout=60).content == content[len(got) :]


def test_a_wrong_checksum_of_one_hub_is_outvoted(
    door: Door, addresses: Addresses, products: Path
) -> None:
    content = big(products).read_bytes()
    with fault(addresses, "liar", {"kind": "wrong_checksum"}, hub="dhus"):
        address = address_of(door[0], big(products))
        api = SentinelAPI(*WHO, f"{door[0]}/dhus", show_progressbars=False)
        info = api.get_product_odata(address.split("'")[1])
        assert info["md5"] == hashlib.md5(content, usedforsecurity=False).hexdigest()
        assert requests.get(address, auth=WHO, timeout=60).content == content


def test_resumption_is_verified_and_costs_little(
    door: Door, addresses: Addresses, products: Path
) -> None:
    content = big(products).read_bytes()
    address, since = address_of(door[0], big(products)), datetime.now(UTC)
    half = SIZE // 2
    got = b""
    with requests.get(address, auth=WHO, stream=True, timeout=60) as answer:
        for piece in answer.iter_content(1 << 16):
            got += piece
            if len(got) >= half:
                break
    sent = settled(door[1], since, 1)
    assert sent[0].outcome in ("left", "whole")
    before = sum(one.bytes for one in door[1].transfers(since, ["dhus", "dhus-2", "cdse"]))
    later = datetime.now(UTC)
    rest = requests.get(address, auth=WHO, headers={"Range": f"bytes={len(got)}-"}, timeout=60)
    assert rest.status_code == 206 and got + rest.content == content
    settled(door[1], later, 1)
    again = sum(one.bytes for one in door[1].transfers(since, ["dhus", "dhus-2", "cdse"])) - before
    # From the last state of the checksum before that byte, at most one step back.
    assert again <= len(content) - len(got) + (2 << 20)


def test_a_user_has_so_many_at_a_time_and_who_leaves_frees_the_place(
    door: Door, addresses: Addresses, products: Path
) -> None:
    address = address_of(door[0], big(products))
    slow = {"kind": "bandwidth", "bytes_per_s": 400_000}
    with fault(addresses, "crawl", slow, path=VALUE):
        held = [requests.get(address, auth=WHO, stream=True, timeout=30) for _ in range(3)]
        one_more = requests.get(address, auth=WHO, timeout=30)
        assert (
            one_more.status_code == 403
            and "3 concurrent flows" in one_more.headers["cause-message"]
        )
        head = requests.head(address, auth=WHO, timeout=30)
        assert head.status_code == 200
        for answer in held:
            answer.close()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with requests.get(address, auth=WHO, stream=True, timeout=30) as answer:
                if answer.status_code == 200:
                    break
            time.sleep(0.1)
        else:
            raise AssertionError("places are not given back")


def test_places_at_hubs_are_kept_to(
    products: Path, embedded: EmbeddedPostgres, tmp_path: Path
) -> None:
    """A hub that bears two is never asked for three; the others wait and get theirs."""
    content = big(products).read_bytes()
    limits = Portal(limits=PortalLimits(downloads_at_once=20))
    with (
        world(products, (DhusConfig(name="dhus", concurrent=2),)) as addresses,
        fresh_database(embedded.status().url or "") as url,
        portal_over(addresses, url, tmp_path, portal=limits) as (door, catalog),
    ):
        address, since = address_of(door, big(products)), datetime.now(UTC)

        def fetch(_: int) -> bool:
            return requests.get(address, auth=WHO, timeout=120).content == content

        with ThreadPoolExecutor(6) as pool:
            assert all(pool.map(fetch, range(6)))
        tries = catalog.transfers(since, ["dhus"])
        assert {one.outcome.value for one in tries} == {"done"} and len(tries) == 6


def test_a_days_volume(
    addresses: Addresses, products: Path, embedded: EmbeddedPostgres, tmp_path: Path
) -> None:
    with (
        fresh_database(embedded.status().url or "") as url,
        portal_over(addresses, url, tmp_path, programs=Programs(daily_gb=0.01)) as (door, catalog),
    ):
        address, since = address_of(door, big(products)), datetime.now(UTC)
        assert requests.get(address, auth=WHO, timeout=60).status_code == 200
        settled(catalog, since, 1)
        over = requests.get(address, auth=WHO, timeout=60)
        assert over.status_code == 429 and "24 hours" in over.headers["cause-message"]


def test_what_passes_is_kept_and_sent_from_the_archive_then(
    products: Path, embedded: EmbeddedPostgres, tmp_path: Path
) -> None:
    """Kept if told so; then the hubs may be away."""
    content = big(products).read_bytes()
    hubs = (DhusConfig(name="dhus"), DhusConfig(name="dhus-2"))
    with (
        world(products, hubs) as addresses,
        fresh_database(embedded.status().url or "") as url,
        portal_over(addresses, url, tmp_path, programs=Programs(keep=True)) as (door, catalog),
    ):
        address, since = address_of(door, big(products)), datetime.now(UTC)
        api = SentinelAPI(*WHO, f"{door}/dhus", show_progressbars=False)
        uuid = address.split("'")[1]
        info = api.get_product_odata(uuid)
        # Wrong at the end: nothing of it is kept.
        with (
            fault(addresses, "noise", {"kind": "flip"}, path=VALUE),
            pytest.raises(requests.exceptions.ChunkedEncodingError),
        ):
            requests.get(address, auth=WHO, timeout=60)
        settled(catalog, since, 1)
        # Nor does it hold room.
        assert catalog.inventory_entry(info["title"]) is None
        with catalog.bringing(info["title"]):
            # The mirror is at it: it is handed on all the same.
            assert requests.get(address, auth=WHO, timeout=60).content == content
        settled(catalog, since, 2)
        assert catalog.inventory_entry(info["title"]) is None
        assert requests.get(address, auth=WHO, timeout=60).content == content
        settled(catalog, since, 3)
        held = catalog.held(info["title"])
        assert held is not None and held.path.read_bytes() == content
        assert not [one for one in held.path.parent.iterdir() if one != held.path]
        with fault(addresses, "away", {"kind": "refuse"}, hub="dhus*"):
            assert api.get_product_odata(uuid)["md5"] == info["md5"]
            assert requests.get(address, auth=WHO, timeout=60).content == content
            part = requests.get(address, auth=WHO, headers={"Range": "bytes=5-99"}, timeout=60)
            assert part.content == content[5:100]
            nodes = requests.get(f"{address.removesuffix('/$value')}/Nodes", auth=WHO, timeout=60)
            assert nodes.json()["d"]["results"][0]["Name"] == info["product_root_dir"]
        sent = settled(catalog, since, 5)
        assert [one.origin for one in sent[:2]] == ["archive", "archive"]


def test_nobody_delivers(door: Door, addresses: Addresses, products: Path) -> None:
    """What all hubs have lost since they listed it is not there."""
    address = address_of(door[0], big(products))
    with fault(addresses, "ill", {"kind": "status", "code": 404}, path=VALUE):
        gone = requests.get(address, auth=WHO, timeout=60)
    assert gone.status_code == 404 and gone.headers["cause-message"]
