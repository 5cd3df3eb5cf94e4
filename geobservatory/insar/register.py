"""Residual offset of the secondary by coherent cross-correlation, in azimuth and range.

The two images are made into an interferogram with the secondary moved by half a pixel back and
forth; the sum of the look cells' magnitudes is largest where they lie on each other, and a parabola
through its logarithm finds the place to a hundredth of a pixel (Bamler and Eineder, 2005, give the
bound: sqrt(3 / 2N) sqrt(1 - c^2) / (pi c)). Good enough for range, where a hundredth costs nothing,
and to take spectral diversity into its first turn in azimuth.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geobservatory.insar.dem import Dem
from geobservatory.insar.pair import Layout, Tile
from geobservatory.insar.stream import Images, Offset, Prepared, burst_cells

# Look cells of each burst that are tried, rows by columns: enough in the bursts of one swath for a
# hundredth of a pixel at a coherence of 0.3.
_ROWS, _COLS = 8, 400
_STEP, _STEPS = 0.5, 16
_AXES = ("lines", "samples")
# Coherent ground loses some 15 % over half a pixel; noise nothing.
_LEAST_BEND = 0.05


@dataclass(frozen=True)
class Registration:
    """Where the secondary's content lies beside where orbits and heights say.

    Attributes
    ----------
    offset
        Lines and samples.
    sigma_lines, sigma_samples
        Standard deviations, from the scatter between bursts and the bound above; infinite where
        nothing is coherent at any offset tried.
    """

    offset: Offset
    sigma_lines: float
    sigma_samples: float


def estimate_offset(
    layout: Layout, prepared: list[Prepared], images: Images, dem: Dem
) -> Registration:
    """Estimate the offset of a pair from a band of look cells in the middle of every burst."""
    tried = _Tried(layout, prepared, images, dem)
    at = Offset()
    sigma = dict.fromkeys(_AXES, math.inf)
    for axis in (*_AXES, *_AXES):
        found = _peak(tried, at, axis)
        if found is None:
            return Registration(Offset(), math.inf, math.inf)
        at, sigma[axis] = found
    return Registration(at, sigma["lines"], sigma["samples"])


class _Tried:
    """Coherence of every burst's band, by offset, each made once."""

    def __init__(self, layout: Layout, prepared: list[Prepared], images: Images, dem: Dem) -> None:
        self._layout, self._prepared, self._images, self._dem = layout, prepared, images, dem
        self._known: dict[Offset, NDArray[np.float64]] = {}
        self.pixels = 0

    def __call__(self, offset: Offset) -> NDArray[np.float64]:
        if offset not in self._known:
            self._known[offset] = np.array(
                [
                    self._band(tile, one, offset)
                    for tile, one in zip(self._layout.tiles, self._prepared, strict=True)
                ]
            )
        return self._known[offset]

    def _band(self, tile: Tile, one: Prepared, offset: Offset) -> float:
        cells = burst_cells(
            one,
            self._images,
            self._dem,
            self._layout.looks,
            _middle(tile.rows, _ROWS),
            _middle(tile.cols, _COLS),
            offset,
        )
        self.pixels = max(self.pixels, int(cells.pixels.sum()))
        power = np.sqrt(cells.reference_power.astype(np.float64) * cells.secondary_power).sum()
        return float(np.abs(cells.cross).sum() / power) if power > 0 else math.nan


def _middle(span: range, count: int) -> range:
    first = span.start + max(0, (len(span) - count) // 2)
    return range(first, min(first + count, span.stop))


def _peak(tried: _Tried, at: Offset, axis: str) -> tuple[Offset, float] | None:
    """Climb along an axis by half pixels, then fit; None where there is no peak."""
    for _ in range(_STEPS):
        value = getattr(at, axis)
        back, here, ahead = (tried(replace(at, **{axis: value + k * _STEP})) for k in (-1, 0, 1))
        seen = np.isfinite(back) & np.isfinite(here) & np.isfinite(ahead)
        if not seen.any():
            return None
        sums = [float(one[seen].sum()) for one in (back, here, ahead)]
        if sums[1] >= max(sums):
            break
        at = replace(at, **{axis: value + _STEP * (1 if sums[2] > sums[0] else -1)})
    else:
        return None
    # Bursts that hardly see any coherence have no say.
    weight = np.where(seen, here, 0.0) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        low, middle, high = (np.log(one) for one in (back, here, ahead))
        bend = low - 2 * middle + high
        places = 0.5 * _STEP * (low - high) / bend
    kept = seen & (bend < -_LEAST_BEND) & (np.abs(places) < 2 * _STEP)
    if not kept.any():
        return None
    mean = float(np.average(places[kept], weights=weight[kept]))
    coherence = float(np.average(here[kept], weights=weight[kept]))
    bound = (
        math.sqrt(3 / (2 * tried.pixels * kept.sum()))
        * math.sqrt(1 - coherence**2)
        / (math.pi * coherence)
    )
    scatter = float(np.std(places[kept]) / math.sqrt(kept.sum()))
    return replace(at, **{axis: getattr(at, axis) + mean}), max(scatter, bound)
