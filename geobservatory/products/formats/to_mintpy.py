"""Maps of a track as MintPy's inputs: ``inputs/ifgramStack.h5`` and ``inputs/geometryGeo.h5``.

The files are those that its `load_data` makes of any processor's products (structure:
`mintpy.objects.ifgramStack`, `mintpy.objects.geometry`; attributes as `prep_hyp3` fills them), so
that work goes on with `modify_network`, `reference_point` and `ifgram_inversion`.

Signs
-----
MintPy takes the phase of a pair for what came from date 1 to date 2, and multiplies it by −λ/4π for
motion, positive toward the satellite (`ifgram_inversion`): phase is positive away, as ours is.
Angles: see `angles`.

``STARTING_RANGE``, ``HEIGHT``, ``EARTH_RADIUS`` and ``slantRangeDistance`` are those of a mean
orbit, within 1 %: MintPy uses them for errors of the DEM and the geometry of baselines.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from geobservatory.files import written_whole
from geobservatory.insar.map_grid import MapGrid
from geobservatory.insar.masks import Mask
from geobservatory.products.formats.angles import (
    ORBIT_RADIUS_M,
    earth_radius,
    incidence_and_azimuth,
    slant_range,
)
from geobservatory.products.formats.made_map import MadeMap
from geobservatory.products.formats.nothing import zero_for_nothing
from geobservatory.products.formats.stacks import Stack

# Single looks of IW, mid swath: MintPy's own `sensor.SEN`.
_RANGE_M, _AZIMUTH_M, _PULSES_HZ = 2.329562, 14.1, 486.486


def write(stack: Stack, folder: Path) -> list[Path]:
    """Write a stack into a folder, which is MintPy's work folder then.

    Raises
    ------
    InputError
        If a map was not unwrapped, or a layer is damaged.
    OSError
        If the folder cannot be written.
    """
    inputs = folder / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    shared = _attributes(stack)
    files = [inputs / "ifgramStack.h5", inputs / "geometryGeo.h5"]
    with written_whole(files[0]) as beside, h5py.File(beside, "w") as file:
        _write_stack(file, stack)
        file.attrs.update({**shared, **_pair_attributes(stack.maps[0])})
        file.attrs["FILE_TYPE"] = "ifgramStack"
    with written_whole(files[1]) as beside, h5py.File(beside, "w") as file:
        for name, values in _geometry(stack):
            file.create_dataset(name, data=values, chunks=True, compression="lzf")
        file.attrs.update({**shared, "FILE_TYPE": "geometry"})
    return files


def _write_stack(file: h5py.File, stack: Stack) -> None:
    """Write the layers pair by pair, so that one map is in memory at a time."""
    layers: tuple[tuple[str, str, type[np.generic], Callable[[Any], Any]], ...] = (
        ("unwrapPhase", "unwrapped_phase", np.float32, zero_for_nothing),
        ("coherence", "coherence", np.float32, zero_for_nothing),
        ("connectComponent", "connected_components", np.int16, _components),
        ("wrapPhase", "wrapped_phase", np.float32, zero_for_nothing),
    )
    shape = len(stack.maps), stack.grid.rows, stack.grid.cols
    for name, layer, kind, cleaned in layers:
        dataset = file.create_dataset(
            name, shape, kind, maxshape=(None, *shape[1:]), chunks=True, compression="lzf"
        )
        for index, made in enumerate(stack.maps):
            # MintPy's nothing is 0.
            dataset[index] = cleaned(stack.place(made.layer(layer), made))
    dates = [[one.encode() for one in made.dates] for made in stack.maps]
    file.create_dataset("date", data=np.array(dates, dtype="S8"))
    baselines = [made.about["geobs:perpendicular_baseline_m"] for made in stack.maps]
    file.create_dataset("bperp", data=np.array(baselines, np.float32))
    # True is kept, whatever the name says.
    file.create_dataset("dropIfgram", data=np.ones(len(stack.maps), np.bool_))


def _components(values: NDArray[np.uint16]) -> NDArray[np.int16]:
    return np.where(values < 2**15, values, 0).astype(np.int16)


def _geometry(stack: Stack) -> Iterator[tuple[str, NDArray[Any]]]:
    """Give the layers of the geometry: of each cell those of the first map that has them."""
    height, east, north, up = (
        _first(stack, name) for name in ("height", "los_east", "los_north", "los_up")
    )
    incidence, azimuth = incidence_and_azimuth(east, north, up)
    yield "height", height
    yield "incidenceAngle", incidence
    yield "azimuthAngle", azimuth
    radius = earth_radius(_middle(stack.grid)[1])
    yield "slantRangeDistance", slant_range(incidence, radius, height).astype(np.float32)
    dry, seen = (np.zeros(height.shape, np.bool_) for _ in range(2))
    for made in stack.maps:
        # Turned and back, so that all bits stand about the map: nothing is known there.
        mask = ~stack.place(~made.layer("mask"), made)
        dry |= (mask & Mask.WATER) == 0
        seen |= (mask & (Mask.LAYOVER | Mask.SHADOW)) == 0
    yield "waterMask", dry
    yield "shadowMask", ~seen


def _first(stack: Stack, name: str) -> NDArray[np.float32]:
    out = np.full((stack.grid.rows, stack.grid.cols), np.nan, np.float32)
    for made in stack.maps:
        values = stack.place(made.layer(name), made)
        np.copyto(out, values, where=np.isnan(out))
    return out


def _attributes(stack: Stack) -> dict[str, str]:
    """Say of the stack what MintPy wants to know; all as text, as it has them."""
    made, grid = stack.maps[0], stack.grid
    about = made.about
    radius = earth_radius(_middle(grid)[1])
    incidence = made.layer("incidence_angle")
    middle = made.middle_time("reference")
    range_looks, azimuth_looks = about["sar:looks_range"], about["sar:looks_azimuth"]
    nearest = float(slant_range(np.nanmin(incidence), radius, 0.0))
    values: dict[str, object] = {
        "PROCESSOR": "geobservatory",
        "PROJECT_NAME": f"track-{stack.name}",
        "PLATFORM": "Sen",
        "mission": about["geobs:reference"]["mission"],
        "beam_mode": "IW",
        "beam_swath": "".join(one[-1] for one in about["geobs:swaths"]),
        "relative_orbit": about["sat:relative_orbit"],
        "ORBIT_DIRECTION": about["sat:orbit_state"].upper(),
        "HEADING": made.heading_deg,
        "ANTENNA_SIDE": -1,
        "CENTER_LINE_UTC": _seconds_of_day(middle),
        "WAVELENGTH": made.wavelength_m,
        "PRF": _PULSES_HZ,
        "RLOOKS": range_looks,
        "ALOOKS": azimuth_looks,
        "NCORRLOOKS": about["sar:looks_equivalent_number"],
        "RANGE_PIXEL_SIZE": _RANGE_M * range_looks,
        "AZIMUTH_PIXEL_SIZE": _AZIMUTH_M * azimuth_looks,
        "STARTING_RANGE": nearest,
        "HEIGHT": ORBIT_RADIUS_M - radius,
        "EARTH_RADIUS": radius,
        "CENTER_INCIDENCE_ANGLE": float(np.nanmean(incidence)),
        "LENGTH": grid.rows,
        "WIDTH": grid.cols,
        "X_FIRST": grid.left,
        "Y_FIRST": grid.top,
        "X_STEP": grid.step,
        "Y_STEP": -grid.step,
        "X_UNIT": "meters",
        "Y_UNIT": "meters",
        "EPSG": grid.crs.removeprefix("EPSG:"),
        "unwrap_method": str(about["geobs:parameters"].get("unwrapper")),
        **_corners(grid, about["sat:orbit_state"] == "ascending"),
    }
    if zone := CRS.from_user_input(grid.crs).utm_zone:
        values["UTM_ZONE"] = zone
    return {key: str(value) for key, value in values.items()}


def _pair_attributes(made: MadeMap) -> dict[str, str]:
    first, second = made.dates
    baseline = str(made.about["geobs:perpendicular_baseline_m"])
    return {
        "DATE12": f"{first[2:]}-{second[2:]}",
        "P_BASELINE_TOP_HDR": baseline,
        "P_BASELINE_BOTTOM_HDR": baseline,
        "UNIT": "radian",
    }


def _seconds_of_day(time: dt.datetime) -> float:
    return (time - time.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()


def _corners(grid: MapGrid, ascending: bool) -> dict[str, float]:
    """Give the corners as MintPy counts them: the first two were seen first, near range first."""
    right, bottom = grid.left + grid.cols * grid.step, grid.top - grid.rows * grid.step
    south, north = (
        ((grid.left, bottom), (right, bottom)),
        ((grid.left, grid.top), (right, grid.top)),
    )
    # Looking to the right, an ascending pass sees the west first, a descending one the east.
    order = (*south, *north) if ascending else (*north[::-1], *south[::-1])
    back = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    corners: dict[str, float] = {}
    for number, (x, y) in enumerate(order, 1):
        longitude, latitude = back.transform(x, y)
        corners |= {f"LON_REF{number}": longitude, f"LAT_REF{number}": latitude}
    return corners


def _middle(grid: MapGrid) -> tuple[float, float]:
    back = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    x, y = grid.left + grid.cols * grid.step / 2, grid.top - grid.rows * grid.step / 2
    longitude, latitude = back.transform(x, y)
    return float(longitude), float(latitude)
