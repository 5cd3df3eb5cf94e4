"""How hubs write areas, sizes and times of a product."""

from datetime import datetime

from geobservatory.sandbox.servers.stock import StockItem


def gml(item: StockItem) -> str:
    """Write the footprint in GML 2, latitude first."""
    ring = " ".join(f"{lat:f},{lon:f}" for lat, lon in (*item.corners, item.corners[0]))
    return (
        '<gml:Polygon srsName="http://www.opengis.net/gml/srs/epsg.xml#4326" '
        'xmlns:gml="http://www.opengis.net/gml">\n   <gml:outerBoundaryIs>\n'
        f"      <gml:LinearRing>\n         <gml:coordinates>{ring}</gml:coordinates>\n"
        "      </gml:LinearRing>\n   </gml:outerBoundaryIs>\n</gml:Polygon>"
    )


def size_text(item: StockItem) -> str:
    """Write the size for people."""
    size, units = float(item.size), ["B", "KB", "MB", "GB"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        units.pop(0)
    return f"{size:.2f} {units[0]}"


def iso_ms(time: datetime) -> str:
    """Write a UTC time to the millisecond."""
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"
