"""Pictures of counts as SVG that stands in a page; what they say is also in words beside them."""

import math
from collections.abc import Callable, Sequence
from datetime import date

from markupsafe import Markup, escape

_WIDE, _HIGH, _BELOW, _LEFT = 440, 170, 22, 46
_ROW, _NAME, _VALUE = 24, 140, 70


def bars(
    days: Sequence[tuple[date, float]], label: str, said: Callable[[float], str]
) -> Markup | None:
    """Draw a bar a day, over at most 92 days, else one a week; None where there is nothing.

    Parameters
    ----------
    label
        What the picture shows, in words.
    said
        Writes a value.
    """
    counted = list(days) if len(days) <= 92 else _weeks(days)
    most = max((value for _, value in counted), default=0)
    if most <= 0:
        return None
    top = _round_up(most)
    wide, high = (_WIDE - _LEFT) / len(counted), _HIGH - _BELOW
    parts = []
    for share in (0, 0.5, 1):
        y = 8 + (high - 8) * (1 - share)
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDE}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">'
            f"{escape(said(top * share))}</text>"
        )
    for number, (day, value) in enumerate(counted):
        if value > 0:
            tall = max(1.5, (high - 8) * value / top)
            parts.append(
                f'<rect x="{_LEFT + number * wide + wide * 0.1:.2f}" y="{high - tall:.1f}"'
                f' width="{wide * 0.8:.2f}" height="{tall:.1f}">'
                f"<title>{day:%Y-%m-%d}: {escape(said(value))}</title></rect>"
            )
    first, last = counted[0][0], counted[-1][0]
    parts.append(
        f'<text x="{_LEFT}" y="{_HIGH - 5}">{first:%d %b %Y}</text>'
        f'<text x="{_WIDE}" y="{_HIGH - 5}" text-anchor="end">{last:%d %b %Y}</text>'
    )
    return _drawn(_WIDE, _HIGH, label, parts)


def ranks(
    rows: Sequence[tuple[str, float]], label: str, said: Callable[[float], str]
) -> Markup | None:
    """Draw a bar for each name, longest first as they come; None where there is nothing."""
    most = max((value for _, value in rows), default=0)
    if most <= 0:
        return None
    room = _WIDE - _NAME - _VALUE
    parts = []
    for number, (name, value) in enumerate(rows):
        y = number * _ROW
        short = name if len(name) <= 20 else f"{name[:19]}…"
        long = max(1.5, room * value / most)
        parts.append(
            f'<text class="name" x="{_NAME - 8}" y="{y + 16}" text-anchor="end">'
            f"{escape(short)}</text>"
            f'<rect x="{_NAME}" y="{y + 4}" width="{long:.1f}" height="{_ROW - 8}">'
            f"<title>{escape(name)}: {escape(said(value))}</title></rect>"
            f'<text x="{_NAME + long + 6:.1f}" y="{y + 16}">{escape(said(value))}</text>'
        )
    return _drawn(_WIDE, len(rows) * _ROW, label, parts)


def filled(days: Sequence[tuple[date, int, int]], label: str) -> Markup | None:
    """Draw a bar a day, filled as far as there is of what should be; None where nothing should.

    Parameters
    ----------
    days
        The day, how many there are, and how many should be.
    """
    most = max((wanted for _, _, wanted in days), default=0)
    if most <= 0:
        return None
    high, wide = _HIGH - _BELOW, _WIDE / len(days)
    parts = []
    for number, (day, there, wanted) in enumerate(days):
        if not wanted:
            continue
        box = f'x="{(number + 0.1) * wide:.2f}" width="{wide * 0.8:.2f}"'
        tall, full = ((high - 8) * one / most for one in (wanted, there))
        said = f"<title>{day:%Y-%m-%d}: {there} of {wanted}</title>"
        parts.append(
            f'<rect class="none" {box} y="{high - tall:.1f}" height="{tall:.1f}">{said}</rect>'
            f'<rect {box} y="{high - full:.1f}" height="{full:.1f}">{said}</rect>'
        )
    parts.append(
        f'<text x="0" y="{_HIGH - 5}">{days[0][0]:%d %b}</text>'
        f'<text x="{_WIDE}" y="{_HIGH - 5}" text-anchor="end">{days[-1][0]:%d %b}</text>'
        f'<text x="{_WIDE / 2}" y="{_HIGH - 5}" text-anchor="middle">up to {most} a day</text>'
    )
    return _drawn(_WIDE, _HIGH, label, parts)


def meter(share: float, label: str) -> Markup:
    """Draw how much of a whole there is."""
    part = min(1.0, max(0.0, share)) * 100
    return Markup(  # noqa: S704  (numbers of ours)
        f'<svg class="meter" viewBox="0 0 100 6" preserveAspectRatio="none" role="img"'
        f' aria-label="{escape(label)}"><rect width="100" height="6"/>'
        f'<rect width="{part:.1f}" height="6"/></svg>'
    )


def _drawn(wide: int, high: int, label: str, parts: Sequence[str]) -> Markup:
    return Markup(  # noqa: S704  (each part is escaped)
        f'<svg class="chart" viewBox="0 0 {wide} {high}" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )


def _weeks(days: Sequence[tuple[date, float]]) -> list[tuple[date, float]]:
    # From the last day back, so that the last bar is as long a time as the others.
    end = len(days)
    starts = range(end % 7, end, 7)
    return [(days[at][0], sum(value for _, value in days[at : at + 7])) for at in starts]


def _round_up(value: float) -> float:
    """Give the least of 1, 2, 4, 5, 6, 8, 10 times a power of ten that is not below."""
    power = 10 ** math.floor(math.log10(value))
    fits = (one * power for one in (1, 2, 4, 5, 6, 8, 10))
    return next(one for one in fits if one >= value * (1 - 1e-9))
