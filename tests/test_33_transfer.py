"""Downloads: whole and right under their final name, or not at all, whatever the hubs do."""

import hashlib
import multiprocessing
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hub_world import fault, hub, make_products, world

from geobservatory.catalog.database import open_catalog
from geobservatory.errors import InputError, TransientError
from geobservatory.hubs.connectors import connect
from geobservatory.sandbox.servers.cdse import CdseConfig
from geobservatory.sandbox.servers.dhus import DhusConfig
from geobservatory.sandbox.servers.offers import OfferPolicy
from geobservatory.sandbox.servers.world import Addresses
from geobservatory.transfer.attempt import Measurement, Outcome, Progress
from geobservatory.transfer.download import Delivery, download
from geobservatory.transfer.part import DiskFullError
from geobservatory.transfer.slots import CatalogSlots, FileSlots, Slots
from geobservatory.transfer.source import (
    HubRefusedError,
    HubUnreachableError,
    ProductGoneError,
    Reply,
    Source,
)

VALUE = "*/$value"
HUBS = (
    DhusConfig(name="dhus", concurrent=4),
    CdseConfig(name="cdse", linger_s=0.05),
    DhusConfig(name="dhus-tape", offer=OfferPolicy(offline_after_days=1, retrieval_s=0)),
)


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("transfer") / "products"
    make_products(folder)
    return folder


@pytest.fixture(scope="module")
def addresses(products: Path) -> Iterator[Addresses]:
    with world(products, HUBS) as opened:
        yield opened


@dataclass
class Case:
    """A product, who has it, and what happened."""

    truth: bytes
    path: Path
    sources: dict[str, Source]
    tries: list[Measurement] = field(default_factory=list)
    told: list[Progress] = field(default_factory=list)

    def get(self, *names: str, **how: Any) -> Delivery:
        sources = [self.sources[name] for name in names or ("dhus", "cdse")]
        how = {"wait": lambda seconds: time.sleep(min(seconds, 0.02)), **how}
        return download(
            self.path, sources, measured=self.tries.append, told=self.told.append, **how
        )

    @property
    def right(self) -> bool:
        return self.path.read_bytes() == self.truth

    @property
    def outcomes(self) -> list[tuple[str, Outcome]]:
        return [(one.hub, one.outcome) for one in self.tries]

    @property
    def left(self) -> list[str]:
        """What lies in the folder beside the file."""
        return [one.name for one in self.path.parent.iterdir() if one != self.path]


@pytest.fixture
def case(addresses: Addresses, products: Path, tmp_path: Path) -> Case:
    product = sorted(products.glob("*20230904*"))[0]
    sources = {}
    for name in ("dhus", "cdse", "dhus-tape"):
        connector = connect(hub(name.split("-")[0], addresses[name], name=name), tmp_path)
        offer = connector.find(product.name.removesuffix(".zip"))
        assert offer is not None
        sources[name] = connector.source(offer)
    return Case(product.read_bytes(), tmp_path / "archive" / product.name, sources)


def test_a_download_is_whole_measured_and_told(case: Case) -> None:
    delivery = case.get("dhus")
    assert delivery == Delivery(case.path, "dhus")
    assert case.right
    assert case.left == []
    assert case.outcomes == [("dhus", Outcome.DONE)]
    (tried,) = case.tries
    assert tried.bytes == len(case.truth)
    assert tried.first_byte_s is not None
    assert 0 < tried.first_byte_s <= tried.seconds
    assert case.told[-1] == Progress("dhus", len(case.truth), len(case.truth))
    # There already: nobody is asked.
    assert case.get("dhus") == Delivery(case.path, None)
    assert len(case.tries) == 1


@pytest.mark.parametrize(
    "what",
    [
        {"kind": "reset", "after_bytes": 100_000},
        {"kind": "truncate", "after_bytes": 100_000},
        {"kind": "status", "code": 503, "retry_after_s": 1},
        {"kind": "status", "code": 500},
        {"kind": "maintenance"},
        {"kind": "flip", "count": 3},
        {"kind": "wrong_length", "by": -5000},
        {"kind": "wrong_length", "by": 5000},
    ],
    ids=lambda what: f"{what['kind']}{what.get('code', '')}{what.get('by', '')}",
)
def test_one_hub_with_one_bad_moment(
    case: Case, addresses: Addresses, what: dict[str, Any]
) -> None:
    with fault(addresses, "once", what, hub="dhus", path=VALUE, times=1):
        assert case.get("dhus") == Delivery(case.path, "dhus")
    assert case.right
    assert case.left == []


@pytest.mark.parametrize("kind", ["reset", "truncate"])
def test_another_hub_goes_on_from_the_same_byte(
    case: Case, addresses: Addresses, kind: str
) -> None:
    broken = {"kind": kind, "after_bytes": 200_000}
    gone = {"kind": "status", "code": 500}
    with (
        fault(addresses, "breaks", broken, hub="dhus", path=VALUE, times=1),
        fault(addresses, "stays away", gone, hub="dhus", path=VALUE, skip=1),
    ):
        assert case.get("dhus", "cdse") == Delivery(case.path, "cdse")
    assert case.right
    assert sum(one.bytes for one in case.tries) == len(case.truth)
    assert case.tries[0].bytes > 0


def test_a_hub_with_another_file_starts_afresh(case: Case, addresses: Addresses) -> None:
    """Where the checksums differ it is not the same file; whichever is right in itself is taken."""
    other = OtherFile(case.sources["cdse"])
    broken = {"kind": "reset", "after_bytes": 200_000}
    with (
        fault(addresses, "breaks", broken, hub="dhus", path=VALUE, times=1),
        fault(addresses, "stays away", {"kind": "status", "code": 500}, hub="dhus", skip=1),
    ):
        download(
            case.path,
            [case.sources["dhus"], other],
            measured=case.tries.append,
            wait=lambda seconds: None,
        )
    assert case.path.read_bytes() == other.content
    assert case.tries[-1].bytes == len(other.content)


@dataclass
class OtherFile:
    """The same product, packed in another way."""

    base: Source
    content: bytes = b"another zip of the same product" * 1000

    @property
    def hub(self) -> str:
        return "other"

    @property
    def name(self) -> str:
        return self.base.name

    @property
    def size(self) -> int:
        return len(self.content)

    @property
    def checksums(self) -> Mapping[str, str]:
        return {"md5": hashlib.md5(self.content, usedforsecurity=False).hexdigest()}

    def open(self, first_byte: int = 0, stop: int | None = None) -> Reply:
        return Reply(first_byte, self.size, iter([self.content[first_byte:stop]]), lambda: None)


def test_what_is_damaged_everywhere_never_appears(case: Case, addresses: Addresses) -> None:
    with (
        fault(addresses, "rot", {"kind": "flip", "count": 3}, path=VALUE),
        pytest.raises(TransientError, match=r"md5|blake3"),
    ):
        case.get()
    assert not case.path.exists()
    assert case.left == []
    assert case.get().path == case.path
    assert case.right


def test_a_wrong_checksum_in_one_catalogue_is_outvoted(
    addresses: Addresses, products: Path, tmp_path: Path
) -> None:
    name = sorted(products.glob("*20230904*"))[0].name.removesuffix(".zip")
    with fault(addresses, "lies", {"kind": "wrong_checksum"}, hub="dhus"):
        sources = []
        for kind in ("dhus", "cdse"):
            connector = connect(hub(kind, addresses[kind]), tmp_path)
            offer = connector.find(name)
            assert offer is not None
            sources.append(connector.source(offer))
        path = tmp_path / f"{name}.zip"
        assert download(path, sources, wait=lambda seconds: None).path == path
    assert path.read_bytes() == (products / path.name).read_bytes()


def test_no_hub_has_it(case: Case, addresses: Addresses) -> None:
    with (
        fault(addresses, "gone", {"kind": "status", "code": 404}, path=VALUE),
        pytest.raises(ProductGoneError, match=r"dhus.*cdse"),
    ):
        case.get()


def test_credentials_are_refused_by_all(case: Case, addresses: Addresses) -> None:
    with (
        fault(addresses, "out", {"kind": "status", "code": 403}, path=VALUE),
        pytest.raises(HubRefusedError, match="account"),
    ):
        case.get()


def test_a_hub_that_refuses_does_not_stop_another(case: Case, addresses: Addresses) -> None:
    with fault(addresses, "out", {"kind": "status", "code": 403}, hub="dhus", path=VALUE):
        assert case.get().hub == "cdse"
    assert case.outcomes == [("dhus", Outcome.REFUSED), ("cdse", Outcome.DONE)]


def test_retry_after_is_obeyed(case: Case, addresses: Addresses) -> None:
    waited: list[float] = []
    busy = {"kind": "status", "code": 429, "retry_after_s": 7}
    with fault(addresses, "busy", busy, hub="dhus", path=VALUE, times=1):
        case.get("dhus", wait=waited.append)
    assert case.right
    assert sum(waited) >= 6.5


def test_what_is_on_tape_is_ordered_and_comes_later(case: Case) -> None:
    ordered = case.get("dhus-tape")
    assert ordered.path is None
    assert ordered.hub == "dhus-tape"
    assert case.outcomes == [("dhus-tape", Outcome.OFFLINE)]
    assert case.get("dhus-tape").path == case.path
    assert case.right


def test_a_fast_hub_without_a_place_is_waited_for(case: Case, tmp_path: Path) -> None:
    slots = FileSlots(tmp_path / "slots", {"dhus": 1, "cdse": 1})
    release = slots.take("dhus")
    assert release is not None
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        release()

    expected = {"dhus": 10.0, "cdse": 1000.0}
    delivery = case.get(slots=slots, wait=wait, expected=lambda source: expected[source.hub])
    assert delivery.hub == "dhus"
    assert waited
    # Without an expectation the next in order is taken.
    case.path.unlink()
    held = slots.take("dhus")
    assert held is not None
    assert case.get(slots=slots).hub == "cdse"
    held()


def test_two_at_once_fetch_once(case: Case, addresses: Addresses) -> None:
    slow = {"kind": "bandwidth", "bytes_per_s": 600_000}
    with (
        fault(addresses, "thin", slow, path=VALUE),
        ThreadPoolExecutor(4) as pool,
    ):
        deliveries = list(pool.map(lambda _: case.get("dhus"), range(4)))
    assert sorted(str(one.hub) for one in deliveries) == ["None", "None", "None", "dhus"]
    assert len(case.tries) == 1
    assert case.right


def _fetch_forever(address: str, folder: Path, name: str) -> None:
    connector = connect(hub("dhus", address), folder)
    offer = connector.find(name)
    assert offer is not None
    download(folder / f"{name}.zip", [connector.source(offer)])


def test_killed_at_any_moment_it_goes_on(
    addresses: Addresses, products: Path, tmp_path: Path
) -> None:
    name = sorted(products.glob("*20230904*"))[0].name.removesuffix(".zip")
    path, truth = tmp_path / f"{name}.zip", (products / f"{name}.zip").read_bytes()
    chance = random.Random(5)
    context = multiprocessing.get_context("spawn")
    thin = {"kind": "bandwidth", "bytes_per_s": 150_000}
    gained = [0]
    with fault(addresses, "thin", thin, path=VALUE):
        for _ in range(4):
            process = context.Process(
                target=_fetch_forever, args=(addresses["dhus"], tmp_path, name)
            )
            process.start()
            part, begun = tmp_path / f".{name}.zip.part", time.monotonic()
            while process.is_alive() and time.monotonic() - begun < 20:
                there = part.stat().st_blocks and part.exists() if part.exists() else 0
                if there and part.stat().st_size > gained[-1] + chance.randint(10_000, 60_000):
                    break
                time.sleep(0.01)
            assert not path.exists()
            process.kill()
            process.join()
            gained.append(part.stat().st_size)
    assert gained == sorted(gained)
    assert gained[-1] > gained[1]
    tries: list[Measurement] = []
    connector = connect(hub("dhus", addresses["dhus"]), tmp_path)
    offer = connector.find(name)
    assert offer is not None
    download(path, [connector.source(offer)], measured=tries.append)
    assert path.read_bytes() == truth
    # What had come was not fetched again.
    assert sum(one.bytes for one in tries) == len(truth) - gained[-1]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_a_full_disk(case: Case, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(small)], check=False
    )
    if mounted.returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        path, case.path = case.path, small / case.path.name
        with pytest.raises(DiskFullError, match="make room"):
            case.get("dhus")
        assert case.tries[-1].bytes == 0
        assert case.left == []
        subprocess.run(["mount", "-o", "remount,size=2m", str(small)], check=True)
        assert case.get("dhus").path == case.path
        assert case.right
        case.path = path
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_room_is_reserved_before_the_first_byte(case: Case) -> None:
    class SeenError(Exception):
        pass

    def told(progress: Progress) -> None:
        part = case.path.with_name(f".{case.path.name}.part")
        assert part.stat().st_blocks * 512 >= len(case.truth)
        raise SeenError

    with pytest.raises(SeenError):
        download(case.path, [case.sources["dhus"]], told=told)
    # What was reserved and not used is given back.
    part = case.path.with_name(f".{case.path.name}.part")
    assert part.stat().st_blocks * 512 <= part.stat().st_size + 8192


@pytest.mark.parametrize("damage", [b"", b"{", b'{"name": 1}', b"\xff"])
def test_a_note_that_is_damaged_starts_afresh(case: Case, damage: bytes) -> None:
    case.path.parent.mkdir(parents=True)
    case.path.with_name(f".{case.path.name}.part").write_bytes(b"rubbish" * 1000)
    case.path.with_name(f".{case.path.name}.part.json").write_bytes(damage)
    case.get("dhus")
    assert case.right


def test_bytes_that_changed_on_disk_are_noticed(case: Case, addresses: Addresses) -> None:
    broken = {"kind": "reset", "after_bytes": 200_000}
    with (
        fault(addresses, "breaks", broken, path=VALUE, times=1),
        fault(addresses, "away", {"kind": "status", "code": 500}, path=VALUE, skip=1),
        pytest.raises(TransientError),
    ):
        case.get("dhus")
    part = case.path.with_name(f".{case.path.name}.part")
    content = bytearray(part.read_bytes())
    assert len(content) > 1000
    content[500] ^= 1
    part.write_bytes(content)
    assert case.get("dhus").path == case.path
    assert case.right


def test_a_hub_that_trickles_is_as_good_as_dead() -> None:
    from scripted_server import trickling

    from geobservatory.transfer.http import HttpSource

    with trickling() as address:
        source = HttpSource("slow", "file.zip", address, stall_s=0.3)
        with pytest.raises(HubUnreachableError, match="stall"):
            for _ in source.open().chunks:
                pass


def test_no_source_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no hub"):
        download(tmp_path / "file.zip", [])


def _slots(kind: str, tmp_path: Path, database_url: str) -> Slots:
    if kind == "files":
        return FileSlots(tmp_path / "slots", {"dhus": 2})
    return CatalogSlots(open_catalog(database_url).engine, {"dhus": 2})


@pytest.mark.parametrize("kind", ["files", "catalogue"])
def test_places_are_limited_and_given_back(kind: str, tmp_path: Path, database_url: str) -> None:
    slots = _slots(kind, tmp_path, database_url)
    first, second = slots.take("dhus"), slots.take("dhus")
    assert first is not None
    assert second is not None
    assert slots.take("dhus") is None
    assert slots.in_use("dhus") == 2
    # One that is not listed has two.
    others = [slots.take("another") for _ in range(3)]
    assert [one is None for one in others] == [False, False, True]
    first()
    assert slots.in_use("dhus") == 1
    third = slots.take("dhus")
    assert third is not None
    for release in (second, third, *(one for one in others if one)):
        release()
    assert slots.in_use("dhus") == 0


_TAKER = """
import sys
from pathlib import Path
from geobservatory.catalog.database import open_engine
from geobservatory.transfer.slots import CatalogSlots, FileSlots
kind, where = sys.argv[1:]
limits = {"dhus": 1}
if kind == "files":
    slots = FileSlots(Path(where), limits)
else:
    slots = CatalogSlots(open_engine(where), limits)
release = slots.take("dhus")
print(release is not None, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("kind", ["files", "catalogue"])
def test_a_place_is_free_when_its_owner_was_killed(
    kind: str, tmp_path: Path, database_url: str
) -> None:
    with open_catalog(database_url):
        where = str(tmp_path / "slots") if kind == "files" else database_url

    def start() -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", _TAKER, kind, where],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    first = start()
    assert first.stdout is not None
    assert first.stdout.readline() == "True\n"
    second = start()
    assert second.stdout is not None
    assert second.stdout.readline() == "False\n"
    for one in (second, first):
        one.kill()
        one.communicate()
    for _ in range(50):
        third = start()
        assert third.stdout is not None
        said = third.stdout.readline()
        third.kill()
        third.communicate()
        if said == "True\n":
            return
        time.sleep(0.1)
    raise AssertionError("the place was not given back")
