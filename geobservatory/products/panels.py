"""What is drawn of a map: layers cut to where they hold something, made small, and coloured."""

from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.colors import Colormap, Normalize
from numpy.typing import NDArray

from geobservatory.insar.map_grid import MapGrid
from geobservatory.products.frame import Frame, frame_about
from geobservatory.products.shade import brightness, hillshade, tint
from geobservatory.products.shrink import factor_for, shrink, shrink_phase

_MOST_CELLS = 1600
# Below this the colours would stretch noise to look like motion.
_LEAST_LIMIT_CM = 0.5


@dataclass(frozen=True)
class Layers:
    """What is drawn, all (rows, cols) of the grid, NaN where there is nothing.

    Attributes
    ----------
    wrapped
        Phase, radians.
    coherence
        From 0 to 1.
    displacement_m
        Along the line of sight, positive toward the satellite; None if nothing was unwrapped.
    amplitude
        Linear, any scale; the background where no heights are given.
    height_m
        Shaded, for the background.
    """

    grid: MapGrid
    wrapped: NDArray[np.float32]
    coherence: NDArray[np.float32]
    displacement_m: NDArray[np.float32] | None = None
    amplitude: NDArray[np.float32] | None = None
    height_m: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class _Small:
    """The layers as they are drawn."""

    wrapped: NDArray[np.float32]
    coherence: NDArray[np.float32]
    moved_cm: NDArray[np.float32] | None
    bright: NDArray[np.float32] | None
    light: NDArray[np.float32] | None


Extent = tuple[float, float, float, float]


@dataclass(frozen=True)
class Panel:
    """One map: its picture, and the colours it is made of.

    Attributes
    ----------
    image
        (rows, cols, 4), transparent where there is nothing.
    ticks
        Values and what is written there; None leaves both to the drawing.
    """

    caption: str
    image: NDArray[np.uint8]
    colours: Colormap
    norm: Normalize
    ticks: tuple[tuple[float, ...], tuple[str, ...]] | None = None
    unit: str = ""


def make_panels(layers: Layers) -> tuple[tuple[Panel, Panel, Panel], Extent, Frame]:
    """Choose and colour what is drawn large, and the two that are drawn beside it.

    Large is the displacement, or, where nothing was unwrapped, the phase.

    Returns
    -------
    panels
        All of one size, at most 1600 cells a side.
    extent
        Left, right, bottom and top of their pictures, units of the grid.
    frame
        What of the plane to show.
    """
    small, extent, frame = _reduce(layers)
    colours, share = matplotlib.colormaps["viridis"], Normalize(0, 1)
    quarters = ((0.0, 0.25, 0.5, 0.75, 1.0), ("0", "0.25", "0.5", "0.75", "1"))
    coherence = Panel("Coherence", tint(small.coherence, colours, share), colours, share, quarters)
    if small.moved_cm is not None:
        colours, norm = matplotlib.colormaps["RdBu_r"], _symmetric(small.moved_cm)
        image = tint(small.moved_cm, colours, norm, small.light)
        unit = "cm, positive toward the satellite"
        main = Panel("Displacement along the line of sight", image, colours, norm, None, unit)
        return (main, _phase(small.wrapped, None), coherence), extent, frame
    main = _phase(small.wrapped, small.light)
    if small.bright is None:
        return (main, _phase(small.wrapped, None), coherence), extent, frame
    grey, ends = matplotlib.colormaps["gray"], ((0.0, 1.0), ("dark", "bright"))
    bright = Panel("Amplitude", tint(small.bright, grey, share), grey, share, ends)
    return (main, bright, coherence), extent, frame


def _phase(wrapped: NDArray[np.float32], light: NDArray[np.float32] | None) -> Panel:
    # Perceptually uniform, and the same at both ends.
    cyclic, turn = matplotlib.colormaps["twilight"], Normalize(-np.pi, np.pi)
    ticks = ((-np.pi, 0.0, np.pi), ("−π", "0", "π"))
    unit = "rad, rising away from the satellite"
    return Panel("Wrapped phase", tint(wrapped, cyclic, turn, light), cyclic, turn, ticks, unit)


def _reduce(layers: Layers) -> tuple[_Small, Extent, Frame]:
    """Cut to where there is something, with a margin, and make it small."""
    grid = layers.grid
    known: NDArray[np.bool_] = np.isfinite(layers.wrapped)
    if layers.displacement_m is not None:
        known |= np.isfinite(layers.displacement_m)
    rows, cols = (_where(np.asarray(known.any(axis=axis))) for axis in (1, 0))
    factor = factor_for(rows.stop - rows.start, cols.stop - cols.start, _MOST_CELLS)
    frame = frame_about(grid, rows, cols)

    def less(values: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
        return None if values is None else shrink(values[rows, cols], factor)

    moved, amplitude, height = (
        less(one) for one in (layers.displacement_m, layers.amplitude, layers.height_m)
    )
    wrapped = shrink_phase(layers.wrapped[rows, cols], factor)
    bright = None if amplitude is None else brightness(amplitude)
    light: NDArray[np.float32] | None = None
    if height is not None:
        light = hillshade(height, grid.step * factor * frame.metres_north)
    elif bright is not None:
        light = (bright + 0.5).astype(np.float32)
    # Blocks at the edges may be cut: the picture goes on to where whole ones would end.
    left, top = grid.left + cols.start * grid.step, grid.top - rows.start * grid.step
    right = left + wrapped.shape[1] * factor * grid.step
    bottom = top - wrapped.shape[0] * factor * grid.step
    small = _Small(
        wrapped,
        shrink(layers.coherence[rows, cols], factor),
        None if moved is None else (moved * 100).astype(np.float32),
        bright,
        light,
    )
    return small, (left, right, bottom, top), frame


def _where(known: NDArray[np.bool_]) -> slice:
    """Bound what is known, with a margin; everything where nothing is."""
    found = np.nonzero(known)[0]
    if not found.size:
        return slice(0, known.size)
    margin = (int(found[-1]) - int(found[0]) + 1) // 25
    return slice(max(0, int(found[0]) - margin), min(known.size, int(found[-1]) + 1 + margin))


def _symmetric(values: NDArray[np.float32]) -> Normalize:
    known = np.abs(values[np.isfinite(values)])
    most = float(np.percentile(known, 99.5)) if known.size else 0.0
    limit = max(most, _LEAST_LIMIT_CM)
    return Normalize(-limit, limit)
