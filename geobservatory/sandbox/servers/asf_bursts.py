"""Single bursts, cut out of products when they are first asked for, as the ASF does.

Source: Sentinel-1 Burst Extractor, documentation of the ASF (``GET /{granule}/{subswath}/
{polarization}/{burst_index}.{file_type}``: 202 until it is there, then 307); what is in the files
follows the programs that read them (hyp3-isce2, burst2safe).
"""

import asyncio
import re
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import rasterio
from lxml import etree
from rasterio.windows import Window

from geobservatory.errors import NotFoundError
from geobservatory.files import written_whole
from geobservatory.sandbox.servers.stock import StockItem
from geobservatory.sentinel1.measurement import open_measurement
from geobservatory.sentinel1.safe import open_product

PATH = r"/{granule:S1[A-D]_\w+}/{swath:\w+}/{polarisation:\w+}/{file:\d+\.(?:tiff|xml)}"
_LINES = 256
# The kinds of files, by where they lie and how their names begin.
_KINDS = {
    "product": re.compile(r"annotation/(s1[a-d]-(\w+)-slc-(\w\w)-[^/]*\.xml)"),
    "calibration": re.compile(
        r"annotation/calibration/(calibration-s1[a-d]-(\w+)-slc-(\w\w)-.*\.xml)"
    ),
    "noise": re.compile(r"annotation/calibration/(noise-s1[a-d]-(\w+)-slc-(\w\w)-.*\.xml)"),
    "rfi": re.compile(r"annotation/rfi/(rfi-s1[a-d]-(\w+)-slc-(\w\w)-.*\.xml)"),
}


class BurstExtractor:
    """Cuts bursts out, and keeps them while the server runs.

    Parameters
    ----------
    seconds
        From the first request for a file until it is there.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._folder = TemporaryDirectory(prefix="geobservatory-bursts-")
        self._began: dict[Path, float] = {}
        self._locks: dict[Path, asyncio.Lock] = {}

    async def extract(
        self, item: StockItem, swath: str, polarisation: str, file: str
    ) -> Path | None:
        """Cut out a burst (``5.tiff``) or the metadata of its product (``5.xml``).

        Returns
        -------
        Path or None
            None while it is being made.

        Raises
        ------
        NotFoundError
            If the product has no such burst.
        InputError
            If the product is damaged.
        """
        index, _, kind = file.partition(".")
        path = Path(self._folder.name, f"{item.name}_{swath}_{polarisation}_{file}")
        began = self._began.get(path)
        if began is None:
            await asyncio.to_thread(_check, item.path, swath, polarisation, int(index))
            began = self._began.setdefault(path, time.monotonic())
        if time.monotonic() < began + self._seconds:
            return None
        async with self._locks.setdefault(path, asyncio.Lock()):
            if not path.exists():
                cut = _write_tiff if kind == "tiff" else _write_xml
                await asyncio.to_thread(cut, path, item.path, swath, polarisation, int(index))
        return path

    def close(self) -> None:
        """Remove what was cut out."""
        self._folder.cleanup()


def _check(product: Path, swath: str, polarisation: str, index: int) -> None:
    opened = open_product(product)
    if (swath, polarisation) not in opened.channels:
        raise NotFoundError(f"{opened.name} has no {swath} {polarisation}")
    count = len(opened.annotation(swath, polarisation).bursts)
    if index >= count:
        raise NotFoundError(f"{opened.name} has {count} bursts in {swath}, and no {index}")


def _write_tiff(path: Path, product: Path, swath: str, polarisation: str, index: int) -> None:
    """Write the lines of a burst into a TIFF of their own, as they are."""
    opened = open_product(product)
    annotation = opened.annotation(swath, polarisation)
    lines, samples = annotation.lines_per_burst, annotation.samples_per_burst
    profile = {
        "driver": "GTiff",
        "width": samples,
        "height": lines,
        "count": 1,
        "dtype": "complex_int16",
        "BLOCKYSIZE": 1,
    }
    with warnings.catch_warnings(), written_whole(path) as beside:
        # A radar image has no geotransform.
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with (
            open_measurement(opened, swath, polarisation) as image,
            rasterio.open(beside, "w", **profile) as tiff,
        ):
            for first in range(0, lines, _LINES):
                count = min(_LINES, lines - first)
                at = index * lines + first
                pixels = np.asarray(image.read(slice(at, at + count)))
                tiff.write(pixels, 1, window=Window(0, first, samples, count))


def _write_xml(path: Path, product: Path, swath: str, polarisation: str, index: int) -> None:
    """Write the manifest and all that is said of a polarisation, in every swath."""
    del swath, index
    opened = open_product(product)
    root = etree.Element("burst")
    etree.SubElement(root, "manifest").append(_parsed(opened.read("manifest.safe")))
    metadata = etree.SubElement(root, "metadata")
    for kind, pattern in _KINDS.items():
        for member in sorted(opened.members):
            match = pattern.fullmatch(member)
            if match is None or match[3].upper() != polarisation:
                continue
            node = etree.SubElement(metadata, kind, source_filename=match[1])
            etree.SubElement(node, "path").text = f"{opened.name}.SAFE/{member}"
            etree.SubElement(node, "swath").text = match[2].upper()
            etree.SubElement(node, "polarisation").text = polarisation
            content = _parsed(opened.read(member))
            content.tag = "content"
            node.append(content)
    with written_whole(path) as beside:
        beside.write_bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _parsed(content: bytes) -> etree._Element:
    return etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
