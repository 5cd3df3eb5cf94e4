"""Filter and unwrapping of a simulated interferogram: speed and peak memory, beside SNAPHU."""

import argparse
import importlib.util
import math
import resource
import time

import numpy as np
from numpy.typing import NDArray

from geobservatory.insar.coherence import phase_deviation
from geobservatory.insar.goldstein import goldstein
from geobservatory.insar.unwrap import Method, unwrap

LOOKS = 16.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2048, help="rows and columns")
    parser.add_argument("--window", type=int, default=32, help="side of a patch of the filter")
    parser.add_argument(
        "--snaphu", action="store_true", help="unwrap with SNAPHU too, if it is installed"
    )
    arguments = parser.parse_args()
    truth, coherence, phasor = simulate(arguments.size)
    goldstein(phasor[:100], coherence[:100], window=arguments.window)  # compile
    unwrap(phasor[:100], coherence[:100], LOOKS, coherence[:100] > 0)
    print(f"{arguments.size} x {arguments.size} cells, arrays and program {peak():.2f} GiB")
    start = time.perf_counter()
    filtered = goldstein(phasor, coherence, window=arguments.window)
    seconds = time.perf_counter() - start
    noise = [rms(values, truth) for values in (phasor, filtered)]
    report("filter", seconds, truth.size, peak())
    print(f"  noise {noise[0]:.2f} rad before, {noise[1]:.2f} after")
    ours = solve("whirlwind", truth, coherence, filtered)
    if arguments.snaphu and importlib.util.find_spec("snaphu") is not None:
        theirs = solve("snaphu", truth, coherence, filtered)
        print(f"  SNAPHU / Whirlwind, seconds: {theirs / ours:.1f}")


def simulate(
    size: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.complex64]]:
    """Twenty fringes of a hill under patches of coherence from 0.15 to 0.75."""
    random = np.random.default_rng(1)
    axis = np.arange(size, dtype=np.float32)
    bell = np.exp(-((axis / size - 0.5) ** 2) / 0.06).astype(np.float32)
    truth = (40 * np.pi * bell[:, None] * bell).astype(np.float32)
    waves = np.sin(axis[:, None] / 110) * np.sin(axis / 150)
    coherence = (0.45 + 0.3 * np.tanh(6 * waves + 3)).astype(np.float32)
    noise = phase_deviation(coherence, LOOKS)
    noise *= random.standard_normal(truth.shape, dtype=np.float32)
    return truth, coherence, np.exp(1j * (truth + noise)).astype(np.complex64)


def solve(
    method: Method,
    truth: NDArray[np.float32],
    coherence: NDArray[np.float32],
    phasor: NDArray[np.complex64],
) -> float:
    start = time.perf_counter()
    made = unwrap(phasor, coherence, LOOKS, np.ones(truth.shape, np.bool_), method)
    seconds = time.perf_counter() - start
    off = np.round((made.phase - truth) / (2 * math.pi))
    right = (off == np.median(off)).mean()
    report(method, seconds, truth.size, peak(), children=method == "snaphu")
    print(f"  whole turns right in {right:.3%}, {made.components.max()} components")
    return seconds


def report(what: str, seconds: float, cells: int, peak_gib: float, children: bool = False) -> None:
    if children:
        peak_gib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    where = ", SNAPHU's own process" if children else ""
    rate = cells / seconds / 1e6
    print(f"{what:10} {seconds:7.2f} s {rate:7.2f} Mcells/s   peak {peak_gib:.2f} GiB{where}")


def rms(phasor: NDArray[np.complex64], truth: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(np.angle(phasor * np.exp(-1j * truth)) ** 2)))


def peak() -> float:
    """Largest memory this process ever held, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
