"""Areas that people hand in as a file: GeoJSON, KML, or a shapefile in a zip.

Such files come from strangers. They are read without GDAL, whose formats may name further files and
addresses; nothing in them is opened, fetched or expanded beyond a size.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import shapefile
from lxml import etree
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from shapely import force_2d, get_num_coordinates, make_valid, transform
from shapely.errors import ShapelyError
from shapely.geometry import Polygon, shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from geobservatory.errors import InputError
from geobservatory.events.geojson import area_of, to_geojson

MOST_BYTES = 1_500_000
# Of what a zip holds, once unpacked.
_MOST_UNPACKED, _MOST_MEMBERS, _MOST_VERTICES = 20_000_000, 50, 20_000
_WGS84 = CRS.from_epsg(4326)


def area_in(name: str, content: bytes) -> BaseGeometry:
    """Read the area of a file.

    Parameters
    ----------
    name
        Of the file; what is in it decides how it is read.

    Returns
    -------
    area
        Polygon or polygons, EPSG:4326.

    Raises
    ------
    InputError
        If it holds no area, or is too large; the message says what was expected.
    """
    shown = "".join(sign for sign in name[-80:] if sign.isprintable()) or "the file"
    if len(content) > MOST_BYTES:
        raise InputError(f"{shown}: larger than {MOST_BYTES / 1e6:g} MB; simplify the area")
    try:
        if content.startswith(b"PK"):
            area = _zipped(content)
        elif content.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
            area = _kml(content)
        else:
            area = area_of(_json(content))
        if get_num_coordinates(area) > _MOST_VERTICES:
            raise InputError(f"more than {_MOST_VERTICES} corners; simplify the area")
    except InputError as error:
        raise InputError(f"{shown}: {error}") from error
    return area


def _json(content: bytes) -> Any:
    def refuse(constant: str) -> float:
        raise ValueError(f"{constant} is not a JSON number")

    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=refuse)
    except (ValueError, RecursionError):
        raise InputError("neither GeoJSON, KML nor a zipped shapefile") from None


def _kml(content: bytes) -> BaseGeometry:
    """Read the polygons of a KML document (OGC 12-007r2); entities are not expanded."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=False
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise InputError(f"not XML: {error.msg}") from None
    if b"<!DOCTYPE" in content:
        raise InputError("XML with a document type is not read")
    polygons = list(root.iter("{*}Polygon"))
    if not polygons:
        raise InputError("no Polygon in the KML")
    return _together(_kml_polygon(one) for one in polygons)


def _kml_polygon(element: Any) -> BaseGeometry:
    rings: dict[str, list[list[tuple[float, float]]]] = {"outer": [], "inner": []}
    for which, found in rings.items():
        for line in element.iterfind(f"{{*}}{which}BoundaryIs//{{*}}coordinates"):
            found.append(_kml_ring(line.text or ""))
    if len(rings["outer"]) != 1:
        raise InputError("a KML Polygon without one outer boundary")
    return Polygon(rings["outer"][0], rings["inner"])


def _kml_ring(text: str) -> list[tuple[float, float]]:
    try:
        places = [tuple(float(one) for one in part.split(",")) for part in text.split()]
        return [(one[0], one[1]) for one in places]
    except (ValueError, IndexError):
        raise InputError(f"KML coordinates {text.strip()[:40]!r} are no numbers") from None


def _zipped(content: bytes) -> BaseGeometry:
    """Read a zip: a shapefile with its projection, or one KML or GeoJSON document (KMZ)."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [one for one in archive.infolist() if not one.is_dir()]
            size = sum(one.file_size for one in entries)
            if len(entries) > _MOST_MEMBERS or size > _MOST_UNPACKED:
                raise InputError(f"a zip of more than {_MOST_MEMBERS} files or 20 MB unpacked")
            files = {one.filename.lower(): archive.read(one) for one in entries}
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
        OSError,
        ValueError,
    ) as error:
        raise InputError(f"a damaged or protected zip: {error}") from None
    wanted = [name for name in files if name.endswith((".shp", ".kml", ".geojson", ".json"))]
    if len(wanted) != 1:
        raise InputError(f"a zip with one .shp, .kml or .geojson is expected, not {len(wanted)}")
    name = wanted[0]
    if not name.endswith(".shp"):
        inner = files[name]
        return _kml(inner) if name.endswith(".kml") else area_of(_json(inner))
    return _shapefile(files[name], files.get(f"{name[:-4]}.prj"))


def _shapefile(shapes: bytes, projection: bytes | None) -> BaseGeometry:
    if projection is None:
        raise InputError("the shapefile has no .prj: nobody knows what its coordinates mean")
    try:
        crs = CRS.from_wkt(projection.decode("utf-8", errors="replace"))
        with shapefile.Reader(shp=io.BytesIO(shapes)) as reader:
            read = [one.__geo_interface__ for one in reader.iterShapes()]
    except ProjError as error:
        raise InputError(f"its .prj names no coordinate system: {error}") from None
    except (shapefile.ShapefileException, ValueError, IndexError, EOFError, OSError) as error:
        raise InputError(f"the shapefile is damaged: {error}") from None
    except Exception as error:  # noqa: BLE001  pyshp lets struct.error and others through
        raise InputError(f"the shapefile is damaged: {type(error).__name__}") from None
    found = [one for one in read if one["type"] in ("Polygon", "MultiPolygon")]
    if not found:
        raise InputError("no polygon in the shapefile")
    to_degrees = Transformer.from_crs(crs, _WGS84, always_xy=True)
    return _together(
        transform(force_2d(shape(one)), to_degrees.transform, interleaved=False) for one in found
    )


def _together(parts: Iterator[BaseGeometry]) -> BaseGeometry:
    try:
        whole = unary_union([make_valid(one) for one in parts])
    except (ShapelyError, ValueError, ProjError) as error:
        raise InputError(f"its corners make no area: {error}") from None
    # What is flat is no area; what is left is checked as any request's.
    return area_of(to_geojson(whole))
