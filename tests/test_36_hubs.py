"""Connectors: each kind of hub is asked in its protocol and answers alike."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import shapely
import yaml
from hub_world import KINDS, fault, hub, make_products, world
from sandbox_safe import make_safe
from scripted_server import Said, scripted

from geobservatory.errors import ConfigurationError, InputError
from geobservatory.hubs.connector import Connector
from geobservatory.hubs.connectors import connect
from geobservatory.hubs.model import Offer, Query
from geobservatory.hubs.products import make_product, on_the_globe
from geobservatory.hubs.tokens import TokenKeeper
from geobservatory.sandbox.servers.cdse import CdseConfig
from geobservatory.sandbox.servers.world import Addresses
from geobservatory.transfer.source import (
    HubBusyError,
    HubRefusedError,
    HubUnreachableError,
    ProductGoneError,
)

MANY = 330
SECRET = "correct-horse-battery"
NAME = "S1A_IW_SLC__1SDV_20230904T063730_20230904T063757_050174_0609E3_DAA1"
ON_ITS_WAY = "*/odata/v1/*"


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three dates of track 52, many of track 7, and two that meet the antimeridian."""
    folder = tmp_path_factory.mktemp("hubs") / "products"
    make_products(folder, MANY)
    for corner in ((-178.4, 52.0), (179.9, 52.0)):
        make_safe(folder, datetime(2021, 5, 1 + int(corner[0] > 0), tzinfo=UTC), corner=corner)
    return folder


@pytest.fixture(scope="module")
def addresses(products: Path) -> Iterator[Addresses]:
    with world(products) as opened:
        yield {**opened, "folder": str(products)}


@pytest.fixture(params=KINDS)
def connector(request: pytest.FixtureRequest, addresses: Addresses, tmp_path: Path) -> Connector:
    return connect(hub(request.param, addresses[request.param]), tmp_path)


def found(connector: Connector, **asked: Any) -> list[Offer]:
    return [offer for page in connector.search(Query(**asked)) for offer in page]


def test_a_search_pages_to_the_end(connector: Connector) -> None:
    offers = found(connector)
    assert len(offers) == MANY + 5
    assert len({offer.product.name for offer in offers}) == MANY + 5


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"relative_orbit": 52}, 5),
        ({"direction": "ascending"}, MANY),
        ({"area": shapely.box(-9.0, 31.0, -8.0, 32.0), "relative_orbit": 52}, 3),
        ({"start": datetime(2023, 9, 10, tzinfo=UTC)}, 2),
        # Sensing for 27 s meets a time within them.
        ({"start": datetime(2023, 9, 4, 6, 37, 50, tzinfo=UTC),
          "stop": datetime(2023, 9, 4, 6, 37, 51, tzinfo=UTC)}, 1),
        ({"name": "S1A_IW_SLC*_20230904*"}, 1),
        ({"missions": ("S1B",)}, 0),
        ({"missions": ("S1A", "S1B"), "relative_orbit": 52}, 5),
        ({"polarisation": "VH", "relative_orbit": 52}, 5),
        ({"polarisation": "HH"}, 0),
        ({"mode": "EW"}, 0),
        ({"product_type": "GRD"}, 0),
    ],
)  # fmt: skip
def test_a_search_is_answered_as_asked(
    connector: Connector, asked: dict[str, Any], count: int
) -> None:
    assert len(found(connector, **asked)) == count


def test_what_was_published_since_comes_in_order(connector: Connector) -> None:
    since, count = datetime(2023, 9, 10, tzinfo=UTC), 2
    if connector.name == "folder":
        # Its files were published when they were written, by this test.
        since, count = datetime.now(UTC) - timedelta(hours=1), MANY + 5
        assert not found(connector, published_since=since + timedelta(days=1))
    offers = found(connector, published_since=since)
    assert len(offers) == count
    times = [offer.published for offer in offers if offer.published is not None]
    # The ASF has no such order, nor have files.
    assert connector.name in ("asf", "folder") or times == sorted(times)


def test_an_area_over_the_antimeridian(connector: Connector) -> None:
    area = shapely.MultiPolygon([shapely.box(179, 52, 180, 54), shapely.box(-180, 52, -179, 54)])
    offers = found(connector, area=area, relative_orbit=52)
    assert len(offers) == 2
    for offer in offers:
        west, _, east, _ = offer.product.footprint.bounds
        assert west >= -180
        assert east <= 180
        assert offer.product.footprint.area < 10


def test_a_product_is_found_by_its_name_and_brought(
    connector: Connector, products: Path, tmp_path: Path
) -> None:
    path = sorted(products.glob("*20230904*"))[0]
    name = path.name.removesuffix(".zip")
    offer = connector.find(name)
    assert offer is not None
    assert offer.product.name == name
    assert offer.product.relative_orbit == 52
    assert offer.product.direction == "descending"
    assert offer.size == path.stat().st_size
    assert offer.online in (True, None)
    content = b"".join(connector.source(offer).open().chunks)
    assert content == path.read_bytes()
    rest = connector.source(offer).open(1000)
    assert rest.first_byte == 1000
    assert b"".join(rest.chunks) == content[1000:]
    assert connector.find(NAME) is None


def test_single_files_and_ranges_of_them(connector: Connector, products: Path) -> None:
    name = sorted(products.glob("*20230904*"))[0].name.removesuffix(".zip")
    offer = connector.find(name)
    assert offer is not None
    inside = connector.inside(offer)
    assert inside is not None
    assert inside.name == name
    (measurement,) = [one for one in inside.members() if one.startswith("measurement/")]
    assert inside.members()[measurement] == 300_000
    whole = b"".join(inside.source(measurement).open().chunks)
    assert len(whole) == 300_000
    part = inside.source(measurement).open(1000, 3000)
    assert b"".join(part.chunks)[: 3000 - part.first_byte] == whole[part.first_byte : 3000]
    with pytest.raises(ProductGoneError):
        inside.source("measurement/none.tiff").open()


@pytest.mark.parametrize("kind", ["dhus", "cdse", "asf"])
def test_a_wrong_account_is_refused_and_not_told(
    kind: str, addresses: Addresses, tmp_path: Path
) -> None:
    right = connect(hub(kind, addresses[kind]), tmp_path / "right")
    offer = found(right, relative_orbit=52)[0]
    wrong = connect(hub(kind, addresses[kind], password=SECRET), tmp_path / "wrong")
    with pytest.raises(HubRefusedError, match="account") as refused:
        wrong.source(offer).open()
    assert SECRET not in f"{refused.value!r} {wrong!r} {wrong.source(offer)!r}"


@pytest.mark.parametrize("kind", ["dhus", "cdse", "asf"])
@pytest.mark.parametrize(
    ("what", "error"),
    [
        ({"kind": "maintenance"}, HubUnreachableError),
        ({"kind": "status", "code": 500}, HubUnreachableError),
        ({"kind": "status", "code": 429, "retry_after_s": 90}, HubBusyError),
        ({"kind": "truncate", "after_bytes": 40}, HubUnreachableError),
        ({"kind": "reset", "after_bytes": 40}, HubUnreachableError),
    ],
)
def test_what_is_no_answer_is_an_error(
    kind: str, what: dict[str, Any], error: type[Exception], addresses: Addresses, tmp_path: Path
) -> None:
    connector = connect(hub(kind, addresses[kind], password=SECRET), tmp_path)
    with fault(addresses, "bad day", what, hub=kind), pytest.raises(error) as raised:
        found(connector, relative_orbit=52)
    assert kind in str(raised.value)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("kind", ["dhus", "cdse"])
def test_a_hub_that_is_not_there(kind: str, tmp_path: Path) -> None:
    connector = connect(hub(kind, "http://127.0.0.1:9", password=SECRET), tmp_path)
    with pytest.raises(HubUnreachableError) as raised:
        found(connector)
    assert SECRET not in str(raised.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(HubUnreachableError, match="mounted"):
        found(connect(hub("folder", str(tmp_path / "none")), tmp_path))


def test_a_folder_passes_over_what_is_damaged(products: Path, tmp_path: Path) -> None:
    whole = sorted(products.glob("*20230904*"))[0]
    (tmp_path / whole.name).write_bytes(whole.read_bytes())
    cut = sorted(products.glob("*20230916*"))[0]
    (tmp_path / cut.name).write_bytes(cut.read_bytes()[:1000])
    (tmp_path / "S1_notes.zip").write_bytes(b"no zip")
    offers = found(connect(hub("folder", str(tmp_path)), tmp_path))
    assert [offer.product.name for offer in offers] == [whole.name.removesuffix(".zip")]


def test_one_session_for_all_threads_and_processes(products: Path, tmp_path: Path) -> None:
    strict = CdseConfig(name="cdse", max_sessions=2, access_s=600)
    with world(products, (strict,)) as addresses:
        with ProcessPoolExecutor(3) as processes, ThreadPoolExecutor(8) as threads:
            asked = [processes.submit(_header, addresses["cdse"], tmp_path) for _ in range(6)]
            asked += [threads.submit(_header, addresses["cdse"], tmp_path) for _ in range(8)]
            headers = {one.result() for one in asked}
        state = requests.get(f"{addresses['control']}/state", timeout=5).json()
    assert len(headers) == 1
    (told,) = [one for one in state["hubs"] if one["name"] == "cdse"]
    assert told["sessions"] == {"sandbox": 1}
    (kept,) = (tmp_path / "tokens").glob("*.json")
    assert kept.stat().st_mode & 0o077 == 0


def _header(address: str, folder: Path) -> str:
    endpoint = f"{address}/auth/realms/CDSE/protocol/openid-connect/token"
    return TokenKeeper("cdse", endpoint, "sandbox", "sandbox", folder / "tokens").header()


def test_a_token_is_renewed_when_it_ends_and_when_it_is_refused(
    products: Path, tmp_path: Path
) -> None:
    with world(products, (CdseConfig(name="cdse", access_s=0.4, linger_s=0.0),)) as addresses:
        connector = connect(hub("cdse", addresses["cdse"]), tmp_path)
        offer = found(connector, relative_orbit=52)[0]
        for _ in range(4):
            assert len(b"".join(connector.source(offer).open().chunks)) == offer.size
            # The next begins when the token has ended.
            time.sleep(0.5)
        with fault(addresses, "ends early", {"kind": "expired_token"}, path="*/$value", times=1):
            assert len(b"".join(connector.source(offer).open().chunks)) == offer.size


def test_a_dhus_that_forbids_one_more_is_busy_and_no_refusal(
    addresses: Addresses, tmp_path: Path
) -> None:
    connector = connect(hub("dhus", addresses["dhus"]), tmp_path)
    offer = found(connector, relative_orbit=52)[0]
    slow = {"kind": "bandwidth", "bytes_per_s": 20_000}
    with fault(addresses, "thin line", slow, hub="dhus", path="*/$value"):
        held = [connector.source(offer).open() for _ in range(2)]
        with pytest.raises(HubBusyError):
            connector.source(offer).open()
        for one in held:
            one.close()


def test_what_a_search_over_a_hub_in_a_bad_state_still_finds(tmp_path: Path) -> None:
    """One damaged entry is passed over; a page of nothing else is no answer."""
    good = _entity(NAME)
    bad = {**_entity(NAME.replace("DAA1", "DAA2")), "GeoFootprint": {"type": "Polygon"}}
    auxiliary = {**_entity("S1A_AUX_INS_V20140406T010000_G20140409T142540.SAFE")}
    with scripted(lambda asked: _json({"value": [bad, good, auxiliary]})) as server:
        offers = found(connect(hub("cdse", server.address), tmp_path))
    assert [offer.product.name for offer in offers] == [NAME]
    with scripted(lambda asked: _json({"value": [bad]})) as server:
        connector = connect(hub("cdse", server.address), tmp_path)
        with pytest.raises(HubUnreachableError, match="cannot be read"):
            found(connector)


def test_identifiers_that_are_none_reach_no_address(tmp_path: Path) -> None:
    evil = {**_entity(NAME), "Id": "../../elsewhere"}
    with scripted(lambda asked: _json({"value": [evil]})) as server:
        connector = connect(hub("cdse", server.address), tmp_path)
        with pytest.raises(HubUnreachableError, match="identifier"):
            found(connector)


@pytest.mark.parametrize("page", ["odata_page_1.json", "odata_page_2.json"])
def test_recorded_answers_of_the_data_space(page: str, shared_data: Path, tmp_path: Path) -> None:
    recorded = json.loads((shared_data / "cdse" / page).read_text())
    recorded.pop("@odata.nextLink", None)
    with scripted(lambda asked: _json(recorded)) as server:
        offers = found(connect(hub("cdse", server.address), tmp_path), product_type=None, mode=None)
    names = {one["Name"].removesuffix(".SAFE") for one in recorded["value"]}
    assert {offer.product.name for offer in offers} <= names
    slc = {name for name in names if name.startswith("S1") and "_AUX_" not in name}
    assert {offer.product.name for offer in offers} == slc
    assert all(set(offer.checksums) == {"md5", "blake3"} for offer in offers)


def test_recorded_answers_of_a_dhus(shared_data: Path, tmp_path: Path) -> None:
    conversation = yaml.safe_load((shared_data / "dhus" / "test_footprints_s1.yaml").read_text())
    pages = [one["response"]["body"]["string"] for one in conversation["interactions"]]
    pages = [page.encode() if isinstance(page, str) else page for page in pages]
    answers = iter(pages)

    def answer(asked: Any) -> Said:
        return Said(next(answers, _EMPTY), headers={"Content-Type": "application/json"})

    with scripted(answer) as server:
        offers = found(connect(hub("dhus", server.address), tmp_path), product_type=None, mode=None)
    entries = [entry for page in pages for entry in json.loads(page)["feed"]["entry"]]
    kept = {entry["title"] for entry in entries if entry["title"].startswith("S1")}
    assert {offer.product.name for offer in offers} == kept
    assert kept


_EMPTY = b'{"feed": {"opensearch:totalResults": "0"}}'


def _json(content: Any) -> Said:
    return Said(json.dumps(content).encode(), headers={"Content-Type": "application/json"})


def _entity(name: str) -> dict[str, Any]:
    return {
        "Id": "67360f3a-f36b-11ef-9d3f-0050561a7772",
        "Name": name if name.endswith(".SAFE") else f"{name}.SAFE",
        "ContentLength": 1000,
        "PublicationDate": "2023-09-04T09:00:00.000Z",
        "Online": True,
        "Checksum": [{"Algorithm": "MD5", "Value": "0" * 32}],
        "ContentDate": {"Start": "2023-09-04T06:37:30.2Z", "End": "2023-09-04T06:37:57.1Z"},
        "GeoFootprint": {
            "type": "Polygon",
            "coordinates": [[[-8, 30], [-6, 30], [-6, 32], [-8, 32], [-8, 30]]],
        },
        "Attributes": [],
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": datetime(2023, 1, 1)},  # noqa: DTZ001  (that it has no zone is the point)
        {"start": datetime(2023, 1, 2, tzinfo=UTC), "stop": datetime(2023, 1, 1, tzinfo=UTC)},
        {"relative_orbit": 176},
        {"name": "S1A' or 1 eq 1"},
        {"product_type": "SLC'"},
        {"area": shapely.box(170, 0, 190, 1)},
        {"area": shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])},
    ],
)
def test_a_query_that_no_hub_could_answer(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Query(**wrong)


@pytest.mark.parametrize(
    "footprint",
    [
        # A ring that jumps, one beyond 180, and one in two parts: one and the same area.
        shapely.Polygon([(179, 50), (-179, 50), (-179, 52), (179, 52)]),
        shapely.Polygon([(179, 50), (181, 50), (181, 52), (179, 52)]),
        shapely.MultiPolygon([shapely.box(179, 50, 180, 52), shapely.box(-180, 50, -179, 52)]),
    ],
)
def test_footprints_over_the_antimeridian(footprint: Any) -> None:
    area = on_the_globe(footprint)
    assert area.area == pytest.approx(4)
    assert area.intersects(shapely.Point(-179.5, 51))
    assert not area.intersects(shapely.Point(0, 51))


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": datetime(2020, 1, 1, tzinfo=UTC)},
        {"stop": datetime(2023, 9, 4, 6, 37, 30, tzinfo=UTC)},
        {"footprint": shapely.Polygon([(0, 0), (700, 0), (0, 60)])},
        {"footprint": shapely.Point(0, 0)},
        {"footprint": shapely.Polygon()},
    ],
)
def test_a_hub_that_contradicts_the_name(wrong: dict[str, Any]) -> None:
    given = {"footprint": shapely.box(-8, 30, -6, 32), **wrong}
    with pytest.raises(ValueError, match=r".+"):
        make_product(NAME, given.pop("footprint"), **given)


def test_a_password_without_a_user(tmp_path: Path) -> None:
    for kind in ("dhus", "cdse"):
        with pytest.raises(ConfigurationError, match="user"):
            connect(hub(kind, "http://127.0.0.1:9", user=None), tmp_path)
