"""The portal's pages over real HTTP: what people read and take along is what is recorded."""

import hashlib
import html
import re
import time
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import matplotlib.image
import numpy as np
import pytest
import rasterio
import requests
from people_world import EVIL, MAP, World, get
from rasterio.warp import transform

from geobservatory.catalog.deliveries import Delivered
from geobservatory.products import tiles


def listed(site: World, query: str = "") -> list[str]:
    answer = get(f"{site.address}/?{query}")
    assert answer.status_code == 200, answer.text
    return [html.unescape(one) for one in re.findall(r"<h2><a [^>]*>([^<]*)</a>", answer.text)]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Reykjanes", "Blatten", "Vanuatu", EVIL, "Al Haouz", "Pazarcik"]),
        ("kind=volcano&kind=landslide", ["Reykjanes", "Blatten"]),
        ("state=waiting", ["Al Haouz"]),
        ("magnitude=7.4", [EVIL, "Pazarcik"]),
        ("since=2023-09-08&until=2023-09-08", ["Al Haouz"]),
        ("until=2023-09-07&since=", ["Pazarcik"]),
        ("country=Japan", [EVIL]),
        ("country=Syria", ["Pazarcik"]),
        ("country=Italy&kind=landslide", ["Blatten"]),
        ("country=Nowhere", []),
        ("page=2", []),
    ],
)
def test_the_list_without_a_script(site: World, query: str, names: list[str]) -> None:
    # Other tests ask for more.
    assert [one for one in listed(site, query) if one not in ("Etna", "A slope")] == names


@pytest.mark.parametrize(
    "query",
    ["since=yesterday", "magnitude=nan", "magnitude=x", "kind=war", "state=done", "page=0",
     "since=0001-01-01", "page=1e99"],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_in_words(site: World, query: str) -> None:
    answer = get(f"{site.address}/?{query}")
    assert answer.status_code == 400
    assert answer.text.startswith(query.partition("=")[0])
    seen = get(f"{site.address}/?{query}", headers={"Sec-Fetch-Mode": "navigate"})
    assert seen.status_code == 400 and "<h1>Bad Request</h1>" in seen.text


def test_an_activation_without_a_script(site: World) -> None:
    seen = get(site.page).text
    for said in (
        "31.058° N, 8.391° W", "waits for an image of track 154", "no orbit file covers 2023-08-23",
        "12 days and 61 m apart", "USGS: M 6.9", "EMSC: M 6.8", "track 154: an image from after",
        "93 %", "Contains modified Copernicus Sentinel data", "Morocco", "native",
    ):  # fmt: skip
        assert said in seen, said
    for path in site.made.iterdir():
        if not path.name.startswith("."):
            assert hashlib.sha256(path.read_bytes()).hexdigest() in seen, path.name
    assert get(f"{site.address}/activations/{site.al_haouz[:-2]}").status_code == 404
    assert get(f"{site.address}/activations/nothing").status_code == 404
    moved = get(f"{site.address}/products/{site.al_haouz}/index.html", allow_redirects=False)
    assert moved.headers["Location"] == f"/activations/{site.al_haouz}"


def test_the_mirror_says_what_it_lacks_and_why(site: World) -> None:
    seen = html.unescape(re.sub(r"<[^>]+>", " ", get(f"{site.address}/mirror").text))
    said = " ".join(seen.split())
    assert "66.7 % complete: slc" in said or "complete: slc 66.7 %" in said
    assert "32 GB" in said and "the hub answers 503" in said
    assert "Held 4" in said


def test_numbers_are_those_of_the_catalogue(site: World) -> None:
    one = Delivered("S1A_one", "", "duty", "mirror", datetime.now(UTC), 3.0, 0.1, 1000, "whole")
    site.catalog.record_delivery(one)
    site.catalog.set_country("duty", "New Zealand")
    seen = html.unescape(re.sub(r"<[^>]+>", " ", get(f"{site.address}/numbers").text))
    said = " ".join(seen.split())
    count = len(site.catalog.overviews())
    assert f"Activations {count} " in said and "Maps made 1 " in said
    assert "Activations by country" in said and "Iceland" in said
    assert "Users with an account 2" in said
    assert "Users who fetched products, by country" in said and "New Zealand" in said
    assert get(f"{site.address}/numbers?days=31").status_code == 400


# Files and tiles: those of the catalogue, and no others.


def test_files_are_handed_out_whole_and_in_parts_and_counted(site: World) -> None:
    before = site.catalog.numbers(*days(site)).results
    path = site.made / "los_displacement.tif"
    address = f"{site.page}/{MAP}/files/los_displacement.tif"
    whole = get(address)
    assert whole.content == path.read_bytes()
    assert whole.headers["X-Checksum-SHA256"] == hashlib.sha256(whole.content).hexdigest()
    part = get(address, headers={"Range": "bytes=100-299"})
    assert part.status_code == 206 and part.content == whole.content[100:300]
    assert requests.head(address, timeout=30).headers["Content-Length"] == str(len(whole.content))
    files, size = (before[0].count, before[0].bytes) if before else (0, 0)
    expected = files + 1, size + len(whole.content) + 200
    # Counted once the last byte has gone out.
    deadline = time.monotonic() + 20
    while not (counted := site.catalog.numbers(*days(site)).results) or (
        counted[0].bytes < expected[1]
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (counted[0].count, counted[0].bytes) == expected


def days(site: World) -> tuple[Any, Any]:
    today = site.catalog.activation(site.al_haouz).created_at.date()
    return today, today.replace(year=today.year + 1)


@pytest.mark.parametrize(
    "path",
    [
        f"{MAP}/files/..%2F..%2F..%2Fportal.key",
        f"{MAP}/files/%2e%2e%2f%2e%2e%2factivation.json",
        f"{MAP}/files/.work",
        "maps/..%2F..%2Fhubs/files/index.html",
        "maps/../../secret/los/8/1/1.png",
        f"{MAP}/http:%2F%2F127.0.0.1%2Fx.tif/8/1/1.png",
        f"{MAP}/amplitude/8/1/1.png",
        f"{MAP}/%2Fvsicurl%2Fhttp/8/1/1.png",
        "maps/pre-event-052-20230823T063742-20230904T063742/los/8/1/1.png",
        f"{MAP}/profile?layer=/etc/passwd&line=0,0;1,1",
    ],
)
def test_nothing_else_is_reached(site: World, path: str) -> None:
    prepared = requests.Request("GET", f"{site.page}/{path}").prepare()
    prepared.url = f"{site.page}/{path}"
    with requests.Session() as session:
        answer = session.send(prepared, timeout=30, allow_redirects=False)
    assert answer.status_code == 404, answer.text


@pytest.mark.parametrize("layer", list(tiles.LAYERS))
def test_tiles_show_every_cell_of_the_file(site: World, layer: str) -> None:
    """Colours of a tile at full resolution are those of the cells below its pixels."""
    about = tiles.LAYERS[layer]
    path = site.made / f"{about.file}.tif"
    shown = tiles.describe(path, layer)
    zoom = shown.zoom + 2
    lon, lat = (shown.bounds[0] + shown.bounds[2]) / 2, (shown.bounds[1] + shown.bounds[3]) / 2
    x, y = tile_of(lon, lat, zoom)
    answer = get(f"{site.page}/{MAP}/{layer}/{zoom}/{x}/{y}.png")
    assert answer.status_code == 200 and "immutable" in answer.headers["Cache-Control"]
    image = (matplotlib.image.imread(BytesIO(answer.content)) * 255).round().astype(int)
    table = np.array(tiles.colours(layer))
    checked = 0
    with rasterio.open(path) as source:
        values = source.read(1)
        for row, col in np.random.default_rng(3).integers(0, 256, (60, 2)):
            place = place_of(x + (col + 0.5) / 256, y + (row + 0.5) / 256, zoom)
            (east,), (north,) = transform("EPSG:4326", source.crs, [place[0]], [place[1]])
            at = source.index(east, north)
            around = values[at[0] - 1 : at[0] + 2, at[1] - 1 : at[1] + 2]
            if np.isnan(around).any():
                continue
            share = np.clip((around - shown.low) / (shown.high - shown.low), 0, 1)
            expected = table[(share * 255).round().astype(int).ravel()]
            distance = np.abs(expected - image[row, col, :3]).sum(axis=1).min()
            assert distance <= 3, (layer, row, col)
            assert image[row, col, 3] == 255
            checked += 1
    assert checked > 30
    nothing = get(f"{site.page}/{MAP}/{layer}/8/0/0.png")
    assert nothing.status_code == 200 and len(nothing.content) < 100
    assert get(f"{site.page}/{MAP}/{layer}/30/0/0.png").status_code == 400
    small = matplotlib.image.imread(BytesIO(get(f"{site.page}/{MAP}/{layer}.png").content))
    assert max(small.shape[:2]) <= 320 and small[..., 3].max() == 1


def tile_of(lon: float, lat: float, zoom: int) -> tuple[int, int]:
    x = (lon + 180) / 360 * 2**zoom
    y = (1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * 2**zoom
    return int(x), int(y)


def place_of(x: float, y: float, zoom: int) -> tuple[float, float]:
    lat = np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * y / 2**zoom))))
    return x / 2**zoom * 360 - 180, float(lat)


def test_a_value_and_a_profile_are_those_of_the_file(site: World) -> None:
    with rasterio.open(site.made / "los_displacement.tif") as source:
        values = source.read(1)
        known = np.argwhere(np.isfinite(values))
        row, col = known[len(known) // 2]
        (lon,), (lat,) = transform(source.crs, "EPSG:4326", *([one] for one in source.xy(row, col)))
    told = get(f"{site.page}/{MAP}/value?lat={lat:.6f}&lon={lon - 360:.6f}").json()
    assert told["los"] == pytest.approx(values[row, col] * 100, abs=1e-3)
    assert set(told) == set(tiles.LAYERS)
    assert get(f"{site.page}/{MAP}/value?lat=0&lon=0").json()["los"] is None
    line = f"{lon:.6f},{lat - 0.05:.6f};{lon:.6f},{lat:.6f};{lon + 0.01:.6f},{lat + 0.05:.6f}"
    asked = f"{site.page}/{MAP}/profile?layer=los&line={line}"
    points = get(asked).json()["points"]
    assert len(points) > 100 and points[-1][2] == pytest.approx(11_126, rel=0.01)
    held = 0
    for at, one, along, value in points:
        alone = get_value(values, site, at, one)
        assert (value is None) == np.isnan(alone) or along == 0
        if value is not None:
            held += 1
            assert value == pytest.approx(alone * 100, abs=1e-3)
    assert held > 20
    csv = get(f"{asked}&form=csv")
    assert csv.headers["Content-Disposition"].startswith("attachment")
    assert len(csv.text.splitlines()) == len(points) + 1
    for wrong in ("1,1", "1;2", "a,b;c,d", ";".join(["1,1"] * 21), "0,91;0,92", "1,1;1,1"):
        assert get(f"{site.page}/{MAP}/profile?layer=los&line={wrong}").status_code == 400, wrong


def get_value(values: Any, site: World, lon: float, lat: float) -> float:
    with rasterio.open(site.made / "los_displacement.tif") as source:
        xs, ys = transform("EPSG:4326", source.crs, [lon], [lat])
        row, col = source.index(xs[0], ys[0])
    inside = 0 <= row < values.shape[0] and 0 <= col < values.shape[1]
    return float(values[row, col]) if inside else float("nan")
