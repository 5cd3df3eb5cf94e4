"""Coregistration and the flattened interferogram of a burst, against simulated truth.

Judged by phase, not by coherence: an error of the carrier costs next to none of that.
"""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray
from test_34_simulation import image, plan_of

from geobservatory.errors import InputError
from geobservatory.insar.coregister import make_geometry, strip_nodes
from geobservatory.insar.dem import Dem
from geobservatory.insar.geo2rdr import geo2rdr
from geobservatory.insar.ground import ground
from geobservatory.insar.interfere import Looked, deramp, interfere, kernel_table
from geobservatory.insar.tops import carrier
from geobservatory.insar.view import BurstView, burst_view
from geobservatory.sandbox.annotate import annotation_xml
from geobservatory.sandbox.geolocation import world_dem
from geobservatory.sandbox.plan import Plan
from geobservatory.sandbox.product import channels
from geobservatory.sandbox.scenario import Acquisition, Scenario, find_scenario
from geobservatory.sentinel1.annotation import Annotation, read_annotation

LOOKS = (4, 16)


@pytest.fixture(scope="module")
def mountains() -> Scenario:
    """Al Haouz with ground that stays as it was: what phase is left is an error."""
    scenario = find_scenario("al-haouz-2023")
    ground = scenario.ground.model_copy(update={"coherence": 1.0, "vegetation": 0.0})
    return scenario.model_copy(update={"noise_db": -30.0, "ground": ground})


@dataclasses.dataclass(frozen=True)
class Pair:
    """A simulated pair of one burst, as the engine is given it."""

    plan: Plan
    annotations: list[Annotation]
    pixels: list[NDArray[np.complex64]]
    dem: Dem

    @property
    def views(self) -> list[BurstView]:
        return [burst_view(one, one.bursts[0]) for one in self.annotations]

    def looked(self, order: tuple[int, int] = (0, 1), first: int = 0, lines: int = -1) -> Looked:
        """Interferogram of a strip of the reference, of all its lines if none are named."""
        here, there = (self.views[k] for k in order)
        geometry = make_geometry(here, there, self.dem)
        lines = here.lines - first if lines < 0 else lines
        nodes = strip_nodes(geometry, self.dem, first, lines, 0, here.samples)
        annotation = self.annotations[order[1]]
        taken = carrier(annotation, annotation.bursts[0])
        top, stop = annotation.bursts[0].valid_lines
        secondary = self.pixels[order[1]][top:stop].copy()
        deramp(secondary, top, taken)
        reference = self.pixels[order[0]][first : first + lines]
        return interfere(
            reference, (first, 0), secondary, top, annotation.bursts[0].valid_samples, taken, nodes,
            here.wavelength_m, LOOKS,
        )  # fmt: skip


def simulated(scenario: Scenario, *dates: Acquisition) -> Pair:
    plan = plan_of(scenario, *dates)
    annotations = [
        read_annotation(annotation_xml(channels(plan, shot)[0], 8), "simulated")
        for shot in plan.shots
    ]
    pixels = [np.round(image(plan, k)).astype(np.complex64) for k in range(len(dates))]
    return Pair(plan, annotations, pixels, world_dem(plan))


@pytest.fixture(scope="module")
def hard(mountains: Scenario) -> Pair:
    """Simulate a long baseline and bursts that start three lines apart, over mountains."""
    later = Acquisition(days=12, perpendicular_m=150.0, shift_lines=3)
    return simulated(mountains, Acquisition(days=0), later)


def coherence(looked: Looked) -> NDArray[np.float32]:
    power = np.sqrt(looked.reference_power * looked.secondary_power)
    return np.abs(looked.cross) / np.maximum(power, 1e-6)


def test_interpolated_geometry_is_the_exact_one(hard: Pair) -> None:
    here, there = hard.views
    geometry = make_geometry(here, there, hard.dem)
    nodes = strip_nodes(geometry, hard.dem, 0, here.lines, 0, here.samples)
    rows, cols = np.arange(3, 750, 37), np.arange(2, 85, 9)
    time = here.start_s + 2 * rows[:, None] * here.line_s + 0.0 * cols
    distance = here.near_m + 8 * cols * here.sample_m + 0.0 * rows[:, None]
    latitude, longitude, height = ground(here.track, hard.dem, time, distance)
    seen, away = geo2rdr(there.track, latitude, longitude, height)
    line = (seen - there.start_s) / there.line_s - 2 * rows[:, None]
    at = np.ix_(rows, cols)
    # The ground is looked up to 5 mm along the ray, ten times that on the steepest slopes.
    assert np.abs(nodes.height_m[at] - height).max() < 0.06
    assert np.abs(nodes.line_offset[at] - line).max() < 2e-5
    error = nodes.path_m[at] - (away - distance)
    slope = 150 / (850e3 * 0.63)
    assert np.abs(error).max() < 5e-6 + 0.06 * slope
    sample = (away - there.near_m) / there.sample_m - 8 * cols
    assert np.abs(nodes.sample_offset[at] - sample).max() < 1e-5


def test_nothing_moved_so_no_phase_is_left(hard: Pair) -> None:
    """Terrain of 2 km, a baseline of 150 m: gone to a hundredth of a radian, edges included."""
    made = hard.looked()
    full = made.pixels == LOOKS[0] * LOOKS[1]
    assert full.mean() > 0.85
    rows = np.flatnonzero(full.any(axis=1))
    for part in np.array_split(rows, 8):
        block = np.where(full[part], made.cross[part], 0)
        assert abs(np.angle(block.sum())) < 0.01
    for part in np.array_split(np.arange(full.shape[1]), 4):
        assert abs(np.angle(np.where(full, made.cross, 0)[:, part].sum())) < 0.01
    # What is lost: the spectra seen from 150 m apart, some 3 %.
    assert coherence(made)[full].mean() == pytest.approx(0.98, abs=0.01)
    assert np.angle(made.cross[full]).std() < 0.05


def test_a_missing_or_reversed_carrier_would_be_seen(hard: Pair) -> None:
    """The test above can fail: with a carrier off by a line the edges are off by radians."""
    there = hard.annotations[1]
    late = dataclasses.replace(
        there.bursts[0],
        azimuth_time=there.bursts[0].azimuth_time + np.timedelta64(2056, "us"),
    )
    shifted = dataclasses.replace(there, bursts=(late,))
    wrong = dataclasses.replace(hard, annotations=[hard.annotations[0], shifted]).looked()
    full = wrong.pixels == LOOKS[0] * LOOKS[1]
    rows = np.flatnonzero(full.any(axis=1))
    ends = [np.angle(np.where(full[k], wrong.cross[k], 0).sum()) for k in (rows[:9], rows[-9:])]
    assert abs(ends[0]) > 0.5 or abs(ends[1]) > 0.5


def test_exchanged_images_change_the_sign(mountains: Scenario) -> None:
    pair = simulated(
        mountains, Acquisition(days=12), Acquisition(days=24, perpendicular_m=60.0, shift_lines=-2)
    )
    there, back = pair.looked(), pair.looked(order=(1, 0))
    full = (there.pixels == 64).sum()
    assert full > 10_000
    one = np.angle(there.cross[20:-20, 4:-4])
    # Two lines later is half a look cell: compare what does not change within a cell.
    other = np.angle(back.cross[20:-20, 4:-4])
    total = np.angle(np.exp(1j * (one + other)).mean())
    assert abs(total) < 0.03
    assert np.abs(one).max() > 1


def test_an_image_against_itself_is_phase_nought_and_coherence_one(hard: Pair) -> None:
    alone = dataclasses.replace(
        hard,
        annotations=[hard.annotations[0]] * 2,
        pixels=[hard.pixels[0]] * 2,
    )
    made = alone.looked()
    full = made.pixels == LOOKS[0] * LOOKS[1]
    assert np.abs(np.angle(made.cross[full])).max() < 1e-4
    assert coherence(made)[full].min() > 1 - 1e-5


def test_strips_are_parts_of_the_whole(hard: Pair) -> None:
    whole = hard.looked()
    part = hard.looked(first=400, lines=200)
    same = whole.cross[100:150]
    assert np.array_equal(part.pixels, whole.pixels[100:150])
    scale = np.abs(same).max()
    assert np.abs(part.cross - same).max() < 1e-4 * scale


def test_where_heights_end_nothing_is_made(hard: Pair) -> None:
    heights = hard.dem.heights.copy()
    heights[: heights.shape[0] // 2] = np.nan
    cut = dataclasses.replace(hard, dem=dataclasses.replace(hard.dem, heights=heights)).looked()
    whole = hard.looked()
    assert 0.2 < (cut.pixels > 0).mean() / (whole.pixels > 0).mean() < 0.8
    both = (cut.pixels == 64) & (whole.pixels == 64)
    # Other heights to interpolate between, and the ground found anew to 5 mm.
    assert np.abs(np.angle(cut.cross[both] * whole.cross[both].conj())).max() < 4e-3
    heights[:] = np.nan
    with pytest.raises(InputError, match="no heights"):
        dataclasses.replace(hard, dem=dataclasses.replace(hard.dem, heights=heights)).looked()


def test_images_of_other_modes_are_refused(hard: Pair) -> None:
    here, there = hard.views
    other = dataclasses.replace(there, line_s=there.line_s * 1.4)
    with pytest.raises(InputError, match="not sampled alike"):
        make_geometry(here, other, hard.dem)


def test_the_kernel_keeps_what_lies_within_the_band() -> None:
    """Within 0.32 cycles a sample, half the processed band: gain one to 1 %, no shift."""
    table = kernel_table().astype(float)
    assert np.allclose(table.sum(1), 1, atol=1e-6)
    taps = np.arange(-3, 5)
    for fraction in (0, 64, 128, 200):
        for frequency in (0.0, 0.1, 0.25, 0.32):
            gain = (table[fraction] * np.exp(2j * np.pi * frequency * taps)).sum()
            ideal = np.exp(2j * np.pi * frequency * fraction / 256)
            assert abs(gain - ideal) < 0.012
