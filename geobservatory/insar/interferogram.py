"""All bursts of a pair on one looked-down grid, one after the other, seams cut in mid overlap."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geobservatory.insar.dem import Dem
from geobservatory.insar.interfere import Looked
from geobservatory.insar.pair import Layout, Tile
from geobservatory.insar.stream import NO_OFFSET, Images, Offset, Prepared, burst_cells


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

    def put(self, tile: Tile, cells: Looked) -> None:
        """Put the cells of a burst in their place."""
        at = np.s_[tile.rows.start : tile.rows.stop, tile.cols.start : tile.cols.stop]
        self.cross[at] = cells.cross
        self.reference_power[at] = cells.reference_power
        self.secondary_power[at] = cells.secondary_power
        self.pixels[at] = cells.pixels

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Cells at least half full."""
        return self.pixels * 2 >= self.layout.looks[0] * self.layout.looks[1]


def make_interferogram(
    layout: Layout,
    prepared: list[Prepared],
    images: Images,
    dem: Dem,
    offset: Offset = NO_OFFSET,
    progress: Callable[[int], None] = lambda cells: None,
) -> Interferogram:
    """Make the interferogram of a pair.

    Parameters
    ----------
    prepared
        One for each tile of the layout, in its order.
    offset
        Of the secondary, as `estimate_offset` and `estimate_shift` find it.
    progress
        Called with the number of cells of every burst that is finished.
    """
    made = blank(layout)
    for tile, one in zip(layout.tiles, prepared, strict=True):
        cells = burst_cells(one, images, dem, layout.looks, tile.rows, tile.cols, offset)
        made.put(tile, cells)
        progress(len(tile.rows) * len(tile.cols))
    return made


def blank(layout: Layout) -> Interferogram:
    """Give an interferogram with nothing in it yet."""
    shape = layout.rows, layout.cols
    return Interferogram(
        np.zeros(shape, np.complex64),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.int32),
        layout,
    )
