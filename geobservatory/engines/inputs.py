"""Open what a request names, and refuse what cannot become an interferogram before work starts."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from shapely import union_all
from shapely.affinity import translate
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry

from geobservatory.engines.request import Request
from geobservatory.errors import InputError
from geobservatory.globe import bounding_box
from geobservatory.insar.dem import Dem
from geobservatory.insar.dem_files import make_dem
from geobservatory.insar.map_grid import MapGrid, make_map_grid
from geobservatory.insar.pair import BurstPair, Layout, lay_out, match_bursts
from geobservatory.insar.stream import Images
from geobservatory.sentinel1.bursts import footprint
from geobservatory.sentinel1.measurement import open_measurement
from geobservatory.sentinel1.orbit import Orbit
from geobservatory.sentinel1.orbit_files import ChosenOrbit, choose_orbit
from geobservatory.sentinel1.safe import SafeProduct, open_product

# Ground as high as the Himalaya is seen some 15 km nearer than the ellipsoid under it.
_DEM_MARGIN = 0.2
# Pixels of IW on flat ground at mid swath, metres.
_AZIMUTH_M, _RANGE_M = 14.0, 3.7
# Bytes a cell of the map takes on disk in all layers and overviews, and a look cell while working.
_MAP_BYTES, _LOOK_BYTES = 60, 20


@dataclass(frozen=True)
class Inputs:
    """All that the work needs, opened and matched."""

    reference: tuple[SafeProduct, ...]
    secondary: tuple[SafeProduct, ...]
    polarisation: str
    layout: Layout
    orbits: tuple[ChosenOrbit, ChosenOrbit]
    dem: Dem
    images: Images
    grid: MapGrid
    footprint: BaseGeometry

    @property
    def pair(self) -> BurstPair:
        """The first pair of bursts: what they share can be read from it."""
        return self.layout.tiles[0].pair

    @property
    def relative_orbit(self) -> int:
        """Of the track; bursts could not be told apart without it."""
        return self.pair.identity.relative_orbit

    def facts(self) -> dict[str, Any]:
        """Give all that what is made of these inputs depends on, but for what is done to them."""
        return {
            "products": [_state(one.path) for one in (*self.reference, *self.secondary)],
            "orbits": [(one.orbit.source, one.file and _state(one.file)) for one in self.orbits],
            "heights": (self.dem.source, self.dem.bounds, self.dem.heights.shape),
            "polarisation": self.polarisation,
            "bursts": [str(tile.pair.identity) for tile in self.layout.tiles],
            "looks": self.layout.looks,
        }

    @property
    def flown(self) -> tuple[Orbit, Orbit]:
        """Paths of reference and secondary."""
        return self.orbits[0].orbit, self.orbits[1].orbit


@contextmanager
def open_inputs(request: Request) -> Iterator[Inputs]:
    """Open the inputs of a request.

    Raises
    ------
    InputError
        If the passes are not two dates of one track in the order of time, have no polarisation,
        burst or swath in common, the area lies outside, a measurement is missing or damaged, there
        are no heights, or the disk is too small.
    TransientError
        If heights or orbits could not be fetched.
    """
    reference, secondary = _opened(request.reference), _opened(request.secondary)
    if secondary[0].name.start < reference[0].name.start:
        raise InputError(
            f"{secondary[0].path} is earlier than {reference[0].path}; the reference is the "
            "earlier image: swap the two"
        )
    polarisation = _polarisation((*reference, *secondary), request.polarisation)
    pairs = match_bursts(reference, secondary, polarisation, request.area, request.swaths)
    layout = lay_out(pairs, request.looks or looks_for(request.spacing_m))
    if not layout.tiles:
        raise InputError("the bursts found hold no valid cell")
    outline = _continuous([footprint(one.reference, one.reference_burst) for one in pairs])
    mapped = outline if request.area is None else _cut(outline, request.area)
    grid = make_map_grid(mapped, request.spacing_m)
    _require_room(request, layout, grid)
    with ExitStack() as stack:
        used = {one.reference.file for one in pairs} | {one.secondary.file for one in pairs}
        images = {
            file: stack.enter_context(open_measurement(product, swath, polarisation))
            for product in (*reference, *secondary)
            for swath in sorted({one.identity.swath for one in pairs})
            if (swath, polarisation) in product.channels
            and (file := product.annotation(swath, polarisation).file) in used
        }
        one, other = (
            choose_orbit(slices, request.orbits, request.orbits_from)
            for slices in (reference, secondary)
        )
        west, south, east, north = outline.buffer(_DEM_MARGIN).bounds
        heights = request.heights
        dem = make_dem(
            heights.source,
            (west, max(south, -90), east, min(north, 90)),
            heights.datum,
            request.cache,
            tiles_address=heights.tiles_address,
            grids_address=heights.grids_address,
        )
        yield Inputs(
            reference, secondary, polarisation, layout, (one, other), dem, images, grid, mapped
        )


def _state(path: Path) -> tuple[str, int, int]:
    found = path.stat()
    return str(path.resolve()), found.st_size, found.st_mtime_ns


def looks_for(spacing_m: float) -> tuple[int, int]:
    """Choose the looks, azimuth and range, whose cells come nearest to a spacing on flat ground."""
    return max(1, round(spacing_m / _AZIMUTH_M)), max(1, round(spacing_m / _RANGE_M))


def _opened(paths: tuple[Path, ...]) -> tuple[SafeProduct, ...]:
    """Open the slices of a pass, in order of time."""
    return tuple(sorted((open_product(path) for path in paths), key=lambda one: one.name.start))


def _polarisation(products: tuple[SafeProduct, ...], asked: str | None) -> str:
    held = [{polarisation for _, polarisation in one.channels} for one in products]
    everywhere = set.intersection(*held)
    for wanted in [asked] if asked is not None else ["VV", "HH"]:
        if wanted in everywhere:
            return wanted
    has = " and ".join(
        f"{product.path} has {', '.join(sorted(one)) or 'none'}"
        for product, one in zip(products, held, strict=True)
    )
    raise InputError(f"no polarisation {asked or 'VV or HH'} in all: {has}")


def _continuous(parts: list[BaseGeometry]) -> BaseGeometry:
    """Unite areas, with longitudes that run on past 180 where they lie over the antimeridian."""
    united = union_all(parts)
    west, _, east, _ = bounding_box(united)
    if west <= east:
        return united
    polygons = [
        translate(one, xoff=360) if one.bounds[0] < west else one
        for one in getattr(united, "geoms", [united])
    ]
    return union_all(polygons)


def _cut(outline: BaseGeometry, area: BaseGeometry) -> BaseGeometry:
    """Cut an outline to the box of an area, of whichever turn its longitudes are."""
    west, south, east, north = bounding_box(area)
    if east < west:
        east += 360
    for turn in (0, 360, -360):
        part = outline.intersection(box(west + turn, south, east + turn, north))
        if isinstance(part, Polygon | MultiPolygon) and not part.is_empty:
            return part
    raise InputError("the area of interest lies outside the bursts that both products hold")


def _require_room(request: Request, layout: Layout, grid: MapGrid) -> None:
    """Refuse to start what the disk cannot hold."""
    request.out.mkdir(parents=True, exist_ok=True)
    needed = int(
        grid.rows * grid.cols * _MAP_BYTES + np.int64(layout.rows) * layout.cols * _LOOK_BYTES
    )
    free = shutil.disk_usage(request.out).free
    if free < needed:
        raise InputError(
            f"{request.out}: {free / 1e9:.1f} GB are free, {needed / 1e9:.1f} GB are needed"
        )
