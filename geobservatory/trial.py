"""Engines put to the test: one simulated pair through each, held against truth and each other."""

import json
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from geobservatory.engines.engine import Engine
from geobservatory.engines.native import Native
from geobservatory.engines.request import Event, Heights, Progress, Request
from geobservatory.errors import GeobservatoryError
from geobservatory.sandbox.compare import Comparison, compare
from geobservatory.sandbox.plan import Size, make_plan
from geobservatory.sandbox.scenario import Scenario
from geobservatory.sandbox.simulate import Simulated, simulate, total_lines

# Two maps of one pair agree where signs and units are right; what is left is noise and filters.
_SLOPE, _MOST_MM, _LEAST_SHARE = (0.9, 1.1), 5.0, 0.5
_TAIL = 25


@dataclass(frozen=True)
class Agreement:
    """A map of motion held against the native engine's of the same pair, on the same grid.

    Attributes
    ----------
    cells, share
        How many both have unwrapped in their largest component; their share of the native one's.
    slope
        By which this map grows with the native one: 1 where signs and units are right.
    rest_mm
        Root mean square of the difference, its median taken off.
    coherence
        Mean difference of coherence, this less the native one.
    """

    cells: int
    share: float
    slope: float
    rest_mm: float
    coherence: float

    @property
    def good(self) -> bool:
        """Whether the two say the same of the ground."""
        return (
            _SLOPE[0] < self.slope < _SLOPE[1]
            and self.rest_mm < _MOST_MM
            and self.share > _LEAST_SHARE
        )


@dataclass(frozen=True)
class Trial:
    """What came of a pair by one engine.

    Attributes
    ----------
    failed
        Why there is no map; None where there is one.
    truth, native
        How far the map is from the truth, and from the native engine's.
    image_off_m
        By how much the image lies from the heights, metres east and north; None where there is no
        image, or no relief in it.
    notes
        What the engine says of its programs: where they are, and what they may use.
    software
        Names and versions that went into the map.
    tail
        Last lines of the program's log, where there is no map.
    """

    engine: str
    version: str | None
    seconds: float
    failed: str | None = None
    verdict: str | None = None
    reasons: tuple[str, ...] = ()
    truth: Comparison | None = None
    native: Agreement | None = None
    image_off_m: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    software: Mapping[str, str] = field(default_factory=dict)
    tail: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether there is a map, and it agrees with the native engine's where that is known."""
        return self.failed is None and (self.native is None or self.native.good)


def simulate_pair(scenario: Scenario, name: str, folder: Path, progress: Progress) -> Simulated:
    """Simulate the two dates of a pass about the event, small; what is there already stays."""
    plan = make_plan(scenario, scenario.pass_named(name), Size.SMALL)
    before = [shot for shot in plan.shots if not shot.after_event]
    after = [shot for shot in plan.shots if shot.after_event]
    plan = replace(plan, shots=(before[-1], after[0]))
    whole, done = total_lines(plan), 0

    def told(lines: int) -> None:
        nonlocal done
        done += lines
        progress("simulating a pair", min(1.0, done / whole))

    return simulate(plan, folder, told)


def request_of(made: Simulated, dates: tuple[int, int], folder: Path, out: Path) -> Request:
    """Ask for the interferogram of two dates of a simulated pass."""
    one, other = (made.products[index] for index in dates)
    return Request(
        (one,), (other,), out, folder / "cache",
        heights=Heights(made.dem),
        orbits=folder,
        event=Event(f"Simulated pair, {folder.name}"),
    )  # fmt: skip


def try_engines(
    engines: Sequence[Engine], request: Request, world: Path, progress: Progress
) -> list[Trial]:
    """Make one pair by the native engine and by each of the others, and compare.

    Parameters
    ----------
    request
        Of a simulated pair; each engine gets a folder of its own name inside `out`.
    world
        Folder of the simulation.
    progress
        Told what each engine is doing.

    Returns
    -------
    trials
        The native engine's first. One that fails is a trial that says why.
    """
    others = [one for one in engines if one.name != "native"]
    native = _try(Native(), request, world, None, progress)
    reference = request.out / "native"
    return [native, *(_try(one, request, world, reference, progress) for one in others)]


def _try(
    engine: Engine, request: Request, world: Path, native: Path | None, progress: Progress
) -> Trial:
    out = request.out / engine.name
    there = engine.availability()
    started = time.monotonic()
    try:
        result = engine.make(
            replace(request, out=out),
            lambda doing, share: progress(f"{engine.name}: {doing}", share),
        )
        seconds = time.monotonic() - started
        about = result.item["properties"]
        terrain = about["geobs:quality"]["terrain"]
        return Trial(
            engine.name, there.version, seconds,
            verdict=result.verdict,
            reasons=result.reasons,
            truth=compare(out, world),
            native=None if native is None else agreement(out, native),
            image_off_m=(terrain["east_m"], terrain["north_m"]) if terrain["relief"] else None,
            notes=there.notes,
            software=about["processing:software"],
        )  # fmt: skip
    except Exception as error:  # noqa: BLE001  (what nobody foresaw is what the report is for)
        return Trial(
            engine.name, there.version, time.monotonic() - started,
            failed=_told(error),
            notes=there.notes,
            tail=_tail(out),
        )  # fmt: skip


def _told(error: Exception) -> str:
    """Say what went wrong; of an error that is not ours, where."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, GeobservatoryError):
        return text
    places = traceback.extract_tb(error.__traceback__)
    return f"{text} ({places[-1].name}, {Path(places[-1].filename).name}:{places[-1].lineno})"


def _tail(out: Path) -> tuple[str, ...]:
    """Give the last lines of the log that an unfinished map keeps."""
    logs = sorted(out.glob(".work/*/*.log"), key=lambda path: path.stat().st_mtime)
    if not logs:
        return ()
    lines = logs[-1].read_text(encoding="utf-8", errors="replace").splitlines()
    return tuple(line[:300] for line in lines[-_TAIL:])


def agreement(made: Path, native: Path) -> Agreement:
    """Hold a finished map against another of the same grid.

    Raises
    ------
    OSError
        If a layer is missing.
    """
    one, other = _read(made), _read(native)
    seen = (one["connected_components"] == 1) & np.isfinite(one["los_displacement"])
    known = (other["connected_components"] == 1) & np.isfinite(other["los_displacement"])
    both = seen & known
    if both.sum() < 100:
        return Agreement(int(both.sum()), 0.0, float("nan"), float("nan"), float("nan"))
    here = one["los_displacement"][both].astype(float)
    there = other["los_displacement"][both].astype(float)
    here, there = here - np.median(here), there - np.median(there)
    spread = float((there * there).sum())
    rest = here - there
    apart = one["coherence"][both].astype(float) - other["coherence"][both]
    return Agreement(
        cells=int(both.sum()),
        share=float(both.sum() / known.sum()),
        slope=float((here * there).sum() / spread) if spread > 0 else float("nan"),
        rest_mm=1e3 * float(np.sqrt(np.mean((rest - np.median(rest)) ** 2))),
        coherence=float(np.nanmean(apart)),
    )


def _read(folder: Path) -> dict[str, NDArray[np.float32]]:
    names = "los_displacement", "connected_components", "coherence"
    found = {}
    for name in names:
        with rasterio.open(folder / f"{name}.tif") as file:
            found[name] = file.read(1)
    return found


def event_dates(made: Simulated) -> tuple[int, int]:
    """Give the two dates of a pass, closest in time, between which the event happened."""
    pairs = json.loads((made.truth / "truth.json").read_text())["pairs"]
    spanning = min((one for one in pairs if one["spans_event"]), key=lambda one: one["days"])
    names = [path.name.removesuffix(".SAFE.zip") for path in made.products]
    return names.index(spanning["reference"]), names.index(spanning["secondary"])
