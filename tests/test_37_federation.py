"""One question to all hubs: merged, bounded in time, plain about who answered."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import shapely
from hub_world import fault, make_products, settings_of, world
from sqlalchemy import select

from geobservatory.catalog.database import open_catalog
from geobservatory.catalog.probe_tables import MeasurementRow
from geobservatory.catalog.scene_tables import OfferRow, SceneRow
from geobservatory.errors import ConfigurationError, NotFoundError, TransientError
from geobservatory.hubs.access import Hubs
from geobservatory.hubs.federation import Answer, find, merge, search
from geobservatory.hubs.model import Offer, Query
from geobservatory.hubs.products import make_product
from geobservatory.sandbox.servers.asf import AsfConfig
from geobservatory.sandbox.servers.cdse import CdseConfig
from geobservatory.sandbox.servers.dhus import DhusConfig
from geobservatory.sandbox.servers.offers import OfferPolicy
from geobservatory.sandbox.servers.world import Addresses
from geobservatory.settings.model import Hub, HubKind, Settings
from geobservatory.transfer.source import HubUnreachableError

TIME = datetime(2023, 9, 4, 6, 37, 30, tzinfo=UTC)
NAME = "S1A_IW_SLC__1SDV_20230904T063730_20230904T063757_050174_0609E3_DAA1"
FOUR = (
    DhusConfig(name="dhus", offer=OfferPolicy(share=0.8)),
    DhusConfig(name="dhus-2", offer=OfferPolicy(share=0.5)),
    CdseConfig(name="cdse"),
    AsfConfig(name="asf", offer=OfferPolicy(share=0.5)),
)


def offer(hub: str, name: str = NAME, hours: float | None = 3) -> Offer:
    product = make_product(name, shapely.box(-8, 30, -6, 32))
    published = None if hours is None else TIME + timedelta(hours=hours)
    return Offer(product, hub, f"{hub}-{name[-4:]}", "", published)


@dataclass
class Scripted:
    """A hub that does as told."""

    name: str
    pages: Sequence[Sequence[Offer]] = ()
    end: Callable[[], None] = lambda: None

    def search(self, query: Query) -> Iterator[Sequence[Offer]]:
        yield from self.pages
        self.end()

    def find(self, name: str) -> Offer | None:
        self.end()
        return next((one for page in self.pages for one in page if one.product.name == name), None)

    def __getattr__(self, name: str) -> object:
        raise AttributeError(name)


def fails() -> None:
    raise HubUnreachableError("b: it is on fire")


def breaks() -> None:
    raise ZeroDivisionError


def test_offers_of_one_product_are_one_scene() -> None:
    other = NAME.replace("20230904", "20230916")
    found = search(
        [Scripted("a", [[offer("a")], [offer("a", other)]]), Scripted("b", [[offer("b")]])],
        Query(),
    )
    assert [scene.product.name for scene in found.scenes] == [NAME, other]
    assert [[one.hub for one in scene.offers] for scene in found.scenes] == [["a", "b"], ["a"]]
    assert found.complete


def test_the_newest_of_a_product_processed_twice() -> None:
    later = NAME.replace("DAA1", "0B5C")
    scenes = merge([offer("a", later, 500), offer("a", NAME, 3), offer("b", NAME, 9)])
    assert [(scene.product.name, scene.supersedes) for scene in scenes] == [(later, (NAME,))]
    # Where no hub tells when, none is dropped.
    scenes = merge([offer("a", later, None), offer("a", NAME, 3)])
    assert len(scenes) == 2


def test_what_one_hub_does_not_tell_another_may() -> None:
    bare = offer("a")
    knowing = offer("b")
    knowing = replace(knowing, product=replace(knowing.product, direction="descending"))
    (scene,) = merge([bare, knowing])
    assert scene.product.direction == "descending"
    assert [one.hub for one in scene.offers] == ["a", "b"]


@pytest.mark.parametrize(
    ("said", "online"),
    [
        ((True, False), True),
        ((None, True), True),
        ((None, False), None),
        ((False, False), False),
    ],
)
def test_whether_a_scene_is_online(said: tuple[bool | None, ...], online: bool | None) -> None:
    (scene,) = merge([replace(offer(str(n)), online=one) for n, one in enumerate(said)])
    assert scene.online is online


def test_one_that_fails_and_one_that_breaks_silence_nobody() -> None:
    heard: list[Answer] = []
    hubs = [
        Scripted("a", [[offer("a")]]),
        Scripted("b", [[offer("b")]], fails),
        Scripted("c", [], breaks),
    ]
    found = search(hubs, Query(), answered=heard.append)
    assert not found.complete
    assert [(one.hub, one.found) for one in found.answers] == [("a", 1), ("b", 1), ("c", 0)]
    assert [str(one.failure) for one in found.answers][1:] == [
        "b: it is on fire",
        "c: ZeroDivisionError: ",
    ]
    # What it had answered before it failed counts.
    assert [one.hub for one in found.scenes[0].offers] == ["a", "b"]
    assert {one.hub for one in heard} == {"a", "b", "c"}


def test_a_hub_that_hangs_is_given_up_and_what_it_said_counts() -> None:
    never = threading.Event()
    told: list[tuple[Offer, ...]] = []
    hubs = [
        Scripted("a", [[offer("a")]]),
        Scripted("b", [[offer("b")]], lambda: never.wait(60) and None),
    ]
    found = search(hubs, Query(), deadline_s=0.3, told=told.append)
    assert [one.failure is None for one in found.answers] == [True, False]
    assert "given up" in str(found.answers[1].failure)
    assert len(found.scenes[0].offers) == 2
    assert len(told) == 2
    never.set()


def test_pages_stream_in_before_the_slowest_ends() -> None:
    heard = threading.Event()
    hubs = [
        Scripted("slow", [[offer("slow")]], lambda: heard.wait(20) and None),
        Scripted("fast", [[offer("fast")]]),
    ]
    # The slow hub ends only once the fast one's page was told.
    found = search(hubs, Query(), told=lambda page: heard.set() if page[0].hub == "fast" else None)
    assert found.complete


def test_a_name_is_asked_of_all() -> None:
    found = find([Scripted("a", [[offer("a")]]), Scripted("b", [[offer("b", NAME)]])], NAME)
    assert [one.hub for one in found.scenes[0].offers] == ["a", "b"]


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    products = tmp_path_factory.mktemp("federation") / "products"
    make_products(products, 40)
    with world(products, FOUR) as opened:
        yield opened


def test_four_hubs_together_and_the_catalogue(
    addresses: Addresses, database_url: str, tmp_path: Path
) -> None:
    settings = settings_of(addresses, tmp_path)
    with open_catalog(database_url) as catalog:
        hubs = Hubs(settings, catalog)
        found = hubs.search(Query())
        assert found.complete
        assert len(found.scenes) == 43
        assert len({scene.product.name for scene in found.scenes}) == 43
        offered = sum(len(scene.offers) for scene in found.scenes)
        assert sum(answer.found for answer in found.answers) == offered
        again = hubs.search(Query())
        assert again.scenes == found.scenes
        with catalog.engine.connect() as connection:
            assert len(connection.execute(select(SceneRow.name)).all()) == 43
            rows = connection.execute(select(OfferRow.__table__)).mappings().all()
            asked = connection.execute(select(MeasurementRow.hub, MeasurementRow.ok)).all()
        assert len(rows) == offered
        assert all(row["first_seen_at"] <= row["last_seen_at"] for row in rows)
        assert len(asked) == 8
        health = catalog.health(datetime.now(UTC) - timedelta(hours=1))
        assert {name: (one.asked, one.well) for name, one in health.items()} == dict.fromkeys(
            ("asf", "cdse", "dhus", "dhus-2"), (2, 2)
        )


def test_many_who_enter_the_same_new_products_at_once(database_url: str) -> None:
    names = [f"{NAME[:-4]}{number:04X}" for number in range(400)]
    together = threading.Barrier(4, timeout=20)

    def enter(hub: str) -> None:
        for name in names:
            together.wait()
            catalog.record_offers([offer(hub, name)])

    hubs = ("a", "b", "c", "d")
    with open_catalog(database_url) as catalog, ThreadPoolExecutor(len(hubs)) as threads:
        list(threads.map(enter, hubs, timeout=60))
        assert all(catalog.offered(hub, names) == set(names) for hub in hubs)


def test_a_bad_day_of_all_but_one(addresses: Addresses, database_url: str, tmp_path: Path) -> None:
    settings = settings_of(addresses, tmp_path)
    with open_catalog(database_url) as catalog:
        hubs = Hubs(settings, catalog)
        with (
            fault(addresses, "one", {"kind": "maintenance"}, hub="dhus"),
            fault(addresses, "two", {"kind": "refuse"}, hub="dhus-2"),
            fault(addresses, "three", {"kind": "status", "code": 500}, hub="asf"),
        ):
            found = hubs.search(Query())
        assert [one.hub for one in found.answers if one.failure is None] == ["cdse"]
        assert len(found.scenes) == 43
        assert "sandbox" not in " ".join(str(one.failure) for one in found.answers)


def test_a_skewed_clock_and_a_stale_listing_are_no_damage(
    addresses: Addresses, tmp_path: Path
) -> None:
    hubs = Hubs(settings_of(addresses, tmp_path))
    with (
        fault(addresses, "ahead", {"kind": "skew", "seconds": 7200}, hub="cdse"),
        fault(addresses, "old", {"kind": "stale_listing", "age_s": 3e7}, hub="dhus*"),
    ):
        assert len(hubs.search(Query()).scenes) == 43


def test_who_is_asked(addresses: Addresses, tmp_path: Path) -> None:
    settings = settings_of(addresses, tmp_path)
    hubs = Hubs(settings)
    assert [one.hub for one in hubs.search(Query(), only="cdse").answers] == ["cdse"]
    with pytest.raises(ConfigurationError, match="no hub is named"):
        hubs.search(Query(), only="none")
    with pytest.raises(ConfigurationError, match="no hub is configured"):
        Hubs(Settings(data_dir=tmp_path)).search(Query())
    # A hub whose area or mission cannot hold it is spared the question.
    elsewhere = settings.hubs[0].model_copy(
        update={"area": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}}
    )
    other = settings.hubs[1].model_copy(update={"missions": ("SENTINEL-2",)})
    rolling = settings.hubs[2].model_copy(update={"rolling_days": 30})
    spared = Hubs(Settings(data_dir=tmp_path, hubs=(elsewhere, other, rolling, settings.hubs[3])))
    asked = spared.search(Query(area=shapely.box(-9, 30, -8, 31), stop=TIME))
    assert [one.hub for one in asked.answers] == [settings.hubs[3].name]


def test_a_product_that_nobody_has(addresses: Addresses, tmp_path: Path) -> None:
    hubs = Hubs(settings_of(addresses, tmp_path))
    with pytest.raises(NotFoundError, match="no hub has it"):
        hubs.find(NAME)
    dead = Hub(name="dead", kind=HubKind.DHUS, address="http://127.0.0.1:9")
    settings = settings_of(addresses, tmp_path)
    hubs = Hubs(settings.model_copy(update={"hubs": (*settings.hubs, dead)}))
    with pytest.raises(TransientError, match="dead"):
        hubs.find(NAME)
