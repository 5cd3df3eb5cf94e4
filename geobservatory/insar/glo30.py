"""Copernicus GLO-30: which tiles a box needs, and how they come into the cache.

After the data set's own `readme.html`: one-degree GeoTIFFs named after their south-western corner,
heights above the EGM2008 geoid; the first cell is centred on the north-western corner, the row and
column on the southern and eastern edge are the next tiles'. Latitudes are 1" apart, longitudes 1"
to 10" (`longitude_step`). Over the sea there are no tiles, and none for a part of the land.
"""

import math
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from geobservatory.errors import InputError, NotFoundError
from geobservatory.fetch import Wait, cached, folder_name
from geobservatory.files import written_whole
from geobservatory.insar.dem_raster import describe, read_window

GLO30_ADDRESS = "https://copernicus-dem-30m.s3.amazonaws.com"
DATUM = "EGM2008"
_AT_ONCE = 4
_NAME = re.compile(r"Copernicus_DSM_COG_10_[NS]\d\d_00_[EW]\d{3}_00_DEM")
# Land without a public tile, south to the wests: Armenia and Azerbaijan (the 25 tiles that GLO-90
# has and GLO-30 Public lacks). Where such a tile is missing, nothing is known; it is no sea.
_WITHHELD = {
    38: (45, 46, 48, 49),
    39: (44, 45, 46, 47, 48, 49),
    40: (43, 44, 45, 46, 47, 48, 49, 50),
    41: (43, 44, 45, 46, 47, 48, 49),
}

Bounds = tuple[float, float, float, float]
Tile = tuple[int, int]


@dataclass(frozen=True)
class Glo30:
    """What the cache holds for a box.

    Attributes
    ----------
    files
        The tiles.
    sea
        West and south of tiles that are all sea, degrees; the west may be past 180.
    withheld
        The same of land tiles that are not public.
    """

    files: tuple[Path, ...]
    sea: tuple[Tile, ...]
    withheld: tuple[Tile, ...]


def fetch_glo30(bounds: Bounds, cache: Path, address: str, wait: Wait) -> Glo30:
    """Have the tiles of a box in the cache.

    A tile is sea when the server's list (`tileList.txt`) does not name it and the server has none.

    Parameters
    ----------
    bounds
        West, south, east, north, degrees; the east may be past 180.
    cache
        Folder for what is fetched.
    address
        Base address of the bucket, or of one laid out like it.
    wait
        Waits so many seconds between attempts.

    Raises
    ------
    InputError
        If the address is not such a bucket, or lacks a tile that it lists.
    TransientError
        If a tile could not be fetched.
    """
    address = address.rstrip("/")
    folder = cache / "glo30" / folder_name(address)
    try:
        listing = cached(f"{address}/tileList.txt", folder / "tileList.txt", _check_list, wait)
    except NotFoundError as error:
        raise InputError(f"{address} is no bucket of GLO-30 tiles: {error}") from error
    listed = set(_NAME.findall(listing.read_text()))

    def fetch(tile: Tile) -> Path | None:
        return _tile(tile, tile_name(*tile) in listed, folder, address, wait)

    wanted = list(tiles(bounds))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(fetch, wanted))
    missing = [tile for tile, path in zip(wanted, found, strict=True) if path is None]
    withheld = tuple(tile for tile in missing if _wrapped(tile[0]) in _WITHHELD.get(tile[1], ()))
    return Glo30(
        tuple(path for path in found if path is not None),
        tuple(tile for tile in missing if tile not in withheld),
        withheld,
    )


def tiles(bounds: Bounds) -> Iterator[Tile]:
    """West and south of the tiles that hold the cells of a box and those just around it."""
    west, south, east, north = bounds
    arcsecond = 1 / 3600
    # A tile has the parallel at its north and the meridian at its west.
    first = math.ceil(_down(south, arcsecond)) - 1
    last = math.ceil(_up(north, arcsecond)) - 1
    for row in range(max(first, -90), min(last, 89) + 1):
        step = longitude_step(row)
        for column in range(math.floor(_down(west, step)), math.floor(_up(east, step)) + 1):
            yield column, row


def _down(degrees: float, step: float) -> float:
    """Round down to a multiple of a step; one a hair above counts."""
    return round(math.floor(degrees / step + 1e-6) * step, 9)


def _up(degrees: float, step: float) -> float:
    return -_down(-degrees, step)


def longitude_step(south: int) -> float:
    """Degrees between the longitudes of a tile, after its south."""
    nearest = south if south >= 0 else -south - 1
    for limit, seconds in ((50, 1), (60, 1.5), (70, 2), (80, 3), (85, 5)):
        if nearest < limit:
            return seconds / 3600
    return 10 / 3600


def tile_name(west: int, south: int) -> str:
    """Name of a tile, after the corner it is named by."""
    lon = _wrapped(west)
    return (
        f"Copernicus_DSM_COG_10_{'S' if south < 0 else 'N'}{abs(south):02d}_00_"
        f"{'W' if lon < 0 else 'E'}{abs(lon):03d}_00_DEM"
    )


def _wrapped(west: int) -> int:
    return (west + 180) % 360 - 180


def _tile(tile: Tile, listed: bool, folder: Path, address: str, wait: Wait) -> Path | None:
    """Have one tile; None where there is none."""
    name = tile_name(*tile)
    path, absent = folder / f"{name}.tif", folder / f"{name}.absent"
    if absent.is_file() and not listed:
        return None
    url = f"{address}/{name}/{name}.tif"
    try:
        return cached(url, path, lambda beside: _check_tile(beside, tile), wait)
    except NotFoundError as error:
        if listed:
            raise InputError(f"{error}, though tileList.txt names it; is it complete?") from error
    with written_whole(absent) as note:
        note.write_text(f"{url}: not listed, and not found\n")
    return None


def _check_list(path: Path) -> None:
    if not _NAME.search(path.read_text(errors="replace")):
        raise InputError("no list of GLO-30 tiles")


def _check_tile(path: Path, tile: Tile) -> None:
    raster = describe(path)
    a, _, c, _, e, f = raster.affine
    off = max(abs(c + a / 2 - _wrapped(tile[0])), abs(f + e / 2 - (tile[1] + 1)))
    if not raster.is_lattice or off > 1e-6 or round(raster.cols * a, 6) != 1:
        raise InputError(f"its cells are not those of {tile_name(*tile)}")
    # All of it, since a file cut short or damaged opens well.
    read_window(raster, 0, 0, raster.rows, raster.cols)
