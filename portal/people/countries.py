"""Which countries an area lies in, without a network: outlines of Natural Earth, 1:50 million.

They come with the package ``world-atlas`` that `make setup` fetches. Borders are drawn as Natural
Earth has them, de facto, and are no statement of ours; near one, the scale leaves a kilometre or
two of doubt.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataSourceError
from pyogrio.raw import read
from pyproj import Geod
from shapely.affinity import translate
from shapely.geometry import LinearRing, Point, Polygon, shape
from shapely.geometry.base import BaseGeometry

from geobservatory.errors import InputError

WORLD = Path(__file__).parents[1] / "web" / "node_modules" / "world-atlas" / "countries-50m.json"
# An earthquake at sea is told by the nearest coast, if one is so near.
_NEAR_DEGREES, _NEAR_M = 6.0, 400_000.0
_WGS84 = Geod(ellps="WGS84")
_EARTH = shapely.box(-180, -90, 180, 90)
_lock = threading.Lock()


@dataclass(frozen=True)
class _Outlines:
    names: tuple[str, ...]
    tree: shapely.STRtree


def countries(area: Mapping[str, Any], longitude: float, latitude: float) -> tuple[str, ...]:
    """Name the countries that an area lies in, first the one of a place in it.

    Parameters
    ----------
    area
        GeoJSON polygon or polygons.
    longitude, latitude
        Of the event, degrees.

    Returns
    -------
    names
        English, short, as Natural Earth has them. Where the area is all at sea, the country of
        the nearest coast within 400 km; else none, nor where the outlines were not fetched.
    """
    known = read_outlines()
    if known is None:
        return ()
    place, about = Point(longitude, latitude), shape(area)
    first = [known.names[n] for n in known.tree.query(place, predicate="intersects")]
    found = sorted(known.names[n] for n in known.tree.query(about, predicate="intersects"))
    nearest = [] if first or not found else _nearest(known, place)
    listed = [*first, *(one for one in nearest if one in found), *found] or _nearest(known, place)
    return tuple(dict.fromkeys(listed))


def country_named(text: str) -> str:
    """Give the name of a country as this file writes it; as it is where the outlines are not here.

    Raises
    ------
    InputError
        If no country is named so.
    """
    known, wanted = read_outlines(), " ".join(text.split())
    if known is None:
        return wanted
    names = {one.casefold(): one for one in known.names}
    if wanted.casefold() in names:
        return names[wanted.casefold()]
    near = get_close_matches(wanted.casefold(), names, 3, 0.6)
    also = f"; is it {' or '.join(names[one] for one in near)}?" if near else ""
    raise InputError(f"no country is named {wanted[:60]!r}{also}")


def _nearest(known: _Outlines, place: Point) -> list[str]:
    near = known.tree.query(place, predicate="dwithin", distance=_NEAR_DEGREES)
    lengths = {}
    for number in near:
        on_coast = shapely.shortest_line(known.tree.geometries[number], place).coords[0]
        lengths[number] = _WGS84.inv(on_coast[0], on_coast[1], place.x, place.y)[2]
    best = min(lengths, key=lambda one: lengths[one], default=None)
    return [known.names[best]] if best is not None and lengths[best] <= _NEAR_M else []


def read_outlines() -> _Outlines | None:
    """Read the outlines once; None where they were not fetched."""
    # One reads, the others wait.
    with _lock:
        return _read(WORLD) if WORLD.exists() else None


@lru_cache(maxsize=1)
def _read(path: Path) -> _Outlines | None:
    try:
        about, _, shapes, columns = read(path, layer="countries", columns=["name"])
    except DataSourceError:
        return None
    names = columns[list(about["fields"]).index("name")]
    outlines = shapely.from_wkb(shapes)
    bounds = shapely.bounds(outlines)
    for number in np.flatnonzero(bounds[:, 2] - bounds[:, 0] > 180):
        outlines[number] = _within_180(outlines[number])
    wrong = ~shapely.is_valid(outlines)
    outlines[wrong] = shapely.make_valid(outlines[wrong])
    return _Outlines(tuple(str(one) for one in names), shapely.STRtree(outlines))


def _within_180(outline: BaseGeometry) -> BaseGeometry:
    """Cut an outline at the antimeridian, which it runs over from 180 to -180."""
    pieces = []
    for part in getattr(outline, "geoms", [outline]):
        rings = [_unbroken(one) for one in part.interiors]
        run = shapely.make_valid(Polygon(_unbroken(part.exterior), rings))
        west, _, east, _ = run.bounds
        turns = (0,) if -180 <= west and east <= 180 else (-360, 0, 360)
        pieces += [translate(run, xoff=turn).intersection(_EARTH) for turn in turns]
    return shapely.union_all(pieces)


def _unbroken(ring: LinearRing) -> NDArray[np.float64]:
    """Let longitudes run on past ±180; an outline about a pole is closed there."""
    places = np.array(ring.coords)[:, :2]
    places[:, 0] = np.unwrap(places[:, 0], period=360)
    if abs(places[0, 0] - places[-1, 0]) > 180:
        pole = np.copysign(90.0, places[0, 1])
        ends = [[places[-1, 0], pole], [places[0, 0], pole], places[0].tolist()]
        places = np.concatenate([places, ends])
    return places
