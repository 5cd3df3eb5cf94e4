"""When satellites come over an area again, by the repeat cycle and what the archive has seen.

A Sentinel-1 satellite flies 175 orbits in exactly 12 days (Torres et al., 2012, Remote Sensing of
Environment 120, 9-24) and keeps to its ground track within some hundred metres: it comes over a
place at the same second of the day every 12 days. Which tracks are taken at all, and how regularly,
is the observation scenario's; the archive shows it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from geobservatory.hubs.model import Product
from geobservatory.pairs.passes import Pass, group_passes, share

CYCLE = timedelta(days=12)
# A track that was not taken for so long is not taken any more, or the satellite is no more.
_FORGOTTEN = 3 * CYCLE
# Passes of one track and satellite come whole cycles apart, to within the cutting of slices.
_SLACK = timedelta(minutes=2)


@dataclass(frozen=True)
class NextPass:
    """A pass to come.

    Attributes
    ----------
    time
        When it comes over the area, UTC, to some ten seconds.
    coverage
        Share of the area that it sees, by the last pass like it.
    taken, cycles
        In how many of the last cycles an image was taken.
    footprint
        GeoJSON, of the last pass like it.
    """

    time: datetime
    relative_orbit: int
    direction: str
    mission: str
    coverage: float
    taken: int
    cycles: int
    footprint: dict[str, object]


def predict_passes(
    history: Iterable[Product],
    area: BaseGeometry,
    after: datetime,
    until: datetime,
    tracks: tuple[int, ...] = (),
) -> list[NextPass]:
    """Predict the passes over an area in a span of time, the soonest first.

    Parameters
    ----------
    history
        Products over the area from before, some weeks of them; whatever is later than `after` is
        not looked at.
    after, until
        UTC.
    tracks
        Only these relative orbits; all when empty.
    """
    passes = [one for one in group_passes(history) if one.stop <= after]
    over = [kept for one in passes if (kept := one.over(area)) is not None]

    def kind(one: Pass) -> tuple[str, int, str]:
        return one.mission, one.relative_orbit, one.direction

    found: list[NextPass] = []
    for (_, orbit, _), members in groupby(
        sorted(over, key=lambda one: (kind(one), one.start)), kind
    ):
        if not tracks or orbit in tracks:
            found += _coming(list(members), area, after, until)
    return sorted(found, key=lambda one: (one.time, one.relative_orbit, one.mission))


def _coming(
    seen: list[Pass], area: BaseGeometry, after: datetime, until: datetime
) -> list[NextPass]:
    """Continue the passes of one satellite over one track."""
    last = seen[-1]
    if after - last.start > _FORGOTTEN:
        return []
    cycles = min(round((last.start - seen[0].start) / CYCLE), 5) + 1
    recent = {
        round((last.start - one.start) / CYCLE)
        for one in seen
        if abs((last.start - one.start) % CYCLE - CYCLE / 2) > CYCLE / 2 - _SLACK
    }
    # Slices may be missing of the last one; what the track can see is what it saw at best.
    best = max(seen[-3:], key=lambda one: (share(area, one.footprint), one.start))
    missed = int((after - last.start) / CYCLE)
    found = []
    number = missed + 1
    while (time := last.start + number * CYCLE) <= until:
        found.append(
            NextPass(
                time=time,
                relative_orbit=last.relative_orbit,
                direction=last.direction,
                mission=last.mission,
                coverage=share(area, best.footprint),
                taken=sum(1 for one in recent if one < cycles),
                cycles=cycles + missed,
                footprint=mapping(best.footprint),
            )
        )
        number += 1
    return found
