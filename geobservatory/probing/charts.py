"""Small pictures of how hubs do, as SVG that stands in a page; what they say is also in words."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from markupsafe import Markup, escape

from geobservatory.probing.statistics import Share, Spread

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# Told apart by who sees no red or green as well (Wong, Points of view: color blindness, 2011).
_WELL, _SOME, _DOWN, _UNKNOWN = "#0072b2", "#e69f00", "#d55e00", "var(--nothing)"
# Of the same palette; seen on white as on black.
_PARTS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8f8f8f")
_HOUR = timedelta(hours=1)


def colours_of(names: Iterable[str]) -> dict[str, str]:
    """Give each name a colour; they begin anew after seven."""
    return {name: _PARTS[number % len(_PARTS)] for number, name in enumerate(names)}


def ribbon(hours: Sequence[Share | None], since: datetime, label: str) -> Markup:
    """Draw a cell an hour: blue where all was answered, orange where some, red where none."""
    parts, start = [], 0
    while start < len(hours):
        stop = start + 1
        colour = _colour(hours[start])
        # Neighbours that look alike are one: a month is some hundred cells, not seven.
        while stop < len(hours) and _colour(hours[stop]) == colour:
            stop += 1
        known = [one for one in hours[start:stop] if one is not None]
        good, asked = sum(one.good for one in known), sum(one.asked for one in known)
        said = f"{good} of {asked} answers" if known else "not asked"
        begin, end = since + start * _HOUR, since + stop * _HOUR
        parts.append(
            f'<rect x="{start}" width="{stop - start}" height="10" fill="{colour}">'
            f"<title>{begin:%d %b %H:%M} to {end:%d %b %H:%M} UTC: {said}</title></rect>"
        )
        start = stop
    return Markup(  # noqa: S704  (numbers and dates of ours)
        f'<svg class="ribbon" viewBox="0 0 {max(1, len(hours))} 10" preserveAspectRatio="none"'
        f' role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def _colour(one: Share | None) -> str:
    if one is None:
        return _UNKNOWN
    if one.good == one.asked:
        return _WELL
    return _SOME if one.good else _DOWN


def heat(
    by_hour: Mapping[tuple[int, int], Spread], unit: float, name: str, label: str
) -> Markup | None:
    """Draw medians by hour of day (UTC) and day of week, the darker the higher; None if none."""
    values = {key: one.quantile(0.5) / unit for key, one in by_hour.items() if one.count}
    if not values:
        return None
    low, high = min(values.values()), max(values.values())
    cells = []
    for (day, hour), value in sorted(values.items()):
        share = _place(value, low, high)
        cells.append(
            f'<rect x="{30 + 12 * hour}" y="{12 * (day - 1)}" width="11" height="11"'
            f' fill="#0072b2" fill-opacity="{0.08 + 0.92 * share:.2f}">'
            f"<title>{_DAYS[day - 1]} {hour:02d}:00 UTC: {value:.3g} {name}</title></rect>"
        )
    days = "".join(
        f'<text x="0" y="{12 * number + 9}">{day}</text>' for number, day in enumerate(_DAYS)
    )
    hours = "".join(
        f'<text x="{30 + 12 * hour}" y="95">{hour:02d}</text>' for hour in range(0, 24, 6)
    )
    legend = f'<text x="318" y="107" text-anchor="end">{low:.3g} to {high:.3g} {name}</text>'
    return Markup(  # noqa: S704  (numbers of ours)
        f'<svg class="heat" viewBox="0 0 320 110" role="img" aria-label="{escape(label)}">'
        f"{''.join(cells)}{days}{hours}{legend}</svg>"
    )


def _place(value: float, low: float, high: float) -> float:
    """Place a value between two, by its logarithm."""
    if high <= low or low <= 0:
        return 0.5
    return math.log(value / low) / math.log(high / low)


def stacked(
    days: Sequence[date],
    values: Sequence[Mapping[str, float]],
    colours: Mapping[str, str],
    name: str,
    label: str,
) -> Markup:
    """Draw a bar a day, made of parts in the order of their colours."""
    most = max((sum(parts.values()) for parts in values), default=0.0)
    wide = 300 / max(1, len(days))
    drawn = []
    for number, (day, parts) in enumerate(zip(days, values, strict=True)):
        foot = 66.0
        for part, colour in colours.items():
            if not parts.get(part) or most <= 0:
                continue
            height = 62 * parts[part] / most
            foot -= height
            drawn.append(
                f'<rect x="{10 + wide * number:.2f}" y="{foot:.2f}" width="{0.85 * wide:.2f}"'
                f' height="{height:.2f}" fill="{colour}">'
                f"<title>{day}: {parts[part]:g} {escape(part)}</title></rect>"
            )
    return Markup(  # noqa: S704  (numbers and dates of ours, names escaped)
        f'<svg class="bars" viewBox="0 0 320 82" role="img" aria-label="{escape(label)}">'
        f"{''.join(drawn)}{ends_of(days, 79)}"
        f'<text x="160" y="79" text-anchor="middle">up to {most:g} {escape(name)}</text></svg>'
    )


def ends_of(days: Sequence[date], y: float) -> str:
    """Write the first and the last day below a picture."""
    if not days:
        return ""
    return (
        f'<text x="10" y="{y}">{days[0]:%d %b}</text>'
        f'<text x="310" y="{y}" text-anchor="end">{days[-1]:%d %b}</text>'
    )
