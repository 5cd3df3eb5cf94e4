"""Make a product of what a hub says of it, and hold what it says against the name."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon, shape
from shapely.geometry.base import BaseGeometry

from geobservatory.errors import InputError
from geobservatory.globe import within_180
from geobservatory.hubs.model import Direction, Offer, Product, Query
from geobservatory.sentinel1.names import parse_name
from geobservatory.transfer.source import HubUnreachableError

# A footprint wider than this, in degrees, is one whose ring jumps over the antimeridian.
_WIDEST = 180.0


def make_product(
    name: str,
    footprint: BaseGeometry,
    *,
    start: datetime | None = None,
    stop: datetime | None = None,
    relative_orbit: int | None = None,
    direction: str | None = None,
) -> Product:
    """Make a product of its name and what a hub tells beside it.

    Parameters
    ----------
    name
        With or without ``.SAFE`` or ``.zip``.
    footprint
        EPSG:4326, as the hub has it.
    start, stop
        Sensing to the fraction of a second; the name's whole seconds where the hub does not tell.
    relative_orbit
        The name's where the hub does not tell, and where it is sure.
    direction
        In any case of letters.

    Raises
    ------
    InputError
        If the name is not one of Sentinel-1.
    ValueError
        If the footprint is no area, or what is told contradicts the name.
    """
    parsed = parse_name(name)
    first, last = start or parsed.start, stop or parsed.stop
    if abs((first - parsed.start).total_seconds()) > 2 or first >= last:
        raise ValueError(f"{parsed}: sensed at {first} and until {last}, says the hub")
    orbit = relative_orbit
    if orbit is None or parsed.is_numbered_for_good:
        orbit = parsed.relative_orbit
    if not 1 <= orbit <= 175:
        raise ValueError(f"{parsed}: relative orbit {orbit}")
    return Product(
        name=str(parsed),
        mission=parsed.mission,
        mode=parsed.mode,
        product_type=parsed.kind,
        polarisations=parsed.polarisations,
        start=first,
        stop=last,
        absolute_orbit=parsed.absolute_orbit,
        relative_orbit=orbit,
        direction=_direction(direction),
        footprint=on_the_globe(footprint),
        acquisition=parsed.same_acquisition,
    )


def once_each(
    query: Query, ask: Callable[[BaseGeometry | None], Iterator[list[Offer]]]
) -> Iterator[list[Offer]]:
    """Ask a hub for each part of an area; give each offer once, if it is what was looked for.

    Parameters
    ----------
    ask
        Gives the pages for an area in one part, or for anywhere.
    """
    seen: set[str] = set()
    parts = [None] if query.area is None else getattr(query.area, "geoms", [query.area])
    for part in parts:
        for page in ask(part):
            fresh = [one for one in page if one.id not in seen]
            seen.update(one.id for one in fresh)
            yield [one for one in fresh if query.matches(one.product)]


def read_page(
    hub: str, entries: Iterable[Mapping[str, Any]], read: Callable[[Mapping[str, Any]], Offer]
) -> list[Offer]:
    """Read the entries of an answer.

    What is not a product of Sentinel-1 (auxiliary files, other missions) is passed over, and so is
    a single damaged entry.

    Raises
    ------
    HubUnreachableError
        If there are entries, and all of them are damaged: this is no answer of the protocol.
    """
    offers, damaged, entries = [], [], list(entries)
    for entry in entries:
        try:
            offers.append(read(entry))
        except InputError:
            continue
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            damaged.append(error)
    if damaged and len(damaged) == len(entries):
        raise HubUnreachableError(
            f"{hub}: what it answers cannot be read: {type(damaged[0]).__name__}: {damaged[0]}"
        )
    return offers


def on_the_globe(footprint: BaseGeometry) -> BaseGeometry:
    """Bring a footprint into ±180 degrees, in two parts where it passes the antimeridian.

    Hubs write such footprints in three ways: in two parts, with longitudes beyond 180, or as a ring
    that jumps from one side to the other and so goes round the Earth the wrong way.

    Raises
    ------
    ValueError
        If it is no area on the globe.
    """
    flat = shapely.force_2d(footprint)
    if isinstance(flat, MultiPolygon) and len(flat.geoms) == 1:
        flat = flat.geoms[0]
    west, south, east, north = flat.bounds if not flat.is_empty else (0, 91, 0, 91)
    if not (-91 < south <= north < 91 and -540 <= west <= east <= 540):
        raise ValueError("a footprint that is not on the globe")
    if isinstance(flat, Polygon) and (east - west > _WIDEST or west < -180 or east > 180):
        if east - west > _WIDEST:
            flat = shapely.transform(flat, _eastward)
        flat = within_180(shapely.make_valid(flat))
    whole = flat if flat.is_valid else shapely.make_valid(flat)
    if whole.area <= 0:
        raise ValueError("a footprint without area")
    return whole


def _eastward(places: NDArray[np.float64]) -> NDArray[np.float64]:
    longitude = places[:, 0]
    return np.column_stack([np.where(longitude < 0, longitude + 360, longitude), places[:, 1]])


def read_geojson(geometry: Mapping[str, Any]) -> BaseGeometry:
    """Read a GeoJSON geometry; `ValueError` where it is none."""
    try:
        return shape(geometry)
    except (shapely.errors.ShapelyError, AttributeError, KeyError, TypeError, IndexError) as error:
        raise ValueError(f"not a GeoJSON geometry: {error}") from error


def read_wkt(text: str) -> BaseGeometry:
    """Read well-known text; `ValueError` where it is none."""
    try:
        return shapely.from_wkt(text)
    except (shapely.errors.ShapelyError, TypeError) as error:
        raise ValueError(f"not well-known text: {str(text)[:60]!r}") from error


def read_time(text: str) -> datetime:
    """Read a time of ISO 8601, in UTC where it does not say; `ValueError` where it is none."""
    try:
        time = datetime.fromisoformat(text)
    except TypeError as error:
        raise ValueError(f"not a time: {text!r}") from error
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _direction(text: str | None) -> Direction | None:
    lowered = (text or "").strip().lower()
    if lowered == "ascending":
        return "ascending"
    return "descending" if lowered == "descending" else None
