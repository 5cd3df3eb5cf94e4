"""Heights of the ground on one longitude-latitude grid, above the WGS84 ellipsoid.

A height belongs to the centre of its cell. Longitudes of a grid over the antimeridian run on past
180 degrees, so that neighbours in the array are neighbours on the ground.
"""

import math
from dataclasses import dataclass, field

import numba
import numpy as np
from numpy.typing import NDArray

from geobservatory.errors import InputError


@dataclass(frozen=True)
class Dem:
    """Heights above the WGS84 ellipsoid.

    Attributes
    ----------
    heights
        (rows, cols) float32, metres; NaN where nothing is known.
    longitude, latitude
        Centre of the first cell, degrees. The longitude may be past 180.
    longitude_step, latitude_step
        Degrees from a cell to the next; the latitude's is negative where north is up.
    source
        Where the heights came from, their datum and what was done to them, for provenance.
    interpolated
        (rows, cols) of bool: cells whose height is not the source's own (filled voids, sea);
        None where there are none.
    """

    heights: NDArray[np.float32]
    longitude: float
    latitude: float
    longitude_step: float
    latitude_step: float
    source: str
    interpolated: NDArray[np.bool_] | None = field(default=None)

    def __post_init__(self) -> None:
        if self.heights.ndim != 2 or self.heights.size == 0:
            raise InputError(f"{self.source}: heights of shape {self.heights.shape} are no grid")
        if self.heights.dtype != np.float32 or not self.heights.flags.c_contiguous:
            raise InputError(f"{self.source}: heights must be a contiguous float32 array")
        if self.interpolated is not None and self.interpolated.shape != self.heights.shape:
            raise InputError(f"{self.source}: the mask is not of the shape of the heights")
        if not self.longitude_step > 0 or self.latitude_step == 0:
            raise InputError(
                f"{self.source}: steps of {self.longitude_step}, {self.latitude_step} degrees; "
                "longitudes must increase along a row"
            )

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north of the outermost cell centres, degrees: where heights are."""
        rows, cols = self.heights.shape
        last = self.latitude + (rows - 1) * self.latitude_step
        east = self.longitude + (cols - 1) * self.longitude_step
        return self.longitude, min(self.latitude, last), east, max(self.latitude, last)

    @property
    def known(self) -> float:
        """Share of the cells that have a height."""
        return float(np.isfinite(self.heights).mean())

    @property
    def filled(self) -> float:
        """Share of the cells whose height is not the source's own: filled voids, sea."""
        return 0.0 if self.interpolated is None else float(self.interpolated.mean())

    def sample(
        self, latitude: NDArray[np.float64] | float, longitude: NDArray[np.float64] | float
    ) -> NDArray[np.float64]:
        """Interpolate heights between the four cells about each point.

        Parameters
        ----------
        latitude, longitude
            Degrees, shapes that broadcast; longitudes of any turn (-170 and 190 are one place).

        Returns
        -------
        heights
            Metres above the ellipsoid; NaN outside the centres of the outermost cells, and next to
            an unknown height.
        """
        lat, lon = np.broadcast_arrays(
            np.asarray(latitude, np.float64), np.asarray(longitude, np.float64)
        )
        heights = np.empty(lat.size)
        _sample(
            self.heights,
            self.longitude,
            self.latitude,
            self.longitude_step,
            self.latitude_step,
            np.ascontiguousarray(lat).ravel(),
            np.ascontiguousarray(lon).ravel(),
            heights,
        )
        return heights.reshape(lat.shape)


@numba.njit(cache=True, inline="always")
def height_at(  # type: ignore[no-untyped-def]
    heights, first_lon: float, first_lat: float, lon_step: float, lat_step: float, lat, lon
):
    """Bilinear height at one point, degrees; NaN outside or next to an unknown cell.

    For other kernels: the arguments are the attributes of `Dem`.
    """
    rows, cols = heights.shape
    # Of all turns of a longitude, the one at or east of the first cell; a hair west of it counts.
    east = lon - first_lon
    east -= 360.0 * math.floor((east + 1e-9) / 360.0)
    col = east / lon_step
    row = (lat - first_lat) / lat_step
    # A point on the edge must not fall outside by rounding.
    if not (-1e-6 <= col <= cols - 1 + 1e-6 and -1e-6 <= row <= rows - 1 + 1e-6):
        return math.nan
    col, row = min(max(col, 0.0), cols - 1.0), min(max(row, 0.0), rows - 1.0)
    left, top = min(int(col), max(cols - 2, 0)), min(int(row), max(rows - 2, 0))
    right, bottom = min(left + 1, cols - 1), min(top + 1, rows - 1)
    u, v = col - left, row - top
    upper, lower = float(heights[top, left]), float(heights[bottom, left])
    # A neighbour of no weight is not asked: an unknown one would spoil its known neighbour.
    if u > 0.0:
        upper = upper + u * (heights[top, right] - upper) if u < 1.0 else heights[top, right]
        lower = lower + u * (heights[bottom, right] - lower) if u < 1.0 else heights[bottom, right]
    if v == 0.0:
        return upper
    return upper + v * (lower - upper) if v < 1.0 else lower


@numba.njit(parallel=True, cache=True)
def _sample(  # type: ignore[no-untyped-def]
    heights, first_lon, first_lat, lon_step, lat_step, lat, lon, out
) -> None:
    for i in numba.prange(lat.size):
        out[i] = height_at(heights, first_lon, first_lat, lon_step, lat_step, lat[i], lon[i])
