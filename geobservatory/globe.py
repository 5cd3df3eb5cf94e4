"""Areas on the globe: circles about a place, split where they meet the antimeridian."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from pyproj import Geod
from shapely import MultiPolygon, Polygon, box
from shapely.affinity import translate
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

_WGS84 = Geod(ellps="WGS84")
_VERTICES = 72


def circle(longitude: float, latitude: float, radius_m: float) -> Polygon | MultiPolygon:
    """Area within a distance of a place.

    Parameters
    ----------
    longitude, latitude
        Centre, degrees (EPSG:4326).
    radius_m
        Geodesic radius on the WGS84 ellipsoid, metres.

    Returns
    -------
    Polygon or MultiPolygon
        In EPSG:4326 with longitudes within ±180; in two parts where the circle meets the
        antimeridian, a cap of all longitudes where it holds a pole.
    """
    azimuths = np.linspace(0, 360, _VERTICES, endpoint=False)
    centre = np.full(_VERTICES, longitude), np.full(_VERTICES, latitude)
    lon, lat, _ = _WGS84.fwd(*centre, azimuths, np.full(_VERTICES, radius_m))
    for pole in (90.0, -90.0):
        if _WGS84.inv(longitude, latitude, longitude, pole)[2] <= radius_m:
            edge = float(np.min(lat) if pole > 0 else np.max(lat))
            return box(-180, min(edge, pole), 180, max(edge, pole))
    # Continuous longitudes first, then what lies beyond ±180 comes back on the other side.
    continuous = longitude + (np.asarray(lon) - longitude + 180) % 360 - 180
    return within_180(Polygon(np.column_stack([continuous, lat])))


def within_180(area: Polygon) -> Polygon | MultiPolygon:
    """Bring an area of continuous longitudes into ±180 degrees, in parts where it passes them."""
    parts: list[BaseGeometry] = []
    for turn in (-360, 0, 360):
        part = translate(area, xoff=turn).intersection(box(-180, -90, 180, 90))
        if not part.is_empty and part.area > 0:
            parts.append(part)
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def meet(one: BaseGeometry, other: BaseGeometry) -> bool:
    """Tell whether two areas touch, over the antimeridian and at a pole too."""
    return meeting([one], other)[0]


def meeting(areas: Sequence[BaseGeometry], other: BaseGeometry) -> list[bool]:
    """Tell which of many areas touch another, as `meet` does of one."""
    among, found = np.asarray(areas), np.zeros(len(areas), dtype=bool)
    for turn in (-360, 0, 360):
        moved = translate(other, xoff=turn)
        shapely.prepare(moved)
        found |= shapely.intersects(moved, among)
    # All longitudes of a pole are one place.
    bounds = shapely.bounds(among)
    for edge, pole in ((3, 90), (1, -90)):
        if other.bounds[edge] == pole:
            found |= bounds[:, edge] == pole
    return [bool(one) for one in found]


def area_km2(geometry: Mapping[str, Any]) -> float:
    """Measure a GeoJSON geometry's area on the WGS84 ellipsoid, square kilometres."""
    area = shape(geometry)
    parts = getattr(area, "geoms", [area])
    return sum(abs(_WGS84.geometry_area_perimeter(part)[0]) for part in parts) / 1e6


def bounding_box(area: BaseGeometry) -> tuple[float, float, float, float]:
    """Find the smallest west, south, east, north about an area; over the antimeridian west > east.

    An area that touches both -180 and 180 is read as one that was split there, unless it goes
    all the way round.
    """
    west, south, east, north = area.bounds
    parts = list(getattr(area, "geoms", [area]))
    if west > -180 or east < 180 or len(parts) == 1:
        return west, south, east, north
    eastern = [part for part in parts if part.bounds[0] > -180]
    western = [part for part in parts if part.bounds[0] <= -180]
    if not eastern:
        return west, south, east, north
    return (
        min(part.bounds[0] for part in eastern),
        south,
        max(part.bounds[2] for part in western),
        north,
    )
