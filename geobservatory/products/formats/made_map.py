"""A finished interferogram as exporters take it: its metadata, and its layers, verified."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError

from geobservatory.errors import InputError, NotFoundError
from geobservatory.insar.map_grid import MapGrid
from geobservatory.sentinel1.names import parse_name

METADATA = "metadata.json"
_MULTIHASH_SHA256 = "1220"
_SPEED_OF_LIGHT = 299_792_458.0


@dataclass(frozen=True)
class MadeMap:
    """The folder that an engine left.

    Attributes
    ----------
    item
        The content of its ``metadata.json``.
    """

    folder: Path
    item: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of the folder, which tells one map from another."""
        return self.folder.resolve().name

    @property
    def about(self) -> Mapping[str, Any]:
        """Properties of the STAC item."""
        found: Mapping[str, Any] = self.item["properties"]
        return found

    @cached_property
    def grid(self) -> MapGrid:
        """Where the cells lie."""
        step, _, left, _, _, top = self.about["proj:transform"][:6]
        rows, cols = self.about["proj:shape"]
        return MapGrid(self.about["proj:code"], left, top, step, rows, cols)

    @property
    def times(self) -> tuple[datetime, datetime]:
        """Start of the reference's and the secondary's acquisition, UTC."""
        first, second = (
            datetime.fromisoformat(self.about[f"geobs:{which}"]["time"]).astimezone(UTC)
            for which in ("reference", "secondary")
        )
        return first, second

    @property
    def dates(self) -> tuple[str, str]:
        """Days of the two images, ``20230904``, UTC."""
        first, second = self.times
        return f"{first:%Y%m%d}", f"{second:%Y%m%d}"

    def span(self, which: str) -> tuple[datetime, datetime]:
        """First and last moment of the ``reference`` or the ``secondary``, all its slices."""
        slices = [parse_name(one) for one in self.about[f"geobs:{which}"]["products"]]
        return min(one.start for one in slices), max(one.stop for one in slices)

    def middle_time(self, which: str) -> datetime:
        """Middle of the acquisition of the ``reference`` or the ``secondary``."""
        first, last = self.span(which)
        return first + (last - first) / 2

    @property
    def wavelength_m(self) -> float:
        """Wavelength of the radar."""
        return float(self.about["geobs:wavelength_m"])

    @property
    def frequency_hz(self) -> float:
        """Frequency of the radar."""
        return _SPEED_OF_LIGHT / self.wavelength_m

    @property
    def track(self) -> str:
        """Relative orbit and direction of flight: ``052D``."""
        return f"{self.about['sat:relative_orbit']:03d}{self.about['sat:orbit_state'][0].upper()}"

    @property
    def unwrapped(self) -> bool:
        """Whether there is unwrapped phase."""
        return "unwrapped_phase.tif" in self.item["assets"]

    @cached_property
    def heading_deg(self) -> float:
        """Direction of flight in the middle of the map, clockwise from north, -180 to 180.

        From the lines of sight: the satellite, which looks to the right, stands a quarter turn to
        the left of its own direction as the ground sees it.
        """
        east, north = (float(np.nanmean(self.layer(f"los_{name}"))) for name in ("east", "north"))
        return (math.degrees(math.atan2(east, north)) + 90 + 180) % 360 - 180

    def layer(self, name: str) -> NDArray[Any]:
        """Read a layer, (rows, cols), as it was written; NaN where there is nothing.

        Raises
        ------
        InputError
            If the map does not have it, or the file is not what it was when it was made.
        """
        asset = self.item["assets"].get(f"{name}.tif")
        if asset is None:
            raise InputError(f"{self.folder}: has no {name}.tif; {_why(name)}")
        path = self.folder / f"{name}.tif"
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            content = b""
        digest = str(asset["file:checksum"]).removeprefix(_MULTIHASH_SHA256)
        if hashlib.sha256(content).hexdigest() != digest:
            raise InputError(
                f"{path}: is not what was made; `geobs retry` (or `interferogram`) makes it again"
            )
        try:
            with rasterio.MemoryFile(content) as memory, memory.open() as file:
                values: NDArray[Any] = file.read(1)
        except RasterioError as error:
            raise InputError(f"{path}: cannot be read: {error}") from error
        if values.shape != (self.grid.rows, self.grid.cols):
            raise InputError(f"{path}: has {values.shape} cells, its metadata say otherwise")
        return values


def _why(name: str) -> str:
    if name in ("unwrapped_phase", "los_displacement", "connected_components"):
        return "it was made without unwrapping"
    return "every engine makes it; make the map again"


def open_map(folder: Path) -> MadeMap:
    """Open the folder of a finished interferogram.

    Raises
    ------
    NotFoundError
        If there is none.
    InputError
        If its metadata cannot be read.
    """
    path = folder / METADATA
    if not path.is_file():
        raise NotFoundError(f"{folder}: holds no finished map ({METADATA} is missing)")
    try:
        item = json.loads(path.read_text(encoding="utf-8"))
        made = MadeMap(folder, item)
        # What every map says; a file of something else has not.
        _ = made.grid, made.times, made.wavelength_m, made.track, item["assets"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is not the metadata of a map of ours ({error!r})") from error
    return made


def maps_in(folder: Path) -> list[MadeMap]:
    """Open all maps of a folder: the one that it is, or those in folders below it.

    Raises
    ------
    NotFoundError
        If there is none.
    InputError
        If the metadata of one cannot be read.
    """
    if (folder / METADATA).is_file():
        return [open_map(folder)]
    found = [open_map(one.parent) for one in sorted(folder.glob(f"*/{METADATA}"))]
    if not found:
        raise NotFoundError(
            f"{folder}: holds no finished map, nor do the folders in it ({METADATA} is missing)"
        )
    return found
