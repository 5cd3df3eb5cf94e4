"""How a Copernicus Data Space writes products: OData v4 entities, their attributes and nodes.

The form is that of recorded answers.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from shapely.geometry import mapping

from geobservatory.catalog.listing import Listed
from geobservatory.hubs.queries.terms import ATTRIBUTES, Fields
from geobservatory.hubs.umbrella import Located
from geobservatory.sentinel1.names import parse_name
from portal.programs.tree import Node

COLLECTION = "SENTINEL-1"
# What a filter can ask for.
FIELDS: Mapping[str, type] = {
    "Collection/Name": str,
    "Name": str,
    "Id": str,
    "ContentType": str,
    "ContentLength": int,
    "Online": bool,
    "ContentDate/Start": datetime,
    "ContentDate/End": datetime,
    "OriginDate": datetime,
    "PublicationDate": datetime,
    "ModificationDate": datetime,
    "EvictionDate": datetime,
}
MEANING: Mapping[str, str] = {
    "Collection/Name": "platform",
    "Name": "safe",
    "Id": "uuid",
    "ContentDate/Start": "start",
    "ContentDate/End": "stop",
    "OriginDate": "published",
    "PublicationDate": "published",
    "ModificationDate": "published",
    "Footprint": "footprint",
    "Attributes/productType": "product",
    "Attributes/platformShortName": "platform",
    "Attributes/platformSerialIdentifier": "serial",
    "Attributes/operationalMode": "mode",
    "Attributes/orbitDirection": "direction",
    "Attributes/orbitNumber": "orbit",
    "Attributes/relativeOrbitNumber": "relative",
    "Attributes/beginningDateTime": "start",
    "Attributes/endingDateTime": "stop",
}
_FOREVER = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
_STREAM = "application/octet-stream"
_TYPES: Mapping[type, str] = {str: "String", int: "Integer", datetime: "DateTimeOffset"}
KINDS = {
    "origin": "String",
    "productType": "String",
    "platformShortName": "String",
    "platformSerialIdentifier": "String",
    "instrumentShortName": "String",
    "operationalMode": "String",
    "swathIdentifier": "String",
    "processingLevel": "String",
    "productClass": "String",
    "polarisationChannels": "String",
    "orbitDirection": "String",
    "orbitNumber": "Integer",
    "relativeOrbitNumber": "Integer",
    "datatakeID": "Integer",
    "beginningDateTime": "DateTimeOffset",
    "endingDateTime": "DateTimeOffset",
}


def searchable(listed: Listed) -> Fields:
    """Write the fields of a product that a filter can ask for."""
    product = listed.product
    sizes = [one.size for one in listed.offers if one.size is not None]
    return {
        "Collection/Name": COLLECTION,
        "Name": f"{product.name}.SAFE",
        "Id": str(listed.id),
        "ContentType": _STREAM,
        "ContentLength": next(iter(sizes), None),
        "Online": any(one.online is not False for one in listed.offers),
        "ContentDate/Start": product.start,
        "ContentDate/End": product.stop,
        "OriginDate": listed.published,
        "PublicationDate": listed.published,
        "ModificationDate": listed.published,
        "EvictionDate": _FOREVER,
        "Footprint": product.footprint,
        ATTRIBUTES: attributes(listed),
    }


def product(listed: Listed, located: Located, expand: Collection[str]) -> dict[str, Any]:
    """Write a product, with what is to be expanded."""
    one, published = listed.product, _iso(listed.published)
    entity: dict[str, Any] = {
        "@odata.mediaContentType": _STREAM,
        "Id": str(listed.id),
        "Name": f"{one.name}.SAFE",
        "ContentType": _STREAM,
        "ContentLength": located.version.size or 0,
        "OriginDate": published,
        "PublicationDate": published,
        "ModificationDate": published,
        "Online": located.online,
        "EvictionDate": _iso(_FOREVER),
        "S3Path": "",
        "Checksum": [
            {"Value": value, "Algorithm": name.upper(), "ChecksumDate": published}
            for name, value in sorted(located.version.checksums.items(), reverse=True)
        ],
        "ContentDate": {"Start": _iso(one.start), "End": _iso(one.stop)},
        "Footprint": f"geography'SRID=4326;{one.footprint.wkt}'",
        "GeoFootprint": mapping(one.footprint),
    }
    if ATTRIBUTES in expand:
        entity[ATTRIBUTES] = [
            {
                "@odata.type": f"#OData.CSC.{_TYPES[type(value)]}Attribute",
                "Name": name,
                "Value": _iso(value) if isinstance(value, datetime) else value,
                "ValueType": _TYPES[type(value)],
            }
            for name, value in attributes(listed).items()
        ]
    for name in ("Assets", "Locations"):
        if name in expand:
            entity[name] = []
    return entity


def attributes(listed: Listed) -> dict[str, Any]:
    """List the attributes of a product by name; what is not known is not there."""
    one, name = listed.product, parse_name(listed.product.name)
    found = {
        "origin": "ESA",
        "productType": one.name[4:14],
        "platformShortName": COLLECTION,
        "platformSerialIdentifier": one.mission[2:],
        "instrumentShortName": "SAR",
        "operationalMode": one.mode,
        "swathIdentifier": "IW1 IW2 IW3" if one.mode == "IW" else one.mode,
        "processingLevel": f"LEVEL{name.level}",
        "productClass": name.product_class,
        "polarisationChannels": "&".join(one.polarisations),
        "orbitDirection": None if one.direction is None else one.direction.upper(),
        "orbitNumber": one.absolute_orbit,
        "relativeOrbitNumber": one.relative_orbit,
        "datatakeID": int(name.data_take, 16),
        "beginningDateTime": one.start,
        "endingDateTime": one.stop,
    }
    return {key: value for key, value in found.items() if value is not None}


def node(base: str, identifier: UUID, one: Node) -> dict[str, Any]:
    """Write a file or folder of a product."""
    uri = f"{base}/odata/v1/Products({identifier})"
    uri += "".join(f"/Nodes({part})" for part in one.parts)
    return {
        "Id": one.name,
        "Name": one.name,
        "ContentLength": one.size,
        "ChildrenNumber": one.children,
        "Nodes": {"uri": f"{uri}/Nodes"},
    }


def _iso(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
