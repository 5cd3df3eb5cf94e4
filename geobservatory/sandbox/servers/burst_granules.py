"""How the ASF's catalogue writes single bursts: an entry for each burst in each polarisation.

Source: UMM-G, version 1.6.5; attributes and links are those of a recorded answer.
"""

import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from shapely.geometry.base import BaseGeometry

from geobservatory.errors import InputError
from geobservatory.sandbox.servers.granules import (
    Entry,
    granule_ur,
    iso_us,
    platform,
    state_vectors,
)
from geobservatory.sandbox.servers.offers import Offered
from geobservatory.sandbox.servers.view import View
from geobservatory.sandbox.servers.writing import iso_ms
from geobservatory.sentinel1.bursts import PlacedBurst, place_bursts
from geobservatory.sentinel1.safe import open_product

COLLECTION = "SENTINEL-1_BURSTS"
# ESA's numbers count beam cycles.
_ORBIT_S, _BEAM_CYCLE_S = 12 * 86400.0 / 175, 2.758273


@dataclass(frozen=True)
class _Cut:
    """A burst in one polarisation."""

    polarisation: str
    placed: PlacedBurst
    lines: int
    samples: int
    start: datetime
    stop: datetime


def burst_entries(offered: Offered) -> list[Entry]:
    """Make the entries of a product's bursts; none where its annotation tells of none."""
    return [_entry(offered, cut) for cut in _cuts(offered.item.path)]


def _entry(offered: Offered, cut: _Cut) -> Entry:
    item = offered.item
    time = f"{_time(cut.placed.burst.azimuth_time):%Y%m%dT%H%M%S}"
    number = f"{cut.placed.identity.number:06d}"
    ur = f"S1_{number}_{cut.placed.swath}_{time}_{cut.polarisation}_{item.name.crc}-BURST"
    return Entry(
        offered,
        ur=ur,
        names=(ur,),
        collection=COLLECTION,
        start=cut.start,
        stop=cut.stop,
        footprint=cut.placed.footprint,
        attributes=lambda view: _attributes(offered, cut),
        write=lambda base, view: _granule(base, offered, cut, ur, view),
    )


def _attributes(offered: Offered, cut: _Cut) -> dict[str, str]:
    item, placed = offered.item, cut.placed
    middle = placed.footprint.centroid
    found = {
        "ASCENDING_DESCENDING": item.direction,
        "AZIMUTH_ANX_TIME": f"{placed.burst.azimuth_anx_time_s}",
        "AZIMUTH_TIME": iso_us(_time(placed.burst.azimuth_time)).rstrip("Z"),
        "BEAM_MODE": item.name.mode,
        "BURST_ID_ABSOLUTE": str(_absolute(item.name.absolute_orbit, placed)),
        "BURST_ID_FULL": str(placed.identity),
        "BURST_ID_RELATIVE": str(placed.identity.number),
        "BURST_INDEX": str(placed.burst.index),
        "BYTE_LENGTH": str(cut.lines * cut.samples * 4),
        "BYTE_OFFSET": str(placed.burst.byte_offset),
        "CENTER_LAT": f"{middle.y}",
        "CENTER_LON": f"{middle.x}",
        "LINES_PER_BURST": str(cut.lines),
        "PATH_NUMBER": str(placed.identity.relative_orbit),
        "POLARIZATION": cut.polarisation,
        "PROCESSING_LEVEL": "L1",
        "PROCESSING_TYPE": "BURST",
        "SAMPLES_PER_BURST": str(cut.samples),
        "SUBSWATH_NAME": placed.swath,
    }
    if "ascendingNodeTime" in item.facts:
        found["ASC_NODE_TIME"] = f"{item.facts['ascendingNodeTime'].rstrip('Z')}Z"
    return found


def _absolute(absolute_orbit: int, placed: PlacedBurst) -> int:
    """Count the burst from the mission's first orbit, where its number counts from the track's."""
    orbits = absolute_orbit - placed.identity.relative_orbit
    return placed.identity.number + round(orbits * _ORBIT_S / _BEAM_CYCLE_S)


def _granule(base: str, offered: Offered, cut: _Cut, ur: str, view: View) -> dict[str, Any]:
    item = offered.item
    additional = _attributes(offered, cut) | state_vectors(item.path, cut.start, cut.stop)
    place = f"{base}/{item.name}/{cut.placed.swath}/{cut.polarisation}/{cut.placed.burst.index}"
    published = iso_ms(offered.published)
    return {
        "meta": {
            "concept-type": "granule",
            "concept-id": f"G{zlib.crc32(ur.encode())}-ASF",
            "revision-id": 1,
            "native-id": ur,
            "provider-id": "ASF",
            "format": "application/vnd.nasa.cmr.umm+json",
            "revision-date": published,
        },
        "umm": {
            "TemporalExtent": {
                "RangeDateTime": {
                    "BeginningDateTime": iso_us(cut.start),
                    "EndingDateTime": iso_us(cut.stop),
                }
            },
            "OrbitCalculatedSpatialDomains": [{"OrbitNumber": item.name.absolute_orbit}],
            "GranuleUR": ur,
            "AdditionalAttributes": [
                {"Name": name, "Values": [value]} for name, value in sorted(additional.items())
            ],
            "SpatialExtent": {
                "HorizontalSpatialDomain": {
                    "Geometry": {"GPolygons": _polygons(cut.placed.footprint)}
                }
            },
            "ProviderDates": [{"Type": kind, "Date": published} for kind in ("Insert", "Update")],
            "CollectionReference": {"ShortName": COLLECTION, "Version": "1"},
            "PGEVersionClass": {
                "PGEName": "Sentinel-1 IPF",
                "PGEVersion": item.facts.get("processorVersion", "Not provided"),
            },
            "RelatedUrls": [
                {"URL": f"{place}.tiff", "Type": "USE SERVICE API", "Format": "GeoTIFF"},
                {"URL": f"{place}.xml", "Type": "USE SERVICE API", "Format": "XML"},
            ],
            "InputGranules": [granule_ur(item)],
            "Platforms": [
                {
                    "Instruments": [
                        {
                            "ShortName": "C-SAR",
                            "Characteristics": [{"Name": "LookDirection", "Value": "RIGHT"}],
                        }
                    ],
                    "ShortName": platform(item),
                }
            ],
        },
    }


@lru_cache(maxsize=1024)
def _cuts(path: Path) -> tuple[_Cut, ...]:
    product = open_product(path)
    found = []
    try:
        for polarisation in sorted({one for _, one in product.channels}):
            for placed in place_bursts(product, polarisation):
                annotation = product.annotation(placed.swath, polarisation)
                start = _time(placed.burst.sensing_time)
                seconds = annotation.lines_per_burst * annotation.azimuth_time_interval_s
                found.append(
                    _Cut(
                        polarisation,
                        placed,
                        annotation.lines_per_burst,
                        annotation.samples_per_burst,
                        start,
                        start + timedelta(seconds=seconds),
                    )
                )
    except InputError:
        return ()
    return tuple(found)


def _polygons(footprint: BaseGeometry) -> list[dict[str, Any]]:
    return [
        {
            "Boundary": {
                "Points": [
                    {"Longitude": round(lon, 6), "Latitude": round(lat, 6)}
                    for lon, lat in part.exterior.coords
                ]
            }
        }
        for part in getattr(footprint, "geoms", [footprint])
    ]


def _time(time: np.datetime64) -> datetime:
    moment: datetime = time.astype("datetime64[us]").item()
    return moment.replace(tzinfo=UTC)
