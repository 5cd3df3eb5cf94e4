"""Finished maps looked at piece by piece: tiles of any zoom, values at a place, along a line.

All are read from the Cloud-Optimized GeoTIFFs, so a tile shows every cell that was measured and a
value is the file's own. Tiles are those of the web: 256 pixels of EPSG:3857, counted from the
north-west (OGC 17-083r4, WebMercatorQuad).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import Geod
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.warp import transform
from rasterio.windows import Window
from rio_tiler.colormap import cmap
from rio_tiler.errors import RioTilerError, TileOutsideBounds
from rio_tiler.io import Reader
from rio_tiler.models import ImageData

from geobservatory.errors import InputError
from geobservatory.products.overlays import COHERENCE, FRINGES, MOTION

_WGS84 = Geod(ellps="WGS84")
_DEGREES = CRS.from_epsg(4326)
TILE, HIGHEST_ZOOM = 256, 22
_MOST_POINTS, _MOST_CELLS = 400, 2048
# Below this the colours would stretch noise to look like motion, metres.
_LEAST_M = 0.005


@dataclass(frozen=True)
class Layer:
    """A layer that people look at.

    Attributes
    ----------
    file
        Of the result, without its ending.
    colours
        Of the table that the page draws with, as rio-tiler names it.
    unit, scale
        What values are told in, and by how much the file's are multiplied for it.
    """

    file: str
    title: str
    colours: str
    unit: str
    scale: float = 1.0


LAYERS: Mapping[str, Layer] = MappingProxyType(
    {
        "los": Layer("los_displacement", "LOS displacement", MOTION.lower(), "cm", 100.0),
        "wrapped": Layer("wrapped_phase", "Wrapped phase", FRINGES, "rad"),
        "unwrapped": Layer("unwrapped_phase", "Unwrapped phase", MOTION.lower(), "rad"),
        "coherence": Layer("coherence", "Coherence", COHERENCE, ""),
    }
)


@dataclass(frozen=True)
class Shown:
    """How a layer of a map is drawn.

    Attributes
    ----------
    low, high
        Values at the ends of the colours, units of the file.
    bounds
        West, south, east, north, degrees; east is past 180 over the antimeridian.
    zoom
        From which on tiles show no more.
    """

    low: float
    high: float
    bounds: tuple[float, float, float, float]
    zoom: int


@dataclass(frozen=True)
class Profile:
    """A layer along a line.

    Attributes
    ----------
    longitudes, latitudes
        Of the points, degrees.
    distances_m
        From the line's beginning, on the ellipsoid.
    values
        Units of the file; NaN where there is nothing.
    """

    longitudes: NDArray[np.float64]
    latitudes: NDArray[np.float64]
    distances_m: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Sight:
    """Where a map was seen from, on average.

    Attributes
    ----------
    toward
        East and north of the horizontal unit vector from the ground to the satellite.
    incidence_deg
        Of the line of sight.
    """

    toward: tuple[float, float]
    incidence_deg: float


def describe(path: Path, layer: str) -> Shown:
    """Say how a layer is drawn.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    try:
        return _described(path, layer, path.stat().st_mtime_ns)
    except (OSError, RasterioError, RioTilerError) as error:
        raise InputError(f"{path.name}: cannot be read: {type(error).__name__}") from error


def tile(path: Path, layer: str, zoom: int, x: int, y: int) -> bytes | None:
    """Draw a tile as PNG, transparent where there is nothing; None where nothing lies in it.

    Raises
    ------
    InputError
        If there is no such tile, or the file is missing or damaged.
    """
    if not (0 <= zoom <= HIGHEST_ZOOM and 0 <= x < 2**zoom and 0 <= y < 2**zoom):
        raise InputError(f"there is no tile {zoom}/{x}/{y}")
    shown = describe(path, layer)
    # Phases must not be averaged: the mean of +π and -π would be 0, the phase furthest from both.
    how = "nearest" if layer == "wrapped" else "average"
    try:
        with Reader(str(path)) as source:
            image = source.tile(
                x, y, zoom, tilesize=TILE, resampling_method=how, reproject_method="nearest"
            )
    except TileOutsideBounds:
        return None
    except (OSError, RasterioError, RioTilerError) as error:
        raise InputError(f"{path.name}: cannot be read: {type(error).__name__}") from error
    if not image.mask.any():
        return None
    return _drawn(image, layer, shown)


def value(path: Path, longitude: float, latitude: float) -> float | None:
    """Read the cell at a place; None where there is nothing.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    try:
        with rasterio.open(path) as source:
            xs, ys = transform(_DEGREES, source.crs, [longitude], [latitude])
            row, col = source.index(xs[0], ys[0])
            if not (0 <= row < source.height and 0 <= col < source.width):
                return None
            found = float(source.read(1, window=Window(col, row, 1, 1))[0, 0])
    except (OSError, RasterioError) as error:
        raise InputError(f"{path.name}: cannot be read: {type(error).__name__}") from error
    return found if np.isfinite(found) else None


def profile(path: Path, line: Sequence[tuple[float, float]]) -> Profile:
    """Read the cells along a line of geodesics.

    Parameters
    ----------
    line
        Longitude and latitude of at least two places, degrees.

    Returns
    -------
    Profile
        Of at most 400 points, as far apart as cells where they are enough.

    Raises
    ------
    InputError
        If the line has no length, or the file is missing or damaged.
    """
    try:
        with rasterio.open(path) as source:
            lon, lat, along = _points(line, abs(source.transform.a))
            xs, ys = transform(_DEGREES, source.crs, lon.tolist(), lat.tolist())
            cols, rows = ~source.transform @ (np.asarray(xs), np.asarray(ys))
            return Profile(lon, lat, along, _cells(source, rows, cols))
    except (OSError, RasterioError) as error:
        raise InputError(f"{path.name}: cannot be read: {type(error).__name__}") from error


def sight_of(folder: Path) -> Sight:
    """Say where the map in a folder was seen from.

    Raises
    ------
    InputError
        If a file of it is missing or damaged.
    """
    try:
        return _seen(folder, (folder / "los_east.tif").stat().st_mtime_ns)
    except (OSError, RasterioError, RioTilerError) as error:
        raise InputError(f"{folder.name}: cannot be read: {type(error).__name__}") from error


def picture(path: Path, layer: str, most: int = 320) -> bytes:
    """Draw a whole layer small, as PNG.

    Parameters
    ----------
    most
        Pixels of the longer side.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    shown = describe(path, layer)
    try:
        with Reader(str(path)) as source:
            return _drawn(source.preview(max_size=most), layer, shown)
    except (OSError, RasterioError, RioTilerError) as error:
        raise InputError(f"{path.name}: cannot be read: {type(error).__name__}") from error


def colours(layer: str) -> list[tuple[int, int, int]]:
    """Give the 256 colours that a layer is drawn with."""
    table = cmap.get(LAYERS[layer].colours)
    return [tuple(table[number][:3]) for number in range(256)]  # type: ignore[misc]


def _drawn(image: ImageData, layer: str, shown: Shown) -> bytes:
    values = image.array[0]
    share = (values.filled(0).astype(np.float32) - shown.low) / (shown.high - shown.low)
    cells = np.ma.MaskedArray((np.clip(share, 0, 1) * 255).round(), np.ma.getmaskarray(values))
    table = cmap.get(LAYERS[layer].colours)
    png: bytes = ImageData(cells[np.newaxis].astype(np.uint8)).render(
        img_format="PNG", colormap=table, ZLEVEL=4
    )
    return png


@lru_cache(maxsize=256)
def _seen(folder: Path, changed_ns: int) -> Sight:
    del changed_ns
    means = []
    for name in ("los_east", "los_north", "incidence_angle"):
        with Reader(str(folder / f"{name}.tif")) as source:
            means.append(float(source.preview(max_size=128).array.mean()))
    size = np.hypot(means[0], means[1])
    return Sight((means[0] / size, means[1] / size), means[2])


@lru_cache(maxsize=512)
def _described(path: Path, layer: str, changed_ns: int) -> Shown:
    del changed_ns  # a newer file is described anew
    with Reader(str(path)) as source:
        west, south, east, north = source.get_geographic_bounds(_DEGREES)
        zoom = int(source.maxzoom)
        low, high = -np.pi, np.pi
        if layer == "coherence":
            low, high = 0.0, 1.0
        elif layer != "wrapped":
            small = source.preview(max_size=512).array.compressed()
            known = np.abs(small[np.isfinite(small)])
            least = _LEAST_M if layer == "los" else np.pi
            high = max(least, float(np.percentile(known, 99.5))) if known.size else least
            low = -high
    if east < west:
        east += 360
    return Shown(low, high, (west, south, east, north), zoom)


def _points(
    line: Sequence[tuple[float, float]], cell_m: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Place points along a line, evenly."""
    ends = list(pairwise(line))
    lengths = [_WGS84.inv(*one, *other)[2] for one, other in ends]
    total = sum(lengths)
    if not total > 0:
        raise InputError("the line has no length")
    step = max(total / (_MOST_POINTS - 1), cell_m)
    along = np.linspace(0, total, max(2, int(total / step) + 1))
    starts = np.concatenate([[0.0], np.cumsum(lengths)])
    part = np.clip(np.searchsorted(starts, along, side="right") - 1, 0, len(ends) - 1)
    lon, lat = np.empty(along.size), np.empty(along.size)
    for number, (one, other) in enumerate(ends):
        own = part == number
        azimuth = _WGS84.inv(*one, *other)[0]
        begin = np.full(own.sum(), one[0]), np.full(own.sum(), one[1])
        lon[own], lat[own], _ = _WGS84.fwd(
            *begin, np.full(own.sum(), azimuth), along[own] - starts[number]
        )
    return lon, lat, along


def _cells(
    source: Any, rows: NDArray[np.float64], cols: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Read the cells that some places lie in, through a window about them."""
    out = np.full(rows.size, np.nan)
    inside = (rows >= 0) & (rows < source.height) & (cols >= 0) & (cols < source.width)
    if not inside.any():
        return out
    top, left = int(rows[inside].min()), int(cols[inside].min())
    high, wide = int(rows[inside].max()) - top + 1, int(cols[inside].max()) - left + 1
    # A line across a whole frame is read from a smaller copy: its points are further apart too.
    less = max(1, int(np.ceil(max(high, wide) / _MOST_CELLS)))
    shape = -(-high // less), -(-wide // less)
    read = source.read(
        1, window=Window(left, top, wide, high), out_shape=shape, resampling=Resampling.nearest
    )
    y = np.minimum(((rows[inside] - top) * shape[0] / high).astype(int), shape[0] - 1)
    x = np.minimum(((cols[inside] - left) * shape[1] / wide).astype(int), shape[1] - 1)
    out[inside] = read[y, x]
    return out
