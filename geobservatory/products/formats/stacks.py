"""Maps of one track on one grid, as programs for time series take them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geobservatory.errors import InputError
from geobservatory.insar.map_grid import MapGrid
from geobservatory.products.formats.made_map import MadeMap


@dataclass(frozen=True)
class Stack:
    """Maps of one track, by dates.

    Attributes
    ----------
    name
        Of the track, ``052D``; of further stacks of the same track ``052D-2`` and so on.
    grid
        That holds all of them.
    """

    name: str
    maps: tuple[MadeMap, ...]
    grid: MapGrid

    def place(self, values: NDArray[Any], made: MadeMap) -> NDArray[Any]:
        """Put a layer of a map in its place on the common grid, NaN or 0 about it."""
        whole = self.grid
        top = round((whole.top - made.grid.top) / whole.step)
        left = round((made.grid.left - whole.left) / whole.step)
        nothing = np.nan if values.dtype.kind == "f" else 0
        out = np.full((whole.rows, whole.cols), nothing, values.dtype)
        out[top : top + made.grid.rows, left : left + made.grid.cols] = values
        return out


def make_stacks(maps: Sequence[MadeMap]) -> list[Stack]:
    """Sort maps into stacks: those of one track and polarisation whose cells lie on one lattice.

    Raises
    ------
    InputError
        If two maps are of the same two days: programs for time series know pairs by their days.
    """
    groups: dict[tuple[Any, ...], list[MadeMap]] = {}
    for made in sorted(maps, key=lambda one: (one.track, one.times)):
        groups.setdefault(_key(made), []).append(made)
    tracks = [key[0] for key in groups]
    stacks = []
    for number, (key, members) in enumerate(groups.items()):
        _require_different_days(members)
        same = tracks[:number].count(key[0])
        name = key[0] if same == 0 else f"{key[0]}-{same + 1}"
        stacks.append(Stack(name, tuple(members), _common([one.grid for one in members])))
    return stacks


def _key(made: MadeMap) -> tuple[Any, ...]:
    grid = made.grid
    # Corners are whole multiples of the step, unless another program chose the grid.
    corner = (round(one / grid.step % 1, 3) % 1 for one in (grid.left, grid.top))
    return made.track, made.about["sar:polarizations"][0], grid.crs, grid.step, *corner


def _require_different_days(members: Sequence[MadeMap]) -> None:
    seen: dict[tuple[str, str], MadeMap] = {}
    for made in members:
        other = seen.setdefault(made.dates, made)
        if other is not made:
            raise InputError(
                f"{other.name} and {made.name} are of the same two days, by which programs for "
                "time series know their pairs; export one of them"
            )


def _common(grids: Sequence[MapGrid]) -> MapGrid:
    """Lay the grid that holds all grids of a lattice."""
    step = grids[0].step
    left, top = min(one.left for one in grids), max(one.top for one in grids)
    right = max(one.left + one.cols * step for one in grids)
    bottom = min(one.top - one.rows * step for one in grids)
    rows, cols = round((top - bottom) / step), round((right - left) / step)
    return MapGrid(grids[0].crs, left, top, step, rows, cols)


def baselines_by_date(maps: Sequence[MadeMap]) -> dict[str, float]:
    """Give each day a perpendicular baseline, metres, from those of the pairs.

    Those that fit the pairs best in the least-squares sense; in every part of the network that
    hangs together they count from its first day, which alone is exact.
    """
    days = sorted({day for made in maps for day in made.dates})
    design = np.zeros((len(maps), len(days)))
    measured = np.zeros(len(maps))
    for row, made in enumerate(maps):
        first, second = (days.index(one) for one in made.dates)
        design[row, first], design[row, second] = -1.0, 1.0
        measured[row] = made.about["geobs:perpendicular_baseline_m"]
    solved = np.linalg.lstsq(design, measured, rcond=None)[0]
    part = list(range(len(days)))
    for _ in days:
        for made in maps:
            first, second = (days.index(one) for one in made.dates)
            part[first] = part[second] = min(part[first], part[second])
    return {day: float(solved[i] - solved[part[i]]) for i, day in enumerate(days)}
