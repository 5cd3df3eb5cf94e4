"""How the ASF's catalogue (NASA's CMR) writes granules: UMM-G, in JSON.

Source: Unified Metadata Model for granules, version 1.6; the attributes are those of recorded
answers, without the frame numbers that are the ASF's own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from shapely.geometry.base import BaseGeometry

from geobservatory.errors import InputError
from geobservatory.sandbox.servers.offers import Offered
from geobservatory.sandbox.servers.stock import StockItem
from geobservatory.sandbox.servers.view import View
from geobservatory.sandbox.servers.writing import iso_ms
from geobservatory.sentinel1.safe import open_product

_POLARISATIONS = {"DV": "VV+VH", "DH": "HH+HV", "SV": "VV", "SH": "HH"}


@dataclass(frozen=True)
class Entry:
    """What a search is held against, and how an answer writes it.

    Attributes
    ----------
    ur, names
        Name of the granule, and all names it is found by.
    collection
        Short name of its collection.
    start, stop, footprint
        When and where it was sensed.
    attributes
        The additional attributes, as a view of the world has them.
    write
        Writes it as an item of an answer, with the address that files are downloaded from.
    """

    offered: Offered
    ur: str
    names: tuple[str, ...]
    collection: str
    start: datetime
    stop: datetime
    footprint: BaseGeometry
    attributes: Callable[[View], dict[str, str]]
    write: Callable[[str, View], dict[str, Any]]


def product_entry(offered: Offered) -> Entry:
    """Make the entry of a whole product."""
    item = offered.item
    return Entry(
        offered,
        ur=granule_ur(item),
        names=(granule_ur(item), str(item.name)),
        collection=collection(item),
        start=item.start,
        stop=item.stop,
        footprint=item.footprint,
        attributes=lambda view: attributes(item, view),
        write=lambda base, view: granule(base, offered, view),
    )


def granule(base: str, offered: Offered, view: View) -> dict[str, Any]:
    """Write a product as an item of a search answer.

    Parameters
    ----------
    base
        Address that files are downloaded from.
    """
    item = offered.item
    return {
        "meta": {
            "concept-type": "granule",
            "concept-id": f"G{item.uuid.int % 10**10}-ASF",
            "revision-id": 1,
            "native-id": granule_ur(item),
            "provider-id": "ASF",
            "format": "application/echo10+xml",
            "revision-date": iso_ms(offered.published),
        },
        "umm": _umm(base, offered, view),
    }


def granule_ur(item: StockItem) -> str:
    """Name of a product's granule."""
    return f"{item.name}-{item.name.kind}"


def platform(item: StockItem) -> str:
    """Short name of the satellite, such as ``SENTINEL-1A``."""
    return f"SENTINEL-1{item.name.mission[2]}"


def collection(item: StockItem) -> str:
    """Short name of the collection that a product is of."""
    return f"{platform(item)}_{item.name.kind}"


def file_path(item: StockItem) -> str:
    """Where a product is downloaded from, below the address of the archive."""
    return f"/{item.name.kind}/S{item.name.mission[2]}/{item.name}.zip"


def attributes(item: StockItem, view: View) -> dict[str, str]:
    """List the additional attributes that a search can ask for; all are texts."""
    name, facts = item.name, item.facts
    middle = item.footprint.centroid
    found = {
        "ACQUISITION_DATE": iso_us(item.stop),
        "ASCENDING_DESCENDING": item.direction,
        "ASF_PLATFORM": f"Sentinel-1{name.mission[2]}",
        "BEAM_MODE": name.mode,
        "BEAM_MODE_TYPE": name.mode,
        "BYTES": str(view.length(item.size)),
        "CENTER_LAT": f"{middle.y:.4f}",
        "CENTER_LON": f"{middle.x:.4f}",
        "GRANULE_TYPE": f"SENTINEL_1{name.mission[2]}_FRAME",
        "LOOK_DIRECTION": "R",
        "MD5SUM": view.checksum(item.md5),
        "PATH_NUMBER": str(item.relative_orbit),
        "POLARIZATION": _POLARISATIONS.get(name.polarisation, name.polarisation),
        "PROCESSING_DATE": iso_us(item.published),
        "PROCESSING_LEVEL": "L1",
        "PROCESSING_TYPE": name.kind,
        "PROCESSING_TYPE_DISPLAY": "L1 Single Look Complex (SLC)",
    }
    if "ascendingNodeTime" in facts:
        found["ASC_NODE_TIME"] = f"{facts['ascendingNodeTime'].rstrip('Z')}Z"
    return found


def _umm(base: str, offered: Offered, view: View) -> dict[str, Any]:
    item = offered.item
    additional = {**attributes(item, view), **state_vectors(item.path, item.start, item.stop)}
    ring = [*item.corners, item.corners[0]]
    points = [{"Longitude": lon, "Latitude": lat} for lat, lon in ring]
    return {
        "TemporalExtent": {
            "RangeDateTime": {
                "BeginningDateTime": iso_us(item.start),
                "EndingDateTime": iso_us(item.stop),
            }
        },
        "OrbitCalculatedSpatialDomains": [{"OrbitNumber": item.name.absolute_orbit}],
        "GranuleUR": granule_ur(item),
        "AdditionalAttributes": [
            {"Name": name, "Values": [value]} for name, value in additional.items()
        ],
        "SpatialExtent": {
            "HorizontalSpatialDomain": {
                "Geometry": {"GPolygons": [{"Boundary": {"Points": points}}]}
            }
        },
        "ProviderDates": [
            {"Date": iso_ms(offered.published), "Type": kind} for kind in ("Insert", "Update")
        ],
        "CollectionReference": {"ShortName": collection(item), "Version": "1"},
        "PGEVersionClass": {
            "PGEName": "Sentinel-1 IPF",
            "PGEVersion": item.facts.get("processorVersion", "Not provided"),
        },
        "RelatedUrls": [
            {
                "Format": "Not provided",
                "Description": "This link provides direct download access to the granule.",
                "Type": "GET DATA",
                "URL": base + file_path(item),
            }
        ],
        "DataGranule": {
            "DayNightFlag": "Unspecified",
            "Identifiers": [{"Identifier": str(item.name), "IdentifierType": "ProducerGranuleId"}],
            "ProductionDateTime": iso_us(item.published),
            "ArchiveAndDistributionInformation": [
                {
                    "Name": "Not provided",
                    "Size": view.length(item.size) / 2**20,
                    "SizeUnit": "MB",
                    "Format": "Not provided",
                }
            ],
        },
        "Platforms": [{"ShortName": platform(item), "Instruments": [{"ShortName": "C-SAR"}]}],
    }


@lru_cache(maxsize=1024)
def state_vectors(path: Path, start: datetime, stop: datetime) -> dict[str, str]:
    """Take the state vectors next to the middle of the scene; none where there is no orbit."""
    product = open_product(path)
    try:
        orbit = product.annotation(*next(iter(product.channels))).orbit
    except InputError:
        return {}
    middle = start + (stop - start) / 2
    at = float(orbit.seconds(np.datetime64(middle.replace(tzinfo=None), "ns")))
    post = int(np.clip(np.searchsorted(orbit.times_s, at), 1, len(orbit.times_s) - 1))
    found = {}
    for name, index in (("PRE", post - 1), ("POST", post)):
        time = orbit.epoch + np.timedelta64(round(orbit.times_s[index] * 1e9), "ns")
        for kind, vectors in (("POSITION", orbit.positions_m), ("VELOCITY", orbit.velocities_m_s)):
            numbers = ",".join(f"{number:.6f}" for number in vectors[index])
            found[f"SV_{kind}_{name}"] = f"{numbers},{time.astype('datetime64[us]')}"
    return found


def iso_us(time: datetime) -> str:
    """Write a time to the microsecond."""
    return f"{time:%Y-%m-%dT%H:%M:%S.%f}Z"
