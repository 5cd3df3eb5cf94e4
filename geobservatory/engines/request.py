"""What an engine is asked for and what it gives back, whichever it is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from shapely.geometry.base import BaseGeometry

from geobservatory.insar.dem_files import GLO30
from geobservatory.insar.geoid_grids import GRIDS_ADDRESS
from geobservatory.insar.glo30 import GLO30_ADDRESS

Progress = Callable[[str, float], None]
"""Takes what is being done, in a few words, and the share of the whole that is finished."""


def part_of(progress: Progress, first: float, last: float) -> Progress:
    """Tell the progress of a part as that of the whole."""
    return lambda doing, share: progress(doing, first + (last - first) * share)


@dataclass(frozen=True)
class Heights:
    """Where heights come from: the arguments of `make_dem`."""

    source: str | Path = GLO30
    datum: str | None = None
    tiles_address: str = GLO30_ADDRESS
    grids_address: str = GRIDS_ADDRESS


@dataclass(frozen=True)
class Event:
    """What is expected between the images, for title and picture."""

    title: str
    longitude: float | None = None
    latitude: float | None = None


@dataclass(frozen=True)
class Request:
    """An interferogram to be made.

    Attributes
    ----------
    reference, secondary
        SAFE folders or zips: the slices of each pass, the earlier pass first.
    out
        Folder of the results.
    cache
        Folder for what is fetched: tiles of heights, grids of geoids.
    heights
        Where heights come from.
    orbits
        Folder of orbit files, or None for the products' own vectors.
    orbits_from
        Archive to fetch from what the folder lacks, or None.
    area
        Only bursts that meet it are used, and the map is cut to its box (EPSG:4326).
    swaths, polarisation
        Which to use; all, and VV before HH, where None.
    spacing_m
        Cell of the map.
    looks
        Azimuth and range; those that come nearest to the spacing where None.
    filtered, unwrapped, spectral_diversity
        Whether to take these steps.
    unwrapper
        By which program.
    threads
        At most so many; all cores where None.
    event
        What is expected.
    """

    reference: tuple[Path, ...]
    secondary: tuple[Path, ...]
    out: Path
    cache: Path
    heights: Heights = field(default_factory=Heights)
    orbits: Path | None = None
    orbits_from: str | None = None
    area: BaseGeometry | None = None
    swaths: tuple[str, ...] | None = None
    polarisation: str | None = None
    spacing_m: float = 40.0
    looks: tuple[int, int] | None = None
    filtered: bool = True
    unwrapped: bool = True
    spectral_diversity: bool = True
    unwrapper: Literal["whirlwind", "snaphu"] = "whirlwind"
    threads: int | None = None
    event: Event | None = None


@dataclass(frozen=True)
class Result:
    """A finished interferogram.

    Attributes
    ----------
    folder
        Where its files are; `metadata.json` describes them.
    verdict, reasons
        What it is good for, and why not more.
    item
        The content of `metadata.json`.
    """

    folder: Path
    verdict: str
    reasons: tuple[str, ...]
    item: dict[str, Any]
