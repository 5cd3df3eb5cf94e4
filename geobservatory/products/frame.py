"""What makes a picture a map: latitudes and longitudes, a scale, arrows, places."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from pyproj import Geod, Transformer
from shapely.geometry.base import BaseGeometry

from geobservatory.insar.map_grid import MapGrid
from geobservatory.products.shade import NOTHING

_WGS84 = Geod(ellps="WGS84")
# Least width over height, and height over width.
_NARROWEST, _FLATTEST = 0.42, 0.3
_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10, 20, 30)
INK = "#26323a"
FLIGHT, LOOK, STAR = INK, "#c4352b", "#ffd84d"


@dataclass(frozen=True)
class Frame:
    """The part of the plane a picture shows, and how large things are there.

    Attributes
    ----------
    crs
        Of the plane.
    west, east, south, north
        Edges, units of the plane.
    metres_east, metres_north
        On the ground, a unit of the plane, in the middle.
    up
        Direction on the ground of the plane's up in the middle, clockwise from north, radians.
    """

    crs: str
    west: float
    east: float
    south: float
    north: float
    metres_east: float
    metres_north: float
    up: float

    @property
    def aspect(self) -> float:
        """Height over width, on the ground."""
        return self.height_m / self.width_m

    @property
    def width_m(self) -> float:
        """On the ground."""
        return (self.east - self.west) * self.metres_east

    @property
    def height_m(self) -> float:
        """On the ground."""
        return (self.north - self.south) * self.metres_north


def frame_about(grid: MapGrid, rows: slice, cols: slice) -> Frame:
    """Frame some cells of a grid, with room added where the frame would be too narrow or flat.

    Parameters
    ----------
    rows, cols
        First and stop, of the grid.
    """
    west, east = (grid.left + one * grid.step for one in (cols.start, cols.stop))
    north, south = (grid.top - one * grid.step for one in (rows.start, rows.stop))
    x, y, d = (west + east) / 2, (north + south) / 2, grid.step
    back = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    lon, lat = back.transform([x - d, x + d, x, x], [y, y, y - d, y + d])
    metres_east = _WGS84.inv(lon[0], lat[0], lon[1], lat[1])[2] / (2 * d)
    up, _, length = _WGS84.inv(lon[2], lat[2], lon[3], lat[3])
    metres_north = length / (2 * d)
    width, height = (east - west) * metres_east, (north - south) * metres_north
    half_x = max(width, height * _NARROWEST) / metres_east / 2
    half_y = max(height, width * _FLATTEST) / metres_north / 2
    edges = x - half_x, x + half_x, y - half_y, y + half_y
    return Frame(grid.crs, *edges, metres_east, metres_north, math.radians(up))


def set_frame(axes: Axes, frame: Frame, *, labels: bool) -> None:
    """Fix the edges of a map and draw its graticule, with or without numbers at the edges."""
    axes.set_xlim(frame.west, frame.east)
    axes.set_ylim(frame.south, frame.north)
    axes.set_facecolor(NOTHING)
    for spine in axes.spines.values():
        spine.set_color(INK)
        spine.set_linewidth(0.7)
    axes.set_xticks([])
    axes.set_yticks([])
    x, y = np.meshgrid(
        np.linspace(frame.west, frame.east, 61), np.linspace(frame.south, frame.north, 61)
    )
    back = Transformer.from_crs(frame.crs, "EPSG:4326", always_xy=True)
    lon, lat = (np.asarray(one) for one in back.transform(x, y))
    middle = lon[30, 30]
    lon = middle + (lon - middle + 180) % 360 - 180
    meridians, parallels = _levels(lon), _levels(lat)
    for values, levels in ((lon, meridians), (lat, parallels)):
        if len(levels):
            axes.contour(
                x, y, values, levels, colors=INK, linewidths=0.45, alpha=0.35, linestyles="solid"
            )
    if labels:
        _number(axes, x[0], lon[0], meridians, "x")
        _number(axes, y[:, 0], lat[:, 0], parallels, "y")


def _levels(values: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = float(values.min()), float(values.max())
    step = next((one for one in _STEPS if (high - low) / one <= 4.5), 45)
    first, stop = math.ceil(low / step), math.floor(high / step) + 1
    return (np.arange(first, stop) * step).astype(np.float64)


def _number(
    axes: Axes,
    along: NDArray[np.float64],
    values: NDArray[np.float64],
    levels: NDArray[np.float64],
    which: Literal["x", "y"],
) -> None:
    """Write degrees where the lines of the graticule meet an edge."""
    places, texts = [], []
    step = levels[1] - levels[0] if len(levels) > 1 else 1e-3
    digits = next((n for n in range(5) if abs(step - round(step, n)) < 1e-9), 5)
    for level in levels:
        crossed = np.nonzero((values[:-1] <= level) != (values[1:] <= level))[0]
        for i in crossed[:1]:
            share = (level - values[i]) / (values[i + 1] - values[i])
            places.append(along[i] + share * (along[i + 1] - along[i]))
            texts.append(degrees(level, which, digits))
    set_ticks = axes.set_xticks if which == "x" else axes.set_yticks
    set_ticks(places, texts)
    axes.tick_params(which, labelsize=9, length=3, color=INK, labelcolor=INK, width=0.7)
    if which == "y":
        for text in axes.get_yticklabels():
            text.set_rotation(90)
            text.set_verticalalignment("center")


def degrees(value: float, which: str, digits: int) -> str:
    """Write a longitude (``x``) or latitude (``y``): ``14.5°W``."""
    if which == "x":
        value = (value + 180) % 360 - 180
    if round(abs(value), digits) in (0, 180):
        return f"{abs(value):.{digits}f}°"
    return f"{abs(value):.{digits}f}°" + ("EW" if which == "x" else "NS")[int(value < 0)]


def mark_event(axes: Axes, frame: Frame, longitude: float, latitude: float, size: float) -> bool:
    """Put a star where the event was, degrees; say whether that is within the frame."""
    there = Transformer.from_crs("EPSG:4326", frame.crs, always_xy=True)
    x, y = there.transform(longitude, latitude)
    if frame.crs == "EPSG:4326":
        x += 360 * round(((frame.west + frame.east) / 2 - x) / 360)
    inside = frame.west <= x <= frame.east and frame.south <= y <= frame.north
    if inside:
        axes.plot(x, y, "*", ms=size, mfc=STAR, mec="black", mew=0.9, zorder=10, clip_on=False)
    return inside


def outline(axes: Axes, frame: Frame, area: BaseGeometry) -> None:
    """Draw the edge of an area given in EPSG:4326."""
    there = Transformer.from_crs("EPSG:4326", frame.crs, always_xy=True)
    for part in getattr(area, "geoms", [area]):
        edge = np.asarray(part.segmentize(0.02).exterior.coords)
        x, y = there.transform(edge[:, 0], edge[:, 1])
        axes.plot(
            x, y, "--", color=INK, lw=1.1, zorder=6,
            path_effects=[withStroke(linewidth=2.4, foreground="white", alpha=0.7)],
        )  # fmt: skip


def scale_bar(axes: Axes, inch_m: float, room_in: float) -> None:
    """Draw a bar of a round length into axes that are measured in inches, from (0, 0) to the right.

    Parameters
    ----------
    inch_m
        Metres on the ground that an inch of the picture shows.
    room_in
        Inches it may be long.
    """
    most = inch_m * room_in
    decade = 10.0 ** math.floor(math.log10(most))
    length = next(one * decade for one in (5, 2, 1) if one * decade <= most)
    half = length / inch_m / 2
    for start, colour in ((0.0, INK), (half, "white")):
        axes.add_patch(Rectangle((start, 0), half, 0.07, fc=colour, ec=INK, lw=0.7, clip_on=False))
    unit, divisor = ("km", 1000) if length >= 1000 else ("m", 1)
    for x, y, text, va in (
        (0.0, 0.11, "0", "bottom"),
        (2 * half, 0.11, f"{length / divisor:g}", "bottom"),
        (half, -0.06, unit, "top"),
    ):
        axes.text(x, y, text, ha="center", va=va, fontsize=9, color=INK)


def compass(axes: Axes, x: float, up: float, flight: float | None, look: float | None) -> None:
    """Draw north, and the directions of flight and look, into axes measured in inches.

    Parameters
    ----------
    x
        Where; an inch is needed to the left, half of one to the right, above and below 0.
    up
        Direction that is up in the map.
    flight, look
        All clockwise from north, radians.
    """
    away, tall = x - 0.65, 0.27
    east, north = math.sin(-up), math.cos(up)
    _arrow(axes, (away - tall * east, -tall * north), (away + tall * east, tall * north), INK, 0.9)
    axes.text(
        away + 0.36 * east, 0.36 * north, "N", ha="center", va="center", fontsize=9, color=INK
    )
    if flight is not None:
        east, north = 0.36 * math.sin(flight - up), 0.36 * math.cos(flight - up)
        _arrow(axes, (x - east, -north), (x + east, north), FLIGHT, 1.8)
    if look is not None:
        east, north = 0.34 * math.sin(look - up), 0.34 * math.cos(look - up)
        _arrow(axes, (x, 0), (x + east, north), LOOK, 1.8)


def _arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str, width: float
) -> None:
    axes.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=9, color=colour, lw=width, shrinkA=0,
            shrinkB=0, clip_on=False,
        )
    )  # fmt: skip
