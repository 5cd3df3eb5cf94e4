"""Height of the geoid above the WGS84 ellipsoid, from a worldwide grid.

The grids of EGM96 (15') and EGM2008 (2.5') hold two nodes to the shortest half wave of their
model, which is too few for straight lines between them. Measured for EGM96 at the nodes of its own
5' grid (rounded to a centimetre), all over the world: bilinear interpolation errs by up to 1.07 m
(rms 39 mm), Lagrange polynomials through 4 nodes by 0.14 m (7 mm), through 6, as here, by 0.038 m
(3.5 mm, most of it that rounding). EGM2008's grid has the same number of nodes to its shortest
wave, so much the same is to be expected of it; that was not measured.
"""

from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError

from geobservatory.errors import InputError

# No model of the geoid leaves this range, metres: a grid that does is not one.
_LOWEST, _HIGHEST = -150.0, 150.0


@dataclass(frozen=True)
class Geoid:
    """A worldwide grid of undulations, north-up.

    Attributes
    ----------
    model
        EGM96 or EGM2008.
    undulations
        (rows, cols) float32, metres above the ellipsoid; the first row is the north pole, the last
        the south pole, the columns go once round.
    longitude
        First column, degrees.
    source
        File it was read from, for provenance.
    """

    model: str
    undulations: NDArray[np.float32]
    longitude: float
    source: str

    def undulation(
        self, latitude: NDArray[np.float64] | float, longitude: NDArray[np.float64] | float
    ) -> NDArray[np.float64]:
        """Interpolate with Lagrange polynomials through six nodes each way.

        Parameters
        ----------
        latitude, longitude
            Degrees, shapes that broadcast; latitudes within ±90, longitudes of any turn.

        Returns
        -------
        undulation
            Height of the geoid above the ellipsoid, metres: h = H + undulation.
        """
        lat, lon = np.broadcast_arrays(
            np.asarray(latitude, np.float64), np.asarray(longitude, np.float64)
        )
        out = np.empty(lat.size)
        _interpolate(
            self.undulations,
            self.longitude,
            np.ascontiguousarray(lat).ravel(),
            np.ascontiguousarray(lon).ravel(),
            out,
        )
        return out.reshape(lat.shape)


def read_geoid(path: Path, model: str) -> Geoid:
    """Read a worldwide grid, as PROJ and NGA give them (GeoTIFF, GTX).

    Raises
    ------
    InputError
        If the file cannot be read or is no worldwide grid from pole to pole.
    """
    try:
        # A node is a point: GDAL puts half a cell about it whichever way the file says so.
        with rasterio.Env(GTIFF_POINT_GEO_IGNORE=False), rasterio.open(path) as file:
            grid = file.read(1, out_dtype=np.float32)
            to_ground = file.transform
    except RasterioError as error:
        raise InputError(f"{path}: the geoid grid cannot be read: {error}") from None
    rows, cols = grid.shape
    step = to_ground.a
    west, north = to_ground.c + step / 2, to_ground.f + to_ground.e / 2
    south = north + (rows - 1) * to_ground.e
    if not (
        abs(north - 90) < 1e-6
        and abs(south + 90) < 1e-6
        and abs(step + to_ground.e) < 1e-9
        and round(360 / step) in (cols, cols - 1)
    ):
        raise InputError(f"{path}: no geoid grid from pole to pole and all the way round")
    if not bool(np.all((grid > _LOWEST) & (grid < _HIGHEST))):
        raise InputError(f"{path}: undulations beyond ±150 m; this is no geoid grid")
    # Some grids repeat the first column at the end.
    grid = np.ascontiguousarray(grid[:, : round(360 / step)])
    return Geoid(model, grid, west, path.name)


@numba.njit(cache=True, inline="always")
def _weights(t: float, weights) -> None:  # type: ignore[no-untyped-def]
    """Lagrange weights of nodes -2..3 at t in 0..1."""
    a, b, c, d, e, f = t + 2, t + 1, t, t - 1, t - 2, t - 3
    weights[0] = -b * c * d * e * f / 120
    weights[1] = a * c * d * e * f / 24
    weights[2] = -a * b * d * e * f / 12
    weights[3] = a * b * c * e * f / 12
    weights[4] = -a * b * c * d * f / 24
    weights[5] = a * b * c * d * e / 120


@numba.njit(parallel=True, cache=True)
def _interpolate(grid, west: float, latitude, longitude, out) -> None:  # type: ignore[no-untyped-def]
    rows, cols = grid.shape
    step = 360.0 / cols
    for k in numba.prange(latitude.size):
        across, down = np.empty(6), np.empty(6)
        col = (longitude[k] - west) / step
        row = (90.0 - latitude[k]) / step
        left, top = int(np.floor(col)), int(np.floor(row))
        _weights(col - left, across)
        _weights(row - top, down)
        total = 0.0
        for i in range(6):
            r = top - 2 + i
            turn = 0
            # Beyond a pole the meridian goes on half a turn away.
            if r < 0 or r > rows - 1:
                r = -r if r < 0 else 2 * (rows - 1) - r
                turn = cols // 2
            line = 0.0
            for j in range(6):
                line += across[j] * grid[r, (left - 2 + j + turn) % cols]
            total += down[i] * line
        out[k] = total
