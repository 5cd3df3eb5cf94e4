"""Areas from files of strangers: the formats people have, and what must not get through."""

import io
import json
import zipfile
from typing import Any

import pytest
import shapefile
from pyproj import CRS, Transformer
from shapely import transform
from shapely.geometry import box, mapping, shape
from shapely.geometry.base import BaseGeometry

from geobservatory.errors import InputError
from geobservatory.events.area_files import area_in

ETNA = box(14.8, 37.6, 15.2, 37.9)
KML = (
    '<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark>'
    "<Polygon><outerBoundaryIs><LinearRing><coordinates>14.8,37.6,0 15.2,37.6,0 15.2,37.9,0"
    " 14.8,37.9,0 14.8,37.6,0</coordinates></LinearRing></outerBoundaryIs></Polygon>"
    "</Placemark></Document></kml>"
)
WGS84 = (
    'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]'
)


def zipped(**files: bytes | str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return out.getvalue()


def shapes(area: BaseGeometry, kind: int = shapefile.POLYGON) -> bytes:
    out = io.BytesIO()
    with shapefile.Writer(shp=out, shx=io.BytesIO(), dbf=io.BytesIO(), shapeType=kind) as writer:
        writer.field("name", "C")
        if kind == shapefile.POLYGON:
            writer.shape(mapping(area))
        else:
            writer.point(1, 1)
        writer.record("an area")
    return out.getvalue()


def utm() -> tuple[BaseGeometry, str]:

    crs = CRS.from_epsg(32633)
    forward = Transformer.from_crs(4326, crs, always_xy=True)
    return transform(ETNA, forward.transform, interleaved=False), crs.to_wkt("WKT1_ESRI")


def files() -> dict[str, bytes]:
    document: dict[str, Any] = {"type": "Feature", "properties": {}, "geometry": mapping(ETNA)}
    projected, prj = utm()
    return {
        "a.geojson": json.dumps(document).encode(),
        "bare.json": b"\xef\xbb\xbf" + json.dumps(mapping(ETNA)).encode(),
        "a.kml": KML.encode(),
        "a.kmz": zipped(doc__kml=KML),
        "a.zip": zipped(a__shp=shapes(ETNA), a__prj=WGS84, a__dbf=b"whatever"),
        "utm.zip": zipped(a__shp=shapes(projected), a__prj=prj),
        "json.zip": zipped(a__geojson=json.dumps(document)),
    }


@pytest.mark.parametrize("name", list(files()))
def test_an_area_is_read_whatever_the_format(name: str) -> None:
    found = area_in(name, files()[name])
    assert found.symmetric_difference(ETNA).area < 1e-9


def test_parts_holes_and_touching_corners() -> None:
    ring = "<LinearRing><coordinates>{}</coordinates></LinearRing>"
    outer = ring.format("0,0 4,0 4,4 0,4 0,0")
    inner = ring.format("1,1 2,1 2,2 1,2 1,1")
    far = ring.format("10,0 11,0 11,1 10,0")
    kml = (
        f"<kml><Polygon><outerBoundaryIs>{outer}</outerBoundaryIs><innerBoundaryIs>{inner}"
        f"</innerBoundaryIs></Polygon><Polygon><outerBoundaryIs>{far}</outerBoundaryIs></Polygon>"
        "</kml>"
    )
    assert area_in("a.kml", kml.encode()).area == pytest.approx(16 - 1 + 0.5)
    bow = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
    with pytest.raises(InputError, match="not a valid polygon"):
        area_in("bow.json", json.dumps(bow).encode())


ENTITY = '<!DOCTYPE kml [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
BILLION = '<!DOCTYPE k [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><k>&b;</k>'
VRT = "<OGRVRTDataSource><OGRVRTLayer><SrcDataSource>/etc</SrcDataSource></OGRVRTLayer>" \
    "</OGRVRTDataSource>"  # fmt: skip


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "neither"),
        (b"%PDF-1.7", "neither"),
        (b"{}", "type"),
        (b"[" * 100_000, "neither"),
        (b'{"type": "Point", "coordinates": [1, 2]}', "type"),
        (b'{"type": "Polygon", "coordinates": [[[0, 0], [1e999, 0], [0, 1], [0, 0]]]}', ""),
        (b'{"type": "Polygon", "coordinates": [[[0, 0], [NaN, 0], [0, 1], [0, 0]]]}', "neither"),
        (b'{"type": "Polygon", "coordinates": [[[0, 0], [999, 0], [0, 1], [0, 0]]]}', "longitude"),
        (KML.replace("<kml", f"{ENTITY}<kml").encode(), "document type"),
        (BILLION.encode(), "document type"),
        (VRT.encode(), "no Polygon"),
        (KML[:-20].encode(), "not XML"),
        (KML.replace("14.8,37.6,0", "a,b").encode(), "no numbers"),
        (KML.replace("15.2,37.6,0 15.2,37.9,0 14.8,37.9,0 ", "15,38 ").encode(), ""),
        (b"PK\x03\x04 not really", "zip"),
        (zipped(readme__txt="hello"), "expected, not 0"),
        (zipped(a__kml=KML, b__kml=KML), "expected, not 2"),
        (zipped(a__shp=shapes(ETNA)), "no .prj"),
        (zipped(a__shp=shapes(ETNA), a__prj="nonsense"), ".prj"),
        (zipped(a__shp=b"\x00" * 200, a__prj=WGS84), "shapefile"),
        (zipped(a__shp=shapes(ETNA)[:150], a__prj=WGS84), "shapefile"),
        (zipped(a__shp=shapes(ETNA, shapefile.POINT), a__prj=WGS84), "no polygon"),
        (zipped(a__kml=" " * 21_000_000), "20 MB"),
        (zipped(**{f"f{n}__kml": "x" for n in range(60)}), "50 files"),
        (b"x" * 1_600_000, "larger than"),
    ],
)
def test_what_is_no_area_is_refused_in_words(content: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        area_in("../../etc/passwd\x1b[31m", content)
    words = str(refused.value)
    assert words.startswith("../../etc/passwd") and "\x1b" not in words and "root:" not in words
    assert len(words) < 500


def test_an_area_of_too_many_corners() -> None:
    many = shape(mapping(box(0, 0, 1, 1))).buffer(1, quad_segs=8000)
    with pytest.raises(InputError, match=r"corners|larger"):
        area_in("a.json", json.dumps(mapping(many)).encode())
