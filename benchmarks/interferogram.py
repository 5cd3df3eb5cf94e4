"""From measurements in the page cache to the looked-down interferogram, by stages."""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from geobservatory.insar.dem import Dem
from geobservatory.insar.esd import estimate_shift
from geobservatory.insar.interferogram import make_interferogram
from geobservatory.insar.pair import lay_out, match_bursts
from geobservatory.insar.stream import prepare
from geobservatory.sandbox.geolocation import world_dem
from geobservatory.sandbox.plan import Size, make_plan
from geobservatory.sandbox.product import write_product
from geobservatory.sandbox.scenario import find_scenario
from geobservatory.sentinel1.measurement import open_measurement
from geobservatory.sentinel1.safe import open_product


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="keep the simulated products here")
    parser.add_argument("--looks", default="3x12", help="azimuth x range")
    arguments = parser.parse_args()
    looks = tuple(int(part) for part in arguments.looks.split("x"))
    scenario = find_scenario("al-haouz-2023")
    plan = make_plan(scenario, scenario.passes[0], Size.SMALL)
    if arguments.folder is not None:
        arguments.folder.mkdir(parents=True, exist_ok=True)
        products = [
            write_product(plan, shot, arguments.folder, lambda lines: None)
            for shot in plan.shots[1:]
        ]
        measure(products, world_dem(plan), (looks[0], looks[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        products = [
            write_product(plan, shot, Path(folder), lambda lines: None) for shot in plan.shots[1:]
        ]
        measure(products, world_dem(plan), (looks[0], looks[1]))


def measure(paths: list[Path], dem: Dem, looks: tuple[int, int]) -> None:
    reference, secondary = (open_product(path) for path in paths)
    pairs = match_bursts(reference, secondary, "VV")
    layout = lay_out(pairs, looks)
    orbits = pairs[0].reference.orbit, pairs[0].secondary.orbit
    images = {
        "IW2": (
            open_measurement(reference, "IW2", "VV"),
            open_measurement(secondary, "IW2", "VV"),
        )
    }
    prepared = [prepare(tile.pair, orbits, dem) for tile in layout.tiles]
    make_interferogram(layout, prepared, images, dem)  # compile, and fill the page cache
    start = time.perf_counter()
    prepared = [prepare(tile.pair, orbits, dem) for tile in layout.tiles]
    solved = time.perf_counter()
    shift = estimate_shift(layout, prepared, images, dem)
    searched = time.perf_counter()
    made = make_interferogram(layout, prepared, images, dem)
    done = time.perf_counter()
    pixels = int(made.pixels.sum())
    block = images["IW2"][0].read(slice(0, 1000))
    copied = time.perf_counter()
    np.multiply(block, block.conj())
    plain = block.size / (time.perf_counter() - copied) / 1e6
    ours = pixels / (done - searched) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"geometry of {len(prepared)} bursts     {(solved - start) * 1e3:6.0f} ms")
    print(f"spectral diversity       {(searched - solved) * 1e3:6.0f} ms   {shift}")
    print(f"interferogram            {ours:6.1f} million pixels/s   {pixels:,} pixels")
    print(f"  NumPy, one product     {plain:6.1f} million pixels/s   ratio {ours / plain:.2f}")
    print(f"peak memory              {peak:6.1f} GiB")


if __name__ == "__main__":
    main()
