"""What another program left: rasters on whatever grid, with a declared unit and sign each."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.warp import Resampling, reproject, transform_bounds

from geobservatory.errors import InputError
from geobservatory.insar.map_grid import MapGrid

Positive = Literal["away", "toward"]
Kind = Literal["phase", "motion", "angle", "number"]

# To what this project keeps: radians, metres, plain numbers.
_UNITS: dict[Kind, dict[str, float]] = {
    "phase": {"radian": 1.0, "degree": math.pi / 180, "cycle": 2 * math.pi},
    "motion": {"m": 1.0, "cm": 1e-2, "mm": 1e-3},
    "angle": {"radian": 1.0, "degree": math.pi / 180},
    "number": {"1": 1.0, "m": 1.0},
}
# What motion makes our values larger: phase grows away from the satellite, displacement toward it.
_OURS: dict[Kind, Positive] = {"phase": "away", "motion": "toward"}


@dataclass(frozen=True)
class Raster:
    """One raster that a program left.

    Attributes
    ----------
    values
        (rows, cols), real or complex; NaN where there is nothing. Of complex values the angle is a
        phase, and zero is nothing.
    crs
        Anything that PROJ understands.
    transform
        From (column, row) of cell corners to coordinates.
    scale
        Brings the values to our unit and sign; `scale_of` tells it.
    name
        For messages: the file it came from.
    """

    values: NDArray[Any]
    crs: Any
    transform: Affine
    scale: float = 1.0
    name: str = "raster"

    def scaled(self) -> NDArray[np.float32]:
        """Real values in our unit and sign, NaN where there is nothing."""
        if np.iscomplexobj(self.values):
            seen = np.isfinite(self.values) & (self.values != 0)
            angle = np.where(seen, np.angle(self.values), np.nan)
            return (angle * self.scale).astype(np.float32)
        return (self.values.astype(np.float64) * self.scale).astype(np.float32)

    def magnitude(self) -> NDArray[np.float32]:
        """Give the size of the values, complex ones too."""
        return np.abs(self.values).astype(np.float32)


@dataclass(frozen=True)
class Left:
    """What a program left of one interferogram: a phase or a motion, and a coherence, at the least.

    Attributes
    ----------
    wrapped, unwrapped
        Phase.
    displacement
        Along the line of sight.
    coherence
        0 to 1.
    amplitude
        Of the reference, linear, any unit.
    components
        Numbers of connected components, 0 none; of any order.
    incidence, height
        Held against ours, to find out whether the raster lies where it says: the angle between the
        line of sight and the vertical; metres above the ellipsoid.
    """

    wrapped: Raster | None = None
    unwrapped: Raster | None = None
    displacement: Raster | None = None
    coherence: Raster | None = None
    amplitude: Raster | None = None
    components: Raster | None = None
    incidence: Raster | None = None
    height: Raster | None = None


def scale_of(kind: Kind, unit: str | None, positive: Positive | None) -> float:
    """Tell what brings values of a declared unit and sign to ours.

    Parameters
    ----------
    kind
        ``phase``, ``motion`` along the line of sight, ``angle``, or plain ``number``.
    unit
        Ours if None: radian, m, radian, 1.
    positive
        What motion of the ground makes the values larger: ``away`` from the satellite or ``toward``
        it. Phase and motion have to say it.

    Raises
    ------
    InputError
        If the unit is unknown, or the sign of a phase or a motion is not told.
    """
    units = _UNITS[kind]
    if unit is not None and unit not in units:
        raise InputError(f"{unit!r} is no unit of {kind}; it is one of {', '.join(units)}")
    scale = 1.0 if unit is None else units[unit]
    if kind not in _OURS:
        return scale
    if positive is None:
        raise InputError(
            f"the sign of a {kind} has to be told: whether motion `away` from the satellite or "
            "`toward` it makes its values larger"
        )
    return scale if positive == _OURS[kind] else -scale


def read_raster(
    path: Path, *, band: int = 1, scale: float = 1.0, nothing: float | None = None
) -> Raster:
    """Read a raster that GDAL knows.

    Parameters
    ----------
    nothing
        Value of cells without data, beside NaN and what the file itself declares.

    Raises
    ------
    InputError
        If it is not there, no raster, has no such band, lies nowhere, or holds no value.
    """
    if not path.is_file():
        raise InputError(f"{path}: the program did not leave it")
    try:
        with rasterio.open(path) as file:
            values, declared = file.read(band), file.nodatavals[band - 1]
            crs, transform = file.crs, file.transform
    except (RasterioError, IndexError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    if crs is None:
        raise InputError(f"{path}: does not say where it lies (no coordinate reference system)")
    if not np.issubdtype(values.dtype, np.complexfloating):
        values = values.astype(np.float32)
        for one in (declared, nothing):
            if one is not None:
                values[values == np.float32(one)] = np.nan
    raster = Raster(values, crs, transform, scale, path.name)
    if not np.isfinite(raster.scaled()).any():
        raise InputError(f"{path}: holds no value, only cells without data")
    return raster


def on_grid(
    values: NDArray[np.float32],
    raster: Raster,
    grid: MapGrid,
    how: Literal["cubic", "bilinear", "nearest"],
) -> NDArray[np.float32]:
    """Bring values of a raster's grid to that of the map.

    Where the raster is finer than the map its cells are averaged, with the weights of the kernel.

    Returns
    -------
    map
        (rows, cols) float32 of the map; NaN where there is nothing.

    Raises
    ------
    InputError
        If the raster lies elsewhere.
    """
    out = np.full((grid.rows, grid.cols), np.nan, np.float32)
    reproject(
        np.ascontiguousarray(values),
        out,
        src_transform=raster.transform,
        src_crs=raster.crs,
        src_nodata=np.nan,
        dst_transform=grid.transform,
        dst_crs=grid.crs,
        dst_nodata=np.nan,
        resampling=Resampling[how],
        # Coordinates are exact to a thousandth of a cell.
        tolerance=0.001,
    )
    if not np.isfinite(out).any():
        raise InputError(f"{raster.name}: holds no value on the map; {_where(raster, grid)}")
    return out


def phasor_on_grid(raster: Raster, grid: MapGrid) -> NDArray[np.complex64]:
    """Bring a phase to the map, as phasors: unlike angles they can be interpolated."""
    phase = raster.scaled()
    real = on_grid(np.cos(phase), raster, grid, "cubic")
    imaginary = on_grid(np.sin(phase), raster, grid, "cubic")
    return (real + 1j * imaginary).astype(np.complex64)


def _where(raster: Raster, grid: MapGrid) -> str:
    rows, cols = raster.values.shape
    left, top = raster.transform @ (0, 0)
    right, bottom = raster.transform @ (cols, rows)
    corners = (
        (raster.crs, (min(left, right), min(top, bottom), max(left, right), max(top, bottom))),
        (
            grid.crs,
            (
                grid.left,
                grid.top - grid.rows * grid.step,
                grid.left + grid.cols * grid.step,
                grid.top,
            ),
        ),
    )
    told = []
    for crs, bounds in corners:
        west, south, east, north = transform_bounds(crs, "EPSG:4326", *bounds)
        told.append(f"{west:.3f}..{east:.3f}° E, {south:.3f}..{north:.3f}° N")
    return f"it covers {told[0]}, the map {told[1]}"
