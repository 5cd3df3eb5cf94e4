"""The steps of an interferogram, one by one as in `docs/interferogram.md`, each drawn.

python -m benchmarks.walkthrough REFERENCE SECONDARY DEM PICTURE [ORBITS]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from geobservatory.engines.inputs import open_inputs
from geobservatory.engines.request import Heights, Request
from geobservatory.insar.coherence import coherence, effective_looks
from geobservatory.insar.esd import estimate_shift
from geobservatory.insar.geocode import interpolate, look_up
from geobservatory.insar.goldstein import goldstein
from geobservatory.insar.interferogram import make_interferogram
from geobservatory.insar.register import estimate_offset
from geobservatory.insar.stream import prepare
from geobservatory.insar.unwrap import unwrap

_WIDE, _HIGH = 4, 2


def draw(request: Request, picture: Path) -> None:
    """Take the steps, and draw what each leaves."""
    with open_inputs(request) as given:
        prepared = [prepare(tile.pair, given.flown, given.dem) for tile in given.layout.tiles]
        registered = estimate_offset(given.layout, prepared, given.images, given.dem)
        shift = estimate_shift(given.layout, prepared, given.images, given.dem, registered.offset)
        made = make_interferogram(
            given.layout, prepared, given.images, given.dem, registered.offset
        )
        found = coherence(made)
        phasor = goldstein(made.cross, found)
        looks = effective_looks(given.pair.reference, given.layout.looks)
        sheet = unwrap(phasor, found, looks, made.valid)
        where = look_up(given.grid, given.layout, given.flown[0], given.dem)
        fringes = interpolate(phasor, where)
    print(f"registered by {registered.offset}, spectral diversity {shift}")
    amplitude = np.sqrt(made.reference_power)
    figure = Figure(figsize=(3.2 * _WIDE, 3.2 * _HIGH), layout="constrained")
    axes = figure.subplots(_HIGH, _WIDE).ravel()
    for axis, (title, values, colours, low, high) in zip(
        axes,
        [
            ("5 amplitude of the strips", amplitude, "gray", 0, np.nanpercentile(amplitude, 98)),
            ("5 phase, flattened", np.angle(made.cross), "twilight", -np.pi, np.pi),
            ("6 coherence", found, "gray", 0, 1),
            ("7 phase, filtered", np.angle(phasor), "twilight", -np.pi, np.pi),
            ("7 components", np.where(sheet.components, sheet.components, np.nan), "tab10", 1, 10),
            ("7 phase, unwrapped", sheet.phase, "RdBu_r", None, None),
            ("8 heights seen", where.height_m, "terrain", None, None),
            ("8 phase on the map", np.angle(fringes), "twilight", -np.pi, np.pi),
        ],
        strict=True,
    ):  # fmt: skip
        _panel(axis, title, values, made.valid, (colours, low, high))
    figure.savefig(picture, dpi=80)


def _panel(
    axis: Axes,
    title: str,
    values: NDArray[np.float64],
    valid: NDArray[np.bool_],
    scale: tuple[str, float | None, float | None],
) -> None:
    colours, low, high = scale
    if values.shape == valid.shape:
        values = np.where(valid, values, np.nan)
    axis.imshow(values, cmap=colours, vmin=low, vmax=high, aspect="auto", interpolation="nearest")
    axis.set_title(title, fontsize=9)
    axis.set_axis_off()


def main() -> None:
    reference, secondary, dem, picture, *orbits = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        request = Request(
            (reference,), (secondary,), Path(folder) / "map", Path(folder) / "cache",
            heights=Heights(dem), orbits=orbits[0] if orbits else None,
        )  # fmt: skip
        draw(request, picture)


if __name__ == "__main__":
    main()
