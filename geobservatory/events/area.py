"""Which area to look at after an earthquake, as far as magnitude, depth and place tell.

A circle that holds the ground expected to move by a centimetre or more along the line of sight
(`expected`, by the mechanism that shows most, at a depth that may be too great by its error), with
half a rupture's length, because a rupture may begin at its end, and the error of an epicentre.
"""

from shapely.geometry.base import BaseGeometry

from geobservatory.events.expected import (
    DEPTH_ERROR_KM,
    GREATEST_MAGNITUDE,
    LEAST_MAGNITUDE,
    expected,
)
from geobservatory.globe import circle

_SEEN_M = 0.01
# What a first epicentre may be off by, metres: a choice, as is the depth's.
_PLACE_ERROR_M = 10_000.0
# Less is less than an image needs to be unwrapped in; more is more than one activation can handle.
LEAST_RADIUS_M, GREATEST_RADIUS_M = 25_000.0, 400_000.0
# What agencies write for a depth they do not know, kilometres.
_UNKNOWN_DEPTH_KM = 10.0


def radius_of_interest(magnitude: float, depth_km: float | None) -> float:
    """Find the radius of the area of interest, metres.

    Parameters
    ----------
    magnitude
        Moment magnitude; below 4 and above 9.5 the radius is that of the bound.
    depth_km
        Of the hypocentre; None where nobody knows.
    """
    if magnitude < LEAST_MAGNITUDE:
        return LEAST_RADIUS_M
    depth_km = _UNKNOWN_DEPTH_KM if depth_km is None else depth_km
    shown = expected(min(magnitude, GREATEST_MAGNITUDE), depth_km - DEPTH_ERROR_KM)
    radius = shown.reach(_SEEN_M) + shown.rupture_length_m / 2 + _PLACE_ERROR_M
    return min(max(radius, LEAST_RADIUS_M), GREATEST_RADIUS_M)


def area_of_interest(
    longitude: float, latitude: float, magnitude: float, depth_km: float | None
) -> BaseGeometry:
    """Draw the area of interest (EPSG:4326); in two parts where it meets the antimeridian."""
    return circle(longitude, latitude, radius_of_interest(magnitude, depth_km))
