"""How far apart two passes were: perpendicular, parallel and temporal baseline.

At a point P the reference satellite stands at X1 and the secondary at X2, each when it sees P at
zero Doppler, and B = X2 - X1. The parallel baseline is the part of B along the line of sight from
X1 to P. The perpendicular baseline is its part across it in the zero-Doppler plane of the
reference, positive on the side away from the Earth's centre: B_C cos(look) - B_N sin(look) in
GAMMA's track-cross-normal frame, and the sign of ASF's baseline stacks (tests/test_26_baseline.py).
"""

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from geobservatory.errors import InputError
from geobservatory.insar.ellipsoid import to_ecef
from geobservatory.insar.geo2rdr import zero_doppler
from geobservatory.insar.pair import BurstPair
from geobservatory.insar.rdr2geo import rdr2geo
from geobservatory.insar.track import Track, make_track, state
from geobservatory.sentinel1.annotation import SPEED_OF_LIGHT, Annotation, Burst
from geobservatory.sentinel1.bursts import BurstId, PlacedBurst, common_bursts, place_bursts
from geobservatory.sentinel1.orbit import Orbit
from geobservatory.sentinel1.safe import SafeProduct

# Two passes over one place differ by less in time along the track than this.
_MARGIN_S = 10.0


@dataclass(frozen=True)
class Baseline:
    """Baseline of a common burst, at its middle line and mid-range, on the ellipsoid.

    Metres and days; `temporal_days` is positive where the secondary is the later image. `least_m`
    and `greatest_m` are the perpendicular baselines at the corners and middle of the burst.
    """

    burst: BurstId
    perpendicular_m: float
    parallel_m: float
    temporal_days: float
    least_m: float
    greatest_m: float


def baselines(
    reference: SafeProduct,
    secondary: SafeProduct,
    orbits: tuple[Orbit | None, Orbit | None] = (None, None),
) -> list[Baseline]:
    """Baseline of every common burst of two products, by swath and time.

    Parameters
    ----------
    orbits
        State vectors of the two passes; those of the annotation where there are none.

    Raises
    ------
    InputError
        If the products see no common burst, with what each sees.
    """
    bursts = [place_bursts(one) for one in (reference, secondary)]
    pairs = common_bursts(*bursts)
    if not pairs:
        seen = " and ".join(
            f"relative orbit {one.relative_orbit}, bursts {_span(placed)}"
            for one, placed in zip((reference, secondary), bursts, strict=True)
        )
        raise InputError(
            f"{reference.path} and {secondary.path} see no common burst: {seen}; "
            "an interferogram needs two dates of one track"
        )
    return [
        _of_burst(
            one.identity,
            (reference.any_annotation(one.swath), secondary.any_annotation(other.swath)),
            (one.burst, other.burst),
            orbits,
        )
        for one, other in pairs
    ]


def baseline_of(pair: BurstPair, orbits: tuple[Orbit, Orbit]) -> Baseline:
    """Baseline of a pair of bursts, whatever slices they are of."""
    return _of_burst(
        pair.identity,
        (pair.reference, pair.secondary),
        (pair.reference_burst, pair.secondary_burst),
        orbits,
    )


def _of_burst(
    identity: BurstId,
    annotations: tuple[Annotation, Annotation],
    bursts: tuple[Burst, Burst],
    orbits: tuple[Orbit | None, Orbit | None],
) -> Baseline:
    annotation = annotations[0]
    orbit, other_orbit = (one or its.orbit for one, its in zip(orbits, annotations, strict=True))
    length = np.timedelta64(
        round(annotation.lines_per_burst * annotation.azimuth_time_interval_s * 1e9), "ns"
    )
    start, other_start = (one.azimuth_time for one in bursts)
    track = make_track(orbit, start, start + length, _MARGIN_S)
    other_track = make_track(other_orbit, other_start, other_start + length, _MARGIN_S)
    lines = np.array([0.5, 0.0, 0.0, 1.0, 1.0]) * annotation.lines_per_burst
    samples = np.array([0.5, 0.0, 1.0, 0.0, 1.0]) * annotation.samples_per_burst
    time = orbit.seconds(start) + lines * annotation.azimuth_time_interval_s
    distance = annotation.slant_range_time_s + samples / annotation.range_sampling_rate_hz
    latitude, longitude = rdr2geo(track, time, distance * SPEED_OF_LIGHT / 2, np.zeros(5))
    perpendicular, parallel = baseline_at(track, other_track, latitude, longitude, np.zeros(5))
    return Baseline(
        burst=identity,
        perpendicular_m=float(perpendicular[0]),
        parallel_m=float(parallel[0]),
        temporal_days=float((other_start - start) / np.timedelta64(1, "D")),
        least_m=float(perpendicular.min()),
        greatest_m=float(perpendicular.max()),
    )


def baseline_at(
    reference: Track,
    secondary: Track,
    latitude: NDArray[np.float64],
    longitude: NDArray[np.float64],
    height_m: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the perpendicular and parallel baseline at points.

    Parameters
    ----------
    reference, secondary
        The two paths, each with its own epoch.
    latitude, longitude
        One shape, radians.
    height_m
        Of that shape, metres above the ellipsoid.

    Returns
    -------
    perpendicular_m, parallel_m
        Of that shape, metres; NaN where either path does not see the point.
    """
    latitude, longitude, height = np.broadcast_arrays(latitude, longitude, height_m)
    shape = latitude.shape
    lat, lon, h = (
        np.ascontiguousarray(one, np.float64).ravel() for one in (latitude, longitude, height)
    )
    out = np.empty((2, lat.size))
    _solve(
        reference.cubics, reference.start_s, reference.step_s,
        secondary.cubics, secondary.start_s, secondary.step_s,
        lat, lon, h, out,
    )  # fmt: skip
    return out[0].reshape(shape), out[1].reshape(shape)


@numba.njit(parallel=True, cache=True)
def _solve(  # type: ignore[no-untyped-def]
    cubics1, start1, step1, cubics2, start2, step2, latitude, longitude, height, out
) -> None:
    middle1 = start1 + 0.5 * step1 * cubics1.shape[0]
    middle2 = start2 + 0.5 * step2 * cubics2.shape[0]
    for i in numba.prange(latitude.size):
        x, y, z = to_ecef(latitude[i], longitude[i], height[i])
        time1, distance = zero_doppler(cubics1, start1, step1, x, y, z, middle1)
        time2, _ = zero_doppler(cubics2, start2, step2, x, y, z, middle2)
        if not (time1 == time1 and time2 == time2):
            out[0, i], out[1, i] = math.nan, math.nan
            continue
        px, py, pz, vx, vy, vz = state(cubics1, start1, step1, time1)[:6]
        qx, qy, qz = state(cubics2, start2, step2, time2)[:3]
        bx, by, bz = qx - px, qy - py, qz - pz
        lx, ly, lz = (x - px) / distance, (y - py) / distance, (z - pz) / distance
        # Velocity x line of sight lies across both; up or down by the side the satellite looks to.
        cx, cy, cz = vy * lz - vz * ly, vz * lx - vx * lz, vx * ly - vy * lx
        norm = math.sqrt(cx * cx + cy * cy + cz * cz)
        if cx * px + cy * py + cz * pz < 0:
            norm = -norm
        out[0, i] = (bx * cx + by * cy + bz * cz) / norm
        out[1, i] = bx * lx + by * ly + bz * lz


def _span(bursts: list[PlacedBurst]) -> str:
    numbers = [one.identity.number for one in bursts]
    return f"{min(numbers)} to {max(numbers)}" if numbers else "none"
