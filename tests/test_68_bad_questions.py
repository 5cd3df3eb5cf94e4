"""What is asked with bad intent: refused with a clear answer, and nothing is touched by it."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from databases import fresh_database
from hub_world import hub, make_products, world
from programs_world import WHO, portal_over, serving_settings
from sentinelsat import SentinelAPI

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.embedded import EmbeddedPostgres
from geobservatory.sandbox.servers.dhus import DhusConfig
from geobservatory.settings.model import Settings

Door = tuple[str, Catalog]


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad") / "products"
    make_products(folder, 2)
    return folder


@pytest.fixture(scope="module")
def door(
    products: Path, embedded: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    with (
        world(products, (DhusConfig(name="dhus"),)) as addresses,
        fresh_database(embedded.status().url or "") as url,
        portal_over(addresses, url, tmp_path_factory.mktemp("portal")) as opened,
    ):
        SentinelAPI(*WHO, f"{opened[0]}/dhus", show_progressbars=False).query(
            date=("20230901", "20231001")
        )
        yield opened


@pytest.fixture(scope="module")
def uuid(door: Door) -> str:
    api = SentinelAPI(*WHO, f"{door[0]}/dhus", show_progressbars=False)
    return next(iter(api.query(raw="identifier:*_20230904*")))


def get(door: Door, path: str, **asked: str) -> requests.Response:
    """Ask for exactly that path: clients would tidy it."""
    made = requests.Request("GET", door[0] + quote(path), params=asked, auth=WHO).prepare()
    made.url = door[0] + path + (f"?{made.url.partition('?')[2]}" if asked and made.url else "")
    return requests.Session().send(made, timeout=40)


DEEP = "(" * 3000 + "identifier:S1A*" + ")" * 3000
RING = ",".join(f"{number / 1e6:.6f} {(number % 7) / 1e6:.6f}" for number in range(300))
AREAS = [
    "POLYGON((0 0,1 1))",
    "POLYGON((0 -100,1 -100,1 100,0 100,0 -100))",
    "POLYGON((-400 0,400 0,400 1,-400 1,-400 0))",
    "POLYGON((nan 0,1 0,1 1,nan 0))",
    "POLYGON((1e400 0,1 0,1 1,1e400 0))",
    "GEOMETRYCOLLECTION(" * 60 + "POINT(0 0)" + ")" * 60,
    "POINT EMPTY",
    "'; DROP TABLE scenes; --",
]


@pytest.mark.parametrize(
    "query",
    [
        "password:*",
        "scenes.name:*",
        DEEP,
        "NOT " * 900 + "identifier:S1A*",
        " OR ".join(["identifier:a"] * 400),
        "identifier:\x07",
        "identifier:a\x1b[31m",
        "relativeorbitnumber:1e999",
        "relativeorbitnumber:nan",
        "relativeorbitnumber:[1 TO",
        "beginposition:[0000-00-00T00:00:00Z TO *]",
        "ingestiondate:[NOW-99999999999999YEARS TO NOW]",
        '"',
        "",
        *(f'footprint:"Intersects({area})"' for area in AREAS),
    ],
)
def test_bad_lucene(door: Door, query: str) -> None:
    answer = requests.get(
        f"{door[0]}/dhus/search", params={"q": query, "format": "xml"}, auth=WHO, timeout=40
    )
    assert answer.status_code == 400, answer.text
    said = requests.get(
        f"{door[0]}/dhus/search", params={"q": query, "format": "json"}, auth=WHO, timeout=40
    )
    # A DHuS says it in an answer of status 200, which its clients read.
    assert said.status_code == 200 and said.json()["feed"]["error"]["message"]
    assert "Traceback" not in answer.text + said.text


@pytest.mark.parametrize(
    "query",
    ["identifier:x'; DROP TABLE scenes; --", "identifier:S1A* UNION SELECT * FROM accounts",
     "identifier:\"x' OR 'a'='a\"", "identifier:*' OR name LIKE '%"],
)  # fmt: skip
def test_what_would_be_sql_is_a_text_among_others(door: Door, query: str) -> None:
    answer = requests.get(
        f"{door[0]}/dhus/search", params={"q": query, "format": "json"}, auth=WHO, timeout=40
    )
    assert answer.json()["feed"]["opensearch:totalResults"] == "0"
    assert len(door[1].accounts()) == 2


@pytest.mark.parametrize("name", ["orderby", "start", "rows"])
@pytest.mark.parametrize("value", ["1;DROP TABLE scenes", "-1", "name desc; --", "9" * 40, "\x00"])
def test_bad_parameters(door: Door, name: str, value: str) -> None:
    answer = requests.get(
        f"{door[0]}/dhus/search", params={"q": "*", name: value}, auth=WHO, timeout=40
    )
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize(
    "text",
    [
        "Name eq 'x'; DROP TABLE scenes",
        "Name eq 'x' or 1 eq 1",
        "contains(Name,'%')) or (1=1",
        "password eq 'x'",
        "Attributes/OData.CSC.StringAttribute/any(a:a/Name eq 'x' and b/Value eq 'x')",
        "(" * 3000 + "Online eq true" + ")" * 3000,
        "not " * 900 + "Online eq true",
        " or ".join(["Online eq true"] * 400),
        "ContentLength gt 1e999",
        "ContentDate/Start gt 2023-99-99",
        "Name eq '\x00'",
        *(f"OData.CSC.Intersects(area=geography'SRID=4326;{area.replace(chr(39), '')}')"
          for area in AREAS),
    ],
)  # fmt: skip
def test_bad_filters(door: Door, text: str) -> None:
    for place in ("/odata/v1/Products", "/dhus/odata/v1/Products"):
        answer = requests.get(door[0] + place, params={"$filter": text}, auth=WHO, timeout=40)
        assert answer.status_code == 400, (place, answer.text)
        assert "Traceback" not in answer.text


def test_signs_of_patterns_stand_for_themselves(door: Door) -> None:
    """Nothing that SQL takes for a wildcard finds more than it says."""
    for pattern in ("%", "_", "S1A%", "\\", "'", "S1A_IW_SLC__1SDV_2023090_*"):
        found = requests.get(
            f"{door[0]}/odata/v1/Products",
            params={
                "$filter": f"contains(Name,'{pattern.replace(chr(39), chr(39) * 2)}')",
                "$count": "true",
            },
            timeout=40,
        ).json()
        expected = 5 if pattern == "_" else 0
        assert bool(found["@odata.count"]) == bool(expected), pattern
    many = "*a" * 100
    answer = requests.get(
        f"{door[0]}/dhus/search", params={"q": f"identifier:{many}", "format": "json"},
        auth=WHO, timeout=40,
    )  # fmt: skip
    assert answer.json()["feed"]["opensearch:totalResults"] == "0"


def test_enormous_areas_are_asked_and_answered(door: Door) -> None:
    whole = "POLYGON((-180 -90,180 -90,180 90,-180 90,-180 -90))"
    for area in (whole, f"POLYGON((0 0,{RING},0 1,0 0))"):
        answer = requests.get(
            f"{door[0]}/dhus/search",
            params={"q": f'footprint:"Intersects({area})"', "format": "json"},
            auth=WHO,
            timeout=40,
        )
        assert answer.status_code in (200, 414)
    told = requests.get(
        f"{door[0]}/dhus/search",
        params={"q": f'footprint:"Intersects({whole})"', "format": "json"},
        auth=WHO,
        timeout=40,
    ).json()
    assert int(told["feed"]["opensearch:totalResults"]) >= 3
    corners = [[number / 1e4, (number % 2) / 1e4] for number in range(30_000)]
    body = {"intersects": {"type": "LineString", "coordinates": corners}}
    answer = requests.post(f"{door[0]}/stac/search", json=body, timeout=40)
    assert answer.status_code == 400 and "corners" in answer.json()["description"]


UP = [
    "Nodes('..')",
    "Nodes('{safe}')/Nodes('..')/Nodes('..')/Nodes('etc')/Nodes('passwd')",
    "Nodes('{safe}')/Nodes('../../../../etc/passwd')",
    "Nodes('{safe}')/Nodes('..%2F..%2Fetc%2Fpasswd')",
    "Nodes('%2Fetc%2Fpasswd')",
    "Nodes('{safe}')/Nodes('annotation%2F..%2Fmanifest.safe')",
    "Nodes('{safe}')/Nodes('manifest.safe%00')",
    "Nodes('{safe}%5C..')",
    "../../../../etc/passwd",
    "%2e%2e/%2e%2e/etc/passwd",
    "Attributes('../../x')",
    "Products('Quicklook')",
]


@pytest.mark.parametrize("place", UP)
def test_no_node_leads_out_of_a_product(door: Door, uuid: str, place: str) -> None:
    api = SentinelAPI(*WHO, f"{door[0]}/dhus", show_progressbars=False)
    safe = api.get_product_odata(uuid)["product_root_dir"]
    within = place.format(safe=safe)
    for path in (
        f"/dhus/odata/v1/Products('{uuid}')/{within}/$value",
        f"/odata/v1/Products({uuid})/{within.replace(chr(39), '')}/$value",
        f"/odata/v1/Products({uuid})/{within}/$value",
    ):
        answer = get(door, path)
        assert answer.status_code in (400, 404), (path, answer.status_code)
        assert b"root:" not in answer.content


@pytest.mark.parametrize(
    "key",
    ["' or '1'='1", "..", "98ca202b", "%00", "x" * 3000, "98ca202b-2155-4181-be88-00000000000g"],
)
def test_bad_identifiers(door: Door, key: str) -> None:
    for path in (f"/dhus/odata/v1/Products('{key}')/$value", f"/odata/v1/Products({key})/$value"):
        assert get(door, path).status_code in (400, 404, 422)


def test_answers_have_no_secrets_of_hubs(door: Door, uuid: str) -> None:
    for path in ("/dhus/odata/v1/Products", f"/odata/v1/Products({uuid})", "/stac/search",
                 "/dhus/search?q=*&format=json"):  # fmt: skip
        answer = requests.get(door[0] + path, auth=WHO, timeout=40)
        assert answer.status_code == 200
        # The sandbox's account, and its addresses.
        assert "sandbox:sandbox" not in answer.text and "c2FuZGJveDpzYW5kYm94" not in answer.text


def test_forty_at_once_with_heavy_questions_keep_nobody_out(door: Door) -> None:
    heavy = " OR ".join(f"identifier:*{number:02d}*{number:02d}*" for number in range(100))
    stop, told = threading.Event(), []

    def ask() -> None:
        while not stop.is_set():
            answer = requests.get(
                f"{door[0]}/dhus/search", params={"q": heavy, "format": "json"}, timeout=60
            )
            told.append(answer.status_code)

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for one in threads:
        one.start()
    try:
        for _ in range(5):
            assert requests.get(f"{door[0]}/healthz", timeout=20).status_code == 200
    finally:
        stop.set()
        for one in threads:
            one.join()
    assert told and set(told) <= {200, 429, 503}


def test_what_no_hub_tells_a_checksum_of_is_tested_first(
    products: Path, embedded: EmbeddedPostgres, tmp_path: Path
) -> None:
    """A folder tells none: 202 until the product is here and its zip was tested."""
    (path,) = products.glob("*_20230904*")
    folder = hub("folder", str(products), user=None, password=None)
    settings = Settings(data_dir=tmp_path / "data", hubs=(folder,))
    with (
        fresh_database(embedded.status().url or "") as url,
        serving_settings(settings, url) as (address, _),
    ):
        api = SentinelAPI(*WHO, f"{address}/dhus", show_progressbars=False)
        (found,) = api.query(raw="identifier:*_20230904*")
        value = f"{address}/dhus/odata/v1/Products('{found}')/$value"
        first: Any = requests.get(value, auth=WHO, timeout=40)
        assert first.status_code == 202 and "checksum" in first.headers["cause-message"]
        for _ in range(200):
            answer = requests.get(value, auth=WHO, timeout=40)
            if answer.status_code == 200:
                break
            threading.Event().wait(0.1)
        assert answer.content == path.read_bytes()
