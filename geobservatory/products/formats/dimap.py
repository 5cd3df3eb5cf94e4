"""BEAM-DIMAP, the format of SNAP: a ``.dim`` header (XML) and a ``.data`` folder of ENVI rasters.

The elements are those that SNAP's `DimapHeaderWriter` and `DimapProductHelpers` write and read
(version 2.12.1 of the format). ``IMAGE_TO_MODEL_TRANSFORM`` holds the matrix of a Java
`AffineTransform`: scale x, shear y, shear x, scale y, translation x, y, from corners of cells (the
first cell's centre is 0.5, 0.5) to the model.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from geobservatory.errors import InputError
from geobservatory.products.formats.georeference import Georeference, crs_name
from geobservatory.sentinel1.xml import Element, parse

# SNAP's word, and ENVI's number, for each type of values.
TYPES = {
    "int8": ("i1", 1), "uint8": ("u1", 1), "int16": (">i2", 2), "uint16": (">u2", 12),
    "int32": (">i4", 3), "uint32": (">u4", 13), "float32": (">f4", 4), "float64": (">f8", 5),
}  # fmt: skip


@dataclass(frozen=True)
class Band:
    """A band of a product that lies in a file.

    Attributes
    ----------
    unit
        As SNAP has it: ``phase``, ``coherence``, ``meters``, …; empty where there is none.
    nodata
        What stands for nothing in the file, before scaling; None where nothing does.
    georeference
        None in radar geometry.
    """

    name: str
    description: str
    unit: str
    shape: tuple[int, int]
    kind: str
    nodata: float | None
    scale: float
    offset: float
    georeference: Georeference | None
    path: Path

    def read(self) -> NDArray[Any]:
        """Read the values, (rows, cols), of this machine's byte order.

        Those that are floats, or scaled, have NaN where there is nothing; integers keep what stands
        for nothing.

        Raises
        ------
        InputError
            If the file is missing or not of the size that the header says.
        """
        stored = np.dtype(TYPES[self.kind][0])
        want = math.prod(self.shape) * stored.itemsize
        held = self.path.stat().st_size if self.path.is_file() else None
        if held != want:
            found = "is missing" if held is None else f"has {held} bytes"
            raise InputError(f"{self.path}: {found}, {want} were to be there; write it again")
        values = np.fromfile(self.path, stored).reshape(self.shape)
        values = values.astype(stored.newbyteorder("="))
        scaled = (self.scale, self.offset) != (1.0, 0.0)
        if values.dtype.kind != "f" and not scaled:
            return values
        floats = np.float32 if values.dtype == np.float32 else np.float64
        out: NDArray[Any] = values.astype(floats)
        if scaled:
            out = out * floats(self.scale) + floats(self.offset)
        if self.nodata is not None:
            out[values == values.dtype.type(self.nodata)] = np.nan
        return out


@dataclass(frozen=True)
class Dimap:
    """A product.

    Attributes
    ----------
    bands
        By name, in order.
    virtual
        Expressions of the bands that SNAP computes when they are looked at, by name.
    metadata
        SNAP's ``Abstracted_Metadata`` by name, as text.
    baselines
        Of an interferogram: SNAP's table below it, a mapping for each image by its name and those
        it is paired with.
    """

    name: str
    product_type: str
    bands: Mapping[str, Band]
    virtual: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    baselines: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)


def read_dimap(path: Path) -> Dimap:
    """Read a ``.dim`` header; bands are read when they are asked for.

    Raises
    ------
    InputError
        If it is no BEAM-DIMAP, lacks what every product has, or points outside its folder.
    NotFoundError, OSError
        If it cannot be read.
    """
    root = parse(path.read_bytes(), path.name)
    profile = root.find("Metadata_Id/METADATA_PROFILE")
    if root.name != "Dimap_Document" or profile is None or "BEAM" not in profile.text():
        raise InputError(f"{path.name}: is no BEAM-DIMAP header, as SNAP writes it")
    files = {
        one.integer("BAND_INDEX"): one.one("DATA_FILE_PATH").attribute("href") or ""
        for one in root.all("Data_Access/Data_File")
    }
    places = _places(root, path.name)
    bands: dict[str, Band] = {}
    virtual: dict[str, str] = {}
    for info in root.all("Image_Interpretation/Spectral_Band_Info"):
        index, name = info.integer("BAND_INDEX"), info.text("BAND_NAME")
        if index in files:
            bands[name] = _band(root, info, places, _inside(path, files[index]))
        elif info.find("EXPRESSION") is not None:
            virtual[name] = info.text("EXPRESSION")
    if not bands:
        raise InputError(f"{path.name}: holds no band")
    abstracted = _element(root.find("Dataset_Sources"), "Abstracted_Metadata")
    return Dimap(
        name=root.attribute("name") or path.stem,
        product_type=_text(root, "Production/PRODUCT_TYPE"),
        bands=bands,
        virtual=virtual,
        metadata=_attributes(abstracted),
        baselines=_baselines(abstracted),
    )


def _text(element: Element, path: str, otherwise: str = "") -> str:
    return element.text(path) if element.find(path) is not None else otherwise


def _number(element: Element, path: str, otherwise: float) -> float:
    """Read a number, NaN among them."""
    text = _text(element, path)
    try:
        return float(text) if text else otherwise
    except ValueError:
        raise element.fault(path, f"{text[:40]!r} is not a number") from None


def _places(root: Element, file: str) -> dict[int | None, tuple[str, Affine]]:
    """Read coordinate systems and transforms: one (under None), or one for each band."""
    systems = root.all("Coordinate_Reference_System")
    places: dict[int | None, tuple[str, Affine]] = {}
    for i, one in enumerate(root.all("Geoposition")):
        text = _text(one, "IMAGE_TO_MODEL_TRANSFORM")
        if not text or i >= len(systems) or systems[i].find("WKT") is None:
            continue  # tie points: radar geometry
        try:
            a, d, b, e, c, f = (float(part) for part in text.split(","))
        except ValueError:
            raise one.fault("IMAGE_TO_MODEL_TRANSFORM", f"{text[:60]!r} is no transform") from None
        index = one.integer("BAND_INDEX") if one.find("BAND_INDEX") is not None else None
        places[index] = crs_name(systems[i].text("WKT"), file), Affine(a, b, c, d, e, f)
    return places


def _band(
    root: Element, info: Element, places: Mapping[int | None, tuple[str, Affine]], header: Path
) -> Band:
    rows, cols = (
        info.integer(own) if info.find(own) is not None else root.integer(whole)
        for own, whole in (
            ("BAND_RASTER_HEIGHT", "Raster_Dimensions/NROWS"),
            ("BAND_RASTER_WIDTH", "Raster_Dimensions/NCOLS"),
        )
    )
    kind = info.text("DATA_TYPE")
    if kind not in TYPES:
        raise info.fault("DATA_TYPE", f"{kind!r} is none of {', '.join(TYPES)}")
    if _text(info, "LOG10_SCALED", "false") == "true":
        raise info.fault("LOG10_SCALED", "bands scaled by logarithm are not read")
    used = _text(info, "NO_DATA_VALUE_USED") == "true"
    place = places.get(info.integer("BAND_INDEX"), places.get(None))
    return Band(
        name=info.text("BAND_NAME"),
        description=_text(info, "BAND_DESCRIPTION"),
        unit=_text(info, "PHYSICAL_UNIT"),
        shape=(rows, cols),
        kind=kind,
        nodata=_number(info, "NO_DATA_VALUE", 0.0) if used else None,
        scale=_number(info, "SCALING_FACTOR", 1.0),
        offset=_number(info, "SCALING_OFFSET", 0.0),
        georeference=None if place is None else Georeference(*place, rows, cols),
        path=header.with_suffix(".img"),
    )


def _inside(path: Path, href: str) -> Path:
    """Find a file that a header names; what lies outside its folder is none of its business."""
    folder = path.parent.resolve()
    found = (folder / href).resolve()
    if not href or not found.is_relative_to(folder):
        raise InputError(f"{path.name}: names a file outside its folder, {href!r}")
    return found


def _element(parent: Element | None, name: str) -> Element | None:
    """Find an element of SNAP's metadata by its name."""
    if parent is None:
        return None
    found = [one for one in parent.all(".//MDElem") if one.attribute("name") == name]
    return found[0] if found else None


def _attributes(element: Element | None) -> dict[str, str]:
    if element is None:
        return {}
    return {one.attribute("name") or "": one.text() for one in element.all("MDATTR")}


def _baselines(abstracted: Element | None) -> dict[str, dict[str, dict[str, str]]]:
    table = _element(abstracted, "Baselines")
    if table is None:
        return {}
    return {
        image.attribute("name") or "": {
            other.attribute("name") or "": _attributes(other) for other in image.all("MDElem")
        }
        for image in table.all("MDElem")
    }
