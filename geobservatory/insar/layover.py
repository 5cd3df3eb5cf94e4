"""Layover and shadow: where the radar cannot tell places apart, and where it cannot see.

Walk the ground away from the satellite in the zero-Doppler plane of each line. Slant range should
rise all the way: where it falls back behind what was already reached, all ground at those ranges is
laid over. The look angle should rise too: what lies below the steepest one passed is in shadow
(Kropatsch and Strobl, 1990, exact method, in the plane of one line).
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

from geobservatory.errors import InputError
from geobservatory.insar.dem import Dem, height_at
from geobservatory.insar.ellipsoid import to_ecef
from geobservatory.insar.rdr2geo import RIGHT, locate
from geobservatory.insar.track import Track, state

LAYOVER, SHADOW, UNKNOWN = 1, 2, 4
# Steps from one exact place to the next; between them, some 250 m, the way is straight to a
# millimetre.
_NODE = 16


def layover_shadow(
    track: Track,
    dem: Dem,
    azimuth_time_s: NDArray[np.float64],
    near_range_m: float,
    range_spacing_m: float,
    samples: int,
    side: int = RIGHT,
) -> NDArray[np.uint8]:
    """Mark the radar samples that are laid over, shadowed or without heights.

    Parameters
    ----------
    track
        The satellite's path.
    dem
        Heights above the ellipsoid.
    azimuth_time_s
        (lines,) seconds after the epoch of the track's orbit.
    near_range_m, range_spacing_m, samples
        Slant range of the first sample's centre, spacing, metres, and number of samples.
    side
        `RIGHT` or `LEFT` of the track.

    Returns
    -------
    mask
        (lines, samples) of bits: `LAYOVER`, `SHADOW`, and `UNKNOWN` where the DEM has no height on
        some ground that could be seen at that range.
    """
    if samples < 1 or not range_spacing_m > 0:
        raise InputError("a mask needs at least one sample, and a spacing above zero")
    if dem.known == 0:
        raise InputError(f"{dem.source}: holds no heights")
    low, high = min(float(np.nanmin(dem.heights)), 0.0), max(float(np.nanmax(dem.heights)), 0.0)
    times = np.ascontiguousarray(azimuth_time_s, np.float64)
    mask = np.zeros((times.size, samples), np.uint8)
    # Slant range grows by less than the step on the ground, so no cell of either grid is stepped
    # over. Height h brings ground of ellipsoidal range r to a range no nearer than r - h.
    step_m = min(abs(dem.latitude_step) * 111e3 / 2, range_spacing_m)
    near = near_range_m - 0.5 * range_spacing_m
    first, stop = near + low, near + samples * range_spacing_m + high
    grid = (dem.heights, dem.longitude, dem.latitude, dem.longitude_step, dem.latitude_step)
    _walk(
        track.cubics, track.start_s, track.step_s, grid, times,
        near, range_spacing_m, first, stop, step_m, side, mask,
    )  # fmt: skip
    return mask


@numba.njit(parallel=True, cache=True)
def _walk(  # type: ignore[no-untyped-def]
    cubics, start, step, grid, times, near, spacing, first, stop, step_m, side, mask
) -> None:
    count = math.ceil((stop - first) / step_m) + 1
    heights, first_lon, first_lat, lon_step, lat_step = grid
    for line in numba.prange(times.size):
        ranges, angles = np.empty(count), np.empty(count)
        lat, lon, ahead_lat, ahead_lon = 0.0, 0.0, 0.0, 0.0
        px, py, pz = state(cubics, start, step, times[line])[:3]
        far = math.sqrt(px * px + py * py + pz * pz)
        for i in range(count):
            if i % _NODE == 0:
                here, there = first + i * step_m, first + (i + _NODE) * step_m
                lat, lon = locate(cubics, start, step, times[line], here, 0.0, side)
                end_lat, end_lon = locate(cubics, start, step, times[line], there, 0.0, side)
                ahead_lat = (end_lat - lat) / _NODE
                ahead_lon = ((end_lon - lon + math.pi) % (2 * math.pi) - math.pi) / _NODE
            else:
                lat, lon = lat + ahead_lat, lon + ahead_lon
            height = height_at(
                heights, first_lon, first_lat, lon_step, lat_step,
                math.degrees(lat), math.degrees(lon),
            )  # fmt: skip
            x, y, z = to_ecef(lat, lon, height)
            dx, dy, dz = x - px, y - py, z - pz
            ranges[i] = math.sqrt(dx * dx + dy * dy + dz * dz)
            angles[i] = math.acos(-(dx * px + dy * py + dz * pz) / (ranges[i] * far))
            if ranges[i] != ranges[i]:
                # Any height may be there: all ranges that could come from it are in doubt.
                _mark(mask[line], first + i * step_m, first + (i + 1) * step_m, near, spacing, 4)
        _mark_line(ranges, angles, mask[line], near, spacing)


@numba.njit(cache=True)
def _mark_line(ranges, angles, row, near, spacing) -> None:  # type: ignore[no-untyped-def]
    reached, steepest = 0.0, 0.0
    previous = math.nan
    for i in range(ranges.size):
        if ranges[i] != ranges[i]:
            previous = math.nan
            continue
        if ranges[i] < reached:
            # From here back to the range reached before, several places share each sample.
            _mark(row, ranges[i], reached, near, spacing, 1)
        reached = max(reached, ranges[i])
        if angles[i] < steepest:
            end = previous if previous == previous else ranges[i]
            _mark(row, min(ranges[i], end), max(ranges[i], end), near, spacing, 2)
        steepest = max(steepest, angles[i])
        previous = ranges[i]


@numba.njit(cache=True, inline="always")
def _mark(row, lowest, highest, near, spacing, bit) -> None:  # type: ignore[no-untyped-def]
    begin = max(math.floor((lowest - near) / spacing), 0)
    end = min(math.floor((highest - near) / spacing), row.size - 1)
    for k in range(begin, end + 1):
        row[k] |= bit
