"""Which earthquakes are one sequence: a mainshock with its foreshocks and aftershocks, or a swarm.

The windows are those of Gardner and Knopoff (1974, BSSA 64, 1363-1367), as van Stiphout, Zhuang and
Marsan (2012, CORSSA, doi:10.5078/corssa-52382934, table 1) have put them into formulas, about the
largest earthquake. The distance is at least the length of its rupture, because aftershocks follow
the whole of it while the epicentre may be at its end. The time is no longer than an activation
waits for images: what quakes later is a new one.
"""

from collections.abc import Iterable
from datetime import timedelta

from pyproj import Geod

from geobservatory.events.expected import GREATEST_MAGNITUDE, LEAST_MAGNITUDE
from geobservatory.events.model import GeohazardEvent
from geobservatory.events.scaling import Faulting, rupture

_WGS84 = Geod(ellps="WGS84")
# The scaling knows no longer ruptures than the crust is wide; few were longer.
_LONGEST_M = 500_000.0


def window(magnitude: float) -> tuple[float, timedelta]:
    """Find how far from an earthquake, and how long after or before it, others belong to it.

    Returns
    -------
    distance_m, time
        Distance in metres.
    """
    distance_m = 10 ** (0.1238 * magnitude + 0.983) * 1000
    log_days = 0.032 * magnitude + 2.7389 if magnitude >= 6.5 else 0.5409 * magnitude - 0.547
    if magnitude >= LEAST_MAGNITUDE:
        lengths = (rupture(min(magnitude, GREATEST_MAGNITUDE), one).length_m for one in Faulting)
        distance_m = max(distance_m, min(max(lengths), _LONGEST_M))
    return distance_m, timedelta(days=10**log_days)


def main_event(events: Iterable[GeohazardEvent]) -> GeohazardEvent:
    """Name the largest of some events, the first of equals."""
    return min(events, key=lambda one: (-_magnitude(one), one.time))


def belongs(event: GeohazardEvent, main: GeohazardEvent, longest: timedelta) -> bool:
    """Tell whether an earthquake is of the sequence of another.

    Parameters
    ----------
    event, main
        The window is that of the larger of the two: so a mainshock finds its foreshocks.
    longest
        No window of time is longer.
    """
    distance_m, time = window(max(_magnitude(event), _magnitude(main)))
    if abs(event.time - main.time) > min(time, longest):
        return False
    places = event.longitude, event.latitude, main.longitude, main.latitude
    return float(_WGS84.inv(*places)[2]) <= distance_m


def _magnitude(event: GeohazardEvent) -> float:
    return -2.0 if event.magnitude is None else event.magnitude
