"""Products on their way through the stand-in for SNAP, made by the native engine."""

import json
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import uniform_filter
from shapely import from_wkt

from geobservatory.engines.inputs import open_inputs
from geobservatory.engines.request import Heights, Request
from geobservatory.engines.snap.catalogue import operators
from geobservatory.insar.dem_files import make_dem
from geobservatory.insar.esd import estimate_shift
from geobservatory.insar.geocode import interpolate, look_up, nearest
from geobservatory.insar.interferogram import make_interferogram
from geobservatory.insar.map_grid import MapGrid, make_map_grid
from geobservatory.insar.pair import Layout, lay_out
from geobservatory.insar.stream import NO_OFFSET, Offset, prepare
from geobservatory.products.formats.dimap import read_dimap
from geobservatory.products.formats.georeference import Georeference
from geobservatory.sentinel1.orbit_files import choose_orbit
from geobservatory.sentinel1.safe import open_product


class OperatorError(Exception):
    """What an operator says when it does not work."""


@dataclass
class Source:
    """A Sentinel-1 product on its way to the interferogram."""

    slices: list[Path]
    swath: str = ""
    bursts: tuple[int, int] = (0, 0)
    polarisation: str = ""
    orbit: Path | None = None


@dataclass
class Stack:
    """Two of them, coregistered."""

    reference: Source
    secondary: Source
    dem: Path
    shifted: bool = False


@dataclass
class Made:
    """A product with pixels: bands with their units, and what is said of them.

    `about` holds, in radar geometry, where lines and samples lie; what made it is in ``history``.
    """

    bands: dict[str, tuple[np.ndarray, str]]
    about: dict[str, Any]
    place: Georeference | None = None


def parts_of(made: Made) -> tuple[str, str, str]:
    """Name the two parts of an interferogram and its coherence."""
    return tuple(  # type: ignore[return-value]
        next(name for name in made.bands if name.startswith(one))
        for one in ("i_ifg", "q_ifg", "coh")
    )


def interfere(stack: Stack, user: Path, window: tuple[int, int]) -> Made:
    """Make the interferogram of one swath at full resolution, as SNAP's Interferogram leaves it."""
    one, other = stack.reference, stack.secondary
    out = user / "standin"
    # Heights above EGM96 are what Back-Geocoding takes them for.
    request = Request(
        tuple(one.slices), tuple(other.slices), out, out,
        heights=Heights(stack.dem, "EGM96"), orbits=_orbits(user, one), swaths=(one.swath,),
        polarisation=one.polarisation, looks=(1, 1),
    )  # fmt: skip
    with open_inputs(request) as inputs:
        pairs = [tile.pair for tile in inputs.layout.tiles]
        first = _first_of(inputs.reference, one, pairs[0].reference.file, pairs[0].reference_burst)
        pairs = pairs[one.bursts[0] - first : one.bursts[1] - first + 1]
        layout = lay_out(pairs, (1, 1))
        prepared = [prepare(tile.pair, inputs.flown, inputs.dem) for tile in layout.tiles]
        offset = NO_OFFSET
        if stack.shifted:
            coarse = lay_out(pairs, (3, 11))
            shift = estimate_shift(coarse, prepared, inputs.images, inputs.dem, NO_OFFSET)
            offset = Offset(shift.lines if shift.significant else 0.0, 0.0)
        made = make_interferogram(layout, prepared, inputs.images, inputs.dem, offset)
        dates = [f"{p[0].name.start:%d%b%Y}" for p in (inputs.reference, inputs.secondary)]
        start = inputs.reference[0].name.start
        outline = inputs.footprint.wkt
    sums = [
        uniform_filter(values, window, mode="constant")
        for values in (
            made.cross.real, made.cross.imag, made.reference_power, made.secondary_power
        )
    ]  # fmt: skip
    power = np.sqrt(np.maximum(sums[2] * sums[3], 1e-30))
    found = np.hypot(sums[0], sums[1]) / power
    found[made.pixels == 0] = 0
    suffix = f"{one.swath}_{one.polarisation}_{'_'.join(dates)}"
    about = {
        "history": ["Back-Geocoding"], "swath": one.swath, "bursts": len(pairs), "looks": [1, 1],
        "first_time": str(layout.first_time), "line_s": layout.line_s, "near_m": layout.near_m,
        "sample_m": layout.sample_m, "start": start.astimezone(UTC).isoformat(),
        "reference": [str(path) for path in one.slices], "outline": outline,
    }  # fmt: skip
    bands = {
        f"i_ifg_{suffix}": (np.ascontiguousarray(made.cross.real), "real"),
        f"q_ifg_{suffix}": (np.ascontiguousarray(made.cross.imag), "imaginary"),
        f"coh_{suffix}": (found.astype(np.float32), "coherence"),
    }
    return Made(bands, about)


def _first_of(products: Any, source: Source, file: str, burst: Any) -> int:
    """Count which burst of all slices, from 1, the first pair's is."""
    count = 0
    for one in products:
        annotation = one.annotation(source.swath, source.polarisation)
        if annotation.file == file:
            return count + burst.index + 1
        count += len(annotation.bursts)
    raise OperatorError("no such burst")


def _orbits(user: Path, source: Source) -> Path | None:
    """Give a folder of the orbit files that were applied, as the library looks for them."""
    if source.orbit is None:
        return None
    folder = user / "standin" / "orbits"
    folder.mkdir(parents=True, exist_ok=True)
    for path in (user / "auxdata" / "Orbits").rglob("*.EOF.zip"):
        if not (folder / path.name).exists():
            (folder / path.name).symlink_to(path)
    return folder


def joined(parts: list[Made]) -> Made:
    """Join swaths on one grid; overlaps are cut in their middle."""
    first = min(parts, key=lambda one: one.about["first_time"])
    base = first.about
    near = min(one.about["near_m"] for one in parts)
    places = []
    for one in parts:
        late = np.datetime64(one.about["first_time"]) - np.datetime64(base["first_time"])
        row = round(float(late / np.timedelta64(1, "ns")) * 1e-9 / base["line_s"])
        col = round((one.about["near_m"] - near) / base["sample_m"])
        places.append((row, col))
    shapes = [next(iter(one.bands.values()))[0].shape for one in parts]
    shape = (
        max(r + s[0] for (r, _), s in zip(places, shapes, strict=True)),
        max(c + s[1] for (_, c), s in zip(places, shapes, strict=True)),
    )
    bands = {}
    for index, name in enumerate(parts[0].bands):
        out = np.zeros(shape, np.float32)
        for number, one in enumerate(parts):
            values, unit = list(one.bands.values())[index]
            (row, col), skip = places[number], 0
            if number:
                end = places[number - 1][1] + shapes[number - 1][1]
                skip = max(0, (end - col) // 2)
            at = np.s_[row : row + values.shape[0], col + skip : col + values.shape[1]]
            part = values[:, skip:]
            out[at] = np.where(part != 0, part, out[at])
        swath = parts[0].about["swath"]
        bands[name.replace(f"_{swath}", "")] = out, unit
    outline = parts[0].about["outline"]
    for one in parts[1:]:
        outline = from_wkt(outline).union(from_wkt(one.about["outline"])).wkt
    history = [name for one in parts for name in one.about["history"]]
    return Made(bands, {**base, "near_m": near, "outline": outline, "history": history})


def on_map(made: Made, given: dict[str, str], user: Path) -> Made:
    """Bring bands to the map: Range-Doppler geocoding by the reference's orbit and the heights."""
    wanted = [one for one in given.get("sourceBands", "").split(",") if one] or list(made.bands)
    lacking = [one for one in wanted if one not in made.bands]
    if lacking:
        raise OperatorError(operators()["Terrain-Correction"].errors["bands"])
    about = made.about
    rows, cols = made.bands[wanted[0]][0].shape
    layout = Layout(
        (), rows, cols, (about["looks"][0], about["looks"][1]), np.datetime64(about["first_time"]),
        about["line_s"], about["near_m"], about["sample_m"],
    )  # fmt: skip
    outline = from_wkt(about["outline"])
    datum = "EGM96" if given.get("externalDEMApplyEGM", "true") == "true" else "ellipsoid"
    west, south, east, north = outline.buffer(0.2).bounds
    dem = make_dem(
        Path(given["externalDEMFile"]), (west, south, east, north), datum, user / "standin"
    )
    slices = [open_product(Path(one)) for one in about["reference"]]
    folder = user / "standin" / "orbits"
    orbit = choose_orbit(slices, folder if folder.is_dir() else None, None).orbit
    grid = make_map_grid(outline, float(given["pixelSpacingInMeter"]))
    if grid.crs != given["mapProjection"]:
        raise OperatorError(f"this stand-in maps to {grid.crs}")
    grid = MapGrid(grid.crs, grid.left, grid.top, grid.step, grid.rows, grid.cols)
    lookup = look_up(grid, layout, orbit, dem)
    bands = {}
    for name in wanted:
        values, unit = made.bands[name]
        values = np.where(values == 0, np.float32(np.nan), values)
        if given["imgResamplingMethod"] == "NEAREST_NEIGHBOUR":
            bands[name] = nearest(values, lookup, np.nan), unit
        else:
            bands[name] = interpolate(values, lookup), unit
    return Made(bands, about, Georeference.of(grid))


def read_dim(path: Path) -> Made:
    """Read a product that the stand-in wrote."""
    product = read_dimap(path)
    bands = {name: (band.read(), band.unit) for name, band in product.bands.items()}
    return Made(bands, json.loads(product.metadata["standin"]))


def read_envi(path: Path) -> Made:
    """Read snaphu's result."""
    lines = dict(
        (part.strip() for part in one.split("=", 1))
        for one in path.read_text().splitlines()
        if "=" in one
    )
    image = path.with_suffix(".img")
    if not image.is_file():
        raise OperatorError(f"Failed to load image {image}")
    shape = int(lines["lines"]), int(lines["samples"])
    values = np.fromfile(image, "<f4").reshape(shape).astype(np.float32)
    return Made({path.name.split(".")[0]: (values, "phase")}, {"history": ["snaphu"]})


def write_envi(path: Path, values: np.ndarray, image: bool = True) -> None:
    """Write a raster as SnaphuExport does."""
    if image:
        values.astype("<f4").tofile(path.with_name(path.name + ".img"))
    path.with_name(path.name + ".hdr").write_text(
        f"ENVI\nsamples = {values.shape[1]}\nlines = {values.shape[0]}\nbands = 1\n"
        "header offset = 0\nfile type = ENVI Standard\ndata type = 4\ninterleave = bsq\n"
        "byte order = 0\n"
    )
