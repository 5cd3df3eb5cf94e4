"""The inputs of an interferogram laid out in a folder, as other programs want them.

Products unpacked or copied, the orbit files taken, one DEM above the ellipsoid, the area, and
`request.json` that says what is what (`docs/engines.md` lists its fields). Nothing of it is a link:
a program that writes over its inputs spoils its own copy, never the archive.
"""

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.transform import from_origin
from shapely.geometry import mapping

from geobservatory.engines.inputs import Inputs
from geobservatory.engines.request import Request
from geobservatory.errors import InputError
from geobservatory.files import written_whole
from geobservatory.insar.baseline import baseline_of
from geobservatory.insar.dem import Dem
from geobservatory.sentinel1.safe import SafeProduct, channel_of
from geobservatory.sentinel1.storage import DAMAGE

REQUEST = "request.json"
_COPY, _AT_ONCE = 1 << 22, 1 << 30


def hand_over(inputs: Inputs, request: Request, folder: Path) -> None:
    """Lay out the inputs in a folder; what is there already, of an earlier try, stays.

    Raises
    ------
    InputError
        If a product is damaged, or the disk too small.
    OSError
        If the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    channels = {(tile.pair.identity.swath, inputs.polarisation) for tile in inputs.layout.tiles}
    _require_room(inputs, channels, folder)
    for which in ("reference", "secondary"):
        for product in getattr(inputs, which):
            unpack(product, folder / which, channels)
    for orbit in inputs.orbits:
        if orbit.file is not None:
            (folder / "orbits").mkdir(exist_ok=True)
            shutil.copyfile(orbit.file, folder / "orbits" / orbit.file.name)
    write_heights(inputs.dem, folder / "dem.tif")
    area = request.area if request.area is not None else inputs.footprint
    for name, content in (
        ("area.geojson", {"type": "Feature", "properties": {}, "geometry": mapping(area)}),
        (REQUEST, told(inputs, request)),
    ):
        with written_whole(folder / name) as beside:
            beside.write_text(json.dumps(content, indent=2))


def unpack(product: SafeProduct, into: Path, channels: set[tuple[str, str]]) -> Path:
    """Have a product as a SAFE folder of its own: copied from a folder, or unpacked from a zip.

    What is there already stays if nothing has touched it since; otherwise it is made anew.

    Parameters
    ----------
    into
        Folder to which the product's own is added.
    channels
        Swaths and polarisations whose images are needed; the others stay packed.

    Returns
    -------
    folder
        The product's.

    Raises
    ------
    InputError
        If the zip is damaged.
    """
    into.mkdir(parents=True, exist_ok=True)
    folder = into / f"{product.name}.SAFE"
    laid = into / f".{product.name}.laid"
    if laid.is_file() and laid.read_text() == _state(folder):
        return folder
    beside = into / f".{product.name}.part"
    for old in (folder, beside):
        shutil.rmtree(old, ignore_errors=True)
    try:
        for member in product.members:
            if _needed(product, member, channels):
                path = beside / member
                path.parent.mkdir(parents=True, exist_ok=True)
                if product.path.is_dir():
                    copy(product.path / member, path)
                    continue
                with product.storage.open(member) as packed, path.open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked, _COPY)
    except DAMAGE as error:
        if isinstance(error, OSError):
            raise
        raise InputError(f"{product.path}: damaged ({error}); fetch it again") from error
    beside.rename(folder)
    with written_whole(laid) as told:
        told.write_text(_state(folder))
    return folder


def copy(file: Path, path: Path) -> None:
    """Copy a file's content; by reference until one of the two is written to, where the disk can.

    Raises
    ------
    OSError
        If it cannot be read or written.
    """
    try:
        with file.open("rb") as read, path.open("wb") as written:
            # Btrfs and XFS share the blocks then; others copy without taking them through us.
            while os.copy_file_range(read.fileno(), written.fileno(), _AT_ONCE):
                pass
        if path.stat().st_size == file.stat().st_size:
            return
    except OSError as error:
        # Not between all file systems. What is wrong with the disk is said by the plain copy.
        if error.errno == errno.ENOSPC:
            raise
    shutil.copyfile(file, path)


def _state(folder: Path) -> str:
    """Tell the state of all files in a folder: whoever writes to one changes its time of change."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return json.dumps(
        [
            [str(path.relative_to(folder)), about.st_size, about.st_ctime_ns]
            for path in found
            for about in (path.lstat(),)
        ]
    )


def write_heights(dem: Dem, path: Path) -> None:
    """Write heights above the ellipsoid as a GeoTIFF (EPSG:4326, metres, NaN where unknown)."""
    north, step = dem.latitude, dem.latitude_step
    heights = dem.heights
    if step > 0:
        heights = heights[::-1]
        north, step = dem.latitude + (len(heights) - 1) * step, -step
    with written_whole(path) as beside, rasterio.open(
        beside, "w", driver="GTiff", height=heights.shape[0], width=heights.shape[1], count=1,
        dtype="float32", nodata=np.nan, crs="EPSG:4326", tiled=True, compress="deflate",
        transform=from_origin(
            dem.longitude - dem.longitude_step / 2, north - step / 2, dem.longitude_step, -step
        ),
    ) as file:  # fmt: skip
        file.write(heights, 1)
        file.update_tags(VERTICAL_DATUM="WGS84 ellipsoid", SOURCE=dem.source)


def told(inputs: Inputs, request: Request) -> dict[str, Any]:
    """Say in plain words and numbers what is asked for and what lies where."""
    grid, layout = inputs.grid, inputs.layout
    apart = [baseline_of(tile.pair, inputs.flown).perpendicular_m for tile in layout.tiles]
    files = [None if one.file is None else f"orbits/{one.file.name}" for one in inputs.orbits]
    images = {
        which: {
            "products": [f"{which}/{one.name}.SAFE" for one in getattr(inputs, which)],
            "time": getattr(inputs, which)[0].name.start.isoformat(),
            "orbit": orbit,
        }
        for which, orbit in zip(("reference", "secondary"), files, strict=True)
    }
    west, south, east, north = inputs.footprint.bounds
    return {
        **images,
        "dem": "dem.tif",
        "area": "area.geojson",
        "bounds": {"west": west, "south": south, "east": east, "north": north},
        "polarisation": inputs.polarisation,
        "swaths": sorted({tile.pair.identity.swath for tile in layout.tiles}),
        "bursts": [
            {
                "swath": tile.pair.identity.swath,
                "number": tile.pair.identity.number,
                "reference": _place(tile.pair.reference.file, tile.pair.reference_burst.index),
                "secondary": _place(tile.pair.secondary.file, tile.pair.secondary_burst.index),
            }
            for tile in layout.tiles
        ],
        "looks": {"azimuth": layout.looks[0], "range": layout.looks[1]},
        "spacing_m": request.spacing_m,
        "map": {
            "crs": grid.crs,
            "left": grid.left,
            "top": grid.top,
            "step": grid.step,
            "rows": grid.rows,
            "cols": grid.cols,
        },
        "wavelength_m": inputs.pair.reference.wavelength_m,
        "relative_orbit": inputs.relative_orbit,
        "direction": inputs.pair.reference.direction,
        "perpendicular_baseline_m": float(np.mean(apart)),
        "filter": request.filtered,
        "unwrap": request.unwrapped,
        "spectral_diversity": request.spectral_diversity,
        "threads": request.threads,
    }


def _place(annotation: str, index: int) -> dict[str, Any]:
    """Name the annotation that tells of a burst, without folders, and the burst's place in it."""
    return {"annotation": annotation.rsplit("/", 1)[-1], "index": index}


def _needed(product: SafeProduct, member: str, channels: set[tuple[str, str]]) -> bool:
    """Tell whether a member is needed: all but images of other swaths or polarisations."""
    if not member.startswith("measurement/"):
        return True
    twin = "annotation/" + Path(member).stem + ".xml"
    return channel_of(twin) in channels


def _require_room(inputs: Inputs, channels: set[tuple[str, str]], folder: Path) -> None:
    """Refuse to lay out what the disk cannot hold; that blocks may be shared is not counted on."""
    needed = sum(
        size
        for product in (*inputs.reference, *inputs.secondary)
        for member, size in product.members.items()
        if _needed(product, member, channels)
    )
    have = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    free = shutil.disk_usage(folder).free
    if free < needed - have:
        raise InputError(
            f"{folder}: {free / 1e9:.1f} GB are free; the program's own copy of the "
            f"products takes {(needed - have) / 1e9:.1f} GB more"
        )
