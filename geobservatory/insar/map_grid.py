"""The grid of the map: square cells in a projection that suits the place."""

import math
from dataclasses import dataclass

import numba
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from geobservatory.errors import InputError

# Places are projected exactly every so many cells and interpolated between: at 100 m a cell that
# is off by a centimetre.
_EVERY = 8
_MOST_CELLS = 400_000_000


@dataclass(frozen=True)
class MapGrid:
    """Square cells, rows from the north down.

    Attributes
    ----------
    crs
        As rasters name it, e.g. ``EPSG:32629``.
    left, top
        Outer corner of the first cell, in the units of the projection.
    step
        Edge of a cell.
    rows, cols
        Size.
    """

    crs: str
    left: float
    top: float
    step: float
    rows: int
    cols: int

    @property
    def transform(self) -> Affine:
        """From (column, row) of corners to projected coordinates."""
        return Affine(self.step, 0.0, self.left, 0.0, -self.step, self.top)

    def places(self, first: int, stop: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Latitude and longitude (degrees) of the centres of the cells of some rows.

        Longitudes run on past 180 where the grid lies over the antimeridian.
        """
        rows = np.arange(first, stop + _EVERY, _EVERY) + 0.5
        cols = np.arange(0, self.cols + _EVERY, _EVERY) + 0.5
        x, y = np.meshgrid(self.left + cols * self.step, self.top - rows * self.step)
        back = Transformer.from_crs(self.crs, "EPSG:4326", always_xy=True)
        longitude, latitude = back.transform(x, y)
        middle = self._middle_longitude()
        longitude = middle + (np.asarray(longitude) - middle + 180) % 360 - 180
        out = np.empty((2, stop - first, self.cols))
        _between(np.ascontiguousarray(latitude), out[0])
        _between(np.ascontiguousarray(longitude), out[1])
        return out[0], out[1]

    def _middle_longitude(self) -> float:
        back = Transformer.from_crs(self.crs, "EPSG:4326", always_xy=True)
        return float(
            back.transform(
                self.left + self.cols * self.step / 2, self.top - self.rows * self.step / 2
            )[0]
        )


def make_map_grid(outline: BaseGeometry, spacing_m: float) -> MapGrid:
    """Lay a grid over an area: UTM of its middle, polar stereographic beyond 84° north, 80° south.

    Parameters
    ----------
    outline
        What the map shall hold, EPSG:4326; longitudes may run on past 180.
    spacing_m
        Edge of a cell, metres in the projection. Corners are whole multiples of it, so that maps of
        one spacing in one zone lie on one lattice.

    Raises
    ------
    InputError
        If the area is empty, or the map would have too many cells.
    """
    if outline.is_empty or not spacing_m > 0:
        raise InputError(f"a map of {spacing_m} m a cell over {outline.geom_type} cannot be made")
    west, south, east, north = outline.bounds
    crs = _suited((west + east) / 2, (south + north) / 2)
    there = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    edge = np.asarray(outline.segmentize(0.05).convex_hull.exterior.coords)
    x, y = there.transform(edge[:, 0], edge[:, 1])
    left, right = math.floor(min(x) / spacing_m), math.ceil(max(x) / spacing_m)
    bottom, top = math.floor(min(y) / spacing_m), math.ceil(max(y) / spacing_m)
    rows, cols = top - bottom, right - left
    if rows * cols > _MOST_CELLS:
        raise InputError(
            f"a map of {rows} × {cols} cells of {spacing_m:g} m is too large; ask for a wider "
            "spacing or a smaller area"
        )
    return MapGrid(crs, left * spacing_m, top * spacing_m, spacing_m, rows, cols)


def _suited(longitude: float, latitude: float) -> str:
    if latitude > 84:
        return "EPSG:32661"
    if latitude < -80:
        return "EPSG:32761"
    zone = int((longitude + 180) // 6) % 60 + 1
    return f"EPSG:{(32600 if latitude >= 0 else 32700) + zone}"


@numba.njit(parallel=True, cache=True)
def _between(nodes, out) -> None:  # type: ignore[no-untyped-def]
    for i in numba.prange(out.shape[0]):
        top, u = i // _EVERY, (i % _EVERY) / _EVERY
        for j in range(out.shape[1]):
            left, v = j // _EVERY, (j % _EVERY) / _EVERY
            upper = (1 - v) * nodes[top, left] + v * nodes[top, left + 1]
            lower = (1 - v) * nodes[top + 1, left] + v * nodes[top + 1, left + 1]
            out[i, j] = (1 - u) * upper + u * lower
