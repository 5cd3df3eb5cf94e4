"""Write a simulated date as a Sentinel-1 product: a SAFE in a zip, as hubs deliver it.

Pixels go to the disk as they are made. The zip stores without compression, so that readers can map
them; it appears under its name when it is whole.
"""

import shutil
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
import tifffile
from rasterio.windows import Window as RasterWindow

from geobservatory.errors import InputError
from geobservatory.files import sweep, written_whole
from geobservatory.sandbox.annotate import annotation_xml
from geobservatory.sandbox.calibrate import calibration_xml, noise_xml
from geobservatory.sandbox.channel import Channel, data_take
from geobservatory.sandbox.image import burst_strips
from geobservatory.sandbox.manifest import manifest_xml
from geobservatory.sandbox.plan import Plan, Shot
from geobservatory.sentinel1.safe import open_product

Progress = Callable[[int], None]
"""Called with the number of lines that were added."""


def channels(plan: Plan, shot: Shot) -> list[Channel]:
    """List the images of a date, numbered as products number them."""
    found: list[Channel] = []
    for polarisation in sorted(plan.scenario.polarisations):
        for window in plan.windows:
            found.append(Channel(plan, shot, window, polarisation, len(found) + 1))
    return found


def product_name(plan: Plan, shot: Shot) -> str:
    """Name a date's product, without ``.SAFE``; the last part depends on what is simulated."""
    spans = [one.span for one in channels(plan, shot)]
    start, stop = (
        str(time.astype("datetime64[s]")).replace("-", "").replace(":", "")
        for time in (min(one for one, _ in spans), max(one for _, one in spans))
    )
    dual = "DV" if len(plan.scenario.polarisations) == 2 else "SV"
    # A real name ends with a checksum of the manifest; this one is known before the pixels are.
    content = plan.scenario.model_dump_json() + plan.size + str(shot.acquisition)
    return (
        f"{plan.passing.mission}_IW_SLC__1S{dual}_{start}_{stop}_{shot.absolute_orbit:06d}_"
        f"{data_take(shot):06X}_{zlib.crc32(content.encode()) & 0xFFFF:04X}"
    )


def write_product(plan: Plan, shot: Shot, folder: Path, progress: Progress) -> Path:
    """Simulate a date and write its product; one that is there already stays as it is.

    Raises
    ------
    OSError
        If the folder cannot be written or the disk is full; nothing is left under a final name.
    """
    name = product_name(plan, shot)
    path = folder / f"{name}.SAFE.zip"
    sweep(path)
    if path.exists() and _whole(path):
        progress(sum(one.lines for one in channels(plan, shot)))
        return path
    with written_whole(path) as beside:
        work = beside.with_suffix(".files")
        try:
            members = _write_members(plan, shot, work, progress)
            manifest = manifest_xml(channels(plan, shot), work, members)
            (work / "manifest.safe").write_bytes(manifest)
            _pack(beside, f"{name}.SAFE", work, ["manifest.safe", *members])
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return path


def _pack(path: Path, root: str, work: Path, members: list[str]) -> None:
    """Store files in a zip; of one time, so that the same files make the same zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for member in members:
            entry = zipfile.ZipInfo(f"{root}/{member}", date_time=(2014, 10, 3, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            entry.file_size = (work / member).stat().st_size
            with (work / member).open("rb") as file, archive.open(entry, "w") as packed:
                shutil.copyfileobj(file, packed, 1 << 20)
            (work / member).unlink()


def _whole(path: Path) -> bool:
    """Tell whether a product that is there is one."""
    try:
        return open_product(path).problems == ()
    except InputError:
        return False


def _write_members(plan: Plan, shot: Shot, work: Path, progress: Progress) -> list[str]:
    (work / "annotation" / "calibration").mkdir(parents=True)
    (work / "measurement").mkdir()
    members = []
    for channel in channels(plan, shot):
        tiff = f"measurement/{channel.stem}.tiff"
        _write_pixels(channel, work / tiff, progress)
        with tifffile.TiffFile(work / tiff) as written:
            page = written.pages[0]
            assert isinstance(page, tifffile.TiffPage)  # noqa: S101 - the first page is read whole
            offset = int(page.dataoffsets[0])
        texts = {
            f"annotation/{channel.stem}.xml": annotation_xml(channel, offset),
            f"annotation/calibration/calibration-{channel.stem}.xml": calibration_xml(channel),
            f"annotation/calibration/noise-{channel.stem}.xml": noise_xml(channel),
        }
        for member, content in texts.items():
            (work / member).write_bytes(content)
        members += [*texts, tiff]
    return members


def _write_pixels(channel: Channel, path: Path, progress: Progress) -> None:
    """Stream the bursts of a channel into a TIFF of complex 16-bit integers, a line a strip."""
    plan, window = channel.plan, channel.window
    profile = {
        "driver": "GTiff",
        "width": window.samples,
        "height": channel.lines,
        "count": 1,
        "dtype": "complex_int16",
        "BLOCKYSIZE": 1,
        "BIGTIFF": "IF_SAFER",
    }
    with warnings.catch_warnings():
        # A radar image has no geotransform.
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path, "w", **profile) as tiff:
            for k, burst in enumerate(plan.numbers(channel.shot)):
                top = k * window.swath.lines
                strips = burst_strips(plan, channel.shot, window, burst, channel.polarisation)
                for strip in strips:
                    lines = strip.pixels.shape[0]
                    where = RasterWindow(0, top + strip.first_line, window.samples, lines)
                    tiff.write(np.round(strip.pixels), 1, window=where)
                    progress(lines)
