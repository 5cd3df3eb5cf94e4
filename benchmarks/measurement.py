"""Reading the pixels of a product from the page cache, beside copying as many bytes in memory."""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from geobservatory.sandbox.plan import Size, make_plan
from geobservatory.sandbox.product import write_product
from geobservatory.sandbox.scenario import find_scenario
from geobservatory.sentinel1.measurement import open_measurement
from geobservatory.sentinel1.safe import SafeProduct, open_product


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--product", type=Path, help="a SAFE; one is simulated if not given")
    given = parser.parse_args().product
    if given is not None:
        measure(open_product(given))
        return
    scenario = find_scenario("al-haouz-2023")
    plan = make_plan(scenario, scenario.passes[0], Size.SMALL)
    with tempfile.TemporaryDirectory() as folder:
        path = write_product(plan, plan.shots[1], Path(folder), lambda lines: None)
        measure(open_product(path))


def measure(product: SafeProduct) -> None:
    channel = next(iter(product.channels))
    annotation = product.annotation(*channel)
    with open_measurement(product, *channel) as measured:
        pixels = measured.read(slice(None)).size  # into the page cache
        start = time.perf_counter()
        for index in range(len(annotation.bursts)):
            measured.burst(annotation, index)
        ours = pixels * 4 / (time.perf_counter() - start) / 1e9
    raw = np.ones(pixels * 2, np.int16)
    start = time.perf_counter()
    raw.copy()
    plain = raw.nbytes / (time.perf_counter() - start) / 1e9
    print(f"pixels to complex64  {ours:5.2f} GB/s read   {pixels:,} pixels by bursts")
    print(f"  copy in memory     {plain:5.2f} GB/s        ratio {ours / plain:.2f}")


if __name__ == "__main__":
    main()
