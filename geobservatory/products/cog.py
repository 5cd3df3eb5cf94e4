"""Maps as Cloud-Optimized GeoTIFF: tiled, compressed, with overviews, readable piece by piece.

The layout is that of the OGC Cloud Optimized GeoTIFF Standard 1.0 (21-026), as GDAL's COG driver
writes it.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from geobservatory.errors import InputError
from geobservatory.files import written_whole
from geobservatory.insar.map_grid import MapGrid

BLOCK = 512
_KINDS = (np.float32, np.uint8, np.uint16, np.uint32)


def write_cog(
    path: Path,
    values: NDArray[Any],
    grid: MapGrid,
    *,
    description: str,
    units: str,
    nodata: float | None = None,
    tags: Mapping[str, str] = MappingProxyType({}),
    overviews: Literal["average", "nearest"] = "average",
    threads: int = 2,
) -> None:
    """Write one layer of a map as a Cloud-Optimized GeoTIFF.

    Parameters
    ----------
    path
        Its final name; the file appears there whole.
    values
        (rows, cols) of float32, uint8, uint16 or uint32.
    description, units
        Of the band; units as UDUNITS writes them (``m``, ``radian``, ``1``).
    nodata
        Value of cells without data; of floats it is always NaN, and may be left out.
    tags
        Further metadata of the file.
    overviews
        How smaller copies are made. ``average`` for what varies smoothly. ``nearest`` for what must
        not be averaged: labels, bits, and wrapped phase, where the mean of +π and -π would be 0,
        the phase furthest from both; the nearest is at least one that was measured.
    threads
        That compress.

    Raises
    ------
    InputError
        If shape, type or `nodata` do not fit.
    OSError
        If the file cannot be written, e.g. because the disk is full. Nothing is left behind.
    """
    floating = values.dtype == np.float32
    if values.dtype not in _KINDS:
        raise InputError(f"{path.name}: values are {values.dtype}; float32, uint8, 16, 32 are kept")
    if values.shape != (grid.rows, grid.cols):
        raise InputError(
            f"{path.name}: values are {values.shape}, the grid has {grid.rows} × {grid.cols} cells"
        )
    if floating and nodata is not None and not np.isnan(nodata):
        raise InputError(f"{path.name}: cells without data are {nodata}; of floats they are NaN")
    profile = {
        "driver": "COG",
        "height": grid.rows,
        "width": grid.cols,
        "count": 1,
        "dtype": values.dtype.name,
        "crs": grid.crs,
        "transform": grid.transform,
        "nodata": np.nan if floating else nodata,
        "compress": "DEFLATE",
        "level": 6,
        "predictor": "FLOATING_POINT" if floating else "STANDARD",
        "blocksize": BLOCK,
        "overviews": "IGNORE_EXISTING",
        "overview_resampling": overviews.upper(),
        "num_threads": str(threads),
        "bigtiff": "IF_SAFER",
    }
    # GDAL makes the file in memory: on a full disk it goes on, leaves holes or crashes, where
    # Python says what happened.
    with rasterio.Env(GDAL_PAM_ENABLED=False), MemoryFile(ext=".tif") as memory:
        with memory.open(**profile) as file:
            file.update_tags(AREA_OR_POINT="Area", **tags)
            file.set_band_description(1, description)
            file.set_band_unit(1, units)
            file.write(values, 1)
        with written_whole(path) as beside, beside.open("wb") as out:
            out.write(memory.getbuffer())
