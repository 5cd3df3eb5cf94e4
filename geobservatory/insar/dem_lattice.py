"""Cell centres along parallels and meridians, and where a raster's own lie."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer
from pyproj.exceptions import ProjError

from geobservatory.errors import InputError
from geobservatory.insar.dem_raster import Raster

# A position this near a centre, in cells, is that centre: quotients of degrees are not exact.
_SNAP = 1e-6

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class Lattice:
    """Cell centres along parallels and meridians, north up.

    Attributes
    ----------
    longitude, latitude
        Centre of the north-western cell, degrees.
    longitude_step, latitude_step
        Degrees, both positive: rows go south.
    rows, cols
        Size.
    """

    longitude: float
    latitude: float
    longitude_step: float
    latitude_step: float
    rows: int
    cols: int

    def col(self, longitude: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Position along a row, in cells; whole at centres."""
        return _snapped((np.asarray(longitude, np.float64) - self.longitude) / self.longitude_step)

    def row(self, latitude: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Position down a column, in cells; whole at centres."""
        return _snapped((self.latitude - np.asarray(latitude, np.float64)) / self.latitude_step)

    @property
    def longitudes(self) -> NDArray[np.float64]:
        """Of the columns, degrees."""
        return self.longitude + self.longitude_step * np.arange(self.cols, dtype=np.float64)

    @property
    def latitudes(self) -> NDArray[np.float64]:
        """Of the rows, degrees."""
        return self.latitude - self.latitude_step * np.arange(self.rows, dtype=np.float64)

    @property
    def bounds(self) -> Bounds:
        """West, south, east, north of the outermost centres, degrees."""
        return (
            self.longitude,
            self.latitude - (self.rows - 1) * self.latitude_step,
            self.longitude + (self.cols - 1) * self.longitude_step,
            self.latitude,
        )

    def over(self, bounds: Bounds, margin: int = 0) -> "Lattice":
        """Lay the same lattice over other bounds: out to centres on or just beyond, and a margin.

        No row is beyond a pole.
        """
        west, south, east, north = bounds
        left = math.floor(self.col(west)) - margin
        right = math.ceil(self.col(east)) + margin
        top = max(math.floor(self.row(north)) - margin, math.ceil(self.row(90.0)))
        bottom = min(math.ceil(self.row(south)) + margin, math.floor(self.row(-90.0)))
        return replace(
            self,
            longitude=self.longitude + left * self.longitude_step,
            latitude=self.latitude - top * self.latitude_step,
            rows=bottom - top + 1,
            cols=right - left + 1,
        )

    def tile(self, west: int, south: int) -> tuple[slice, slice]:
        """Rows and columns of a one-degree tile: from its west on, and up to its north."""
        top, bottom = math.ceil(self.row(south + 1)), math.ceil(self.row(south))
        left, right = math.ceil(self.col(west)), math.ceil(self.col(west + 1))
        return (
            slice(max(top, 0), max(min(bottom, self.rows), 0)),
            slice(max(left, 0), max(min(right, self.cols), 0)),
        )


def _snapped(position: NDArray[np.float64]) -> NDArray[np.float64]:
    whole = np.round(position)
    return np.where(np.abs(position - whole) < _SNAP, whole, position)


def footprint(raster: Raster) -> Bounds:
    """West, south, east, north of a raster's outermost centres, degrees; the east may pass 180.

    Raises
    ------
    InputError
        If its coordinate reference system cannot be converted to WGS84.
    """
    if raster.is_lattice:
        return _own(raster, 0).bounds
    ends = [(u, v) for u in (0.5, raster.cols - 0.5) for v in (0.5, raster.rows - 0.5)]
    x, y = zip(*(_xy(raster, *end) for end in ends), strict=True)
    try:
        bounds = transformer(raster).transform_bounds(
            min(x), min(y), max(x), max(y), direction="INVERSE"
        )
    except ProjError as error:
        raise InputError(f"{raster.path}: cannot be converted to WGS84: {error}") from None
    if not all(map(math.isfinite, bounds)):
        raise InputError(f"{raster.path}: lies outside its coordinate reference system")
    west, south, east, north = bounds
    return west, south, east + 360 * (east < west), north


def transformer(raster: Raster) -> Transformer:
    """From WGS84 longitudes and latitudes to the coordinates of a raster.

    Raises
    ------
    InputError
        If there is no way that is known to be better than a guess.
    """
    try:
        return Transformer.from_crs("EPSG:4326", raster.crs, always_xy=True, allow_ballpark=False)
    except ProjError as error:
        raise InputError(f"{raster.path}: cannot be converted to WGS84: {error}") from None


def placements(raster: Raster, bounds: Bounds) -> list[Lattice]:
    """Find a raster's lattice in each turn of longitude in which it, or a cell more, meets bounds.

    A raster of another coordinate reference system has none; one much like it stands in.
    """
    own = _own(raster, 0) if raster.is_lattice else _similar(raster)
    west, south, east, north = footprint(raster)
    found = []
    for turn in (-360.0, 0.0, 360.0):
        apart_across = max(bounds[0] - (east + turn), west + turn - bounds[2])
        apart_down = max(bounds[1] - north, south - bounds[3])
        if apart_across < own.longitude_step and apart_down < own.latitude_step:
            found.append(replace(own, longitude=own.longitude + turn))
    return found


def finest(lattices: Sequence[Lattice]) -> Lattice:
    """Take the smallest step each way, with the phase of the lattice that has it."""
    across = min(lattices, key=lambda lattice: lattice.longitude_step)
    down = min(lattices, key=lambda lattice: lattice.latitude_step)
    return replace(across, latitude=down.latitude, latitude_step=down.latitude_step)


def _own(raster: Raster, turn: float) -> Lattice:
    a, _, c, _, e, f = raster.affine
    return Lattice(c + a / 2 + turn, f + e / 2, a, -e, raster.rows, raster.cols)


def _similar(raster: Raster) -> Lattice:
    """Whole fractions of a degree about as fine as the cells at a raster's middle."""
    u, v = raster.cols / 2, raster.rows / 2
    x, y = zip(*(_xy(raster, *at) for at in ((u, v), (u + 1, v), (u, v + 1))), strict=True)
    lon, lat = transformer(raster).transform(x, y, direction="INVERSE")
    # The middle may lie on the antimeridian.
    across = math.hypot(*((turned - lon[0] + 180) % 360 - 180 for turned in lon[1:]))
    down = math.hypot(lat[1] - lat[0], lat[2] - lat[0])
    if not (0 < across < 10 and 0 < down < 10):
        raise InputError(f"{raster.path}: lies outside its coordinate reference system")
    step_across, step_down = (1 / math.ceil(round(1 / step, 3)) for step in (across, down))
    return Lattice(0.0, 0.0, step_across, step_down, 1, 1).over(footprint(raster))


def _xy(raster: Raster, col: float, row: float) -> tuple[float, float]:
    a, b, c, d, e, f = raster.affine
    return a * col + b * row + c, d * col + e * row + f
