"""The pixels of one burst of one date, a strip of lines at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geobservatory.insar.geo2rdr import geo2rdr
from geobservatory.sandbox.doppler import Doppler, make_doppler
from geobservatory.sandbox.instrument import LINE_S, SAMPLING_HZ
from geobservatory.sandbox.plan import Plan, Shot, Window
from geobservatory.sandbox.speckle import draw, response
from geobservatory.sandbox.world import DELAY, STEP
from geobservatory.sentinel1.annotation import SPEED_OF_LIGHT

# Root mean square of the pixels, digital numbers: as real products have it, far above rounding.
LEVEL_DN = 150.0
# Crossed polarisation is this much weaker.
_CROSS_DB = -7.0
_STRIP = 512
# Rows of scatterers by which a burst's lines may be off where they are thought to be.
_SLACK = 3


@dataclass(frozen=True)
class Strip:
    """Lines of a burst, in digital numbers."""

    first_line: int
    pixels: NDArray[np.complex64]


def burst_doppler(plan: Plan, shot: Shot, window: Window, burst: int) -> Doppler:
    """Doppler parameters of a burst, as its annotation says them.

    The centroid wanders by some hertz from date to date and burst to burst, as attitude does.
    """
    track, epoch = plan.track(shot)
    start = plan.burst_time(shot, window, burst)
    middle = _seconds(start, epoch) + window.swath.lines * LINE_S / 2
    key = (plan.scenario.ground.seed, shot.index, plan.first_number + burst)
    wander = np.random.default_rng(key).normal(0, (6.0, 4e3, 0))
    return make_doppler(
        track, middle, window.swath, window.near_range_s, window.far_range_s, wander
    )


def burst_strips(
    plan: Plan, shot: Shot, window: Window, burst: int, polarisation: str
) -> Iterator[Strip]:
    """Simulate a burst of a date, a strip of lines after the other.

    Lines and samples that a processor would mark as not valid are zero.
    """
    track, epoch = plan.track(shot)
    start_s = _seconds(plan.burst_time(shot, window, burst), epoch)
    swath, samples = window.swath, window.samples
    tau = window.near_range_s + np.arange(samples) / SAMPLING_HZ
    f_dc, rate, reference = burst_doppler(plan, shot, window, burst).at(tau)
    doppler = np.stack([f_dc, rate, reference + swath.lines * LINE_S / 2])
    lattice, columns = plan.lattice(window, burst)
    row_of_line = (_nominal_seconds(plan, shot, start_s)) / LINE_S
    filters = (
        response(swath.azimuth_bandwidth_hz * LINE_S, swath.azimuth_window),
        response(swath.range_bandwidth_hz / SAMPLING_HZ, swath.range_window),
    )
    crossed = polarisation == "VH"
    level = LEVEL_DN * 10 ** ((_CROSS_DB if crossed else 0) / 20)
    noise = LEVEL_DN * 10 ** (plan.scenario.noise_db / 20)
    seed = 2 * plan.scenario.ground.seed + crossed
    # Streams of random numbers: of this date's own change, of this burst's own noise.
    own = 10 + shot.index
    thermal = 1_000_000 + 10_000 * shot.index + 10 * burst + int(swath.name[-1])
    world, fault = plan.world, shot.acquisition
    first, last = swath.valid_lines
    left, right = window.valid_samples
    for top in range(0, swath.lines, _STRIP):
        lines = min(_STRIP, swath.lines - top)
        re, im = np.zeros((2, lines, samples), np.float32)
        draw(
            re, im, top,
            (track.cubics, track.start_s, track.step_s),
            start_s, window.near_range_s * SPEED_OF_LIGHT / 2,
            doppler, filters,
            (
                lattice.latitude, lattice.longitude, lattice.first_row, lattice.first_col,
                columns, row_of_line, _SLACK,
            ),
            (world.layers, world.longitude, world.latitude, STEP),
            DELAY + shot.index, shot.after_event, (seed, own, thermal), level, noise,
            (fault.azimuth_timing_s, fault.range_timing_s * SPEED_OF_LIGHT / 2),
        )  # fmt: skip
        pixels = np.empty((lines, samples), np.complex64)
        pixels.real, pixels.imag = re, im
        pixels[: max(first - top, 0)] = 0
        pixels[max(last - top, 0) :] = 0
        pixels[:, :left] = 0
        pixels[:, right:] = 0
        yield Strip(top, pixels)


def _nominal_seconds(plan: Plan, shot: Shot, start_s: float) -> float:
    """When the nominal path sees what a date sees at `start_s`, seconds after its node."""
    place = np.radians([plan.scenario.event.latitude]), np.radians([plan.scenario.event.longitude])
    height = np.full(1, plan.scenario.ground.base_m)
    seen = []
    for one in (shot, plan.nominal_shot):
        track, epoch = plan.track(one)
        time, _ = geo2rdr(track, *place, height)
        seen.append(float(time[0]) + one.path.seconds(epoch))
    _, epoch = plan.track(shot)
    return start_s + shot.path.seconds(epoch) - (seen[0] - seen[1])


def _seconds(time: np.datetime64, epoch: np.datetime64) -> float:
    return float((time - epoch) / np.timedelta64(1, "ns")) * 1e-9
