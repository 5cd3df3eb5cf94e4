"""`geobs fetch --aoi`: the bursts over an area from whichever hub can give them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_world import fault, settings_of, world
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry
from test_34_simulation import plan_of

from geobservatory.catalog.database import open_catalog
from geobservatory.errors import InputError, TransientError
from geobservatory.hubs.access import Hubs
from geobservatory.mirror.archive import Archive
from geobservatory.mirror.asked import fetch_asked
from geobservatory.mirror.verify import verify
from geobservatory.sandbox.scenario import Acquisition, find_scenario
from geobservatory.sandbox.servers.asf import AsfConfig
from geobservatory.sandbox.servers.cdse import CdseConfig
from geobservatory.sandbox.servers.dhus import DhusConfig
from geobservatory.sandbox.servers.world import Addresses
from geobservatory.sandbox.simulate import simulate
from geobservatory.sentinel1.bursts import place_bursts
from geobservatory.sentinel1.measurement import open_measurement
from geobservatory.sentinel1.safe import open_product
from geobservatory.settings.mirror import Mirror, Stream
from geobservatory.transfer.archive import bytes_in

pytestmark = pytest.mark.one_database

HUBS = (
    DhusConfig(name="dhus", concurrent=4),
    CdseConfig(name="cdse", linger_s=0),
    AsfConfig(name="asf", extraction_s=0),
)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three bursts, a strip of 2.5 km."""
    dates = Acquisition(days=12), Acquisition(days=24)
    plan = plan_of(find_scenario("al-haouz-2023"), *dates, bursts=3)
    return simulate(plan, tmp_path_factory.mktemp("whole"), lambda lines: None).products[0]


@pytest.fixture(scope="module")
def addresses(product: Path) -> Iterator[Addresses]:
    with world(product.parent, HUBS) as opened:
        yield opened


@pytest.fixture(scope="module")
def area(product: Path) -> BaseGeometry:
    """Ground of the last burst alone."""
    placed = place_bursts(open_product(product))
    return placed[2].footprint.difference(placed[1].footprint).buffer(-0.005)


@pytest.fixture
def hubs(addresses: Addresses, tmp_path: Path) -> Hubs:
    return Hubs(settings_of(addresses, tmp_path))


def name_of(product: Path) -> str:
    return product.name.removesuffix(".SAFE.zip")


@pytest.mark.parametrize("only", ["dhus", "cdse", "asf"])
def test_a_part_from_each_kind_of_hub(
    hubs: Hubs, product: Path, area: BaseGeometry, only: str
) -> None:
    fetched = hubs.fetch(name_of(product), area=area, only=only)
    assert fetched.hub == only
    assert fetched.path.name == f"{name_of(product)}.SAFE"
    part, whole = open_product(fetched.path), open_product(product)
    assert [one.burst.index for one in place_bursts(part)] == [2]
    ((swath, polarisation),) = part.channels
    annotation = whole.annotation(swath, polarisation)
    ours = open_measurement(part, swath, polarisation).burst(annotation, 2)
    assert (ours == open_measurement(whole, swath, polarisation).burst(annotation, 2)).all()
    # Again, nothing is fetched.
    assert hubs.fetch(name_of(product), area=area, only=only).path == fetched.path


def test_another_hub_goes_on_with_the_part(
    hubs: Hubs, addresses: Addresses, product: Path, area: BaseGeometry
) -> None:
    broken = {"kind": "reset", "after_bytes": 150_000}
    away = {"kind": "status", "code": 500}
    with (
        fault(addresses, "no bursts", away, hub="asf", path="/bursts*"),
        fault(addresses, "no signed", away, hub="asf", path="/signed*"),
        fault(addresses, "breaks", broken, hub="dhus", path="*measurement*/$value"),
        fault(addresses, "and away", away, hub="cdse", path="*measurement*/$value", times=1),
    ):
        fetched = hubs.fetch(name_of(product), area=area, wait=lambda seconds: None)
    assert fetched.hub in ("cdse", "dhus")
    assert [one.burst.index for one in place_bursts(open_product(fetched.path))] == [2]


def test_the_whole_where_no_hub_gives_parts(
    addresses: Addresses, product: Path, area: BaseGeometry, tmp_path: Path, database_url: str
) -> None:
    said: list[str] = []
    with open_catalog(database_url) as catalog:
        hubs = Hubs(settings_of(addresses, tmp_path), catalog)
        gone = {"kind": "status", "code": 404}
        with fault(addresses, "no nodes", gone, path="*Nodes*"):
            fetched = hubs.fetch(
                name_of(product), area=area, only="cdse", said=said.append, wait=lambda s: None
            )
    assert fetched.path.read_bytes() == product.read_bytes()
    assert "no hub gives a part of it: the whole is fetched" in said


def test_more_bursts_of_a_part_keep_to_the_mark_of_the_mirror(
    addresses: Addresses, product: Path, area: BaseGeometry, tmp_path: Path, database_url: str
) -> None:
    name, whole, told = name_of(product), product.stat().st_size, list[int]()
    first, second, _ = place_bursts(open_product(product))
    start = first.footprint.difference(second.footprint).buffer(-0.005)
    settings = settings_of(addresses, tmp_path)

    def bursts(over: BaseGeometry, disk: int) -> list[int]:
        mirror = Mirror(disk_gb=disk / 1e9, high_water=1, streams=(Stream(name="slc"),))
        archive = Archive(settings.model_copy(update={"mirror": mirror}), catalog)
        fetched = fetch_asked(
            Hubs(archive.settings, catalog), archive, name, area=over, wait=lambda seconds: None,
            told=lambda progress: told.append(sum(catalog.used_bytes().values())),
        )  # fmt: skip
        assert fetched.path == archive.part(name) and not verify(archive)
        assert catalog.used_bytes() == {"": bytes_in(fetched.path)}
        return [one.burst.index for one in place_bursts(open_product(fetched.path))]

    with open_catalog(database_url) as catalog:
        assert bursts(area, whole) == [2] and set(told) == {whole}
        (there,) = catalog.used_bytes().values()
        assert there < whole
        with pytest.raises(TransientError, match=r"mirror\.disk_gb"):
            bursts(start, there + whole - 1)
        assert catalog.used_bytes() == {"": there}
        told.clear()
        # What is here is read as it is, whatever the mark.
        assert bursts(area, 1) == [2] and not told
        assert bursts(start, there + whole + 1) == [0, 2] and set(told) == {there + whole}


def test_an_area_elsewhere_is_refused_before_pixels_come(
    hubs: Hubs, product: Path, area: BaseGeometry
) -> None:
    with pytest.raises(InputError, match="burst"):
        hubs.fetch(name_of(product), area=translate(area, 40, 0))
    assert not hubs.path_of(name_of(product)).parent.exists() or not list(
        hubs.path_of(name_of(product)).parent.rglob("*.tiff")
    )
