"""How the Copernicus Data Space writes products: OData v4 entities, their attributes and nodes.

The form is that of recorded answers.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from shapely.geometry import mapping

from geobservatory.hubs.queries.terms import Fields
from geobservatory.sandbox.servers.nodes import Node
from geobservatory.sandbox.servers.offers import Offered
from geobservatory.sandbox.servers.stock import StockItem
from geobservatory.sandbox.servers.view import View

COLLECTION = "SENTINEL-1"
# What a filter can ask for, and what an order can go by.
FIELDS: Mapping[str, type] = {
    "Collection/Name": str,
    "Name": str,
    "Id": str,
    "ContentType": str,
    "ContentLength": int,
    "S3Path": str,
    "Online": bool,
    "ContentDate/Start": datetime,
    "ContentDate/End": datetime,
    "OriginDate": datetime,
    "PublicationDate": datetime,
    "ModificationDate": datetime,
    "EvictionDate": datetime,
}
_FOREVER = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
_TYPES: Mapping[type, str] = {
    str: "String",
    int: "Integer",
    float: "Double",
    bool: "Boolean",
    datetime: "DateTimeOffset",
}


def searchable(offered: Offered, view: View) -> Fields:
    """List the fields of a product that a filter can ask for."""
    item = offered.item
    return {
        "Collection/Name": COLLECTION,
        "Name": item.safe,
        "Id": str(item.uuid),
        "ContentType": "application/octet-stream",
        "ContentLength": view.length(item.size),
        "S3Path": _s3_path(item),
        "Online": offered.online and not view.offline,
        "ContentDate/Start": item.start,
        "ContentDate/End": item.stop,
        "OriginDate": item.published,
        "PublicationDate": offered.published,
        "ModificationDate": offered.published,
        "EvictionDate": _FOREVER,
        "Footprint": item.footprint,
        "Attributes": attributes(item),
    }


def product(offered: Offered, view: View, expand: list[str]) -> dict[str, Any]:
    """Write a product, with what is to be expanded."""
    item = offered.item
    fields = searchable(offered, view)
    entity = {
        "@odata.mediaContentType": "application/octet-stream",
        "Id": fields["Id"],
        "Name": fields["Name"],
        "ContentType": fields["ContentType"],
        "ContentLength": fields["ContentLength"],
        "OriginDate": _iso(fields["OriginDate"]),
        "PublicationDate": _iso(fields["PublicationDate"]),
        "ModificationDate": _iso(fields["ModificationDate"]),
        "Online": fields["Online"],
        "EvictionDate": _iso(_FOREVER),
        "S3Path": fields["S3Path"],
        "Checksum": [
            {
                "Value": view.checksum(value),
                "Algorithm": algorithm,
                "ChecksumDate": _iso(offered.published),
            }
            for algorithm, value in (("MD5", item.md5), ("BLAKE3", item.blake3))
        ],
        "ContentDate": {"Start": _iso(item.start), "End": _iso(item.stop)},
        "Footprint": f"geography'SRID=4326;{item.footprint.wkt}'",
        "GeoFootprint": mapping(item.footprint),
    }
    if "Attributes" in expand:
        entity["Attributes"] = [
            {
                "@odata.type": f"#OData.CSC.{_TYPES[type(value)]}Attribute",
                "Name": name,
                "Value": _iso(value) if isinstance(value, datetime) else value,
                "ValueType": _TYPES[type(value)],
            }
            for name, value in fields["Attributes"].items()
        ]
    for name in ("Assets", "Locations"):
        if name in expand:
            entity[name] = []
    return entity


def attributes(item: StockItem) -> dict[str, Any]:
    """List the attributes of a product by name; what the manifest lacks is not there."""
    name, facts = item.name, item.facts
    found = {
        "origin": "ESA",
        "productType": f"{name.mode}_{name.kind}__{name.level}{name.product_class}",
        "platformShortName": COLLECTION,
        "platformSerialIdentifier": name.mission[2],
        "instrumentShortName": "SAR",
        "operationalMode": name.mode,
        "swathIdentifier": "IW1 IW2 IW3" if name.mode == "IW" else name.mode,
        "processingLevel": f"LEVEL{name.level}",
        "productClass": name.product_class,
        "polarisationChannels": "&".join(name.polarisations),
        "orbitDirection": item.direction,
        "orbitNumber": name.absolute_orbit,
        "relativeOrbitNumber": item.relative_orbit,
        "datatakeID": int(name.data_take, 16),
        "beginningDateTime": item.start,
        "endingDateTime": item.stop,
        "processorName": "Sentinel-1 IPF",
        "timeliness": facts.get("productTimelinessCategory"),
        "processorVersion": facts.get("processorVersion"),
        "productComposition": facts.get("productComposition"),
        "cycleNumber": _number(int, facts, "cycleNumber"),
        "sliceNumber": _number(int, facts, "sliceNumber"),
        "totalSlices": _number(int, facts, "totalSlices"),
        "instrumentConfigurationID": _number(int, facts, "instrumentConfigurationID"),
        "startTimeFromAscendingNode": _number(float, facts, "startTimeANX"),
        "completionTimeFromAscendingNode": _number(float, facts, "stopTimeANX"),
    }
    return {key: value for key, value in found.items() if value is not None}


def attribute_kinds(items: list[StockItem]) -> list[dict[str, str]]:
    """List the attributes that products have, with their types."""
    kinds = {name: _TYPES[type(value)] for one in items for name, value in attributes(one).items()}
    return [{"Name": name, "ValueType": kind} for name, kind in kinds.items()]


def node(base: str, item: StockItem, one: Node) -> dict[str, Any]:
    """Write a node of a product."""
    uri = f"{base}/odata/v1/Products({item.uuid})"
    uri += "".join(f"/Nodes({part})" for part in one.parts)
    return {
        "Id": one.name,
        "Name": one.name,
        "ContentLength": one.size,
        "ChildrenNumber": one.children,
        "Nodes": {"uri": f"{uri}/Nodes"},
    }


def _number(kind: type, facts: Mapping[str, str], name: str) -> Any:
    return kind(facts[name]) if name in facts else None


def _s3_path(item: StockItem) -> str:
    name = item.name
    return f"/eodata/Sentinel-1/SAR/{name.kind}/{item.start:%Y/%m/%d}/{item.safe}"


def _iso(time: datetime) -> str:
    return f"{time - (time.utcoffset() or timedelta()):%Y-%m-%dT%H:%M:%S.%f}Z"
