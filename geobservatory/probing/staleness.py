"""When a hub lists nothing new though others do.

What others published, and this hub has not, it was to publish sooner or later: how soon is told by
how much later than the first of the others it published what it has. The chance that none of it
came since its newest product is exp(-e), where e is the sum over these products of what its
cumulative hazard grew by meanwhile: in the time of e, publications are a Poisson process of rate
one (Andersen, Borgan, Gill and Keiding, Statistical Models Based on Counting Processes, 1993,
section II.5). Hubs publish in batches, to which that does not hold, so the silence must also be
longer than any of the last four weeks.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.incidents import Incident, Turn

ASPECT = "stale"
# As sure as of failures (`detect`): a chance of exp(-12).
_SURE = 12.0
_USUAL, _SETTLED = timedelta(days=28), timedelta(days=3)
_LEAST_SILENCE = timedelta(hours=1)
# Less tells nothing of how late a hub usually is.
_FEWEST = 50
# Nothing is surer to come than this: of some products there is no more than one hub has.
_LACKING = 0.02
# So many new products end it: a single one may be a straggler.
_ENOUGH_NEW = 3
_LONGEST = 30


class Lateness:
    """How late a hub has what others have: a distribution that does not reach one.

    Parameters
    ----------
    lags
        Seconds after the first of the others, of all that they published; None where the hub never
        had it.
    """

    def __init__(self, lags: Sequence[float | None]) -> None:
        self._lags = sorted(one for one in lags if one is not None)
        self._count = len(lags)

    def lacking(self, seconds: float) -> float:
        """Give the share that a hub has not yet so long after others; never less than 2 %."""
        return max(_LACKING, 1 - bisect_right(self._lags, seconds) / (self._count + 1))

    def evidence(self, published: Sequence[datetime], since: datetime, until: datetime) -> float:
        """Give the sum of hazards of what others published, over a time in which nothing came."""
        return sum(
            math.log(
                self.lacking((since - at).total_seconds())
                / self.lacking((until - at).total_seconds())
            )
            for at in published
            if at <= until
        )


def stale(
    catalog: Catalog,
    hub: str,
    hubs: Sequence[str],
    lasting: Mapping[str, Incident],
    seen: datetime | None,
    now: datetime,
) -> list[Turn]:
    """Open and end the incident of a hub that lists nothing new.

    Parameters
    ----------
    hubs
        All there are.
    lasting
        Its open incidents, by aspect.
    seen
        When it was last asked for what is new, and answered.
    """
    others = [one for one in hubs if one != hub]
    newest = catalog.newest_publication(hub)
    if not others or newest is None or seen is None or "reachable" in lasting:
        return []
    known, silence = lasting.get(ASPECT), seen - newest
    if known is None and silence < _LEAST_SILENCE:
        return []
    long = silence > _longest_silence(catalog, hub, newest)
    if known is not None:
        if long or catalog.published_since(hub, known.began_at) < _ENOUGH_NEW:
            return []
        ended = catalog.end_incident(known.id, max(seen, known.noticed_at))
        return [] if ended is None else [Turn(ended, began=False)]
    return _begun(catalog, hub, others, newest, seen, now) if long else []


def _begun(
    catalog: Catalog,
    hub: str,
    others: Sequence[str],
    newest: datetime,
    seen: datetime,
    now: datetime,
) -> list[Turn]:
    # What others published just before may come yet, and is left out of what is usual.
    usual = catalog.lags(hub, others, newest - _USUAL, newest - _SETTLED)
    if len(usual) < _FEWEST:
        return []
    lately = catalog.lags(hub, others, newest - _SETTLED, seen)
    lacks = [at for at, held, _ in lately if not held]
    evidence = Lateness([lag for _, _, lag in usual]).evidence(lacks, newest, seen)
    if evidence < _SURE:
        return []
    after = sum(at > newest for at in lacks)
    cause = (
        f"it lists nothing newer than {newest:%F %H:%M} UTC, and others have {after} products since"
    )
    told = {
        "newest": newest.isoformat(),
        "seen": seen.isoformat(),
        "lacks": after,
        "chance": math.exp(-evidence),
    }
    opened = catalog.open_incident(hub, ASPECT, newest, now, cause, told)
    return [] if opened is None else [Turn(opened, began=True)]


def _longest_silence(catalog: Catalog, hub: str, newest: datetime) -> timedelta:
    """Tell how long a hub has been silent in four weeks, when it was not in trouble."""
    troubled = {
        one.began_at for one in catalog.incidents(newest - _USUAL, [hub]) if one.aspect == ASPECT
    }
    for began, gap in catalog.silences(hub, newest - _USUAL, newest, _LONGEST):
        if began not in troubled:
            return gap
    return _LEAST_SILENCE
