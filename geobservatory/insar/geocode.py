"""From radar geometry to the map: for each cell of the map, where the radar saw it.

The map's cell centre, at the height of the DEM there, goes through `geo2rdr` along the reference
orbit to a time and a range, and so to a fractional row and column of the looked-down grid. The
centre of a look cell is not its first sample: with n looks, sample s lies at (s + 1/2) / n - 1/2
cells.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from geobservatory.insar.dem import Dem
from geobservatory.insar.geo2rdr import geo2rdr
from geobservatory.insar.look import look
from geobservatory.insar.map_grid import MapGrid
from geobservatory.insar.pair import Layout
from geobservatory.sentinel1.orbit import Orbit

_BLOCK_ROWS = 256

_Values = TypeVar("_Values", bound=np.generic)


@dataclass(frozen=True)
class Lookup:
    """Where each cell of a map lies in the radar's grid.

    Arrays are (rows, cols) of the map, float32 (in a grid of 10,000 cells that is a thousandth of
    one); NaN where the DEM has no height or the path does not see it.

    Attributes
    ----------
    row, col
        Fractional cell of the looked-down grid, centres at whole numbers.
    height_m
        Above the ellipsoid.
    """

    grid: MapGrid
    row: NDArray[np.float32]
    col: NDArray[np.float32]
    height_m: NDArray[np.float32]


def look_up(grid: MapGrid, layout: Layout, orbit: Orbit, dem: Dem) -> Lookup:
    """Find where the cells of a map lie in the looked-down grid of a pair.

    Parameters
    ----------
    orbit
        Of the reference.
    """
    row, col, heights = (np.empty((grid.rows, grid.cols), np.float32) for _ in range(3))
    track = layout.track(orbit)
    start_s = float(orbit.seconds(layout.first_time))
    azimuth, across = layout.looks
    for here in _blocks(grid):
        latitude, longitude = grid.places(here.start, here.stop)
        height = dem.sample(latitude, longitude)
        time, distance = geo2rdr(track, np.radians(latitude), np.radians(longitude), height)
        row[here] = ((time - start_s) / layout.line_s + 0.5) / azimuth - 0.5
        col[here] = ((distance - layout.near_m) / layout.sample_m + 0.5) / across - 0.5
        heights[here] = height
    return Lookup(grid, row, col, heights)


def line_of_sight(lookup: Lookup, layout: Layout, orbit: Orbit) -> NDArray[np.float32]:
    """Find how the radar looks at the cells of a map.

    Returns
    -------
    vectors
        (3, rows, cols) float32: east, north and up of the unit vector from the ground to the
        satellite.
    """
    grid, track = lookup.grid, layout.track(orbit)
    vectors = np.empty((3, grid.rows, grid.cols), np.float32)
    for here in _blocks(grid):
        latitude, longitude = grid.places(here.start, here.stop)
        height = lookup.height_m[here].astype(np.float64)
        seen = look(track, np.radians(latitude), np.radians(longitude), height)
        vectors[:, here] = seen.east, seen.north, seen.up
    return vectors


def _blocks(grid: MapGrid) -> Iterator[slice]:
    for first in range(0, grid.rows, _BLOCK_ROWS):
        yield slice(first, min(first + _BLOCK_ROWS, grid.rows))


def interpolate(values: NDArray[_Values], lookup: Lookup) -> NDArray[_Values]:
    """Bring values that vary smoothly (phasors, coherence) to the map.

    Cubic convolution (Keys, 1981) where all sixteen neighbours have a value; else the mean of those
    of the four nearest that have one, weighted as bilinear interpolation does, where they carry at
    least half of the weight.

    Parameters
    ----------
    values
        (rows, cols) float32 or complex64 of the radar grid, NaN where there is nothing.

    Returns
    -------
    map
        (rows, cols) of the map, the same type; NaN where there is nothing.
    """
    out = np.empty(lookup.row.shape, values.dtype)
    _cubic(np.ascontiguousarray(values), lookup.row, lookup.col, out)
    return out


def nearest(values: NDArray[_Values], lookup: Lookup, fill: float) -> NDArray[_Values]:
    """Bring labels or masks to the map: the value of the nearest cell, `fill` outside the grid."""
    out = np.full(lookup.row.shape, fill, values.dtype)
    _nearest(np.ascontiguousarray(values), lookup.row, lookup.col, out)
    return out


@numba.njit(cache=True, inline="always")
def _keys(t: float):  # type: ignore[no-untyped-def]
    """Weights of the samples at -1, 0, 1, 2 for a place t past sample 0."""
    return (
        ((-0.5 * t + 1.0) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1.0,
        ((-1.5 * t + 2.0) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    )


@numba.njit(parallel=True, cache=True)
def _cubic(values, row, col, out) -> None:  # type: ignore[no-untyped-def]
    rows, cols = values.shape
    for i in numba.prange(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = np.nan
            y, x = row[i, j], col[i, j]
            # NaN fails these as well.
            if not (-0.5 <= y <= rows - 0.5 and -0.5 <= x <= cols - 0.5):
                continue
            top, left = int(np.floor(y)), int(np.floor(x))
            u, v = y - top, x - left
            if 1 <= top < rows - 2 and 1 <= left < cols - 2:
                down, across = _keys(u), _keys(v)
                total = values[top - 1, left - 1] * np.float32(down[0] * across[0])
                for a in range(4):
                    for b in range(4):
                        if a or b:
                            total += values[top - 1 + a, left - 1 + b] * np.float32(
                                down[a] * across[b]
                            )
                if total == total:
                    out[i, j] = total
                    continue
            weight, near = 0.0, values[0, 0]
            for a in range(2):
                for b in range(2):
                    r, c = top + a, left + b
                    if 0 <= r < rows and 0 <= c < cols:
                        value = values[r, c]
                        if value == value:
                            share = (u if a else 1 - u) * (v if b else 1 - v)
                            part = value * np.float32(share)
                            near = part if weight == 0.0 else near + part
                            weight += share
            if weight >= 0.5:
                out[i, j] = near / np.float32(weight)


@numba.njit(parallel=True, cache=True)
def _nearest(values, row, col, out) -> None:  # type: ignore[no-untyped-def]
    rows, cols = values.shape
    for i in numba.prange(out.shape[0]):
        for j in range(out.shape[1]):
            y, x = row[i, j], col[i, j]
            if -0.5 <= y < rows - 0.5 and -0.5 <= x < cols - 0.5:
                out[i, j] = values[int(np.floor(y + 0.5)), int(np.floor(x + 0.5))]
