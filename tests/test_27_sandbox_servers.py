"""The sandbox's servers, asked by the clients of the real ones."""

import asyncio
import hashlib
import json
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import aiohttp
import pytest
import requests
from cdsetool.credentials import Credentials
from cdsetool.download import download_feature
from cdsetool.query import describe_collection, query_features
from sandbox_safe import make_pass, make_safe, to_loopback
from sentinelsat import SentinelAPI
from sentinelsat.exceptions import (
    InvalidKeyError,
    LTATriggered,
    QuerySyntaxError,
    UnauthorizedError,
)
from sentinelsat.products import make_path_filter

from geobservatory.errors import ConfigurationError, InputError
from geobservatory.sandbox.servers.asf import AsfConfig
from geobservatory.sandbox.servers.cdse import CdseConfig
from geobservatory.sandbox.servers.dem import DemConfig
from geobservatory.sandbox.servers.dhus import DhusConfig
from geobservatory.sandbox.servers.emsc import EmscConfig
from geobservatory.sandbox.servers.offers import OfferPolicy
from geobservatory.sandbox.servers.orbits import OrbitsConfig
from geobservatory.sandbox.servers.world import (
    Addresses,
    WorldConfig,
    read_world,
    running,
    usual_world,
)

AREA = "POLYGON((-9 31,-8 31,-8 32,-9 32,-9 31))"
USER = ("sandbox", "sandbox")
OPENID = "/auth/realms/CDSE/.well-known/openid-configuration"
TOKEN = "/auth/realms/CDSE/protocol/openid-connect/token"
POEORB = "S1A_OPER_AUX_POEORB_OPOD_20230924T080714_V20230903T225942_20230905T005942.EOF"
RESORB = "S1A_OPER_AUX_RESORB_OPOD_20230904T081534_V20230904T041902_20230904T073632.EOF"
TILE = "Copernicus_DSM_COG_10_N31_00_W009_00_DEM"
START = datetime(2024, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything the world serves: 103 products, two orbit files, one tile, two earthquakes."""
    root = tmp_path_factory.mktemp("world")
    for name in ("products", "orbits", "dem"):
        (root / name).mkdir()
    make_pass(root / "products", 3)
    # Enough for more than a page.
    for number in range(100):
        start = datetime(2022, 1, 1, tzinfo=UTC) + timedelta(hours=number)
        make_safe(root / "products", start, track=7, direction="ASCENDING", size=2_000)
    for name in (POEORB, RESORB):
        (root / "orbits" / name).write_bytes(name.encode() * 100)
    (root / "dem" / f"{TILE}.tif").write_bytes(bytes(range(256)) * 500)
    (root / "emsc.jsonl").write_text(
        "\n".join(json.dumps(message) for message in (_news("a", 0, 6.9), _news("b", 30, 4.9)))
    )
    return root


@pytest.fixture(scope="module")
def world(folder: Path) -> Iterator[Addresses]:
    config = WorldConfig(
        products=folder / "products",
        hubs=[
            DhusConfig(name="dhus"),
            DhusConfig(name="archive", offer=OfferPolicy(offline_after_days=1), retrievals=1),
            CdseConfig(name="cdse", linger_s=0.4),
            CdseConfig(name="strict", access_s=0.5, max_sessions=2, quota_bytes=0),
            AsfConfig(name="asf"),
            OrbitsConfig(name="orbits", folder=folder / "orbits"),
            DemConfig(name="dem", folder=folder / "dem"),
            EmscConfig(name="emsc", conversation=folder / "emsc.jsonl", idle_s=0.4),
        ],
        start=START,
        speed=0,
    )
    with running(config) as addresses:
        yield addresses


@pytest.fixture
def clock(world: Addresses) -> Iterator[Any]:
    """Move the sandbox's clock; it goes back after the test."""

    def move(time: datetime) -> None:
        moved = requests.post(f"{world['control']}/time", json={"now": time.isoformat()}, timeout=5)
        moved.raise_for_status()

    yield move
    move(START)


@pytest.fixture
def dhus(world: Addresses) -> SentinelAPI:
    return SentinelAPI(*USER, world["dhus"], show_progressbars=False)


@pytest.fixture
def cdse(world: Addresses, monkeypatch: pytest.MonkeyPatch) -> str:
    hosts = [f"https://{name}.dataspace.copernicus.eu" for name in ("catalogue", "download")]
    to_loopback(monkeypatch, dict.fromkeys(hosts, world["cdse"]))
    return world["cdse"]


def _news(unid: str, minute: int, magnitude: float) -> dict[str, Any]:
    time = f"2023-09-08T22:{minute:02d}:00.0Z"
    place = {"lat": 31.06, "lon": -8.39, "depth": 10.0}
    about = {"unid": unid, "lastupdate": time, "time": time, "mag": magnitude, **place}
    geometry = {"type": "Point", "coordinates": [-8.39, 31.06, -10.0]}
    data = {"type": "Feature", "geometry": geometry, "id": unid, "properties": about}
    return {"action": "create", "data": data}


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _original(folder: Path, name: str) -> Path:
    return folder / "products" / f"{name.removesuffix('.SAFE')}.zip"


def _bearer(address: str) -> dict[str, str]:
    form = {"client_id": "cdse-public", "grant_type": "password"}
    form |= {"username": USER[0], "password": USER[1]}
    answer = requests.post(address + TOKEN, data=form, timeout=5)
    answer.raise_for_status()
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


# DHuS, through sentinelsat.


def test_sentinelsat_searches(dhus: SentinelAPI) -> None:
    found = dhus.query(
        AREA,
        date=("20230901", "20231001"),
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
    assert len(SentinelAPI.to_geodataframe(found)) == 3


def test_sentinelsat_pages_and_counts(dhus: SentinelAPI) -> None:
    assert dhus.count(relativeorbitnumber=7) == 100
    found = dhus.query(platformname="Sentinel-1", order_by="beginposition")
    assert len(found) == 103
    some = dhus.query(platformname="Sentinel-1", order_by="beginposition", limit=3, offset=99)
    assert list(some) == list(found)[99:102]
    assert len(dhus.query(raw="identifier:*20230904*")) == 1  # a single entry is not in a list


def test_sentinelsat_downloads(dhus: SentinelAPI, folder: Path, tmp_path: Path) -> None:
    (uuid,) = dhus.query(raw="filename:*20230904*")
    assert dhus.is_online(uuid)
    got = dhus.download(uuid, tmp_path)
    assert _md5(Path(got["path"])) == got["md5"] == _md5(_original(folder, got["title"]))
    full = dhus.get_product_odata(uuid, full=True)
    assert full["Relative orbit (start)"] == 52 and full["Cycle number"] == 301
    # Resumed: what is there is not fetched again.
    whole = Path(got["path"])
    part = whole.with_name(f"{whole.name}.incomplete")
    part.write_bytes(whole.read_bytes()[:1000])
    whole.unlink()
    again = dhus.download(uuid, tmp_path)
    assert again["downloaded_bytes"] == got["size"] - 1000 and _md5(whole) == got["md5"]


def test_sentinelsat_downloads_files_of_a_product(dhus: SentinelAPI, tmp_path: Path) -> None:
    (uuid,) = dhus.query(raw="filename:*20230904*")
    got = dhus.download(uuid, tmp_path, nodefilter=make_path_filter("*annotation/*.xml"))
    assert sorted(got["nodes"])[0] == "./manifest.safe" and len(got["nodes"]) == 2
    assert all((tmp_path / got["product_root_dir"] / name).is_file() for name in got["nodes"])


def test_what_a_dhus_refuses_reaches_the_client(world: Addresses, dhus: SentinelAPI) -> None:
    with pytest.raises(QuerySyntaxError, match="undefined field xxx"):
        dhus.query(raw="xxx:yyy")
    with pytest.raises(InvalidKeyError, match="Invalid key"):
        dhus.is_online("98ca202b-2155-4181-be88-xxxxxxxxxxxx")
    with pytest.raises(InvalidKeyError):
        dhus.get_product_odata("98ca202b-2155-4181-be88-000000000000")
    stranger = SentinelAPI("mister", "x", world["dhus"], show_progressbars=False)
    with pytest.raises(UnauthorizedError):
        stranger.count(producttype="SLC")


def test_a_product_comes_from_the_long_term_archive(
    world: Addresses, clock: Any, tmp_path: Path
) -> None:
    archive = SentinelAPI(*USER, world["archive"], show_progressbars=False)
    one, other, *_ = archive.query(relativeorbitnumber=52)
    assert not archive.is_online(one)
    with pytest.raises(LTATriggered):
        archive.download(one, tmp_path)
    assert (
        requests.get(
            f"{world['archive']}/odata/v1/Products('{other}')/$value", auth=USER, timeout=5
        )
        .headers["cause-message"]
        .count("quota exceeded")
    )
    clock(START + timedelta(minutes=61))
    assert archive.is_online(one)
    assert Path(archive.download(one, tmp_path)["path"]).is_file()


@contextmanager
def _crawling(world: Addresses, hub: str) -> Iterator[None]:
    """Let a hub send so slowly that downloads last; then wait until none is under way."""
    control = world["control"]
    slow = {"name": "crawl", "hub": hub, "fault": {"kind": "bandwidth", "bytes_per_s": 20_000}}
    requests.post(f"{control}/faults", json=slow, timeout=5).raise_for_status()
    try:
        yield
    finally:
        requests.delete(f"{control}/faults/crawl", timeout=5)
        for _ in range(100):
            hubs = requests.get(f"{control}/state", timeout=5).json()["hubs"]
            if not any(one["busy"] for one in hubs if one["name"] == hub):
                break
            threading.Event().wait(0.02)


def test_a_dhus_allows_two_downloads_at_a_time(world: Addresses, dhus: SentinelAPI) -> None:
    (uuid,) = dhus.query(raw="filename:*20230904*")
    url = f"{world['dhus']}/odata/v1/Products('{uuid}')/$value"
    with _crawling(world, "dhus"):
        held = [requests.get(url, auth=USER, stream=True, timeout=5) for _ in range(2)]
        third = requests.get(url, auth=USER, timeout=5)
        assert third.status_code == 403 and "2 concurrent flows" in third.headers["cause-message"]
        head = requests.head(url, auth=USER, timeout=5)
        assert head.status_code == 200
        assert int(head.headers["Content-Length"]) == dhus.get_product_odata(uuid)["size"]
        for answer in held:
            answer.close()
    assert requests.get(url, auth=USER, timeout=5).status_code == 200


def test_ranges_on_the_wire(world: Addresses, dhus: SentinelAPI, folder: Path) -> None:
    (uuid,) = dhus.query(raw="filename:*20230904*")
    whole = _original(folder, dhus.get_product_odata(uuid)["title"]).read_bytes()
    product = f"{world['dhus']}/odata/v1/Products('{uuid}')"

    def get(**headers: str) -> requests.Response:
        return requests.get(f"{product}/$value", auth=USER, headers=headers, timeout=5)

    part = get(Range="bytes=1000-1999")
    assert part.status_code == 206 and part.content == whole[1000:2000]
    assert part.headers["Content-Range"] == f"bytes 1000-1999/{len(whole)}"
    assert get(Range="bytes=-5").content == whole[-5:]
    beyond = get(Range=f"bytes={len(whole)}-")
    assert beyond.status_code == 416 and beyond.headers["Content-Range"] == f"bytes */{len(whole)}"
    tag = part.headers["ETag"]
    assert get(Range="bytes=5-9", **{"If-Range": tag}).content == whole[5:10]
    changed = get(Range="bytes=5-9", **{"If-Range": '"other"'})
    assert changed.status_code == 200 and changed.content == whole
    # The same for a file inside the product, where it has to be unpacked up to there.
    safe = dhus.get_product_odata(uuid)["product_root_dir"]
    manifest = f"{product}/Nodes('{safe}')/Nodes('manifest.safe')/$value"
    text = requests.get(manifest, auth=USER, timeout=5).content
    cut = requests.get(manifest, auth=USER, headers={"Range": "bytes=10-29"}, timeout=5)
    assert cut.status_code == 206 and cut.content == text[10:30]


def test_odata_of_a_dhus(world: Addresses, dhus: SentinelAPI) -> None:
    (uuid,) = dhus.query(raw="filename:*20230904*")
    info = dhus.get_product_odata(uuid)
    root = f"{world['dhus']}/odata/v1/Products"
    product = f"{root}('{uuid}')"

    def get(path: str) -> requests.Response:
        return requests.get(product + path, auth=USER, timeout=5)

    assert get("/Name/$value").text == info["title"]
    assert get("/Checksum/Value/$value").text == info["md5"]
    assert get("/Checksum").json()["d"]["Algorithm"] == "MD5"
    assert get("/Attributes('Format')/Value/$value").text == "SAFE"
    assert get("/Attributes('Format')").json()["d"]["Category"] == "product"
    assert len(get("/Attributes").json()["d"]["results"]) > 20
    (safe,) = get("/Nodes").json()["d"]["results"]
    folders = requests.get(safe["Nodes"]["__deferred"]["uri"], auth=USER, timeout=5).json()
    assert [one["ChildrenNumber"] for one in folders["d"]["results"]] == ["1", "0", "1"]
    page = requests.get(f"{root}?$skip=1&$top=2", auth=USER, timeout=5).json()
    assert len(page["d"]["results"]) == 2
    for path in (
        "/Nodes('no')",
        f"/Nodes('{safe['Id']}')/$value",
        "/Attributes('no')",
        "/No/$value",
    ):
        assert get(path).status_code == 404
    for query, status in (("$filter=x", 501), ("$top=x", 400)):
        assert requests.get(f"{root}?{query}", auth=USER, timeout=5).status_code == status
    assert requests.get(f"{world['dhus']}/odata/v1/No", auth=USER, timeout=5).status_code == 404
    assert dhus.dhus_version == "2.4.1"


# Copernicus Data Space, through CDSETool.


def test_cdsetool_searches_and_pages(cdse: str) -> None:
    found = query_features(
        "SENTINEL-1",
        {
            "contentDateStartGe": "2023-09-01",
            "contentDateStartLt": "2023-10-01",
            "publicationDateLt": datetime(2024, 1, 1, tzinfo=UTC),
            "productType": "IW_SLC__1S",
            "relativeOrbitNumberEq": 52,
            "orbitDirection": "DESCENDING",
            "geometry": AREA,
            "top": 2,
        },
        options={"expand_attributes": True},
    )
    names = [one["Name"] for one in found]
    assert len(found) == len(names) == 3 and names == sorted(names)
    attributes = {one["Name"]: one["Value"] for one in found[0]["Attributes"]}
    assert attributes["polarisationChannels"] == "VV&VH"
    described = describe_collection("SENTINEL-1")
    assert described is not None and described["sliceNumber"]["type"] == "Integer"


def test_cdsetool_downloads(cdse: str, folder: Path, tmp_path: Path) -> None:
    (one,) = query_features("SENTINEL-1", {"name": "20230904"})
    how = {"credentials": Credentials(*USER, cdse + OPENID)}
    name = download_feature(one, str(tmp_path / "whole"), how)
    got = _md5(tmp_path / "whole" / str(name))
    assert got == one["Checksum"][0]["Value"] == _md5(_original(folder, one["Name"]))
    some = download_feature(one, str(tmp_path / "some"), {**how, "filter_pattern": "*annotation*"})
    files = [path for path in (tmp_path / "some" / str(some)).rglob("*") if path.is_file()]
    assert [path.parent.name for path in files] == ["annotation"]


def test_tokens_run_out_and_are_refreshed(world: Addresses) -> None:
    form = {"client_id": "cdse-public", "grant_type": "password", "username": "sandbox"}
    url = world["strict"] + TOKEN
    wrong = requests.post(url, data={**form, "password": "x"}, timeout=5)
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_grant")
    tokens = requests.post(url, data={**form, "password": "sandbox"}, timeout=5).json()
    assert tokens["refresh_expires_in"] == pytest.approx(3600, abs=1)
    product = _any_product(world["strict"])

    def status(token: str) -> tuple[int, str]:
        answer = requests.get(product, headers={"Authorization": f"Bearer {token}"}, timeout=5)
        return answer.status_code, "" if answer.ok else answer.json()["code"]

    assert requests.get(product, timeout=5).json()["code"] == "DAT-ZIP-604"
    assert status(tokens["access_token"]) == (200, "")
    threading.Event().wait(0.55)
    assert status(tokens["access_token"]) == (401, "DAT-ZIP-109")
    renewal = {"client_id": "cdse-public", "grant_type": "refresh_token"}
    renewed = requests.post(
        url, data={**renewal, "refresh_token": tokens["refresh_token"]}, timeout=5
    ).json()
    # The month's quota of this hub is nothing: what comes after the first bytes comes slowly.
    assert status(renewed["access_token"]) == (200, "")
    # A refresh is no new session; a third password is one too many.
    assert requests.post(url, data={**form, "password": "sandbox"}, timeout=5).ok
    banned = requests.post(url, data={**form, "password": "sandbox"}, timeout=5)
    assert banned.status_code == 403 and "Too many sessions" in banned.text
    assert status(renewed["access_token"])[0] == 401
    assert requests.post(url, data={**form, "password": "sandbox"}, timeout=5).status_code == 403
    for wrong, code in (
        ({**form, "client_id": "x"}, 401),
        ({**form, "grant_type": "magic"}, 400),
        ({**renewal, "refresh_token": "x.y.z"}, 400),
        ({**renewal, "refresh_token": tokens["refresh_token"]}, 400),
    ):
        assert requests.post(url, data=wrong, timeout=5).status_code == code
    assert status(tokens["refresh_token"]) == status("nonsense") == (401, "DAT-ZIP-109")


def _any_product(address: str) -> str:
    (one,) = requests.get(
        f"{address}/odata/v1/Products?$top=1&$orderby=ContentDate/Start desc", timeout=5
    ).json()["value"]
    return f"{address}/odata/v1/Products({one['Id']})/$value"


def test_the_data_space_allows_four_downloads_and_counts_broken_ones(world: Addresses) -> None:
    product, headers = _any_product(world["cdse"]), _bearer(world["cdse"])
    with _crawling(world, "cdse"):
        held = [requests.get(product, headers=headers, stream=True, timeout=5) for _ in range(4)]
        fifth = requests.get(product, headers=headers, timeout=5)
        assert (fifth.status_code, fifth.json()["code"]) == (429, "DAT-ZIP-100")
        for answer in held:
            answer.close()
    assert requests.get(product, headers=headers, timeout=5).status_code == 429
    threading.Event().wait(0.5)
    assert requests.get(product, headers=headers, timeout=5).status_code == 200


def test_nodes_and_errors_of_the_data_space(world: Addresses) -> None:
    product = _any_product(world["cdse"]).removesuffix("/$value")
    (root,) = requests.get(f"{product}/Nodes", timeout=5).json()["result"]
    below = requests.get(root["Nodes"]["uri"], timeout=5).json()["result"]
    assert [one["Name"] for one in below] == ["annotation", "manifest.safe", "measurement"]
    quoted = f"{product}/Nodes('{root['Name']}')/$value"
    assert requests.get(quoted, timeout=5).json()["code"] == "DAT-ZIP-104"
    catalogue = f"{world['cdse']}/odata/v1/Products"
    bad = requests.get(catalogue, params={"$filter": "Foo eq 'x'"}, timeout=5)
    assert bad.status_code == 400 and "Invalid field: Foo" in bad.json()["detail"]["message"]
    for name, value in (("$skip", "10001"), ("$top", "1001")):
        far = requests.get(catalogue, params={name: value}, timeout=5)
        assert far.status_code == 422 and far.json()["detail"][0]["loc"] == ["query", name]
    assert requests.get(f"{catalogue}(nonsense)/$value", timeout=5).status_code == 422
    for wrong in ({"$orderby": "Name up"}, {"$top": "x"}):
        assert requests.get(catalogue, params=wrong, timeout=5).status_code in (400, 422)
    manifest = f"{product}/Nodes({root['Name']})/Nodes(manifest.safe)"
    assert requests.get(manifest, timeout=5).json()["ChildrenNumber"] == 0
    assert requests.get(product, timeout=5).json()["Name"] == root["Name"]
    headers = {**_bearer(world["cdse"]), "Range": "bytes=10-29"}
    cut = requests.get(f"{manifest}/$value", headers=headers, timeout=5)
    assert cut.status_code == 206 and cut.content == b'ion="1.0" encoding="'


# ASF, through asf_search where it is installed.


def test_asf_search_finds_stacks_and_downloads(
    world: Addresses, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asf = pytest.importorskip("asf_search")
    host = urlsplit(world["asf"]).netloc
    to_loopback(monkeypatch, {f"https://{host}": world["asf"]})
    session = asf.ASFSession(
        edl_host=host, asf_auth_host=host, cmr_host=host, auth_domains=["127.0.0.1"]
    )
    session.auth_with_creds(*USER)
    options = asf.ASFSearchOptions(
        host=host,
        session=session,
        platform="S1",
        processingLevel="SLC",
        intersectsWith=AREA,
        start="2023-09-01",
        end="2023-10-01",
        relativeOrbit=52,
        flightDirection="DESCENDING",
    )
    found = asf.search(opts=options)
    assert len(found) == 3 and found[0].properties["pathNumber"] == 52
    found[0].download(str(tmp_path))
    (got,) = tmp_path.iterdir()
    assert _md5(got) == found[0].properties["md5sum"] == _md5(folder / "products" / got.name)
    stranger = asf.ASFSession(edl_host=host, asf_auth_host=host, cmr_host=host)
    with pytest.raises(asf.ASFAuthenticationError):
        found[1].download(str(tmp_path), session=stranger)


def test_the_archive_of_the_asf(world: Addresses, folder: Path) -> None:
    search = f"{world['asf']}/search/granules.umm_json"
    asked = {"attribute[]": ["int,PATH_NUMBER,7", "string,BEAM_MODE,IW"], "page_size": "60"}
    first = requests.post(search, data=asked, timeout=5)
    assert first.json()["hits"] == 100 and len(first.json()["items"]) == 60
    after = {"CMR-Search-After": first.headers["CMR-Search-After"]}
    second = requests.post(search, data=asked, headers=after, timeout=5)
    assert len(second.json()["items"]) == 40
    unknown = requests.post(search, data={"nonsense": "1"}, timeout=5)
    assert unknown.status_code == 400 and unknown.json()["errors"]
    # A download leads through the login and back; the session keeps what it was given.
    url = second.json()["items"][0]["umm"]["RelatedUrls"][0]["URL"]
    session = requests.Session()
    session.auth = USER
    got = session.get(url, timeout=5)
    assert got.content == (folder / "products" / url.rsplit("/", 1)[1]).read_bytes()
    statuses = [answer.status_code for answer in got.history]
    assert statuses == [302, 302, 302, 307] and "asf-urs" in session.cookies


@pytest.mark.parametrize(
    ("key", "value", "hits"),
    [
        ("point", "-9.0,31.0", 103),
        ("point", "0.0,0.0", 0),
        ("bounding_box", "-9,31,-8,32", 103),
        ("polygon", "-9,31,-8,31,-8,32,-9,31", 103),
        ("line", "-20,31,0,31", 103),
        ("circle", "-9,33,200000", 103),
        ("circle", "-9,40,200000", 0),
        ("temporal", "2023-09-01T00:00:00Z,2023-09-05T00:00:00Z,", 1),
        ("temporal", "2023-09-20T00:00:00Z", 1),
        ("orbit_number", "50174", 3),
        ("orbit_number", "50000,50150", 100),
        ("platform[]", "sentinel-1b", 0),
        ("shortName", "SENTINEL-1A_SLC", 103),
        ("updated_since", "2023-01-01", 3),
        ("attribute[]", "int,PATH_NUMBER,50,60", 3),
        ("attribute[]", "float,PATH_NUMBER,,10", 100),
        ("attribute[]", "string,POLARIZATION,VV+VH", 103),
        ("attribute[]", "int,FRAME_NUMBER,1", 0),
        ("readable_granule_name[]", "none", 0),
    ],
)
def test_what_the_asf_can_be_asked(world: Addresses, key: str, value: str, hits: int) -> None:
    search = f"{world['asf']}/search/granules.umm_json"
    assert requests.get(search, params={key: value}, timeout=5).json()["hits"] == hits


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("point", "here"),
        ("polygon", "0,0,1"),
        ("polygon", "0,0,1,1"),
        ("circle", "0,0"),
        ("temporal", "yesterday"),
        ("attribute[]", "int,PATH_NUMBER"),
        ("attribute[]", "int,PATH_NUMBER,x"),
        ("page_size", "many"),
    ],
)
def test_what_the_asf_refuses(world: Addresses, key: str, value: str) -> None:
    search = f"{world['asf']}/search/granules.umm_json"
    assert requests.get(search, params={key: value}, timeout=5).status_code == 400


def test_earthdata_gives_tokens(world: Addresses) -> None:
    find = f"{world['asf']}/api/users/find_or_create_token"
    assert requests.post(find, auth=("a", "b"), timeout=5).status_code == 401
    token = requests.post(find, auth=USER, timeout=5).json()["access_token"]
    assert requests.post(find, auth=USER, timeout=5).json()["access_token"] == token
    check = f"{world['asf']}/oauth/tokens/user"
    assert requests.post(check, data={"token": token}, timeout=5).json() == {"uid": "sandbox"}
    assert requests.post(check, data={"token": "x"}, timeout=5).status_code == 401
    granules = f"{world['asf']}/search/granules.umm_json?page_size=1"
    (item,) = requests.get(granules, timeout=5).json()["items"]
    url = item["umm"]["RelatedUrls"][0]["URL"]
    bearer = {"Authorization": f"Bearer {token}"}
    got = requests.get(url, headers=bearer, timeout=5)
    assert got.ok and [answer.status_code for answer in got.history] == [307]
    part = requests.get(got.url, headers={"Range": "bytes=5-9"}, timeout=5)
    assert part.status_code == 206 and part.content == got.content[5:10]
    assert requests.get(url.replace("S1A_", "S1B_"), timeout=5).status_code == 404
    assert requests.get(f"{world['asf']}/signed/no/x.zip", timeout=5).status_code == 403
    assert requests.get(f"{world['asf']}/login?code=no", timeout=5).status_code == 400


# Orbits, heights.


def test_sentineleof_finds_and_downloads(
    world: Addresses, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    client = pytest.importorskip("eof.asf_client")
    to_loopback(monkeypatch, {"https://s1-orbits.s3.amazonaws.com": world["orbits"]})
    listing = pytest.importorskip("eof._asf_s3").list_public_bucket
    seen = {}
    for days in (1, 30):
        listing.cache_clear()
        monkeypatch.setattr(client.ASFClient, "eof_lists", {"precise": None, "restituted": None})
        clock(datetime(2023, 9, 4, 12, tzinfo=UTC) + timedelta(days=days))
        there = client.ASFClient(cache_dir=str(tmp_path / str(days)))
        (tmp_path / str(days)).mkdir()
        kind = "restituted" if days == 1 else "precise"
        (url,) = there.get_download_urls(
            [datetime(2023, 9, 4, 6, 37, 30)],  # noqa: DTZ001  (it knows no timezones)
            ["S1A"],
            orbit_type=kind,
        )
        seen[days] = there._download_and_write(url, str(tmp_path))
    listing.cache_clear()
    assert [seen[1].name, seen[30].name] == [RESORB, POEORB]
    assert seen[30].read_bytes() == (folder / "orbits" / POEORB).read_bytes()


def test_buckets_list_in_pages_and_serve_ranges(world: Addresses, folder: Path) -> None:
    page = requests.get(world["orbits"], params={"prefix": "AUX", "max-keys": "1"}, timeout=5)
    name = "{http://s3.amazonaws.com/doc/2006-03-01/}"
    root = ElementTree.fromstring(page.text)  # noqa: S314
    (key,) = [node.text for node in root.iter(f"{name}Key")]
    assert key == f"AUX_POEORB/{POEORB}" and root.findtext(f"{name}IsTruncated") == "true"
    rest = requests.get(world["orbits"], params={"prefix": "AUX", "marker": key}, timeout=5)
    assert RESORB in rest.text and POEORB not in rest.text.split("</Marker>")[1]
    assert requests.get(f"{world['dem']}/tileList.txt", timeout=5).text == f"{TILE}\n"
    tile = f"{world['dem']}/{TILE}/{TILE}.tif"
    part = requests.get(tile, headers={"Range": "bytes=300-309"}, timeout=5)
    assert part.status_code == 206 and part.content == bytes(range(44, 54))
    missing = requests.get(tile.replace("N31", "N32"), timeout=5)
    assert missing.status_code == 404 and "NoSuchKey" in missing.text


# Earthquakes.


def test_news_comes_as_the_clock_reaches_it(world: Addresses, clock: Any) -> None:
    start = datetime(2023, 9, 8, 21, 59, tzinfo=UTC)
    clock(start)

    async def listen() -> list[str]:
        heard = []
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{world['emsc']}/standing_order/websocket") as socket,
        ):
            with pytest.raises(TimeoutError):
                await socket.receive(timeout=0.1)
            for minute in (1, 31):
                await asyncio.to_thread(clock, start + timedelta(minutes=minute))
                heard.append((await socket.receive(timeout=2)).data)
        return heard

    heard = [json.loads(text) for text in asyncio.run(listen())]
    assert heard == [_news("a", 0, 6.9), _news("b", 30, 4.9)]


def test_a_socket_that_falls_silent_is_closed(world: Addresses) -> None:
    async def listen(ping: bool) -> aiohttp.WSMsgType:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{world['emsc']}/standing_order/websocket") as socket,
        ):
            for _ in range(10 if ping else 0):
                await socket.ping()
                with pytest.raises(TimeoutError):
                    await socket.receive(timeout=0.05)
            return (await socket.receive(timeout=0.05 if ping else 1)).type

    assert asyncio.run(listen(ping=False)) is aiohttp.WSMsgType.CLOSE
    with pytest.raises(TimeoutError):
        asyncio.run(listen(ping=True))


def test_the_event_service_lags_and_finds(world: Addresses, clock: Any) -> None:
    url = f"{world['emsc']}/fdsnws/event/1/query"
    clock(datetime(2023, 9, 8, 22, 30, 30, tzinfo=UTC))
    asked = {"format": "json", "start": "2023-09-08", "minmag": "4"}
    first = requests.get(url, params=asked, timeout=5).json()
    assert [one["id"] for one in first["features"]] == ["a"]
    clock(datetime(2023, 9, 8, 22, 31, 30, tzinfo=UTC))
    second = requests.get(url, params=asked, timeout=5).json()
    assert second["features"] == [_news("b", 30, 4.9)["data"], _news("a", 0, 6.9)["data"]]
    one = requests.get(url, params={"format": "json", "eventid": "a"}, timeout=5).json()
    assert one["properties"]["unid"] == "a"
    nothing = requests.get(url, params={"format": "json", "minmag": "9"}, timeout=5)
    assert nothing.status_code == 204
    assert requests.get(url, params={"format": "geojson"}, timeout=5).status_code == 400


# The world itself.


def test_the_usual_world_has_what_the_folder_has(folder: Path) -> None:
    with running(usual_world(folder, datetime(2023, 10, 1, tzinfo=UTC), speed=0)) as addresses:
        assert set(addresses) == {"cdse", "rolling", "archive", "asf", "orbits", "dem", "control"}
        state = requests.get(f"{addresses['control']}/state", timeout=5).json()
    offered = {hub["name"]: hub.get("products") for hub in state["hubs"]}
    assert offered["cdse"] == 103
    # The old ones have left the rolling archive; of the others, each hub has its own part.
    assert offered["rolling"] <= 3 < offered["archive"] < offered["asf"] < 103


def test_a_large_file_is_sent_in_pieces(tmp_path: Path) -> None:
    tile = tmp_path / f"{TILE}.tif"
    with tile.open("wb") as file:
        file.truncate(64_000_000)
    size = 0
    with running(WorldConfig(hubs=[DemConfig(name="dem", folder=tmp_path)])) as addresses:
        url = f"{addresses['dem']}/{TILE}/{TILE}.tif"
        requests.head(url, timeout=5).raise_for_status()
        tracemalloc.start()
        with requests.get(url, stream=True, timeout=5) as answer:
            for piece in answer.iter_content(100_000):
                size += len(piece)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert size == 64_000_000 and peak < 5_000_000


def test_a_world_is_read_from_a_file(folder: Path) -> None:
    path = folder / "world.json"
    path.write_text(
        json.dumps(
            {
                "products": "products",
                "hubs": [
                    {"kind": "dhus", "name": "mirror", "offer": {"share": 0.5, "delay_s": 3600}},
                    {"kind": "dem", "name": "heights", "folder": "dem"},
                ],
                "start": "2023-09-10T00:00:00Z",
                "faults": [{"name": "slow", "fault": {"kind": "latency", "seconds": 0.1}}],
            }
        )
    )
    config = read_world(path)
    assert config.products == folder / "products" and config.hubs[1].folder == folder / "dem"
    path.write_text(json.dumps({"hubs": [{"kind": "fax", "name": "x"}]}))
    with pytest.raises(ConfigurationError, match="not a sandbox"):
        read_world(path)
    with pytest.raises(ValueError, match="two servers are named 'x'"):
        WorldConfig(hubs=[DhusConfig(name="x"), CdseConfig(name="x")])


def test_what_cannot_be_served_is_said_at_once(world: Addresses, tmp_path: Path) -> None:
    taken = urlsplit(world["dhus"]).port
    assert taken is not None
    with (
        pytest.raises(ConfigurationError, match="cannot be opened"),
        running(WorldConfig(hubs=[DhusConfig(name="other", port=taken)])),
    ):
        pass
    (tmp_path / "talk.jsonl").write_text("{}\n")
    with (
        pytest.raises(InputError, match="line 1"),
        running(WorldConfig(hubs=[EmscConfig(name="emsc", conversation=tmp_path / "talk.jsonl")])),
    ):
        pass


def test_the_state_of_the_world_is_told(world: Addresses) -> None:
    state = requests.get(f"{world['control']}/state", timeout=5).json()
    hubs = {hub["name"]: hub for hub in state["hubs"]}
    assert state["now"] == START.isoformat() and state["speed"] == 0
    assert hubs["dhus"]["products"] == 103 and hubs["dhus"]["address"] == world["dhus"]
    seen = requests.get(f"{world['control']}/requests", timeout=5).json()
    assert all({"method", "path", "status", "faults"} <= set(one) for one in seen["dhus"])
    wrong = requests.post(f"{world['control']}/time", json={"now": "2023-01-01"}, timeout=5)
    assert wrong.status_code == 400
