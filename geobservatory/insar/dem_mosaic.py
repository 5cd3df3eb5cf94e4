"""Rasters of heights put together on one longitude-latitude lattice.

Rasters that share a lattice (steps and phase) are put together first and interpolated after, so
that a place between the last column of one tile and the first of the next is as good as any other.
What is on the final lattice already is copied, not interpolated.
"""

import math
from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray

from geobservatory.insar.dem_lattice import Lattice, placements, transformer
from geobservatory.insar.dem_raster import Raster, read_window

# Lattices that drift apart by less than this over their length, in cells, are one.
_SAME = 1e-3
_BLOCK_ROWS = 256

Tile = tuple[int, int]
_Placed = tuple[Raster, Lattice]


def lay(
    rasters: Sequence[Raster], sea: Sequence[Tile], target: Lattice
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Put heights on a lattice, in the files' own datum.

    Parameters
    ----------
    rasters
        Where two overlap, one on the target's own lattice counts first, then the earlier.
    sea
        West and south of one-degree tiles of height zero, degrees; the west may be past 180.
    target
        The lattice.

    Returns
    -------
    heights
        (rows, cols) float32, metres, NaN where unknown.
    is_sea
        (rows, cols): cells of the sea tiles.

    Raises
    ------
    InputError
        If a file cannot be read or converted.
    """
    heights = np.full((target.rows, target.cols), np.nan, np.float32)
    groups = _grouped(
        [
            (raster, lattice)
            for raster in rasters
            if raster.is_lattice
            for lattice in placements(raster, target.bounds)
        ]
    )
    for group in sorted(groups, key=lambda group: not _is_same(group[0][1], target)):
        if _is_same(group[0][1], target):
            _paste(group, sea, heights, target)
            continue
        canvas = group[0][1].over(_common(group, target), margin=1)
        values = np.full((canvas.rows, canvas.cols), np.nan, np.float32)
        _paste(group, sea, values, canvas)
        rows, cols = canvas.row(target.latitudes), canvas.col(target.longitudes)
        _complete_along(heights, values, rows, cols)
    for raster in rasters:
        if not raster.is_lattice:
            _complete_from(raster, target, heights)
    is_sea = np.zeros(heights.shape, np.bool_)
    for west, south in sea:
        is_sea[target.tile(west, south)] = True
    heights[is_sea & np.isnan(heights)] = 0.0
    return heights, is_sea


def _grouped(placed: Sequence[_Placed]) -> list[list[_Placed]]:
    groups: list[list[_Placed]] = []
    for raster, lattice in placed:
        for group in groups:
            if _is_same(group[0][1], lattice):
                group.append((raster, lattice))
                break
        else:
            groups.append([(raster, lattice)])
    return groups


def _is_same(one: Lattice, other: Lattice) -> bool:
    cols = max(one.cols, other.cols) + abs(float(one.col(other.longitude)))
    rows = max(one.rows, other.rows) + abs(float(one.row(other.latitude)))
    return (
        abs(one.longitude_step - other.longitude_step) * cols < _SAME * one.longitude_step
        and abs(one.latitude_step - other.latitude_step) * rows < _SAME * one.latitude_step
        and _from_whole(float(one.col(other.longitude))) < _SAME
        and _from_whole(float(one.row(other.latitude))) < _SAME
    )


def _from_whole(position: float) -> float:
    return abs(position - round(position))


def _common(group: Sequence[_Placed], target: Lattice) -> tuple[float, float, float, float]:
    """Bounds of what the target shares with the rasters of a group."""
    wests, souths, easts, norths = zip(*(lattice.bounds for _, lattice in group), strict=True)
    west, south, east, north = target.bounds
    # A group that only touches the target still has an order of west and east, south and north.
    west, east = max(west, min(wests)), min(east, max(easts))
    south, north = max(south, min(souths)), min(north, max(norths))
    return min(west, east), min(south, north), max(west, east), max(south, north)


def _paste(
    group: Sequence[_Placed], sea: Sequence[Tile], heights: NDArray[np.float32], on: Lattice
) -> None:
    """Copy rasters to the lattice they are on, into cells still unknown."""
    for raster, lattice in group:
        top, left = round(float(on.row(lattice.latitude))), round(float(on.col(lattice.longitude)))
        rows = slice(max(top, 0), min(top + raster.rows, on.rows))
        cols = slice(max(left, 0), min(left + raster.cols, on.cols))
        if rows.start >= rows.stop or cols.start >= cols.stop:
            continue
        values = read_window(
            raster,
            rows.start - top,
            cols.start - left,
            rows.stop - rows.start,
            cols.stop - cols.start,
        )
        part = heights[rows, cols]
        np.copyto(part, values, where=np.isnan(part))
    for west, south in sea:
        part = heights[on.tile(west, south)]
        part[np.isnan(part)] = 0.0


def _complete_from(raster: Raster, target: Lattice, heights: NDArray[np.float32]) -> None:
    """Interpolate a raster of another coordinate reference system into cells still unknown."""
    to_raster = transformer(raster)
    a, b, c, d, e, f = raster.affine
    determinant = a * e - b * d
    for top in range(0, target.rows, _BLOCK_ROWS):
        part = heights[top : top + _BLOCK_ROWS]
        lat = target.latitudes[top : top + _BLOCK_ROWS]
        lon, lat = np.meshgrid(target.longitudes, lat)
        x, y = to_raster.transform(lon, lat)
        if raster.crs.is_geographic:
            # Of all turns of a longitude, the one at or east of the raster's first column.
            x = x - 360 * np.floor((x - c) / 360)
        cols = (e * (x - c) - b * (y - f)) / determinant - 0.5
        rows = (a * (y - f) - d * (x - c)) / determinant - 0.5
        inside = (rows > -1) & (rows < raster.rows) & (cols > -1) & (cols < raster.cols)
        if not inside.any():
            continue
        row = max(math.floor(rows[inside].min()), 0)
        col = max(math.floor(cols[inside].min()), 0)
        last_row = min(math.ceil(rows[inside].max()), raster.rows - 1)
        last_col = min(math.ceil(cols[inside].max()), raster.cols - 1)
        values = read_window(raster, row, col, last_row - row + 1, last_col - col + 1)
        # Infinite where the projection has no place for a point.
        rows, cols = np.where(inside, rows - row, -2.0), np.where(inside, cols - col, -2.0)
        _complete_at(part, values, rows, cols)


@numba.njit(cache=True, inline="always")
def _bilinear(values, row: float, col: float):  # type: ignore[no-untyped-def]
    """Between four cells; NaN outside the outermost centres and next to an unknown cell."""
    rows, cols = values.shape
    if not (0 <= row <= rows - 1 and 0 <= col <= cols - 1):
        return np.nan
    top, left = int(row), int(col)
    v, u = row - top, col - left
    # A neighbour of no weight is not asked: it may be unknown, or beyond the edge.
    bottom, right = top + (v > 0), left + (u > 0)
    upper, lower = values[top, left], values[bottom, left]
    if u > 0:
        upper += u * (values[top, right] - upper)
        lower += u * (values[bottom, right] - lower)
    return upper + v * (lower - upper) if v > 0 else upper


@numba.njit(parallel=True, cache=True)
def _complete_along(heights, values, rows, cols) -> None:  # type: ignore[no-untyped-def]
    for i in numba.prange(heights.shape[0]):
        for j in range(heights.shape[1]):
            if np.isnan(heights[i, j]):
                heights[i, j] = _bilinear(values, rows[i], cols[j])


@numba.njit(parallel=True, cache=True)
def _complete_at(heights, values, rows, cols) -> None:  # type: ignore[no-untyped-def]
    for i in numba.prange(heights.shape[0]):
        for j in range(heights.shape[1]):
            if np.isnan(heights[i, j]):
                heights[i, j] = _bilinear(values, rows[i, j], cols[i, j])
