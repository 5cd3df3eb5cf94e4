"""How a DHuS writes OData v1 entities, in JSON and as Atom; lengths in them are texts.

The form is that of recorded conversations, and of OData 2.0 (Atom format).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID
from xml.etree import ElementTree

from fastapi import Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from geobservatory.catalog.listing import Listed
from geobservatory.hubs.umbrella import Located
from geobservatory.sentinel1.names import parse_name
from portal.programs import dhus_fields
from portal.programs.tree import Node

_VERSION = {"DataServiceVersion": "2.0"}
_ATOM = "http://www.w3.org/2005/Atom"
_DATA = "http://schemas.microsoft.com/ado/2007/08/dataservices"
_META = f"{_DATA}/metadata"
_LINKS = ("Products", "Nodes", "Attributes", "Class")
_STREAM = "application/octet-stream"
# Checksums by the names that a DHuS has for them, the one its clients know best first.
_ALGORITHMS = {"md5": "MD5", "sha256": "SHA-256", "blake3": "BLAKE3"}


def product(base: str, listed: Listed, located: Located, *, expand: bool) -> dict[str, Any]:
    """Write the entity of a product; its attributes in full, or as a link."""
    uri, times = product_uri(base, listed.id), listed.product
    links: dict[str, Any] = {name: {"__deferred": {"uri": f"{uri}/{name}"}} for name in _LINKS}
    if expand:
        links["Attributes"] = {"results": attributes(base, listed)}
    return {
        "__metadata": _metadata(uri, "Product"),
        "Id": str(listed.id),
        "Name": times.name,
        "ContentType": _STREAM,
        "ContentLength": str(located.version.size or 0),
        "ChildrenNumber": "1",
        "Value": None,
        "CreationDate": _stamp(listed.published),
        "IngestionDate": _stamp(listed.published),
        "ModificationDate": _stamp(listed.published),
        "EvictionDate": None,
        "Online": located.online,
        "OnDemand": False,
        "ContentDate": {
            "__metadata": {"type": "DHuS.TimeRange"},
            "Start": _stamp(times.start),
            "End": _stamp(times.stop),
        },
        "Checksum": checksum(located),
        "ContentGeometry": dhus_fields.gml(times.footprint),
        **links,
    }


def checksum(located: Located) -> dict[str, Any]:
    """Write the checksum of a product."""
    sums = located.version.checksums
    name = next((one for one in _ALGORITHMS if one in sums), "md5")
    return {
        "__metadata": {"type": "DHuS.Checksum"},
        "Algorithm": _ALGORITHMS[name],
        "Value": sums.get(name, ""),
    }


def attributes(base: str, listed: Listed) -> list[dict[str, Any]]:
    """Write the attributes of a product, by name; what is not known of it is not there."""
    one, name = listed.product, parse_name(listed.product.name)
    texts = dhus_fields.texts(listed)
    relative = None if one.relative_orbit is None else str(one.relative_orbit)
    values: dict[str, tuple[str | None, str]] = {
        "Acquisition Type": ("NOMINAL", "product"),
        "Date": (dhus_fields.iso_ms(one.start), "summary"),
        "Filename": (f"{one.name}.SAFE", "summary"),
        "Footprint": (dhus_fields.gml(one.footprint), "product"),
        "Format": ("SAFE", "product"),
        "Identifier": (one.name, "summary"),
        "Ingestion Date": (dhus_fields.iso_ms(listed.published), "product"),
        "Instrument": ("SAR-C", "summary"),
        "Instrument abbreviation": ("SAR-C SAR", "instrument"),
        "Instrument mode": (one.mode, "instrument"),
        "Instrument name": ("Synthetic Aperture Radar (C-band)", "instrument"),
        "JTS footprint": (one.footprint.wkt, "product"),
        "Mission datatake id": (str(int(name.data_take, 16)), "product"),
        "Orbit number (start)": (str(one.absolute_orbit), "product"),
        "Orbit number (stop)": (str(one.absolute_orbit), "product"),
        "Pass direction": (texts.get("orbitdirection"), "product"),
        "Polarisation": (texts["polarisationmode"], "product"),
        "Product class": (name.product_class, "product"),
        "Product level": (f"L{name.level}", "product"),
        "Product type": (one.product_type, "product"),
        "Relative orbit (start)": (relative, "product"),
        "Relative orbit (stop)": (relative, "product"),
        "Satellite": (dhus_fields.SATELLITE, "summary"),
        "Satellite name": (dhus_fields.SATELLITE, "platform"),
        "Satellite number": (one.mission[2:], "platform"),
        "Sensing start": (dhus_fields.iso_ms(one.start), "product"),
        "Sensing stop": (dhus_fields.iso_ms(one.stop), "product"),
        "Size": (texts.get("size"), "summary"),
        "Status": ("ARCHIVED", "product"),
    }
    return [
        _attribute(product_uri(base, listed.id), key, value, category)
        for key, (value, category) in values.items()
        if value is not None
    ]


def node(base: str, identifier: UUID, one: Node) -> dict[str, Any]:
    """Write the entity of a file or folder of a product."""
    uri = product_uri(base, identifier)
    uri += "".join(f"/Nodes('{quote(part)}')" for part in one.parts)
    return {
        "__metadata": _metadata(uri, "Node"),
        "Id": one.name,
        "Name": one.name,
        "ContentType": _STREAM if one.is_file else "Item",
        "ContentLength": str(one.size),
        "ChildrenNumber": str(one.children),
        "Value": None,
        **{
            name: {"__deferred": {"uri": f"{uri}/{name}"}}
            for name in ("Nodes", "Attributes", "Class")
        },
    }


def product_uri(base: str, identifier: UUID) -> str:
    """Address of a product's entity."""
    return f"{base}/odata/v1/Products('{identifier}')"


def reply(request: Request, entity: Any) -> Response:
    """Answer with an entity, or with a list of them, in JSON or as Atom."""
    if wants_json(request):
        return JSONResponse({"d": entity}, headers=_VERSION)
    return Response(_atom(str(request.url), entity), headers=_VERSION, media_type=_ATOM_TYPE)


def text_reply(value: str) -> Response:
    """Answer with the bare value of a property."""
    return PlainTextResponse(value, headers=_VERSION)


def fault(request: Request, status: int, cause: str, message: str, **more: str) -> Response:
    """Answer with an error; the cause is also in a header of its own, which clients read."""
    told = f"{cause} : {message}".encode("ascii", "replace").decode().replace("\n", " ")
    headers = {"cause-message": told[:2000], "DataServiceVersion": "1.0", **more}
    if wants_json(request):
        body = {"error": {"code": None, "message": {"lang": "en", "value": message}}}
        return JSONResponse(body, status, headers=headers)
    ElementTree.register_namespace("", _META)
    root = ElementTree.Element(f"{{{_META}}}error")
    ElementTree.SubElement(root, f"{{{_META}}}code")
    ElementTree.SubElement(root, f"{{{_META}}}message", {"xml:lang": "en"}).text = message
    return Response(_written(root), status, headers=headers, media_type="application/xml")


def wants_json(request: Request) -> bool:
    """Tell whether an answer is to be in JSON: clients say so in the address, or by what they take.

    Who says nothing gets JSON as well: clients of today read it, and Atom is asked for.
    """
    form = request.query_params.get("$format", "")
    accepted = request.headers.get("Accept", "")
    return form == "json" or (not form and "atom" not in accepted and "xml" not in accepted)


_ATOM_TYPE = "application/atom+xml;charset=utf-8"


def _metadata(uri: str, kind: str) -> dict[str, str]:
    return {
        "id": uri,
        "uri": uri,
        "type": f"DHuS.{kind}",
        "content_type": _STREAM,
        "media_src": f"{uri}/$value",
        "edit_media": f"{uri}/$value",
    }


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


def _atom(address: str, entity: Any) -> bytes:
    for prefix, space in (("", _ATOM), ("d", _DATA), ("m", _META)):
        ElementTree.register_namespace(prefix, space)
    if "results" not in entity:
        return _written(_entry(entity))
    root = ElementTree.Element(f"{{{_ATOM}}}feed")
    ElementTree.SubElement(root, f"{{{_ATOM}}}id").text = address
    if "__count" in entity:
        ElementTree.SubElement(root, f"{{{_META}}}count").text = entity["__count"]
    root.extend(_entry(one) for one in entity["results"])
    return _written(root)


def _entry(entity: Mapping[str, Any]) -> ElementTree.Element:
    root = ElementTree.Element(f"{{{_ATOM}}}entry")
    about = entity.get("__metadata", {})
    ElementTree.SubElement(root, f"{{{_ATOM}}}id").text = about.get("uri")
    ElementTree.SubElement(root, f"{{{_ATOM}}}title").text = str(entity.get("Name", ""))
    if "media_src" in about:
        source = {"type": about["content_type"], "src": about["media_src"]}
        ElementTree.SubElement(root, f"{{{_ATOM}}}content", source)
    properties = ElementTree.SubElement(root, f"{{{_META}}}properties")
    _properties(properties, entity)
    return root


def _properties(parent: ElementTree.Element, entity: Mapping[str, Any]) -> None:
    for name, value in entity.items():
        if name == "__metadata" or (isinstance(value, Mapping) and _is_link(value)):
            continue
        element = ElementTree.SubElement(parent, f"{{{_DATA}}}{name}")
        if isinstance(value, Mapping):
            element.set(f"{{{_META}}}type", value.get("__metadata", {}).get("type", ""))
            _properties(element, value)
        elif value is None:
            element.set(f"{{{_META}}}null", "true")
        elif isinstance(value, bool):
            element.text = str(value).lower()
        elif isinstance(value, str) and value.startswith("/Date("):
            time = datetime.fromtimestamp(int(value[6:-2]) / 1000, UTC)
            element.text = f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}"
        else:
            element.text = str(value)


def _is_link(value: Mapping[str, Any]) -> bool:
    return "__deferred" in value or "results" in value


def _written(root: ElementTree.Element) -> bytes:
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


def listing(entities: Sequence[Mapping[str, Any]], total: int | None) -> dict[str, Any]:
    """Write a list of entities, and how many there are in all where that was asked."""
    counted = {} if total is None else {"__count": str(total)}
    return {**counted, "results": list(entities)}
