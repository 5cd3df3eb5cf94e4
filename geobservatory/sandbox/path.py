"""The satellite's path in the sandbox: a circular orbit in closed form.

Sentinel-1 goes round 175 times in 12 days. Seen from the Earth its node drifts west by exactly one
turn a day (a sun-synchronous orbit), so a circular orbit with these two rates repeats its ground
track to the millimetre, and position and velocity need no integration.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import fsolve

from geobservatory.errors import InputError
from geobservatory.insar.ellipsoid import to_ecef
from geobservatory.sentinel1.orbit import Orbit

ORBIT_S = 12 * 86400 / 175
_RADIUS_M = 7_071_900.0
_INCLINATION = np.radians(98.182)
_RATE = 2 * np.pi / ORBIT_S
_NODE_RATE = 2 * np.pi / 86400
_VECTOR_STEP_S = 10


@dataclass(frozen=True)
class FlightPath:
    """A circular orbit about the time of one pass.

    Attributes
    ----------
    node_time
        When it crosses the equator northward before the pass, datetime64[ns] UTC.
    node_longitude
        Earth-fixed longitude of that crossing, radians.
    radius_m
        From the Earth's centre.
    """

    node_time: np.datetime64
    node_longitude: float
    radius_m: float = _RADIUS_M

    def state(
        self, since_node_s: NDArray[np.float64] | float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Position (metres) and velocity (m/s), Earth-fixed, (..., 3) for times of any shape."""
        time = np.asarray(since_node_s, np.float64)
        u, node = _RATE * time, self.node_longitude - _NODE_RATE * time
        along, across = np.cos(u), np.sin(u) * np.cos(_INCLINATION)
        position = self.radius_m * np.stack(
            [
                np.cos(node) * along - np.sin(node) * across,
                np.sin(node) * along + np.cos(node) * across,
                np.sin(u) * np.sin(_INCLINATION),
            ],
            axis=-1,
        )
        along, across = -np.sin(u), np.cos(u) * np.cos(_INCLINATION)
        velocity = (
            self.radius_m
            * _RATE
            * np.stack(
                [
                    np.cos(node) * along - np.sin(node) * across,
                    np.sin(node) * along + np.cos(node) * across,
                    np.cos(u) * np.sin(_INCLINATION),
                ],
                axis=-1,
            )
        )
        velocity[..., 0] += _NODE_RATE * position[..., 1]
        velocity[..., 1] -= _NODE_RATE * position[..., 0]
        return position, velocity

    def seconds(self, time: np.datetime64) -> float:
        """Seconds from the node to a time."""
        return float((time - self.node_time) / np.timedelta64(1, "ns")) * 1e-9

    def orbit(self, start: np.datetime64, stop: np.datetime64, source: str) -> Orbit:
        """State vectors every 10 s over a span, at whole seconds."""
        first = start.astype("datetime64[s]").astype("datetime64[ns]")
        count = int((stop - first) / np.timedelta64(_VECTOR_STEP_S, "s")) + 2
        times = first + np.arange(count) * np.timedelta64(_VECTOR_STEP_S * 10**9, "ns")
        since = (times - self.node_time) / np.timedelta64(1, "ns") * 1e-9
        return Orbit.from_vectors(times, *self.state(since), source)

    def later(self, days: float) -> "FlightPath":
        """Give the same path a number of days later, as a repeat cycle brings it."""
        return dataclasses.replace(
            self, node_time=self.node_time + np.timedelta64(round(days * 86400e6), "us")
        )

    def shifted(self, perpendicular_m: float, place: NDArray[np.float64]) -> "FlightPath":
        """Move the path by a perpendicular baseline, of no parallel part, at a place.

        Parameters
        ----------
        perpendicular_m
            Positive to the right of the track and up, across the line of sight.
        place
            (3,) Earth-fixed, metres; what the pass sees.
        """
        time = fsolve(lambda t: _looking(self, float(t[0]), place)[1], [self._near(place)])[0]
        sight, _ = _looking(self, float(time), place)
        position, velocity = self.state(float(time))
        up = position / np.linalg.norm(position)
        right = np.cross(velocity, up)
        right /= np.linalg.norm(right)
        look = np.arccos(-(sight / np.linalg.norm(sight)) @ up)
        # Turning the node moves the satellite along a parallel; its part to the right counts.
        turn = np.array([-position[1], position[0], 0]) @ right
        return dataclasses.replace(
            self,
            node_longitude=self.node_longitude + perpendicular_m * np.cos(look) / turn,
            radius_m=self.radius_m + perpendicular_m * np.sin(look),
        )

    def _near(self, place: NDArray[np.float64]) -> float:
        times = np.arange(0, ORBIT_S, 5.0)
        return float(times[np.linalg.norm(self.state(times)[0] - place, axis=1).argmin()])


def _looking(
    path: FlightPath, since_node_s: float, place: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Line from the satellite to a place, and its speed along the track (zero at zero Doppler)."""
    position, velocity = path.state(since_node_s)
    sight = place - position
    return sight, float(sight @ velocity) / float(np.linalg.norm(velocity))


def path_over(
    latitude: float,
    longitude: float,
    slant_range_m: float,
    ascending: bool,
    time: np.datetime64,
) -> FlightPath:
    """Find the path that sees a place to its right, at a time and slant range, at zero Doppler.

    Parameters
    ----------
    latitude, longitude
        Radians; on the ellipsoid.
    slant_range_m
        Metres.
    ascending
        Whether the satellite goes north.
    time
        UTC.

    Raises
    ------
    InputError
        If no such pass exists, as near the poles.
    """
    place = np.array(to_ecef(latitude, longitude, 0.0))
    sine = np.sin(latitude) / np.sin(_INCLINATION)
    if abs(sine) >= 1:
        raise InputError(f"latitude {np.degrees(latitude):.1f} is beyond the orbit's reach")
    u = np.arcsin(sine) if ascending else np.pi - np.arcsin(sine)
    aside = slant_range_m * np.sin(np.radians(35)) / (6.37e6 * np.cos(latitude))
    under = longitude - aside if ascending else longitude + aside
    first = under - np.arctan2(np.sin(u) * np.cos(_INCLINATION), np.cos(u)) + _NODE_RATE * u / _RATE

    def off(unknown: NDArray[np.float64]) -> list[float]:
        path = FlightPath(time, float(unknown[1]))
        sight, along = _looking(path, float(unknown[0]) * 1e3, place)
        return [along / 1e3, (float(np.linalg.norm(sight)) - slant_range_m) / 1e3]

    (since_node, node), _, found, _ = fsolve(
        off, [(u % (2 * np.pi)) / _RATE / 1e3, first], full_output=True, xtol=1e-13
    )
    if found != 1 or max(map(abs, off(np.array([since_node, node])))) > 1e-6:
        raise InputError(
            f"no pass sees latitude {np.degrees(latitude):.2f} at {slant_range_m / 1e3:.0f} km"
        )
    # Whole microseconds, which annotations can say.
    return FlightPath(time - np.timedelta64(round(since_node * 1e9), "us"), float(node))
