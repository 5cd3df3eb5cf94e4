"""A whole interferogram, from two products to files: seconds by step, and peak memory.

Memory is what the process owns; pages of the products that the system keeps are not counted.
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path

import psutil

from geobservatory.engines import native
from geobservatory.engines.request import Heights, Request
from geobservatory.sandbox.plan import Size, make_plan
from geobservatory.sandbox.product import write_product
from geobservatory.sandbox.scenario import find_scenario
from geobservatory.sandbox.truth import write_dem
from geobservatory.sentinel1.safe import open_product


class Steps:
    """Seconds by step, and the most memory seen."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.peak = 0
        self._doing, self._since = "", time.perf_counter()
        self._process = psutil.Process()
        threading.Thread(target=self._watch, daemon=True).start()

    def __call__(self, doing: str, share: float) -> None:
        """Take note of a step that begins; the argument of an engine's progress."""
        del share
        now = time.perf_counter()
        if self._doing:
            name = self._doing.split()[0]
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._doing, self._since = doing, now

    def _watch(self) -> None:
        while True:
            memory = self._process.memory_info()
            self.peak = max(self.peak, memory.rss - memory.shared)
            time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="keep the simulated products here")
    parser.add_argument("--size", type=Size, default=Size.SMALL, choices=list(Size))
    parser.add_argument("--spacing", type=float, default=40.0)
    arguments = parser.parse_args()
    scenario = find_scenario("al-haouz-2023")
    plan = make_plan(scenario, scenario.passes[0], arguments.size)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        products = [
            write_product(plan, shot, folder, lambda lines: None) for shot in plan.shots[:2]
        ]
        measure(products, write_dem(plan, folder), arguments.spacing, Path(temporary))


def measure(products: list[Path], dem: Path, spacing_m: float, folder: Path) -> None:
    annotation = open_product(products[0]).any_annotation("IW2")
    swaths = len({swath for swath, _ in open_product(products[0]).channels})
    pixels = swaths * annotation.lines * annotation.samples
    steps = Steps()
    started = time.perf_counter()
    native.make(
        Request(
            (products[0],),
            (products[1],),
            folder / "map",
            folder / "cache",
            heights=Heights(dem),
            spacing_m=spacing_m,
        ),
        steps,
    )
    whole = time.perf_counter() - started
    for name, seconds in steps.seconds.items():
        print(f"{name:18} {seconds:7.1f} s   {seconds / whole:4.0%}")
    print(f"{'whole':18} {whole:7.1f} s   {pixels / whole / 1e6:.1f} million pixels a second")
    print(f"{'peak memory':18} {steps.peak / 2**30:7.2f} GiB")


if __name__ == "__main__":
    main()
