"""The picture of a map: how the ground moved, on one page."""

import textwrap
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geobservatory.errors import InputError
from geobservatory.files import written_whole
from geobservatory.insar.map_grid import MapGrid
from geobservatory.products.frame import (
    FLIGHT,
    INK,
    LOOK,
    STAR,
    Frame,
    compass,
    frame_about,
    mark_event,
    outline,
    scale_bar,
    set_frame,
)
from geobservatory.products.layout import LEFT, TEXT_LINE, TITLE_LINE, WIDTH, Box, Page, lay_out
from geobservatory.products.shade import NOTHING, brightness, hillshade, tint
from geobservatory.products.shrink import factor_for, shrink, shrink_phase

_MOST_CELLS = 1600
_DPI = 120
# Narrower maps get room beside them.
_NARROWEST = 0.42
# Below this the colours would stretch noise to look like motion.
_LEAST_LIMIT_M = 0.005


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
class Legend:
    """What is written and marked.

    Attributes
    ----------
    title, lines
        The heading, and lines below it (dates, track, verdict).
    event
        Longitude and latitude, degrees.
    flight, look
        Directions on the ground, clockwise from north, radians.
    area
        Of interest, EPSG:4326.
    """

    title: str
    lines: tuple[str, ...] = ()
    event: tuple[float, float] | None = None
    flight: float | None = None
    look: float | None = None
    area: BaseGeometry | None = None


@dataclass(frozen=True)
class _Small:
    """The layers as they are drawn."""

    wrapped: NDArray[np.float32]
    coherence: NDArray[np.float32]
    moved_cm: NDArray[np.float32] | None
    bright: NDArray[np.float32] | None
    light: NDArray[np.float32] | None
    extent: tuple[float, float, float, float]


@dataclass(frozen=True)
class _Drawn:
    """One map: its picture, and the colours it is made of."""

    caption: str
    image: NDArray[np.uint8]
    colours: Colormap
    norm: Normalize
    ticks: tuple[tuple[float, ...], tuple[str, ...]] | None = None
    unit: str = ""


def draw_quicklook(path: Path, layers: Layers, legend: Legend) -> None:
    """Draw a map as PNG, 1440 pixels wide: motion (or fringes) large, phase and coherence beside.

    Colours of displacement are symmetric about zero up to its 99.5th percentile, at least ±5 mm;
    those of phase are cyclic. Cells are averaged to at most 1600 a side before they are drawn,
    phase as phasors.

    Raises
    ------
    InputError
        If a layer is not of the grid's shape.
    OSError
        If the file cannot be written.
    """
    shape = (layers.grid.rows, layers.grid.cols)
    for name in ("wrapped", "coherence", "displacement_m", "amplitude", "height_m"):
        layer = getattr(layers, name)
        if layer is not None and layer.shape != shape:
            raise InputError(f"{path.name}: {name} is {layer.shape}, the grid {shape}")
    small, frame = _reduce(layers)
    heading = textwrap.wrap(legend.title, 78)
    lines = [part for line in legend.lines for part in textwrap.wrap(line, 150)]
    page = lay_out(frame.aspect, len(heading), len(lines))
    figure = Figure((WIDTH, page.height), dpi=_DPI, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    _write_heading(figure, page, heading, lines)
    main, *panels = _maps(small)
    inside = _draw(figure, page, page.main, frame, small, main, legend, large=True)
    _draw_bar(figure, page, page.main_bar, main)
    for panel, box, bar in zip(panels, page.panels, page.panel_bars, strict=True):
        _draw(figure, page, box, frame, small, panel, legend, large=False)
        _draw_bar(figure, page, bar, panel)
    _draw_foot(figure, page, frame, legend, inside=inside)
    with written_whole(path) as beside, beside.open("wb") as out:
        canvas.print_png(out)


def _reduce(layers: Layers) -> tuple[_Small, Frame]:
    """Cut to where there is something, with a margin, and make it small."""
    grid = layers.grid
    known = np.isfinite(layers.wrapped)
    if layers.displacement_m is not None:
        known |= np.isfinite(layers.displacement_m)
    rows, cols = _where(known.any(axis=1)), _where(known.any(axis=0))
    factor = factor_for(rows.stop - rows.start, cols.stop - cols.start, _MOST_CELLS)
    frame = frame_about(grid, rows, cols, _NARROWEST)

    def less(values: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
        return None if values is None else shrink(values[rows, cols], factor)

    moved, amplitude, height = (
        less(one) for one in (layers.displacement_m, layers.amplitude, layers.height_m)
    )
    wrapped = shrink_phase(layers.wrapped[rows, cols], factor)
    bright = None if amplitude is None else brightness(amplitude)
    if height is not None:
        light = hillshade(height, grid.step * factor * frame.metres_north)
    else:
        light = None if bright is None else bright + np.float32(0.5)
    # Blocks at the edges may be cut: the picture goes on to where whole ones would end.
    left, top = grid.left + cols.start * grid.step, grid.top - rows.start * grid.step
    right = left + wrapped.shape[1] * factor * grid.step
    bottom = top - wrapped.shape[0] * factor * grid.step
    small = _Small(
        wrapped,
        shrink(layers.coherence[rows, cols], factor),
        None if moved is None else moved * np.float32(100),
        bright,
        light,
        (left, right, bottom, top),
    )
    return small, frame


def _where(known: NDArray[np.bool_]) -> slice:
    """Bound what is known, with a margin; everything where nothing is."""
    found = np.nonzero(known)[0]
    if not found.size:
        return slice(0, known.size)
    margin = (int(found[-1]) - int(found[0]) + 1) // 25
    return slice(max(0, int(found[0]) - margin), min(known.size, int(found[-1]) + 1 + margin))


def _maps(small: _Small) -> tuple[_Drawn, _Drawn, _Drawn]:
    """Choose what is drawn large, and what beside it."""
    cyclic, turn = matplotlib.colormaps["twilight"], Normalize(-np.pi, np.pi)
    ticks = ((-np.pi, 0.0, np.pi), ("−π", "0", "π"))
    grey, share = matplotlib.colormaps["gray"], Normalize(0, 1)
    coherence = _Drawn("Coherence", tint(small.coherence, grey, share), grey, share)
    if small.moved_cm is not None:
        caption = "Line-of-sight displacement, positive toward the satellite"
        colours, norm = matplotlib.colormaps["RdBu_r"], _symmetric(small.moved_cm)
        image = tint(small.moved_cm, colours, norm, small.light)
        phase = tint(small.wrapped, cyclic, turn)
        return (
            _Drawn(caption, image, colours, norm, unit="cm"),
            _Drawn("Wrapped phase", phase, cyclic, turn, ticks),
            coherence,
        )
    fringes = tint(small.wrapped, cyclic, turn, small.light)
    caption = "Wrapped phase, rising away from the satellite"
    main = _Drawn(caption, fringes, cyclic, turn, ticks, "rad")
    if small.bright is None:
        return (
            main,
            _Drawn("Wrapped phase", tint(small.wrapped, cyclic, turn), cyclic, turn, ticks),
            coherence,
        )
    ends = ((0.0, 1.0), ("dark", "bright"))
    return main, _Drawn("Amplitude", tint(small.bright, grey, share), grey, share, ends), coherence


def _symmetric(values: NDArray[np.float32]) -> Normalize:
    known = np.abs(values[np.isfinite(values)])
    most = float(np.percentile(known, 99.5)) if known.size else 0.0
    limit = max(most, _LEAST_LIMIT_M * 100)
    return Normalize(-limit, limit)


def _axes(figure: Figure, page: Page, box: Box) -> Axes:
    w, h = WIDTH, page.height
    return figure.add_axes((box.left / w, box.bottom / h, box.width / w, box.height / h))


def _write_heading(figure: Figure, page: Page, heading: list[str], lines: list[str]) -> None:
    y = page.height - 0.28
    for texts, step, size, weight, colour in (
        (heading, TITLE_LINE, 17, "bold", INK),
        (lines, TEXT_LINE, 10.5, "normal", "#4d5a62"),
    ):
        for text in texts:
            figure.text(
                LEFT / WIDTH, y / page.height, text, va="top", fontsize=size, weight=weight,
                color=colour, parse_math=False,
            )  # fmt: skip
            y -= step
        y -= 0.04


def _draw(
    figure: Figure,
    page: Page,
    box: Box,
    frame: Frame,
    small: _Small,
    drawn: _Drawn,
    legend: Legend,
    *,
    large: bool,
) -> bool:
    """Draw one map; say whether the event is on it."""
    axes = _axes(figure, page, box)
    # Few cells are shown as the squares they are.
    how = "nearest" if max(drawn.image.shape[:2]) < 400 else "auto"
    axes.imshow(drawn.image, extent=small.extent, interpolation=how, aspect="auto")
    set_frame(axes, frame, labels=large)
    axes.set_title(drawn.caption, fontsize=11, color=INK, loc="left", pad=5)
    if legend.area is not None and large:
        outline(axes, frame, legend.area)
    return legend.event is not None and mark_event(axes, frame, *legend.event, 19 if large else 11)


def _draw_bar(figure: Figure, page: Page, box: Box, drawn: _Drawn) -> None:
    axes = _axes(figure, page, box)
    signed = drawn.unit == "cm"
    mappable = ScalarMappable(drawn.norm, drawn.colours)
    bar = figure.colorbar(
        mappable, cax=axes, orientation="horizontal", extend="both" if signed else "neither"
    )
    if drawn.ticks is not None:
        bar.set_ticks(list(drawn.ticks[0]), labels=list(drawn.ticks[1]))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(8 if box.width > 5 else 4))
    if drawn.unit:
        bar.set_label(drawn.unit, fontsize=9, color=INK, labelpad=1)
    bar.outline.set(linewidth=0.6, edgecolor=INK)  # type: ignore[operator]
    axes.tick_params(labelsize=9, color=INK, labelcolor=INK, width=0.7, length=3)


def _draw_foot(figure: Figure, page: Page, frame: Frame, legend: Legend, *, inside: bool) -> None:
    """Put scale, arrows and signs below the maps, where they hide nothing."""
    axes = _axes(figure, page, page.foot)
    axes.set_axis_off()
    axes.set_xlim(0, page.foot.width)
    axes.set_ylim(-page.foot.height / 2, page.foot.height / 2)
    scale_bar(axes, frame.width_m / page.main.width, 1.7)
    compass(axes, 3.0, legend.flight, legend.look)
    keys: list[Artist] = []
    if legend.flight is not None:
        keys.append(Line2D([], [], color=FLIGHT, lw=2, label="flight of the satellite"))
    if legend.look is not None:
        keys.append(Line2D([], [], color=LOOK, lw=2, label="direction it looks in"))
    if legend.event is not None:
        where = "event" if inside else "event: outside this map"
        keys.append(Line2D([], [], marker="*", mfc=STAR, mec="black", ms=12, lw=0, label=where))
    if legend.area is not None:
        keys.append(Line2D([], [], color=INK, lw=1.1, ls="--", label="area of interest"))
    keys.append(Patch(fc=NOTHING, ec=INK, lw=0.5, label="no data"))
    at = (3.6 / page.foot.width, 0.5)
    axes.legend(
        handles=keys, loc="center left", bbox_to_anchor=at, frameon=False, ncols=3, fontsize=9.5,
        labelcolor=INK,
    )  # fmt: skip
