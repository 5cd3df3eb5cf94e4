"""What an activation puts before people: one folder with a page, maps, metadata, checksums."""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pystac
from rasterio.errors import RasterioError
from shapely.geometry import shape

from geobservatory.files import written_whole
from geobservatory.globe import bounding_box
from geobservatory.products.kmz import write_kmz
from geobservatory.products.page import Map, render

_LOG = logging.getLogger(__name__)
METADATA, KMZ, SUMS = "metadata.json", "interferogram.kmz", "SHA256SUMS"
_PROVIDER = "geObservatory; contains modified Copernicus Sentinel data"


@dataclass(frozen=True)
class ShownEvent:
    """An event on the page; degrees, kilometres."""

    title: str
    time: datetime
    longitude: float
    latitude: float
    magnitude: float | None
    depth_km: float | None
    source: str


@dataclass(frozen=True)
class ShownMap:
    """An interferogram on the page.

    Attributes
    ----------
    folder
        Beside the page.
    note
        What there is to say where it has failed or is under way; empty for one that is there.
    events
        Titles of the events between its images.
    """

    folder: str
    kind: str
    relative_orbit: int
    direction: str
    reference_time: datetime
    secondary_time: datetime
    reason: str
    note: str = ""
    events: tuple[str, ...] = ()


@dataclass(frozen=True)
class ShownPass:
    """A pass to come."""

    time: datetime
    relative_orbit: int
    direction: str
    mission: str
    coverage: float
    footprint: Mapping[str, Any]


@dataclass(frozen=True)
class ActivationPage:
    """All that the page of an activation shows.

    Attributes
    ----------
    area
        GeoJSON.
    notes
        What tracks wait for or lack.
    """

    id: str
    title: str
    state: str
    reason: str
    area: Mapping[str, Any]
    events: tuple[ShownEvent, ...]
    maps: tuple[ShownMap, ...]
    passes: tuple[ShownPass, ...] = ()
    notes: tuple[str, ...] = ()


def write_activation(folder: Path, about: ActivationPage) -> Path:
    """Bring the folder of an activation up to date.

    The same content makes the same bytes, and what is as it should be is not written again. A map
    that is damaged is named on the page and holds nothing up.

    Returns
    -------
    path
        Of the page.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    maps = [_read(folder, one, about) for one in about.maps]
    _write(folder / "activation.json", _json(asdict(about)))
    items = [one.item for one in maps if one.item is not None]
    if items:
        _write(folder / "collection.json", _json(_collection(about, maps)))
    page = folder / "index.html"
    _write(page, render(about, maps).encode())
    _write(folder / SUMS, _sums(folder))
    return page


def _read(folder: Path, shown: ShownMap, about: ActivationPage) -> Map:
    """Read what there is of a map, and add its KMZ."""
    place = folder / shown.folder
    if shown.note:
        return Map(shown, None, None)
    try:
        item = json.loads((place / METADATA).read_text(encoding="utf-8"))
        kmz = place / KMZ
        if not kmz.exists() or kmz.stat().st_mtime_ns < (place / METADATA).stat().st_mtime_ns:
            places = {one.title: (one.longitude, one.latitude) for one in about.events}
            write_kmz(kmz, place, f"{about.title}, {shown.folder}", places)
        return Map.read(shown, item, place)
    except (OSError, ValueError, KeyError, RasterioError) as error:
        _LOG.warning("%s: cannot be shown: %s", place, error)
        problem = f"damaged: {type(error).__name__}; `geobs retry {about.id}` makes it again"
        return Map(shown, None, None, problem)


def _collection(about: ActivationPage, maps: list[Map]) -> dict[str, Any]:
    """Describe the activation as a STAC Collection that links to its items."""
    kept = [one for one in maps if one.item is not None]
    times = [time for one in kept for time in (one.shown.reference_time, one.shown.secondary_time)]
    west, south, east, north = bounding_box(shape(about.area))
    collection = pystac.Collection(
        about.id,
        description=f"Sentinel-1 interferograms for {about.title}.",
        title=about.title,
        license="other",
        providers=[pystac.Provider(_PROVIDER, roles=[pystac.ProviderRole.PROCESSOR])],
        extent=pystac.Extent(
            pystac.SpatialExtent([[west, south, east, north]]),
            pystac.TemporalExtent([[min(times), max(times)]]),
        ),
    )
    for one in kept:
        target = f"./{one.shown.folder}/{METADATA}"
        collection.add_link(pystac.Link("item", target, "application/geo+json", one.shown.folder))
    plain: dict[str, Any] = collection.to_dict(include_self_link=False)
    return plain


def _sums(folder: Path) -> bytes:
    """List checksums as `sha256sum` does; of files that engines described, the ones they gave."""
    lines = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and path.name != SUMS and not any(p.startswith(".") for p in name.parts):
            with path.open("rb") as file:
                lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}\n")
    return "".join(lines).encode()


def _json(content: Mapping[str, Any]) -> bytes:
    text = json.dumps(content, indent=2, ensure_ascii=False, default=_plain)
    return f"{text}\n".encode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} is not JSON")


def _write(path: Path, content: bytes) -> None:
    if path.exists() and path.read_bytes() == content:
        return
    with written_whole(path) as beside:
        beside.write_bytes(content)
