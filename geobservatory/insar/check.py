"""Is our geometry that of the processor? Its geolocation grid is the witness."""

from dataclasses import dataclass

import numpy as np

from geobservatory.insar.geo2rdr import geo2rdr
from geobservatory.insar.track import make_track
from geobservatory.sentinel1.annotation import SPEED_OF_LIGHT, Annotation


@dataclass(frozen=True)
class GeometryCheck:
    """The worst difference between geo2rdr and a geolocation grid: lines, and metres of range."""

    swath: str
    polarisation: str
    azimuth_lines: float
    range_m: float


def check_geometry(annotation: Annotation) -> GeometryCheck:
    """Compare geo2rdr, by the annotation's own orbit, with its own geolocation grid."""
    grid = annotation.geolocation_grid
    orbit = annotation.orbit
    track = make_track(orbit, grid.azimuth_time.min(), grid.azimuth_time.max(), margin_s=10)
    time, slant_range = geo2rdr(
        track, np.deg2rad(grid.latitude), np.deg2rad(grid.longitude), grid.height_m
    )
    azimuth = (time - orbit.seconds(grid.azimuth_time)) / annotation.azimuth_time_interval_s
    distance = slant_range - grid.slant_range_time_s * SPEED_OF_LIGHT / 2
    # NaN, a point that is not seen, is the worst there is and stays NaN.
    return GeometryCheck(
        annotation.swath,
        annotation.polarisation,
        float(np.abs(azimuth).max()),
        float(np.abs(distance).max()),
    )
