"""What GAMMA's commands read: the swaths' files, orbit files, heights, lists of files."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from affine import Affine

from geobservatory.errors import InputError
from geobservatory.files import written_whole
from geobservatory.insar.dem import Dem
from geobservatory.products.formats.gamma import dem_parameters, write_raster
from geobservatory.products.formats.georeference import Georeference
from geobservatory.sentinel1.orbit import unpacked_eof
from geobservatory.sentinel1.safe import SafeProduct


def lay_out_swath(product: SafeProduct, swath: str, polarisation: str, folder: Path) -> list[Path]:
    """Put image and annotation of a swath into a folder: linked, or unpacked from a zip.

    Returns
    -------
    files
        Image and annotation.
    """
    annotation = product.annotation_member(swath, polarisation)
    image = annotation.replace("annotation/", "measurement/").removesuffix(".xml") + ".tiff"
    folder.mkdir(parents=True, exist_ok=True)
    placed = []
    for member in (image, annotation):
        if member not in product.members:
            raise InputError(f"{product.path}: {member} is missing")
        path = folder / Path(member).name
        placed.append(path)
        if path.exists() and path.stat().st_size == product.members[member]:
            continue
        if product.path.is_dir():
            path.unlink(missing_ok=True)
            path.symlink_to((product.path / member).resolve())
            continue
        with (
            written_whole(path) as beside,
            beside.open("wb") as out,
            product.storage.open(member) as packed,
        ):
            shutil.copyfileobj(packed, out, 1 << 22)
    return placed


def lay_out_orbit(file: Path, folder: Path) -> Path:
    """Put an orbit file into a folder, unpacked, under the name GAMMA knows it by."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (file.name.split(".")[0] + ".EOF")
    with written_whole(path) as beside:
        beside.write_bytes(unpacked_eof(file))
    return path


def write_heights(dem: Dem, raster: Path, parameters: Path) -> None:
    """Write heights above the ellipsoid, zero where there are none, as GAMMA has them.

    Raises
    ------
    InputError
        If rows do not run from the north down.
    """
    if dem.latitude_step > 0:
        raise InputError(f"{dem.source}: its rows run from the south up")
    rows, cols = dem.heights.shape
    corner = dem.longitude - dem.longitude_step / 2, dem.latitude - dem.latitude_step / 2
    place = Georeference(
        "EPSG:4326",
        Affine(dem.longitude_step, 0.0, corner[0], 0.0, dem.latitude_step, corner[1]),
        rows,
        cols,
    )
    # Zero is nothing to GAMMA; a height of exactly zero is told apart by a millimetre.
    heights = np.where(dem.heights == 0, np.float32(1e-3), dem.heights)
    write_raster(raster, heights)
    dem_parameters(place, "heights above the WGS 84 ellipsoid").write(parameters)


def write_tab(path: Path, stems: Sequence[str]) -> None:
    """Write a list of burst images: image, its parameters, those of its bursts, a line a swath."""
    lines = [f"{stem} {stem}.par {stem}.tops_par" for stem in stems]
    with written_whole(path) as beside:
        beside.write_text("\n".join(lines) + "\n")


def write_bursts(path: Path, spans: Sequence[tuple[int, int]]) -> None:
    """Write a table of bursts: the first and last of each swath, counted from one."""
    with written_whole(path) as beside:
        beside.write_text("".join(f"{first} {last}\n" for first, last in spans))
