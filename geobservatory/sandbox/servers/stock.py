"""The products there are: SAFE zips in a folder, and what their manifests say of them."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

from blake3 import blake3
from shapely import MultiPolygon, Polygon

from geobservatory.errors import InputError
from geobservatory.globe import within_180
from geobservatory.sentinel1.names import ProductName
from geobservatory.sentinel1.safe import SafeProduct, open_product
from geobservatory.sentinel1.xml import Element, parse

# How long after sensing the ground segment has a product; a hub's own delay comes on top.
PROCESSING = timedelta(hours=1)


@dataclass(frozen=True)
class StockItem:
    """One product, as every hub that offers it knows it.

    Attributes
    ----------
    path
        The zip.
    name
        Parts of its name; ``str`` writes it without ``.SAFE``.
    uuid
        Made of the name, so that it is the same in every run.
    footprint
        EPSG:4326, within ±180 degrees.
    corners
        (latitude, longitude) as the manifest lists them, not closed.
    start, stop
        Sensing, UTC.
    size, md5, blake3
        Of the zip, bytes and hex digits.
    published
        When the ground segment has it, UTC.
    facts
        What else the manifest says, by the element's name; what it lacks is not there.
    """

    path: Path
    name: ProductName
    uuid: UUID
    footprint: Polygon | MultiPolygon
    corners: tuple[tuple[float, float], ...]
    start: datetime
    stop: datetime
    size: int
    md5: str
    blake3: str
    published: datetime
    direction: str
    relative_orbit: int
    facts: dict[str, str]

    @property
    def safe(self) -> str:
        """Name of the folder inside the zip."""
        return f"{self.name}.SAFE"


def make_stock(folder: Path, processing: timedelta = PROCESSING) -> tuple[StockItem, ...]:
    """Read the SAFE zips of a folder, at any depth, in order of sensing.

    Parameters
    ----------
    folder
        Where they lie.
    processing
        Time from the end of sensing until a product is there to be offered.

    Raises
    ------
    InputError
        If a zip is damaged or no SLC, its manifest lacks what hubs tell of a product, or a
        product lies there twice.
    """
    items = [_item(path, processing) for path in sorted(folder.rglob("*.zip"))]
    names = [str(item.name) for item in items]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError(f"{folder}: {min(twice)} lies there more than once; keep one")
    return tuple(sorted(items, key=lambda item: (item.start, str(item.name))))


def md5_of(path: Path) -> str:
    """Hash a file; again only after its size or time of change differ."""
    status = path.stat()
    return _md5(path, status.st_size, status.st_mtime_ns)


def _item(path: Path, processing: timedelta) -> StockItem:
    product = open_product(path)
    manifest = parse(product.read("manifest.safe"), f"{path}/manifest.safe")
    start, stop = (
        manifest.one(f".//{{*}}acquisitionPeriod/{{*}}{key}").time().astype("datetime64[us]").item()
        for key in ("startTime", "stopTime")
    )
    corners = _corners(manifest, path)
    stop = stop.replace(tzinfo=UTC)
    return StockItem(
        path=path,
        name=product.name,
        uuid=uuid5(NAMESPACE_URL, str(product.name)),
        footprint=_footprint(corners),
        corners=corners,
        start=start.replace(tzinfo=UTC),
        stop=stop,
        size=path.stat().st_size,
        md5=md5_of(path),
        blake3=_blake3(path, path.stat().st_size, path.stat().st_mtime_ns),
        published=stop + processing,
        direction=manifest.text(".//{*}pass").upper(),
        relative_orbit=_relative_orbit(product, path),
        facts=_facts(manifest),
    )


def _relative_orbit(product: SafeProduct, path: Path) -> int:
    if product.relative_orbit is None:
        raise InputError(f"{path}: neither manifest nor name tell the relative orbit")
    return product.relative_orbit


def _corners(manifest: Element, path: Path) -> tuple[tuple[float, float], ...]:
    text = manifest.text(".//{*}footPrint/{*}coordinates")
    try:
        corners = [
            (float(lat), float(lon)) for lat, lon in (pair.split(",") for pair in text.split())
        ]
    except ValueError as error:
        raise InputError(f"{path}: the footprint {text[:60]!r} is no list of lat,lon") from error
    if len(corners) > 1 and corners[0] == corners[-1]:
        corners.pop()
    if len(corners) < 3:
        raise InputError(f"{path}: a footprint of {len(corners)} corners is no area")
    return tuple(corners)


def _footprint(corners: tuple[tuple[float, float], ...]) -> Polygon | MultiPolygon:
    """Close the ring; where it passes the antimeridian, in two parts."""
    first = corners[0][1]
    ring = [(lon + 360 * round((first - lon) / 360), lat) for lat, lon in corners]
    area = Polygon(ring)
    west, _, east, _ = area.bounds
    return area if west >= -180 and east <= 180 else within_180(area)


# What hubs repeat from the manifest where it is there; the SAFE names of the elements.
_FACTS = (
    "cycleNumber",
    "instrumentConfigurationID",
    "missionDataTakeID",
    "productClassDescription",
    "productComposition",
    "productTimelinessCategory",
    "sliceNumber",
    "totalSlices",
    "segmentStartTime",
    "ascendingNodeTime",
    "startTimeANX",
    "stopTimeANX",
    "nssdcIdentifier",
)


def _facts(manifest: Element) -> dict[str, str]:
    found = {name: manifest.find(f".//{{*}}{name}") for name in _FACTS}
    facts = {name: node.text() for name, node in found.items() if node is not None}
    for node in manifest.all(".//{*}software"):
        if node.attribute("name") == "Sentinel-1 IPF":
            facts.setdefault("processorVersion", node.attribute("version") or "")
    return facts


@cache
def _md5(path: Path, size: int, changed_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


@cache
def _blake3(path: Path, size: int, changed_ns: int) -> str:
    return blake3().update_mmap(path).hexdigest() if size else blake3().hexdigest()
