"""Curves of how values are spread, as SVG that stands in a page."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date

from markupsafe import Markup, escape

from geobservatory.probing.charts import ends_of
from geobservatory.probing.statistics import Spread

_LEFT, _RIGHT, _TOP, _FOOT = 32.0, 310.0, 6.0, 126.0
_BAND = "#0072b2"
# Names that have the same colour differ by this.
_DASHES = ("", "6 3", "2 2", "8 3 2 3")
_COLOURS = 7


def distribution(
    spreads: Mapping[str, Spread], colours: Mapping[str, str], unit: float, name: str, label: str
) -> Markup | None:
    """Draw which share of the values lie below each, a curve a name; None if there are none.

    Parameters
    ----------
    unit
        What the values are divided by; `name` is that of the unit.
    """
    known = {key: one for key, one in spreads.items() if one.count}
    if not known:
        return None
    low = min(max(one.quantile(0.01), 1e-9 * unit) for one in known.values()) / unit
    high = max(one.quantile(0.99) for one in known.values()) / unit
    low, high = low / 1.1, max(1.1 * high, 1.3 * low)

    def x(value: float) -> float:
        part = math.log(max(value, low) / low) / math.log(high / low)
        return _LEFT + (_RIGHT - _LEFT) * min(1.0, part)

    drawn = []
    for number, key in enumerate(spreads):
        if key in known:
            one = known[key]
            dashes = _DASHES[number // _COLOURS % len(_DASHES)]
            said = (
                f"{key}: half up to {one.quantile(0.5) / unit:.3g} {name},"
                f" 95 % up to {one.quantile(0.95) / unit:.3g} {name}; of {one.count}"
            )
            drawn.append(
                f'<polyline points="{_points(one, unit, x)}" fill="none" stroke="{colours[key]}"'
                f' stroke-width="1.6" stroke-dasharray="{dashes}"><title>{escape(said)}</title>'
                "</polyline>"
            )
    marks = "".join(
        f'<line x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{_TOP}" y2="{_FOOT}"/>'
        f'<text x="{x(value):.1f}" y="{_FOOT + 11}" text-anchor="middle">{value:g}</text>'
        for value in _ticks(low, high)
    )
    return Markup(  # noqa: S704  (numbers of ours, names escaped)
        f'<svg class="curves" viewBox="0 0 320 152" role="img" aria-label="{escape(label)}">'
        f"{_shares()}{marks}{''.join(drawn)}"
        f'<text x="{_RIGHT}" y="{_FOOT + 23}" text-anchor="end">{escape(name)}</text></svg>'
    )


def _points(one: Spread, unit: float, x: Callable[[float], float]) -> str:
    ends = [(x(end / unit), share) for end, share in one.cumulative()]
    every = [(ends[0][0], 0.0), *ends, (_RIGHT, 1.0)]
    return " ".join(f"{at:.1f},{_height(share):.1f}" for at, share in every)


def _height(share: float) -> float:
    return _FOOT - (_FOOT - _TOP) * share


def _shares() -> str:
    return "".join(
        f'<line x1="{_LEFT}" x2="{_RIGHT}" y1="{_height(share):.1f}" y2="{_height(share):.1f}"/>'
        f'<text x="{_LEFT - 3}" y="{_height(share) + 3:.1f}" text-anchor="end">{share:.0%}</text>'
        for share in (0.0, 0.5, 1.0)
    )


def _ticks(low: float, high: float) -> list[float]:
    """Give up to about seven round numbers between two, by their logarithm."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        found = [
            step * 10.0**decade
            for decade in decades
            for step in steps
            if low <= step * 10.0**decade <= high
        ]
        if len(found) <= 7:
            break
    return found


def bands(
    days: Sequence[date], spreads: Sequence[Spread], unit: float, name: str, label: str
) -> Markup | None:
    """Draw the middle of each day, in a band that holds eight of ten values; None if none is known.

    Days of which nothing is known interrupt both.
    """
    tenths = [
        tuple(one.quantile(part) / unit for part in (0.1, 0.5, 0.9)) if one.count else None
        for one in spreads
    ]
    most = max((one[2] for one in tenths if one is not None), default=0.0)
    if most <= 0:
        return None
    top = _round_up(most)
    step = (_RIGHT - _LEFT) / max(1, len(days))

    def point(number: float, value: float) -> str:
        return f"{_LEFT + step * number:.1f},{_height(value / top):.1f}"

    drawn, start = [], 0
    while start < len(tenths):
        stop = start
        while stop < len(tenths) and tenths[stop] is not None:
            stop += 1
        run = [(number, one) for number, one in enumerate(tenths[start:stop], start) if one]
        if run:
            # A day is as wide as a day, also one that stands alone.
            edges = [(number + side, one) for number, one in run for side in (0.1, 0.9)]
            upper = [point(at, one[2]) for at, one in edges]
            lower = [point(at, one[0]) for at, one in reversed(edges)]
            drawn.append(
                f'<polygon points="{" ".join(upper + lower)}" fill="{_BAND}" fill-opacity="0.25"/>'
                f'<polyline points="{" ".join(point(at, one[1]) for at, one in edges)}"'
                f' fill="none" stroke="{_BAND}" stroke-width="1.6"/>'
            )
        start = max(stop, start + 1)
    said = "".join(
        f'<rect x="{_LEFT + step * number:.1f}" y="{_TOP}" width="{step:.1f}"'
        f' height="{_FOOT - _TOP}" fill-opacity="0"><title>{day}: {one[1]:.3g} {escape(name)},'
        f" eight of ten {one[0]:.3g} to {one[2]:.3g}</title></rect>"
        for number, (day, one) in enumerate(zip(days, tenths, strict=True))
        if one is not None
    )
    marks = "".join(
        f'<line x1="{_LEFT}" x2="{_RIGHT}" y1="{_height(part):.1f}" y2="{_height(part):.1f}"/>'
        f'<text x="{_LEFT - 3}" y="{_height(part) + 3:.1f}" text-anchor="end">{part * top:g}</text>'
        for part in (0.0, 0.5, 1.0)
    )
    return Markup(  # noqa: S704  (numbers and dates of ours)
        f'<svg class="curves" viewBox="0 0 320 142" role="img" aria-label="{escape(label)}">'
        f"{marks}{''.join(drawn)}{said}{ends_of(days, _FOOT + 13)}"
        f'<text x="160" y="{_FOOT + 13}" text-anchor="middle">{escape(name)}</text></svg>'
    )


def _round_up(value: float) -> float:
    """Give the next number of one digit and a half: 1, 1.5, 2, 3, … 9, 10 by tens."""
    decade = 10.0 ** math.floor(math.log10(value))
    steps = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
    return next(step * decade for step in steps if step * decade >= value * 0.999)
