"""Several bursts and swaths on one grid: seams, spectral diversity, whole products."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from test_34_simulation import plan_of

from geobservatory.errors import InputError
from geobservatory.insar.coherence import coherence
from geobservatory.insar.esd import Shift, estimate_shift
from geobservatory.insar.geocode import interpolate, look_up
from geobservatory.insar.interferogram import Interferogram, make_interferogram
from geobservatory.insar.map_grid import make_map_grid
from geobservatory.insar.pair import Layout, lay_out, match_bursts
from geobservatory.insar.register import estimate_offset
from geobservatory.insar.stream import Offset, Prepared, prepare
from geobservatory.sandbox.geolocation import world_dem
from geobservatory.sandbox.instrument import LINE_S, SAMPLING_HZ, SWATHS
from geobservatory.sandbox.plan import Plan, Window, _bounds
from geobservatory.sandbox.scenario import Acquisition, Scenario, find_scenario
from geobservatory.sandbox.simulate import simulate
from geobservatory.sandbox.world import make_world
from geobservatory.sentinel1.bursts import place_bursts
from geobservatory.sentinel1.measurement import open_measurement
from geobservatory.sentinel1.safe import SafeProduct, open_product

LOOKS = (4, 16)


@pytest.fixture(scope="module")
def quiet() -> Scenario:
    """Al Haouz with ground of one coherence."""
    scenario = find_scenario("al-haouz-2023")
    ground = scenario.ground.model_copy(update={"coherence": 0.9, "vegetation": 0.0})
    return scenario.model_copy(update={"noise_db": -30.0, "ground": ground})


@dataclasses.dataclass(frozen=True)
class Run:
    """A pair, simulated and made into an interferogram with and without the shift found."""

    layout: Layout
    shift: Shift
    plain: Interferogram
    corrected: Interferogram


def run(plan: Plan, folder: Path, swaths: tuple[str, ...]) -> Run:
    products = [open_product(path) for path in simulate(plan, folder, lambda n: None).products]
    layout, prepared, images = opened(plan, products, swaths)
    dem = world_dem(plan)
    shift = estimate_shift(layout, prepared, images, dem)
    return Run(
        layout,
        shift,
        make_interferogram(layout, prepared, images, dem),
        make_interferogram(layout, prepared, images, dem, Offset(lines=shift.lines)),
    )


def opened(
    plan: Plan, products: list[SafeProduct], swaths: tuple[str, ...]
) -> tuple[Layout, list[Prepared], dict]:
    pairs = match_bursts(products[:1], products[1:], "VV")
    layout = lay_out(pairs, LOOKS)
    first = pairs[0]
    orbits = first.reference.orbit, first.secondary.orbit
    prepared = [prepare(tile.pair, orbits, world_dem(plan)) for tile in layout.tiles]
    images = {
        product.annotation(swath, "VV").file: open_measurement(product, swath, "VV")
        for product in products
        for swath in swaths
    }
    return layout, prepared, images


@pytest.fixture(scope="module")
def mistimed(quiet: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Three bursts, slices cut differently, the secondary 0.02 line late."""
    dates = (
        Acquisition(days=0, first_burst=0),
        Acquisition(days=12, perpendicular_m=120.0, shift_lines=2, azimuth_timing_s=0.02 * LINE_S),
    )
    plan = plan_of(quiet, *dates, bursts=3)
    return run(plan, tmp_path_factory.mktemp("mistimed"), ("IW2",))


def seam_jumps(made: Interferogram) -> list[float]:
    """Phase below each azimuth seam minus that above it, radians."""
    jumps = []
    for tile, next_tile in zip(made.layout.tiles, made.layout.tiles[1:], strict=False):
        seam = next_tile.rows.start
        assert seam == tile.rows.stop
        above = made.cross[seam - 6 : seam].sum()
        below = made.cross[seam : seam + 6].sum()
        jumps.append(float(np.angle(below * above.conj())))
    return jumps


def test_every_cell_is_filled_once(mistimed: Run) -> None:
    layout, made = mistimed.layout, mistimed.plain
    owners = np.zeros((layout.rows, layout.cols), int)
    for tile in layout.tiles:
        owners[tile.rows.start : tile.rows.stop, tile.cols.start : tile.cols.stop] += 1
    assert owners.max() == 1
    inside = owners[12:-12, 4:-4] == 1
    assert inside.mean() > 0.99
    assert made.valid[owners == 0].sum() == 0
    assert made.valid[12:-12, 4:-4].mean() > 0.97


def test_spectral_diversity_finds_a_timing_error(mistimed: Run) -> None:
    """To a thousandth of a line, with a deviation that says so."""
    assert mistimed.shift.overlaps == 2
    assert mistimed.shift.lines == pytest.approx(0.02, abs=0.001)
    assert mistimed.shift.sigma_lines < 0.001
    assert abs(mistimed.shift.lines - 0.02) < 4 * mistimed.shift.sigma_lines
    assert mistimed.shift.significant


def test_seams_vanish_once_it_is_applied(mistimed: Run) -> None:
    for jump in seam_jumps(mistimed.plain):
        assert abs(jump) > 0.3
    for jump in seam_jumps(mistimed.corrected):
        assert abs(jump) < 0.03
    full = mistimed.corrected.valid
    assert abs(np.angle(mistimed.corrected.cross[full].sum())) < 0.02
    assert np.nanmean(coherence(mistimed.corrected)) == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize(("lines", "samples"), [(0.3, 0.0), (-0.7, 0.4), (2.25, -1.5)])
def test_images_are_registered_where_orbits_are_wrong(
    quiet: Scenario, tmp_path: Path, lines: float, samples: float
) -> None:
    """To a few hundredths of a pixel: near enough for spectral diversity to take its turn."""
    dates = (
        Acquisition(days=0),
        Acquisition(
            days=12,
            perpendicular_m=60.0,
            azimuth_timing_s=lines * LINE_S,
            range_timing_s=samples / SAMPLING_HZ,
        ),
    )
    plan = plan_of(quiet, *dates, bursts=2)
    products = [open_product(path) for path in simulate(plan, tmp_path, lambda n: None).products]
    layout, prepared, images = opened(plan, products, ("IW2",))
    dem = world_dem(plan)
    found = estimate_offset(layout, prepared, images, dem)
    assert found.offset.lines == pytest.approx(lines, abs=0.03)
    assert found.offset.samples == pytest.approx(samples, abs=0.03)
    assert abs(found.offset.lines - lines) < 4 * found.sigma_lines
    assert abs(found.offset.samples - samples) < 4 * found.sigma_samples
    rest = estimate_shift(layout, prepared, images, dem, found.offset)
    assert found.offset.lines + rest.lines == pytest.approx(lines, abs=0.001)


def test_images_of_different_ground_are_not_registered(quiet: Scenario, tmp_path: Path) -> None:
    bare = quiet.ground.model_copy(update={"coherence": 0.0})
    dates = Acquisition(days=0), Acquisition(days=12)
    plan = plan_of(quiet.model_copy(update={"ground": bare}), *dates)
    products = [open_product(path) for path in simulate(plan, tmp_path, lambda n: None).products]
    layout, prepared, images = opened(plan, products, ("IW2",))
    found = estimate_offset(layout, prepared, images, world_dem(plan))
    assert math.isinf(found.sigma_lines)
    assert found.offset == Offset()


def test_swaths_come_together_without_a_seam(
    quiet: Scenario, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The far end of IW1 and the near end of IW2, two bursts each."""
    dates = Acquisition(days=0), Acquisition(days=12, perpendicular_m=-80.0, shift_lines=-1)
    plan = plan_of(quiet, *dates, bursts=2)
    windows = (
        Window(SWATHS["IW1"], 19500, 1200),
        Window(SWATHS["IW2"], 0, 900),
    )
    both = dataclasses.replace(plan, windows=windows)
    both = dataclasses.replace(both, world=make_world(quiet, dates, _bounds(both)))
    made = run(both, tmp_path_factory.mktemp("swaths"), ("IW1", "IW2"))
    layout = made.layout
    near = [tile for tile in layout.tiles if tile.pair.identity.swath == "IW1"]
    far = [tile for tile in layout.tiles if tile.pair.identity.swath == "IW2"]
    seam = far[0].cols.start
    assert near[0].cols.stop == seam
    cross = made.corrected.cross
    rows = slice(far[0].rows.start + 20, near[-1].rows.stop - 20)
    left, right = cross[rows, seam - 4 : seam].sum(), cross[rows, seam : seam + 4].sum()
    assert abs(left) > 0
    assert abs(right) > 0
    assert abs(np.angle(right * left.conj())) < 0.03
    for tiles in (near, far):
        row = tiles[1].rows.start
        cols = slice(tiles[0].cols.start + 1, tiles[0].cols.stop - 1)
        above, below = cross[row - 6 : row, cols].sum(), cross[row : row + 6, cols].sum()
        assert abs(np.angle(below * above.conj())) < 0.03


def test_exchanged_images_change_the_sign(quiet: Scenario, tmp_path: Path) -> None:
    """Of a phase that an orbit error of a metre over 100 km makes, some four radians wide."""
    dates = (
        Acquisition(days=0),
        Acquisition(days=12, perpendicular_m=50.0, shift_lines=2, ramp_m=(0.4, 1.0)),
    )
    plan = plan_of(quiet, *dates)
    products = [open_product(path) for path in simulate(plan, tmp_path, lambda n: None).products]
    dem, maps = world_dem(plan), []
    for order in (products, products[::-1]):
        layout, prepared, images = opened(plan, order, ("IW2",))
        pair = layout.tiles[0].pair
        grid = make_map_grid(place_bursts(products[0])[0].footprint, 60.0)
        where = look_up(grid, layout, pair.reference.orbit, dem)
        made = make_interferogram(layout, prepared, images, dem)
        maps.append(interpolate(np.where(made.valid, made.cross, np.nan), where))
    known = np.isfinite(maps[0]) & np.isfinite(maps[1])
    assert known.sum() > 5000
    phase = np.angle(maps[0][known] * np.exp(-1j * np.angle(maps[0][known].sum())))
    assert np.ptp(phase) > 4
    rest = np.angle((maps[0] * maps[1])[known])
    assert abs(rest.mean()) < 0.005
    assert rest.std() < 0.05


def test_pairs_that_cannot_be_are_refused(quiet: Scenario, tmp_path: Path) -> None:
    plan = plan_of(quiet, Acquisition(days=0), Acquisition(days=12))
    one, other = (open_product(path) for path in simulate(plan, tmp_path, lambda n: None).products)
    with pytest.raises(InputError, match="of one acquisition"):
        match_bursts([one], [one], "VV")
    with pytest.raises(InputError, match="VH"):
        match_bursts([one], [other], "VH")
    with pytest.raises(InputError, match="swaths and area"):
        match_bursts([one], [other], "VV", swaths={"IW1"})
    asked = match_bursts([one], [other], "VV", swaths={"IW2"})
    assert [pair.identity.swath for pair in asked] == ["IW2"]
