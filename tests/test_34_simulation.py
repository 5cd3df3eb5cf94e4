"""Simulated acquisitions, held against theory: closed forms, conservation, independent sums."""

import dataclasses
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from geobservatory.errors import InputError, NotFoundError
from geobservatory.insar.check import check_geometry
from geobservatory.insar.ellipsoid import to_ecef
from geobservatory.insar.tops import carrier
from geobservatory.sandbox.image import LEVEL_DN, burst_doppler, burst_strips
from geobservatory.sandbox.instrument import (
    LINE_S,
    SAMPLE_M,
    SAMPLING_HZ,
    SWATHS,
    WAVELENGTH_M,
    burst_number,
    burst_start_s,
)
from geobservatory.sandbox.path import ORBIT_S, path_over
from geobservatory.sandbox.plan import Plan, Size, _bounds, make_plan
from geobservatory.sandbox.product import product_name
from geobservatory.sandbox.scenario import Acquisition, Scenario, built_in, find_scenario
from geobservatory.sandbox.simulate import Simulated, claim, simulate, total_lines
from geobservatory.sandbox.speckle import HALF, response
from geobservatory.sandbox.world import DELAY, STEP, make_world
from geobservatory.sentinel1.annotation import SPEED_OF_LIGHT
from geobservatory.sentinel1.bursts import azimuth_overlap
from geobservatory.sentinel1.measurement import open_measurement
from geobservatory.sentinel1.orbit import read_eof
from geobservatory.sentinel1.safe import open_product

SAMPLES = 700


def plan_of(scenario: Scenario, *dates: Acquisition, bursts: int = 1) -> Plan:
    """Plan a narrow strip of the middle burst, so that a test takes a second."""
    passing = scenario.passes[0].model_copy(update={"acquisitions": dates})
    plan = make_plan(scenario.model_copy(update={"passes": (passing,)}), passing, Size.SMALL)
    middle = plan.windows[0]
    window = dataclasses.replace(middle, first_sample=middle.first_sample + 2600, samples=SAMPLES)
    strip = dataclasses.replace(
        plan, windows=(window,), first_number=plan.first_number + 1, bursts=bursts
    )
    return dataclasses.replace(strip, world=make_world(scenario, dates, _bounds(strip)))


def image(plan: Plan, index: int, burst: int = 0) -> NDArray[np.complex64]:
    strips = burst_strips(plan, plan.shots[index], plan.windows[0], burst, "VV")
    return np.concatenate([strip.pixels for strip in strips])


def looked(values: NDArray, lines: int, samples: int) -> NDArray:
    rows, cols = values.shape[0] // lines, values.shape[1] // samples
    cut = values[: rows * lines, : cols * samples]
    return cut.reshape(rows, lines, cols, samples).mean((1, 3))


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return find_scenario("al-haouz-2023")


@pytest.fixture(scope="module")
def level_ground(scenario: Scenario) -> Scenario:
    """Give the same pass over a plain of one brightness: what theory speaks of."""
    ground = scenario.ground.model_copy(
        update={"relief_m": 0.0, "brightness_db": 0.0, "vegetation": 0.0, "coherence": 0.8}
    )
    return scenario.model_copy(update={"ground": ground, "noise_db": -60.0})


@pytest.fixture(scope="module")
def pair(level_ground: Scenario) -> tuple[Plan, list[NDArray[np.complex64]]]:
    """Two dates before the event, on one path: any difference is temporal decorrelation."""
    plan = plan_of(level_ground, Acquisition(days=0), Acquisition(days=12))
    return plan, [image(plan, 0), image(plan, 1)]


def valid(plan: Plan, pixels: NDArray) -> NDArray:
    first, stop = plan.windows[0].swath.valid_lines
    left, right = plan.windows[0].valid_samples
    return pixels[first:stop, left:right]


def test_speckle_is_fully_developed(pair: tuple[Plan, list[NDArray[np.complex64]]]) -> None:
    """Circular Gaussian: exponential intensity, independent parts of one variance."""
    plan, (one, _) = pair
    pixels = valid(plan, one).astype(np.complex128)
    intensity = np.abs(pixels) ** 2
    assert (intensity**2).mean() / intensity.mean() ** 2 == pytest.approx(2, abs=0.03)
    assert (intensity > intensity.mean()).mean() == pytest.approx(np.exp(-1), abs=0.005)
    assert (intensity > 3 * intensity.mean()).mean() == pytest.approx(np.exp(-3), abs=0.003)
    assert pixels.real.var() == pytest.approx(pixels.imag.var(), rel=0.02)
    assert abs((pixels**2).mean()) < 0.01 * intensity.mean()
    # Level: unit brightness times the cosine of incidence, as many scatterers as on flat ground.
    root = np.sqrt(intensity.mean())
    assert root == pytest.approx(LEVEL_DN * np.cos(np.radians(39.5)), rel=0.03)


def test_spectra_have_the_width_and_window_of_the_processor(
    pair: tuple[Plan, list[NDArray[np.complex64]]],
) -> None:
    """After deramping: centred, Hamming over the band, nothing beyond; in range likewise."""
    plan, (one, _) = pair
    taken = _carrier(plan, 0)
    pixels = valid(plan, one * np.exp(-1j * taken))
    swath = plan.windows[0].swath
    for axis, rate, band, window in (
        (0, 1 / LINE_S, swath.azimuth_bandwidth_hz, swath.azimuth_window),
        (1, SAMPLING_HZ, swath.range_bandwidth_hz, swath.range_window),
    ):
        power = (np.abs(np.fft.fft(pixels, axis=axis)) ** 2).mean(1 - axis)
        frequency = np.fft.fftfreq(pixels.shape[axis], 1 / rate)
        centre = np.angle((power * np.exp(2j * np.pi * frequency / rate)).sum())
        assert abs(centre / (2 * np.pi) * rate) < 0.01 * band
        inside = np.abs(frequency) < 0.42 * band
        shape = (window + (1 - window) * np.cos(2 * np.pi * frequency / band)) ** 2
        smooth = np.convolve(power[inside] / shape[inside], np.ones(40) / 40, "valid")
        assert smooth.std() / smooth.mean() < 0.06
        assert power[np.abs(frequency) > 0.62 * band].sum() < 2e-3 * power.sum()


def _carrier(plan: Plan, index: int, burst: int = 0) -> NDArray[np.float64]:
    """Carrier of the ESA document, by the engine's own reading of a written annotation."""
    from geobservatory.sandbox.annotate import annotation_xml
    from geobservatory.sandbox.product import channels
    from geobservatory.sentinel1.annotation import read_annotation

    channel = channels(plan, plan.shots[index])[0]
    annotation = read_annotation(annotation_xml(channel, 8), "simulated")
    taken = carrier(annotation, annotation.bursts[burst])
    return taken.phase(
        np.arange(annotation.lines_per_burst)[:, None], np.arange(annotation.samples)[None, :]
    )


def test_dates_are_as_coherent_as_the_scenario_says(
    pair: tuple[Plan, list[NDArray[np.complex64]]],
) -> None:
    plan, images = pair
    one, other = (valid(plan, pixels).astype(np.complex128) for pixels in images)
    power = np.sqrt((np.abs(one) ** 2).mean() * (np.abs(other) ** 2).mean())
    product = (one * other.conj()).mean() / power
    assert abs(product) == pytest.approx(0.8, abs=0.01)
    assert abs(np.angle(product)) < 0.01


def test_noise_lowers_coherence_by_its_share(level_ground: Scenario) -> None:
    noisy = level_ground.model_copy(update={"noise_db": -6.0})
    plan = plan_of(noisy, Acquisition(days=0), Acquisition(days=12))
    one, other = (valid(plan, image(plan, k)).astype(np.complex128) for k in (0, 1))
    power = np.sqrt((np.abs(one) ** 2).mean() * (np.abs(other) ** 2).mean())
    signal = np.cos(np.radians(39.5)) ** 2
    expected = 0.8 * signal / (signal + 10**-0.6)
    assert abs((one * other.conj()).mean()) / power == pytest.approx(expected, abs=0.015)


def test_phase_is_that_of_the_change_of_range(scenario: Scenario) -> None:
    """On one path the interferogram is the event's range change, along the squinted sight.

    4 pi / lambda times the change of zero-Doppler range, and 2 pi times the Doppler frequency for
    each second by which the ground moved along the track.
    """
    quiet = scenario.model_copy(
        update={
            "noise_db": -60.0,
            "ground": scenario.ground.model_copy(update={"coherence": 1.0, "vegetation": 0.0}),
        }
    )
    plan = plan_of(quiet, Acquisition(days=12), Acquisition(days=24))
    assert [shot.after_event for shot in plan.shots] == [False, True]
    one, other = image(plan, 0), image(plan, 1)
    made = looked(one * other.conj(), 4, 16)
    # Range change by hand: the ground under each cell, moved, from the closed-form path.
    truth = np.full(made.shape, np.nan)
    lattice_rows = range(8, made.shape[0] - 8, 40)
    for row in lattice_rows:
        for col in range(4, made.shape[1] - 4, 9):
            farther, later = _moved(plan, row * 4 + 1.5, col * 16 + 7.5)
            frequency = _frequency(plan, 0, row * 4 + 1.5)
            truth[row, col] = 4 * np.pi / WAVELENGTH_M * farther + 2 * np.pi * frequency * later
    seen = np.isfinite(truth) & (np.abs(made) > 0)
    assert seen.sum() > 20
    phase = truth[seen]
    assert np.abs(phase).max() > 3
    residual = np.angle(made[seen] * np.exp(-1j * phase))
    # A cell is 60 m of moving mountain, brighter on one side: some hundredths of a radian.
    assert np.abs(residual).max() < 0.12
    assert abs(residual.mean()) < 0.02


def _moved(plan: Plan, line: float, sample: float) -> tuple[float, float]:
    """Metres farther and seconds later that the ground at a pixel is seen after the event."""
    from geobservatory.insar.ground import ground
    from geobservatory.sandbox.geolocation import world_dem

    shot = plan.shots[0]
    track, epoch = plan.track(shot)
    start = float((plan.burst_time(shot, plan.windows[0], 0) - epoch) / np.timedelta64(1, "ns"))
    time = start * 1e-9 + line * LINE_S
    distance = plan.windows[0].near_range_s * SPEED_OF_LIGHT / 2 + sample * SAMPLE_M
    lat, lon, height = (
        float(one[0])
        for one in ground(track, world_dem(plan), np.array([time]), np.array([distance]))
    )
    layers = plan.world.sample(np.degrees([lat]), np.degrees([lon]))[0]
    place = np.array(to_ecef(lat, lon, height))
    east = np.array([-np.sin(lon), np.cos(lon), 0])
    up = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    moved = place + layers[1] * east + layers[2] * np.cross(up, east) + layers[3] * up
    ranges = []
    for point in (place, moved):
        since = time + shot.path.seconds(epoch) + np.linspace(-0.5, 0.5, 2001)
        gone = np.linalg.norm(shot.path.state(since)[0] - point, axis=1)
        ranges.append(np.polynomial.Polynomial.fit(since - since[1000], gone, 4))
    (before, first), (after, second) = (_least(curve) for curve in ranges)
    return after - before, second - first


def _least(curve: np.polynomial.Polynomial) -> tuple[float, float]:
    turning = min(curve.deriv().roots(), key=abs).real
    return float(curve(turning)), float(turning)


def _frequency(plan: Plan, burst: int, line: float) -> float:
    """Doppler frequency at mid-range of a line."""
    window = plan.windows[0]
    tau = np.array([window.near_range_s + SAMPLES / 2 / SAMPLING_HZ])
    f_dc, rate, reference = burst_doppler(plan, plan.shots[0], window, burst).at(tau)
    eta = (line - window.swath.lines / 2) * LINE_S
    return float(f_dc[0] + rate[0] * (eta - reference[0]))


def test_overlaps_see_one_ground_from_two_squints(level_ground: Scenario) -> None:
    """Deramped spectra of an overlap lie at either end of the burst's sweep, phases agree."""
    plan = plan_of(level_ground, Acquisition(days=0), Acquisition(days=12), bursts=2)
    first, second = image(plan, 0, 0), image(plan, 0, 1)
    swath = plan.windows[0].swath
    shot, window = plan.shots[0], plan.windows[0]
    step = plan.burst_time(shot, window, 1) - plan.burst_time(shot, window, 0)
    lines = round(float(step / np.timedelta64(1, "ns")) * 1e-9 / LINE_S)
    late = first[lines + swath.valid_lines[0] : swath.valid_lines[1], 16:-16]
    early = second[swath.valid_lines[0] : swath.valid_lines[1] - lines, 16:-16]
    assert late.shape == early.shape
    assert late.shape[0] > 80
    gap = []
    for pixels in (late, early):
        turn = np.angle((pixels[1:] * pixels[:-1].conj()).sum())
        gap.append(turn / (2 * np.pi * LINE_S))
    # The two spectra are some 4 kHz apart, here folded by the line rate of 486 Hz.
    middle = (lines + swath.valid_lines[0] + swath.valid_lines[1]) / 2
    apart = _frequency(plan, 0, middle) - _frequency(plan, 1, middle - lines)
    assert abs(apart) > 3000
    folded = (gap[0] - gap[1] - apart + 243) % 486.486 - 243
    assert abs(folded) < 15
    # The same scatterers: intensities agree where both bands see them.
    correlation = np.corrcoef(
        looked(np.abs(late) ** 2, 8, 8).ravel(), looked(np.abs(early) ** 2, 8, 8).ravel()
    )[0, 1]
    assert abs(correlation) < 0.3


@pytest.mark.parametrize(
    ("fault", "lines", "samples"),
    [
        (Acquisition(days=12, shift_lines=3), -3.0, 0.0),
        (Acquisition(days=12, azimuth_timing_s=1.25 * LINE_S), 1.25, 0.0),
        (Acquisition(days=12, range_timing_s=1.5 / SAMPLING_HZ), 0.0, 1.5),
    ],
)
def test_faults_move_the_image_by_what_they_say(
    level_ground: Scenario, fault: Acquisition, lines: float, samples: float
) -> None:
    """Cross-correlation of intensities finds the shift."""
    alike = level_ground.model_copy(
        update={"ground": level_ground.ground.model_copy(update={"coherence": 1.0})}
    )
    plan = plan_of(alike, Acquisition(days=0), fault)
    one, other = (np.abs(valid(plan, image(plan, k))) ** 2 for k in (0, 1))
    one, other = one - one.mean(), other - other.mean()
    spectrum = np.fft.fft2(other) * np.fft.fft2(one).conj()
    rows, cols = one.shape
    best, at = -1.0, (0.0, 0.0)
    for dy in np.arange(lines - 0.5, lines + 0.51, 0.125):
        for dx in np.arange(samples - 0.5, samples + 0.51, 0.125):
            fy, fx = np.fft.fftfreq(rows) * rows, np.fft.fftfreq(cols) * cols
            turn = np.exp(2j * np.pi * fy * dy / rows)[:, None] * np.exp(
                2j * np.pi * fx * dx / cols
            )
            found = float((spectrum * turn).real.sum())
            if found > best:
                best, at = found, (float(dy), float(dx))
    assert at[0] == pytest.approx(lines, abs=0.13)
    assert at[1] == pytest.approx(samples, abs=0.13)


def test_atmosphere_and_ramp_delay_the_phase(level_ground: Scenario) -> None:
    alike = level_ground.model_copy(
        update={"ground": level_ground.ground.model_copy(update={"coherence": 1.0})}
    )
    delayed = Acquisition(days=12, atmosphere_m=0.004, ramp_m=(0.05, -0.1))
    plan = plan_of(alike, Acquisition(days=0), delayed)
    one, other = image(plan, 0), image(plan, 1)
    made = looked(valid(plan, one * other.conj()), 16, 64)
    delay = plan.world.layers[..., DELAY + 1]
    spread = np.ptp(delay)
    assert spread > 0.01
    phase = np.unwrap(np.unwrap(np.angle(made), axis=0), axis=1)
    # Longer path on the second date: positive phase, within the range of the delays.
    scaled = phase * WAVELENGTH_M / (4 * np.pi)
    wraps = np.round((scaled.mean() - delay.mean()) / (WAVELENGTH_M / 2)) * WAVELENGTH_M / 2
    assert delay.min() - 1e-3 < (scaled - wraps).min()
    assert (scaled - wraps).max() < delay.max() + 1e-3


def test_the_response_is_that_of_its_window() -> None:
    table = response(0.75, 0.75)
    assert (table[0] ** 2).sum() == pytest.approx(1, abs=1e-6)
    # Half a sample on, the same curve: the last row is the first one, a sample later.
    assert np.allclose(table[-1][1:], table[0][:-1], atol=1e-6)
    assert table[0].argmax() == HALF - 1


def test_the_path_is_a_repeat_orbit_and_velocity_its_derivative() -> None:
    time = np.datetime64("2023-09-04T06:37:42", "ns")
    path = path_over(np.radians(31.0), np.radians(-8.4), 880e3, False, time)
    at = path.seconds(time)
    position, velocity = path.state(np.array([at - 0.05, at, at + 0.05]))
    derivative = (position[2] - position[0]) / 0.1
    assert np.linalg.norm(derivative - velocity[1]) < 1e-4
    again, _ = path.state(at + 175 * ORBIT_S)
    assert np.linalg.norm(again - position[1]) < 1e-3
    assert velocity[1][2] < 0
    with pytest.raises(InputError, match="beyond the orbit"):
        path_over(np.radians(85.0), 0.0, 880e3, True, time)
    with pytest.raises(InputError, match="no pass"):
        path_over(np.radians(31.0), 0.0, 300e3, True, time)


def test_bursts_are_numbered_as_esa_does() -> None:
    for swath in SWATHS.values():
        start = burst_start_s(110431, 52, swath)
        assert burst_number(start + 0.4, 52, swath) == 110431
    # A real burst of relative orbit 52: number 110431 of IW2 began 2445.025 s after the node.
    assert burst_start_s(110431, 52, SWATHS["IW2"]) == pytest.approx(2445.025, abs=0.1)


@pytest.fixture(scope="module")
def written(
    scenario: Scenario, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Plan, Simulated, Path]:
    folder = tmp_path_factory.mktemp("sandbox")
    dates = (
        Acquisition(days=12, perpendicular_m=40.0),
        Acquisition(days=24, first_burst=1, missing_burst=2),
    )
    two = scenario.model_copy(update={"polarisations": ("VV", "VH")})
    plan = plan_of(two, *dates, bursts=4)
    lines: list[int] = []
    done = simulate(plan, folder, lines.append)
    assert sum(lines) == total_lines(plan)
    return plan, done, folder


def test_products_are_taken_for_real(written: tuple[Plan, Simulated, Path]) -> None:
    plan, done, _ = written
    one, other = (open_product(path) for path in done.products)
    assert one.problems == other.problems == ()
    assert set(one.channels) == {("IW2", "VV"), ("IW2", "VH")}
    assert one.relative_orbits == (52, 52)
    assert one.name.relative_orbit == 52
    assert not one.lacks_elevation_pattern_phase
    for product, count in ((one, 4), (other, 2)):
        for channel in product.channels:
            annotation = product.annotation(*channel)
            assert len(annotation.bursts) == count
            check = check_geometry(annotation)
            assert check.azimuth_lines < 0.005
            assert check.range_m < 0.001
            with open_measurement(product, *channel) as measured:
                _check_pixels(measured.burst(annotation, 0), annotation.bursts[0])
    numbers = [burst.esa_id for burst in one.annotation("IW2", "VV").bursts]
    assert numbers == list(range(plan.first_number, plan.first_number + 4))
    cut = [burst.esa_id for burst in other.annotation("IW2", "VV").bursts]
    assert cut == [numbers[1], numbers[3]]
    here, there = azimuth_overlap(one.annotation("IW2", "VV"), 0)
    assert len(here) == len(there) > 100


def _check_pixels(pixels: NDArray[np.complex64], burst: object) -> None:
    inside = np.zeros(pixels.shape, bool)
    for line, (first, last) in enumerate(
        zip(burst.first_valid_sample, burst.last_valid_sample, strict=True)  # type: ignore[attr-defined]
    ):
        if first >= 0:
            inside[line, first : last + 1] = True
    assert (pixels[~inside] == 0).all()
    assert (pixels[inside] != 0).mean() > 0.99
    assert (pixels.real == pixels.real.round()).all()


def test_another_library_reads_the_pixels(written: tuple[Plan, Simulated, Path]) -> None:
    """GDAL, straight out of the zip."""
    _, done, _ = written
    product = open_product(done.products[0])
    member = next(name for name in product.members if name.endswith("002.tiff"))
    name = done.products[0].name.removesuffix(".zip")
    with rasterio.open(f"/vsizip/{done.products[0]}/{name}/{member}") as tiff:
        theirs = tiff.read(1)
        assert tiff.dtypes == ("complex_int16",)
    with open_measurement(product, "IW2", "VV") as measured:
        assert np.array_equal(theirs, measured.read(slice(None)))


def test_checksums_of_the_manifest_are_right(written: tuple[Plan, Simulated, Path]) -> None:
    _, done, _ = written
    product = open_product(done.products[0])
    listed = 0
    for node in product._manifest.all("dataObjectSection/dataObject/byteStream"):
        member = (node.one("fileLocation").attribute("href") or "").removeprefix("./")
        with product.storage.open(member) as file:
            content = file.read()
        assert hashlib.md5(content, usedforsecurity=False).hexdigest() == node.text("checksum")
        assert str(len(content)) == node.attribute("size")
        listed += 1
    assert listed == 8


def test_orbit_files_hold_the_path(written: tuple[Plan, Simulated, Path]) -> None:
    plan, done, _ = written
    for path, shot in zip(done.orbits, plan.shots, strict=True):
        orbit = read_eof(path)
        assert orbit.source == "POEORB"
        at = plan.burst_time(shot, plan.windows[0], 0)
        position, velocity = orbit.interpolate(orbit.seconds(at))
        exact, speed = shot.path.state(shot.path.seconds(at))
        assert np.linalg.norm(position - exact) < 1e-4
        assert np.linalg.norm(velocity - speed) < 1e-4


def test_truth_says_what_was_simulated(written: tuple[Plan, Simulated, Path]) -> None:
    plan, done, _ = written
    told = json.loads((done.truth / "truth.json").read_text())
    assert told["pairs"][0]["spans_event"] is True
    assert told["pairs"][0]["perpendicular_m"] == pytest.approx(-40, abs=0.1)
    with rasterio.open(done.truth / "map.tif") as tiff:
        bands = {name: tiff.read(k + 1) for k, name in enumerate(tiff.descriptions)}
        assert tiff.transform.c == pytest.approx(plan.world.longitude - 1 / 2400)
    norm = bands["los_east"] ** 2 + bands["los_north"] ** 2 + bands["los_up"] ** 2
    assert norm == pytest.approx(1, abs=1e-5)
    assert np.nanmax(np.abs(bands["los_displacement"])) > 0.05
    with rasterio.open(done.dem) as tiff:
        assert np.array_equal(tiff.read(1), bands["height"])
    radar = done.truth / f"radar-iw2-{plan.first_number}.tif"
    with rasterio.open(radar) as tiff:
        names = tiff.descriptions
        assert {"latitude", "longitude", "los_displacement", "coherence"} <= set(names)


def test_simulating_again_is_the_same_byte_for_byte(
    written: tuple[Plan, Simulated, Path], tmp_path: Path
) -> None:
    plan, done, folder = written
    before = {path.name: path.read_bytes() for path in done.products}
    again = simulate(plan, tmp_path, lambda lines: None)
    for path in again.products:
        assert path.read_bytes() == (folder / path.name).read_bytes()
    # What is whole is not made again; what was cut short left nothing under its name.
    stamp = done.products[0].stat().st_mtime_ns
    simulate(plan, folder, lambda lines: None)
    assert done.products[0].stat().st_mtime_ns == stamp
    assert {path.name: path.read_bytes() for path in done.products} == before


def test_an_interrupted_simulation_leaves_nothing_half_written(
    scenario: Scenario, tmp_path: Path
) -> None:
    plan = plan_of(scenario, Acquisition(days=0), Acquisition(days=12))

    def stop(lines: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(plan, tmp_path, stop)
    assert list(tmp_path.glob("*.zip")) == []
    assert list(tmp_path.glob(".*")) == []
    # What a killed process left, and a product that was cut short, give way to a whole one.
    name = product_name(plan, plan.shots[0])
    left = tmp_path / f".{name}.SAFE.zip.999999999.abcdef01.files"
    left.mkdir()
    (tmp_path / f"{name}.SAFE.zip").write_bytes(b"PK cut short")
    done = simulate(plan, tmp_path, lambda lines: None)
    assert not left.exists()
    assert open_product(done.products[0]).problems == ()


def test_two_worlds_do_not_share_a_folder(scenario: Scenario, tmp_path: Path) -> None:
    claim(scenario, tmp_path)
    claim(scenario, tmp_path)
    higher = scenario.ground.model_copy(update={"base_m": 2500.0})
    with pytest.raises(InputError, match="differs from al-haouz-2023"):
        claim(scenario.model_copy(update={"ground": higher}), tmp_path)


def test_passes_that_cannot_be_are_refused(scenario: Scenario) -> None:
    late = Acquisition(days=0, first_burst=3), Acquisition(days=12)
    passing = scenario.passes[0].model_copy(update={"acquisitions": late})
    with pytest.raises(InputError, match="no burst is left"):
        make_plan(scenario, passing, Size.SMALL)
    early = scenario.passes[0].model_copy(update={"time": datetime(1999, 1, 1, tzinfo=UTC)})
    with pytest.raises(InputError, match="flew no such pass"):
        make_plan(scenario, early, Size.SMALL)


def test_the_antimeridian_is_no_edge(level_ground: Scenario) -> None:
    """Half of the strip lies beyond it, with as much speckle as the other half."""
    event = level_ground.event.model_copy(update={"longitude": 179.99, "sources": ()})
    plan = plan_of(level_ground.model_copy(update={"event": event}), *_dates())
    east = plan.world.longitude + STEP * plan.world.layers.shape[1]
    assert plan.world.longitude < 180 < east
    pixels = valid(plan, image(plan, 0))
    assert (np.abs(pixels) > 0).mean() > 0.999
    halves = np.array_split(np.abs(pixels) ** 2, 2, axis=1)
    assert halves[0].mean() == pytest.approx(halves[1].mean(), rel=0.05)


def _dates() -> tuple[Acquisition, Acquisition]:
    return Acquisition(days=0), Acquisition(days=12)


def test_every_scenario_can_be_planned() -> None:
    for name in built_in():
        found = find_scenario(name)
        for passing in found.passes:
            plan = make_plan(found, passing, Size.SMALL)
            assert any(shot.after_event for shot in plan.shots)
            assert sum(not shot.after_event for shot in plan.shots) >= 2
            moved = np.abs(plan.world.layers[..., 1:4]).max()
            assert 0.05 < moved < 3


def test_wrong_scenarios_are_refused_with_the_place(tmp_path: Path) -> None:
    good = built_in()["al-haouz-2023"].read_text()
    path = tmp_path / "mine.toml"
    for old, new, match in (
        ("magnitude = 6.8", "magnitude = 'big'", "event.magnitude"),
        ("dip = 69", "dip = 169", "event.sources"),
        ("depth_km = 19.0\nstrike", "depth_km = 1.0\nstrike", "above the surface"),
        ("relative_orbit = 52", "relative_orbit = 552", "relative_orbit"),
        ("[event]", "[event", "not TOML"),
        ("{ days = 12, shift", "{ days = 24, shift", "in order"),
        ("{ days = 12, shift", "{ days = 6, shift", "days"),
        ("perpendicular_m = -60.0", "perpendicular_m = nan", "perpendicular_m"),
        ('name = "al-haouz-2023"', 'name = "al-haouz-2023"\ncolour = 1', "colour"),
    ):
        assert old in good
        path.write_text(good.replace(old, new, 1))
        with pytest.raises(InputError, match=match):
            find_scenario(str(path))
    with pytest.raises(NotFoundError, match="amatrice-2016"):
        find_scenario("atlantis")
    path.write_text(good)
    assert find_scenario(str(path)).name == "al-haouz-2023"
    with pytest.raises(NotFoundError, match="descending-52"):
        find_scenario(str(path)).pass_named("ascending-1")
