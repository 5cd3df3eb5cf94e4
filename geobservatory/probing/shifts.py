"""When a hub has become slow, against what it usually is at that hour of the day."""

import math
import statistics
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.incidents import Incident, Turn
from geobservatory.catalog.measurements import Kind, Rollup
from geobservatory.probing.detect import Evidence, shift_weight
from geobservatory.probing.statistics import spread

_HOUR = timedelta(hours=1)
_USUAL, _LATELY = timedelta(days=28), timedelta(days=2)
# Less tells nothing of what is usual.
_FEWEST_HOURS, _FEWEST_OF_ONE = 240, 8
# Hours of the same kind scatter by this at least: within a few per cent nothing is slow.
_LEAST_SCATTER = 0.1
# Aspect, what tells, which way is worse, in words.
_JUDGED = (
    ("slow search", Kind.SEARCH, 1.0, "searches take {factor:.1f} times as long as usual"),
    ("slow download", Kind.TRANSFER, -1.0, "downloads are {factor:.1f} times slower than usual"),
)


def slow(
    catalog: Catalog,
    hub: str,
    lasting: Mapping[str, Incident],
    now: datetime,
) -> list[Turn]:
    """Open and end the incidents of a hub that is slower than usual; by whole hours."""
    made: list[Turn] = []
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    for aspect, kind, worse, words in _JUDGED:
        known = lasting.get(aspect)
        ended = catalog.last_incident_end(hub, aspect)
        since = (
            known.noticed_at if known else max(this_hour - _LATELY, ended or this_hour - _LATELY)
        )
        rollups = catalog.rollups(this_hour - _USUAL - _LATELY, (kind,), hub, until=this_hour)
        lately = [one for one in rollups if one.hour >= since]
        usual = [one for one in rollups if one.hour < (known.began_at if known else since)]
        if not lately or len(usual) < _FEWEST_HOURS:
            continue
        made += _judged(catalog, hub, aspect, known, _offs(usual, lately, worse), words)
    return made


def _offs(
    usual: Sequence[Rollup], lately: Sequence[Rollup], worse: float
) -> list[tuple[datetime, float, float]]:
    """Give, for each hour, how much worse it was: in standard deviations, and as a logarithm."""
    by_hour: dict[int, list[float]] = {}
    for one in usual:
        if one.good:
            by_hour.setdefault(one.hour.hour, []).append(spread([one]).log_mean)
    middle = {
        hour: statistics.median(values)
        for hour, values in by_hour.items()
        if len(values) >= _FEWEST_OF_ONE
    }
    # Off from the middle of few, values seem to scatter less than they do; of a normal distribution
    # the median of what is off is 0.6745 standard deviations.
    rest = [
        abs(value - middle[hour]) * math.sqrt(len(by_hour[hour]) / (len(by_hour[hour]) - 1))
        for hour in middle
        for value in by_hour[hour]
    ]
    if not rest:
        return []
    scatter = max(_LEAST_SCATTER, statistics.median(rest) / 0.6745)
    offs = []
    for one in lately:
        if one.good and one.hour.hour in middle:
            off = worse * (spread([one]).log_mean - middle[one.hour.hour])
            # The middle itself is off: that of n values by sqrt(pi / 2n) of their scatter.
            unsure = math.sqrt(1 + math.pi / (2 * len(by_hour[one.hour.hour])))
            offs.append((one.hour, off / (scatter * unsure), off))
    return offs


def _judged(
    catalog: Catalog,
    hub: str,
    aspect: str,
    known: Incident | None,
    offs: Sequence[tuple[datetime, float, float]],
    words: str,
) -> list[Turn]:
    evidence = Evidence(in_trouble=known is not None)
    for number, (hour, off, _) in enumerate(offs):
        change = evidence.take(hour, shift_weight(off))
        if change is None:
            continue
        if change.began:
            since = [one for one in offs[: number + 1] if one[0] >= change.at]
            # The hours that speak for it: some before may be among them by chance.
            factor = math.exp(statistics.median(one[2] for one in since if one[1] > 1.0))
            told = {"hours": [[one[0].isoformat(), round(math.exp(one[2]), 2)] for one in since]}
            sure = change.sure_at + _HOUR
            opened = catalog.open_incident(
                hub, aspect, change.at, sure, words.format(factor=factor), told
            )
            return [Turn(opened, began=True)] if opened is not None else []
        if known is not None:
            ended = catalog.end_incident(known.id, max(change.at, known.began_at))
            return [Turn(ended, began=False)] if ended is not None else []
    return []
