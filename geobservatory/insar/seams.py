"""Jumps of phase where bursts and swaths meet: what is wrong with timing shows there."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geobservatory.insar.interferogram import Interferogram
from geobservatory.insar.pair import Tile

# A seam shorter than this many cells says nothing.
_LEAST = 20


@dataclass(frozen=True)
class Seam:
    """A border between two bursts and the jump of phase across it.

    Attributes
    ----------
    before, after
        The bursts, as swath and number.
    kind
        ``azimuth`` between bursts of a swath, ``range`` between swaths.
    jump
        Radians; the phase gradient on both sides taken off.
    sigma
        Its standard deviation, radians, from the scatter along the seam.
    """

    before: str
    after: str
    kind: str
    jump: float
    sigma: float


def seams(made: Interferogram) -> list[Seam]:
    """Measure the jump across every seam of an interferogram."""
    found = []
    for one, other, kind, cross in _borders(made):
        # Two rows of cells on either side, the seam in the middle.
        steps = cross[1:] * cross[:-1].conj()
        whole = (np.abs(cross) > 0).all(axis=0)
        if whole.sum() < _LEAST:
            continue
        left, across, right = steps[:, whole].sum(axis=1)
        jump = np.angle(across) - (np.angle(left) + np.angle(right)) / 2
        rest = steps[1, whole] * np.exp(-1j * np.angle(across))
        sigma = np.sqrt((rest.imag**2).sum()) / max(abs(rest.real.sum()), 1e-30)
        found.append(
            Seam(_name(one), _name(other), kind, float(_wrapped(jump)), float(1.5 * sigma))
        )
    return found


def _borders(made: Interferogram) -> Iterator[tuple[Tile, Tile, str, NDArray[np.complex64]]]:
    for one in made.layout.tiles:
        for other in made.layout.tiles:
            here, there = one.pair.identity, other.pair.identity
            if here.swath == there.swath:
                if one.rows.stop == other.rows.start:
                    cols = _shared(one.cols, other.cols)
                    row = other.rows.start
                    yield one, other, "azimuth", made.cross[row - 2 : row + 2, cols]
            elif one.cols.stop == other.cols.start:
                rows = _shared(one.rows, other.rows)
                col = other.cols.start
                yield one, other, "range", made.cross[rows, col - 2 : col + 2].T


def _shared(one: range, other: range) -> slice:
    first = max(one.start, other.start)
    return slice(first, max(first, min(one.stop, other.stop)))


def _name(tile: Tile) -> str:
    return f"{tile.pair.identity.swath} {tile.pair.identity.number}"


def _wrapped(phase: float) -> float:
    return (phase + np.pi) % (2 * np.pi) - np.pi
