"""The picture of a map: how the ground moved, on one page."""

import textwrap
from dataclasses import dataclass
from pathlib import Path

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from shapely.geometry.base import BaseGeometry

from geobservatory.errors import InputError
from geobservatory.files import written_whole
from geobservatory.products.frame import (
    FLIGHT,
    INK,
    LOOK,
    STAR,
    Frame,
    compass,
    mark_event,
    outline,
    scale_bar,
    set_frame,
)
from geobservatory.products.layout import LEFT, TEXT_LINE, TITLE_LINE, WIDTH, Box, Page, lay_out
from geobservatory.products.panels import Extent, Layers, Panel, make_panels
from geobservatory.products.shade import NOTHING

DPI = 120


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
    figure = compose(layers, legend)
    with written_whole(path) as beside, beside.open("wb") as out:
        FigureCanvasAgg(figure).print_png(out)


def compose(layers: Layers, legend: Legend) -> Figure:
    """Put the picture together, not yet drawn."""
    (main, *panels), extent, frame = make_panels(layers)
    heading = textwrap.wrap(legend.title, 58)
    lines = [part for line in legend.lines for part in textwrap.wrap(line, 132)]
    page = lay_out(frame.aspect, len(heading), len(lines))
    figure = Figure((WIDTH, page.height), dpi=DPI, facecolor="white")
    _write_heading(figure, page, heading, lines)
    inside = _draw(figure, page, page.main, frame, extent, main, legend, large=True)
    _draw_bar(figure, page, page.main_bar, main)
    for panel, box, bar in zip(panels, page.panels, page.panel_bars, strict=True):
        _draw(figure, page, box, frame, extent, panel, legend, large=False)
        _draw_bar(figure, page, bar, panel)
    _draw_foot(figure, page, frame, legend, inside=inside)
    return figure


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
    extent: Extent,
    drawn: Panel,
    legend: Legend,
    *,
    large: bool,
) -> bool:
    """Draw one map; say whether the event is on it."""
    axes = _axes(figure, page, box)
    # Few cells are shown as the squares they are.
    how = "nearest" if max(drawn.image.shape[:2]) < 400 else "auto"
    axes.imshow(drawn.image, extent=extent, interpolation=how, aspect="auto")
    set_frame(axes, frame, labels=large)
    axes.set_title(drawn.caption, fontsize=11, color=INK, loc="left", pad=5)
    if legend.area is not None and large:
        outline(axes, frame, legend.area)
    return legend.event is not None and mark_event(axes, frame, *legend.event, 19 if large else 11)


def _draw_bar(figure: Figure, page: Page, box: Box, drawn: Panel) -> None:
    axes = _axes(figure, page, box)
    signed = drawn.unit.startswith("cm")
    mappable = ScalarMappable(drawn.norm, drawn.colours)
    bar = figure.colorbar(
        mappable, cax=axes, orientation="horizontal", extend="both" if signed else "neither"
    )
    if drawn.ticks is not None:
        bar.set_ticks(list(drawn.ticks[0]), labels=list(drawn.ticks[1]))
    else:
        low, high = drawn.norm.vmin or 0.0, drawn.norm.vmax or 0.0
        values = MaxNLocator(8 if box.width > 5 else 4).tick_values(low, high)
        bar.set_ticks([one for one in values if low <= one <= high])
    if drawn.unit:
        bar.set_label(drawn.unit, fontsize=9, color=INK, labelpad=1)
    bar.outline.set(linewidth=0.6, edgecolor=INK)
    axes.tick_params(labelsize=9, color=INK, labelcolor=INK, width=0.7, length=3)


def _draw_foot(figure: Figure, page: Page, frame: Frame, legend: Legend, *, inside: bool) -> None:
    """Put scale, arrows and signs below the maps, where they hide nothing."""
    axes = _axes(figure, page, page.foot)
    axes.set_axis_off()
    axes.set_xlim(0, page.foot.width)
    axes.set_ylim(-page.foot.height / 2, page.foot.height / 2)
    scale_bar(axes, frame.width_m / page.main.width, 1.7)
    compass(axes, 3.0, frame.up, legend.flight, legend.look)
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
