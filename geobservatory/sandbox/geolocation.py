"""Where a simulated image lies: its geolocation grid, and the heading of the satellite."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geobservatory.insar.dem import Dem
from geobservatory.insar.ground import ground
from geobservatory.insar.look import look
from geobservatory.insar.track import make_track
from geobservatory.sandbox.channel import Channel
from geobservatory.sandbox.instrument import SAMPLING_HZ
from geobservatory.sandbox.plan import Plan
from geobservatory.sandbox.world import HEIGHT, STEP
from geobservatory.sentinel1.annotation import SPEED_OF_LIGHT

_COLUMNS = 21


def heading(channel: Channel) -> float:
    """Heading of the satellite at the first line, degrees from north."""
    position, velocity = channel.shot.path.state(channel.shot.path.seconds(channel.starts[0]))
    up = position / np.linalg.norm(position)
    east = np.cross([0.0, 0.0, 1.0], up)
    north = np.cross(up, east)
    return float(np.degrees(np.arctan2(velocity @ east, velocity @ north)))


def geolocation(channel: Channel) -> tuple[list[dict[str, Any]], float]:
    """Points of the geolocation grid, on the ground, and the incidence angle at mid-swath."""
    plan, shot, window = channel.plan, channel.shot, channel.window
    start, stop = channel.span
    lines = np.append(np.arange(len(channel.starts)) * window.swath.lines, channel.lines - 1)
    times = np.array([*channel.starts, stop])
    pixels = np.linspace(0, window.samples - 1, _COLUMNS).round().astype(int)
    tau = window.near_range_s + pixels / SAMPLING_HZ
    orbit = shot.path.orbit(
        start - np.timedelta64(60, "s"), stop + np.timedelta64(60, "s"), source="annotation"
    )
    track = make_track(orbit, start, stop, margin_s=30)
    since = orbit.seconds(times)[:, None] + np.zeros(len(tau))
    distance = tau * SPEED_OF_LIGHT / 2 + np.zeros((len(times), 1))
    place = ground(track, world_dem(plan), since, distance)
    incidence: NDArray[np.float64] = np.degrees(look(track, *place).incidence_angle)
    positions, _ = shot.path.state(np.array([shot.path.seconds(time) for time in times]))
    # Elevation by the law of sines on the sphere of the place's radius.
    radius = np.linalg.norm(positions, axis=1)[:, None]
    elevation = np.degrees(np.arcsin(np.sin(np.radians(incidence)) * 6.371e6 / radius))
    points = [
        {
            "azimuthTime": times[i],
            "slantRangeTime": tau[j],
            "line": int(lines[i]),
            "pixel": int(pixels[j]),
            "latitude": float(np.degrees(place[0][i, j])),
            "longitude": float((np.degrees(place[1][i, j]) + 180) % 360 - 180),
            "height": float(place[2][i, j]),
            "incidenceAngle": float(incidence[i, j]),
            "elevationAngle": float(elevation[i, j]),
        }
        for i in range(len(times))
        for j in range(len(tau))
    ]
    return points, float(incidence[len(times) // 2, _COLUMNS // 2])


def world_dem(plan: Plan) -> Dem:
    """Heights of the world, for the geometry."""
    heights = np.ascontiguousarray(plan.world.layers[..., HEIGHT])
    return Dem(heights, plan.world.longitude, plan.world.latitude, STEP, STEP, "sandbox")
