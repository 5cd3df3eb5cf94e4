"""All bursts of a pair on one looked-down grid, one after the other, seams cut in mid overlap."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geobservatory.insar.dem import Dem
from geobservatory.insar.pair import Layout
from geobservatory.insar.stream import Prepared, burst_cells
from geobservatory.sentinel1.measurement import Measurement

Images = Mapping[str, tuple[Measurement, Measurement]]
"""Measurements of the reference and the secondary, by swath."""


@dataclass(frozen=True)
class Interferogram:
    """A flattened, looked-down interferogram in radar geometry.

    Phase as in `interfere`: positive where the ground moved away from the satellite.

    Attributes
    ----------
    cross
        (rows, cols) complex64: sum of reference times conjugate secondary.
    reference_power, secondary_power
        (rows, cols) float32: sums of the squared magnitudes of the same pixels.
    pixels
        (rows, cols) int32: how many those are; 0 where nothing was seen by both, or heights lack.
    layout
        The grid.
    """

    cross: NDArray[np.complex64]
    reference_power: NDArray[np.float32]
    secondary_power: NDArray[np.float32]
    pixels: NDArray[np.int32]
    layout: Layout

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Cells at least half full."""
        return self.pixels * 2 >= self.layout.looks[0] * self.layout.looks[1]

    @property
    def coherence(self) -> NDArray[np.float32]:
        """Magnitude of the sample coherence of each cell; NaN where it is not valid.

        Topographic fringes are gone by flattening, so they do not lower it. With L independent
        looks it is high by about (1 - c^2)^2 / (2 L c) (Touzi et al., 1999).
        """
        power = np.sqrt(self.reference_power) * np.sqrt(self.secondary_power)
        with np.errstate(invalid="ignore", divide="ignore"):
            coherence = np.abs(self.cross) / power
        return np.where(self.valid & (power > 0), np.minimum(coherence, 1), np.nan).astype(
            np.float32
        )


def make_interferogram(
    layout: Layout,
    prepared: list[Prepared],
    images: Images,
    dem: Dem,
    shift_lines: float = 0.0,
    progress: Callable[[int], None] = lambda cells: None,
) -> Interferogram:
    """Make the interferogram of a pair.

    Parameters
    ----------
    prepared
        One for each tile of the layout, in its order.
    shift_lines
        Residual azimuth shift of the secondary, as `estimate_shift` finds it.
    progress
        Called with the number of cells of every burst that is finished.
    """
    shape = layout.rows, layout.cols
    made = Interferogram(
        np.zeros(shape, np.complex64),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.int32),
        layout,
    )
    for tile, one in zip(layout.tiles, prepared, strict=True):
        cells = burst_cells(
            one, images[tile.pair.identity.swath], dem, layout.looks, tile.rows, tile.cols,
            shift_lines,
        )  # fmt: skip
        at = np.s_[tile.rows.start : tile.rows.stop, tile.cols.start : tile.cols.stop]
        made.cross[at] = cells.cross
        made.reference_power[at] = cells.reference_power
        made.secondary_power[at] = cells.secondary_power
        made.pixels[at] = cells.pixels
        progress(len(tile.rows) * len(tile.cols))
    return made
