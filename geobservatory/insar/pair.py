"""Two passes of one track as pairs of bursts, and the grid on which all of them come together.

Swaths share the sampling in range, and line times that are whole lines apart (to the microsecond
that annotations tell), so every burst of a pair has a place on one grid of lines and samples. A
look cell belongs to one burst: overlaps are cut in their middle, in azimuth and in range.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from shapely.geometry.base import BaseGeometry

from geobservatory.errors import InputError
from geobservatory.insar.track import Track, make_track
from geobservatory.sentinel1.annotation import SPEED_OF_LIGHT, Annotation, Burst
from geobservatory.sentinel1.bursts import BurstId, PlacedBurst, place_bursts
from geobservatory.sentinel1.orbit import Orbit
from geobservatory.sentinel1.safe import SafeProduct


@dataclass(frozen=True)
class BurstPair:
    """One burst of the reference, the same ground in the secondary, and where it lies.

    Attributes
    ----------
    first_line, first_sample
        Of the reference burst, on the common grid.
    """

    identity: BurstId
    reference: Annotation
    reference_burst: Burst
    secondary: Annotation
    secondary_burst: Burst
    first_line: int
    first_sample: int


@dataclass(frozen=True)
class Tile:
    """The look cells that one burst fills: rows and columns of the common looked-down grid."""

    pair: BurstPair
    rows: range
    cols: range


@dataclass(frozen=True)
class Layout:
    """The common grid of a pair of passes, looked down.

    Attributes
    ----------
    tiles
        One for each burst, by swath and time; no two share a cell.
    rows, cols
        Size of the grid.
    looks
        Azimuth and range.
    first_time
        Of line 0 of the full grid.
    line_s, near_m, sample_m
        Line interval, slant range of sample 0, spacing of samples.
    """

    tiles: tuple[Tile, ...]
    rows: int
    cols: int
    looks: tuple[int, int]
    first_time: np.datetime64
    line_s: float
    near_m: float
    sample_m: float

    def track(self, orbit: Orbit) -> Track:
        """Path of the reference over the whole grid."""
        span_ns = round(self.rows * self.looks[0] * self.line_s * 1e9)
        return make_track(
            orbit, self.first_time, self.first_time + np.timedelta64(span_ns, "ns"), margin_s=5
        )


def match_bursts(
    reference: Sequence[SafeProduct],
    secondary: Sequence[SafeProduct],
    polarisation: str,
    area: BaseGeometry | None = None,
    swaths: Collection[str] | None = None,
) -> list[BurstPair]:
    """Pair the bursts of two passes that see the same ground, by swath and time.

    Parameters
    ----------
    reference, secondary
        The slices of each pass. What two of them hold is taken from the earlier one.
    area
        Only bursts that meet it (EPSG:4326); all where None.
    swaths
        Only these; all where None.

    Raises
    ------
    InputError
        If the slices of a pass are of several, the passes are one and the same, of different
        tracks, or share no such burst; the message says what each has.
    """
    here, there = _by_identity(reference, polarisation), _by_identity(secondary, polarisation)
    one, other = reference[0], secondary[0]
    if one.name.is_of_pass(other.name):
        raise InputError(f"{one.path} and {other.path} are of one acquisition")
    if one.relative_orbit != other.relative_orbit:
        raise InputError(
            f"{one.path} is of relative orbit {one.relative_orbit}, {other.path} "
            f"of {other.relative_orbit}; an interferogram needs two dates of one track"
        )
    common = [identity for identity in here if identity in there]
    if not common:
        raise InputError(f"{one.path} and {other.path} have no burst in common")
    chosen = [
        (here[identity], there[identity])
        for identity in common
        if (swaths is None or identity.swath in swaths)
        and (area is None or here[identity].placed.footprint.intersects(area))
    ]
    if not chosen:
        raise InputError("no burst that both passes hold lies in the swaths and area asked for")
    origin = min(one.placed.burst.azimuth_time for one, _ in chosen)
    near = min(one.annotation.slant_range_time_s for one, _ in chosen)
    return [
        BurstPair(
            one.placed.identity,
            one.annotation,
            one.placed.burst,
            other.annotation,
            other.placed.burst,
            _line(one, origin),
            _sample(one.annotation, near),
        )
        for one, other in chosen
    ]


def lay_out(pairs: list[BurstPair], looks: tuple[int, int]) -> Layout:
    """Give every look cell to one burst.

    Parameters
    ----------
    looks
        Azimuth and range.
    """
    azimuth, across = looks
    first = min(pairs, key=lambda one: one.first_line)
    # Valid samples that all bursts of a swath share.
    swaths: dict[str, range] = {}
    for pair in pairs:
        name, samples = pair.identity.swath, _valid(pair)[1]
        known = swaths.get(name, samples)
        swaths[name] = range(max(known.start, samples.start), min(known.stop, samples.stop))
    tiles = []
    for pair in pairs:
        name, (lines, _) = pair.identity.swath, _valid(pair)
        for other in pairs:
            if other.identity.swath == name and other is not pair:
                lines = _cut(lines, _valid(other)[0], azimuth)
        samples = swaths[name]
        for other_name, other_samples in swaths.items():
            if other_name != name:
                samples = _cut(samples, other_samples, across)
        rows = range(-(-lines.start // azimuth), lines.stop // azimuth)
        cols = range(-(-samples.start // across), samples.stop // across)
        tiles.append(Tile(pair, rows, cols))
    annotation = first.reference
    near = min(one.reference.slant_range_time_s for one in pairs)
    return Layout(
        tiles=tuple(tiles),
        rows=max(tile.rows.stop for tile in tiles),
        cols=max(tile.cols.stop for tile in tiles),
        looks=looks,
        first_time=first.reference_burst.azimuth_time,
        line_s=annotation.azimuth_time_interval_s,
        near_m=near * SPEED_OF_LIGHT / 2,
        sample_m=SPEED_OF_LIGHT / 2 / annotation.range_sampling_rate_hz,
    )


def _valid(pair: BurstPair) -> tuple[range, range]:
    """Give the valid lines and samples of the reference burst, on the common grid."""
    first, stop = pair.reference_burst.valid_lines
    left, right = pair.reference_burst.valid_samples
    return (
        range(pair.first_line + first, pair.first_line + stop),
        range(pair.first_sample + left, pair.first_sample + right),
    )


def _cut(span: range, other: range, step: int) -> range:
    """Shorten a span to the middle of what it shares with another that starts beside it.

    The middle is a multiple of `step`, so that look cells of the two meet.
    """
    first, stop = max(span.start, other.start), min(span.stop, other.stop)
    if first >= stop or (span.start, span.stop) == (other.start, other.stop):
        return span
    middle = (first + stop) // 2 // step * step
    return range(span.start, middle) if span.start < other.start else range(middle, span.stop)


@dataclass(frozen=True)
class _Held:
    """A burst, the annotation of the slice that holds it, and when that slice's first begins."""

    placed: PlacedBurst
    annotation: Annotation
    slice_time: np.datetime64


def _by_identity(slices: Sequence[SafeProduct], polarisation: str) -> dict[BurstId, _Held]:
    """List the bursts of a pass, by swath and time; each of the earliest slice that holds it."""
    ordered = sorted(slices, key=lambda one: one.name.start)
    for one in ordered[1:]:
        if not one.name.is_of_pass(ordered[0].name):
            raise InputError(f"{ordered[0].path} and {one.path} are not slices of one pass")
    found: dict[BurstId, _Held] = {}
    for product in ordered:
        bursts = place_bursts(product, polarisation)
        first = min(one.burst.azimuth_time for one in bursts)
        for placed in bursts:
            annotation = product.annotation(placed.swath, polarisation)
            found.setdefault(placed.identity, _Held(placed, annotation, first))
    return dict(
        sorted(found.items(), key=lambda one: (one[0].swath, one[1].placed.burst.azimuth_time))
    )


def _line(held: _Held, origin: np.datetime64) -> int:
    """Place a burst on the common lines.

    Lines of a slice are whole ones apart. Those of two slices need not be: their bursts go to the
    nearest line, half a line (7 m) off at most on the map; phase is of their own times.
    """
    step = held.annotation.azimuth_time_interval_s
    within = _seconds(held.placed.burst.azimuth_time - held.slice_time) / step
    return round(_seconds(held.slice_time - origin) / step) + _whole(within, held.annotation)


def _sample(annotation: Annotation, near_s: float) -> int:
    span = annotation.slant_range_time_s - near_s
    return _whole(span * annotation.range_sampling_rate_hz, annotation)


def _whole(value: float, annotation: Annotation) -> int:
    """Round to a whole number of lines or samples; refuse what is none."""
    if abs(value - round(value)) > 0.02:
        raise InputError(f"{annotation.file}: its lines or samples lie between those of the others")
    return round(value)


def _seconds(span: np.timedelta64) -> float:
    return float(span / np.timedelta64(1, "ns")) * 1e-9
