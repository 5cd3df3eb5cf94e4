"""Maps of a track as LiCSAR's products, which LiCSBAS starts from: a folder ``GEOC``.

Names and types are those that `LiCSBAS02_ml_prep` reads (version 1.7 of LiCSBAS), on longitude and
latitude: of each pair ``GEOC/20230904_20230916/20230904_20230916.geo.unw.tif`` and
``….geo.cc.tif``; once ``….geo.E.tif``, ``N``, ``U``, ``hgt``, ``mli``, and the texts ``baselines``
and ``metadata.txt``.

Signs
-----
Unwrapped phase in radians, positive away from the satellite: `LiCSBAS13_sb_inv` multiplies by −λ/4π
for motion toward it. E, N, U are components of the unit vector from the ground to the satellite (E
is positive where it is seen from the east: `LiCSBAS_decomposeLOS`). Both are as ours are.
Coherence is 0 to 255; nothing is 0.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from geobservatory.files import written_whole
from geobservatory.products.formats.degrees import degrees_grid, phase_to_degrees, to_degrees
from geobservatory.products.formats.georeference import Georeference
from geobservatory.products.formats.made_map import MadeMap
from geobservatory.products.formats.nothing import zero_for_nothing
from geobservatory.products.formats.stacks import Stack, baselines_by_date


def write(stack: Stack, folder: Path) -> list[Path]:
    """Write a stack into a folder; then ``LiCSBAS02_ml_prep.py -i GEOC``.

    Raises
    ------
    InputError
        If a map was not unwrapped, or a layer is damaged.
    OSError
        If the folder cannot be written.
    """
    target = degrees_grid([stack.grid])
    base = folder / "GEOC"
    base.mkdir(parents=True, exist_ok=True)
    files = []
    for ending, values in _shared(stack, target):
        files.append(_write(base / f"{stack.name}.geo.{ending}.tif", values, target))
    for made in stack.maps:
        pair = "_".join(made.dates)
        (base / pair).mkdir(exist_ok=True)
        for ending, values in _layers(made, target):
            files.append(_write(base / pair / f"{pair}.geo.{ending}.tif", values, target))
    for name, text in (("baselines", _baselines(stack)), ("metadata.txt", _metadata(stack))):
        with written_whole(base / name) as beside:
            beside.write_text(text, encoding="ascii")
        files.append(base / name)
    return files


def _layers(made: MadeMap, target: Georeference) -> Iterator[tuple[str, NDArray[Any]]]:
    phase = phase_to_degrees(made.layer("unwrapped_phase"), made.grid, target)
    yield "unw", zero_for_nothing(phase)
    coherence = to_degrees(made.layer("coherence"), made.grid, target)
    yield "cc", np.rint(np.nan_to_num(coherence) * 255).astype(np.uint8)
    wrapped = made.layer("wrapped_phase")
    cosine, sine = (to_degrees(one(wrapped), made.grid, target) for one in (np.cos, np.sin))
    yield "diff_pha", zero_for_nothing(np.arctan2(sine, cosine))


def _shared(stack: Stack, target: Georeference) -> Iterator[tuple[str, NDArray[Any]]]:
    """Give what is there once: of each cell that of the first map that has it."""
    names = {"E": "los_east", "N": "los_north", "U": "los_up", "hgt": "height", "mli": "amplitude"}
    for ending, layer in names.items():
        out = np.full((target.rows, target.cols), np.nan, np.float32)
        for made in stack.maps:
            values = to_degrees(made.layer(layer), made.grid, target)
            np.copyto(out, values, where=np.isnan(out))
        # Intensity, as a multi-looked image has it.
        yield ending, zero_for_nothing(np.square(out) if ending == "mli" else out)


def _write(path: Path, values: NDArray[Any], target: Georeference) -> Path:
    profile = {
        "driver": "GTiff", "height": target.rows, "width": target.cols, "count": 1,
        "dtype": values.dtype.name, "crs": target.crs, "transform": target.transform,
        "nodata": 0, "compress": "DEFLATE", "predictor": 3 if values.dtype.kind == "f" else 2,
    }  # fmt: skip
    with rasterio.Env(GDAL_PAM_ENABLED=False), rasterio.MemoryFile(ext=".tif") as memory:
        with memory.open(**profile) as file:
            file.write(values, 1)
        with written_whole(path) as beside, beside.open("wb") as out:
            out.write(memory.getbuffer())
    return path


def _baselines(stack: Stack) -> str:
    """One line for each day after the first: first day, day, perpendicular metres, days."""
    of_day = baselines_by_date(stack.maps)
    first, *others = sorted(of_day)
    since = np.datetime64(_iso(first))
    return "".join(
        f"{first} {day} {of_day[day]:.1f} {(np.datetime64(_iso(day)) - since).astype(int):.1f}\n"
        for day in others
    )


def _iso(day: str) -> str:
    return f"{day[:4]}-{day[4:6]}-{day[6:]}"


def _metadata(stack: Stack) -> str:
    made = stack.maps[0]
    incidence = float(np.nanmean(made.layer("incidence_angle")))
    return (
        f"center_time={made.middle_time('reference'):%H:%M:%S.%f}\n"
        f"heading={made.heading_deg:.4f}\n"
        f"avg_incidence_angle={incidence:.4f}\n"
        f"master={min(one.dates[0] for one in stack.maps)}\n"
    )
