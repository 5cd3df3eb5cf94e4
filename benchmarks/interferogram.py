"""From measurements in the page cache to the looked-down interferogram, by stages and kernels.

Each kernel's arithmetic and traffic are counted by hand and set beside what this machine does at
best: additions fused with multiplications, and copies.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np

from geobservatory.insar import stream
from geobservatory.insar.dem import Dem
from geobservatory.insar.esd import estimate_shift
from geobservatory.insar.interferogram import make_interferogram
from geobservatory.insar.pair import lay_out, match_bursts
from geobservatory.insar.register import estimate_offset
from geobservatory.insar.stream import prepare
from geobservatory.sandbox.geolocation import world_dem
from geobservatory.sandbox.plan import Size, make_plan
from geobservatory.sandbox.product import write_product
from geobservatory.sandbox.scenario import find_scenario
from geobservatory.sentinel1.measurement import Measurement, open_measurement
from geobservatory.sentinel1.safe import open_product

# A pixel of the reference: floating-point operations, bytes to and from memory at least.
_KERNELS = {
    "read": (0, 2 * (4 + 8)),  # integers in, single complex out, both images
    "deramp": (14, 16),
    "interfere": (2 * 2 * 16 + 30, 8 + 3 * 8),  # two kernels of 8 taps, product, turn, sums
    "strip_nodes": (8, 2),  # one node for sixteen pixels
}


@numba.njit(parallel=True, fastmath=True)
def _fused(values: Any, rounds: int) -> None:
    for block in numba.prange(values.shape[0]):
        line = values[block]
        for _ in range(rounds):
            for k in range(line.size):
                line[k] = line[k] * np.float32(0.999) + np.float32(0.001)


def limits() -> tuple[float, float]:
    """Measure what the machine does at best: billion operations and billion bytes a second."""
    small = np.ones((2 * numba.get_num_threads(), 2048), np.float32)
    _fused(small, 1)
    started = time.perf_counter()
    _fused(small, 20_000)
    operations = 2 * small.size * 20_000 / (time.perf_counter() - started) / 1e9
    large = np.ones(2**26, np.float32)
    other = np.empty_like(large)
    other[:] = large
    started = time.perf_counter()
    other[:] = large
    return operations, 2 * large.nbytes / (time.perf_counter() - started) / 1e9


class Watch:
    """Adds up the time that functions take."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def over(self, owner: Any, name: str) -> None:
        """Time every call of a function of a module or class from now on."""
        plain: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            started = time.perf_counter()
            result = plain(*arguments, **named)
            taken = time.perf_counter() - started
            self.seconds[name] = self.seconds.get(name, 0.0) + taken
            return result

        setattr(owner, name, timed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="keep the simulated products here")
    parser.add_argument("--looks", default="3x11", help="azimuth x range")
    arguments = parser.parse_args()
    looks = tuple(int(part) for part in arguments.looks.split("x"))
    scenario = find_scenario("al-haouz-2023")
    plan = make_plan(scenario, scenario.passes[0], Size.SMALL)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        products = [
            write_product(plan, shot, folder, lambda lines: None) for shot in plan.shots[1:]
        ]
        measure(products, world_dem(plan), (looks[0], looks[1]))


def measure(paths: list[Path], dem: Dem, looks: tuple[int, int]) -> None:
    reference, secondary = (open_product(path) for path in paths)
    pairs = match_bursts([reference], [secondary], "VV")
    layout = lay_out(pairs, looks)
    orbits = pairs[0].reference.orbit, pairs[0].secondary.orbit
    images = {
        product.annotation("IW2", "VV").file: open_measurement(product, "IW2", "VV")
        for product in (reference, secondary)
    }
    prepared = [prepare(tile.pair, orbits, dem) for tile in layout.tiles]
    make_interferogram(layout, prepared, images, dem)  # compile, and fill the page cache
    estimate_offset(layout, prepared, images, dem)
    start = time.perf_counter()
    prepared = [prepare(tile.pair, orbits, dem) for tile in layout.tiles]
    solved = time.perf_counter()
    offset = estimate_offset(layout, prepared, images, dem)
    registered = time.perf_counter()
    shift = estimate_shift(layout, prepared, images, dem)
    searched = time.perf_counter()
    made = make_interferogram(layout, prepared, images, dem)
    done = time.perf_counter()
    pixels = int(made.pixels.sum())
    ours = pixels / (done - searched) / 1e6
    print(f"geometry of {len(prepared)} bursts     {(solved - start) * 1e3:6.0f} ms")
    print(f"registration             {(registered - solved) * 1e3:6.0f} ms   {offset}")
    print(f"spectral diversity       {(searched - registered) * 1e3:6.0f} ms   {shift}")
    print(f"interferogram            {ours:6.1f} million pixels/s   {pixels:,} pixels")
    watch = Watch()
    for name in ("strip_nodes", "deramp", "interfere"):
        watch.over(stream, name)
    watch.over(Measurement, "read")
    started = time.perf_counter()
    make_interferogram(layout, prepared, images, dem)
    whole = time.perf_counter() - started
    operations, traffic = limits()
    print(f"machine at best          {operations:6.1f} Gflop/s   {traffic:.1f} GB/s (copy)")
    for name, seconds in watch.seconds.items():
        flops, moved = _KERNELS[name]
        rate = pixels / seconds / 1e9
        print(
            f"  {name:12} {seconds / whole:4.0%} of the time  {rate * 1e3:7.1f} million pixels/s  "
            f"{rate * flops / operations:4.0%} of the arithmetic  "
            f"{rate * moved / traffic:4.0%} of the traffic"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory              {peak:6.1f} GiB")


if __name__ == "__main__":
    main()
