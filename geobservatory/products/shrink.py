"""Maps made small enough to draw: means of blocks of cells."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Rows of the small map worked on at a time: memory stays bounded.
_ROWS = 64


def factor_for(rows: int, cols: int, most: int) -> int:
    """Find how many cells a side to put together so that no side has more than `most`."""
    return max(1, math.ceil(max(rows, cols) / most))


def shrink(values: NDArray[Any], factor: int) -> NDArray[np.float32]:
    """Average blocks of cells, those without data left out.

    Parameters
    ----------
    values
        (rows, cols), NaN where there is nothing.
    factor
        Cells a side of a block; blocks at the lower and right edge may be cut.

    Returns
    -------
    means
        (ceil(rows / factor), ceil(cols / factor)); NaN where a block holds no data at all.
    """
    return _means(values, factor).astype(np.float32)


def shrink_phase(phase: NDArray[Any], factor: int) -> NDArray[np.float32]:
    """Average wrapped phase over blocks of cells: the direction of the mean of the phasors.

    Parameters and result are those of `shrink`, radians within ±π.
    """
    small = [
        np.angle(_means(np.exp(1j * slab), factor))
        for slab in _slabs(phase, factor)
    ]  # fmt: skip
    return np.concatenate(small).astype(np.float32)


def _slabs(values: NDArray[Any], factor: int) -> list[NDArray[Any]]:
    height = _ROWS * factor
    return [values[first : first + height] for first in range(0, len(values), height)]


def _means(values: NDArray[Any], factor: int) -> NDArray[Any]:
    small = []
    for slab in _slabs(values, factor):
        known = np.isfinite(slab)
        total = _sums(np.where(known, slab, 0), factor)
        count = _sums(known.astype(np.float32), factor)
        with np.errstate(invalid="ignore", divide="ignore"):
            small.append(np.where(count > 0, total / count, np.nan))
    return np.concatenate(small)


def _sums(values: NDArray[Any], factor: int) -> NDArray[Any]:
    rows = np.add.reduceat(values, np.arange(0, values.shape[0], factor), axis=0)
    return np.asarray(np.add.reduceat(rows, np.arange(0, values.shape[1], factor), axis=1))
