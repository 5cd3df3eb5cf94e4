"""Which burst is which: ESA's burst numbers, footprints, correspondence of two dates, overlaps.

ESA numbers the bursts of the whole 12-day cycle; a number names the same ground on every date,
however the slices are cut. Annotations carry it from IPF 3.40 on; before that it follows from the
time since the ascending node (Sentinel-1 Level 1 Detailed Algorithm Definition, S1-TN-MDA-52-7445,
section 9.25).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from geobservatory.errors import InputError
from geobservatory.globe import within_180
from geobservatory.sentinel1.annotation import Annotation, Burst, GeolocationGrid
from geobservatory.sentinel1.safe import SafeProduct

_ORBITS_IN_CYCLE = 175
_CYCLE_S = 12 * 86400.0
_ORBIT_S = _CYCLE_S / _ORBITS_IN_CYCLE
_PREAMBLE_S = 2.299849
_BEAM_CYCLE_S = 2.758273
# From the start of a swath's burst to the middle of the IW2 burst of its beam cycle.
_TO_MIDDLE_S = {"IW1": 0.832 + 1.078 / 2, "IW2": 1.078 / 2, "IW3": -1.078 / 2}
# Bursts start this much past a whole number (measured: 0.07 to 0.12); rounding about it bears
# burst starts that wander by more than a second.
_PHASE = 0.09


@dataclass(frozen=True, order=True)
class BurstId:
    """Names the ground of a burst: equal on every date of a track."""

    relative_orbit: int
    number: int
    swath: str

    def __str__(self) -> str:
        """Write it as ASF does: ``052_110431_IW1``."""
        return f"{self.relative_orbit:03d}_{self.number:06d}_{self.swath}"


@dataclass(frozen=True)
class PlacedBurst:
    """A burst of a product, with what it is called and where it is.

    `footprint` is of its valid samples, EPSG:4326, split at the antimeridian.
    """

    identity: BurstId
    swath: str
    burst: Burst
    footprint: BaseGeometry


def place_bursts(product: SafeProduct, polarisation: str | None = None) -> list[PlacedBurst]:
    """List the bursts of a product, once for all polarisations, by swath and time.

    Of a partial product, those that were fetched in the polarisation, or in any where None.

    Raises
    ------
    InputError
        If there is no such polarisation, the product is not of IW mode, or its relative orbit is
        unknown.
    """
    swaths: dict[str, Annotation] = {}
    there: dict[str, set[int]] = {}
    for swath, one in product.channels:
        if polarisation not in (None, one):
            continue
        if swath not in swaths:
            swaths[swath] = product.annotation(swath, one)
        bursts = swaths[swath].bursts
        held = (burst.index for burst in bursts if product.has_burst(swath, one, burst.index))
        there.setdefault(swath, set()).update(held)
    if not swaths:
        raise InputError(f"{product.path}: has no channel in {polarisation}")
    if product.relative_orbits is None:
        raise InputError(f"{product.path}: its relative orbit is unknown (no manifest.safe)")
    return [
        PlacedBurst(
            identify(annotation, burst, product.relative_orbits),
            swath,
            burst,
            footprint(annotation, burst),
        )
        for swath, annotation in sorted(swaths.items())
        for burst in annotation.bursts
        if burst.index in there[swath]
    ]


def identify(
    annotation: Annotation, burst: Burst, relative_orbits: tuple[int, int] | None
) -> BurstId:
    """Name a burst: by the annotation's own number, else by its time since the ascending node.

    Parameters
    ----------
    relative_orbits
        Relative orbit at the start and stop of the product.

    Raises
    ------
    InputError
        If the relative orbit is not known, or the mode has no burst numbers.
    """
    if relative_orbits is None:
        raise InputError(f"{annotation.file}: its relative orbit is unknown")
    if annotation.swath not in _TO_MIDDLE_S:
        raise InputError(f"{annotation.file}: bursts are numbered in IW mode only")
    start, stop = relative_orbits
    since_node = burst.azimuth_anx_time_s
    # Some products count from a node one orbit before the one the manifest means.
    if start == stop and since_node >= _ORBIT_S:
        since_node -= _ORBIT_S
    orbit = stop if since_node >= _ORBIT_S else start
    if burst.esa_id is not None:
        return BurstId(orbit, burst.esa_id, annotation.swath)
    since_cycle = since_node + _TO_MIDDLE_S[annotation.swath] + (start - 1) * _ORBIT_S
    number = round((since_cycle % _CYCLE_S - _PREAMBLE_S) / _BEAM_CYCLE_S - _PHASE) + 1
    return BurstId(orbit, number, annotation.swath)


def common_bursts(
    reference: Iterable[PlacedBurst], secondary: Iterable[PlacedBurst]
) -> list[tuple[PlacedBurst, PlacedBurst]]:
    """Pair the bursts of two dates that see the same ground, by swath and time."""
    others = {one.identity: one for one in secondary}
    return [(one, others[one.identity]) for one in reference if one.identity in others]


def bursts_over(bursts: Iterable[PlacedBurst], area: BaseGeometry) -> list[PlacedBurst]:
    """Keep the bursts whose footprint meets an area (EPSG:4326)."""
    return [one for one in bursts if one.footprint.intersects(area)]


def azimuth_overlap(annotation: Annotation, index: int) -> tuple[range, range]:
    """Find the lines that burst `index` and the next one both hold valid.

    Returns
    -------
    ranges
        Lines counted within each of the two bursts; of one length, empty where they do not meet.
    """
    one, other = annotation.bursts[index], annotation.bursts[index + 1]
    step_s = (other.azimuth_time - one.azimuth_time) / np.timedelta64(1, "s")
    step = round(float(step_s) / annotation.azimuth_time_interval_s)
    first = max(one.valid_lines[0], step + other.valid_lines[0])
    stop = max(first, min(one.valid_lines[1], step + other.valid_lines[1]))
    return range(first, stop), range(first - step, stop - step)


def range_overlap(near: Annotation, far: Annotation) -> tuple[range, range]:
    """Find the samples that two swaths both hold valid, in every burst.

    Returns
    -------
    ranges
        Samples counted within each swath; empty where they do not meet.
    """
    if not near.bursts or not far.bursts:
        return range(0), range(0)
    shift = (far.slant_range_time_s - near.slant_range_time_s) * near.range_sampling_rate_hz
    step = round(shift)
    starts, stops = [], []
    for annotation, offset in ((near, 0), (far, step)):
        valid = [one.valid_samples for one in annotation.bursts]
        starts.append(offset + max(first for first, _ in valid))
        stops.append(offset + min(stop for _, stop in valid))
    first = max(starts)
    stop = max(first, min(stops))
    return range(first, stop), range(first - step, stop - step)


def footprint(annotation: Annotation, burst: Burst) -> BaseGeometry:
    """Outline the valid samples of a burst on the ground.

    The places are interpolated in the geolocation grid, through Earth-centred coordinates so that
    neither antimeridian nor pole matters; within 200 m of the DEM's truth on mountains.

    Returns
    -------
    geometry
        Polygon, or MultiPolygon split at the antimeridian, EPSG:4326.
    """
    first, last = burst.valid_lines
    left, right = burst.valid_samples
    if last - first < 2 or right - left < 2:
        return Polygon()
    samples = np.linspace(left, right - 1, 9)
    lines = np.linspace(first, last - 1, 3)
    line = np.concatenate([np.full(9, lines[0]), lines[1:2], np.full(9, lines[2]), lines[1:2]])
    sample = np.concatenate([samples, samples[-1:], samples[::-1], samples[:1]])
    since = line * annotation.azimuth_time_interval_s
    offset = (burst.azimuth_time - annotation.first_line_time) / np.timedelta64(1, "s")
    range_time = annotation.slant_range_time_s + sample / annotation.range_sampling_rate_hz
    longitude, latitude = _in_grid(annotation, since + float(offset), range_time)
    continuous = longitude[0] + (longitude - longitude[0] + 180) % 360 - 180
    outline = Polygon(np.column_stack([continuous, latitude]))
    if not (np.isfinite(continuous).all() and outline.is_valid):
        raise InputError(
            f"{annotation.file}: its geolocation grid puts burst {burst.index} nowhere"
        )
    return within_180(outline)


def _in_grid(
    annotation: Annotation, time_s: NDArray[np.float64], range_time_s: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitude and latitude (degrees) of times after the first line and two-way range times."""
    rows, times, ranges, unit = _as_rows(annotation.geolocation_grid, annotation)
    row = np.clip(np.searchsorted(times, time_s) - 1, 0, rows - 2)
    along = (time_s - times[row]) / (times[row + 1] - times[row])
    column = np.clip(np.searchsorted(ranges, range_time_s) - 1, 0, len(ranges) - 2)
    across = (range_time_s - ranges[column]) / (ranges[column + 1] - ranges[column])
    u, v = across[:, None], along[:, None]
    upper = unit[row, column] * (1 - u) + unit[row, column + 1] * u
    lower = unit[row + 1, column] * (1 - u) + unit[row + 1, column + 1] * u
    x, y, z = (upper * (1 - v) + lower * v).T
    return np.degrees(np.arctan2(y, x)), np.degrees(np.arctan2(z, np.hypot(x, y)))


def _as_rows(
    grid: GeolocationGrid, annotation: Annotation
) -> tuple[int, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Rows of the grid: number, times after the first line, range times, unit vectors."""
    rows = len(np.unique(grid.line))
    if rows < 2 or len(grid.line) % rows or len(grid.line) // rows < 2:
        raise InputError(f"{annotation.file}: its geolocation grid is no grid")
    order = np.lexsort((grid.slant_range_time_s, grid.line))
    times_s = (grid.azimuth_time - annotation.first_line_time) / np.timedelta64(1, "s")
    times = times_s[order].reshape(rows, -1)[:, 0]
    ranges = grid.slant_range_time_s[order].reshape(rows, -1)[0]
    if not (np.diff(times) > 0).all() or not (np.diff(ranges) > 0).all():
        raise InputError(f"{annotation.file}: its geolocation grid is not in order")
    latitude, longitude = np.radians(grid.latitude), np.radians(grid.longitude)
    cosine = np.cos(latitude)
    unit = np.stack([cosine * np.cos(longitude), cosine * np.sin(longitude), np.sin(latitude)], -1)
    return rows, times, ranges, unit[order].reshape(rows, -1, 3)
