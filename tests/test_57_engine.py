"""The native engine through files: what it refuses, what it makes, and what survives a kill."""

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
from kite_reader import load_kite
from shapely.geometry import box
from test_34_simulation import plan_of

from geobservatory.engines import native
from geobservatory.engines.request import Heights, Request
from geobservatory.errors import GeobservatoryError, InputError
from geobservatory.insar.look import look
from geobservatory.insar.map_grid import MapGrid
from geobservatory.products.formats.dimap import read_dimap
from geobservatory.products.formats.export import FORMATS, export_maps
from geobservatory.products.formats.made_map import open_map
from geobservatory.sandbox.instrument import WAVELENGTH_M
from geobservatory.sandbox.plan import Plan
from geobservatory.sandbox.scenario import Acquisition, find_scenario
from geobservatory.sandbox.simulate import Simulated, simulate
from geobservatory.sandbox.world import COHERENCE, DELAY, EAST

LAYERS = {
    "wrapped_phase", "unwrapped_phase", "coherence", "amplitude", "los_displacement", "los_sigma",
    "los_east", "los_north", "los_up", "incidence_angle", "height", "connected_components", "mask",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class World:
    plan: Plan
    made: Simulated
    folder: Path

    def request(self, out: Path, **changes: object) -> Request:
        plain = Request(
            (self.made.products[0],),
            (self.made.products[1],),
            out,
            out.parent / "cache",
            heights=Heights(self.made.dem),
            orbits=self.folder,
            spacing_m=40.0,
        )
        return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two bursts of Al Haouz before and after the event, a strip of 2.5 km."""
    scenario = find_scenario("al-haouz-2023")
    dates = (
        Acquisition(days=12, perpendicular_m=20.0),
        Acquisition(days=24, perpendicular_m=-60.0, shift_lines=2),
    )
    plan = plan_of(scenario, *dates, bursts=2)
    folder = tmp_path_factory.mktemp("world")
    return World(plan, simulate(plan, folder, lambda lines: None), folder)


@pytest.fixture(scope="module")
def result(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "map"
    native.make(world.request(out))
    return out


def layers(out: Path) -> dict[str, np.ndarray]:
    found = {}
    for path in out.glob("*.tif"):
        with rasterio.open(path) as file:
            found[path.stem] = file.read(1)
    return found


def truth(world: World, out: Path) -> tuple[np.ndarray, np.ndarray]:
    """LOS motion toward the satellite with the sky's part, and coherence, on the map."""
    with rasterio.open(out / "wrapped_phase.tif") as file:
        affine = file.transform
        grid = MapGrid(str(file.crs), affine.c, affine.f, affine.a, *file.shape)
    moved, coherence, _ = truth_at(world, *grid.places(0, grid.rows))
    return moved, coherence


def truth_at(
    world: World, latitude: np.ndarray, longitude: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the same at places, degrees, and the unit vector to the satellite in a last axis."""
    values = world.plan.world.sample(latitude, longitude)
    track, _ = world.plan.track(world.plan.shots[0])
    seen = look(track, np.radians(latitude), np.radians(longitude), values[..., 0])
    sight = np.stack([seen.east, seen.north, seen.up], -1)
    moved = (values[..., EAST : EAST + 3] * sight).sum(-1)
    return moved - values[..., DELAY + 1] + values[..., DELAY], values[..., COHERENCE], sight


def test_all_layers_lie_on_one_grid(result: Path) -> None:
    assert {path.stem for path in result.glob("*.tif")} == LAYERS
    grids = set()
    for path in result.glob("*.tif"):
        with rasterio.open(path) as file:
            grids.add((str(file.crs), file.transform, file.shape))
            assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    assert len(grids) == 1
    assert (result / "quicklook.png").stat().st_size > 10_000
    assert sorted(path.name for path in result.iterdir() if path.name.startswith(".")) == []


def test_motion_is_right_to_the_millimetre(world: World, result: Path) -> None:
    """Sign and size, the sky's delays told: within 3 mm where coherence is above 0.6."""
    made = layers(result)
    moved, coherence = truth(world, result)
    trusted = (made["connected_components"] == 1) & (coherence > 0.6)
    assert trusted.sum() > 5000
    error = (made["los_displacement"] - moved)[trusted]
    error -= np.median(error)
    assert error.std() < 0.003
    assert moved[trusted].max() - moved[trusted].min() > 0.05
    assert np.corrcoef(moved[trusted], made["los_displacement"][trusted])[0, 1] > 0.99


@pytest.fixture(scope="module")
def exports(result: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the map for every program, each in a folder of the format's name."""
    folder = tmp_path_factory.mktemp("exports")
    for form in FORMATS:
        export_maps([open_map(result)], form, folder / form, lambda what, share: None)
    return folder


def hold(world: World, found: np.ndarray, latitude: np.ndarray, longitude: np.ndarray) -> None:
    """Hold motion toward the satellite, metres, against what was simulated at places."""
    moved, coherence, _ = truth_at(world, latitude, longitude)
    trusted = np.isfinite(found) & (coherence > 0.6)
    assert trusted.sum() > 5000
    error = (found - moved)[trusted]
    assert (error - np.median(error)).std() < 0.003
    assert np.corrcoef(moved[trusted], found[trusted])[0, 1] > 0.99


def test_exports_on_the_map_show_the_simulated_motion(
    world: World, result: Path, exports: Path
) -> None:
    """By the rule of each program for motion, on the phase that each finds in its files."""
    from mintpy.objects import ifgramStack

    grid = open_map(result).grid
    places = grid.places(0, grid.rows)
    gamma = load_kite().scene_io.Gamma()
    (path,) = (exports / "gamma").glob("*/*.unw")
    hold(world, gamma.read(str(path)).displacement[::-1], *places)
    (path,) = (exports / "mintpy").glob("*/inputs/ifgramStack.h5")
    stack = ifgramStack(str(path))
    stack.open(print_msg=False)
    phase = stack.read(print_msg=False)
    phase[phase == 0] = np.nan
    hold(world, phase * float(stack.metadata["WAVELENGTH"]) / (-4 * np.pi), *places)
    (path,) = (exports / "dimap").glob("*/*.dim")
    (band,) = (one for name, one in read_dimap(path).bands.items() if name.startswith("Unw"))
    hold(world, -WAVELENGTH_M / (4 * np.pi) * band.read(), *places)


def test_exports_in_degrees_show_the_simulated_motion(world: World, exports: Path) -> None:
    (path,) = (exports / "kite").glob("*.yml")
    scene = load_kite().Scene.load(str(path))
    longitude, latitude = (one.reshape(scene.shape) for one in scene.frame.coordinates.T)
    hold(world, scene.displacement, latitude, longitude)
    sight = truth_at(world, latitude, longitude)[2]
    for axis, name in enumerate("ENU"):
        away = getattr(scene.los, f"unit{name}") - sight[..., axis]
        assert np.nanmax(np.abs(away)) < 1e-3
    (path,) = (exports / "licsbas").glob("*/GEOC/*/*.geo.unw.tif")
    with rasterio.open(path) as file:
        phase, transform = file.read(1), file.transform
    phase[phase == 0] = np.nan
    cols, rows = np.meshgrid(np.arange(phase.shape[1]) + 0.5, np.arange(phase.shape[0]) + 0.5)
    longitude, latitude = transform @ (cols, rows)
    hold(world, -WAVELENGTH_M / (4 * np.pi) * phase, latitude, longitude)


def test_layers_agree_with_each_other(result: Path) -> None:
    made = layers(result)
    known = np.isfinite(made["unwrapped_phase"])
    turns = (made["unwrapped_phase"] - made["wrapped_phase"])[known] / (2 * np.pi)
    assert np.abs(turns - np.rint(turns)).max() < 1e-4
    np.testing.assert_allclose(
        made["los_displacement"][known],
        -WAVELENGTH_M / (4 * np.pi) * made["unwrapped_phase"][known],
        rtol=1e-5,
    )
    size = np.hypot.reduce([made["los_east"], made["los_north"], made["los_up"]])
    np.testing.assert_allclose(size[np.isfinite(size)], 1, atol=1e-5)
    np.testing.assert_allclose(
        np.cos(np.radians(made["incidence_angle"])), made["los_up"], atol=1e-5, equal_nan=True
    )
    assert (made["los_sigma"][known] > 0).all()
    assert np.isnan(made["wrapped_phase"][made["mask"] & 32 != 0]).all()
    assert (made["connected_components"][~known] == 0).all()


def test_noise_is_no_more_than_the_bound_and_the_deviation_says_it(
    world: World, tmp_path: Path
) -> None:
    """Without filter: at most 1.2 times the Cramér-Rao bound of the looks taken."""
    out = tmp_path / "map"
    native.make(world.request(out, filtered=False))
    made = layers(out)
    moved, coherence = truth(world, out)
    trusted = (made["connected_components"] == 1) & (coherence > 0.8)
    radians = 4 * np.pi / WAVELENGTH_M
    rest = np.angle(np.exp(1j * (made["wrapped_phase"] + radians * moved)))[trusted]
    rest = np.angle(np.exp(1j * (rest - np.angle(np.exp(1j * rest).mean()))))
    told = np.sqrt((made["los_sigma"][trusted] ** 2).mean()) * radians
    assert 0.8 * told < rest.std() < 1.2 * told


def test_metadata_says_what_was_done(world: World, result: Path) -> None:
    item = json.loads((result / "metadata.json").read_text())
    found = item["properties"]
    assert found["geobs:verdict"] in {"good", "usable with care"}
    assert found["geobs:deformation"]["detected"] in {True, False}
    assert found["geobs:quality"]["registration"]["offset"]["lines"] == pytest.approx(0, abs=0.05)
    assert found["sat:relative_orbit"] == 52
    named = json.dumps(item)
    for path in world.made.products:
        assert path.name.split(".")[0] in named
    assert "POEORB" in named
    assert str(world.folder) not in named
    assert {Path(asset["href"]).name for asset in item["assets"].values()} >= {
        f"{name}.tif" for name in LAYERS
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"polarisation": "VH"}, "no polarisation VH"),
        ({"swaths": ("IW1",)}, "swaths and area"),
        ({"area": box(10, 40, 11, 41)}, "swaths and area"),
        ({"orbits": Path("nowhere")}, "no such file or folder"),
        ({"heights": Heights("nowhere.tif")}, "nowhere.tif"),
        ({"secondary": (Path("nothing.zip"),)}, "nothing.zip"),
        ({"spacing_m": 1e-3}, "too large"),
    ],
)
def test_what_cannot_be_is_refused_before_work_starts(
    world: World, tmp_path: Path, changes: dict, said: str
) -> None:
    out = tmp_path / "map"
    with pytest.raises(InputError, match=said):
        native.make(world.request(out, **changes))
    assert not list(out.glob("*.*")) if out.exists() else True


def test_swapped_and_equal_images_are_refused(world: World, tmp_path: Path) -> None:
    one, other = world.made.products
    with pytest.raises(InputError, match="swap the two"):
        native.make(world.request(tmp_path, reference=(other,), secondary=(one,)))
    with pytest.raises(InputError, match="one acquisition"):
        native.make(world.request(tmp_path, secondary=(one,)))


@pytest.mark.slow
def test_slices_are_joined(tmp_path: Path) -> None:
    """A pass in two slices that share bursts makes the map that the same pass in one makes."""
    scenario = find_scenario("al-haouz-2023")
    dates = Acquisition(days=12, perpendicular_m=20.0), Acquisition(days=24, shift_lines=2)
    plan = plan_of(scenario, *dates, bursts=4)
    whole = simulate(plan, tmp_path / "whole", lambda lines: None)
    slices = [
        simulate(
            dataclasses.replace(plan, first_number=plan.first_number + first, bursts=3),
            tmp_path / f"slice-{first}",
            lambda lines: None,
        ).products
        for first in (1, 0)
    ]
    world = World(plan, whole, tmp_path / "whole")
    one, other = tmp_path / "one" / "map", tmp_path / "other" / "map"
    native.make(world.request(one))
    # The secondary in one piece: slices of two dates need not be cut alike.
    native.make(
        world.request(
            other, reference=tuple(dates[0] for dates in slices), secondary=(whole.products[1],)
        )
    )
    there, joined = layers(one), layers(other)
    assert there["mask"].shape == joined["mask"].shape
    both = (there["mask"] == 0) & (joined["mask"] == 0)
    assert both.mean() > 0.9 * (there["mask"] == 0).mean()
    # Thermal noise is drawn by the burst's place in the product; all else is equal.
    error = there["los_displacement"] - joined["los_displacement"]
    assert error[both].std() < 1e-3
    assert np.median(np.abs(error[both])) < 2e-4
    about = json.loads((other / "metadata.json").read_text())["properties"]
    assert len(about["geobs:reference"]["products"]) == 2
    assert len(about["geobs:bursts"]) == 4


def test_slices_of_several_passes_are_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not slices of one pass"):
        native.make(world.request(tmp_path, reference=tuple(world.made.products)))


def test_a_dem_that_ends_inside_the_scene_leaves_the_rest_out(
    world: World, result: Path, tmp_path: Path
) -> None:
    whole = layers(result)
    short = tmp_path / "short.tif"
    with rasterio.open(world.made.dem) as source:
        heights = source.read()
        heights[:, heights.shape[1] // 2 :] = np.nan
        with rasterio.open(short, "w", **{**source.profile, "nodata": np.nan}) as target:
            target.write(heights)
    out = tmp_path / "map"
    native.make(world.request(out, heights=Heights(short)))
    made = layers(out)
    there = np.isfinite(made["wrapped_phase"])
    assert 0.2 < there.sum() / np.isfinite(whole["wrapped_phase"]).sum() < 0.8
    assert (made["mask"][~there] & (4 | 32) != 0).all()
    both = there & np.isfinite(whole["wrapped_phase"])
    rest = np.exp(1j * (made["wrapped_phase"] - whole["wrapped_phase"]))[both]
    assert abs(rest.mean()) > 0.9


def test_an_area_of_interest_costs_only_its_bursts(world: World, tmp_path: Path) -> None:
    with rasterio.open(world.made.dem) as file:
        bounds = file.bounds
    north = box(bounds.left, bounds.top - 0.14, bounds.right, bounds.top - 0.1)
    out = tmp_path / "map"
    told: list[str] = []
    native.make(
        world.request(out, area=north), lambda doing, share: told.append(f"{share:.3f} {doing}")
    )
    assert any("burst 1 of 1" in one for one in told)
    assert [float(one.split()[0]) for one in told] == sorted(float(one.split()[0]) for one in told)
    with rasterio.open(out / "coherence.tif") as file:
        assert file.shape[0] * file.res[0] < 0.06 * 111_000


def test_two_at_once_do_not_disturb_each_other(world: World, tmp_path: Path) -> None:
    import fcntl

    out = tmp_path / "map"
    (out / ".work").mkdir(parents=True)
    with (out / ".work" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(GeobservatoryError, match="another process"):
            native.make(world.request(out))


def test_a_killed_run_goes_on_with_the_bursts_it_has(
    world: World, result: Path, tmp_path: Path
) -> None:
    """Killed once the first burst is kept; what comes out is what an undisturbed run makes."""
    out = tmp_path / "map"
    code = (
        "import sys; from pathlib import Path; from geobservatory.engines import native; "
        "from geobservatory.engines.request import Heights, Request; a = [Path(p) for p in "
        "sys.argv[1:]]; native.make(Request((a[0],), (a[1],), a[2], a[3], heights=Heights(a[4]), "
        "orbits=a[5]))"
    )
    request = world.request(out)
    places = (
        *request.reference, *request.secondary, out, request.cache, world.made.dem, world.folder
    )  # fmt: skip
    child = subprocess.Popen([sys.executable, "-c", code, *map(str, places)])
    deadline = time.monotonic() + 120
    while not list(out.glob(".work/*/*IW2.npz")):
        assert time.monotonic() < deadline
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not list(out.glob("*.tif"))
    assert not (out / "metadata.json").exists()
    kept = {path: path.stat().st_mtime_ns for path in out.glob(".work/*/*IW2.npz")}
    told: list[str] = []

    def watch(doing: str, share: float) -> None:
        told.append(doing)
        if doing == "coherence":
            for path, written in kept.items():
                assert path.stat().st_mtime_ns == written

    native.make(request, watch)
    assert "coherence" in told
    again, once = layers(out), layers(result)
    for name in LAYERS:
        np.testing.assert_array_equal(again[name], once[name])


def test_a_full_disk_leaves_nothing_under_a_final_name(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real call fails while results are written: what is there before publishing stays away."""
    from geobservatory.engines import outputs

    def full(path: Path, *rest: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    out = tmp_path / "map"
    monkeypatch.setattr(outputs, "write_cog", full)
    with pytest.raises(GeobservatoryError, match="No space left"):
        native.make(world.request(out))
    assert [path.name for path in out.iterdir()] == [".work"]
    assert list(out.glob(".work/*/*.npz"))
