"""GAMMA's files: raw big-endian rasters, and parameter files of ``keyword: value unit`` lines.

Geocoded rasters are described by a DEM/MAP parameter file (``.dem_par``, ``dem.par``). Its corner,
``corner_lat, corner_lon`` or ``corner_north, corner_east``, is the centre of the first cell, half a
cell south-east of the outer corner that GeoTIFF and SNAP count from (pyroSAR's
`ISPPar.envidict` shifts by it, as GAMMA's `data2geotiff` does).
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS

from geobservatory.errors import InputError
from geobservatory.files import written_whole
from geobservatory.products.formats.georeference import Georeference
from geobservatory.products.formats.nothing import zero_for_nothing

# By `data_format` (DEM/MAP) and `image_format` (ISP).
TYPES = {
    "REAL*4": ">f4", "FLOAT": ">f4", "FCOMPLEX": ">c8", "INTEGER*2": ">i2", "SHORT": ">i2",
    "UNSIGNED CHAR": "u1", "UCHAR": "u1", "REAL*8": ">f8", "DOUBLE": ">f8",
}  # fmt: skip
_LINE = re.compile(r"(?P<key>[A-Za-z_][\w()*./-]*):(?P<gap>[ \t]*)(?P<rest>.*?)[ \t\r]*\Z")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?\Z")
_MAX_BYTES = 4_000_000
_TITLE = "Gamma DIFF&GEO DEM/MAP parameter file"
_ELLIPSOID = """
ellipsoid_name: WGS 84
ellipsoid_ra:        6378137.000   m
ellipsoid_reciprocal_flattening:  298.2572236

datum_name: WGS 1984
datum_shift_dx:              0.000   m
datum_shift_dy:              0.000   m
datum_shift_dz:              0.000   m
datum_scale_m:         0.00000e+00
datum_rotation_alpha:  0.00000e+00   arc-sec
datum_rotation_beta:   0.00000e+00   arc-sec
datum_rotation_gamma:  0.00000e+00   arc-sec
datum_country_list: Global Definition, WGS84, World
"""


class Parameters:
    """A parameter file: what its lines say, and the lines as they stand.

    What is not changed is written as it was read, to the byte.
    """

    def __init__(self, text: str, file: str = "parameter file") -> None:
        self._lines = text.split("\n")
        self.file = file

    @classmethod
    def read(cls, path: Path) -> "Parameters":
        """Read a file.

        Raises
        ------
        InputError
            If it is no parameter file.
        OSError
            If it cannot be read.
        """
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES or b"\0" in content:
            raise InputError(f"{path.name}: is no parameter file of GAMMA's, but binary")
        # Titles hold whatever the products' names held; each byte comes back as it was.
        parameters = cls(content.decode("utf-8", "surrogateescape"), path.name)
        if not any(True for _ in parameters):
            raise InputError(f"{path.name}: has no line of the form `keyword: value`")
        return parameters

    def __iter__(self) -> Iterator[str]:
        """Keywords, in order."""
        return (match["key"] for line in self._lines if (match := _LINE.match(line)))

    def __contains__(self, key: str) -> bool:
        return any(one == key for one in self)

    def __str__(self) -> str:
        return "\n".join(self._lines)

    def text(self, key: str) -> str:
        """Everything that stands after a keyword.

        Raises
        ------
        InputError
            If it is not there.
        """
        return self._match(key)[1]["rest"]

    def numbers(self, key: str) -> tuple[float, ...]:
        """Numbers after a keyword, up to the first word (their unit).

        Raises
        ------
        InputError
            If it is not there, or what follows is no number.
        """
        found = []
        for word in self.text(key).split():
            if not _NUMBER.match(word):
                break
            found.append(float(word.lower().replace("d", "e")))
        if not found:
            raise InputError(f"{self.file}: {key} is {self.text(key)[:40]!r}, not a number")
        return tuple(found)

    def number(self, key: str) -> float:
        """Give the first number after a keyword; see `numbers`."""
        return self.numbers(key)[0]

    def units(self, key: str) -> tuple[str, ...]:
        """Give the words after the numbers of a keyword."""
        return tuple(one for one in self.text(key).split() if not _NUMBER.match(one))

    def replace(self, key: str, *values: object) -> None:
        """Put other values after a keyword, in their columns, before the units that stand there.

        Raises
        ------
        InputError
            If it is not there.
        """
        index, match = self._match(key)
        before = re.match(r"\S+(?:[ \t]+[+-]?[\d.]+(?:[eE][+-]?\d+)?)*", match["rest"])
        head = before[0] if before is not None and _is_number(match["rest"]) else match["rest"]
        units = match["rest"][len(head) :]
        text = "  ".join(str(one) for one in values)
        width = len(match["gap"]) + len(head)
        self._lines[index] = (
            f"{key}:{text:>{width}}{units}" if width > len(text) else (f"{key}: {text}{units}")
        )

    def write(self, path: Path) -> None:
        """Write the file, whole under its name."""
        with written_whole(path) as beside:
            beside.write_bytes(str(self).encode("utf-8", "surrogateescape"))

    def _match(self, key: str) -> tuple[int, re.Match[str]]:
        for index, line in enumerate(self._lines):
            match = _LINE.match(line)
            if match and match["key"] == key:
                return index, match
        raise InputError(f"{self.file}: has no {key}")


def _is_number(rest: str) -> bool:
    words = rest.split()
    return bool(words) and _NUMBER.match(words[0]) is not None


def read_georeference(parameters: Parameters) -> Georeference:
    """Read where the cells of a geocoded raster lie, from a DEM/MAP parameter file.

    Raises
    ------
    InputError
        If it is not on longitude and latitude (EQA) or UTM, of WGS 84.
    """
    projection = parameters.text("DEM_projection")
    rows, cols = int(parameters.number("nlines")), int(parameters.number("width"))
    flattening = parameters.number("ellipsoid_reciprocal_flattening")
    if abs(flattening - 298.257223563) > 1e-4:
        raise InputError(f"{parameters.file}: its ellipsoid is not that of WGS 84")
    if rows < 1 or cols < 1:
        raise InputError(f"{parameters.file}: has {rows} lines of {cols} cells")
    if projection == "EQA":
        crs, names = "EPSG:4326", ("corner_lon", "corner_lat", "post_lon", "post_lat")
    elif projection == "UTM":
        zone = int(parameters.number("projection_zone"))
        south = zone < 0 or parameters.number("false_northing") > 0
        crs = f"EPSG:{(32700 if south else 32600) + abs(zone)}"
        names = ("corner_east", "corner_north", "post_east", "post_north")
    else:
        raise InputError(f"{parameters.file}: is on {projection}; EQA and UTM are read")
    x, y, dx, dy = (parameters.number(name) for name in names)
    return Georeference(crs, Affine(dx, 0.0, x - dx / 2, 0.0, dy, y - dy / 2), rows, cols)


def dem_parameters(
    georeference: Georeference, title: str, data_format: str = "REAL*4"
) -> Parameters:
    """Describe a geocoded raster as GAMMA does.

    Raises
    ------
    InputError
        If it is not on longitude and latitude or UTM, or its grid is turned.
    """
    dx, across, left, along, dy, top = georeference.transform[:6]
    if across or along:
        raise InputError("GAMMA's parameter files know no turned grids")
    x, y = left + dx / 2, top + dy / 2
    projection = "EQA" if georeference.geographic else "UTM"
    if projection == "EQA":
        corner = (
            f"corner_lat:   {y:.13f}  decimal degrees\ncorner_lon:   {x:.13f}  decimal degrees\n"
            f"post_lat:   {dy:.13e}  decimal degrees\npost_lon:   {dx:.13e}  decimal degrees\n"
        )
        zone = ""
    else:
        corner = (
            f"corner_north:  {y:.4f}   m\ncorner_east:   {x:.4f}   m\n"
            f"post_north:    {dy:.7f}   m\npost_east:     {dx:.7f}   m\n"
        )
        zone = _zone(georeference.crs)
    return Parameters(
        f"{_TITLE}\ntitle: {title}\nDEM_projection:     {projection}\n"
        f"data_format:        {data_format}\nDEM_hgt_offset:          0.00000\n"
        f"DEM_scale:               1.00000\nwidth:           {georeference.cols:9d}\n"
        f"nlines:          {georeference.rows:9d}\n{corner}{_ELLIPSOID}{zone}"
    )


def _zone(crs: str) -> str:
    zone = CRS.from_user_input(crs).utm_zone
    if zone is None:
        raise InputError(
            f"GAMMA's parameter files are written for UTM and EPSG:4326, not for {crs}"
        )
    number, south = int(zone[:-1]), zone.endswith("S")
    return (
        f"\nprojection_name: UTM\nprojection_zone:                 {number}\n"
        f"false_easting:           500000.000   m\n"
        f"false_northing:          {10_000_000.0 if south else 0.0:.3f}   m\n"
        f"projection_k0:            0.9996000\n"
        f"center_longitude:         {number * 6 - 183:.7f}   decimal degrees\n"
        f"center_latitude:          0.0000000   decimal degrees\n"
    )


def read_raster(path: Path, parameters: Parameters, kind: str | None = None) -> NDArray[Any]:
    """Read a raster, (rows, cols), of this machine's byte order.

    Parameters
    ----------
    parameters
        That describe it: DEM/MAP, or ISP of an image.
    kind
        `TYPES` of the values, where the parameters are those of another file of the same size.

    Raises
    ------
    InputError
        If it is not of the size that the parameters say.
    """
    rows, cols = (
        int(parameters.number(next(one for one in names if one in parameters)))
        if any(one in parameters for one in names)
        else _missing(parameters, names)
        for names in (("nlines", "azimuth_lines"), ("width", "range_samples"))
    )
    if kind is None:
        kind = parameters.text("data_format" if "data_format" in parameters else "image_format")
    if kind not in TYPES:
        raise InputError(f"{parameters.file}: values of {kind}; known are {', '.join(TYPES)}")
    stored = np.dtype(TYPES[kind])
    want, held = math.prod((rows, cols, stored.itemsize)), path.stat().st_size
    if want != held:
        raise InputError(
            f"{path.name}: has {held} bytes, {rows} lines of {cols} {kind} are {want} "
            f"({parameters.file})"
        )
    return np.fromfile(path, stored).reshape(rows, cols).astype(stored.newbyteorder("="))


def _missing(parameters: Parameters, names: tuple[str, ...]) -> int:
    raise InputError(f"{parameters.file}: has neither {' nor '.join(names)}")


def write_raster(path: Path, values: NDArray[Any]) -> None:
    """Write a raster of float32 or complex64, big-endian; what is NaN becomes 0, GAMMA's nothing.

    What is 0 becomes the least number there is.

    Raises
    ------
    InputError
        If values are of another type.
    OSError
        If the file cannot be written.
    """
    if values.dtype not in (np.float32, np.complex64) or values.ndim != 2:
        raise InputError(
            f"{path.name}: {values.dtype}, {values.ndim} axes; float32 or complex64, 2"
        )
    stored = zero_for_nothing(values).astype(values.dtype.newbyteorder(">"))
    with written_whole(path) as beside:
        stored.tofile(beside)
