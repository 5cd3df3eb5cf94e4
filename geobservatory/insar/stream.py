"""Make the look cells of a burst, reading both images once, a strip of lines at a time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geobservatory.insar.coregister import Geometry, make_geometry, strip_nodes
from geobservatory.insar.dem import Dem
from geobservatory.insar.interfere import TAPS, Looked, deramp, interfere
from geobservatory.insar.pair import BurstPair
from geobservatory.insar.tops import Carrier, carrier
from geobservatory.insar.view import BurstView, burst_view
from geobservatory.sentinel1.measurement import Measurement
from geobservatory.sentinel1.orbit import Orbit

Images = Mapping[str, Measurement]
"""Measurements by the name of their annotation, which is of one slice, swath and polarisation."""

# Lines of a strip, about; two strips of 25,000 samples take 100 MB.
_STRIP = 256


@dataclass(frozen=True)
class Offset:
    """How much later and farther the secondary's content lies than orbits and heights say.

    Lines and samples, to be added to what the geometry gives.
    """

    lines: float = 0.0
    samples: float = 0.0


NO_OFFSET = Offset()


@dataclass(frozen=True)
class Prepared:
    """A burst pair with its geometry and carrier solved, ready for any of its lines."""

    pair: BurstPair
    reference: BurstView
    geometry: Geometry
    carrier: Carrier


def prepare(pair: BurstPair, orbits: tuple[Orbit, Orbit], dem: Dem) -> Prepared:
    """Solve what the strips of a burst share.

    Raises
    ------
    InputError
        If an orbit does not cover the burst, the images are not sampled alike, or the DEM is empty.
    """
    here = burst_view(pair.reference, pair.reference_burst, orbits[0])
    there = burst_view(pair.secondary, pair.secondary_burst, orbits[1])
    return Prepared(
        pair,
        here,
        make_geometry(here, there, dem),
        carrier(pair.secondary, pair.secondary_burst, orbits[1]),
    )


def burst_cells(
    prepared: Prepared,
    images: Images,
    dem: Dem,
    looks: tuple[int, int],
    rows: range,
    cols: range,
    offset: Offset = NO_OFFSET,
) -> Looked:
    """Make the look cells of a burst over a rectangle of the common grid.

    Parameters
    ----------
    images
        Those of both passes, whatever slice and swath.
    looks
        Azimuth and range.
    rows, cols
        Cells of the common looked-down grid, within the burst.
    offset
        Of the secondary, beside what the geometry says.

    Returns
    -------
    Looked
        Of those rows and columns.
    """
    azimuth, across = looks
    pair = prepared.pair
    step = max(1, _STRIP // azimuth)
    parts = []
    # Whole nodes: the strip of samples begins at the burst's first.
    left = cols.start * across - pair.first_sample
    right = cols.stop * across - pair.first_sample
    for top in range(rows.start, rows.stop, step):
        first = top * azimuth - pair.first_line
        stop = min(top + step, rows.stop) * azimuth - pair.first_line
        parts.append(_strip(prepared, images, dem, looks, (first, stop), (left, right), offset))
    return Looked(
        np.concatenate([one.cross for one in parts]),
        np.concatenate([one.reference_power for one in parts]),
        np.concatenate([one.secondary_power for one in parts]),
        np.concatenate([one.pixels for one in parts]),
    )


def _strip(
    prepared: Prepared,
    images: Images,
    dem: Dem,
    looks: tuple[int, int],
    lines: tuple[int, int],
    samples: tuple[int, int],
    offset: Offset,
) -> Looked:
    pair, count = prepared.pair, lines[1] - lines[0]
    nodes = strip_nodes(prepared.geometry, dem, lines[0], count, samples[0], samples[1])
    nodes.line_offset[:] += offset.lines
    nodes.sample_offset[:] += offset.samples
    reference = _lines_of(
        images[pair.reference.file], pair.reference_burst.index, pair.reference.lines_per_burst
    )
    window = reference(lines[0], lines[1])[:, samples[0] : samples[1]]
    rows, cols = count // looks[0], (samples[1] - samples[0]) // looks[1]
    there = _needed(nodes.line_offset, lines, pair.secondary_burst.valid_lines)
    if there is None:
        empty = np.zeros((rows, cols), np.float32)
        return Looked(
            empty.astype(np.complex64), empty, empty.copy(), np.zeros((rows, cols), np.int32)
        )
    secondary = _lines_of(
        images[pair.secondary.file], pair.secondary_burst.index, pair.secondary.lines_per_burst
    )
    pixels = secondary(*there)
    deramp(pixels, there[0], prepared.carrier)
    return interfere(
        np.ascontiguousarray(window),
        (lines[0], samples[0]),
        pixels,
        there[0],
        pair.secondary_burst.valid_samples,
        prepared.carrier,
        nodes,
        prepared.reference.wavelength_m,
        looks,
    )


def _needed(
    offset: NDArray[np.float64], lines: tuple[int, int], valid: tuple[int, int]
) -> tuple[int, int] | None:
    """Find the valid lines of the secondary that a strip and its kernel reach, if there are any."""
    if not np.isfinite(offset).any():
        return None
    first = lines[0] + int(np.floor(np.nanmin(offset))) - TAPS // 2
    stop = lines[1] + int(np.ceil(np.nanmax(offset))) + TAPS // 2 + 1
    first, stop = max(first, valid[0]), min(stop, valid[1])
    return (first, stop) if stop - first >= TAPS else None


def _lines_of(image: Measurement, index: int, lines_per_burst: int):  # type: ignore[no-untyped-def]
    """Read lines of one burst of an image."""
    top = index * lines_per_burst
    return lambda first, stop: image.read(slice(top + first, top + stop))
