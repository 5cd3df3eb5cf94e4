"""Whole interferograms by the engines snap and gamma through stand-ins: truth, sign, bad days.

The stand-ins compute with the native engine: what is tested is everything around the real programs.
"""

import dataclasses
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import standins
from shapely.geometry import box
from standins.gamma_commands import install_gamma
from test_34_simulation import plan_of
from test_57_engine import LAYERS, World, layers, truth

from geobservatory.engines import native
from geobservatory.engines.engine import Engine
from geobservatory.engines.gamma.engine import GammaEngine
from geobservatory.engines.request import Request
from geobservatory.engines.snap.engine import SnapEngine
from geobservatory.errors import GeobservatoryError, InputError
from geobservatory.program import ProgramError
from geobservatory.sandbox.compare import compare
from geobservatory.sandbox.scenario import Acquisition, find_scenario
from geobservatory.sandbox.simulate import simulate
from geobservatory.settings.gamma import Gamma
from geobservatory.settings.snap import Snap

# Dozens of programs one after the other: on a busy machine that takes its time.
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Simulate two bursts of Al Haouz before and after the event, a strip of 2.5 km."""
    dates = (
        Acquisition(days=12, perpendicular_m=20.0),
        Acquisition(days=24, perpendicular_m=-60.0, shift_lines=2),
    )
    plan = plan_of(find_scenario("al-haouz-2023"), *dates, bursts=2)
    folder = tmp_path_factory.mktemp("world")
    return World(plan, simulate(plan, folder, lambda lines: None), folder)


def snap(folder: Path, world: World, **switches: str) -> SnapEngine:
    del world
    (gpt,) = standins.install(folder / "bin", "snap_gpt", ["gpt"], **switches)
    return SnapEngine(Snap(gpt=gpt, memory_gb=4))


def gamma(folder: Path, world: World, **switches: str) -> GammaEngine:
    home = install_gamma(folder / "GAMMA_SOFTWARE-20250625", **switches)
    (home / "products.txt").write_text(str(world.folder))
    return GammaEngine(Gamma(home=home))


MAKERS: dict[str, Callable[..., Engine]] = {"snap": snap, "gamma": gamma}


@pytest.fixture(scope="module")
def native_map(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("native") / "map"
    native.make(world.request(out))
    return out


@pytest.fixture(scope="module", params=MAKERS)
def made(
    request: pytest.FixtureRequest, world: World, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, list[tuple[float, str]]]:
    folder = tmp_path_factory.mktemp(request.param)
    told: list[tuple[float, str]] = []
    engine = MAKERS[request.param](folder, world)
    engine.make(world.request(folder / "map"), lambda doing, share: told.append((share, doing)))
    return request.param, folder / "map", told


def test_the_map_is_true_and_like_the_native_one(
    made: tuple, native_map: Path, world: World
) -> None:
    """Sign and size of the known motion; the same grid and layers as whoever made them."""
    name, out, _ = made
    here, there = layers(out), layers(native_map)
    assert set(here) == LAYERS
    for layer in LAYERS:
        with rasterio.open(out / f"{layer}.tif") as one, rasterio.open(
            native_map / f"{layer}.tif"
        ) as other:  # fmt: skip
            assert (one.crs, one.transform, one.shape, one.dtypes) == (
                other.crs, other.transform, other.shape, other.dtypes,
            )  # fmt: skip
    moved, coherence = truth(world, out)
    trusted = (here["connected_components"] == 1) & (coherence > 0.6)
    assert trusted.sum() > 0.9 * ((there["connected_components"] == 1) & (coherence > 0.6)).sum()
    error = (here["los_displacement"] - moved)[trusted]
    assert (error - np.median(error)).std() < 0.003
    assert np.corrcoef(moved[trusted], here["los_displacement"][trusted])[0, 1] > 0.99
    both = trusted & (there["connected_components"] == 1)
    apart = (here["los_displacement"] - there["los_displacement"])[both]
    assert (apart - np.median(apart)).std() < 0.002, name
    assert compare(out, world.folder).error_mm < 3
    # Lines of sight and heights are ours, of the same orbits.
    for layer in ("los_east", "los_north", "los_up", "height"):
        np.testing.assert_array_equal(here[layer], there[layer])


def test_what_was_done_stays_with_the_map(made: tuple, world: World) -> None:
    name, out, told = made
    item = json.loads((out / "metadata.json").read_text())
    about = item["properties"]
    assert about["geobs:engine"] == name
    assert about["processing:software"][{"snap": "SNAP", "gamma": "GAMMA"}[name]] in (
        "10.0.0", "20250625",
    )  # fmt: skip
    kept = sorted(path.name for path in out.iterdir() if path.name.startswith(f"{name}-"))
    assert {one.partition("?")[0] for one in kept} <= set(item["assets"])
    assert f"{name}.log" in item["assets"]
    for path in (*(out / one for one in kept), out / f"{name}.log"):
        text = path.read_text()
        assert str(out.parent) not in text, path.name
        assert str(world.folder) not in text, path.name
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    # More than the steps' beginnings: the program's own progress came through.
    assert len(shares) > 20
    assert not (out / ".work").exists()


def test_a_graph_kept_is_what_ran(made: tuple) -> None:
    from geobservatory.engines.snap.catalogue import problems
    from geobservatory.engines.snap.graph import read_graph

    name, out, _ = made
    if name == "gamma":
        script = out / "gamma-commands.sh"
        subprocess.run(["sh", "-n", script], check=True)
        calls = [line.split()[0] for line in script.read_text().splitlines() if line[:1].isalnum()]
        order = ["par_S1_SLC", "S1_OPOD_vec", "SLC_copy_ScanSAR", "SLC_mosaic_ScanSAR", "gc_map2",
                 "ScanSAR_coreg.py", "SLC_diff_intf", "adf", "mcf", "geocode_back"]  # fmt: skip
        assert [calls.index(one) for one in order] == sorted(calls.index(one) for one in order)
        return
    graphs = sorted(out.glob("snap-*.xml"))
    assert len(graphs) == 5
    for path in graphs:
        assert list(problems(read_graph(path), "10")) == []
    first = read_graph(graphs[0])
    assert first["TOPSAR-Split-reference"].parameters["lastBurstIndex"] == "2"
    assert first["Read-reference-1"].parameters["file"].startswith("S1A_IW_SLC")


def refused(engine: Engine, request: Request) -> GeobservatoryError:
    with pytest.raises(GeobservatoryError) as caught:
        engine.make(request, lambda doing, share: None)
    assert not list(request.out.glob("*.tif"))
    assert not (request.out / "metadata.json").exists()
    return caught.value


@pytest.mark.slow
def test_a_run_that_failed_goes_on_where_it_was(world: World, tmp_path: Path) -> None:
    """SNAP fails in its second graph, leaves a damaged result, an old sign; then all is well."""
    request = world.request(tmp_path / "map")
    error = refused(snap(tmp_path, world, fail="status-0", step="Multilook"), request)
    assert "but said" in str(error)
    (log,) = tmp_path.glob("map/.work/*/snap.log")
    error = refused(snap(tmp_path, world, fail="cut", step="PhaseToDisplacement"), request)
    assert isinstance(error, InputError)
    assert "bytes" in str(error)
    # The sign of PhaseToDisplacement as it was in 2015 is found out.
    error = refused(snap(tmp_path, world, fail="sign", step="PhaseToDisplacement"), request)
    assert isinstance(error, InputError)
    assert "sign or unit of one of them is declared wrongly" in str(error)
    runs = log.read_text().count
    assert [runs(f"{n}-{what}.xml -e") for n, what in (
        (1, "interferogram-of-IW2"), (2, "looks-and-filter"), (5, "geocoding"),
    )] == [1, 2, 2]  # fmt: skip


def test_a_command_that_failed_ends_the_work(world: World, tmp_path: Path) -> None:
    error = refused(gamma(tmp_path, world, fail="status-0", step="gc_map2"),
                    world.request(tmp_path / "map"))  # fmt: skip
    assert isinstance(error, ProgramError)
    assert "gc_map2 failed" in str(error)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.slow
def test_slices_area_and_no_steps(name: str, tmp_path: Path) -> None:
    """Two slices of the reference, one of the secondary; neither filtered nor unwrapped there."""
    dates = (Acquisition(days=12, perpendicular_m=20.0), Acquisition(days=24))
    plan = plan_of(find_scenario("al-haouz-2023"), *dates, bursts=4)
    whole = simulate(plan, tmp_path / "whole", lambda lines: None)
    slices = [
        simulate(
            dataclasses.replace(
                plan, first_number=plan.first_number + first, bursts=2
            ),
            tmp_path / f"slice-{first}", lambda lines: None,
        ).products[0]
        for first in (2, 0)
    ]  # fmt: skip
    placed = World(plan, whole, tmp_path / "whole")
    gathered = tmp_path / "gathered"
    gathered.mkdir()
    for path in (*slices, *whole.products):
        shutil.copy(path, gathered)
    engine = MAKERS[name](tmp_path, dataclasses.replace(placed, folder=gathered))
    request = placed.request(
        tmp_path / "map", reference=tuple(slices), secondary=(whole.products[1],)
    )
    engine.make(request, lambda doing, share: None)
    assert len(json.loads((tmp_path / "map" / "metadata.json").read_text())["properties"][
        "geobs:bursts"]) == 4  # fmt: skip
    moved, coherence = truth(placed, tmp_path / "map")
    here = layers(tmp_path / "map")
    trusted = (here["connected_components"] == 1) & (coherence > 0.6)
    error = (here["los_displacement"] - moved)[trusted]
    assert (error - np.median(error)).std() < 0.003
    assert np.corrcoef(moved[trusted], here["los_displacement"][trusted])[0, 1] > 0.99
    with rasterio.open(whole.dem) as file:
        bounds = file.bounds
    north = box(bounds.left, bounds.top - 0.14, bounds.right, bounds.top - 0.1)
    plain = placed.request(tmp_path / "part", area=north, filtered=False, unwrapped=False)
    engine.make(plain, lambda doing, share: None)
    assert "los_displacement" not in layers(tmp_path / "part")
