"""What a raster of heights says of itself: where its cells are, what its heights refer to."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.errors import RasterioError
from rasterio.windows import Window

from geobservatory.errors import InputError

DATUMS = ("ellipsoid", "EGM96", "EGM2008")
# No ground is lower or higher, with room: such values are marks of no data that were not declared.
LOWEST_M, HIGHEST_M = -1000.0, 9500.0
_METRES = {"", "m", "metre", "metres", "meter", "meters"}
_UNIT_TAGS = {"unit", "units", "unittype", "vertical_unit", "vertical_units"}
_DATUM_TAGS = {"vertical_datum", "vertical_crs", "vertical_reference"}


@dataclass(frozen=True)
class Raster:
    """One file of heights.

    Attributes
    ----------
    path
        Where it is.
    crs
        Its horizontal coordinate reference system.
    affine
        a, b, c, d, e, f: x = a·col + b·row + c, y = d·col + e·row + f of a cell's north-west
        corner; its centre is half a cell on.
    rows, cols
        Size.
    datum
        One of `DATUMS`, or None where the file does not say.
    """

    path: Path
    crs: CRS
    affine: tuple[float, float, float, float, float, float]
    rows: int
    cols: int
    datum: str | None

    @property
    def is_lattice(self) -> bool:
        """Tell whether rows and columns run along WGS84 latitudes and longitudes, north up."""
        a, b, _, d, e, _ = self.affine
        return self.crs.is_geographic and _is_wgs84(self.crs) and b == d == 0 and a > 0 > e


def describe(path: Path) -> Raster:
    """Read what a file says of itself.

    Raises
    ------
    InputError
        If it cannot be read, is no single band of heights in metres, has no coordinate reference
        system, or refers its heights to something that cannot be converted.
    """
    try:
        with _opened(path) as file:
            _require_heights(path, file)
            crs = _crs_of(path, file)
            horizontal, datum = _split(path, crs)
            if datum is None:
                datum = _tagged_datum(path, file)
            to_ground = file.transform
            affine = (to_ground.a, to_ground.b, to_ground.c, to_ground.d, to_ground.e, to_ground.f)
            return Raster(path, horizontal, affine, file.height, file.width, datum)
    except RasterioError as error:
        raise InputError(f"{path}: cannot be read as a raster: {error}") from None


def read_window(raster: Raster, row: int, col: int, rows: int, cols: int) -> NDArray[np.float32]:
    """Read a part of a file: (rows, cols), metres in the file's own datum, NaN where unknown.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        with _opened(raster.path) as file:
            band = file.read(
                1, window=Window(col, row, cols, rows), masked=True, out_dtype=np.float32
            )
    except RasterioError as error:
        raise InputError(f"{raster.path}: cannot be read: {error}") from None
    heights: NDArray[np.float32] = band.filled(np.nan)
    # NaN compares false.
    heights[~((heights >= LOWEST_M) & (heights <= HIGHEST_M))] = np.nan
    return heights


def _opened(path: Path) -> Any:
    # The vertical part of a coordinate reference system is hidden unless asked for; a cell that
    # "is a point" is moved by half of itself, as GDAL does by default.
    with rasterio.Env(GTIFF_REPORT_COMPD_CS=True, GTIFF_POINT_GEO_IGNORE=False):
        return rasterio.open(path)


def _require_heights(path: Path, file: Any) -> None:
    if file.count != 1:
        raise InputError(f"{path}: {file.count} bands; heights are one band")
    if file.dtypes[0] not in ("int16", "int32", "uint16", "uint32", "float32", "float64"):
        raise InputError(f"{path}: values of type {file.dtypes[0]} are no heights in metres")
    tags = {**file.tags(), **file.tags(1)}
    units = [file.units[0] or "", *(v for k, v in tags.items() if k.lower() in _UNIT_TAGS)]
    for unit in units:
        if unit.strip().lower() not in _METRES:
            raise InputError(f"{path}: heights in {unit!r}; convert the file to metres")
    if file.scales[0] != 1 or file.offsets[0] != 0:
        raise InputError(f"{path}: heights are scaled or offset; convert the file to metres")


def _crs_of(path: Path, file: Any) -> CRS:
    if file.crs is None or file.transform.is_identity:
        raise InputError(f"{path}: does not say where it lies (no coordinate reference system)")
    try:
        return CRS.from_wkt(file.crs.to_wkt())
    except (CRSError, rasterio.errors.CRSError) as error:
        raise InputError(f"{path}: coordinate reference system not understood: {error}") from None


def _split(path: Path, crs: CRS) -> tuple[CRS, str | None]:
    """Take the vertical part from a coordinate reference system."""
    datum = None
    if crs.is_geocentric:
        raise InputError(f"{path}: {crs.name} is neither geographic nor projected")
    if crs.is_compound:
        horizontal, vertical = crs.sub_crs_list[:2]
        datum = _vertical_datum(path, vertical)
    elif len(crs.axis_info) == 3:
        horizontal, datum = crs.to_2d(), "ellipsoid"
        _require_up_in_metres(path, crs.axis_info[2])
        if not _is_wgs84(crs):
            raise InputError(f"{path}: heights above the ellipsoid of {crs.name}, not of WGS84")
    else:
        horizontal = crs
    if not (horizontal.is_geographic or horizontal.is_projected):
        raise InputError(f"{path}: {horizontal.name} is neither geographic nor projected")
    return horizontal, datum


def _is_wgs84(crs: CRS) -> bool:
    name = re.sub(r"[^a-z0-9]", "", crs.datum.name.lower()) if crs.datum else ""
    return "wgs1984" in name or "wgs84" in name or "worldgeodeticsystem1984" in name


def _vertical_datum(path: Path, vertical: CRS) -> str:
    _require_up_in_metres(path, vertical.axis_info[0])
    datum = _recognised(vertical.datum.name if vertical.datum else vertical.name)
    if datum is None:
        raise InputError(
            f"{path}: heights above {vertical.name}; convert the file to heights above the WGS84 "
            "ellipsoid, EGM96 or EGM2008"
        )
    return datum


def _require_up_in_metres(path: Path, axis: Any) -> None:
    if axis.unit_conversion_factor != 1 or axis.direction.lower() != "up":
        raise InputError(
            f"{path}: heights in {axis.unit_name}, {axis.direction}; convert the file to metres up"
        )


def _tagged_datum(path: Path, file: Any) -> str | None:
    tags = {**file.tags(), **file.tags(1)}
    for key, value in tags.items():
        if key.lower() in _DATUM_TAGS:
            datum = _recognised(value)
            if datum is None:
                raise InputError(f"{path}: {key} is {value!r}, which cannot be converted")
            return datum
    return None


def _recognised(text: str) -> str | None:
    plain = re.sub(r"[^a-z0-9]", "", text.lower())
    for datum, names in {
        "EGM2008": ("egm2008", "egm08", "epsg3855"),
        "EGM96": ("egm96", "egm1996", "epsg5773"),
        "ellipsoid": ("ellipsoid", "epsg4979"),
    }.items():
        if any(name in plain for name in names):
            return datum
    return None
