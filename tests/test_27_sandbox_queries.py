"""What the sandbox's hubs are built of: their query languages, their shelves, their clock."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_safe import make_pass, make_safe
from shapely import Point, box

from geobservatory.errors import InputError
from geobservatory.hubs.queries.lucene import parse_query, solr_date
from geobservatory.hubs.queries.odata import parse_filter
from geobservatory.sandbox.servers import cdse_products, dhus_search
from geobservatory.sandbox.servers.clock import SandboxClock
from geobservatory.sandbox.servers.fdsn import select
from geobservatory.sandbox.servers.nodes import tree_of
from geobservatory.sandbox.servers.offers import OfferPolicy, Shelf
from geobservatory.sandbox.servers.sending import UnsatisfiableRangeError, requested_span
from geobservatory.sandbox.servers.stock import StockItem, make_stock

NOW = datetime(2023, 9, 20, 12, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> tuple[StockItem, ...]:
    folder = tmp_path_factory.mktemp("stock")
    make_pass(folder, 20)
    return make_stock(folder)


def test_a_product_is_known_by_its_manifest(stock: tuple[StockItem, ...]) -> None:
    item = stock[0]
    assert item.start == datetime(2023, 9, 4, 6, 37, 30, 213065, tzinfo=UTC)
    assert (item.relative_orbit, item.direction) == (52, "DESCENDING")
    assert item.published - item.stop == timedelta(hours=1)
    assert item.footprint.contains(Point(-9, 31))
    assert item.facts["sliceNumber"] == "28"
    assert make_stock(item.path.parent)[0].uuid == item.uuid


def test_a_footprint_over_the_antimeridian_is_in_two_parts(tmp_path: Path) -> None:
    make_safe(tmp_path, NOW, corner=(-179.0, -20.0))
    (item,) = make_stock(tmp_path)
    assert item.footprint.geom_type == "MultiPolygon"
    assert item.footprint.contains(Point(179.5, -19)) and item.footprint.contains(
        Point(-179.5, -19)
    )


def test_what_is_no_product_is_refused(tmp_path: Path) -> None:
    make_pass(tmp_path, 1)
    (tmp_path / "twice").mkdir()
    make_pass(tmp_path / "twice", 1)
    with pytest.raises(InputError, match="more than once"):
        make_stock(tmp_path)
    broken = tmp_path / "twice" / "S1A_broken.zip"
    broken.write_bytes(b"PK")
    with pytest.raises(InputError, match="not a whole zip"):
        make_stock(tmp_path)


def test_real_products_are_stock(shared_data: Path) -> None:
    items = make_stock(shared_data / "sentinel1")
    assert [item.relative_orbit for item in items] == [168, 52, 52]
    assert items[1].facts["processorVersion"] == "003.61"
    assert items[1].footprint.contains(Point(-9.5, 31.2))


def test_shares_overlap_and_repeat(stock: tuple[StockItem, ...]) -> None:
    later = stock[-1].published + timedelta(days=1)

    def held(hub: str) -> set[str]:
        return {str(one.item.name) for one in Shelf(hub, OfferPolicy(share=0.6), stock).at(later)}

    assert held("north") == held("north")
    assert held("north") & held("south") and held("north") ^ held("south")
    assert 5 < len(held("north")) < 18


def test_a_hub_publishes_late_and_its_archive_rolls(stock: tuple[StockItem, ...]) -> None:
    policy = OfferPolicy(delay_s=600, spread_s=600, window_days=30, offline_after_days=10)
    shelf, item = Shelf("mirror", policy, stock), stock[0]
    assert shelf.find(item.uuid, item.published + timedelta(minutes=9)) is None
    found = shelf.find(item.uuid, item.published + timedelta(minutes=21))
    assert found is not None and found.online
    assert timedelta(minutes=10) <= found.published - item.published <= timedelta(minutes=20)
    assert shelf.find(item.uuid, item.stop + timedelta(days=31)) is None


def test_a_product_comes_back_from_the_archive_and_goes_again(stock: tuple[StockItem, ...]) -> None:
    policy = OfferPolicy(offline_after_days=1, retrieval_s=3600, kept_s=7200)
    shelf, item = Shelf("mirror", policy, stock), stock[0]
    asked = item.stop + timedelta(days=2)

    def online(hours: float) -> bool:
        found = shelf.find(item.uuid, asked + timedelta(hours=hours))
        return found is not None and found.online

    assert not online(0)
    shelf.retrieve(item.uuid, asked)
    shelf.retrieve(item.uuid, asked + timedelta(minutes=30))  # changes nothing
    assert shelf.retrieving(asked) == 1
    assert [online(hours) for hours in (0.5, 1, 2.9, 3.1)] == [False, True, True, False]


def test_the_clock_is_moved_and_hurried() -> None:
    clock = SandboxClock(NOW, speed=0)
    assert clock.now() == NOW
    clock.set(NOW + timedelta(days=1), speed=3600)
    assert clock.now() >= NOW + timedelta(days=1)
    with pytest.raises(InputError, match="timezone"):
        clock.set(NOW.replace(tzinfo=None))
    with pytest.raises(InputError, match="speed"):
        clock.set(speed=-1)


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, None),
        ("bytes=0-", (0, 100)),
        ("bytes=25-", (25, 100)),
        ("bytes=0-0", (0, 1)),
        ("bytes=10-19", (10, 20)),
        ("bytes=90-500", (90, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-500", (0, 100)),
        ("bytes=20-10", None),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("lines=0-1", None),
        ("bytes=" + "9" * 5000 + "-", None),
    ],
)
def test_ranges(header: str | None, span: tuple[int, int] | None) -> None:
    assert requested_span(header, 100) == span


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=200-300", "bytes=-0"])
def test_ranges_beyond_the_end(header: str) -> None:
    with pytest.raises(UnsatisfiableRangeError):
        requested_span(header, 100)


def test_the_tree_of_a_product(stock: tuple[StockItem, ...]) -> None:
    item = stock[0]
    tree = tree_of(item.path)
    assert [node.name for node in tree.children(())] == [item.safe]
    names = [node.name for node in tree.children((item.safe,))]
    assert names == ["annotation", "manifest.safe", "measurement"]
    manifest = tree.node((item.safe, "manifest.safe"))
    assert manifest is not None and manifest.is_file
    with ZipFile(item.path) as archive, tree.body(manifest).open() as file:
        assert file.read() == archive.read(f"{item.safe}/manifest.safe")
    assert tree.node((item.safe, "no")) is None


# A product as the query languages see it.
FIELDS: dict[str, Any] = {
    "identifier": "S1A_IW_SLC__1SDV_20230916T063730_20230916T063757_050349_060FCD_6814",
    "platformname": "Sentinel-1",
    "producttype": "SLC",
    "polarisationmode": "VV VH",
    "relativeorbitnumber": 52,
    "beginposition": datetime(2023, 9, 16, 6, 37, 30, 213000, tzinfo=UTC),
    "ingestiondate": NOW - timedelta(hours=3),
    "footprint": box(-11, 30, -8, 32),
}


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ("*", True),
        ("*:*", True),
        ("platformname:Sentinel-1", True),
        ("platformName:sentinel-1 AND productType:SLC", True),
        ("platformname:Sentinel-1 producttype:GRD", False),
        ("platformname:Sentinel-2 OR producttype:SLC", True),
        ("NOT producttype:SLC", False),
        ("-producttype:GRD", True),
        ("--producttype:SLC", True),
        ("NOT NOT producttype:SLC", True),
        ("producttype:(GRD OR SLC)", True),
        ("(producttype:GRD OR relativeorbitnumber:52) AND NOT platformname:Sentinel-2", True),
        ("producttype:GRD OR platformname:Sentinel-1 AND producttype:OCN", False),
        ("polarisationmode:VV", True),
        ('polarisationmode:"VV VH"', True),
        ("identifier:S1A_IW_SLC_*_6814", True),
        ("S1A*", True),
        ("S1B*", False),
        ("relativeorbitnumber:[50 TO 60]", True),
        ("relativeorbitnumber:[53 TO *]", False),
        ("relativeorbitnumber:{52 TO 60]", False),
        ("beginposition:[2023-09-16T00:00:00.000Z TO 2023-09-17T00:00:00.000Z]", True),
        ('beginPosition:["2023-09-16T00:00:00Z" TO "2023-09-16T06:00:00Z"]', False),
        ("ingestiondate:[NOW-1DAY TO NOW]", True),
        ("ingestiondate:[NOW/DAY TO NOW]", True),
        ("ingestiondate:[* TO NOW-5HOURS]", False),
        ('footprint:"Intersects(POLYGON((-9 31,-7 31,-7 33,-9 33,-9 31)))"', True),
        ('footprint:"Intersects(GEOMETRYCOLLECTION(POINT(-9 31)))"', True),
        ('footprint:"Intersects(31.0, -9.0)"', True),
        ('footprint:"Intersects(ENVELOPE(-10, -9, 32, 31))"', True),
        ('footprint:"Contains(POLYGON((-9 31,-7 31,-7 33,-9 33,-9 31)))"', False),
        ('footprint:"IsWithin(POLYGON((-20 20,0 20,0 40,-20 40,-20 20)))"', True),
        ("cloudcoverpercentage:[0 TO 10]", False),
    ],
)
def test_the_query_language_of_a_dhus(query: str, matches: bool) -> None:
    assert parse_query(query, dhus_search.KINDS, NOW)(FIELDS) is matches


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("", "empty"),
        ("xxx:yyy", "undefined field xxx"),
        ("producttype:", "has no value"),
        ("(producttype:SLC", "not closed"),
        ("producttype:SLC)", "Cannot parse"),
        ('footprint:"Intersects(POLYGON((0 0,1 1)))"', "Invalid area"),
        ('footprint:"Near(POINT(0 0))"', "Invalid footprint"),
        ("beginposition:[yesterday TO NOW]", "Invalid date"),
        ("relativeorbitnumber:abc", "Invalid number"),
        ("(" * 60 + "S1A*" + ")" * 60, "nested"),
        ("NOT " * 600 + "S1A*", "nested"),
        ("ingestiondate:[NOW-99999999999DAYS TO NOW]", "Invalid date"),
        ("producttype:SLC OR", "Cannot parse"),
    ],
)
def test_queries_a_dhus_refuses(query: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        parse_query(query, dhus_search.KINDS, NOW)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("NOW", NOW),
        ("NOW-2DAYS", NOW - timedelta(days=2)),
        ("NOW/DAY", datetime(2023, 9, 20, tzinfo=UTC)),
        ("NOW/HOUR+30MINUTES", NOW),
        ("2023-09-01T00:00:00Z-1MONTH", datetime(2023, 8, 2, tzinfo=UTC)),
    ],
)
def test_dates_are_reckoned_with(text: str, time: datetime) -> None:
    assert solr_date(text, NOW) == time


ENTITY: dict[str, Any] = {
    "Collection/Name": "SENTINEL-1",
    "Name": "S1A_IW_SLC__1SDV_20230916T063730_20230916T063757_050349_060FCD_6814.SAFE",
    "Id": "0a1b2c3d-0000-5000-8000-0123456789ab",
    "Online": True,
    "ContentLength": 4_000_000_000,
    "ContentDate/Start": datetime(2023, 9, 16, 6, 37, 30, 213065, tzinfo=UTC),
    "ContentDate/End": datetime(2023, 9, 16, 6, 37, 57, 196353, tzinfo=UTC),
    "PublicationDate": datetime(2023, 9, 16, 8, 0, tzinfo=UTC),
    "Footprint": box(-11, 30, -8, 32),
    "Attributes": {"productType": "IW_SLC__1S", "relativeOrbitNumber": 52, "orbitNumber": 50349},
}
_TYPE = (
    "Attributes/OData.CSC.StringAttribute/any(att:att/Name eq 'productType' "
    "and att/OData.CSC.StringAttribute/Value eq '{}')"
)
_ORBIT = (
    "Attributes/OData.CSC.{}Attribute/any(a:a/Name eq 'relativeOrbitNumber' "
    "and a/OData.CSC.IntegerAttribute/Value {})"
)


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("Collection/Name eq 'SENTINEL-1'", True),
        ("Collection/Name eq 'SENTINEL-2' or Online eq true", True),
        ("not contains(Name,'S2') and startswith(Name,'S1A')", True),
        ("endswith(Name,'.zip')", False),
        ("ContentDate/Start gt 2023-09-16T00:00:00.000Z", True),
        ("ContentDate/Start ge 2023-09-17 and Online eq true", False),
        ("ContentDate/Start lt '2023-09-17T00:00:00.000000Z'", True),
        ("PublicationDate lt 2023-09-16T10:00:00+02:00", False),
        ("(ContentLength gt 1000000 and ContentLength lt 5e9)", True),
        ("Id eq 0A1B2C3D-0000-5000-8000-0123456789AB", True),
        ("Id eq '0a1b2c3d-0000-5000-8000-0123456789ab'", True),
        ("Name in ('a','b')", False),
        ("Name ne null", True),
        (_TYPE.format("IW_SLC__1S"), True),
        (_TYPE.format("IW_GRDH_1S"), False),
        (f"not {_TYPE.format('IW_GRDH_1S')}", True),
        (_ORBIT.format("Integer", "eq 52"), True),
        (_ORBIT.format("String", "eq 52"), True),
        (_ORBIT.format("Integer", "gt 60"), False),
        (_TYPE.replace("OData.CSC.StringAttribute/Value", "Value").format("IW_SLC__1S"), True),
        (
            "OData.CSC.Intersects(area=geography'SRID=4326;POLYGON((-9 31,-7 31,-7 33,-9 31))')",
            True,
        ),
        ("OData.CSC.Intersects(area=geography'SRID=4326;POINT(0 0)')", False),
        ("Online eq true and (Name eq 'x' or (not (Name eq 'y')))", True),
    ],
)
def test_the_filter_language_of_the_data_space(text: str, matches: bool) -> None:
    assert parse_filter(text, cdse_products.FIELDS)(ENTITY) is matches


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected"),
        ("Foo eq 'x'", "Invalid field: Foo"),
        ("Name eq 5", "cannot be compared"),
        ("ContentDate/Start gt tomorrow", "a value is expected"),
        ("ContentDate/Start gt 2023-13-01", "no time"),
        ("Name like 'x'", "no comparison"),
        ("(Name eq 'x'", "expected"),
        ("Name eq 'x' and", "expected"),
        ("Name eq 'x' Name eq 'y'", "unexpected"),
        ("contains(Online,'x')", "no text"),
        ("OData.CSC.Intersects(area=geography'POINT(0 0)')", "SRID"),
        ("OData.CSC.Intersects(area=geography'SRID=4326;POLYGON((0 0,1 1))')", "Invalid area"),
        ("Attributes/OData.CSC.StringAttribute/any(att:att/Value eq 'x')", "expected"),
        (_ORBIT.format("Integer", "eq 'x'"), "cannot be compared"),
        ("Name eq #", "Invalid filter at"),
        ("ContentLength gt " + "9" * 5000, "Invalid filter"),
        ("not " * 600 + "Online eq true", "nested"),
        ("(" * 60 + "Online eq true" + ")" * 60, "nested"),
    ],
)
def test_filters_the_data_space_refuses(text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        parse_filter(text, cdse_products.FIELDS)


@given(st.text(alphabet="abN()'\":*[]{} TO-/eqandornt,=0123456789.;\\", max_size=60))
def test_no_query_breaks_a_parser(text: str) -> None:
    for parse in (
        lambda: parse_query(text, dhus_search.KINDS, NOW)(FIELDS),
        lambda: parse_filter(text, cdse_products.FIELDS)(ENTITY),
    ):
        with suppress(InputError):
            assert parse() in (True, False)


def _event(unid: str, mag: float, hour: int) -> dict[str, Any]:
    time = f"2023-09-08T{hour:02d}:00:00.0Z"
    properties = {"unid": unid, "mag": mag, "time": time, "lastupdate": time}
    return {"properties": {**properties, "lat": 31.1, "lon": -8.4, "depth": 18.5}}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["c", "b", "a"]),
        ({"orderby": "time-asc"}, ["a", "b", "c"]),
        ({"orderby": "magnitude"}, ["b", "c", "a"]),
        ({"minmag": "5"}, ["c", "b"]),
        ({"start": "2023-09-08T21:30:00", "end": "2023-09-08T22:30:00"}, ["b"]),
        ({"limit": "1", "offset": "2"}, ["b"]),
        ({"lat": "31", "lon": "-8", "maxradius": "1"}, ["c", "b", "a"]),
        ({"lat": "0", "lon": "0", "maxradius": "10"}, None),
        ({"maxlat": "30"}, None),
        ({"updatedafter": "2023-09-08T22:30:00Z"}, ["c"]),
    ],
)
def test_the_event_service_selects(query: dict[str, str], found: list[str] | None) -> None:
    events = [_event("a", 4.9, 21), _event("b", 6.8, 22), _event("c", 5.1, 23)]
    answer = select(events, {"format": "json", **query})
    names = answer and [one["properties"]["unid"] for one in answer["features"]]
    assert names == found


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"format": "geojson"},
        {"format": "json", "magnitude": "5"},
        {"format": "json", "minmag": "x"},
    ],
)
def test_what_the_event_service_refuses(query: dict[str, str]) -> None:
    with pytest.raises(InputError):
        select([], query)
