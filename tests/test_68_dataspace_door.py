"""The door that speaks as a Data Space: CDSETool and our own connector, over the sandbox's hubs."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import shapely
from cdsetool.credentials import Credentials, InvalidCredentialsException
from cdsetool.download import download_feature, download_features
from cdsetool.query import describe_collection, query_features
from databases import fresh_database
from hub_world import hub, make_products, world
from programs_world import PASSWORD, READER, USER, WHO, portal_over
from sandbox_safe import to_loopback

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.embedded import EmbeddedPostgres
from geobservatory.hubs.connectors import connect
from geobservatory.hubs.model import Query
from geobservatory.sandbox.servers.cdse import CdseConfig
from geobservatory.sandbox.servers.dhus import DhusConfig
from geobservatory.settings.portal import Role
from geobservatory.transfer.source import HubRefusedError
from portal.access.passwords import hashed

OPENID = "/auth/realms/CDSE/.well-known/openid-configuration"
TOKEN = "/auth/realms/CDSE/protocol/openid-connect/token"
AREA = "POLYGON((-9 31,-8 31,-8 32,-9 32,-9 31))"
HUBS = (DhusConfig(name="dhus"), CdseConfig(name="cdse", linger_s=0.1))


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("space") / "products"
    make_products(folder, 40)
    return folder


@pytest.fixture(scope="module")
def door(
    products: Path, embedded: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Catalog]]:
    folder = tmp_path_factory.mktemp("portal")
    with (
        world(products, HUBS) as addresses,
        fresh_database(embedded.status().url or "") as url,
        portal_over(addresses, url, folder) as opened,
    ):
        yield opened


@pytest.fixture
def space(door: tuple[str, Catalog], monkeypatch: pytest.MonkeyPatch) -> str:
    hosts = [f"https://{name}.dataspace.copernicus.eu" for name in ("catalogue", "download")]
    to_loopback(monkeypatch, dict.fromkeys(hosts, door[0]))
    return door[0]


def credentials(address: str, user: str = USER, password: str = PASSWORD) -> Credentials:
    return Credentials(user, password, openid_configuration_endpoint=address + OPENID)


def september(**more: Any) -> Any:
    asked = {
        "contentDateStartGe": "2023-09-01",
        "contentDateStartLe": "2023-10-01",
        "productTypeEq": "IW_SLC__1S",
        "orbitDirectionEq": "DESCENDING",
        "relativeOrbitNumberEq": 52,
        "top": 2,
        **more,
    }
    return query_features("SENTINEL-1", asked)


def original(products: Path, name: str) -> Path:
    return products / f"{name.removesuffix('.zip').removesuffix('.SAFE')}.zip"


def digest(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


# CDSETool.


def test_cdsetool_searches_and_pages(space: str) -> None:
    found = september(geometry=AREA)
    names = [one["Name"] for one in found]
    assert len(found) == 3 == len(set(names))
    assert all(name.endswith(".SAFE") for name in names)
    many = query_features("SENTINEL-1", {"contentDateStartLe": "2022-02-01", "top": 15})
    assert len({one["Id"] for one in many}) == 40 == len(many)
    expanded = list(query_features(
        "SENTINEL-1", {"name": "_20230904T", "top": 5}, options={"expand_attributes": True}
    ))  # fmt: skip
    told = {one["Name"]: one["Value"] for one in expanded[0]["Attributes"]}
    assert told["relativeOrbitNumber"] == 52 and told["productType"] == "IW_SLC__1S"
    assert "relativeOrbitNumber" in describe_collection("SENTINEL-1")


def test_cdsetool_downloads(space: str, products: Path, tmp_path: Path) -> None:
    shown = {"credentials": credentials(space)}
    names = list(download_features(september(), str(tmp_path), {**shown, "concurrency": 2}))
    assert len(names) == 3
    for name in names:
        assert name is not None
        assert (tmp_path / name).read_bytes() == original(products, name).read_bytes()
    first = next(iter(september()))
    files = {**shown, "filter_pattern": "*annotation/*.xml"}
    assert download_feature(first, str(tmp_path / "files"), files) == first["Name"]
    (annotation,) = (tmp_path / "files" / first["Name"]).glob("annotation/*.xml")
    assert annotation.stat().st_size > 0


def test_who_logs_in(door: tuple[str, Catalog], space: str) -> None:
    with pytest.raises(InvalidCredentialsException):
        credentials(space, password="wrong-horse-battery")

    def grant(**form: str) -> requests.Response:
        return requests.post(space + TOKEN, data={"client_id": "cdse-public", **form}, timeout=20)

    opened = grant(grant_type="password", username=USER, password=PASSWORD).json()
    assert opened["expires_in"] <= 600 and opened["refresh_expires_in"] <= 3600
    renewed = grant(grant_type="refresh_token", refresh_token=opened["refresh_token"])
    assert renewed.status_code == 200 and renewed.headers["Cache-Control"] == "no-store"
    # An access token refreshes nothing, and a refresh token opens nothing.
    assert (
        grant(grant_type="refresh_token", refresh_token=opened["access_token"]).status_code == 400
    )
    for wrong in ({"grant_type": "password"}, {"grant_type": "none"}, {}):
        assert grant(**wrong).status_code in (400, 401)
    found = next(iter(september()))
    url = f"{space}/odata/v1/Products({found['Id']})/$value"

    def ask(token: str) -> int:
        shown = {"Authorization": f"Bearer {token}", "Range": "bytes=0-9"}
        return requests.get(url, headers=shown, timeout=20).status_code

    token = renewed.json()["access_token"]
    assert ask(token) == 206 and ask(opened["access_token"]) == 206
    head, body, sign = token.split(".")
    forged = [
        f"{head}.{body}.{sign[::-1]}",
        f"{head}.{body}.",
        opened["refresh_token"],
        "a.b.c",
        "x",
    ]
    assert [ask(one) for one in forged] == [401] * len(forged)
    assert requests.get(url, timeout=20).status_code == 401
    reader = grant(grant_type="password", username=READER, password=PASSWORD).json()
    assert ask(reader["access_token"]) == 403
    door[1].disable(USER, disabled=True)
    try:
        assert ask(token) == 401
        again = grant(grant_type="refresh_token", refresh_token=opened["refresh_token"])
        assert again.status_code == 400
    finally:
        door[1].disable(USER, disabled=False)


def grant(space: str, **form: str) -> requests.Response:
    return requests.post(space + TOKEN, data={"client_id": "cdse-public", **form}, timeout=20)


def test_a_session_ends_with_what_it_was_begun_with(door: tuple[str, Catalog], space: str) -> None:
    catalog = door[1]
    catalog.add_account("cleo", Role.DOWNLOADER, hashed(PASSWORD))
    (product, *_) = list(september())

    def ask(opened: dict[str, Any]) -> tuple[int, int]:
        shown = {"Authorization": f"Bearer {opened['access_token']}", "Range": "bytes=0-9"}
        url = f"{space}/odata/v1/Products({product['Id']})/$value"
        got = requests.get(url, headers=shown, timeout=20)
        again = {"grant_type": "refresh_token", "refresh_token": opened["refresh_token"]}
        return got.status_code, grant(space, **again).status_code

    def log_in(password: str) -> dict[str, Any]:
        opened = grant(space, grant_type="password", username="cleo", password=password)
        assert opened.status_code == 200
        return opened.json()

    by_password = log_in(PASSWORD)
    token, secret = catalog.new_token(
        catalog.account("cleo").id, "nightly", ("read", "download"),
        datetime.now(UTC) + timedelta(hours=1),
    )  # fmt: skip
    by_token = log_in(secret)
    assert ask(by_password) == ask(by_token) == (206, 200)
    # A new password ends what the old one began, at once; API tokens go on, and so do theirs.
    catalog.set_password("cleo", hashed("another horse battery"))
    assert ask(by_password) == (401, 400)
    assert ask(by_token) == (206, 200)
    assert ask(log_in("another horse battery")) == (206, 200)
    catalog.revoke_token(token.id)
    assert ask(by_token) == (401, 400)
    for name in ("nobody", "cl\0eo", "", "x" * 299):
        assert grant(space, grant_type="password", username=name, password="x").status_code == 401


def test_a_token_for_downloads_finds_what_it_downloads(
    door: tuple[str, Catalog], space: str, products: Path
) -> None:
    """At every door: it finds products and fetches them, and reads nothing else."""
    catalog = door[1]
    (product, *_) = list(september())
    life = datetime.now(UTC) + timedelta(hours=1)
    _, secret = catalog.new_token(catalog.account(USER).id, "nightly", ("download",), life)
    shown = {"Authorization": f"Bearer {secret}"}
    session = grant(space, grant_type="password", username=USER, password=secret).json()
    of_session = {"Authorization": f"Bearer {session['access_token']}"}
    one = f"Products({product['Id']})"
    dhus = f"/dhus/odata/v1/Products('{product['Id']}')"
    asked = {"$filter": f"Name eq '{product['Name']}'"}
    for headers in (shown, of_session):
        found = requests.get(f"{space}/odata/v1/Products", asked, headers=headers, timeout=20)
        assert [found.json()["value"][0]["Id"]] == [product["Id"]]
        for path in (one, f"{one}/Nodes"):
            answer = requests.get(f"{space}/odata/v1/{path}", headers=headers, timeout=20)
            assert answer.status_code == 200, path
        content = requests.get(
            f"{space}/odata/v1/{one}/$value", headers=headers, timeout=20
        ).content
        assert digest(content) == digest(original(products, product["Name"]).read_bytes())
    for path in ("/dhus/search?q=*", dhus, f"{dhus}/Nodes", "/stac/search?collections=sentinel-1"):
        assert requests.get(space + path, headers=shown, timeout=20).status_code == 200, path
    for path in ("/api/events", "/ogc/collections", "/metrics", "/hubs"):
        assert requests.get(space + path, headers=shown, timeout=20).status_code == 403, path
    results = requests.get(
        f"{space}/stac/search?collections=interferograms", headers=shown, timeout=20
    )
    assert results.json()["numberMatched"] == 0
    file = "/stac/collections/interferograms/items/one/files/los_displacement.tif"
    assert requests.get(space + file, headers=shown, timeout=20).status_code == 403
    # One that only reads downloads nothing.
    _, reading = catalog.new_token(catalog.account(USER).id, "looking", ("read",), life)
    shown = {"Authorization": f"Bearer {reading}"}
    assert requests.get(f"{space}/odata/v1/{one}", headers=shown, timeout=20).status_code == 200
    refused = requests.get(f"{space}/odata/v1/{one}/$value", headers=shown, timeout=20)
    assert refused.status_code == 403


# The filter language.


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ("Collection/Name eq 'SENTINEL-1' and ContentDate/Start gt 2023-09-01T00:00:00.000Z", 3),
        ("Collection/Name eq 'SENTINEL-2'", 0),
        ("contains(Name,'_20230904T')", 1),
        ("startswith(Name,'S1A_IW_SLC__1SDV_202309')", 3),
        ("endswith(Name,'.SAFE') and not (ContentDate/Start lt 2023-09-01T00:00:00.000Z)", 3),
        (f"OData.CSC.Intersects(area=geography'SRID=4326;{AREA}') and contains(Name,'_2023')", 3),
        ("Attributes/OData.CSC.IntegerAttribute/any(a:a/Name eq 'relativeOrbitNumber' and"
         " a/OData.CSC.IntegerAttribute/Value eq 52) and Online eq true", 3),
        ("Attributes/OData.CSC.StringAttribute/any(a:a/Name eq 'polarisationChannels' and"
         " a/OData.CSC.StringAttribute/Value eq 'VV&VH') and contains(Name,'_202309')", 3),
        ("PublicationDate gt 2030-01-01T00:00:00.000Z", 0),
        ("Name in ('a','b')", 0),
        ("ContentLength gt 100000 and contains(Name,'_202309')", 3),
    ],
)  # fmt: skip
def test_filters(space: str, asked: str, count: int) -> None:
    list(september())
    answer = requests.get(
        f"{space}/odata/v1/Products",
        params={"$filter": asked, "$count": "True", "$orderby": "PublicationDate desc"},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["@odata.count"] == count == len(answer.json()["value"])
    times = [one["PublicationDate"] for one in answer.json()["value"]]
    assert times == sorted(times, reverse=True)


def test_entities_and_nodes(space: str, products: Path) -> None:
    found = next(iter(september()))
    root = f"{space}/odata/v1/Products({found['Id']})"
    entity = requests.get(root, params={"$expand": "Attributes,Assets"}, timeout=20).json()
    path = original(products, entity["Name"])
    assert entity["ContentLength"] == path.stat().st_size and entity["Assets"] == []
    sums = {one["Algorithm"]: one["Value"] for one in entity["Checksum"]}
    assert sums["MD5"] == digest(path.read_bytes()) and "BLAKE3" in sums
    assert entity["GeoFootprint"]["type"] == "Polygon" and entity["Attributes"]
    (safe,) = requests.get(f"{root}/Nodes", auth=WHO, timeout=20).json()["result"]
    below = requests.get(safe["Nodes"]["uri"], auth=WHO, timeout=20).json()["result"]
    assert [one["Name"] for one in below] == ["annotation", "manifest.safe", "measurement"]
    manifest = f"{root}/Nodes({safe['Name']})/Nodes(manifest.safe)/$value"
    assert requests.get(manifest, auth=WHO, timeout=20).content.startswith(b"<?xml")


# Another system that has this door as a hub.


@pytest.mark.parametrize("kind", ["cdse", "geobservatory", "dhus"])
def test_a_hub_for_others(
    kind: str, door: tuple[str, Catalog], products: Path, tmp_path: Path
) -> None:
    address = door[0] if kind == "cdse" else f"{door[0]}/dhus"
    connector = connect(hub(kind, address, user=USER, password=PASSWORD), tmp_path)
    area = shapely.box(-9, 31, -8, 32)
    found = [one for page in connector.search(Query(area=area, relative_orbit=52)) for one in page]
    assert len(found) == 3
    name = found[0].product.name
    offer = connector.find(name)
    assert offer is not None and offer.online is True and offer.checksums["md5"]
    content = b"".join(connector.source(offer).open().chunks)
    assert digest(content) == offer.checksums["md5"] and len(content) == offer.size
    assert b"".join(connector.source(offer).open(1000).chunks) == content[1000:]
    inside = connector.inside(offer)
    (measurement,) = [one for one in inside.members() if one.startswith("measurement/")]
    assert len(b"".join(inside.source(measurement).open().chunks)) == 300_000
    part = inside.source(measurement).open(1000, 3000)
    assert len(b"".join(part.chunks)) == 2000
    stranger = connect(hub(kind, address, user=USER, password="wrong-horse"), tmp_path / "x")
    with pytest.raises(HubRefusedError):
        stranger.source(offer).open()
