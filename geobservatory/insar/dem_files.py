"""Heights over any box: from a GeoTIFF, a folder of them, or Copernicus GLO-30.

Whatever the source refers its heights to, the result is above the WGS84 ellipsoid. What is not the
source's own (sea, small voids bridged) is marked; what nobody knows is NaN.
"""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geobservatory.errors import InputError
from geobservatory.fetch import Wait
from geobservatory.globe import bounding_box
from geobservatory.insar import glo30
from geobservatory.insar.dem import Dem
from geobservatory.insar.dem_lattice import Bounds, Lattice, finest, footprint, placements
from geobservatory.insar.dem_mosaic import lay
from geobservatory.insar.dem_raster import DATUMS, Raster, describe
from geobservatory.insar.dem_voids import WIDEST_VOID, fill_voids
from geobservatory.insar.geoid import Geoid
from geobservatory.insar.geoid_grids import GRIDS_ADDRESS, load_geoid

GLO30 = "glo30"
# Some 15 bytes each at the peak; the box of a Sentinel-1 slice holds 70 million of 1".
_MOST_CELLS = 300_000_000
_BLOCK_ROWS = 256
# Bursts reach this far out of an area that they meet, degrees.
_ABOUT = 0.3


@dataclass(frozen=True)
class _Found:
    """What a source offers for a box."""

    rasters: list[Raster]
    datum: str
    name: str
    sea: tuple[glo30.Tile, ...] = ()
    notes: list[str] = field(default_factory=list)


def make_dem(
    source: str | Path,
    bounds: Bounds,
    datum: str | None,
    cache: Path,
    *,
    tiles_address: str = glo30.GLO30_ADDRESS,
    grids_address: str = GRIDS_ADDRESS,
    wait: Wait = time.sleep,
) -> Dem:
    """Make heights above the WGS84 ellipsoid over a box.

    Parameters
    ----------
    source
        `glo30`, a GeoTIFF, or a folder of GeoTIFFs.
    bounds
        West, south, east, north, degrees; over the antimeridian the east is past 180.
    datum
        What the heights of local files refer to (`ellipsoid`, `EGM96`, `EGM2008`) where the files
        do not say; None otherwise.
    cache
        Folder for what is fetched: tiles, geoid grids.
    tiles_address, grids_address
        Base addresses of the GLO-30 tiles and of PROJ's grids.
    wait
        Waits so many seconds between attempts to fetch.

    Returns
    -------
    dem
        On the finest lattice of its sources, reaching just beyond the box.

    Raises
    ------
    InputError
        If the box is none, the source holds nothing in it, cannot be read or converted, or the
        datum is unknown or contradicts the files.
    TransientError
        If something could not be fetched.
    """
    _require_box(bounds)
    if datum is not None and datum not in DATUMS:
        raise InputError(f"dem.datum is {datum!r}; it is one of {', '.join(DATUMS)}")
    if str(source) == GLO30:
        found = _glo30(bounds, datum, cache, tiles_address, wait)
    else:
        found = _local(Path(source), bounds, datum)
    # The grid of the geoid first: without it, putting tiles together would be for nothing.
    geoid = None
    if found.datum != "ellipsoid":
        geoid = load_geoid(found.datum, cache, grids_address, wait)

    wide = _lattice(found, bounds).over(bounds, margin=WIDEST_VOID + 1)
    if wide.rows * wide.cols > _MOST_CELLS:
        raise InputError(
            f"{found.name}: {wide.rows} × {wide.cols} cells in {_text(bounds)}; ask for less"
        )
    heights, is_sea = lay(found.rasters, found.sea, wide)
    filled = fill_voids(heights)

    lattice = wide.over(bounds)
    rows, cols = _within(wide, lattice)
    heights = np.ascontiguousarray(heights[rows, cols])
    is_sea, filled = is_sea[rows, cols], filled[rows, cols]
    if not np.isfinite(heights).any():
        raise InputError(f"{found.name} has no height in {_text(bounds)}{_listed(found.notes)}")
    if geoid is not None:
        _raise(heights, lattice, geoid)
    changed = np.ascontiguousarray(is_sea | filled)
    return Dem(
        heights=heights,
        longitude=lattice.longitude,
        latitude=lattice.latitude,
        longitude_step=lattice.longitude_step,
        latitude_step=-lattice.latitude_step,
        source=_provenance(found, geoid, heights, filled),
        interpolated=changed if changed.any() else None,
    )


def have_heights(
    source: str | Path,
    area: BaseGeometry,
    cache: Path,
    *,
    tiles_address: str = glo30.GLO30_ADDRESS,
    grids_address: str = GRIDS_ADDRESS,
    wait: Wait = time.sleep,
) -> None:
    """Have in the cache what `make_dem` would fetch about an area; nothing where it is local.

    Parameters
    ----------
    area
        EPSG:4326 within ±180 degrees; in two parts over the antimeridian.

    Raises
    ------
    InputError, TransientError
        As `make_dem` does.
    """
    if str(source) != GLO30:
        return
    west, south, east, north = bounding_box(area)
    if east < west:
        east += 360
    bounds = (
        west - _ABOUT,
        max(south - _ABOUT, -90.0),
        min(east + _ABOUT, west - _ABOUT + 360),
        min(north + _ABOUT, 90.0),
    )
    glo30.fetch_glo30(bounds, cache, tiles_address, wait)
    load_geoid(glo30.DATUM, cache, grids_address, wait)


def _require_box(bounds: Bounds) -> None:
    west, south, east, north = bounds
    if not all(map(math.isfinite, bounds)) or not (-90 <= south < north <= 90):
        raise InputError(f"{_text(bounds)}: latitudes must rise within ±90 degrees")
    if not (-360 <= west < east <= west + 360 and east <= 540):
        raise InputError(
            f"{_text(bounds)}: longitudes must rise, by 360 degrees at most; "
            "over the antimeridian the east is past 180"
        )


def _glo30(bounds: Bounds, datum: str | None, cache: Path, address: str, wait: Wait) -> _Found:
    if datum not in (None, glo30.DATUM):
        raise InputError(f"dem.datum is {datum}, but glo30 is {glo30.DATUM}; leave dem.datum out")
    tiles = glo30.fetch_glo30(bounds, cache, address, wait)
    notes = [f"tiles {', '.join(path.stem for path in tiles.files) or 'none'}"]
    for what, missing in (("sea", tiles.sea), ("not public, left unknown", tiles.withheld)):
        if missing:
            notes.append(f"{what}: {', '.join(glo30.tile_name(*tile) for tile in missing)}")
    rasters = [describe(path) for path in tiles.files]
    for raster in rasters:
        if raster.datum not in (None, glo30.DATUM):
            raise InputError(f"{raster.path}: says {raster.datum}, but glo30 is {glo30.DATUM}")
    return _Found(rasters, glo30.DATUM, "Copernicus GLO-30", tiles.sea, notes)


def _local(source: Path, bounds: Bounds, datum: str | None) -> _Found:
    rasters = [describe(path) for path in _files(source)]
    meeting = [raster for raster in rasters if placements(raster, bounds)]
    if not meeting:
        west, south, east, north = zip(*map(footprint, rasters), strict=True)
        held = min(west), min(south), max(east), max(north)
        raise InputError(f"{source} covers {_text(held)}, nothing of {_text(bounds)}")
    datums = {_datum(raster, datum): raster.path for raster in meeting}
    if len(datums) > 1:
        told = ", ".join(f"{path.name}: {name}" for name, path in datums.items())
        raise InputError(f"{source}: files of different datums ({told})")
    notes = [] if source.is_file() else [f"files {', '.join(r.path.name for r in meeting)}"]
    return _Found(meeting, next(iter(datums)), str(source), notes=notes)


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise InputError(f"dem.source is {source}: no such file or folder, and not {GLO30}")
    found = [
        path
        for path in sorted(source.iterdir())
        if path.suffix.lower() in (".tif", ".tiff") and not path.name.startswith(".")
    ]
    if not found:
        raise InputError(f"{source}: no GeoTIFF (.tif, .tiff) in this folder")
    return found


def _datum(raster: Raster, given: str | None) -> str:
    if raster.datum is None and given is None:
        raise InputError(
            f"{raster.path} does not say what its heights refer to; "
            f"set dem.datum to one of {', '.join(DATUMS)}"
        )
    if None not in (raster.datum, given) and raster.datum != given:
        raise InputError(f"{raster.path} says {raster.datum}, but dem.datum is {given}")
    return raster.datum or given or ""


def _lattice(found: _Found, bounds: Bounds) -> Lattice:
    lattices = [one for raster in found.rasters for one in placements(raster, bounds)]
    if lattices:
        return finest(lattices)
    # Only sea: the lattice its tiles would have.
    step = min(glo30.longitude_step(south) for _, south in glo30.tiles(bounds))
    return Lattice(0.0, 0.0, step, 1 / 3600, 1, 1)


def _within(wide: Lattice, lattice: Lattice) -> tuple[slice, slice]:
    top, left = round(float(wide.row(lattice.latitude))), round(float(wide.col(lattice.longitude)))
    return slice(top, top + lattice.rows), slice(left, left + lattice.cols)


def _raise(heights: NDArray[np.float32], lattice: Lattice, geoid: Geoid) -> None:
    """From above the geoid to above the ellipsoid, in place."""
    for top in range(0, lattice.rows, _BLOCK_ROWS):
        rows = slice(top, top + _BLOCK_ROWS)
        heights[rows] += geoid.undulation(lattice.latitudes[rows, None], lattice.longitudes)


def _provenance(
    found: _Found, geoid: Geoid | None, heights: NDArray[np.float32], filled: NDArray[np.bool_]
) -> str:
    """Say where heights came from and what was done to them."""
    told = [found.name, *found.notes]
    if geoid is None:
        told.append("heights above the ellipsoid")
    else:
        told.append(f"{geoid.model} heights raised by {geoid.source} to the ellipsoid")
    if filled.any():
        told.append(f"{int(filled.sum())} cells of voids up to {WIDEST_VOID} wide bridged")
    unknown = int(np.isnan(heights).sum())
    if unknown:
        told.append(f"{unknown} cells unknown")
    return "; ".join(told)


def _listed(notes: list[str]) -> str:
    return f" ({'; '.join(notes)})" if notes else ""


def _text(bounds: tuple[float, ...]) -> str:
    west, south, east, north = bounds
    return f"{west:.6g}..{east:.6g}° E, {south:.6g}..{north:.6g}° N"
