"""What is to be simulated: which bursts of which swaths, when, along which paths."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from geobservatory.errors import InputError
from geobservatory.insar.ellipsoid import to_ecef
from geobservatory.insar.rdr2geo import rdr2geo
from geobservatory.insar.track import Track, make_track
from geobservatory.sandbox.instrument import (
    BEAM_CYCLE_S,
    LINE_S,
    SAMPLE_M,
    SAMPLING_HZ,
    SWATHS,
    Swath,
    burst_number,
    burst_start_s,
)
from geobservatory.sandbox.path import ORBIT_S, FlightPath, path_over
from geobservatory.sandbox.scenario import Acquisition, Pass, Scenario
from geobservatory.sandbox.speckle import COL_STEP, PER_SAMPLE, ROW_STEP, Lattice
from geobservatory.sandbox.world import HEIGHT, World, make_world
from geobservatory.sentinel1.annotation import SPEED_OF_LIGHT

# Columns of the lattice count from this slant range, rows from the ascending node.
_ORIGIN_M = 700e3
_COLUMN_M = SAMPLE_M / PER_SAMPLE


class Size(StrEnum):
    """How much is simulated."""

    SMALL = "small"
    SCENE = "scene"
    FRAME = "frame"


_SIZES = {
    # Swaths, bursts, samples of a line (all where None).
    Size.SMALL: (("IW2",), 3, 6000),
    Size.SCENE: (("IW2",), 9, None),
    Size.FRAME: (("IW1", "IW2", "IW3"), 9, None),
}


@dataclass(frozen=True)
class Window:
    """The part of a swath that a product holds."""

    swath: Swath
    first_sample: int
    samples: int

    @property
    def near_range_s(self) -> float:
        """Two-way slant range time of the first sample."""
        return self.swath.near_range_s + self.first_sample / SAMPLING_HZ

    @property
    def far_range_s(self) -> float:
        """Two-way slant range time of the last sample."""
        return self.near_range_s + (self.samples - 1) / SAMPLING_HZ

    @property
    def valid_samples(self) -> tuple[int, int]:
        """First valid sample of the window and the one after the last."""
        first, stop = (at - self.first_sample for at in self.swath.valid_samples)
        return max(first, 16), min(stop, self.samples - 16)


@dataclass(frozen=True)
class Shot:
    """One acquisition of the plan: its path and what the scenario says of it."""

    acquisition: Acquisition
    path: FlightPath
    index: int
    absolute_orbit: int
    after_event: bool


@dataclass(frozen=True)
class Plan:
    """Everything that pixels and annotation follow from."""

    scenario: Scenario
    passing: Pass
    size: Size
    nominal: FlightPath
    windows: tuple[Window, ...]
    first_number: int
    bursts: int
    shots: tuple[Shot, ...]
    world: World

    def burst_time(self, shot: Shot, window: Window, burst: int) -> np.datetime64:
        """Time of the first line of burst `burst` of the track, on the grid of lines."""
        nominal = burst_start_s(
            self.first_number + burst, self.passing.relative_orbit, window.swath
        )
        lines = round(nominal / LINE_S) + shot.acquisition.shift_lines
        # Microseconds: what an annotation can say.
        return shot.path.node_time + np.timedelta64(round(lines * LINE_S * 1e6) * 1000, "ns")

    def numbers(self, shot: Shot) -> list[int]:
        """Bursts of the track that a product holds, counted from the plan's first."""
        first, gone = shot.acquisition.first_burst, shot.acquisition.missing_burst
        return [burst for burst in range(first, self.bursts) if burst != gone]

    def track(self, shot: Shot) -> tuple[Track, np.datetime64]:
        """FlightPath of a shot as the geometry takes it, and the epoch its times count from."""
        start, stop = self.span(shot)
        minute = np.timedelta64(60, "s")
        orbit = shot.path.orbit(start - minute, stop + minute, source="exact")
        return make_track(orbit, start, stop, margin_s=30), orbit.epoch

    def span(self, shot: Shot) -> tuple[np.datetime64, np.datetime64]:
        """From before the first to after the last line of all swaths."""
        starts = [
            self.burst_time(shot, window, burst)
            for window in self.windows
            for burst in (0, self.bursts - 1)
        ]
        return min(starts) - np.timedelta64(5, "s"), max(starts) + np.timedelta64(10, "s")

    def lattice(self, window: Window, burst: int) -> tuple[Lattice, int]:
        """Places of scatterers under a burst, and how many columns they have."""
        height = self.world.layers[..., HEIGHT]
        # Ground of height h is seen h cos(look) nearer than the ellipsoid under it.
        near = window.near_range_s * SPEED_OF_LIGHT / 2 + min(float(height.min()), 0) - 200
        far = window.far_range_s * SPEED_OF_LIGHT / 2 + max(float(height.max()), 0) + 200
        first_col = int(np.floor((near - _ORIGIN_M) / _COLUMN_M))
        columns = int(np.ceil((far - near) / _COLUMN_M))
        start_s = burst_start_s(
            self.first_number + burst, self.passing.relative_orbit, window.swath
        )
        first_row = int(np.floor(start_s / LINE_S)) - 4 * ROW_STEP
        rows = window.swath.lines + 8 * ROW_STEP
        time: NDArray[np.float64] = (
            first_row + ROW_STEP * np.arange(rows // ROW_STEP + 3.0)
        ) * LINE_S
        distance = (
            _ORIGIN_M + (first_col + COL_STEP * np.arange(columns // COL_STEP + 3.0)) * _COLUMN_M
        )
        track, epoch = self.track(self.nominal_shot)
        since = time - self.nominal.seconds(epoch)
        latitude, longitude = rdr2geo(
            track, since[:, None], distance[None, :], np.zeros((len(time), len(distance)))
        )
        # In the turn that the world's longitudes are counted in.
        middle = np.radians(self.scenario.event.longitude)
        longitude = middle + (longitude - middle + np.pi) % (2 * np.pi) - np.pi
        return Lattice(latitude, longitude, first_row, first_col), columns

    @property
    def nominal_shot(self) -> Shot:
        """The pass as if nothing were wrong with it."""
        return Shot(Acquisition(days=0), self.nominal, 0, 0, False)


def make_plan(scenario: Scenario, passing: Pass, size: Size) -> Plan:
    """Plan the simulation of a pass: the event in the middle of the bursts simulated.

    Raises
    ------
    InputError
        If no pass can see the event, or a date leaves no burst.
    """
    names, bursts, samples = _SIZES[size]
    middle = SWATHS["IW2"]
    valid = sum(middle.valid_samples) // 2
    range_m = (middle.near_range_s + valid / SAMPLING_HZ) * SPEED_OF_LIGHT / 2
    place = np.radians(scenario.event.latitude), np.radians(scenario.event.longitude)
    time = np.datetime64(passing.time.replace(tzinfo=None), "ns")
    nominal = path_over(*place, range_m, passing.direction == "ascending", time)
    if samples is None:
        windows = tuple(Window(SWATHS[name], 0, SWATHS[name].samples) for name in names)
    else:
        windows = tuple(Window(SWATHS[name], valid - samples // 2, samples) for name in names)
    half_s = middle.lines * LINE_S / 2
    number = burst_number(nominal.seconds(time) - half_s, passing.relative_orbit, middle)
    x = np.array(to_ecef(*place, 0.0))
    event = np.datetime64(scenario.event.time.replace(tzinfo=None), "ns")
    first_orbit = _absolute_orbit(passing, nominal)
    shots = tuple(
        Shot(
            acquisition=one,
            path=nominal.later(one.days).shifted(one.perpendicular_m, x),
            index=index,
            absolute_orbit=first_orbit + round(one.days * 86400 / ORBIT_S),
            after_event=bool(time + np.timedelta64(round(one.days * 86400), "s") > event),
        )
        for index, one in enumerate(passing.acquisitions)
    )
    bare = Plan(
        scenario, passing, size, nominal, windows, number - bursts // 2, bursts, shots, _EMPTY
    )
    for shot in shots:
        if not bare.numbers(shot):
            raise InputError(f"{passing.name}, day {shot.acquisition.days}: no burst is left of it")
        if shot.absolute_orbit < 1 or bare.first_number < 1:
            raise InputError(f"{passing.name}: {passing.mission} flew no such pass at that time")
    bounds = _bounds(bare)
    return Plan(**{**vars(bare), "world": make_world(scenario, passing.acquisitions, bounds)})


_EMPTY = World(np.zeros((2, 2, 6), np.float32), 0.0, 0.0)


def _bounds(plan: Plan) -> tuple[float, float, float, float]:
    """Box about all that may be seen: the windows, and the highest ground beside them."""
    track, epoch = plan.track(plan.nominal_shot)
    node_s = plan.nominal.seconds(epoch)
    relief = 6 * plan.scenario.ground.relief_m + abs(plan.scenario.ground.base_m) + 500
    places: list[NDArray[np.float64]] = []
    for window in plan.windows:
        first = burst_start_s(plan.first_number, plan.passing.relative_orbit, window.swath) - node_s
        times = np.array([first - 0.3, first + plan.bursts * BEAM_CYCLE_S + 1.0])
        ranges = np.array([window.near_range_s, window.far_range_s]) * SPEED_OF_LIGHT / 2
        ranges += np.array([-relief, relief])
        grid = np.meshgrid(times, ranges, indexing="ij")
        places.append(
            np.degrees(np.array(rdr2geo(track, grid[0], grid[1], np.zeros((2, 2))))).reshape(2, 4)
        )
    latitude, longitude = np.concatenate(places, axis=1)
    east = plan.scenario.event.longitude
    longitude = east + (longitude - east + 180) % 360 - 180
    return (
        float(longitude.min()) - 0.02,
        float(latitude.min()) - 0.02,
        float(longitude.max()) + 0.02,
        float(latitude.max()) + 0.02,
    )


def _absolute_orbit(passing: Pass, nominal: FlightPath) -> int:
    """Give the absolute orbit number of that relative orbit that is nearest to the real one."""
    offset, known, node = {
        # Orbit 50174 of Sentinel-1A crossed the equator at 2023-09-04T05:56:47.
        "S1A": (73, 50174, np.datetime64("2023-09-04T05:56:47", "ns")),
        "S1B": (27, 26269, np.datetime64("2021-04-01T04:44:47", "ns")),
    }[passing.mission]
    days = (nominal.node_time - node) / np.timedelta64(1, "D")
    estimate = known + days * 86400 / ORBIT_S
    base = offset + passing.relative_orbit - 1
    return int(base + _ROUND * round((estimate - base) / _ROUND))


_ROUND = 175
