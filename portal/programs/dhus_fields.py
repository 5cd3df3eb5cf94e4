"""What a DHuS lets be asked of a product, and what it tells of it in an answer."""

from collections.abc import Mapping
from datetime import datetime

from shapely.affinity import translate
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from geobservatory.catalog.listing import Listed
from geobservatory.hubs.queries.lucene import Kind
from geobservatory.hubs.queries.terms import Fields
from geobservatory.sentinel1.names import parse_name

SATELLITE = "Sentinel-1"
_DATES = ("beginposition", "endposition", "ingestiondate", "creationdate")
_NUMBERS = (
    "missiondatatakeid",
    "slicenumber",
    "orbitnumber",
    "lastorbitnumber",
    "relativeorbitnumber",
    "lastrelativeorbitnumber",
    "cloudcoverpercentage",
)
_TEXTS = (
    "acquisitiontype",
    "filename",
    "format",
    "identifier",
    "instrumentname",
    "instrumentshortname",
    "orbitdirection",
    "platformidentifier",
    "platformname",
    "platformserialidentifier",
    "polarisationmode",
    "processinglevel",
    "productclass",
    "productlevel",
    "producttype",
    "sensoroperationalmode",
    "size",
    "status",
    "swathidentifier",
    "timeliness",
    "uuid",
)
# What can be asked for; what only other missions have never matches.
KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(_DATES, "date"),
    **dict.fromkeys(_NUMBERS, "number"),
    **dict.fromkeys(_TEXTS, "text"),
    "footprint": "area",
}
MEANING: Mapping[str, str] = {
    "identifier": "name",
    "filename": "safe",
    "uuid": "uuid",
    "platformname": "platform",
    "platformserialidentifier": "serial",
    "producttype": "type",
    "sensoroperationalmode": "mode",
    "orbitdirection": "direction",
    "orbitnumber": "orbit",
    "lastorbitnumber": "orbit",
    "relativeorbitnumber": "relative",
    "lastrelativeorbitnumber": "relative",
    "beginposition": "start",
    "endposition": "stop",
    "ingestiondate": "published",
    "creationdate": "published",
    "footprint": "footprint",
}


def searchable(listed: Listed) -> Fields:
    """Write the fields of a product that a query can ask for."""
    return {
        **numbers(listed),
        **texts(listed),
        **dates(listed),
        "footprint": listed.product.footprint,
    }


def dates(listed: Listed) -> dict[str, datetime]:
    """Give the times of a product."""
    product = listed.product
    return {
        "beginposition": product.start,
        "endposition": product.stop,
        "ingestiondate": listed.published,
        "creationdate": listed.published,
    }


def numbers(listed: Listed) -> dict[str, int]:
    """Give the numbers of a product, as far as they are known."""
    product = listed.product
    relative = product.relative_orbit
    return {
        "missiondatatakeid": int(parse_name(product.name).data_take, 16),
        "orbitnumber": product.absolute_orbit,
        "lastorbitnumber": product.absolute_orbit,
        **(
            {}
            if relative is None
            else {"relativeorbitnumber": relative, "lastrelativeorbitnumber": relative}
        ),
    }


def texts(listed: Listed) -> dict[str, str]:
    """Give the texts of a product, as far as they are known."""
    product, name = listed.product, parse_name(listed.product.name)
    sizes = [one.size for one in listed.offers if one.size is not None]
    return {
        "sensoroperationalmode": product.mode,
        "swathidentifier": "IW1 IW2 IW3" if product.mode == "IW" else product.mode,
        **({} if product.direction is None else {"orbitdirection": product.direction.upper()}),
        "producttype": product.product_type,
        "platformname": SATELLITE,
        "platformserialidentifier": product.mission[2:],
        "instrumentname": "Synthetic Aperture Radar (C-band)",
        "instrumentshortname": "SAR-C SAR",
        "filename": f"{product.name}.SAFE",
        "format": "SAFE",
        "productclass": name.product_class,
        "productlevel": f"L{name.level}",
        "polarisationmode": " ".join(product.polarisations),
        "acquisitiontype": "NOMINAL",
        "status": "ARCHIVED",
        **({} if not sizes else {"size": size_text(sizes[0])}),
        "identifier": product.name,
        "uuid": str(listed.id),
    }


def size_text(count: float) -> str:
    """Write a size for people."""
    units = ["B", "KB", "MB", "GB"]
    while count >= 1024 and len(units) > 1:
        count /= 1024
        units.pop(0)
    return f"{count:.2f} {units[0]}"


def iso_ms(time: datetime) -> str:
    """Write a UTC time to the millisecond."""
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"


def gml(footprint: BaseGeometry) -> str:
    """Write a footprint in GML 2, latitude first; over the antimeridian in one ring beyond it."""
    ring = " ".join(f"{lat:f},{lon:f}" for lon, lat, *_ in _ring(footprint))
    return (
        '<gml:Polygon srsName="http://www.opengis.net/gml/srs/epsg.xml#4326" '
        'xmlns:gml="http://www.opengis.net/gml">\n   <gml:outerBoundaryIs>\n'
        f"      <gml:LinearRing>\n         <gml:coordinates>{ring}</gml:coordinates>\n"
        "      </gml:LinearRing>\n   </gml:outerBoundaryIs>\n</gml:Polygon>"
    )


def _ring(footprint: BaseGeometry) -> list[tuple[float, ...]]:
    if isinstance(footprint, MultiPolygon):
        parts = [
            translate(part, xoff=360) if part.bounds[2] < 0 else part for part in footprint.geoms
        ]
        joined = unary_union(parts)
        footprint = joined if isinstance(joined, Polygon) else joined.convex_hull
    if isinstance(footprint, Polygon):
        return list(footprint.exterior.coords)
    return list(footprint.envelope.exterior.coords)
