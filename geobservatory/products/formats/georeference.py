"""Where a raster lies, for formats whose cells need not be square or in metres."""

from dataclasses import dataclass

from affine import Affine
from pyproj import CRS
from pyproj.exceptions import CRSError

from geobservatory.errors import InputError
from geobservatory.insar.map_grid import MapGrid


@dataclass(frozen=True)
class Georeference:
    """Where the cells of a raster lie.

    Attributes
    ----------
    crs
        As rasters name it: ``EPSG:4326`` (x is the longitude), ``EPSG:32629``, else WKT.
    transform
        From (column, row) of cell corners to projected coordinates: (0, 0) is the outer corner of
        the first cell, its centre is (0.5, 0.5).
    rows, cols
        Size.
    """

    crs: str
    transform: Affine
    rows: int
    cols: int

    @classmethod
    def of(cls, grid: MapGrid) -> "Georeference":
        """Take over the grid of one of our maps."""
        return cls(grid.crs, grid.transform, grid.rows, grid.cols)

    @property
    def geographic(self) -> bool:
        """Whether coordinates are longitude and latitude."""
        return bool(CRS.from_user_input(self.crs).is_geographic)

    def grid(self) -> MapGrid:
        """Give the grid of one of our maps.

        Raises
        ------
        InputError
            If cells are not square, or rows do not run from the north down.
        """
        step, across, left, along, down, top = self.transform[:6]
        if across or along or step <= 0 or abs(step + down) > 1e-6 * step:
            raise InputError(
                f"cells of {step:g} × {down:g} (turned by {across:g}, {along:g}) are not square "
                "with rows from the north down, as maps of this project are"
            )
        return MapGrid(self.crs, left, top, step, self.rows, self.cols)


def crs_name(text: str, file: str) -> str:
    """Name a coordinate reference system by its EPSG code where it has one.

    Parameters
    ----------
    text
        WKT of any dialect. Axes of geographic systems are read as longitude, latitude whatever
        they are called, as all programs that write rasters mean it.
    file
        For the error.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        crs = CRS.from_wkt(text)
    except CRSError as error:
        raise InputError(f"{file}: its coordinate system cannot be read: {error}") from error
    wgs84 = _is_wgs84(crs)
    if crs.is_geographic and wgs84:
        # SNAP calls it WGS84(DD), which no register knows.
        return "EPSG:4326"
    # Programs leave out the axes, which the register counts against a system: 25 is enough then.
    code = (_utm(crs) if wgs84 else None) or crs.to_epsg(25)
    return text if code is None else f"EPSG:{code}"


def _is_wgs84(crs: CRS) -> bool:
    ellipsoid = crs.ellipsoid
    return (
        ellipsoid is not None
        and abs(ellipsoid.semi_major_metre - 6378137.0) < 1e-3
        and abs(ellipsoid.inverse_flattening - 298.257223563) < 1e-6
    )


def _utm(crs: CRS) -> int | None:
    """Tell a UTM zone by its parameters: programs name it as they like (SNAP: UTM Zone 29 / …)."""
    operation = crs.coordinate_operation
    if operation is None or operation.method_name != "Transverse Mercator":
        return None
    latitude, middle, scale, east, north = (float(one.value) for one in operation.params)
    zone = (middle + 183) / 6
    if (latitude, scale, east) != (0.0, 0.9996, 500_000.0) or zone != round(zone):
        return None
    if north not in (0.0, 1e7):
        return None
    return (32700 if north else 32600) + round(zone)
