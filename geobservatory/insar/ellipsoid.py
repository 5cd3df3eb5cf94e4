"""Latitude, longitude, height and Earth-fixed coordinates on WGS84, compiled.

Angles in radians, lengths in metres, heights above the ellipsoid.
"""

import math

import numba

A = 6_378_137.0
F = 1 / 298.257223563
B = A * (1 - F)
E2 = F * (2 - F)
_EP2 = E2 / (1 - E2)


@numba.njit(cache=True, inline="always")
def to_ecef(latitude: float, longitude: float, height: float) -> tuple[float, float, float]:
    """Earth-fixed coordinates of a point (Torge and Müller, 2012, eq. 4.27)."""
    sin, cos = math.sin(latitude), math.cos(latitude)
    normal = A / math.sqrt(1 - E2 * sin * sin)
    across = (normal + height) * cos
    return (
        across * math.cos(longitude),
        across * math.sin(longitude),
        (normal * (1 - E2) + height) * sin,
    )


@numba.njit(cache=True, inline="always")
def to_geodetic(x: float, y: float, z: float) -> tuple[float, float, float]:
    """Latitude, longitude and height of a point (Bowring, 1985; two rounds, below a micrometre)."""
    across = math.hypot(x, y)
    reduced = math.atan2(z * A, across * B)
    latitude = 0.0
    for _ in range(2):
        sin, cos = math.sin(reduced), math.cos(reduced)
        latitude = math.atan2(z + _EP2 * B * sin**3, across - E2 * A * cos**3)
        reduced = math.atan2(B * math.sin(latitude), A * math.cos(latitude))
    sin, cos = math.sin(latitude), math.cos(latitude)
    # Bowring (1985): regular at the poles and the equator alike.
    height = across * cos + z * sin - A * math.sqrt(1 - E2 * sin * sin)
    return latitude, math.atan2(y, x), height
