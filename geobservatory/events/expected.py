"""How far a satellite would see the ground move in an earthquake of which only the size is known.

Magnitude and depth are all that the first solution tells. The rupture's size follows from Leonard
(2014, see `scaling`), the ground from Okada (1985, see `okada`). Faulting and strike are unknown,
so they are tried: a vertical strike-slip fault, a normal fault of 60 degrees and a thrust of 30, as
Anderson (1951) has them, with every strike. The rupture's middle is at the hypocentre's depth, or
as deep as keeps its upper edge below the surface.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pyproj import Geod

from geobservatory.events.okada import Dislocation, displacement
from geobservatory.events.scaling import Faulting, rupture

# Magnitudes the scaling holds for.
LEAST_MAGNITUDE, GREATEST_MAGNITUDE = 4.0, 9.5
# What a first depth may be off by, kilometres: our choice, see docs/watch.md for what it costs.
DEPTH_ERROR_KM = 5.0

# Sentinel-1's interferometric wide swath sees the ground at 29 to 46 degrees from the vertical.
_INCIDENCE = math.radians(39)
# From the ground to the satellite, clockwise from north: ascending and descending.
_TOWARD = math.radians(258), math.radians(102)
_MECHANISMS = (
    (Faulting.STRIKE_SLIP, math.radians(90), 0.0),
    (Faulting.DIP_SLIP, math.radians(60), math.radians(-90)),
    (Faulting.DIP_SLIP, math.radians(30), math.radians(90)),
)
# No rupture was longer (Sumatra, 2004); strike-slip faults, whose width is bounded, would be.
_LONGEST_M = 1_500_000.0
_RADII_M = np.concatenate([[0.0], np.geomspace(300, 800_000, 160)])
_AZIMUTHS = np.radians(np.arange(0, 360, 5.0))
_STRIKES = np.radians(np.arange(0, 360, 15.0))
_WGS84 = Geod(ellps="WGS84")


@dataclass(frozen=True)
class Expected:
    """LOS displacement to be expected, as far as magnitude and depth tell.

    Attributes
    ----------
    radii_m
        Distances from the epicentre, metres.
    greatest_m
        LOS displacement by the mechanism and strike that show most, the greatest at that distance
        and beyond, metres.
    least_m
        The peak by the mechanism and strike that show least, in whichever direction of flight
        shows more, metres.
    rupture_length_m
        The longest of the mechanisms, metres.
    """

    radii_m: NDArray[np.float64]
    greatest_m: NDArray[np.float64]
    least_m: float
    rupture_length_m: float

    def beyond(self, distance_m: float) -> float:
        """Tell the greatest LOS displacement at a distance and beyond, metres."""
        return float(np.interp(distance_m, self.radii_m, self.greatest_m, right=0.0))

    def reach(self, los_m: float) -> float:
        """Tell how far away a LOS displacement is reached, metres; 0 where it is nowhere."""
        enough = np.flatnonzero(self.greatest_m >= los_m)
        return float(self.radii_m[enough[-1]]) if enough.size else 0.0


@lru_cache(maxsize=1024)
def expected(magnitude: float, depth_km: float) -> Expected:
    """Find what LOS displacement to expect of an earthquake whose mechanism is unknown.

    Parameters
    ----------
    magnitude
        Moment magnitude.
    depth_km
        Of the hypocentre.

    Raises
    ------
    InputError
        The magnitude is not from 4 to 9.5.
    """
    shape = _AZIMUTHS.size, _RADII_M.size
    azimuth, radius = np.meshgrid(np.degrees(_AZIMUTHS), _RADII_M, indexing="ij")
    epicentre = np.zeros(shape)
    lon, lat, _ = _WGS84.fwd(epicentre, epicentre, azimuth, radius)
    greatest, least, longest = np.zeros(_RADII_M.size), math.inf, 0.0
    for faulting, dip, rake in _MECHANISMS:
        size = rupture(magnitude, faulting)
        if size.length_m > _LONGEST_M:
            continue
        longest = max(longest, size.length_m)
        fault = Dislocation(
            longitude=0.0,
            latitude=0.0,
            depth_m=max(depth_km * 1000, size.width_m / 2 * math.sin(dip), 1.0),
            strike=0.0,
            dip=dip,
            rake=rake,
            length_m=size.length_m,
            width_m=size.width_m,
            slip_m=size.slip_m,
        )
        east, north, up = displacement([fault], np.radians(lat), np.radians(lon))
        flat = np.hypot(east, north)
        # Some strike turns the horizontal part toward the satellite, or away from it.
        most = np.abs(up) * math.cos(_INCIDENCE) + flat * math.sin(_INCIDENCE)
        greatest = np.maximum(greatest, most.max(axis=0))
        least = min(least, _least_over_strikes(east, north, up))
    beyond = np.maximum.accumulate(greatest[::-1])[::-1]
    return Expected(_RADII_M, beyond, least, longest)


def _least_over_strikes(
    east: NDArray[np.float64], north: NDArray[np.float64], up: NDArray[np.float64]
) -> float:
    """Peak LOS displacement by the strike that shows least, in the better of two directions."""
    peaks = []
    for strike in _STRIKES:
        # To turn the fault is to turn the satellite the other way.
        seen = [
            np.abs(
                up * math.cos(_INCIDENCE)
                + math.sin(_INCIDENCE)
                * (east * math.sin(toward - strike) + north * math.cos(toward - strike))
            ).max()
            for toward in _TOWARD
        ]
        peaks.append(max(seen))
    return float(min(peaks))
