"""geo2rdr: compiled, beside the same Newton iteration in plain NumPy."""

import argparse
import time

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from geobservatory.insar.geo2rdr import geo2rdr
from geobservatory.insar.track import make_track
from geobservatory.sentinel1.orbit import Orbit

_RATE = 2 * np.pi / 5924
_RADIUS = 7_071_000.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=8_000_000)
    points = parser.parse_args().points
    orbit = inclined_orbit()
    rng = np.random.default_rng(1)
    # A scene in the order of a raster: neighbours are neighbours on the ground.
    side = int(np.sqrt(points))
    latitude = np.deg2rad(np.linspace(1.0, 4.0, side))[:, None] + np.zeros((1, side))
    longitude = np.deg2rad(np.linspace(3.0, 6.0, side))[None, :] + np.zeros((side, 1))
    height = rng.uniform(0, 3000, (side, side))
    track = make_track(orbit, orbit.epoch, orbit.epoch + np.timedelta64(150, "s"), 0)
    geo2rdr(track, latitude[:2], longitude[:2], height[:2])  # compile
    seconds = min(timed(lambda: geo2rdr(track, latitude, longitude, height)) for _ in range(3))
    rows = slice(0, max(1, 400_000 // side))
    part = latitude[rows], longitude[rows], height[rows]
    plain = timed(lambda: in_numpy(orbit, *part))
    ours, theirs = side * side / seconds / 1e6, part[0].size / plain / 1e6
    difference = np.nanmax(np.abs(geo2rdr(track, *part)[0] - in_numpy(orbit, *part)))
    print(f"geo2rdr  {ours:7.1f} million points/s   {side * side:,} points")
    print(f"  NumPy  {theirs:7.2f} million points/s   ratio {ours / theirs:.0f}")
    print(f"  worst difference {difference:.1e} s")


def inclined_orbit() -> Orbit:
    t = np.arange(16) * 10.0
    tilt = np.deg2rad(98.2)
    angle = _RATE * (t - 30)
    along = np.array([1.0, 0.0, 0.0])
    across = np.array([0.0, np.cos(tilt), np.sin(tilt)])
    position = _RADIUS * (np.cos(angle)[:, None] * along + np.sin(angle)[:, None] * across)
    velocity = _RADIUS * _RATE * (np.cos(angle)[:, None] * across - np.sin(angle)[:, None] * along)
    times = np.datetime64("2020-01-01", "ns") + (t * 1e9).astype("timedelta64[ns]")
    return Orbit.from_vectors(times, position, velocity, "annotation")


def in_numpy(
    orbit: Orbit,
    latitude: NDArray[np.float64],
    longitude: NDArray[np.float64],
    height: NDArray[np.float64],
) -> NDArray[np.float64]:
    degrees = np.rad2deg(longitude.ravel()), np.rad2deg(latitude.ravel())
    ecef = Transformer.from_crs(4979, 4978, always_xy=True).transform(*degrees, height.ravel())
    point = np.stack(ecef, axis=1)
    time_s = np.full(len(point), 75.0)
    for _ in range(6):
        position, velocity = orbit.interpolate(np.clip(time_s, 0, 150))
        offset = point - position
        time_s += (offset * velocity).sum(1) / (
            (velocity**2).sum(1) + _RATE**2 * (offset * position).sum(1)
        )
    return time_s.reshape(latitude.shape)


def timed(work: object) -> float:
    start = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
