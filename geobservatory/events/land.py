"""How far a place is from land, without a network: the mask of GLOBE at 30 arc seconds.

The mask (NOAA's GLOBE elevation model, version 1, 1999: public domain) comes with the package
``global-land-mask``. Lakes and inland seas, the Caspian among them, count as land; ice shelves do
too. Its cells are 0.93 km high, so distances are good to about a kilometre, and islands of a few
hundred metres may be missing. The package's own module would hold 933 MB in memory; here the mask
is read in pieces, once, and kept as the columns where each row changes between land and sea (6 MB).
"""

import importlib.util
import math
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import Geod

from geobservatory.errors import ConfigurationError

_WGS84 = Geod(ellps="WGS84")
_ROWS, _COLUMNS = 21_600, 43_200
_CELL_DEG = 360 / _COLUMNS
# A degree of latitude is nowhere shorter than this on the ellipsoid, metres.
_SHORTEST_DEGREE_M = 110_574.0
_PIECE_ROWS = 100


@dataclass(frozen=True)
class _Land:
    """Runs of land, row after row from north to south: columns `start` to before `stop`."""

    start: NDArray[np.int32]
    stop: NDArray[np.int32]
    first: NDArray[np.int64]  # of each row, into the two above; one more at the end


def distance_to_land_m(longitude: float, latitude: float, within_m: float) -> float:
    """Find how far a place is from the nearest land.

    Parameters
    ----------
    longitude, latitude
        Degrees (EPSG:4326).
    within_m
        Land farther away than this is not looked for, metres.

    Returns
    -------
    float
        Metres on the WGS84 ellipsoid, to the middle of the nearest cell of land; 0 on land,
        infinite where there is none within `within_m`.

    Raises
    ------
    ConfigurationError
        If the mask is not installed.
    """
    land = load_land()
    column = ((longitude + 180) / _CELL_DEG) % _COLUMNS
    here = min(int((90 - latitude) / _CELL_DEG), _ROWS - 1)
    reach = math.ceil(within_m / _SHORTEST_DEGREE_M / _CELL_DEG) + 1
    rows, columns = [], []
    for row in range(max(0, here - reach), min(_ROWS, here + reach + 1)):
        nearest = _nearest_column(land, row, column)
        if nearest is None:
            continue
        if row == here and nearest == int(column):
            return 0.0
        rows.append(row)
        columns.append(nearest)
    if not rows:
        return math.inf
    # Along a parallel distance grows with the difference of longitude: one cell a row is enough.
    lat = 90 - (np.array(rows) + 0.5) * _CELL_DEG
    lon = (np.array(columns) + 0.5) * _CELL_DEG - 180
    here_lon, here_lat = np.full_like(lon, longitude), np.full_like(lat, latitude)
    _, _, away = _WGS84.inv(here_lon, here_lat, lon, lat)
    nearest_m = float(np.min(away))
    return nearest_m if nearest_m <= within_m else math.inf


def _nearest_column(land: _Land, row: int, column: float) -> int | None:
    """Find the cell of land in a row that is nearest to a column, around the globe if need be."""
    first, last = int(land.first[row]), int(land.first[row + 1])
    if first == last:
        return None
    start, stop = land.start[first:last], land.stop[first:last]
    at = int(np.searchsorted(start, column, side="right")) - 1
    if at >= 0 and column < stop[at]:
        return int(column)
    # The runs on either side; before the first comes the last, after the last the first.
    before, after = int(stop[at]) - 1, int(start[(at + 1) % len(start)])
    west = (column - (before + 0.5)) % _COLUMNS
    east = (after + 0.5 - column) % _COLUMNS
    return before if west <= east else after


@cache
def load_land() -> _Land:
    """Read the mask; a second at first, nothing after.

    Raises
    ------
    ConfigurationError
        If it is not installed or not what it should be.
    """
    found = importlib.util.find_spec("global_land_mask")
    if found is None or not found.submodule_search_locations:
        raise ConfigurationError("the land mask is missing: pip install global-land-mask")
    path = Path(found.submodule_search_locations[0]) / "globe_combined_mask_compressed.npz"
    starts, stops, counts = [], [], []
    try:
        with zipfile.ZipFile(path) as archive, archive.open("mask.npy") as file:
            np.lib.format.read_magic(file)
            shape, fortran, kind = np.lib.format.read_array_header_1_0(file)
            if shape != (_ROWS, _COLUMNS) or fortran or kind != np.bool_:
                raise ConfigurationError(f"{path}: not the land mask: {shape} of {kind}")
            for _ in range(_ROWS // _PIECE_ROWS):
                sea = np.frombuffer(file.read(_PIECE_ROWS * _COLUMNS), np.bool_)
                # Sea on either side, so that every run of land begins and ends in its row.
                edges = np.zeros((_PIECE_ROWS, _COLUMNS + 2), np.bool_)
                edges[:, 1:-1] = ~sea.reshape(_PIECE_ROWS, _COLUMNS)
                flat = edges.ravel()
                change = np.flatnonzero(flat[1:] != flat[:-1])
                row, column = np.divmod(change, _COLUMNS + 2)
                starts.append(column[0::2].astype(np.int32))
                stops.append(column[1::2].astype(np.int32))
                counts.append(np.bincount(row[0::2], minlength=_PIECE_ROWS))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ConfigurationError(f"{path}: the land mask cannot be read: {error}") from error
    first = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    return _Land(np.concatenate(starts), np.concatenate(stops), first)
