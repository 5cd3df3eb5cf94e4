"""The door that speaks STAC: pystac-client, GDAL, and what the specification asks."""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
import requests
from databases import fresh_database
from hub_world import make_products, world
from programs_world import WHO, portal_over, serving_settings
from pystac_client import Client
from pystac_client.exceptions import APIError
from shapely import Polygon, box
from shapely.geometry import mapping
from sqlalchemy import text
from test_32_pairs import PAIR, TIME
from test_55_products import check_against_schema, describe

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.embedded import EmbeddedPostgres
from geobservatory.catalog.interferograms import File
from geobservatory.events.form import ActivationForm
from geobservatory.insar.map_grid import MapGrid
from geobservatory.products.cog import write_cog
from geobservatory.products.description import Asset
from geobservatory.products.stac import make_item, write_item
from geobservatory.sandbox.servers.cdse import CdseConfig
from geobservatory.sandbox.servers.dhus import DhusConfig
from geobservatory.settings.model import Settings

MANY = 25
GRID = MapGrid("EPSG:32637", 499_960.0, 4_380_040.0, 40.0, 600, 700)
TIFF = "image/tiff; application=geotiff; profile=cloud-optimized"
RESULTS, SCENES = "interferograms", "sentinel-1"
# Filled by the fixture: the pixels of the map, to compare with.
VALUES = (np.indices((GRID.rows, GRID.cols)).sum(0) / 1000).astype(np.float32)


def publish(catalog: Catalog, products: Path) -> str:
    """Enter an interferogram with a real map, as a flow does; gives its activation."""
    form = ActivationForm(event_time=TIME, longitude=-8.4, latitude=31.1, radius_km=30)
    activation = catalog.request_activation(form.to_request())[0].id
    about = describe()
    shown = replace(PAIR, reference_time=about.reference.time, secondary_time=about.secondary.time)
    catalog.record_pairs(activation, [shown])
    begun = catalog.begin_interferogram(activation, PAIR.id, "native", "digest")
    folder = products / begun.folder
    folder.mkdir(parents=True)
    path = folder / "displacement.tif"
    write_cog(path, VALUES, GRID, description="LOS", units="m", tags={})
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    asset = Asset(
        "Displacement", "LOS", ("data",), TIFF, digest, path.stat().st_size, "m", "float32"
    )
    write_item(folder / "metadata.json", make_item(describe(grid=GRID, assets={path.name: asset})))
    files = {
        one.stem: File(
            str(one.relative_to(products)),
            one.stat().st_size,
            hashlib.sha256(one.read_bytes()).hexdigest(),
        )
        for one in (path, folder / "metadata.json")
    }
    footprint = mapping(about.footprint)
    catalog.finish_interferogram(begun.id, "good", {}, {}, {}, files, footprint)
    return activation


def publish_many(catalog: Catalog, activation: str, count: int) -> None:
    """Enter interferograms whose files are not there: who reads them finds nothing."""
    pairs = text(
        "INSERT INTO pairs (id, activation_id, kind, relative_orbit, direction, reference_time,"
        " secondary_time, reference, secondary, reason) SELECT 'many-' || n, :activation,"
        " 'co-event', 1 + n % 175, 'ascending', timestamptz '2020-01-01' + n * interval '1 h',"
        " timestamptz '2020-01-13' + n * interval '1 h', '{}', '{}', 'made up'"
        " FROM generate_series(1, :count) n"
    )
    made = text(
        "INSERT INTO interferograms (id, pair_id, version, engine, state, verdict, quality,"
        " parameters, provenance, folder, footprint, west, south, east, north)"
        " SELECT 'many-' || n || '-v1', 'many-' || n, 1, 'native', 'complete', 'good', '{}', '{}',"
        " '{}', 'many/' || n, jsonb_build_object('type', 'Polygon', 'coordinates',"
        " jsonb_build_array(jsonb_build_array(jsonb_build_array(w, 0), jsonb_build_array(w + 1, 0),"
        " jsonb_build_array(w, 1), jsonb_build_array(w, 0)))), w, 0, w + 1, 1"
        " FROM generate_series(1, :count) n, LATERAL (SELECT n % 100 AS w) place"
    )
    files = text(
        "INSERT INTO product_files (interferogram_id, role, path, size_bytes, sha256)"
        " SELECT 'many-' || n || '-v1', role, 'many/' || n || '/' || role || kind, 10,"
        " repeat('a', 64) FROM generate_series(1, :count) n,"
        " (VALUES ('los_displacement', '.tif'), ('metadata', '.json')) one (role, kind)"
    )
    with catalog.engine.begin() as connection:
        connection.execute(pairs, {"count": count, "activation": activation})
        connection.execute(made, {"count": count})
        connection.execute(files, {"count": count})


@pytest.fixture(scope="module")
def door(
    embedded: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Catalog]]:
    folder = tmp_path_factory.mktemp("stac")
    make_products(folder / "products", MANY)
    hubs = (DhusConfig(name="dhus"), CdseConfig(name="cdse", linger_s=0.1))
    with (
        world(folder / "products", hubs) as addresses,
        fresh_database(embedded.status().url or "") as url,
        portal_over(addresses, url, folder) as (address, catalog),
    ):
        publish(catalog, folder / "data" / "products")
        yield address, catalog


@pytest.fixture
def client(door: tuple[str, Catalog]) -> Client:
    return Client.open(f"{door[0]}/stac")


def scenes(client: Client, **asked: Any) -> list[pystac.Item]:
    given = {"collections": [SCENES], "datetime": "2023-09-01T00:00:00Z/2023-10-01T00:00:00Z"}
    return list(client.search(**{**given, **asked}).items())


# pystac-client.


def test_what_there_is(client: Client) -> None:
    assert {one.id for one in client.get_collections()} == {RESULTS, SCENES}
    for one in client.get_collections():
        one.validate()
    assert client.conforms_to("ITEM_SEARCH") and client.conforms_to("COLLECTIONS")
    assert client.get_collection(RESULTS) is not None


def test_products_are_found(client: Client) -> None:
    found = scenes(client)
    assert len(found) == 3
    for item in found:
        check_against_schema(item.to_dict(include_self_link=False))
        assert item.properties["sat:relative_orbit"] == 52 and item.properties["geobs:online"]
        assert item.collection_id == SCENES
    search = {"method": "GET", "bbox": [-9, 31, -8, 32]}
    assert {one.id for one in scenes(client, **search)} == {one.id for one in found}
    assert len(scenes(client, intersects=mapping(box(-9, 31, -8, 32)))) == 3
    assert len(scenes(client, intersects=mapping(box(0, 0, 1, 1)))) == 0
    assert [one.id for one in scenes(client, ids=[found[0].id])] == [found[0].id]
    assert len(scenes(client, ids=["none"])) == 0
    ordered = [one.datetime for one in scenes(client, sortby="+datetime")]
    assert ordered == sorted(one for one in ordered if one)
    collection = client.get_collection(SCENES)
    assert collection is not None
    own = collection.get_item(found[0].id)
    assert own is not None and own.id == found[0].id
    assert collection.get_item("none") is None


def test_areas_that_begin_alike_are_two(client: Client) -> None:
    """What is kept of a search is of that search, however long its area is."""
    corners = [(-30.0 + number / 100, 60.0) for number in range(60)]
    away = Polygon([*corners, (-29, 61), (-30, 61)])
    here = Polygon([*corners, (-8.0, 31.0), (-9.0, 31.0)])
    assert len(scenes(client, intersects=mapping(away))) == 0
    assert len(scenes(client, intersects=mapping(here))) == 3


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_pages(client: Client, method: str) -> None:
    search = client.search(
        method=method, collections=[SCENES], datetime="2022-01-01T00:00:00Z/2022-01-31T00:00:00Z",
        limit=7, sortby="-datetime",
    )  # fmt: skip
    pages = [page["features"] for page in search.pages_as_dicts()]
    assert [len(page) for page in pages] == [7, 7, 7, 4]
    names = [one["id"] for page in pages for one in page]
    assert len(set(names)) == MANY and search.matched() == MANY
    at = [one["properties"]["datetime"] for page in pages for one in page]
    assert at == sorted(at, reverse=True)


def test_results_are_found_and_read(client: Client, door: tuple[str, Catalog]) -> None:
    (item,) = client.search(collections=[RESULTS]).items()
    check_against_schema(item.to_dict(include_self_link=False))
    assert item.properties["geobs:verdict"] and item.properties["geobs:activation"]
    assert len(list(client.search(collections=[RESULTS], bbox=[39, 39, 40, 40]).items())) == 1
    assert len(list(client.search(collections=[RESULTS], bbox=[0, 0, 1, 1]).items())) == 0
    during = "2026-11-05T00:00:00Z/2026-11-06T00:00:00Z"
    assert len(list(client.search(collections=[RESULTS], datetime=during).items())) == 1
    assert (
        len(list(client.search(collections=[RESULTS], datetime="../2026-01-01T00:00:00Z").items()))
        == 0
    )
    asset = item.assets["displacement.tif"]
    today = datetime.now(UTC).date()
    span = today - timedelta(days=1), today + timedelta(days=1)
    before = sum(one.count for one in door[1].numbers(*span).results)
    content = requests.get(asset.href, timeout=20)
    deadline = time.monotonic() + 20
    # Counted once the last byte has gone out.
    while sum(one.count for one in door[1].numbers(*span).results) == before:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert content.headers["Content-Type"] == TIFF
    assert (
        "1220" + hashlib.sha256(content.content).hexdigest() == asset.extra_fields["file:checksum"]
    )
    collection = client.get_collection(RESULTS)
    assert collection is not None
    (own,) = collection.get_items()
    assert own.id == item.id


def test_gdal_reads_a_map_by_its_address(client: Client) -> None:
    (item,) = client.search(collections=[RESULTS]).items()
    href = item.assets["displacement.tif"].href
    with (
        rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR", CPL_VSIL_CURL_CHUNK_SIZE="65536"),
        rasterio.open(f"/vsicurl/{href}") as opened,
    ):
        assert opened.crs == GRID.crs and opened.shape == VALUES.shape
        window = rasterio.windows.Window(400, 300, 60, 50)
        np.testing.assert_array_equal(opened.read(1, window=window), VALUES[300:350, 400:460])
        assert opened.overviews(1)


def test_a_product_of_a_search_is_downloaded(client: Client) -> None:
    item = scenes(client)[0]
    asset = item.assets["product"]
    assert requests.get(asset.href, timeout=20).status_code == 401
    content = requests.get(asset.href, auth=WHO, timeout=60).content
    assert len(content) == asset.extra_fields["file:size"]
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert asset.extra_fields["file:checksum"] == f"d50110{digest}"


def test_everything_at_once(client: Client) -> None:
    # What nobody has asked hubs for is not known yet.
    scenes(client)
    kinds = [one.collection_id for one in client.search(limit=100).items()]
    assert kinds[0] == RESULTS and set(kinds) == {RESULTS, SCENES}


def test_thousands_of_results_come_page_by_page_from_the_catalogue(
    embedded: EmbeddedPostgres, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    with (
        fresh_database(embedded.status().url or "") as url,
        serving_settings(settings, url) as (address, catalog),
    ):
        publish_many(catalog, publish(catalog, tmp_path / "data" / "products"), 2500)
        client = Client.open(f"{address}/stac")
        search = client.search(collections=[RESULTS], limit=1000, sortby="-datetime")
        pages = [page["features"] for page in search.pages_as_dicts()]
        assert [len(page) for page in pages] == [1000, 1000, 501]
        found = [one for page in pages for one in page]
        assert len({one["id"] for one in found}) == search.matched() == 2501
        at = [one["properties"]["datetime"] for one in found]
        assert at == sorted(at, reverse=True)
        # Pages after the first are of what was found with it, whatever comes in meanwhile.
        asked = {"collections": RESULTS, "limit": "2"}
        first = requests.get(f"{address}/stac/search", asked, timeout=20).json()
        with catalog.engine.begin() as connection:
            newest = "UPDATE interferograms SET created_at = now() WHERE id = :one"
            late = "UPDATE pairs SET secondary_time = now() WHERE id = :one"
            for statement, one in ((newest, "many-9-v1"), (late, "many-9")):
                connection.execute(text(statement), {"one": one})
        link = next(one["href"] for one in first["links"] if one["rel"] == "next")
        second = requests.get(link, timeout=20).json()
        assert first["numberMatched"] == second["numberMatched"] == 2501
        shown = [one["id"] for page in (first, second) for one in page["features"]]
        assert shown == [one["id"] for one in found[:4]]
        # Of these what lies beside the files cannot be read: the catalogue is told.
        check_against_schema(found[1])
        assert found[1]["assets"]["los_displacement.tif"]["file:size"] == 10
        # A triangle: its box holds more than it does.
        inside, beside = [7.1, 0.1, 7.2, 0.2], [7.9, 0.9, 7.95, 0.95]
        met = client.search(collections=[RESULTS], bbox=inside, limit=100)
        assert met.matched() == 25 and len(list(met.items())) == 25
        assert client.search(collections=[RESULTS], bbox=beside).matched() == 0
        (one,) = client.search(collections=[RESULTS], ids=["many-7-v1"]).items()
        assert requests.get(one.assets["metadata.json"].href, timeout=20).status_code == 503


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_fields(client: Client, method: str) -> None:
    def found(fields: Any, **more: Any) -> dict[str, Any]:
        asked = {"collections": [RESULTS], "method": method, "fields": fields, **more}
        (item,) = client.search(**asked).items_as_dicts()
        return item

    assert client.conforms_to("FIELDS")
    always = {"type", "stac_version", "id", "collection"}
    whole = found(None)
    some = found(["properties.geobs:verdict", "assets.displacement.tif.href", "bbox", "nothing.x"])
    assert set(some) == always | {"properties", "assets", "bbox"}
    assert some["properties"] == {"geobs:verdict": whole["properties"]["geobs:verdict"]}
    href = whole["assets"]["displacement.tif"]["href"]
    assert some["assets"] == {"displacement.tif": {"href": href}}
    rest = found(["-geometry", "-properties.geobs:quality"])
    assert set(rest) == set(whole) - {"geometry"}
    assert set(whole["properties"]) - set(rest["properties"]) == {"geobs:quality"}
    # The more exact of two names counts, and what is kept of an item stays whole.
    both = found(["properties", "-properties.datetime", "-assets", "assets.displacement.tif"])
    assert set(both["properties"]) == set(whole["properties"]) - {"datetime"}
    assert set(both["assets"]) == {"displacement.tif"} and "geometry" not in both
    assert found(None) == whole
    # Pages after the first show the same; an item that is whole enough is one.
    pages = client.search(
        method=method, collections=[SCENES], datetime="2022-01-01T00:00:00Z/2022-01-31T00:00:00Z",
        limit=7, fields=["id"],
    ).pages_as_dicts()  # fmt: skip
    assert all(set(one) == always for page in pages for one in page["features"])
    (item,) = client.search(
        method=method, collections=[RESULTS], fields=["-properties.geobs:quality"]
    ).items()
    check_against_schema(item.to_dict(include_self_link=False))


# What the specification asks.


def test_links_lead_on(door: tuple[str, Catalog]) -> None:
    landing = requests.get(f"{door[0]}/stac", timeout=20).json()
    by_rel = {one["rel"]: one for one in landing["links"]}
    for rel in ("self", "root", "conformance", "data", "service-desc", "service-doc", "child"):
        answer = requests.get(by_rel[rel]["href"], timeout=20)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith(by_rel[rel]["type"].split(";")[0])
    described = requests.get(by_rel["service-desc"]["href"], timeout=20).json()
    assert described["openapi"].startswith("3.") and "/stac/search" in described["paths"]
    assert requests.get(by_rel["conformance"]["href"], timeout=20).json()["conformsTo"]


WRONG: list[dict[str, Any]] = [
    {"bbox": "1,2,3"},
    {"bbox": "a,b,c,d"},
    {"bbox": "0,91,1,92"},
    {"bbox": "0,1,1,0"},
    {"bbox": "nan,nan,nan,nan"},
    {"bbox": "1,2,3,4,5,6,7"},
    {"bbox": "0,0,1,1", "intersects": '{"type": "Point", "coordinates": [0, 0]}'},
    {"intersects": "POINT(0 0)"},
    {"intersects": '{"type": "Point"}'},
    {"intersects": '{"type": "Point", "coordinates": [500, 0]}'},
    {"intersects": '{"type": "Polygon", "coordinates": [[[0, 0]]]}'},
    {"intersects": "[" * 5000},
    {"datetime": "yesterday"},
    {"datetime": "/"},
    {"datetime": "../.."},
    {"datetime": "2023-01-01"},
    {"datetime": "2023-13-01T00:00:00Z"},
    {"datetime": "2023-01-02T00:00:00Z/2023-01-01T00:00:00Z"},
    {"datetime": "2023-01-01T00:00:00Z/2023-01-02T00:00:00Z/2023-01-03T00:00:00Z"},
    {"limit": "0"},
    {"limit": "-1"},
    {"limit": "many"},
    {"token": "x"},
    {"sortby": "properties.geobs:quality"},
    {"fields": ",".join(["a"] * 101)},
    {"fields": "a" * 201},
    {"ids": ",".join(str(number) for number in range(500))},
]


@pytest.mark.parametrize("asked", WRONG)
def test_what_is_no_search_is_400(door: tuple[str, Catalog], asked: dict[str, str]) -> None:
    answer = requests.get(f"{door[0]}/stac/search", params=asked, timeout=20)
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] and answer.json()["description"]


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"x"', b"[" * 100_000, b'{"limit": true}', b'{"ids": [1]}',
             b'{"bbox": {}}', b'{"fields": 1}', b'{"fields": {"include": "id"}}',
             b'{"fields": {"exclude": [1]}}', b'{"fields": [""]}',
             b'{"datetime": 5}', b'{"intersects": 5}',
             b'{"sortby": [{"direction": "asc"}]}',
             rb'{"collections": "\u0000"}', b"{" + b" " * (1 << 20) + b"}"],
)  # fmt: skip
def test_what_is_no_body_is_400(door: tuple[str, Catalog], body: bytes) -> None:
    answer = requests.post(f"{door[0]}/stac/search", data=body, timeout=20)
    assert answer.status_code == 400, answer.text


def test_times_as_rfc_3339_has_them(client: Client) -> None:
    (first, *_) = scenes(client, sortby="+datetime")
    assert first.datetime is not None
    for when in ("2023-09-04T06:37:40Z", "2023-09-04t06:37:40.5z", "2023-09-04T08:37:40+02:00",
                 "2023-09-04T06:37:40.123456789Z"):  # fmt: skip
        # Sensing for 27 s meets a time within them.
        assert [one.id for one in scenes(client, datetime=when)] == [first.id]
    # Some hubs tell milliseconds, and others more.
    exact = datetime(2023, 9, 4, 6, 37, 30, 213065, tzinfo=UTC)
    assert abs(first.datetime - exact) < timedelta(milliseconds=1)


def test_over_the_antimeridian(client: Client) -> None:
    assert scenes(client, bbox=[170, 30, -170, 32]) == []
    assert len(scenes(client, bbox=[-20, 20, 0, 40])) == 3


@pytest.mark.parametrize(
    "path",
    ["/collections/none", "/collections/none/items", "/collections/sentinel-1/items/none",
     "/collections/interferograms/items/none/files/displacement.tif",
     "/collections/interferograms/items/{item}/files/none.tif",
     "/collections/interferograms/items/{item}/files/..%2Fmetadata.json",
     "/collections/interferograms/items/{item}/files/%2Fetc%2Fpasswd",
     "/collections/interferograms/items/{item}/files/../../../../../../etc/passwd",
     "/collections/sentinel-1/items/x/files/displacement.tif"],
)  # fmt: skip
def test_what_is_not_there_is_404(door: tuple[str, Catalog], client: Client, path: str) -> None:
    (item,) = client.search(collections=[RESULTS]).items()
    asked = requests.Request("GET", f"{door[0]}/stac{path.format(item=item.id)}").prepare()
    asked.url = f"{door[0]}/stac{path.format(item=item.id)}"
    answer = requests.Session().send(asked, timeout=20)
    assert answer.status_code == 404 and b"root:" not in answer.content


def test_a_client_hears_of_its_mistake(client: Client) -> None:
    with pytest.raises(APIError, match="sortby"):
        list(client.search(method="GET", ids=["x"], sortby="nonsense").items())
