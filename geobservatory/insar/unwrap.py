"""From wrapped to continuous phase, by the whole turns that a published solver finds.

The solver is Whirlwind (minimum-cost flow over residues, cost after Carballo and Fieguth, 2000) or,
where it is installed, SNAPHU (Chen and Zebker, 2001). Only whole turns are taken from it: the phase
returned is the phase given plus 2 pi times an integer.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

import numba
import numpy as np
import whirlwind
from numpy.typing import NDArray

from geobservatory.errors import InputError
from geobservatory.insar.unwrap_tiles import (
    LEAST_CELLS,
    NONE,
    TILE_CELLS,
    Solution,
    by_size,
    solve_tiles,
)

Method = Literal["whirlwind", "snaphu"]

# Images are cut into tiles where unwrapping them whole would take more memory than this.
_MOST_BYTES = int(2.5 * 2**30)
# Measured, a cell: 77 of Whirlwind, 385 of SNAPHU, and 20 of what goes in and out.
_CELL_BYTES = {"whirlwind": 97, "snaphu": 405}
# Both solvers count no more looks.
_MOST_LOOKS = 300.0
# A tile may hold a small part of a component that is large enough in all.
_LEAST_IN_TILE = LEAST_CELLS // 4


@dataclass(frozen=True)
class Unwrapped:
    """Continuous phase.

    Attributes
    ----------
    phase
        (rows, cols) float32, radians; NaN where it was not valid.
    components
        (rows, cols) uint32: connected components, 1 the largest. Within one the turns hold together
        reliably; between two a whole number of turns may be missing. 0 where the phase is NaN, in
        none of them, or in one of fewer than 100 cells; in the last two cases the phase is kept.
    method, version
        Of the solver.
    """

    phase: NDArray[np.float32]
    components: NDArray[np.uint32]
    method: str
    version: str


def unwrap(
    phasor: NDArray[np.complex64],
    coherence: NDArray[np.float32],
    looks: float,
    valid: NDArray[np.bool_],
    method: Method = "whirlwind",
    progress: Callable[[int], None] = lambda cells: None,
) -> Unwrapped:
    """Unwrap an interferogram.

    Parameters
    ----------
    phasor
        (rows, cols) complex64; its size has no say.
    coherence
        (rows, cols) float32, 0 to 1.
    looks
        Independent ones of a cell, at least 1.
    valid
        (rows, cols). Of the cells marked, those with a phase and a coherence are unwrapped: not
        those where either is NaN or the phasor is 0.
    progress
        Called with the number of cells done since the last call; they add up to those of the
        smallest rectangle about the cells unwrapped.

    Raises
    ------
    InputError
        Shapes that differ, fewer than one look, no cell to unwrap, or a solver that is unknown or
        not installed.
    """
    _check(phasor, coherence, looks, valid)
    solver = _solver(method)
    usable = valid & np.isfinite(phasor) & (phasor != 0) & np.isfinite(coherence)
    if not usable.any():
        raise InputError(
            f"none of {valid.size} cells can be unwrapped ({int(valid.sum())} are valid, none of "
            "those has a phase and a coherence); look at the mask and the coherence"
        )
    box = _around(usable)

    def solve(part: tuple[slice, slice]) -> Solution:
        seen = np.ascontiguousarray(usable[box][part])
        if not seen.any():
            return Solution(np.full(seen.shape, NONE), np.zeros(seen.shape, np.uint32))
        wrapped = np.where(seen, phasor[box][part], np.complex64(0))
        known = np.where(seen, coherence[box][part], np.float32(0)).clip(0, 1)
        found, components = solver(wrapped, known, min(looks, _MOST_LOOKS), seen)
        turns = np.empty(seen.shape, np.int16)
        _turns(found, wrapped, seen, turns)
        components[turns == NONE] = 0
        return Solution(turns, components)

    inside = usable[box]
    most_cells = _MOST_BYTES // _CELL_BYTES[method]
    if inside.size <= most_cells:
        solution = solve((slice(None), slice(None)))
        progress(inside.size)
    else:
        at_a_time = min(numba.get_num_threads(), max(1, most_cells // TILE_CELLS))
        solution = solve_tiles(solve, inside.shape, at_a_time, progress)
    phase = np.full(phasor.shape, np.nan, np.float32)
    components = np.zeros(phasor.shape, np.uint32)
    _add_turns(phasor[box], solution.turns, phase[box])
    components[box] = by_size(solution.components)
    return Unwrapped(phase, components, method, version_of(method))


def _check(
    phasor: NDArray[np.complex64],
    coherence: NDArray[np.float32],
    looks: float,
    valid: NDArray[np.bool_],
) -> None:
    if phasor.ndim != 2 or not phasor.shape == coherence.shape == valid.shape:
        raise InputError(
            f"phase {phasor.shape}, coherence {coherence.shape} and mask {valid.shape} cannot be "
            "unwrapped together; all three must have the same rows and columns"
        )
    if not 1 <= looks < math.inf:
        raise InputError(f"{looks} looks; a cell has at least one, give the independent ones")


Solver = Callable[
    [NDArray[np.complex64], NDArray[np.float32], float, NDArray[np.bool_]],
    tuple[NDArray[np.float32], NDArray[np.uint32]],
]


def _solver(method: str) -> Solver:
    if method == "whirlwind":
        return _whirlwind
    if method == "snaphu":
        return _snaphu()
    raise InputError(f"no method of unwrapping is called {method!r}; use whirlwind or snaphu")


def version_of(method: str) -> str:
    """Tell the version of a solver.

    Raises
    ------
    InputError
        If it is unknown or not installed.
    """
    _solver(method)
    return version("whirlwind-insar" if method == "whirlwind" else "snaphu")


def _whirlwind(
    phasor: NDArray[np.complex64],
    coherence: NDArray[np.float32],
    looks: float,
    valid: NDArray[np.bool_],
) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    found, components = whirlwind.unwrap(
        phasor, coherence, looks, valid, min_size_px=_LEAST_IN_TILE
    )
    return found, components


def _snaphu() -> Solver:
    """Make SNAPHU a solver; it is not among the dependencies, its licence allows no trade."""
    try:
        import snaphu
    except ImportError as error:
        raise InputError(
            "SNAPHU is not installed; `pip install snaphu` if its licence permits your use, or "
            "unwrap with whirlwind"
        ) from error

    def solve(
        phasor: NDArray[np.complex64],
        coherence: NDArray[np.float32],
        looks: float,
        valid: NDArray[np.bool_],
    ) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
        least = min(1.0, _LEAST_IN_TILE / phasor.size)
        found, components = snaphu.unwrap(
            phasor, coherence, looks, mask=valid, min_conncomp_frac=least
        )
        return np.asarray(found), np.asarray(components, np.uint32)

    return solve


def _around(usable: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Find the smallest rectangle that holds all usable cells."""
    rows, cols = (np.flatnonzero(usable.any(axis=axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)


@numba.njit(parallel=True, cache=True)
def _turns(unwrapped, phasor, valid, turns) -> None:  # type: ignore[no-untyped-def]
    """Count the whole turns between a solution and the phase it was made of."""
    for i in numba.prange(turns.shape[0]):
        for j in range(turns.shape[1]):
            turns[i, j] = NONE
            if valid[i, j] and math.isfinite(unwrapped[i, j]):
                wrapped = math.atan2(np.float64(phasor[i, j].imag), np.float64(phasor[i, j].real))
                turns[i, j] = round((np.float64(unwrapped[i, j]) - wrapped) / (2 * math.pi))


@numba.njit(parallel=True, cache=True)
def _add_turns(phasor, turns, phase) -> None:  # type: ignore[no-untyped-def]
    for i in numba.prange(turns.shape[0]):
        for j in range(turns.shape[1]):
            if turns[i, j] != NONE:
                wrapped = math.atan2(np.float64(phasor[i, j].imag), np.float64(phasor[i, j].real))
                phase[i, j] = wrapped + 2 * math.pi * turns[i, j]
