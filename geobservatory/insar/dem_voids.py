"""Small voids of a height grid, filled from their rims."""

import numba
import numpy as np
from numpy.typing import NDArray

# A void as wide as this (450 m of 1" cells) is bridged. Across a wider one terrain has shapes of
# its own, and an invented slope would become an invented fringe.
WIDEST_VOID = 15
# Over-relaxation that is best for a square of that width (Young 1954).
_RELAXATION = 2 / (1 + np.sin(np.pi / (WIDEST_VOID + 1)))
_TOLERANCE_M = 1e-5
_MOST_SWEEPS = 5_000


def fill_voids(heights: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Fill, in place, voids no wider than `WIDEST_VOID` cells with the harmonic surface of the rim.

    A void is a set of unknown cells that touch by sides or corners; it is as wide as the largest
    square within it. It is filled only where known cells enclose it: one that runs to the edge of
    the grid stays. The surface solves Laplace's equation (each cell is the mean of its four
    neighbours), so nothing in it is higher or lower than the rim, and a plane is restored.

    Parameters
    ----------
    heights
        (rows, cols) float32, metres, NaN where unknown.

    Returns
    -------
    filled
        (rows, cols): cells that were filled.
    """
    small = np.isnan(heights)
    if small.any():
        _drop_large(small, WIDEST_VOID)
    if small.any():
        _bridge(heights, small)
    return small


def _bridge(heights: NDArray[np.float32], voids: NDArray[np.bool_]) -> None:
    """Solve for the cells of voids, none of which is at the edge of the grid."""
    flat = heights.reshape(-1)
    cells = np.flatnonzero(voids)
    known = np.zeros(cells.size)
    # Of each cell's four neighbours, which are unknown cells too; the others count by their height.
    linked = np.empty((cells.size, 4), np.int64)
    for k, step in enumerate((-heights.shape[1], -1, 1, heights.shape[1])):
        place = np.minimum(np.searchsorted(cells, cells + step), cells.size - 1)
        unknown = cells[place] == cells + step
        linked[:, k] = np.where(unknown, place, -1)
        known += np.where(unknown, 0.0, flat[cells + step])
    flat[cells] = _relax(known, linked, _RELAXATION)


@numba.njit(cache=True)
def _relax(known, linked, factor: float):  # type: ignore[no-untyped-def]
    """Successive over-relaxation."""
    values = np.zeros(known.size)
    for _ in range(_MOST_SWEEPS):
        change = 0.0
        for i in range(known.size):
            total = known[i]
            for j in linked[i]:
                if j >= 0:
                    total += values[j]
            step = factor * (0.25 * total - values[i])
            values[i] += step
            change = max(change, abs(step))
        if change < _TOLERANCE_M:
            break
    return values


@numba.njit(cache=True)
def _drop_large(unknown, widest: int) -> None:  # type: ignore[no-untyped-def]
    """Clear voids that hold a larger square than this, or a cell at the edge of the grid."""
    rows, cols = unknown.shape
    # Side of the largest square of unknown cells whose last corner a cell is, up to 255.
    side = np.zeros((rows, cols), np.uint8)
    for i in range(rows):
        for j in range(cols):
            if unknown[i, j]:
                side[i, j] = 1
                if i > 0 and j > 0:
                    least = min(side[i - 1, j - 1], side[i - 1, j], side[i, j - 1])
                    side[i, j] = min(254, least) + 1
    for i in range(rows):
        for j in range(cols):
            at_edge = i == 0 or j == 0 or i == rows - 1 or j == cols - 1
            if unknown[i, j] and (at_edge or side[i, j] > widest):
                _clear(unknown, i, j)


@numba.njit(cache=True)
def _clear(unknown, row: int, col: int) -> None:  # type: ignore[no-untyped-def]
    """Clear the void about a cell, ring by ring: the front is short where the void is large."""
    rows, cols = unknown.shape
    unknown[row, col] = False
    front = [(row, col)]
    while len(front) > 0:
        ahead = [(0, 0) for _ in range(0)]
        for i, j in front:
            for near_i in range(max(i - 1, 0), min(i + 2, rows)):
                for near_j in range(max(j - 1, 0), min(j + 2, cols)):
                    if unknown[near_i, near_j]:
                        unknown[near_i, near_j] = False
                        ahead.append((near_i, near_j))
        front = ahead
