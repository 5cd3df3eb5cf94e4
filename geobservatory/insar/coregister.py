"""Where a secondary image holds what a reference pixel sees, from orbits and heights.

For a reference line and sample, the place seen depends on its height alone, and so do the
secondary's line and the difference of the two ranges. All of them are smooth in line, sample and
height: they are solved exactly on a coarse grid at three heights, and interpolated, bilinear in
line and sample and quadratic in height (errors below a micrometre of range and 1e-5 line, measured
in tests/test_45_coregister.py). Only the height itself needs the DEM, and that is looked up on a
grid as fine as the DEM.
"""

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from geobservatory.errors import InputError
from geobservatory.insar.dem import Dem, height_at
from geobservatory.insar.geo2rdr import geo2rdr
from geobservatory.insar.rdr2geo import rdr2geo
from geobservatory.insar.view import BurstView

# Coarse grid, lines and samples; about a kilometre and a third of one.
_LINES, _SAMPLES = 64, 128
# Fine grid: nodes every two lines and eight samples, some 28 m by 30 m on the ground.
NODE_LINES, NODE_SAMPLES = 2, 8
_STEPS, _TRUSTED = 40, 8
_ENOUGH_M = 0.005
_LATITUDE, _LONGITUDE, _LINE, _RANGE = range(4)


@dataclass(frozen=True)
class Geometry:
    """Smooth functions of line, sample and height of a reference burst.

    Attributes
    ----------
    values
        (rows, cols, 4, 3): on the coarse grid, latitude and longitude (degrees) of the place, line
        of the secondary minus line of the reference, and range of the secondary minus range of
        the reference (metres), each as c0 + c1 w + c2 w^2 of the height, w from 0 to 1.
    low_m, high_m
        Heights of w = 0 and 1.
    range_shift
        Samples by which the secondary's first sample is farther than the reference's.
    sample_m
        Metres from a sample to the next, of both images.
    """

    values: NDArray[np.float64]
    low_m: float
    high_m: float
    range_shift: float
    sample_m: float


@dataclass(frozen=True)
class Nodes:
    """Heights and offsets on the fine grid over a strip of lines.

    Attributes
    ----------
    first_line, first_sample
        Line and sample of the reference that the first node lies on.
    height_m, line_offset, sample_offset, path_m
        (rows, cols) float64: height of the ground; line and sample of the secondary minus those of
        the reference; range of the secondary minus that of the reference. NaN where the DEM has
        no height.
    """

    first_line: int
    first_sample: int
    height_m: NDArray[np.float64]
    line_offset: NDArray[np.float64]
    sample_offset: NDArray[np.float64]
    path_m: NDArray[np.float64]


def make_geometry(reference: BurstView, secondary: BurstView, dem: Dem) -> Geometry:
    """Solve the geometry of a pair of bursts on the coarse grid.

    Raises
    ------
    InputError
        If the images are not sampled alike, or the DEM holds no height.
    """
    if abs(reference.sample_m / secondary.sample_m - 1) > 1e-9 or (
        abs(reference.line_s / secondary.line_s - 1) > 1e-9
    ):
        raise InputError("the two images are not sampled alike; they are of different modes")
    if dem.known == 0:
        raise InputError(f"{dem.source}: holds no heights")
    low, high = float(np.nanmin(dem.heights)) - 1, float(np.nanmax(dem.heights)) + 1
    rows = np.arange(-1, reference.lines // _LINES + 3) * float(_LINES)
    cols = np.arange(-1, reference.samples // _SAMPLES + 3) * float(_SAMPLES)
    time = reference.start_s + rows * reference.line_s
    distance = reference.near_m + cols * reference.sample_m
    shape = (len(rows), len(cols), 3)
    height = np.broadcast_to(np.array([low, (low + high) / 2, high]), shape)
    latitude, longitude = rdr2geo(
        reference.track,
        np.broadcast_to(time[:, None, None], shape),
        np.broadcast_to(distance[None, :, None], shape),
        height,
    )
    seen, away = geo2rdr(secondary.track, latitude, longitude, height)
    values = np.empty((*shape[:2], 4, 3))
    values[..., _LATITUDE, :] = np.degrees(latitude)
    values[..., _LONGITUDE, :] = np.degrees(np.unwrap(np.unwrap(longitude, axis=0), axis=1))
    values[..., _LINE, :] = (seen - secondary.start_s) / secondary.line_s - rows[:, None, None]
    values[..., _RANGE, :] = away - distance[None, :, None]
    # Through the values at the three heights goes one parabola.
    low_value, middle, high_value = np.moveaxis(values, -1, 0)
    values = np.stack(
        [
            low_value,
            4 * middle - 3 * low_value - high_value,
            2 * (low_value + high_value) - 4 * middle,
        ],
        axis=-1,
    )
    shift = (secondary.near_m - reference.near_m) / reference.sample_m
    return Geometry(np.ascontiguousarray(values), low, high, shift, reference.sample_m)


def strip_nodes(
    geometry: Geometry, dem: Dem, first_line: int, lines: int, first_sample: int, stop_sample: int
) -> Nodes:
    """Look up heights and offsets over a strip of a reference burst.

    Parameters
    ----------
    first_line, lines
        The strip; nodes lie on its first line and every second one after it, past its end.
    first_sample, stop_sample
        Part of its lines.
    """
    rows = lines // NODE_LINES + 2
    cols = (stop_sample - first_sample) // NODE_SAMPLES + 2
    out = np.empty((4, rows, cols))
    grid = (dem.heights, dem.longitude, dem.latitude, dem.longitude_step, dem.latitude_step)
    _look_up(geometry.values, geometry.low_m, geometry.high_m, grid, first_line, first_sample, out)
    height, line, path = out[0], out[1], out[2]
    # Range in samples, past the secondary's own first sample.
    np.subtract(path / geometry.sample_m, geometry.range_shift, out=out[3])
    return Nodes(first_line, first_sample, height, line, out[3], path)


@numba.njit(parallel=True, cache=True)
def _look_up(values, low, high, grid, first_line, first_sample, out) -> None:  # type: ignore[no-untyped-def]
    heights, first_lon, first_lat, lon_step, lat_step = grid
    span = high - low
    enough = _ENOUGH_M / span
    for i in numba.prange(out.shape[1]):
        u = (first_line + i * NODE_LINES) / _LINES + 1
        row = min(max(int(u), 0), values.shape[0] - 2)
        u -= row
        # Bilinear between nodes: first along the line, once for all its samples.
        along = (1 - u) * values[row] + u * values[row + 1]
        guess, slope = 0.5, -1.0
        for j in range(out.shape[2]):
            v = (first_sample + j * NODE_SAMPLES) / _SAMPLES + 1
            col = min(max(int(v), 0), values.shape[1] - 2)
            v -= col
            here, there = along[col], along[col + 1]
            lat0 = (1 - v) * here[0, 0] + v * there[0, 0]
            lat1 = (1 - v) * here[0, 1] + v * there[0, 1]
            lat2 = (1 - v) * here[0, 2] + v * there[0, 2]
            lon0 = (1 - v) * here[1, 0] + v * there[1, 0]
            lon1 = (1 - v) * here[1, 1] + v * there[1, 1]
            lon2 = (1 - v) * here[1, 2] + v * there[1, 2]
            # The share of the span at which the place seen is as high as the DEM there: secants,
            # the first one with its neighbour's slope; where those go astray, halves.
            w, last, last_over = guess, 0.0, 0.0
            below, above = 0.0, 1.0
            found = math.nan
            for step in range(_STEPS):
                lat = lat0 + w * (lat1 + w * lat2)
                lon = lon0 + w * (lon1 + w * lon2)
                ground = height_at(heights, first_lon, first_lat, lon_step, lat_step, lat, lon)
                over = (ground - low) / span - w
                if over != over:
                    break
                if abs(over) < enough:
                    found = w
                    break
                # Where the ground is higher than assumed the root is above, else below.
                if over > 0:
                    below = w
                else:
                    above = w
                if step and w != last and over != last_over:
                    slope = (over - last_over) / (w - last)
                last, last_over = w, over
                wanted = w - over / slope if slope < 0 else w + over
                near = step < _TRUSTED and below < wanted < above
                w = wanted if near else 0.5 * (below + above)
            if found != found:
                guess, slope = 0.5, -1.0
                out[0, i, j], out[1, i, j], out[2, i, j] = math.nan, math.nan, math.nan
                continue
            guess = found
            out[0, i, j] = low + found * span
            for k in range(2, 4):
                line = (1 - v) * here[k, 0] + v * there[k, 0]
                line += found * ((1 - v) * here[k, 1] + v * there[k, 1])
                line += found * found * ((1 - v) * here[k, 2] + v * there[k, 2])
                out[k - 1, i, j] = line
