"""Simulating a burst, beside the drawing of as many random numbers by NumPy."""

import argparse
import resource
import time

import numpy as np

from geobservatory.sandbox.image import burst_strips
from geobservatory.sandbox.plan import Size, make_plan
from geobservatory.sandbox.scenario import find_scenario


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=[str(one) for one in Size], default="small")
    size = Size(parser.parse_args().size)
    scenario = find_scenario("al-haouz-2023")
    plan = make_plan(scenario, scenario.passes[0], size)
    window, shot = plan.windows[0], plan.shots[1]
    next(burst_strips(plan, shot, window, 0, "VV"))  # compile
    start = time.perf_counter()
    pixels = sum(strip.pixels.size for strip in burst_strips(plan, shot, window, 1, "VV"))
    ours = pixels / (time.perf_counter() - start) / 1e6
    rng = np.random.default_rng(1)
    start = time.perf_counter()
    rng.standard_normal(2 * pixels, np.float32)
    plain = pixels / (time.perf_counter() - start) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"simulation    {ours:6.2f} million pixels/s   {pixels:,} pixels, {peak:.1f} GiB at most")
    print(f"  NumPy noise {plain:6.1f} million pixels/s   ratio {ours / plain:.3f}")


if __name__ == "__main__":
    main()
