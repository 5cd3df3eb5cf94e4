"""The line of sight in the words of other programs, from our unit vector to the satellite.

Ours has components east, north, up. Others give two angles, and differ in what they count from:

- elevation *theta*, 0 at the horizon and π/2 straight up, and orientation *phi*, 0 to the east and
  π/2 to the north, both toward the satellite: GAMMA's ``lv_theta`` and ``lv_phi`` (as the guide to
  HyP3's products defines them), and Kite (`Scene.theta`, `Scene.phi`);
- incidence, 0 where the satellite stands overhead, and azimuth of the satellite as the ground sees
  it, counter-clockwise from north: MintPy (`utils0.enu2los`).
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Mean distance of Sentinel-1 from the Earth's centre: semi-major axis of its orbit, metres. It
# comes and goes by 10 km within an orbit.
ORBIT_RADIUS_M = 7_071_000.0


def elevation_and_orientation(east: Floats, north: Floats, up: Floats) -> tuple[Floats, Floats]:
    """Give theta and phi of GAMMA and Kite, radians."""
    return np.arcsin(np.clip(up, -1, 1)), np.arctan2(north, east)


def incidence_and_azimuth(east: Floats, north: Floats, up: Floats) -> tuple[Floats, Floats]:
    """Give the two angles of MintPy, degrees; the azimuth lies within ±180."""
    return np.degrees(np.arccos(np.clip(up, -1, 1))), np.degrees(np.arctan2(-east, north))


def slant_range(incidence_deg: Floats, earth_radius_m: float, height_m: Floats | float) -> Floats:
    """Distance of the satellite, metres, from the angle under which the ground sees it.

    By the law of sines on a sphere, for an orbit of `ORBIT_RADIUS_M`: within 1 % of the truth,
    which is not among what we keep of a map.
    """
    angle = np.radians(incidence_deg)
    ground = earth_radius_m + height_m
    across = ground * np.sin(angle)
    return np.asarray(np.sqrt(ORBIT_RADIUS_M**2 - across**2) - ground * np.cos(angle), np.float32)


def earth_radius(latitude_deg: float) -> float:
    """Distance of the WGS84 ellipsoid from the Earth's centre at a latitude, metres."""
    a, b = 6_378_137.0, 6_356_752.314245
    reduced = math.atan2(
        b * math.sin(math.radians(latitude_deg)), a * math.cos(math.radians(latitude_deg))
    )
    return math.hypot(a * math.cos(reduced), b * math.sin(reduced))
