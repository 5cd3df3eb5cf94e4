"""Unwrapping in tiles that overlap, joined by the whole turns most cells of an overlap agree on.

Each connected component of a tile is shifted by a number of turns of its own. Where components of
two tiles meet, the cells of both vote for the difference; a majority joins them into one. The votes
with most cells are heard first, and one that contradicts what is settled joins nothing.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

# Stands for the turns of a cell that was not unwrapped.
NONE = np.int16(-32768)
# Components with fewer cells are not told.
LEAST_CELLS = 100
_TILE, _OVERLAP = 2048, 256
TILE_CELLS = _TILE**2
# Votes that are needed to join two components.
_LEAST_VOTES = 50


@dataclass(frozen=True)
class Solution:
    """What a solver found of an image or a tile.

    Attributes
    ----------
    turns
        (rows, cols) int16, whole turns to add; NONE where nothing was unwrapped.
    components
        (rows, cols) uint32, 0 where a cell is in none.
    """

    turns: NDArray[np.int16]
    components: NDArray[np.uint32]


@dataclass(frozen=True)
class _Tile:
    """A tile that was unwrapped.

    Attributes
    ----------
    rows, cols
        Where it lies.
    core_rows, core_cols
        The part of it that no other tile has a better say in.
    turns
        As in `Solution`.
    parts
        int32: number of the part, unique among all tiles, that a cell is shifted with; 0 where
        nothing was unwrapped. Negative where the cell is in no component: the nearest one's then.
    """

    rows: slice
    cols: slice
    core_rows: slice
    core_cols: slice
    turns: NDArray[np.int16]
    parts: NDArray[np.int32]


@dataclass(frozen=True)
class _Vote:
    """The second part needs `turns` more than the first, say so many cells."""

    cells: int
    first: int
    second: int
    turns: int


class _Levels:
    """Turns of parts relative to each other (union-find with differences)."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count + 1))
        self._turns = [0] * (count + 1)

    def of(self, part: int) -> tuple[int, int]:
        """Give the part that stands for all that are joined, and the turns above it."""
        turns = 0
        while self._above[part] != part:
            turns += self._turns[part]
            part = self._above[part]
        return part, turns

    def join(self, vote: _Vote) -> None:
        first, first_turns = self.of(vote.first)
        second, second_turns = self.of(vote.second)
        if first != second:
            self._above[second] = first
            self._turns[second] = first_turns + vote.turns - second_turns


def solve_tiles(
    solve: Callable[[tuple[slice, slice]], Solution],
    shape: tuple[int, ...],
    threads: int,
    progress: Callable[[int], None],
) -> Solution:
    """Unwrap an image in tiles.

    Parts that touch no other tile's keep the level the solver gave them within their tile.

    Parameters
    ----------
    solve
        Unwraps the part of the image that is named by its rows and columns.
    shape
        Rows and columns of the image.
    threads
        Tiles worked on at a time.
    progress
        Called with the number of cells done since the last call.
    """
    places = [(r, c) for r in _cut(shape[0]) for c in _cut(shape[1])]
    tiles: list[_Tile] = []
    votes: list[_Vote] = []
    count = 0
    with ThreadPoolExecutor(threads) as pool:
        solved = pool.map(lambda place: solve((place[0][0], place[1][0])), places)
        for ((rows, core_rows), (cols, core_cols)), solution in zip(places, solved, strict=True):
            parts, found = _parts(solution, count)
            tiles.append(_Tile(rows, cols, core_rows, core_cols, solution.turns, parts))
            # As the solver levelled them; without cells, so that it is heard last of all.
            votes += [_Vote(0, count + 1, count + other, 0) for other in range(2, found + 1)]
            count += found
            progress((core_rows.stop - core_rows.start) * (core_cols.stop - core_cols.start))
    across = len(_cut(shape[1]))
    firm: list[_Vote] = []
    for number, tile in enumerate(tiles):
        for step in (1, across):
            if (step == 1 and (number + 1) % across == 0) or number + step >= len(tiles):
                continue
            firm += _ask(tile, tiles[number + step], reliable=True)
            votes += _ask(tile, tiles[number + step], reliable=False)
    levels = _Levels(count)
    for vote in _heard(firm):
        levels.join(vote)
    joined = np.array([levels.of(part)[0] for part in range(count + 1)], np.uint32)
    for vote in _heard(votes):
        levels.join(vote)
    shifts = np.array([levels.of(part)[1] for part in range(count + 1)], np.int16)
    return _assemble(tiles, shape, joined, shifts)


def _cut(length: int) -> list[tuple[slice, slice]]:
    """Cut an axis: what each tile covers, and its core, which ends in the middle of the overlap."""
    count = max(1, -(-(length - _OVERLAP) // (_TILE - _OVERLAP)))
    edges = [round(k * (length - _OVERLAP) / count) for k in range(count + 1)]
    middle = _OVERLAP // 2
    return [
        (
            slice(first, last + _OVERLAP),
            slice(first + middle if first else 0, length if k == count - 1 else last + middle),
        )
        for k, (first, last) in enumerate(pairwise(edges))
    ]


def _parts(solution: Solution, before: int) -> tuple[NDArray[np.int32], int]:
    """Count the components of a tile onward, and give each cell outside them to the nearest."""
    there = solution.turns != NONE
    if not there.any():
        return np.zeros(there.shape, np.int32), 0
    components = solution.components.astype(np.int32)
    found = int(components.max())
    if not found:
        return np.where(there, np.int32(-before - 1), np.int32(0)), 1
    parts = np.where(components > 0, components + before, 0)
    outside = there & (components == 0)
    if outside.any():
        nearest = distance_transform_edt(
            components == 0, return_distances=False, return_indices=True
        )
        parts[outside] = -parts[nearest[0][outside], nearest[1][outside]]
    return parts, found


def _ask(one: _Tile, other: _Tile, reliable: bool) -> Iterator[_Vote]:
    """Let the cells of an overlap vote; reliable are those in a component of both tiles."""
    rows, cols = _meet(one.rows, other.rows), _meet(one.cols, other.cols)
    first, second = _within(one, rows, cols), _within(other, rows, cols)
    a, b = one.parts[first], other.parts[second]
    seen = (a > 0) & (b > 0) if reliable else (a != 0) & (b != 0)
    if not seen.any():
        return
    ballots = np.stack(
        [np.abs(a[seen]), np.abs(b[seen]), one.turns[first][seen] - other.turns[second][seen]]
    )
    low = ballots.min(axis=1)
    span = ballots.max(axis=1) - low + 1
    code = np.ravel_multi_index(tuple(ballots - low[:, None]), tuple(span))
    found, cells = np.unique(code, return_counts=True)
    choices = np.stack(np.unravel_index(found, tuple(span)), axis=1) + low
    pairs, owner = np.unique(choices[:, :2], axis=0, return_inverse=True)
    for number, (part, neighbour) in enumerate(pairs):
        mine = np.flatnonzero(owner == number)
        best = mine[cells[mine].argmax()]
        most, cast = int(cells[best]), int(cells[mine].sum())
        if not reliable or (most >= _LEAST_VOTES and 2 * most > cast):
            yield _Vote(most, int(part), int(neighbour), int(choices[best, 2]))


def _meet(one: slice, other: slice) -> slice:
    return slice(max(one.start, other.start), min(one.stop, other.stop))


def _within(tile: _Tile, rows: slice, cols: slice) -> tuple[slice, slice]:
    return (
        slice(rows.start - tile.rows.start, rows.stop - tile.rows.start),
        slice(cols.start - tile.cols.start, cols.stop - tile.cols.start),
    )


def _heard(votes: list[_Vote]) -> list[_Vote]:
    """Put votes in the order they are heard in."""
    return sorted(votes, key=lambda vote: -vote.cells)


def _assemble(
    tiles: list[_Tile],
    shape: tuple[int, ...],
    joined: NDArray[np.uint32],
    shifts: NDArray[np.int16],
) -> Solution:
    turns, components = np.full(shape, NONE), np.zeros(shape, np.uint32)
    for tile in tiles:
        core = _within(tile, tile.core_rows, tile.core_cols)
        parts, own = tile.parts[core], tile.turns[core]
        target = tile.core_rows, tile.core_cols
        turns[target] = np.where(parts != 0, own + shifts[np.abs(parts)], NONE)
        components[target] = np.where(parts > 0, joined[np.maximum(parts, 0)], 0)
    return Solution(turns, components)


def by_size(components: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Sort components: the largest is 1; those of too few cells are 0."""
    cells = np.bincount(components.ravel())
    cells[0] = 0
    order = np.argsort(-cells, kind="stable")
    order = order[cells[order] >= LEAST_CELLS]
    numbers = np.zeros(len(cells), np.uint32)
    numbers[order] = np.arange(1, len(order) + 1)
    return numbers[components]
