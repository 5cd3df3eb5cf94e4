"""Make interferograms of simulated pairs whose truth is known, and write what came of them.

`make validate` runs it and writes `docs/validation.md` with its picture. It takes some twenty
minutes on two cores. Cases can be named: `python -m benchmarks.validation quiet timing`.
"""

import argparse
import dataclasses
import json
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from benchmarks.validation_page import write_page
from benchmarks.walkthrough import draw
from geobservatory.engines import native
from geobservatory.engines.request import Heights, Request
from geobservatory.insar.look import look
from geobservatory.insar.map_grid import MapGrid
from geobservatory.sandbox.instrument import LINE_S, SAMPLING_HZ, SWATHS, WAVELENGTH_M
from geobservatory.sandbox.plan import Plan, Size, Window, _bounds, make_plan
from geobservatory.sandbox.scenario import Acquisition, Scenario, find_scenario
from geobservatory.sandbox.simulate import simulate
from geobservatory.sandbox.world import COHERENCE, DELAY, EAST, make_world

_PAGE = Path("docs/validation.md")
_PICTURE = Path("docs/validation.png")
_STEPS, _DRAWN = Path("docs/interferogram.png"), "al-haouz-descending"
_RADIANS = 4 * math.pi / WAVELENGTH_M
# Far IW1 and near IW2, so that they overlap in range.
_MERGED = (Window(SWATHS["IW1"], 18_700, 2000), Window(SWATHS["IW2"], 0, 2600))


@dataclasses.dataclass(frozen=True)
class Case:
    """A simulated pair and how it is made.

    Attributes
    ----------
    dates
        The two acquisitions; None for the scenario's own last two (`event`) or first two.
    ground
        What differs from the scenario's ground.
    event
        Whether the event lies between the images.
    options
        Of the request.
    heights
        Changes the heights that the engine is given.
    spoil
        Changes the pixels' world of the secondary's pass: another seed is other ground.
    expected
        The verdicts that are right.
    """

    name: str
    about: str
    scenario: str = "al-haouz-2023"
    passing: int = 0
    dates: tuple[Acquisition, Acquisition] | None = None
    ground: dict[str, Any] = dataclasses.field(default_factory=dict)
    event: bool = True
    noise_db: float | None = None
    windows: tuple[Window, ...] | None = None
    bursts: int | None = None
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    heights: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None
    other_ground: bool = False
    expected: tuple[str, ...] = ("good",)


def pair(second: dict[str, Any] | None = None, first: dict[str, Any] | None = None) -> Any:
    return (
        Acquisition(**{"days": 0, **(first or {})}),
        Acquisition(**{"days": 12, **(second or {})}),
    )


_PLAIN = {"relief_m": 0.0, "brightness_db": 0.0, "vegetation": 0.0}
_EVEN = {"vegetation": 0.0, "brightness_db": 0.0}
_CARE = ("usable with care",)
_BAD = ("not usable",)


def cases() -> list[Case]:
    found = [
        Case("al-haouz-descending", "the event, descending"),
        Case("al-haouz-ascending", "the event, ascending", passing=1),
        Case("amatrice", "the event, ascending, a third of the land green", "amatrice-2016",
             expected=("good", *_CARE)),
        Case("rift", "a dike opens on an island", "rift-opening", expected=("good", *_CARE)),
        Case("before", "the pair before the event", event=False),
    ]  # fmt: skip
    found += [
        Case(f"coherence-{value:.1f}", f"nothing moves, even ground of coherence {value:.1f}",
             dates=pair({"perpendicular_m": 30.0}), event=False, noise_db=-40.0,
             ground={**_EVEN, "coherence": value}, expected=("good", *_CARE))
        for value in (0.4, 0.6, 0.8)
    ]  # fmt: skip
    found += [
        Case(f"baseline-{metres}", f"nothing moves, baseline of {metres} m",
             dates=pair({"perpendicular_m": float(metres), "shift_lines": 3}), event=False,
             noise_db=-40.0, ground={**_EVEN, "coherence": 0.8})
        for metres in (0, 150, 300)
    ]  # fmt: skip
    found += [
        Case(f"looks-{a}x{r}", f"nothing moves, {a} x {r} looks", dates=pair(), event=False,
             noise_db=-40.0, ground={**_EVEN, "coherence": 0.8}, options={"looks": (a, r)})
        for a, r in ((1, 4), (6, 24))
    ]  # fmt: skip
    found += [
        Case("merged", "nothing moves, IW1 and IW2 merged", dates=pair({"perpendicular_m": -80.0}),
             event=False, noise_db=-40.0, ground={**_EVEN, "coherence": 0.8}, windows=_MERGED),
        Case("timing", "the secondary 0.02 line late",
             dates=pair({"azimuth_timing_s": 0.02 * LINE_S, "perpendicular_m": 60.0}), event=False,
             noise_db=-40.0, ground={**_EVEN, "coherence": 0.8}),
        Case("timing-merged", "the same, IW1 and IW2 merged",
             dates=pair({"azimuth_timing_s": 0.02 * LINE_S, "perpendicular_m": 60.0}), event=False,
             noise_db=-40.0, ground={**_EVEN, "coherence": 0.8}, windows=_MERGED),
        Case("off-a-pixel", "the secondary 1.3 lines late and 0.7 samples far",
             dates=pair({"azimuth_timing_s": 1.3 * LINE_S, "range_timing_s": 0.7 / SAMPLING_HZ}),
             event=False, noise_db=-40.0, ground={**_EVEN, "coherence": 0.8}, expected=_CARE),
        Case("slices", "slices cut differently, bursts 3 lines apart",
             dates=pair({"first_burst": 1, "shift_lines": 3}), event=False, noise_db=-40.0,
             ground={**_EVEN, "coherence": 0.8}),
        Case("sky", "a heavy sky, 15 mm on each date", dates=pair({"atmosphere_m": 0.015},
             {"atmosphere_m": 0.015}), event=False, expected=("good", *_CARE)),
        Case("ramp", "an orbit that leaves a ramp of 0.2 m over 100 km",
             dates=pair({"ramp_m": (0.2, 0.0)}), event=False, expected=_CARE),
    ]  # fmt: skip
    found += [
        Case("decorrelated", "ground that does not stay", dates=pair(), event=False,
             ground={"coherence": 0.03}, expected=_BAD),
        Case("other-place", "the secondary shows other ground", dates=pair(), event=False,
             other_ground=True, expected=_BAD),
        Case("geoid", "heights 45 m too low, as geoid heights taken for ellipsoidal ones",
             heights=lambda one: one - np.float32(45), expected=(*_CARE, *_BAD)),
        Case("other-heights", "heights of another place",
             heights=lambda one: np.ascontiguousarray(one[::-1, ::-1]), expected=_BAD),
        Case("misregistered", "the secondary 11 lines late, beyond what is searched",
             dates=pair({"azimuth_timing_s": 0.005, "range_timing_s": 1e-6}), event=False,
             expected=_BAD),
        Case("coast", "half of it water", ground={"sea_m": 1700.0, "base_m": 1500.0}),
        Case("water", "hardly any land", ground={"sea_m": 2600.0, "base_m": 1500.0},
             expected=(*_CARE, *_BAD)),
    ]  # fmt: skip
    return found


def plan_of(case: Case) -> Plan:
    scenario = find_scenario(case.scenario)
    passing = scenario.passes[case.passing]
    own = passing.acquisitions[-2:] if case.event else passing.acquisitions[:2]
    dates = case.dates or own
    ground = scenario.ground.model_copy(update=case.ground)
    passing = passing.model_copy(update={"acquisitions": dates})
    if case.dates is not None and case.event:
        raise ValueError(f"{case.name}: dates of its own are before the event")
    scenario = scenario.model_copy(
        update={
            "ground": ground,
            "passes": (passing,),
            "noise_db": scenario.noise_db if case.noise_db is None else case.noise_db,
        }
    )
    plan = make_plan(scenario, passing, Size.SMALL)
    if case.windows is not None:
        plan = dataclasses.replace(plan, windows=case.windows, bursts=2)
        plan = dataclasses.replace(
            plan, world=make_world(scenario, passing.acquisitions, _bounds(plan))
        )
    return plan


def spoiled(scenario: Scenario) -> Scenario:
    return scenario.model_copy(
        update={"ground": scenario.ground.model_copy(update={"seed": scenario.ground.seed + 7})}
    )


def run(case: Case, folder: Path) -> dict[str, Any]:
    """Simulate a case, make its interferogram, and hold that against the truth."""
    plan = plan_of(case)
    made = simulate(plan, folder / "world", lambda lines: None)
    products = list(made.products)
    if case.other_ground:
        other = dataclasses.replace(plan, scenario=spoiled(plan.scenario))
        other = dataclasses.replace(
            other,
            world=make_world(other.scenario, other.passing.acquisitions, _bounds(other)),
        )
        products[1] = simulate(other, folder / "other", lambda lines: None).products[1]
    heights = made.dem
    if case.heights is not None:
        heights = folder / "heights.tif"
        with (
            rasterio.open(made.dem) as source,
            rasterio.open(heights, "w", **source.profile) as target,
        ):
            target.write(case.heights(source.read(1)), 1)
    started = time.perf_counter()
    result = native.make(
        Request(
            (products[0],), (products[1],), folder / "out", folder / "cache",
            heights=Heights(heights), orbits=folder / "world", **case.options,
        )
    )  # fmt: skip
    seconds = time.perf_counter() - started
    wanted = case.expected
    row = {
        "case": case,
        "verdict": result.verdict,
        "reasons": result.reasons,
        "right": result.verdict in wanted,
        "seconds": seconds,
        **compared(plan, folder / "out", case),
    }
    deformation = row["deformation"]
    row["detected"] = deformation["detected"]
    if result.verdict != "not usable" and deformation["detected"] != case.event:
        row["right"] = False
    return row


def compared(plan: Plan, out: Path, case: Case) -> dict[str, Any]:
    """Hold the files of an interferogram against the world it was made from."""
    layers = {path.stem: _read(path) for path in out.glob("*.tif")}
    properties = json.loads((out / "metadata.json").read_text())["properties"]
    with rasterio.open(out / "wrapped_phase.tif") as file:
        grid = MapGrid(
            str(file.crs), file.transform.c, file.transform.f, file.transform.a, *file.shape
        )
    latitude, longitude = grid.places(0, grid.rows)
    world = plan.world.sample(latitude, longitude)
    track, _ = plan.track(plan.shots[0])
    seen = look(track, np.radians(latitude), np.radians(longitude), world[..., 0])
    sight = np.stack([seen.east, seen.north, seen.up], -1)
    toward = (world[..., EAST : EAST + 3] * sight).sum(-1) * plan.shots[1].after_event
    toward -= world[..., DELAY + 1] - world[..., DELAY]
    truth = world[..., COHERENCE]
    whole = (layers["mask"].astype(int) & ~(16 | 64)) == 0
    phase = np.angle(np.exp(1j * (layers["wrapped_phase"] + _RADIANS * toward)))
    steady = whole & (truth > 0.3) & np.isfinite(phase)
    centre = np.angle(np.exp(1j * phase[steady]).mean()) if steady.any() else 0.0
    phase = np.where(whole, np.angle(np.exp(1j * (phase - centre))), np.nan)
    displacement = layers.get("los_displacement")
    trusted = steady & (truth >= 0.6) & (layers["connected_components"] == 1)
    error = (displacement - toward)[trusted]
    properties_quality = properties["geobs:quality"]
    return {
        "phase": phase,
        "wrapped": layers["wrapped_phase"],
        "coherence_truth": float(truth[steady].mean()) if steady.any() else math.nan,
        "coherence": float(layers["coherence"][steady].mean()) if steady.any() else math.nan,
        "kilometre": _kilometre(np.where(steady, phase, np.nan), grid.step),
        "los_mm": float(np.std(error)) * 1e3 if trusted.sum() > 100 else math.nan,
        "quality": properties_quality,
        "deformation": properties["geobs:deformation"],
    }


def _read(path: Path) -> NDArray[np.float32]:
    with rasterio.open(path) as file:
        return file.read(1)


def _kilometre(phase: NDArray[np.float64], step: float) -> float:
    """Give the standard deviation of the phase over square kilometres that are mostly known."""
    size = max(1, round(1000 / step))
    rows, cols = (one // size for one in phase.shape)
    blocks = phase[: rows * size, : cols * size].reshape(rows, size, cols, size)
    known = np.isfinite(blocks).sum((1, 3))
    mean = np.nansum(blocks, axis=(1, 3)) / np.maximum(known, 1)
    kept = mean[known > 0.8 * size**2]
    return float(kept.std()) if kept.size > 4 else math.nan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", help="only these")
    parser.add_argument("--folder", type=Path, help="keep everything here")
    arguments = parser.parse_args()
    chosen = [one for one in cases() if not arguments.cases or one.name in arguments.cases]
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for case in chosen:
            folder = (arguments.folder or Path(temporary)) / case.name
            folder.mkdir(parents=True, exist_ok=True)
            row = run(case, folder)
            rows.append(row)
            print(told(row), flush=True)
            if case.name == _DRAWN:
                drawn(folder)
    if not arguments.cases:
        write_page(_PAGE, _PICTURE, rows)


def drawn(folder: Path) -> None:
    """Draw the steps of a case for the page that walks through them."""
    reference, secondary = sorted((folder / "world").glob("*.zip"))
    (dem,) = (folder / "world").glob("dem-*.tif")
    heights = Heights(dem)
    draw(
        Request((reference,), (secondary,), folder / "steps", folder / "cache", heights=heights,
                orbits=folder / "world"),
        _STEPS,
    )  # fmt: skip


def told(row: dict[str, Any]) -> str:
    case = row["case"]
    return (
        f"{case.name:20} {'right' if row['right'] else 'WRONG':6} {row['verdict']:17} "
        f"coherence {row['coherence']:.3f} of {row['coherence_truth']:.3f}, "
        f"km {row['kilometre']:.3f} rad, LOS {row['los_mm']:.2f} mm, detected {row['detected']}, "
        f"{row['seconds']:.0f} s; "
        f"{'; '.join(row['reasons'])}"
    )


if __name__ == "__main__":
    main()
