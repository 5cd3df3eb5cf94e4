"""An interferogram for Google Earth and other viewers of KML (OGC 12-007r2)."""

import io
import zipfile
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.image
import numpy as np
from lxml import etree
from lxml.builder import ElementMaker  # type: ignore[import-not-found]
from matplotlib.figure import Figure
from numpy.typing import NDArray

from geobservatory.files import written_whole
from geobservatory.products.overlays import (
    COHERENCE,
    FRINGES,
    MOTION,
    Overlay,
    coloured,
    read_overlay,
)

_NAMESPACE = "http://www.opengis.net/kml/2.2"
_KML: Any = ElementMaker(namespace=_NAMESPACE, nsmap={None: _NAMESPACE})
_MOST_CELLS = 1600
# Nor the version of the program that draws.
_NO_METADATA: Any = {"Software": None}
# The same files in the same zip, whenever it is made.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def write_kmz(path: Path, folder: Path, title: str, places: dict[str, tuple[float, float]]) -> None:
    """Write the layers of a finished interferogram as a KMZ.

    Parameters
    ----------
    places
        Names of events and their longitude and latitude.

    Raises
    ------
    OSError, rasterio.errors.RasterioIOError
        If a layer is missing or damaged, or the file cannot be written.
    """
    overlay = read_overlay(folder, "EPSG:4326", _MOST_CELLS)
    files: dict[str, bytes] = {}
    document = _KML.Document(_KML.name(title), _KML.open("1"))
    for number, (caption, name, values, low, high, unit) in enumerate(_layers(overlay)):
        image, scale = f"{caption.lower()}.png", f"{caption.lower()}-scale.png"
        files[image] = _png(coloured(values, name, low, high))
        files[scale] = _scale(name, low, high, f"{caption}, {unit}")
        # One at a time: the first is shown, the others wait.
        shown = "1" if number == 0 else "0"
        document.append(
            _KML.Folder(
                _KML.name(caption),
                _KML.visibility(shown),
                _overlaid(caption, image, overlay.bounds, shown),
                _legend(caption, scale, shown),
            )
        )
    for name, (longitude, latitude) in places.items():
        point = _KML.Point(_KML.coordinates(f"{longitude:.5f},{latitude:.5f},0"))
        document.append(_KML.Placemark(_KML.name(name), point))
    text = etree.tostring(
        _KML.kml(document), xml_declaration=True, encoding="UTF-8", pretty_print=True
    )
    with written_whole(path) as beside, zipfile.ZipFile(beside, "w") as archive:
        # doc.kml first: it is what a viewer looks for.
        for member, content in {"doc.kml": text, **files}.items():
            how = zipfile.ZIP_DEFLATED if member.endswith(".kml") else zipfile.ZIP_STORED
            archive.writestr(zipfile.ZipInfo(member, _ZIP_TIME), content, how)


def _layers(
    overlay: Overlay,
) -> list[tuple[str, str, NDArray[np.float32], float, float, str]]:
    layers = []
    if overlay.displacement_m is not None:
        limit = overlay.limit_m * 100
        unit = "cm toward the satellite"
        layers.append(("Displacement", MOTION, overlay.displacement_m * 100, -limit, limit, unit))
    layers.append(("Fringes", FRINGES, overlay.phase, -np.pi, np.pi, "radians"))
    layers.append(("Coherence", COHERENCE, overlay.coherence, 0.0, 1.0, "0 to 1"))
    return layers


def _overlaid(
    caption: str, image: str, bounds: tuple[float, float, float, float], shown: str
) -> etree._Element:
    west, south, east, north = bounds
    box = _KML.LatLonBox(
        _KML.north(f"{north:.7f}"),
        _KML.south(f"{south:.7f}"),
        # Past 180 where it lies over the antimeridian.
        _KML.east(f"{east:.7f}"),
        _KML.west(f"{west:.7f}"),
    )
    icon = _KML.Icon(_KML.href(image))
    return _KML.GroundOverlay(_KML.name(caption), _KML.visibility(shown), icon, box)


def _legend(caption: str, image: str, shown: str) -> etree._Element:
    corner = {"xunits": "fraction", "yunits": "fraction"}
    return _KML.ScreenOverlay(
        _KML.name(f"{caption}: colours"),
        _KML.visibility(shown),
        _KML.Icon(_KML.href(image)),
        _KML.overlayXY(x="0", y="0", **corner),
        _KML.screenXY(x="0.02", y="0.06", **corner),
        _KML.size(x="0.25", y="0", **corner),
    )


def _scale(name: str, low: float, high: float, label: str) -> bytes:
    figure = Figure(figsize=(3.6, 0.75), dpi=120)
    axes = figure.add_axes((0.06, 0.5, 0.88, 0.28))
    norm = matplotlib.colors.Normalize(low, high)
    figure.colorbar(
        matplotlib.cm.ScalarMappable(norm, name), cax=axes, orientation="horizontal", label=label
    )
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata=_NO_METADATA)
    return content.getvalue()


def _png(image: NDArray[np.uint8]) -> bytes:
    content = io.BytesIO()
    matplotlib.image.imsave(content, image, format="png", metadata=_NO_METADATA)
    return content.getvalue()
