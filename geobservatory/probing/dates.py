"""Whether a hub's dates of publication can be right, by when its products could be found.

A product that is listed now, and was not when its hub was last asked, was published in between. A
date after now, or before the last look, or before the product was sensed, is wrong: the hub's clock
is, or what it makes of it. Whoever goes by such dates finds products late, or never.
"""

import statistics
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from geobservatory.catalog.measurements import Kind, Measured
from geobservatory.hubs.model import Offer
from geobservatory.transfer.attempt import Outcome

# Clocks differ a little, and an index takes its time until it finds what is dated already.
_AHEAD, _BEHIND = timedelta(minutes=5), timedelta(hours=1)


def dates(
    hub: str, found: Sequence[Offer], known: Collection[str], last: datetime | None, now: datetime
) -> Measured | None:
    """Hold the dates of what is newly listed against when it can have been published.

    Parameters
    ----------
    found
        What a hub has just listed.
    known
        Names of what it was known to have before.
    last, now
        When it was asked for what is new, and answered: before, None where never; and now.

    Returns
    -------
    Measured or None
        The middle of how many seconds the dates are off, less than zero where they are too early;
        None where nothing is new.
    """
    fresh = {one.product.name: one for one in found if one.product.name not in known}
    offs = [
        _off(one.product.stop, one.published, last, now)
        for one in fresh.values()
        if one.published is not None
    ]
    if not offs:
        return None
    # One wrong date of many is a slip; that of most is a clock.
    off, wrong = statistics.median_low(offs), sum(one != 0 for one in offs)
    detail: dict[str, Any] = {"new": len(offs), "wrong": wrong}
    if 2 * wrong <= len(offs):
        return Measured(hub, Kind.CLOCK, now, 0.0, detail=detail)
    off = statistics.median_low([one for one in offs if one])
    way = "after they were listed" if off > 0 else "before they can have been published"
    detail["failure"] = f"{wrong} of {len(offs)} are dated {abs(off) / 3600:.1f} h {way}"
    return Measured(hub, Kind.CLOCK, now, off, False, Outcome.WRONG.value, detail=detail)


def _off(stop: datetime, dated: datetime, last: datetime | None, now: datetime) -> float:
    if dated > now + _AHEAD:
        return (dated - now).total_seconds()
    if last is None:
        return min(0.0, (dated - stop).total_seconds())
    if dated < max(stop, last - _BEHIND):
        return (dated - max(stop, last)).total_seconds()
    return 0.0
