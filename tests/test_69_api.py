"""The interface for programs, and OGC API Features: over HTTP, with real clients."""

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
import requests
from databases import fresh_database
from portal_server import serving
from portal_world import AL_HAOUZ, EVENTS, PAIR, fill
from pydantic import SecretStr
from sqlalchemy import text

from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.catalog.embedded import EmbeddedPostgres
from geobservatory.settings.model import Hub, HubKind, Settings
from geobservatory.settings.portal import Portal, PortalLimits, Role
from portal.access.passwords import hashed
from portal.api.asking import read_box, read_place, read_times, write_place

PASSWORD = "correct horse battery"
OPERATOR = ("otto", PASSWORD)


@dataclass
class World:
    """A portal over a catalogue that is filled."""

    address: str
    catalog: Catalog
    settings: Settings
    known: dict[str, str]
    started: list[str]
    url: str

    def get(self, path: str, **more: Any) -> requests.Response:
        return requests.get(f"{self.address}{path}", timeout=20, **more)

    def json(self, path: str, **asked: Any) -> Any:
        answer = self.get(path, params=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def names(self, path: str, **asked: Any) -> list[str]:
        return [one["name"] for one in self.json(path, **asked)["items"]]


@pytest.fixture(scope="module")
def world(embedded: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    hubs = tuple(
        Hub(
            name=name,
            kind=HubKind.DHUS,
            address=f"https://{name}.secret.example",
            user="hub-user",
            password=SecretStr("hub-password"),
        )
        for name in ("alpha", "beta")
    )
    data = tmp_path_factory.mktemp("data")
    settings = Settings(
        data_dir=data,
        hubs=hubs,
        portal=Portal(limits=PortalLimits(requests_per_minute=1_000_000)),
    )
    started: list[str] = []
    with fresh_database(str(embedded.status().url)) as url, open_catalog(url) as catalog:
        catalog.add_account("otto", Role.OPERATOR, hashed(PASSWORD))
        catalog.add_account("dora", Role.DOWNLOADER, hashed(PASSWORD))
        known = fill(catalog, data)
        with serving(
            settings, lambda: open_catalog(url), start=lambda one, _: started.append(one.id)
        ) as address:
            yield World(address, catalog, settings, known, started, url)


# Without a server.


@pytest.mark.parametrize(
    ("given", "box"),
    [
        ("-9,30,-7,32", (-9, 30, -7, 32)),
        ("-9,30,0,-7,32,100", (-9, 30, -7, 32)),
        ("170,-20,-170,-10", (170, -20, -170, -10)),
        ("1e1,0,20,1", (10, 0, 20, 1)),
    ],
)
def test_boxes(given: str, box: Any) -> None:
    assert read_box(given) == box


@pytest.mark.parametrize(
    "given",
    [
        "1,2,3",
        "1,2,3,4,5",
        "a,b,c,d",
        "nan,0,1,1",
        "inf,0,1,1",
        "-181,0,1,1",
        "0,10,1,5",
        "0,0,1,91",
    ],
)
def test_boxes_that_are_none(given: str) -> None:
    with pytest.raises(ValueError):
        read_box(given)


def test_times() -> None:
    day = datetime(2023, 9, 8, tzinfo=UTC)
    end = day + timedelta(days=1) - timedelta(microseconds=1)
    assert read_times("2023-09-08") == (day, end)
    assert read_times("2023-09-08/2023-09-08") == (day, end)
    assert read_times("2023-09-08T22:11:01Z") == (AL_HAOUZ, AL_HAOUZ)
    assert read_times("2023-09-09T00:11:01+02:00/..") == (AL_HAOUZ, None)
    assert read_times("/2023-09-08T22:11:01.0000000Z") == (None, AL_HAOUZ)
    for wrong in ("x", "2023-13-01", "2023-09-09/2023-09-08", "2023-09-08T25:00:00Z", "0000-01-01"):
        with pytest.raises(ValueError):
            read_times(wrong)


def test_places_come_back_and_others_are_refused() -> None:
    place = (AL_HAOUZ + timedelta(microseconds=7), "earthquake-1 of a, b:c")
    assert read_place(write_place(place)) == place
    for wrong in ("x", "AAAA", "aGVsbG8", write_place((datetime(2023, 1, 1), "a"))):  # noqa: DTZ001
        with pytest.raises(ValueError):
            read_place(wrong)


# Lists.


def test_events_are_found_by_place_time_kind_and_magnitude(world: World) -> None:
    # Of one second: the greater identifier first.
    both = sorted(["Noto", "no magnitude"], key=lambda name: world.known[name], reverse=True)
    assert world.names("/api/events") == ["Fiji", *both, "Al Haouz", "Amatrice"]
    for asked, found in (
        ({"bbox": "-9,30,-7,32"}, {"Al Haouz"}),
        ({"bbox": "170,-30,-170,0"}, {"Fiji"}),
        ({"bbox": "-170,-30,170,0"}, {"no magnitude"}),
        ({"datetime": "2023-09-08"}, {"Al Haouz"}),
        ({"datetime": "2024-01-05T03:04:05.6Z"}, {"Fiji"}),
        ({"datetime": "2024-01-05T03:04:05Z"}, set()),
        ({"datetime": "../2023-12-31"}, {"Al Haouz", "Amatrice"}),
        ({"min_magnitude": 6.8}, {"Al Haouz", "Noto"}),
        ({"max_magnitude": 6.2}, {"Amatrice"}),
        ({"event_type": "volcano"}, set()),
        ({"bbox": "-9,30,-7,32", "min_magnitude": 7}, set()),
    ):
        for path in ("/api/events", "/api/activations"):
            listed = world.json(path, **asked)["items"]
            assert {one.get("name") or one["event"]["name"] for one in listed} == found, asked


def test_pages_hold_everything_once(world: World) -> None:
    for path, count in (("/api/events", 5), ("/api/activations", 5), ("/api/products", 2)):
        for limit in (1, 2, 3, 100):
            seen, address = [], f"{world.address}{path}?limit={limit}"
            while address is not None:
                page = requests.get(address, timeout=20).json()
                assert page["matched"] == count and len(page["items"]) <= limit
                seen += [one["id"] for one in page["items"]]
                address = page["next"]
            assert len(seen) == len(set(seen)) == count


def test_an_event_is_told_with_its_reports(world: World) -> None:
    told = world.json(f"/api/events/{world.known['Noto']}")
    assert told["magnitude"] == 7.5 and told["activation_id"] == told["id"]
    assert [one["source"] for one in told["reports"]] == ["request"]


def test_an_activation_is_told_with_its_history_and_pairs(world: World) -> None:
    place = f"/api/activations/{world.known['Al Haouz']}"
    told = world.json(place)
    assert told["state"] == "requested" and told["area"]["type"] == "Polygon"
    assert "flow_run_id" not in told
    assert [one["state"] for one in world.json(f"{place}/history")] == ["requested"]
    pairs = world.json(f"{place}/pairs")
    assert [one["reason"] for one in pairs] == ["the only one"]
    # The start of an identifier, which commands take, is none here.
    assert world.get(place[:-4]).status_code == 404


def test_products_and_their_files(world: World) -> None:
    listed = world.json("/api/products", activation_id=world.known["Noto"])["items"]
    assert len(listed) == 1 and listed[0]["pair"]["relative_orbit"] == 53
    assert "a flow run" not in json.dumps(listed)
    for asked, count in (
        ({"verdict": "good"}, 2),
        ({"verdict": "not usable"}, 0),
        ({"state": "failed"}, 0),
        ({"relative_orbit": 52}, 1),
        ({"bbox": "-8,31,-7,32"}, 1),
        ({"bbox": "-7.8,31,-7,32"}, 0),
        ({"datetime": "2023-09-10"}, 2),
        ({"datetime": "2023-10-10"}, 0),
    ):
        assert len(world.json("/api/products", **asked)["items"]) == count, asked
    assert world.json(f"/api/products/{quote(listed[0]['id'])}") == listed[0]
    file = next(one for one in listed[0]["files"] if one["role"] == "los_displacement")
    got = requests.get(file["href"], timeout=20)
    assert len(got.content) == file["size"]
    assert hashlib.sha256(got.content).hexdigest() == file["sha256"]
    assert got.headers["ETag"] == f'"{file["sha256"]}"'
    assert got.headers["Content-Type"] == file["media_type"]
    part = requests.get(file["href"], headers={"Range": "bytes=10-19"}, timeout=20)
    assert part.status_code == 206 and part.content == got.content[10:20]
    resumed = {"Range": "bytes=99990-", "If-Range": got.headers["ETag"]}
    part = requests.get(file["href"], headers=resumed, timeout=20)
    assert part.status_code == 206 and part.content == got.content[99990:]
    # Of another version the whole.
    other = requests.get(file["href"], headers={**resumed, "If-Range": '"other"'}, timeout=20)
    assert other.status_code == 200 and other.content == got.content
    beyond = requests.get(file["href"], headers={"Range": "bytes=200000-"}, timeout=20)
    assert beyond.status_code == 416
    known = requests.get(file["href"], headers={"If-None-Match": got.headers["ETag"]}, timeout=20)
    assert known.status_code == 304 and known.content == b""
    head = requests.head(file["href"], timeout=20)
    assert head.headers["Content-Length"] == "100000" and head.content == b""


def test_files_that_are_taken_along_are_counted(world: World) -> None:
    """Whole, or with their end; not what looks into them."""
    today = datetime.now(UTC).date()

    def counted() -> tuple[int, int]:
        found = world.catalog.numbers(today - timedelta(days=1), today + timedelta(days=1)).results
        return sum(one.count for one in found), sum(one.bytes for one in found)

    file = world.json("/api/products")["items"][0]["files"][0]
    files, size = counted()
    for span in ("0-99", "10-19", f"{file['size'] - 50}-", None):
        headers = {} if span is None else {"Range": f"bytes={span}"}
        assert requests.get(file["href"], headers=headers, timeout=20).ok
    assert requests.head(file["href"], timeout=20).ok
    deadline = time.monotonic() + 20
    # Counted once the last byte has gone out.
    while counted() != (files + 2, size + file["size"] + 50):
        assert time.monotonic() < deadline, counted()
        time.sleep(0.05)


@pytest.mark.parametrize("door", ["api", "stac", "page", "tile"])
def test_a_file_that_is_damaged_is_not_given(world: World, tmp_path: Path, door: str) -> None:
    product = world.json("/api/products")["items"][0]
    file = next(one for one in product["files"] if one["name"].endswith(".tif"))
    found = next(world.settings.data_dir.rglob(f"{world.known['Noto']}/*/{file['name']}"))
    on_page = f"{world.address}/activations/{world.known['Noto']}/maps/{found.parent.name}"
    item = product["id"].replace(":", ".")
    address = {
        "api": file["href"],
        "stac": f"{world.address}/stac/collections/interferograms/items/{item}/files/{found.name}",
        "page": f"{on_page}/files/{found.name}",
        "tile": f"{on_page}/los/3/7/3.png",
    }[door]
    kept = found.read_bytes()
    if door != "tile":
        assert requests.get(address, timeout=20).content == kept
    found.write_bytes(kept[:-1])
    try:
        assert requests.get(address, timeout=20).status_code == 503
        found.unlink()
        # A link that leads out of the folder is not followed.
        (tmp_path / "secret").write_bytes(kept)
        found.symlink_to(tmp_path / "secret")
        assert requests.get(address, timeout=20).status_code == 404
        found.unlink()
        assert requests.get(address, timeout=20).status_code == 503
    finally:
        found.unlink(missing_ok=True)
        found.write_bytes(kept)


def test_hubs_are_told_without_their_accounts(world: World) -> None:
    told = {one["name"]: one for one in world.json("/api/hubs")}
    assert (told["alpha"]["state"], told["beta"]["state"]) == ("well", "down")
    measured = world.json("/api/hubs/alpha/measurements", kind="search", limit=10)
    assert len(measured) == 10 and measured == sorted(measured, key=lambda one: one["at"])
    assert any(one["cause"] == "hung" and not one["ok"] for one in measured)
    hours = world.json("/api/hubs/alpha/hours")
    assert sum(one["good"] for one in hours) == 30 and all(one["median"] > 0 for one in hours)
    incidents = world.json("/api/hubs/beta/incidents")
    assert [one["cause"] for one in incidents] == ["it does not answer"]
    assert world.get("/api/hubs/gamma/hours").status_code == 404
    long = {"datetime": "2020-01-01/2024-01-01"}
    assert world.get("/api/hubs/alpha/hours", params=long).status_code == 400


def test_secrets_stand_in_no_answer(world: World) -> None:
    """Whatever is asked, and by whoever: no account of a hub, no evidence, no address of one."""
    paths = [
        "/",
        "/hubs",
        "/metrics",
        "/api",
        "/api/me",
        "/api/hubs",
        "/api/openapi.json",
        "/ogc",
        "/api/audit",
        *(
            f"/api/hubs/{hub}/{what}"
            for hub in ("alpha", "beta")
            for what in ("measurements", "hours", "incidents")
        ),
    ]
    for path in paths:
        said = world.get(path, auth=OPERATOR)
        assert said.status_code == 200, path
        for secret in (
            "hub-password",
            "hub-user",
            "secret.example",
            '"secret"',
            "argon2",
            PASSWORD,
        ):
            assert secret not in said.text, path
            assert secret not in str(said.headers)


# Errors.


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/events?limit=0", 400, "limit"),
        ("/api/events?limit=1001", 400, "limit"),
        ("/api/events?bbox=1,2,3", 400, "bbox"),
        ("/api/events?bbox=0,9,1,8", 400, "latitudes"),
        ("/api/events?cursor=AAAA", 400, "cursor"),
        ("/api/events?min_magnitud=6", 400, "min_magnitud"),
        ("/api/events?datetime=yesterday", 400, "datetime"),
        ("/api/events/none", 404, "no event none"),
        ("/api/activations/none/pairs", 404, "no activation none"),
        ("/api/products/none", 404, "no product none"),
        ("/api/nothing", 404, "Not Found"),
        ("/api/audit", 401, "account"),
        ("/ogc/collections/none", 404, "no such collection"),
        ("/ogc/collections/events/items?crs=x", 400, "crs"),
        ("/api/events/a%00b", 400, "NUL"),
        ("/api/events?cursor=%00", 400, "NUL"),
    ],
)
def test_problems_are_told_as_such(world: World, path: str, status: int, said: str) -> None:
    answer = world.get(path)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status and problem["title"]
    assert said in problem["detail"] and "\n" not in problem["detail"]


def test_a_catalogue_that_is_away_is_a_problem_too(world: World) -> None:
    with serving(world.settings, lambda: open_catalog("postgresql://127.0.0.1:1/x")) as address:
        answer = requests.get(f"{address}/api/events", timeout=20)
    assert answer.status_code == 503
    assert answer.json()["detail"] == "the catalogue cannot be reached just now"


# Asking for an activation.

REQUEST = {
    "type": "Feature",
    "geometry": {
        "type": "Polygon",
        "coordinates": [[[20, 40], [21, 40], [21, 41], [20, 41], [20, 40]]],
    },
    "properties": {"event_time": "2024-05-05T05:05:05Z", "event_type": "volcano", "name": "Etna"},
}

BOW_TIE = [[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]


def ask(world: World, wanted: Any, **more: Any) -> requests.Response:
    return requests.post(f"{world.address}/api/activations", json=wanted, timeout=20, **more)


def test_operators_ask_for_activations(world: World) -> None:
    before = len(world.started)
    answer = ask(world, REQUEST, auth=OPERATOR)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["created"] and made["activation"]["event"]["name"] == "Etna"
    assert world.started[before:] == [made["activation"]["id"]]
    again = ask(world, REQUEST, auth=OPERATOR)
    assert again.status_code == 200 and not again.json()["created"]
    noted = world.catalog.audit(action="activation")
    assert (noted[0].who, noted[0].object) == ("otto", made["activation"]["id"])
    with world.catalog.engine.begin() as connection:
        for table in ("activation_changes", "event_revisions"):
            column = "activation_id" if table == "activation_changes" else "event_id"
            connection.execute(
                text(f"DELETE FROM {table} WHERE {column} = :id"),  # noqa: S608
                {"id": made["activation"]["id"]},
            )
        for table in ("events", "activations"):
            connection.execute(
                text(f"DELETE FROM {table} WHERE id = :id"),  # noqa: S608
                {"id": made["activation"]["id"]},
            )


def test_only_operators_do(world: World) -> None:
    assert ask(world, REQUEST).status_code == 401
    assert ask(world, REQUEST, auth=("dora", PASSWORD)).status_code == 403
    account = world.catalog.account("otto")
    until = datetime.now(UTC) + timedelta(hours=1)
    _, reading = world.catalog.new_token(account.id, "x", ["read"], until)
    bearer = {"Authorization": f"Bearer {reading}"}
    assert ask(world, REQUEST, headers=bearer).status_code == 403


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"type": "Polygon"}, "type"),
        ({"geometry": None}, "geometry"),
        (
            {
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]],
                }
            },
            "valid",
        ),
        ({"geometry": {"type": "Point", "coordinates": [0, 0]}}, "Polygon"),
        ({"properties": {"event_type": "volcano"}}, "event_time"),
        ({"properties": {**REQUEST["properties"], "engine_": "x"}}, "engine_"),
        ({"properties": {**REQUEST["properties"], "tracks": [200]}}, "200"),
        ({"properties": {**REQUEST["properties"], "event_time": 5}}, "text"),
    ],
)
def test_what_a_request_file_may_not_say_is_refused(
    world: World, changed: dict[str, Any], said: str
) -> None:
    answer = ask(world, {**REQUEST, **changed}, auth=OPERATOR)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]


def test_bodies_that_are_none(world: World) -> None:
    post = f"{world.address}/api/activations"
    json_type = {"Content-Type": "application/json"}
    for body in (b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000):
        answer = requests.post(post, data=body, headers=json_type, auth=OPERATOR, timeout=20)
        assert answer.status_code == (400 if body[:2] == b"[[" else 422), body[:10]
    for name in ("a\0b", "\ud800"):
        named = {**REQUEST, "properties": {**REQUEST["properties"], "name": name}}
        answer = requests.post(
            post, data=json.dumps(named), headers=json_type, auth=OPERATOR, timeout=20
        )
        assert answer.status_code == 400, answer.text
    large = {**REQUEST, "x": "x" * 3_000_000}
    assert ask(world, large, auth=OPERATOR).status_code == 413


# The OpenAPI document.


def test_the_document_is_valid_and_says_who_may(world: World) -> None:
    document = world.json("/api/openapi.json")
    assert document["openapi"].startswith("3.1")
    post = document["paths"]["/api/activations"]["post"]
    assert post["security"] == [{"password": []}, {"token": []}]
    assert {"401", "403", "422"} <= post["responses"].keys()
    assert all(path.startswith(("/api", "/ogc")) for path in document["paths"])
    # Every answer that was looked at above is as described.
    for path, item in document["paths"].items():
        assert item.get("get", item.get("post"))["responses"], path


def test_its_page_needs_nobody_else(world: World) -> None:
    page = world.get("/api/docs")
    assert "http" not in page.text.replace("http-equiv", "")
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js"):
        assert world.get(f"/api/docs/{name}").status_code == 200
    for name in ("../../../pyproject.toml", "%2e%2e%2f%2e%2e%2fapp.py", "redoc.standalone.js"):
        assert world.get(f"/api/docs/{name}").status_code == 404


# OGC API Features.


def test_features_are_as_the_standard_has_them(world: World) -> None:
    landing = world.json("/ogc")
    rels = {link["rel"] for link in landing["links"]}
    assert {"self", "service-desc", "service-doc", "conformance", "data"} <= rels
    for link in landing["links"]:
        assert requests.get(link["href"], timeout=20).status_code == 200
    assert any("core" in one for one in world.json("/ogc/conformance")["conformsTo"])
    assert [one["id"] for one in world.json("/ogc/collections")["collections"]] == [
        "events",
        "activations",
        "interferograms",
    ]
    answer = world.get("/ogc/collections/events/items?limit=2")
    assert answer.headers["Content-Type"] == "application/geo+json"
    items = answer.json()
    assert items["numberReturned"] == 2 and items["numberMatched"] == 5
    following = next(link["href"] for link in items["links"] if link["rel"] == "next")
    assert requests.get(following, timeout=20).json()["numberReturned"] == 2
    of_maps = "/ogc/collections/interferograms/items"
    for asked, count in (({}, 2), ({"min_magnitude": 7}, 1), ({"event_type": "volcano"}, 0)):
        assert len(world.json(of_maps, **asked)["features"]) == count
    one = items["features"][0]
    item = world.get(f"/ogc/collections/events/items/{quote(one['id'])}").json()
    assert item["geometry"] == one["geometry"]
    jsonschema.validate(items, FEATURES)


FEATURES = {
    "type": "object",
    "required": ["type", "features", "links", "timeStamp"],
    "properties": {
        "type": {"const": "FeatureCollection"},
        "features": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["type", "id", "geometry", "properties"],
                "properties": {
                    "geometry": {
                        "type": "object",
                        "required": ["type", "coordinates"],
                    },
                    "properties": {"type": "object"},
                },
            },
        },
        "links": {"type": "array", "items": {"required": ["href", "rel"]}},
    },
}


def test_boxes_are_met_by_the_very_geometry(world: World) -> None:
    """Of a round area the corners of the box about it are none of it."""
    items = "/ogc/collections/activations/items"
    latitude, longitude = 31.06, -8.39
    inside = f"{longitude},{latitude},{longitude},{latitude}"
    assert len(world.json(items, bbox=inside)["features"]) == 1
    corner = f"{longitude + 0.6},{latitude + 0.5},{longitude + 0.62},{latitude + 0.53}"
    found = world.json(items, bbox=corner)
    assert found["features"] == [] and "numberMatched" not in found
    # Over the antimeridian: from both sides, and from a box that passes it.
    for box in ("179.5,-17.5,180,-16.5", "-180,-17.5,-179.9,-16.5", "179,-18,-179,-16"):
        assert len(world.json(items, bbox=box)["features"]) == 1, box
    assert world.json(items, bbox="-179,-18,179,-16")["features"] == []


@pytest.fixture(scope="module")
def ogrinfo() -> str:
    found = shutil.which("ogrinfo")
    if found is None:
        if os.environ.get("NOTHING_SKIPPED"):
            pytest.fail("ogrinfo (gdal-bin) is not here; tests/with_debian.sh installs it")
        pytest.skip("ogrinfo (Debian: gdal-bin) is not here")
    return found


def test_gdal_opens_the_address(world: World, ogrinfo: str, tmp_path: Path) -> None:
    address = f"OAPIF:{world.address}/ogc"
    environment = {**os.environ, "GDAL_HTTP_TIMEOUT": "20", "HOME": str(tmp_path)}
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        environment.pop(name, None)

    def told(*arguments: str) -> str:
        done = subprocess.run(
            [ogrinfo, "-ro", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=environment,
        )
        assert done.returncode == 0 and "ERROR" not in done.stderr, done.stderr
        return done.stdout

    listed = told(address)
    for name in ("events", "activations", "interferograms"):
        assert name in listed
    # All pages, and what GDAL asks the server for itself.
    assert "Feature Count: 5" in told("-so", "-oo", "PAGE_SIZE=2", address, "events")
    spatial = told("-spat", "-9", "30", "-7", "32", address, "events")
    assert spatial.count("OGRFeature(events)") == 1 and "Al Haouz" in spatial
    areas = told(address, "activations")
    assert areas.count("OGRFeature(activations)") == 5 and "POLYGON" in areas
    maps = told(address, "interferograms")
    assert maps.count("OGRFeature(interferograms)") == 2
    assert "los_displacement (String) = http" in maps


def test_owslib_reads_the_features(world: World) -> None:
    from owslib.ogcapi.features import Features

    service = Features(f"{world.address}/ogc")
    assert service.feature_collections() == ["events", "activations", "interferograms"]
    found = service.collection_items("events", bbox=[-9, 30, -7, 32])
    assert [one["properties"]["name"] for one in found["features"]] == ["Al Haouz"]
    one = service.collection_item("interferograms", f"{world.known['Noto']}:{PAIR.id}-1-v1")
    assert one["properties"]["relative_orbit"] == 53


def test_a_public_address_is_in_all_links(world: World) -> None:
    public = "https://maps.example/observatory"
    settings = world.settings.model_copy(update={"portal": Portal(public_address=public)})
    with serving(settings, lambda: open_catalog(world.url)) as address:
        for path in ("/ogc", "/ogc/collections/events/items?limit=1", "/api/products"):
            told = requests.get(
                f"{address}{path}", headers={"Host": "evil.example"}, timeout=20
            ).text
            assert "evil.example" not in told and "127.0.0.1" not in told
            assert f"{public}/" in told
        # Though no proxy says that it is reached by https.
        page = requests.get(f"{address}/login", timeout=20)
        assert "Strict-Transport-Security" in page.headers
        assert page.headers["Set-Cookie"].endswith("; Secure")
    assert len(EVENTS) == 5
