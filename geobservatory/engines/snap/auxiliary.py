"""What SNAP finds in its user directory and beside: orbit files, auxiliary data, heights."""

import time
import zipfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from geobservatory.engines.inputs import Inputs
from geobservatory.engines.request import Request
from geobservatory.engines.snap.steps import DEM_NODATA, OrbitKind
from geobservatory.files import written_whole
from geobservatory.insar.geoid_grids import GRIDS_ADDRESS, load_geoid
from geobservatory.sentinel1.orbit import unpacked_eof
from geobservatory.sentinel1.orbit_files import ChosenOrbit, parse_orbit_name

_ROWS = 512
_GEOID = "dem/egm96/ww15mgh_b.zip"
_AUXDATA = "https://step.esa.int/auxdata"


def lay_out_user_dir(
    folder: Path, auxdata: Path | None, orbits: Sequence[tuple[ChosenOrbit, datetime]]
) -> tuple[OrbitKind | None, ...]:
    """Make a user directory for one run, with the orbit files where SNAP looks for them.

    Auxiliary data of the machine's SNAP (the geoid, and what else it fetched) are linked, so that
    they are not fetched again; its database is not, so that no two runs share one.

    Parameters
    ----------
    orbits
        The orbit of each pass, and when the pass began.

    Returns
    -------
    kinds
        Of the orbit files, for Apply-Orbit-File; None where a pass has none.
    """
    here = folder / "auxdata"
    here.mkdir(parents=True, exist_ok=True)
    theirs = auxdata_of(auxdata)
    if theirs.is_dir():
        for one in theirs.iterdir():
            if one.name != "Orbits" and not (here / one.name).exists():
                (here / one.name).symlink_to(one.resolve())
    return tuple(_place(here, chosen, start) for chosen, start in orbits)


def auxdata_of(named: Path | None) -> Path:
    """Name the folder of what the machine's SNAP has fetched before: as set, or its user's."""
    return named or Path.home() / ".snap" / "auxdata"


def geoid_to_fetch(auxdata: Path | None) -> str | None:
    """Say that SNAP will have to fetch its geoid, and how to spare it that; None if it is there.

    Where it looks and where it fetches from: EarthGravitationalModel96 of snap-engine.
    """
    path = auxdata_of(auxdata) / _GEOID
    if path.is_file():
        return None
    return (
        f"SNAP will fetch the geoid EGM96 as it works; without network it fails: put "
        f"{_AUXDATA}/{_GEOID} at {path}"
    )


def _place(auxdata: Path, chosen: ChosenOrbit, start: datetime) -> OrbitKind | None:
    if chosen.file is None:
        return None
    name = parse_orbit_name(chosen.file.name)
    kind: OrbitKind = "POEORB" if name.kind == "POEORB" else "RESORB"
    content = unpacked_eof(chosen.file)
    # By the month of the pass; SNAP files them by that of their own beginning as well.
    for month in {(one.year, one.month) for one in (start, name.start)}:
        folder = auxdata.joinpath(
            "Orbits", "Sentinel-1", kind, name.mission, f"{month[0]}", f"{month[1]:02d}"
        )
        folder.mkdir(parents=True, exist_ok=True)
        with (
            written_whole(folder / f"{name}.EOF.zip") as beside,
            zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            archive.writestr(f"{name}.EOF", content)
    return kind


def write_dem(inputs: Inputs, request: Request, path: Path) -> None:
    """Write the heights as SNAP takes those of an external DEM: above EGM96.

    Back-Geocoding has no parameter that says otherwise; given ellipsoidal heights it would be off
    by the geoid, tens of metres.

    Raises
    ------
    InputError, TransientError
        If the grid of EGM96 is not to be had.
    """
    dem = inputs.dem
    # NGA's own, which SNAP has: not that of a server which may mean another by the name.
    geoid = load_geoid("EGM96", request.cache, GRIDS_ADDRESS, time.sleep)
    rows, cols = dem.heights.shape
    longitude = dem.longitude + np.arange(cols, dtype=np.float64) * dem.longitude_step
    profile = {
        "driver": "GTiff", "height": rows, "width": cols, "count": 1, "dtype": "float32",
        "crs": "EPSG:4326", "nodata": DEM_NODATA, "compress": "NONE", "tiled": False,
        "transform": Affine(
            dem.longitude_step, 0.0, dem.longitude - dem.longitude_step / 2,
            0.0, dem.latitude_step, dem.latitude - dem.latitude_step / 2,
        ),
    }  # fmt: skip
    with written_whole(path) as beside, rasterio.open(beside, "w", **profile) as file:
        for first in range(0, rows, _ROWS):
            part = dem.heights[first : first + _ROWS]
            lines = np.arange(first, first + len(part), dtype=np.float64)
            latitude = dem.latitude + lines * dem.latitude_step
            above = part - geoid.undulation(latitude[:, None], longitude[None, :])
            above[np.isnan(above)] = DEM_NODATA
            window = rasterio.windows.Window(0, first, cols, len(part))
            file.write(above.astype(np.float32), 1, window=window)
