"""How products and results are written as STAC: collections and items (STAC 1.1)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from shapely.geometry import mapping, shape

from geobservatory.catalog.listing import Listed
from geobservatory.catalog.results import Made
from geobservatory.globe import bounding_box
from geobservatory.hubs.queries.terms import Fields
from geobservatory.hubs.umbrella import Located
from portal.results import file_name, media_type

SCENES, RESULTS = "sentinel-1", "interferograms"
VERSION = "1.1.0"
MEANING: Mapping[str, str] = {
    "geometry": "footprint",
    "start": "start",
    "stop": "stop",
    "id": "name",
}
_BEGAN = "2014-04-03T21:02:00Z"
_EXTENSIONS = [
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in ("sar/v1.0.0", "sat/v1.0.0", "file/v2.1.0")
]
# Multihash: code and length (https://github.com/multiformats/multicodec).
_MULTIHASH = {"sha256": "1220", "md5": "d50110", "blake3": "1e20"}
_TERMS = "https://sentinels.copernicus.eu/documents/247904/690755/Sentinel_Data_Legal_Notice"


def collections(base: str) -> list[dict[str, Any]]:
    """Write the collections."""
    return [
        _collection(
            base,
            RESULTS,
            "Interferograms",
            "How the ground moved: differential Sentinel-1 interferograms of earthquakes and other"
            " events, geocoded and unwrapped, as Cloud-Optimized GeoTIFFs.",
        ),
        _collection(
            base,
            SCENES,
            "Sentinel-1 products",
            "Products of Sentinel-1 that hubs offer, or that lie in the archive here; downloads"
            " need an account.",
        ),
    ]


def searchable(listed: Listed) -> Fields:
    """Write the fields of a product that a search can ask for."""
    one = listed.product
    return {"geometry": one.footprint, "start": one.start, "stop": one.stop, "id": one.name}


def scene_item(base: str, door: str, listed: Listed, located: Located) -> dict[str, Any]:
    """Write a product.

    Parameters
    ----------
    base, door
        Addresses: of STAC, and of the door where products are downloaded.
    """
    one = listed.product
    asset: dict[str, Any] = {
        "href": f"{door}/odata/v1/Products({listed.id})/$value",
        "type": "application/zip",
        "title": f"{one.name}.zip",
        "roles": ["data"],
    }
    if located.version.size:
        asset["file:size"] = located.version.size
    for algorithm, prefix in _MULTIHASH.items():
        if algorithm in located.version.checksums:
            asset["file:checksum"] = prefix + located.version.checksums[algorithm]
            break
    known = {"sat:relative_orbit": one.relative_orbit, "sat:orbit_state": one.direction}
    properties = {
        "datetime": _iso(one.start),
        "start_datetime": _iso(one.start),
        "end_datetime": _iso(one.stop),
        "created": _iso(listed.published),
        "platform": f"sentinel-1{one.mission[2:].lower()}",
        "constellation": "sentinel-1",
        "instruments": ["c-sar"],
        "sar:instrument_mode": one.mode,
        "sar:frequency_band": "C",
        "sar:polarizations": list(one.polarisations),
        "sar:product_type": one.product_type,
        "sat:absolute_orbit": one.absolute_orbit,
        **{name: value for name, value in known.items() if value is not None},
        "geobs:online": located.online,
        "geobs:hubs": [offer.hub for offer in listed.offers],
    }
    return {
        "type": "Feature",
        "stac_version": VERSION,
        "stac_extensions": _EXTENSIONS,
        "id": one.name,
        "collection": SCENES,
        "geometry": mapping(one.footprint),
        "bbox": list(bounding_box(one.footprint)),
        "properties": properties,
        "links": _item_links(base, SCENES, one.name),
        "assets": {"product": asset},
    }


def result_item(base: str, made: Made, written: Mapping[str, Any] | None) -> dict[str, Any]:
    """Write a result.

    Parameters
    ----------
    written
        The item that lies beside its files; None where it cannot be read: then what the catalogue
        knows is told.
    """
    written = written or _from_catalogue(made)
    files = f"{base}/collections/{RESULTS}/items/{quote(made.name)}/files"
    assets = {
        name: {**asset, "href": f"{files}/{quote(name)}"}
        for name, asset in written["assets"].items()
    }
    return {
        **written,
        "id": made.name,
        "collection": RESULTS,
        "properties": {**written["properties"], "geobs:activation": made.activation_id},
        "links": _item_links(base, RESULTS, made.name),
        "assets": assets,
    }


def _from_catalogue(made: Made) -> dict[str, Any]:
    times = {"datetime": made.until, "start_datetime": made.since, "end_datetime": made.until}
    assets = {
        file_name(file): {
            "type": media_type(file_name(file)),
            "title": role,
            "roles": ["data"],
            "file:size": file.size,
            "file:checksum": _MULTIHASH["sha256"] + file.sha256,
        }
        for role, file in made.files.items()
    }
    return {
        "type": "Feature",
        "stac_version": VERSION,
        "stac_extensions": [one for one in _EXTENSIONS if "/file/" in one],
        "geometry": made.geometry,
        "bbox": list(bounding_box(shape(made.geometry))),
        "properties": {
            **{name: _iso(time) for name, time in times.items()},
            "created": _iso(made.created_at),
            "geobs:verdict": made.verdict,
        },
        "assets": assets,
    }


def _item_links(base: str, collection: str, identifier: str) -> list[dict[str, str]]:
    parent = f"{base}/collections/{collection}"
    return [
        _link("self", f"{parent}/items/{quote(identifier)}", "application/geo+json"),
        _link("collection", parent),
        _link("parent", parent),
        _link("root", base),
    ]


def _collection(base: str, name: str, title: str, description: str) -> dict[str, Any]:
    own = f"{base}/collections/{name}"
    return {
        "type": "Collection",
        "stac_version": VERSION,
        "id": name,
        "title": title,
        "description": description,
        "license": "other",
        "extent": {
            "spatial": {"bbox": [[-180, -90, 180, 90]]},
            "temporal": {"interval": [[_BEGAN, None]]},
        },
        "links": [
            _link("self", own),
            _link("root", base),
            _link("parent", base),
            _link("items", f"{own}/items", "application/geo+json"),
            {"rel": "license", "href": _TERMS, "title": "Terms of Sentinel data"},
        ],
    }


def _link(rel: str, href: str, kind: str = "application/json") -> dict[str, str]:
    return {"rel": rel, "href": href, "type": kind}


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
