"""What the commands of GAMMA leave that compute, by the native engine."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import distance_transform_edt, uniform_filter

from geobservatory.insar.dem import Dem
from geobservatory.insar.esd import estimate_shift
from geobservatory.insar.geocode import interpolate, look_up, nearest
from geobservatory.insar.goldstein import goldstein
from geobservatory.insar.interferogram import make_interferogram
from geobservatory.insar.map_grid import MapGrid
from geobservatory.insar.pair import Layout, lay_out, match_bursts
from geobservatory.insar.stream import NO_OFFSET, Offset, prepare
from geobservatory.insar.unwrap import unwrap
from geobservatory.products.formats.gamma import (
    Parameters,
    dem_parameters,
    read_georeference,
    read_raster,
    write_raster,
)
from geobservatory.products.formats.georeference import Georeference
from geobservatory.sentinel1.bursts import footprint
from geobservatory.sentinel1.measurement import open_measurement
from geobservatory.sentinel1.orbit_files import choose_orbit
from geobservatory.sentinel1.safe import SafeProduct, open_product
from standins.gamma_commands import CommandError
from standins.gamma_files import Given, State, blank, said, stems, write_par

_TYPES = {"0": "FLOAT", "1": "FCOMPLEX"}


def mosaic(given: Given, state: State) -> None:
    """Join the bursts of a pass: SLC_mosaic_ScanSAR."""
    looks = int(given["azlks"]), int(given["rlks"])
    layout, annotation = _layout(given["SLC_tab"], state, looks)
    rows, cols = layout.rows * looks[0], layout.cols * looks[1]
    write_par(Path(given["SLC_par"]), "mosaic", annotation, rows, cols, (1, 1), "SCOMPLEX")
    blank(Path(given["SLC"]), rows, cols, 4)
    state[given["SLC"]] = {"tab": given["SLC_tab"], "looks": looks}


def look_down(given: Given, state: State) -> None:
    """Look an image down: multi_look."""
    about, looks = state[given["SLC"]], (int(given["azlks"]), int(given["rlks"]))
    layout, annotation = _layout(about["tab"], state, looks)
    power = _power(about["tab"], state, layout)
    write_raster(Path(given["MLI"]), power)
    write_par(Path(given["MLI_par"]), "mli", annotation, layout.rows, layout.cols, looks, "FLOAT")
    state[given["MLI_par"]] = {"tab": about["tab"], "looks": looks}


def make_lookup(given: Given, state: State) -> None:
    """Find where the map lies in an image: gc_map2."""
    about = state[given["MLI_par"]]
    layout, _ = _layout(about["tab"], state, tuple(about["looks"]))
    dem = _dem(given["DEM"], given["DEM_par"])
    outline = _outline(about["tab"], state)
    west, south, east, north = outline
    held = dem.bounds
    if west > held[2] or east < held[0] or south > held[3] or north < held[1]:
        raise CommandError(said("gc_map2", "coverage"))
    step = dem.longitude_step / float(given.get("lon_ovr", "1"))
    left, top = max(west, held[0]), min(north, held[3])
    rows = round((top - max(south, held[1])) / step)
    cols = round((min(east, held[2]) - left) / step)
    grid = MapGrid("EPSG:4326", left, top, step, rows, cols)
    place = look_up(grid, layout, _orbit(about["tab"], state), dem)
    inside = (place.col >= -0.5) & (place.col < layout.cols - 0.5)
    inside &= (place.row >= -0.5) & (place.row < layout.rows - 0.5)
    table = np.where(inside, place.col + 1j * place.row, 0).astype(np.complex64)
    write_raster(Path(given["lookup_table"]), table)
    write_raster(Path(given["DEM_seg"]), place.height_m)
    dem_parameters(Georeference.of(grid), "dem segment").write(Path(given["DEM_seg_par"]))
    state["dem"] = [given["DEM"], given["DEM_par"]]


def to_radar(given: Given, state: State) -> None:
    """Bring values of the map into radar geometry: geocode."""
    width = int(given["width_in"])
    table = np.fromfile(given["lookup_table"], ">c8").reshape(-1, width)
    values = np.fromfile(given["data_in"], ">f4").reshape(-1, width)
    shape = int(given["nlines_out"]), int(given["width_out"])
    out = np.zeros(shape, np.float32)
    seen = table != 0
    if not seen.any():
        raise CommandError("no overlap with lookup table")
    rows = np.clip(np.rint(table.imag[seen]).astype(int), 0, shape[0] - 1)
    cols = np.clip(np.rint(table.real[seen]).astype(int), 0, shape[1] - 1)
    out[rows, cols] = values[seen]
    where = distance_transform_edt(out == 0, return_distances=False, return_indices=True)
    write_raster(Path(given["data_out"]), out[tuple(where)])


def coregister(given: Given, state: State) -> None:
    """Bring the secondary onto the reference: ScanSAR_coreg.py."""
    looks = int(given["azlks"]), int(given["rlks"])
    pairs, orbits, products = _pairs(given["SLC1_tab"], given["SLC2_tab"], state)
    layout, dem = lay_out(pairs, looks), _dem(*state["dem"])
    prepared = [prepare(tile.pair, orbits, dem) for tile in layout.tiles]
    with _Images(pairs, products) as images:
        shift = estimate_shift(layout, prepared, images, dem, NO_OFFSET)
        offset = Offset(shift.lines if shift.significant else 0.0, 0.0)
        made = make_interferogram(layout, prepared, images, dem, offset)
    if not made.valid.any():
        raise CommandError(said("ScanSAR_coreg.py", "failed"))
    count = np.maximum(made.pixels, 1).astype(np.float32)
    np.savez("standin.npz", cross=made.cross / count)
    annotation = pairs[0].reference
    for name, power in (
        (given["SLC1_ID"], made.reference_power), (given["SLC2_ID"], made.secondary_power),
    ):  # fmt: skip
        write_raster(Path(f"{name}.rmli"), (power / count).astype(np.float32))
        rows, cols = layout.rows, layout.cols
        write_par(Path(f"{name}.rmli.par"), name, annotation, rows, cols, looks, "FLOAT")
        rows, cols = rows * looks[0], cols * looks[1]
        write_par(Path(f"{name}.rslc.par"), name, annotation, rows, cols, (1, 1), "SCOMPLEX")
        blank(Path(f"{name}.rslc"), rows, cols, 4)
    print(f"azimuth offset by spectral diversity: {shift.lines:.5f} lines")


def simulate_phase(given: Given, state: State) -> None:
    """Simulate the phase of orbits and heights: phase_sim_orb."""
    image = Parameters.read(next(Path().glob("*.rmli.par")))
    shape = int(image.number("azimuth_lines")), int(image.number("range_samples"))
    if Path(given["hgt"]).stat().st_size != shape[0] * shape[1] * 4:
        raise CommandError("line outside of image")
    # That of the native engine is taken away where it multiplies.
    write_raster(Path(given["sim_unw"]), np.zeros(shape, np.float32))


def interfere(given: Given, state: State) -> None:
    """Multiply, and take the simulated phase away: SLC_diff_intf."""
    with np.load("standin.npz") as made:
        write_raster(Path(given["diff_int"]), made["cross"].astype(np.complex64))


def coherence(given: Given, state: State) -> None:
    """Estimate the coherence: cc_wave."""
    width = int(given["width"])
    window = round(float(given["by"])), round(float(given["bx"]))
    cross = np.fromfile(given["interf"], ">c8").reshape(-1, width).astype(np.complex64)
    powers = [
        np.fromfile(given[n], ">f4").reshape(-1, width).astype(float) for n in ("MLI1", "MLI2")
    ]
    sums = [uniform_filter(one, window) for one in (cross.real, cross.imag, *powers)]
    found = np.hypot(sums[0], sums[1]) / np.sqrt(np.maximum(sums[2] * sums[3], 1e-20))
    found[cross == 0] = 0
    write_raster(Path(given["cc"]), np.clip(found, 0, 1).astype(np.float32))


def smooth(given: Given, state: State) -> None:
    """Filter the phase: adf."""
    width = int(given["width"])
    cross = np.fromfile(given["interf"], ">c8").reshape(-1, width).astype(np.complex64)
    size = np.abs(cross)
    unit = np.where(size > 0, cross / np.maximum(size, 1e-20), 0).astype(np.complex64)
    out = goldstein(unit, None, float(given["alpha"]), int(given["nfft"]))
    write_raster(Path(given["sm"]), np.where(size > 0, out, 0).astype(np.complex64))
    write_raster(Path(given["cc"]), (size > 0).astype(np.float32))


def unwrap_phase(given: Given, state: State) -> None:
    """Unwrap: mcf."""
    width = int(given["width"])
    cross = np.fromfile(given["interf"], ">c8").reshape(-1, width).astype(np.complex64)
    found = np.fromfile(given["wgt"], ">f4").reshape(-1, width).astype(np.float32)
    usable = (np.asarray(Image.open(given["mask"])) > 0) & (cross != 0)
    unit = np.where(usable, cross / np.maximum(np.abs(cross), 1e-20), 0).astype(np.complex64)
    write_raster(Path(given["unw"]), unwrap(unit, found, 20.0, usable).phase)


def to_map(given: Given, state: State) -> None:
    """Bring values of radar geometry to the map: geocode_back."""
    width, kind = int(given["width_in"]), _TYPES[given["dtype"]]
    stored = {"FLOAT": ">f4", "FCOMPLEX": ">c8"}[kind]
    values = np.fromfile(given["data_in"], stored).reshape(-1, width)
    values = values.astype(np.dtype(stored).newbyteorder("="))
    table = np.fromfile(given["lookup_table"], ">c8").reshape(-1, int(given["width_out"]))
    seen = table != 0
    place = _Place(
        np.where(seen, table.imag, np.nan).astype(np.float32),
        np.where(seen, table.real, np.nan).astype(np.float32),
    )
    filled = np.where(values == 0, np.nan, values).astype(values.dtype)
    if given["interp_mode"] == "0":
        out = nearest(filled, place, np.nan)  # type: ignore[arg-type]
    else:
        out = interpolate(filled, place)  # type: ignore[arg-type]
    write_raster(Path(given["data_out"]), out)


class _Place:
    """A lookup table without its grid."""

    def __init__(self, row: np.ndarray, col: np.ndarray) -> None:
        self.row, self.col = row, col


def _products(tab: str, state: State) -> tuple[SafeProduct, ...]:
    """Find the products that the swaths of a list came from; the test says where they are."""
    names = {
        Path(state[part]["annotation"]).name
        for stem in stems(tab)
        for part in state[stem].get("parts", [stem])
    }
    found = []
    for folder in state_folders():
        for path in sorted(folder.glob("S1*_IW_SLC*")):
            product = open_product(path)
            if names & {Path(member).name for member in product.members}:
                found.append(product)
    return tuple(sorted(found, key=lambda one: one.name.start))


def state_folders() -> list[Path]:
    """Folders of the products, from a file that the test leaves beside the home of the commands."""
    home = Path(__import__("os").environ["GAMMA_HOME"])
    return [Path(line) for line in (home / "products.txt").read_text().splitlines()]


def _orbit(tab: str, state: State) -> Any:
    products = _products(tab, state)
    file = state[stems(tab)[0]]["orbit"]
    return choose_orbit(products, None if file is None else Path(file)).orbit


def _pairs(tab: str, other: str, state: State) -> tuple[list, tuple, tuple]:
    """Match the bursts that two lists name."""
    one, two = _products(tab, state), _products(other, state)
    about = {state[stem]["swath"]: state[stem] for stem in stems(tab)}
    every = match_bursts(one, two, next(iter(about.values()))["polarisation"], None, set(about))
    chosen = []
    for swath, kept in about.items():
        count, places = 0, {}
        for product in one:
            annotation = product.annotation(swath, kept["polarisation"])
            for burst in annotation.bursts:
                count += 1
                places[annotation.file, burst.index] = count
        first, last = kept["bursts"]
        chosen += [
            pair for pair in every
            if pair.identity.swath == swath
            and first <= places[pair.reference.file, pair.reference_burst.index] <= last
        ]  # fmt: skip
    return chosen, (_orbit(tab, state), _orbit(other, state)), (*one, *two)


def _other(tab: str, state: State) -> str:
    """Name the other pass's list: GAMMA's mosaic needs none, the native engine's layout does."""
    dates = sorted(path.name for path in Path().glob("????????.SLC_tab"))
    return next(one for one in dates if one != tab)


def _layout(tab: str, state: State, looks: tuple[int, int]) -> tuple[Layout, Any]:
    pairs, _, _ = _pairs(tab, _other(tab, state), state)
    return lay_out(pairs, looks), pairs[0].reference


def _outline(tab: str, state: State) -> tuple[float, float, float, float]:
    pairs, _, _ = _pairs(tab, _other(tab, state), state)
    boxes = np.array([footprint(p.reference, p.reference_burst).bounds for p in pairs])
    return (*boxes[:, :2].min(0), *boxes[:, 2:].max(0))


def _power(tab: str, state: State, layout: Layout) -> np.ndarray:
    """Give the mean power of the reference; heights do not matter to it."""
    pairs, orbits, products = _pairs(tab, _other(tab, state), state)
    west, south, east, north = _outline(tab, state)
    step = 0.01
    shape = math.ceil((north - south + 0.4) / step), math.ceil((east - west + 0.4) / step)
    level = Dem(np.zeros(shape, np.float32), west - 0.2, north + 0.2, step, -step, "level")
    prepared = [prepare(tile.pair, orbits, level) for tile in layout.tiles]
    with _Images(pairs, products) as images:
        made = make_interferogram(layout, prepared, images, level)
    return (made.reference_power / np.maximum(made.pixels, 1)).astype(np.float32)


class _Images:
    """Measurements of pairs, open."""

    def __init__(self, pairs: list, products: tuple) -> None:
        self._pairs, self._products, self._open = pairs, products, {}

    def __enter__(self) -> dict:
        for pair in self._pairs:
            for annotation in (pair.reference, pair.secondary):
                for product in self._products:
                    channel = annotation.swath, annotation.polarisation
                    if (
                        channel in product.channels
                        and annotation.file not in self._open
                        and product.annotation(*channel).file == annotation.file
                    ):
                        self._open[annotation.file] = open_measurement(product, *channel)
        return self._open

    def __exit__(self, *exception: object) -> None:
        for one in self._open.values():
            one.close()


def _dem(raster: str, parameters: str) -> Dem:
    about = Parameters.read(Path(parameters))
    place = read_georeference(about)
    dx, _, left, _, dy, top = place.transform[:6]
    heights = read_raster(Path(raster), about).astype(np.float32)
    heights[heights == 0] = np.nan
    return Dem(np.ascontiguousarray(heights), left + dx / 2, top + dy / 2, dx, dy, raster)


WORK = {
    "SLC_mosaic_ScanSAR": mosaic,
    "multi_look": look_down,
    "gc_map2": make_lookup,
    "geocode": to_radar,
    "ScanSAR_coreg.py": coregister,
    "phase_sim_orb": simulate_phase,
    "SLC_diff_intf": interfere,
    "cc_wave": coherence,
    "adf": smooth,
    "mcf": unwrap_phase,
    "geocode_back": to_map,
}
