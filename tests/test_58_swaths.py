"""An area over two swaths by the engines snap and gamma through stand-ins: truth, seam, one map."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from test_34_simulation import plan_of
from test_57_engine import World, layers, truth
from test_58_programs import MAKERS

from geobservatory.engines import native
from geobservatory.engines.snap import engine
from geobservatory.engines.snap.graph import read_graph
from geobservatory.engines.spans import Span
from geobservatory.errors import InputError
from geobservatory.sandbox.instrument import SWATHS
from geobservatory.sandbox.plan import Window, _bounds
from geobservatory.sandbox.scenario import Acquisition, find_scenario
from geobservatory.sandbox.simulate import simulate
from geobservatory.sandbox.world import make_world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Simulate the far end of IW1 and the near end of IW2, two bursts each, over Al Haouz."""
    scenario = find_scenario("al-haouz-2023")
    dates = (
        Acquisition(days=12, perpendicular_m=20.0),
        Acquisition(days=24, perpendicular_m=-60.0, shift_lines=2),
    )
    plan = plan_of(scenario, *dates, bursts=2)
    windows = Window(SWATHS["IW1"], 19500, 1200), Window(SWATHS["IW2"], 0, 900)
    plan = dataclasses.replace(plan, windows=windows)
    plan = dataclasses.replace(plan, world=make_world(scenario, dates, _bounds(plan)))
    folder = tmp_path_factory.mktemp("swaths")
    return World(plan, simulate(plan, folder, lambda lines: None), folder)


@pytest.fixture(scope="module")
def native_map(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("native") / "map"
    native.make(world.request(out))
    return out


@pytest.mark.parametrize("name", MAKERS)
def test_two_swaths_become_one_map(
    name: str, world: World, native_map: Path, tmp_path: Path
) -> None:
    """True across the seam, as the native engine's; the swaths are joined by the program."""
    out = tmp_path / "map"
    MAKERS[name](tmp_path, world).make(world.request(out), lambda doing, share: None)
    about = json.loads((out / "metadata.json").read_text())["properties"]
    assert {one.split("_")[-1] for one in about["geobs:bursts"]} == {"IW1", "IW2"}
    joins_swaths(name, out)
    here, there = layers(out), layers(native_map)
    moved, coherence = truth(world, out)
    known = (there["connected_components"] == 1) & (coherence > 0.6)
    trusted = (here["connected_components"] == 1) & known
    assert trusted.sum() > 0.9 * known.sum()
    error = (here["los_displacement"] - moved)[trusted]
    assert (error - np.median(error)).std() < 0.001
    assert np.corrcoef(moved[trusted], here["los_displacement"][trusted])[0, 1] > 0.99
    apart = (here["los_displacement"] - there["los_displacement"])[trusted]
    assert (apart - np.median(apart)).std() < 0.001
    # One constant for both swaths: each of them has the other's.
    columns = np.nonzero(trusted)[1]
    west, east = (columns < np.median(columns)), (columns >= np.median(columns))
    assert abs(np.median(error[west]) - np.median(error[east])) < 0.0005


def joins_swaths(name: str, out: Path) -> None:
    """Assert that the program worked on two swaths, each with its own bursts."""
    if name == "gamma":
        calls = [line.split() for line in (out / "gamma-commands.sh").read_text().splitlines()]
        imported = [one[6].split(".")[1] for one in calls if one[:1] == ["par_S1_SLC"]]
        assert imported == ["iw1", "iw2", "iw1", "iw2"]
        return
    graphs = [read_graph(path) for path in sorted(out.glob("snap-*.xml"))]
    split = [graph["TOPSAR-Split-reference"].parameters["subswath"] for graph in graphs[:2]]
    assert split == ["IW1", "IW2"]
    assert graphs[2]["TOPSAR-Merge"].sources == ("Read-1", "Read-2")


def test_swaths_that_do_not_lie_beside_each_other_are_refused(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TOPSAR-Merge objects to a gap; that is said before anything runs."""
    spans = (Span("IW1", (1, 2), (1, 2)), Span("IW3", (1, 2), (1, 2)))
    monkeypatch.setattr(engine, "spans", lambda inputs, least: spans)
    with pytest.raises(InputError, match="IW1, IW3 do not lie beside each other"):
        MAKERS["snap"](tmp_path, world).make(
            world.request(tmp_path / "map"), lambda doing, share: None
        )
