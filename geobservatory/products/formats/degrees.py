"""From the map's projection to longitude and latitude, which LiCSBAS and Kite take alone."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from geobservatory.errors import InputError
from geobservatory.insar.map_grid import MapGrid
from geobservatory.products.formats.georeference import Georeference

# A degree of latitude in the middle of it, metres; that it varies by 0.5 % makes cells a little
# longer or shorter than the map's.
_DEGREE_M = 111_132.0
# Cells that GDAL may be aside where it interpolates places; it takes an eighth by itself, metres.
_TOLERANCE = 0.01
_EDGE = 64  # points along each side of a map, between which its edge is straight enough


def degrees_grid(grids: Sequence[MapGrid]) -> Georeference:
    """Lay a grid of longitude and latitude over maps, with cells of about their size on the ground.

    Longitudes run on past 180 where the maps lie over the antimeridian. Corners are whole multiples
    of a cell, so that maps of one place lie on one lattice.

    Raises
    ------
    InputError
        If a map lies beyond 85 degrees of latitude, where such a grid is of no use.
    """
    edges = [_edge(one) for one in grids]
    middle = edges[0][0].mean()
    longitude = np.concatenate([middle + (one - middle + 180) % 360 - 180 for one, _ in edges])
    latitude = np.concatenate([one for _, one in edges])
    if np.abs(latitude).max() > 85:
        raise InputError("a map beyond 85 degrees of latitude has no use for longitudes")
    down = max(one.step for one in grids) / _DEGREE_M
    # Rounded, so that neighbouring areas get the same cells.
    across = down / round(math.cos(math.radians(float(latitude.mean()))), 1)
    left, right = math.floor(longitude.min() / across), math.ceil(longitude.max() / across)
    bottom, top = math.floor(latitude.min() / down), math.ceil(latitude.max() / down)
    transform = Affine(across, 0.0, left * across, 0.0, -down, top * down)
    return Georeference("EPSG:4326", transform, top - bottom, right - left)


def to_degrees(
    values: NDArray[Any], grid: MapGrid, target: Georeference, *, smooth: bool = True
) -> NDArray[Any]:
    """Bring a layer to a grid of degrees.

    Parameters
    ----------
    values
        (rows, cols): float32 with NaN for nothing, or integers with 0 for it.
    smooth
        Interpolate between cells (bilinear); else the nearest is taken, as labels and phases with
        whole turns need it.
    """
    floating = values.dtype.kind == "f"
    nothing = np.nan if floating else 0
    stored = {
        "driver": "GTiff", "height": grid.rows, "width": grid.cols, "count": 1, "nodata": nothing,
        "dtype": values.dtype.name, "crs": grid.crs, "transform": grid.transform,
    }  # fmt: skip
    wanted = {
        "crs": target.crs, "transform": target.transform, "height": target.rows,
        "width": target.cols, "nodata": nothing, "tolerance": _TOLERANCE,
        "resampling": Resampling.bilinear if smooth and floating else Resampling.nearest,
    }  # fmt: skip
    with rasterio.Env(GDAL_PAM_ENABLED=False), rasterio.MemoryFile(ext=".tif") as memory:
        with memory.open(**stored) as file:
            file.write(values, 1)
        with memory.open() as file, WarpedVRT(file, **wanted) as warped:
            out: NDArray[Any] = warped.read(1)
    return out


def phase_to_degrees(
    phase: NDArray[np.float32], grid: MapGrid, target: Georeference
) -> NDArray[np.float32]:
    """Bring an unwrapped phase to a grid of degrees.

    Its phasor is interpolated and gets the whole turns of the nearest cell, so that nothing is
    averaged over a jump between components.
    """
    turns = to_degrees(phase, grid, target, smooth=False)
    cosine, sine = (to_degrees(one(phase), grid, target) for one in (np.cos, np.sin))
    wrapped = np.arctan2(sine, cosine)
    whole = np.rint((turns - wrapped) / np.float32(2 * math.pi))
    out: NDArray[np.float32] = wrapped + whole * np.float32(2 * math.pi)
    return out


def _edge(grid: MapGrid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitudes and latitudes along the outline of a map; longitudes run on past 180."""
    share = np.linspace(0.0, 1.0, _EDGE)
    none, one = np.zeros(_EDGE), np.ones(_EDGE)
    x = grid.left + grid.cols * grid.step * np.concatenate([share, share, none, one])
    y = grid.top - grid.rows * grid.step * np.concatenate([none, one, share, share])
    back = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    longitude, latitude = back.transform(x, y)
    middle = longitude[_EDGE // 2]
    return middle + (np.asarray(longitude) - middle + 180) % 360 - 180, np.asarray(latitude)
