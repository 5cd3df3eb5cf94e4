"""The door that speaks DHuS, through `sentinelsat`: every call it has, over the sandbox's hubs."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from databases import fresh_database
from hub_world import make_products, world
from lxml import etree
from programs_world import PASSWORD, READER, WHO, portal_over
from sentinelsat import SentinelAPI
from sentinelsat.exceptions import (
    InvalidKeyError,
    LTATriggered,
    QueryLengthError,
    QuerySyntaxError,
    ServerError,
    UnauthorizedError,
)
from sentinelsat.products import make_path_filter

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.embedded import EmbeddedPostgres
from geobservatory.sandbox.servers.asf import AsfConfig
from geobservatory.sandbox.servers.cdse import CdseConfig
from geobservatory.sandbox.servers.dhus import DhusConfig
from geobservatory.sandbox.servers.offers import OfferPolicy
from geobservatory.sandbox.servers.world import Addresses

AREA = "POLYGON((-9 31,-8 31,-8 32,-9 32,-9 31))"
SPAN = ("20230901", "20231001")
MANY = 130
HUBS = (
    DhusConfig(name="dhus", offer=OfferPolicy(share=0.7)),
    CdseConfig(name="cdse", offer=OfferPolicy(share=0.8), linger_s=0.1),
    AsfConfig(name="asf"),
)


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("door") / "products"
    make_products(folder, MANY)
    return folder


@pytest.fixture(scope="module")
def addresses(products: Path) -> Iterator[Addresses]:
    with world(products, HUBS) as opened:
        yield opened


@pytest.fixture(scope="module")
def door(
    addresses: Addresses, embedded: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Catalog]]:
    folder = tmp_path_factory.mktemp("portal")
    with (
        fresh_database(embedded.status().url or "") as url,
        portal_over(addresses, url, folder) as opened,
    ):
        yield opened


@pytest.fixture
def api(door: tuple[str, Catalog]) -> SentinelAPI:
    return SentinelAPI(*WHO, f"{door[0]}/dhus", show_progressbars=False)


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def original(products: Path, title: str) -> Path:
    return (
        products / f"{title}.SAFE.zip"
        if (products / f"{title}.SAFE.zip").exists()
        else products / f"{title}.zip"
    )


def track_52(api: SentinelAPI) -> list[str]:
    return list(api.query(date=SPAN, relativeorbitnumber=52, order_by="+beginposition"))


# Search.


def test_all_hubs_answer_as_one(api: SentinelAPI, door: tuple[str, Catalog]) -> None:
    found = api.query(
        AREA,
        date=SPAN,
        order_by="-beginposition",
        platformname="Sentinel-1",
        producttype="SLC",
        relativeorbitnumber=52,
        orbitdirection="DESCENDING",
    )
    starts = [one["beginposition"] for one in found.values()]
    assert len(found) == 3 and starts == sorted(starts, reverse=True)
    first = next(iter(found.values()))
    assert first["relativeorbitnumber"] == 52 and first["ingestiondate"] > first["endposition"]
    assert first["polarisationmode"] == "VV VH" and first["sensoroperationalmode"] == "IW"
    hubs = {
        offer.hub
        for one in door[1].listed([one["title"] for one in found.values()])
        for offer in one.offers
    }
    assert hubs == {"dhus", "cdse", "asf"}


def test_pages_and_counts(api: SentinelAPI) -> None:
    span = ("20220101", "20220201")
    found = api.query(date=span, platformname="Sentinel-1", order_by="beginposition")
    assert len(found) == MANY == api.count(date=span, relativeorbitnumber=7)
    some = api.query(
        date=span, platformname="Sentinel-1", order_by="beginposition", limit=7, offset=96
    )
    assert list(some) == list(found)[96:103]
    # A single entry is not in a list.
    assert len(api.query(raw="identifier:*_20230904*")) == 1
    assert api.count(date=("20100101", "20100201"), platformname="Sentinel-1") == 0


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"raw": "filename:*_20230904*.SAFE"}, 1),
        ({"raw": "identifier:S1A_IW_SLC*_20230904* AND NOT producttype:GRD"}, 1),
        ({"platformname": "Sentinel-2"}, 0),
        ({"producttype": "SLC", "relativeorbitnumber": (50, 60)}, 3),
        ({"relativeorbitnumber": {52, 53}}, 3),
        ({"polarisationmode": "VH", "relativeorbitnumber": 52}, 3),
        ({"sensoroperationalmode": "EW"}, 0),
        ({"orbitdirection": "ASCENDING", "relativeorbitnumber": 52}, 0),
        ({"orbitnumber": (1, 2)}, 0),
        ({"swathidentifier": "IW2", "relativeorbitnumber": 52}, 3),
        ({"platformserialidentifier": "A", "relativeorbitnumber": 52}, 3),
        ({"beginposition": "[2023-09-04T00:00:00Z TO 2023-09-05T00:00:00Z]"}, 1),
        ({"beginposition": (datetime(2023, 9, 4), datetime(2023, 9, 5))}, 1),  # noqa: DTZ001
        ({"ingestiondate": "[2023-09-04T00:00:00Z TO 2023-09-20T00:00:00Z]"}, 2),
        ({"date": SPAN, "area": "POLYGON((-9 31.4,-8.9 31.4,-8.9 31.5,-9 31.4))",
          "area_relation": "Contains"}, 3),
        ({"date": SPAN, "area": AREA, "area_relation": "IsWithin"}, 0),
        ({"date": SPAN, "area": "POINT(0 0)"}, 0),
        ({"date": SPAN, "cloudcoverpercentage": (0, 10)}, 0),
    ],
)  # fmt: skip
def test_keywords(api: SentinelAPI, asked: dict[str, Any], count: int) -> None:
    track_52(api)
    assert len(api.query(**asked)) == count == api.count(**asked)


def test_results_in_other_forms(api: SentinelAPI) -> None:
    found = api.query(date=SPAN, relativeorbitnumber=52)
    assert len(SentinelAPI.to_geojson(found)["features"]) == 3
    assert len(SentinelAPI.to_dataframe(found)) == 3
    frame = SentinelAPI.to_geodataframe(found)
    assert len(frame) == 3 and frame.crs == "EPSG:4326"
    assert SentinelAPI.get_products_size(found) >= 0


def test_the_feed_as_atom(door: tuple[str, Catalog], api: SentinelAPI) -> None:
    track_52(api)
    answer = requests.get(
        f"{door[0]}/dhus/search", params={"q": "relativeorbitnumber:52"}, auth=WHO, timeout=20
    )
    assert answer.headers["Content-Type"].startswith("application/atom+xml")
    root = etree.fromstring(answer.content)
    atom = "{http://www.w3.org/2005/Atom}"
    assert root.findtext("{http://a9.com/-/spec/opensearch/1.1/}totalResults") == "3"
    named = [
        one.text
        for one in root.findall(f"{atom}entry/{atom}str")
        if one.get("name") == "identifier"
    ]
    assert len(named) == 3 and all(name and name.startswith("S1A_") for name in named)


# What a product is.


def test_metadata(api: SentinelAPI, products: Path) -> None:
    uuid = track_52(api)[0]
    short = api.get_product_odata(uuid)
    path = original(products, short["title"])
    assert short["size"] == path.stat().st_size and short["md5"] == md5(path)
    assert short["Online"] is True and short["date"] == datetime(2023, 9, 4, 6, 37, 30, 213000)  # noqa: DTZ001
    assert short["footprint"].startswith("POLYGON((")
    full = api.get_product_odata(uuid, full=True)
    assert full["Relative orbit (start)"] == 52 and full["Pass direction"] == "DESCENDING"
    assert full["Filename"] == f"{short['title']}.SAFE" and full["Product type"] == "SLC"
    assert api.is_online(uuid)
    assert api.dhus_version


def test_identifiers_are_the_same_whoever_holds_it(api: SentinelAPI) -> None:
    first = track_52(api)
    again = list(api.query(raw="identifier:S1A_IW_SLC*_202309* AND relativeorbitnumber:52"))
    assert set(again) <= set(first) and again


# Downloads.


def test_download_and_resumption(
    api: SentinelAPI, products: Path, tmp_path: Path, door: tuple[str, Catalog]
) -> None:
    since = datetime.now(UTC)
    uuid = track_52(api)[0]
    got = api.download(uuid, tmp_path)
    whole = Path(got["path"])
    assert md5(whole) == got["md5"] == md5(original(products, got["title"]))
    part = whole.with_name(f"{whole.name}.incomplete")
    part.write_bytes(whole.read_bytes()[:1000])
    whole.unlink()
    again = api.download(uuid, tmp_path)
    assert again["downloaded_bytes"] == got["size"] - 1000 and md5(whole) == got["md5"]
    # There already: nothing is asked for.
    assert api.download(uuid, tmp_path)["downloaded_bytes"] == 0
    assert api.check_files([whole]) == {}
    sent = [one for one in door[1].deliveries(since) if not one.part]
    # Gone on with to its end, it is there whole, too.
    assert [one.outcome for one in sent] == ["whole", "whole"]
    assert {one.who for one in sent} == {WHO[0]}
    assert sent[1].sent_bytes == got["size"] and sent[1].origin in ("dhus", "cdse", "asf")
    assert door[1].received_bytes(sent[1].origin, since) >= got["size"]


def test_download_all(api: SentinelAPI, products: Path, tmp_path: Path) -> None:
    uuids = track_52(api)
    statuses, exceptions, infos = api.download_all(
        uuids, tmp_path, n_concurrent_dl=2, max_attempts=2
    )
    assert all(statuses.values()) and not exceptions
    for info in infos.values():
        assert md5(Path(info["path"])) == md5(original(products, info["title"]))


def test_a_stream(api: SentinelAPI, products: Path) -> None:
    uuid = track_52(api)[0]
    with api.get_stream(uuid) as stream:
        content = stream.content
    assert content == original(products, api.get_product_odata(uuid)["title"]).read_bytes()


def test_files_of_a_product(api: SentinelAPI, products: Path, tmp_path: Path) -> None:
    uuid = track_52(api)[0]
    got = api.download(uuid, tmp_path, nodefilter=make_path_filter("*annotation/*.xml"))
    assert len(got["nodes"]) == 2 and "./manifest.safe" in got["nodes"]
    assert all((tmp_path / got["product_root_dir"] / name).is_file() for name in got["nodes"])


def test_there_is_no_quicklook(api: SentinelAPI, tmp_path: Path) -> None:
    with pytest.raises(InvalidKeyError, match="Quicklook"):
        api.download_quicklook(track_52(api)[0], tmp_path)


def test_what_is_refused_reaches_the_client(door: tuple[str, Catalog], api: SentinelAPI) -> None:
    with pytest.raises(QuerySyntaxError, match="undefined field xxx"):
        api.query(raw="xxx:yyy")
    with pytest.raises(QueryLengthError):
        api.query(raw=" OR ".join(f"identifier:{number:0200d}" for number in range(60)))
    with pytest.raises(InvalidKeyError, match="Invalid key"):
        api.is_online("98ca202b-2155-4181-be88-xxxxxxxxxxxx")
    with pytest.raises(InvalidKeyError):
        api.get_product_odata("98ca202b-2155-4181-be88-000000000000")
    stranger = SentinelAPI("mister", "x", f"{door[0]}/dhus", show_progressbars=False)
    with pytest.raises(UnauthorizedError):
        stranger.count(producttype="SLC")
    reader = SentinelAPI(READER, PASSWORD, f"{door[0]}/dhus", show_progressbars=False)
    uuid = track_52(reader)[0]
    with pytest.raises(ServerError, match="downloader"):
        reader.get_stream(uuid)


# OData.


def test_odata(door: tuple[str, Catalog], api: SentinelAPI) -> None:
    uuid = track_52(api)[0]
    info = api.get_product_odata(uuid)
    root = f"{door[0]}/dhus/odata/v1/Products"

    def get(path: str, **more: Any) -> requests.Response:
        return requests.get(root + path, auth=WHO, timeout=20, **more)

    own = f"('{uuid}')"
    assert get(f"{own}/Name/$value").text == info["title"]
    assert get(f"{own}/Checksum/Value/$value").text == info["md5"]
    assert get(f"{own}/Checksum").json()["d"]["Algorithm"] == "MD5"
    assert get(f"{own}/Attributes('Format')/Value/$value").text == "SAFE"
    assert get(f"{own}/Online/$value").text == "true"
    assert len(get(f"{own}/Attributes").json()["d"]["results"]) > 20
    (safe,) = get(f"{own}/Nodes").json()["d"]["results"]
    below = requests.get(safe["Nodes"]["__deferred"]["uri"], auth=WHO, timeout=20).json()
    assert sorted(one["Id"] for one in below["d"]["results"]) == [
        "annotation", "manifest.safe", "measurement",
    ]  # fmt: skip
    assert get(f"{own}/Nodes('{safe['Id']}')/Nodes/$count").text == "3"
    total = int(get("/$count").text)
    assert total >= 3
    filters = {
        f"startswith(Name,'{info['title'][:30]}')": 1,
        f"substringof('{info['title'][17:32]}',Name) and Online eq true": 1,
        f"Id eq '{uuid}'": 1,
        f"Name eq '{info['title']}' or Name eq 'x'": 1,
        "ContentDate/Start gt datetime'2023-09-01T00:00:00.000' and"
        " ContentDate/End lt datetime'2023-10-01T00:00:00.000'": 3,
        "IngestionDate lt datetime'2000-01-01T00:00:00'": 0,
    }
    for text, count in filters.items():
        assert get("/$count", params={"$filter": text}).text == str(count), text
        page = get(
            "", params={"$filter": text, "$orderby": "Name desc", "$inlinecount": "allpages"}
        )
        assert page.json()["d"]["__count"] == str(count)
        assert len(page.json()["d"]["results"]) == count
    page = get("?$skip=1&$top=2&$orderby=ContentDate/Start")
    assert len(page.json()["d"]["results"]) == 2
    for path in (f"{own}/Nodes('no')", f"{own}/Nodes('{safe['Id']}')/$value",
                 f"{own}/Attributes('no')", f"{own}/No/$value"):  # fmt: skip
        assert get(path).status_code == 404 and get(path).headers["cause-message"]
    for query in ("$filter=x", "$top=x", "$orderby=No"):
        assert get(f"?{query}").status_code == 400


def test_odata_as_atom(door: tuple[str, Catalog], api: SentinelAPI) -> None:
    uuid = track_52(api)[0]
    info = api.get_product_odata(uuid)
    answer = requests.get(
        f"{door[0]}/dhus/odata/v1/Products('{uuid}')",
        headers={"Accept": "application/atom+xml"},
        auth=WHO,
        timeout=20,
    )
    root = etree.fromstring(answer.content)
    data = "{http://schemas.microsoft.com/ado/2007/08/dataservices}"
    found = {one.tag.removeprefix(data): one for one in root.iter()}
    assert found["ContentLength"].text == str(info["size"])
    assert found["Value"].text == info["md5"] and found["Start"].text == "2023-09-04T06:37:30.213"


def test_ranges(door: tuple[str, Catalog], api: SentinelAPI, products: Path) -> None:
    uuid = track_52(api)[0]
    info = api.get_product_odata(uuid)
    whole = original(products, info["title"]).read_bytes()
    url = f"{door[0]}/dhus/odata/v1/Products('{uuid}')/$value"

    def get(**headers: str) -> requests.Response:
        return requests.get(url, auth=WHO, headers=headers, timeout=20)

    part = get(Range="bytes=1000-1999")
    assert part.status_code == 206 and part.content == whole[1000:2000]
    assert part.headers["Content-Range"] == f"bytes 1000-1999/{len(whole)}"
    assert get(Range="bytes=-5").content == whole[-5:]
    assert get(Range="bytes=1500-").content == whole[1500:]
    beyond = get(Range=f"bytes={len(whole)}-")
    assert beyond.status_code == 416 and beyond.headers["Content-Range"] == f"bytes */{len(whole)}"
    tag = part.headers["ETag"]
    assert get(Range="bytes=5-9", **{"If-Range": tag}).content == whole[5:10]
    changed = get(Range="bytes=5-9", **{"If-Range": '"other"'})
    assert changed.status_code == 200 and changed.content == whole
    head = requests.head(url, auth=WHO, timeout=20)
    assert head.headers["Content-Length"] == str(len(whole)) and not head.content
    safe = info["product_root_dir"]
    node = f"{url.removesuffix('/$value')}/Nodes('{safe}')/Nodes('manifest.safe')/$value"
    manifest = requests.get(node, auth=WHO, timeout=20).content
    cut = requests.get(node, auth=WHO, headers={"Range": "bytes=10-29"}, timeout=20)
    assert cut.status_code == 206 and cut.content == manifest[10:30]


# The long-term archive.


def test_a_product_comes_from_the_long_term_archive(
    products: Path, embedded: EmbeddedPostgres, tmp_path: Path
) -> None:
    tape = DhusConfig(name="dhus", offer=OfferPolicy(offline_after_days=1), retrievals=5)
    with (
        world(products, (tape,)) as addresses,
        fresh_database(embedded.status().url or "") as url,
        portal_over(addresses, url, tmp_path) as (door, _),
    ):
        api = SentinelAPI(*WHO, f"{door}/dhus", show_progressbars=False)
        uuid = track_52(api)[0]
        assert not api.is_online(uuid)
        assert api.get_product_odata(uuid)["Online"] is False
        with pytest.raises(LTATriggered):
            api.download(uuid, tmp_path)
        answer = requests.get(
            f"{door}/dhus/odata/v1/Products('{uuid}')/$value", auth=WHO, timeout=20
        )
        assert answer.status_code == 202 and int(answer.headers["Retry-After"]) > 0
        assert "ordered" in answer.headers["cause-message"]
        later = datetime(2024, 6, 1, tzinfo=UTC) + timedelta(minutes=61)
        moved = requests.post(
            f"{addresses['control']}/time", json={"now": later.isoformat()}, timeout=5
        )
        moved.raise_for_status()
        assert api.is_online(uuid)
        assert not api.trigger_offline_retrieval(uuid)
        got = api.download(uuid, tmp_path)
        assert md5(Path(got["path"])) == got["md5"]
