"""How long, how wide and how far a fault ruptures in an earthquake of a magnitude.

The relations are those of Leonard (2014, BSSA 104, 2953-2965, table 3; the same form as in
Leonard, 2010) for earthquakes at plate boundaries. They rest on two proportions, W = C1 L^(2/3) and
slip = C2 √(L W), so that length, width and slip always give back the seismic moment. Ruptures
shorter than C1³ are square; those of strike-slip faults stop growing in width where the brittle
crust ends. They are medians: one standard deviation of the area for a magnitude is about a factor
of two.

In stable continents slip is about twice as great for the same area; such earthquakes are rare and
are not told apart here.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from geobservatory.errors import InputError

# Leonard (2014) has this for all crustal faults, pascals.
RIGIDITY = 3.3e10

# Smaller ruptures move no ground that a satellite sees; the greatest known earthquake (Chile, 1960)
# had 9.5.
_MAGNITUDES = 4.0, 9.5


class Faulting(StrEnum):
    """How the two sides of a fault moved."""

    STRIKE_SLIP = "strike-slip"
    DIP_SLIP = "dip-slip"  # normal and reverse alike


@dataclass(frozen=True)
class Rupture:
    """The part of a fault that slipped: along strike, down dip, and how far, metres."""

    length_m: float
    width_m: float
    slip_m: float


@dataclass(frozen=True)
class _Proportions:
    c1: float  # cube root of a metre
    c2: float  # without unit
    widest_m: float


_LEONARD = {
    Faulting.STRIKE_SLIP: _Proportions(10**1.176, 10**-4.432, 10**4.244),
    Faulting.DIP_SLIP: _Proportions(10**1.243, 10**-4.420, math.inf),
}


def seismic_moment(magnitude: float) -> float:
    """Seismic moment, newton metres, of a moment magnitude (Hanks and Kanamori, 1979).

    Leonard's own magnitudes are 2/3 log M0 - 6.07, smaller by 0.04 for the same moment.
    """
    return float(10 ** (1.5 * magnitude + 9.05))


def rupture(magnitude: float, faulting: Faulting) -> Rupture:
    """Median size and average slip of the rupture of an earthquake.

    Parameters
    ----------
    magnitude
        Moment magnitude.
    faulting
        How the sides moved.

    Returns
    -------
    Rupture
        `RIGIDITY` · length · width · slip is the earthquake's `seismic_moment`.

    Raises
    ------
    InputError
        The magnitude is not from 4 to 9.5.
    """
    least, greatest = _MAGNITUDES
    if not least <= magnitude <= greatest:
        raise InputError(f"magnitude {magnitude} is not from {least:g} to {greatest:g}")
    known = _LEONARD[faulting]
    area = (seismic_moment(magnitude) / (RIGIDITY * known.c2)) ** (2 / 3)
    width = math.sqrt(area)
    if width > known.c1**3:
        # From W = C1 L^(2/3) and A = L W.
        width = min(known.c1**0.6 * area**0.4, known.widest_m)
    return Rupture(area / width, width, known.c2 * math.sqrt(area))
