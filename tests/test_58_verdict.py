"""The verdict: by its rules alone, and on simulated pairs that should and should not pass."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
from test_34_simulation import plan_of

from geobservatory.engines import native
from geobservatory.engines.request import Heights, Request
from geobservatory.insar.detect import Deformation
from geobservatory.insar.esd import Shift
from geobservatory.insar.judge import Level, Quality, judge
from geobservatory.insar.register import Registration
from geobservatory.insar.seams import Seam
from geobservatory.insar.stream import Offset
from geobservatory.insar.terrain_check import TerrainMatch
from geobservatory.sandbox.plan import Plan, _bounds
from geobservatory.sandbox.scenario import Acquisition, Scenario, find_scenario
from geobservatory.sandbox.simulate import Simulated, simulate
from geobservatory.sandbox.world import make_world

SOUND = Quality(
    mean_coherence=0.8,
    coherent_share=0.95,
    main_component=0.99,
    registration=Registration(Offset(0.001, 0.002), 0.002, 0.002),
    shift=Shift(0.0002, 0.0001, 8),
    seams=(Seam("IW1 1", "IW1 2", "azimuth", 0.01, 0.01),),
    terrain=TerrainMatch(0.2, 0.8, 1.0, -2.0),
    height_correlation=0.2,
    height_m_per_km=0.003,
    deformation=Deformation(False, 0.02, 0.01, -0.01, 0.0, (0.01, 0.0), 0.004),
)


def with_(**changes: object) -> Quality:
    return dataclasses.replace(SOUND, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("quality", "level", "said"),
    [
        (SOUND, Level.GOOD, ""),
        (with_(coherent_share=0.3), Level.CARE, "30% of the cells"),
        (with_(coherent_share=0.05), Level.NOT_USABLE, "5% of the cells"),
        (with_(coherent_share=math.nan), Level.NOT_USABLE, "of the cells"),
        (
            with_(registration=Registration(Offset(), math.inf, math.inf)),
            Level.NOT_USABLE,
            "could not be registered",
        ),
        (
            with_(registration=Registration(Offset(2.2, 0.0), 0.01, 0.01)),
            Level.CARE,
            "+2.20 lines",
        ),
        (with_(shift=Shift(0.0, math.inf, 0)), Level.CARE, "no burst overlap"),
        (with_(shift=None), Level.GOOD, ""),
        (with_(seams=(Seam("IW1 1", "IW2 1", "range", 0.8, 0.02),)), Level.CARE, "+0.80 rad"),
        (with_(seams=(Seam("IW1 1", "IW2 1", "range", 0.8, 0.5),)), Level.GOOD, ""),
        (with_(seams=(Seam("IW1 1", "IW2 1", "range", -2.5, 0.1),)), Level.NOT_USABLE, "-2.50 rad"),
        (with_(terrain=TerrainMatch(0.2, 0.03, 0, 0)), Level.NOT_USABLE, "another place"),
        (with_(terrain=TerrainMatch(0.01, 0.0, 0, 0)), Level.GOOD, ""),
        (with_(terrain=TerrainMatch(0.2, 0.7, 45.0, 0)), Level.CARE, "45 m from the heights"),
        (with_(terrain=TerrainMatch(0.2, 0.7, 0, -90.0)), Level.NOT_USABLE, "datum or orbit"),
        (with_(main_component=0.5), Level.CARE, "50% of what was unwrapped"),
        (with_(main_component=0.0), Level.NOT_USABLE, "nothing could be unwrapped"),
        (with_(main_component=None, deformation=None), Level.GOOD, ""),
        (with_(height_correlation=0.8, height_m_per_km=0.03), Level.CARE, "+30 mm a kilometre"),
        (with_(height_correlation=-0.9, height_m_per_km=-0.2), Level.NOT_USABLE, "heights are"),
    ],
)
def test_each_fault_has_its_verdict(quality: Quality, level: Level, said: str) -> None:
    verdict = judge(quality, 40.0)
    assert verdict.level == level
    assert said in "; ".join(verdict.reasons)
    assert bool(verdict.reasons) == (level != Level.GOOD)


def test_a_ramp_is_told_unless_deformation_fills_the_map() -> None:
    ramp = dataclasses.replace(SOUND.deformation, ramp_m_per_100km=(0.2, 0.1))  # type: ignore[type-var]
    assert judge(with_(deformation=ramp), 40.0).level == Level.CARE
    moved = dataclasses.replace(ramp, detected=True)
    assert judge(with_(deformation=moved), 40.0).level == Level.GOOD


@pytest.fixture(scope="module")
def quiet() -> Scenario:
    """Al Haouz before anything happened."""
    return find_scenario("al-haouz-2023")


def world(scenario: Scenario, folder: Path, **second: object) -> tuple[Plan, Simulated]:
    dates = Acquisition(days=0), Acquisition(days=12, **second)  # type: ignore[arg-type]
    plan = plan_of(scenario, *dates, bursts=2)
    return plan, simulate(plan, folder, lambda lines: None)


def made(folder: Path, products: list[Path], dem: Path, orbits: Path | None = None) -> dict:
    out = folder / "map"
    one, other = ((path,) for path in products)
    native.make(Request(one, other, out, folder, heights=Heights(dem), orbits=orbits))
    return json.loads((out / "metadata.json").read_text())["properties"]


def test_a_quiet_pair_is_good_and_says_what_it_would_have_seen(
    quiet: Scenario, tmp_path: Path
) -> None:
    _, pair = world(quiet, tmp_path / "world", perpendicular_m=60.0)
    found = made(tmp_path, pair.products, pair.dem, tmp_path / "world")
    assert found["geobs:verdict"] == "good", found["geobs:reasons"]
    deformation, terrain = found["geobs:deformation"], found["geobs:quality"]["terrain"]
    assert not deformation["detected"]
    assert 0.004 < deformation["limit_m"] < 0.1
    # Geolocation, by the relief that the image shows: within 5 m and a quarter of a cell.
    assert terrain["correlation"] > 0.5
    assert math.hypot(terrain["east_m"], terrain["north_m"]) < 5


def test_heights_of_another_place_or_datum_are_told(quiet: Scenario, tmp_path: Path) -> None:
    _, pair = world(quiet, tmp_path / "world", perpendicular_m=60.0)
    with rasterio.open(pair.dem) as source:
        heights, profile = source.read(1), source.profile
    for name, changed, said in (
        ("turned", heights[::-1, ::-1], "another place"),
        ("low", heights - np.float32(45), "from the heights"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        with rasterio.open(folder / "dem.tif", "w", **profile) as target:
            target.write(np.ascontiguousarray(changed), 1)
        found = made(folder, pair.products, folder / "dem.tif", tmp_path / "world")
        assert found["geobs:verdict"] != "good"
        assert said in " ".join(found["geobs:reasons"])


def test_ground_that_does_not_stay_or_is_another_is_not_usable(
    quiet: Scenario, tmp_path: Path
) -> None:
    plan, pair = world(quiet, tmp_path / "world")
    seed = quiet.ground.model_copy(update={"seed": quiet.ground.seed + 5})
    other = dataclasses.replace(plan, scenario=quiet.model_copy(update={"ground": seed}))
    other = dataclasses.replace(
        other, world=make_world(other.scenario, other.passing.acquisitions, _bounds(other))
    )
    elsewhere = simulate(other, tmp_path / "elsewhere", lambda lines: None)
    products = [pair.products[0], elsewhere.products[1]]
    found = made(tmp_path, products, pair.dem, tmp_path / "world")
    assert found["geobs:verdict"] == "not usable"
    assert "registered" in " ".join(found["geobs:reasons"])


def test_a_missing_burst_leaves_a_gap_and_no_wrong_map(quiet: Scenario, tmp_path: Path) -> None:
    dates = Acquisition(days=0), Acquisition(days=12, missing_burst=1)
    plan = plan_of(quiet, *dates, bursts=3)
    pair = simulate(plan, tmp_path / "world", lambda lines: None)
    found = made(tmp_path, pair.products, pair.dem, tmp_path / "world")
    assert len(found["geobs:bursts"]) == 2
    assert found["geobs:verdict"] == "usable with care"
    assert "no burst overlap" in " ".join(found["geobs:reasons"])
    with rasterio.open(tmp_path / "map" / "mask.tif") as file:
        mask = file.read(1)
    middle = mask[mask.shape[0] // 2]
    assert (middle & 32 != 0).all()


def test_a_scene_over_the_antimeridian_is_one_map(quiet: Scenario, tmp_path: Path) -> None:
    event = quiet.event.model_copy(update={"longitude": 179.99, "latitude": -17.0, "sources": ()})
    scenario = quiet.model_copy(update={"event": event})
    _, pair = world(scenario, tmp_path / "world")
    found = made(tmp_path, pair.products, pair.dem, tmp_path / "world")
    assert found["geobs:verdict"] == "good", found["geobs:reasons"]
    assert found["proj:code"] in {"EPSG:32701", "EPSG:32760"}
    item = json.loads((tmp_path / "map" / "metadata.json").read_text())
    with rasterio.open(tmp_path / "map" / "coherence.tif") as file:
        assert max(file.shape) * 40 < 120_000
        assert np.isfinite(file.read(1)).mean() > 0.15
    assert all(-180 <= x <= 180 for x in (item["bbox"][0], item["bbox"][2]))
