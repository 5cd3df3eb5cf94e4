"""Where things go on the page of a picture, in inches, for tall, square and wide maps.

Every box has its room, so that nothing covers anything else whatever the shape of the map.
"""

from dataclasses import dataclass

WIDTH = 12.0
LEFT, RIGHT = 0.62, 0.3
TITLE_LINE, TEXT_LINE = 0.31, 0.2
_GAP = 0.42
_CAPTION = 0.34  # above a map
_BAR = 0.13
_BELOW_MAIN, _BELOW_PANEL = 0.9, 0.62  # numbers of the edge, colour bar and its numbers
_FOOT = 1.15


@dataclass(frozen=True)
class Box:
    """A rectangle, inches from the lower left of the page."""

    left: float
    bottom: float
    width: float
    height: float


@dataclass(frozen=True)
class Page:
    """A page: the large map, two panels, a colour bar each, and the foot."""

    height: float
    heading: float
    main: Box
    main_bar: Box
    panels: tuple[Box, Box]
    panel_bars: tuple[Box, Box]
    foot: Box


def lay_out(aspect: float, titles: int, texts: int) -> Page:
    """Lay out a page for maps of a shape.

    Parameters
    ----------
    aspect
        Height over width of the maps.
    titles, texts
        Lines of heading and of text below it.
    """
    room = WIDTH - LEFT - RIGHT
    if aspect < 0.62:
        # Wide: the map over the whole width, panels side by side below.
        height, small = room * aspect, (room - _GAP) / 2 * aspect
        under = _BELOW_MAIN + _CAPTION + small + _BELOW_PANEL
        places = (LEFT, -under + _BELOW_PANEL), (LEFT + (room + _GAP) / 2, -under + _BELOW_PANEL)
    elif aspect <= 1.25:
        # Panels on top of each other to the right, together as high as the map.
        between = _BELOW_PANEL + _CAPTION
        height = ((room - _GAP) * aspect + between / 2) / 1.5
        small = (height - between) / 2
        under, column = _BELOW_MAIN, LEFT + height / aspect + _GAP
        places = (column, small + between), (column, 0.0)
    else:
        # Tall: all in one row.
        height = small = (room - 2 * _GAP) / 3 * aspect
        under, step = _BELOW_MAIN, height / aspect + _GAP
        places = (LEFT + step, 0.0), (LEFT + 2 * step, 0.0)
    heading = 0.3 + titles * TITLE_LINE + texts * TEXT_LINE + 0.12
    base = _FOOT + under
    main = Box(LEFT, base, height / aspect, height)
    first, second = (Box(x, base + y, small / aspect, small) for x, y in places)
    return Page(
        height=base + height + _CAPTION + heading,
        heading=heading,
        main=main,
        main_bar=Box(main.left, main.bottom - 0.3 - _BAR, main.width, _BAR),
        panels=(first, second),
        panel_bars=(_below(first), _below(second)),
        foot=Box(LEFT, 0.1, room, _FOOT - 0.2),
    )


def _below(panel: Box) -> Box:
    return Box(panel.left, panel.bottom - 0.09 - _BAR, panel.width, _BAR)
