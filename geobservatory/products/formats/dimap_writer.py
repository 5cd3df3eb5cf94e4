"""Write BEAM-DIMAP that SNAP opens; see `dimap` for the format and where its facts are from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from lxml import etree
from numpy.typing import NDArray
from pyproj import CRS

from geobservatory.errors import InputError
from geobservatory.files import written_whole
from geobservatory.products.formats.dimap import TYPES
from geobservatory.products.formats.georeference import Georeference

# What SNAP itself writes for longitude and latitude, in this order; EPSG:4326 has the other.
_WGS84 = (
    'GEOGCS["WGS84(DD)", DATUM["WGS84", SPHEROID["WGS84", 6378137.0, 298.257223563]], '
    'PRIMEM["Greenwich", 0.0], UNIT["degree", 0.017453292519943295], '
    'AXIS["Geodetic longitude", EAST], AXIS["Geodetic latitude", NORTH]]'
)

_NONE = np.empty(0)
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"

Metadata = Mapping[str, "str | int | float | datetime | Metadata"]
"""SNAP's metadata: attributes by name, and elements with attributes of their own."""


@dataclass(frozen=True)
class NewBand:
    """A band to be written; in floats NaN is nothing."""

    name: str
    values: NDArray[Any]
    unit: str = ""
    description: str = ""
    nodata: float | None = None


@dataclass(frozen=True)
class About:
    """What a header says beside the bands.

    Attributes
    ----------
    metadata
        The content of ``Abstracted_Metadata``.
    """

    product_type: str
    description: str
    start: datetime
    stop: datetime
    metadata: Metadata = field(default_factory=dict)


def write_dimap(
    path: Path, bands: Iterable[NewBand], georeference: Georeference | None, about: About
) -> list[Path]:
    """Write a product; the header comes last, so that one that has it is whole.

    Parameters
    ----------
    path
        Of the header, ``….dim``.
    bands
        Taken one after the other, so that one is in memory at a time.
    georeference
        None in radar geometry.

    Returns
    -------
    list of path
        All files.

    Raises
    ------
    InputError
        If a band's name, type or shape does not fit.
    OSError
        If a file cannot be written.
    """
    if path.suffix != ".dim":
        raise InputError(f"{path.name}: the header of a BEAM-DIMAP product is named ….dim")
    path.unlink(missing_ok=True)
    data = path.with_suffix(".data")
    data.mkdir(parents=True, exist_ok=True)
    infos: list[tuple[NewBand, str]] = []
    shape: tuple[int, ...] | None = None
    if georeference is not None:
        shape = georeference.rows, georeference.cols
    files: list[Path] = []
    for band in bands:
        shape = shape or band.values.shape
        if band.values.shape != shape or len(shape) != 2:
            raise InputError(f"{band.name}: {band.values.shape} cells, the product has {shape}")
        kind = band.values.dtype.name
        if kind not in TYPES or not band.name.replace("_", "").replace("-", "").isalnum():
            raise InputError(f"{band.name}: a name or a type ({kind}) that SNAP does not take")
        files += _write_band(data, band, kind, georeference)
        infos.append((NewBand(band.name, _NONE, band.unit, band.description, band.nodata), kind))
    if shape is None:
        raise InputError(f"{path.name}: a product without bands")
    root = _header(path, infos, (shape[0], shape[1]), georeference, about)
    with written_whole(path) as beside:
        etree.ElementTree(root).write(
            str(beside), encoding="ISO-8859-1", xml_declaration=True, pretty_print=True
        )
    return [*files, path]


def _write_band(
    folder: Path, band: NewBand, kind: str, georeference: Georeference | None
) -> list[Path]:
    stored, code = TYPES[kind]
    image, header = folder / f"{band.name}.img", folder / f"{band.name}.hdr"
    with written_whole(image) as beside:
        band.values.astype(stored).tofile(beside)
    rows, cols = band.values.shape
    lines = {
        "description": f"{{{band.description or band.name} - Unit: {band.unit or 'none'}}}",
        "samples": cols,
        "lines": rows,
        "bands": 1,
        "header offset": 0,
        "file type": "ENVI Standard",
        "data type": code,
        "interleave": "bsq",
        "byte order": 1,
        **({} if georeference is None else _envi_place(georeference)),
        "band names": f"{{{band.name}}}",
    }
    text = "".join(f"{name} = {value}\n" for name, value in lines.items())
    with written_whole(header) as beside:
        beside.write_text(f"ENVI\n{text}", encoding="ascii", errors="replace")
    return [image, header]


def _envi_place(georeference: Georeference) -> dict[str, str]:
    """Say where cells lie as ENVI does: map info counts from the corner of cell (1, 1)."""
    crs, (dx, _, left, _, dy, top) = (
        CRS.from_user_input(georeference.crs),
        (georeference.transform[:6]),
    )
    numbers = ", ".join(repr(one) for one in (1.0, 1.0, left, top, dx, -dy))
    if georeference.geographic:
        info = f"Geographic Lat/Lon, {numbers}, WGS-84, units=Degrees"
    elif zone := crs.utm_zone:
        side = "North" if zone.endswith("N") else "South"
        info = f"UTM, {numbers}, {zone[:-1]}, {side}, WGS-84, units=Meters"
    else:
        info = f"Arbitrary, {numbers}, units=Meters"
    wkt = crs.to_wkt("WKT1_ESRI")
    return {"map info": f"{{{info}}}", "coordinate system string": f"{{{wkt}}}"}


def _header(
    path: Path,
    bands: list[tuple[NewBand, str]],
    shape: tuple[int, int],
    georeference: Georeference | None,
    about: About,
) -> etree._Element:
    root = etree.Element("Dimap_Document", name=path.name)
    identity = etree.SubElement(root, "Metadata_Id")
    _add(identity, "METADATA_FORMAT", "DIMAP").set("version", "2.12.1")
    _add(identity, "METADATA_PROFILE", "BEAM-DATAMODEL-V1")
    dataset = etree.SubElement(root, "Dataset_Id")
    _add(dataset, "DATASET_SERIES", "BEAM-PRODUCT")
    _add(dataset, "DATASET_NAME", path.stem)
    _add(etree.SubElement(root, "Dataset_Use"), "DATASET_COMMENTS", about.description)
    production = etree.SubElement(root, "Production")
    _add(production, "DATASET_PRODUCER_NAME", "geObservatory")
    _add(production, "PRODUCT_TYPE", about.product_type)
    _add(production, "PRODUCT_SCENE_RASTER_START_TIME", snap_time(about.start))
    _add(production, "PRODUCT_SCENE_RASTER_STOP_TIME", snap_time(about.stop))
    if georeference is not None:
        _place(root, georeference)
    size = etree.SubElement(root, "Raster_Dimensions")
    for name, number in (("NCOLS", shape[1]), ("NROWS", shape[0]), ("NBANDS", len(bands))):
        _add(size, name, number)
    access = etree.SubElement(root, "Data_Access")
    _add(access, "DATA_FILE_FORMAT", "ENVI")
    _add(access, "DATA_FILE_FORMAT_DESC", "ENVI File Format")
    _add(access, "DATA_FILE_ORGANISATION", "BAND_SEPARATE")
    interpretation = etree.SubElement(root, "Image_Interpretation")
    for index, (band, kind) in enumerate(bands):
        file = etree.SubElement(access, "Data_File")
        _add(file, "DATA_FILE_PATH").set("href", f"{path.stem}.data/{band.name}.hdr")
        _add(file, "BAND_INDEX", index)
        _band_info(interpretation, index, band, kind, shape)
    metadata = _add(etree.SubElement(root, "Dataset_Sources"), "MDElem")
    metadata.set("name", "metadata")
    _metadata(metadata, "Abstracted_Metadata", about.metadata)
    return root


def _place(root: etree._Element, georeference: Georeference) -> None:
    if georeference.geographic:
        wkt = _WGS84
    else:
        wkt = CRS.from_user_input(georeference.crs).to_wkt("WKT1_GDAL")
    _add(etree.SubElement(root, "Coordinate_Reference_System"), "WKT", wkt)
    a, b, c, d, e, f = georeference.transform[:6]
    matrix = ",".join(repr(float(one)) for one in (a, d, b, e, c, f))
    _add(etree.SubElement(root, "Geoposition"), "IMAGE_TO_MODEL_TRANSFORM", matrix)


def _band_info(
    parent: etree._Element, index: int, band: NewBand, kind: str, shape: tuple[int, int]
) -> None:
    floating = kind.startswith("float")
    nodata = float("nan") if floating else band.nodata
    info = etree.SubElement(parent, "Spectral_Band_Info")
    entries: dict[str, object] = {
        "BAND_INDEX": index,
        "BAND_DESCRIPTION": band.description,
        "BAND_NAME": band.name,
        "BAND_RASTER_WIDTH": shape[1],
        "BAND_RASTER_HEIGHT": shape[0],
        "DATA_TYPE": kind,
        **({"PHYSICAL_UNIT": band.unit} if band.unit else {}),
        "SOLAR_FLUX": 0.0,
        "BAND_WAVELEN": 0.0,
        "BANDWIDTH": 0.0,
        "SCALING_FACTOR": 1.0,
        "SCALING_OFFSET": 0.0,
        "LOG10_SCALED": "false",
        "NO_DATA_VALUE_USED": "false" if nodata is None else "true",
        # As Java spells it.
        "NO_DATA_VALUE": "NaN" if floating else float(nodata or 0),
    }
    for name, value in entries.items():
        _add(info, name, value)


def _metadata(parent: etree._Element, name: str, content: Metadata) -> None:
    element = _add(parent, "MDElem")
    element.set("name", name)
    for key, value in content.items():
        if isinstance(value, Mapping):
            _metadata(element, key, value)
            continue
        kinds = {str: "ascii", int: "int32", float: "float64", datetime: "utc"}
        text = snap_time(value) if isinstance(value, datetime) else value
        attribute = _add(element, "MDATTR", text)
        attribute.set("name", key)
        attribute.set("type", next(word for kind, word in kinds.items() if isinstance(value, kind)))
        attribute.set("mode", "rw")


def _add(parent: etree._Element, tag: str, value: object = None) -> etree._Element:
    element = etree.SubElement(parent, tag)
    if value is not None and value != "":
        element.text = str(value)
    return element


def snap_time(time: datetime) -> str:
    """Write a time as SNAP does: ``04-SEP-2023 06:37:32.123456``."""
    return f"{time:%d}-{_month(time).upper()}-{time:%Y %H:%M:%S.%f}"


def snap_date(time: datetime) -> str:
    """Write a day as SNAP does in names of bands: ``04Sep2023``."""
    return f"{time:%d}{_month(time)}{time:%Y}"


def _month(time: datetime) -> str:
    # Not %b, which speaks the language of the machine.
    return _MONTHS[3 * time.month - 3 : 3 * time.month]
