"""How a DHuS writes OData v1 entities, in JSON; lengths in it are strings.

The form is that of recorded conversations.
"""

from datetime import datetime
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from aiohttp import web

from geobservatory.sandbox.servers.nodes import Node
from geobservatory.sandbox.servers.offers import Offered
from geobservatory.sandbox.servers.stock import StockItem
from geobservatory.sandbox.servers.view import View
from geobservatory.sandbox.servers.writing import gml, iso_ms, size_text

SATELLITE = "Sentinel-1"


def product(base: str, offered: Offered, view: View, *, expand: bool) -> dict[str, Any]:
    """Write the entity of a product; its attributes in full, or as a link."""
    item = offered.item
    uri = product_uri(base, item)
    links: dict[str, Any] = {
        name: {"__deferred": {"uri": f"{uri}/{name}"}}
        for name in ("Products", "Nodes", "Attributes", "Class")
    }
    if expand:
        links["Attributes"] = {"results": attributes(base, offered)}
    return {
        "__metadata": {
            "id": uri,
            "uri": uri,
            "type": "DHuS.Product",
            "content_type": "application/octet-stream",
            "media_src": f"{uri}/$value",
            "edit_media": f"{uri}/$value",
        },
        "Id": str(item.uuid),
        "Name": str(item.name),
        "ContentType": "application/octet-stream",
        "ContentLength": str(view.length(item.size)),
        "ChildrenNumber": "1",
        "Value": None,
        "CreationDate": _stamp(offered.published),
        "IngestionDate": _stamp(offered.published),
        "ModificationDate": _stamp(offered.published),
        "EvictionDate": None,
        "Online": offered.online and not view.offline,
        "OnDemand": False,
        "ContentDate": {
            "__metadata": {"type": "DHuS.TimeRange"},
            "Start": _stamp(item.start),
            "End": _stamp(item.stop),
        },
        "Checksum": checksum(item, view),
        "ContentGeometry": gml(item),
        **links,
    }


def checksum(item: StockItem, view: View) -> dict[str, Any]:
    """Write the checksum of a product."""
    return {
        "__metadata": {"type": "DHuS.Checksum"},
        "Algorithm": "MD5",
        "Value": view.checksum(item.md5),
    }


def attributes(base: str, offered: Offered) -> list[dict[str, Any]]:
    """Write the attributes of a product, by name."""
    item, name, facts = offered.item, offered.item.name, offered.item.facts
    values = {
        "Acquisition Type": ("NOMINAL", "product"),
        "Cycle number": (facts.get("cycleNumber"), "product"),
        "Date": (iso_ms(item.start), "summary"),
        "Filename": (item.safe, "summary"),
        "Footprint": (gml(item), "product"),
        "Format": ("SAFE", "product"),
        "Identifier": (str(name), "summary"),
        "Ingestion Date": (iso_ms(offered.published), "product"),
        "Instrument": ("SAR-C", "summary"),
        "Instrument abbreviation": ("SAR-C SAR", "instrument"),
        "Instrument mode": (name.mode, "instrument"),
        "Instrument name": ("Synthetic Aperture Radar (C-band)", "instrument"),
        "JTS footprint": (item.footprint.wkt, "product"),
        "Mission datatake id": (str(int(name.data_take, 16)), "product"),
        "NSSDC identifier": (facts.get("nssdcIdentifier"), "platform"),
        "Orbit number (start)": (str(name.absolute_orbit), "product"),
        "Orbit number (stop)": (str(name.absolute_orbit), "product"),
        "Pass direction": (item.direction, "product"),
        "Polarisation": (" ".join(name.polarisations), "product"),
        "Product class": (name.product_class, "product"),
        "Product composition": (facts.get("productComposition"), "product"),
        "Product level": (f"L{name.level}", "product"),
        "Product type": (name.kind, "product"),
        "Relative orbit (start)": (str(item.relative_orbit), "product"),
        "Relative orbit (stop)": (str(item.relative_orbit), "product"),
        "Satellite": (SATELLITE, "summary"),
        "Satellite name": (SATELLITE, "platform"),
        "Satellite number": (name.mission[2], "platform"),
        "Sensing start": (iso_ms(item.start), "product"),
        "Sensing stop": (iso_ms(item.stop), "product"),
        "Size": (size_text(item), "summary"),
        "Slice number": (facts.get("sliceNumber"), "product"),
        "Status": ("ARCHIVED", "product"),
        "Timeliness Category": (facts.get("productTimelinessCategory"), "product"),
    }
    return [
        _attribute(product_uri(base, item), key, value, category)
        for key, (value, category) in values.items()
        if value is not None
    ]


def node(base: str, item: StockItem, one: Node) -> dict[str, Any]:
    """Write the entity of a node."""
    uri = product_uri(base, item) + "".join(f"/Nodes('{part}')" for part in one.parts)
    return {
        "__metadata": {
            "id": uri,
            "uri": uri,
            "type": "DHuS.Node",
            "content_type": "application/octet-stream",
            "media_src": f"{uri}/$value",
            "edit_media": f"{uri}/$value",
        },
        "Id": one.name,
        "Name": one.name,
        "ContentType": "application/octet-stream" if one.is_file else "Item",
        "ContentLength": str(one.size),
        "ChildrenNumber": str(one.children),
        "Value": None,
        **{
            name: {"__deferred": {"uri": f"{uri}/{name}"}}
            for name in ("Nodes", "Attributes", "Class")
        },
    }


def product_uri(base: str, item: StockItem) -> str:
    """Address of a product's entity."""
    return f"{base}/odata/v1/Products('{item.uuid}')"


def _attribute(uri: str, name: str, value: str, category: str) -> dict[str, Any]:
    own = f"{uri}/Attributes('{quote(name)}')"
    return {
        "__metadata": {"id": own, "uri": own, "type": "DHuS.Attribute"},
        "Id": name,
        "Name": name,
        "ContentType": "text/plain",
        "ContentLength": str(len(value)),
        "Value": value,
        "Category": category,
    }


def _stamp(time: datetime) -> str:
    return f"/Date({round(time.timestamp() * 1000)})/"


def media_headers(filename: str, tag: str) -> dict[str, str]:
    """Write the headers of a download."""
    return {
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'inline;filename="{filename}"',
        "Content-Type": "application/octet-stream",
        "DataServiceVersion": "2.0",
        "ETag": tag,
        "Pragma": "no-cache",
    }


def entity_reply(entity: Any) -> web.Response:
    """Answer with an entity."""
    headers = {"DataServiceVersion": "2.0", "Pragma": "no-cache"}
    return web.json_response({"d": entity}, headers=headers)


def text_reply(value: str) -> web.Response:
    """Answer with the bare value of a property."""
    headers = {"DataServiceVersion": "2.0", "Pragma": "no-cache"}
    return web.Response(text=value, headers=headers)


def fault_reply(request: web.Request, status: int, cause: str, message: str) -> web.Response:
    """Answer with an error; the cause is also in a header of its own, which clients read."""
    headers = {"cause-message": f"{cause} : {message}", "DataServiceVersion": "1.0"}
    if request.query.get("$format") == "json":
        body = {"error": {"code": None, "message": {"lang": "en", "value": message}}}
        return web.json_response(body, status=status, headers=headers)
    xml = (
        "<?xml version='1.0' encoding='UTF-8'?><error xmlns="
        '"http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"><code/>'
        f'<message xml:lang="en">{escape(message)}</message></error>'
    )
    return web.Response(status=status, text=xml, content_type="application/xml", headers=headers)
